"""A flow as the data of the live widget: plain lists and bytes. What stands where is said in each function.

The graph changes seldom, and goes as text. What changes all the time goes as a few bytes a node, in the order
of the graph's nodes: a run of a thousand tasks then costs two kilobytes ten times a second.
"""

from __future__ import annotations

from array import array
from collections import Counter
from math import nan
from sys import byteorder
from typing import TYPE_CHECKING, Any

from graflow_nb.core.param import Param
from graflow_nb.core.status import Status
from graflow_nb.views.boxes import Box, straight
from graflow_nb.views.page import progress
from graflow_nb.views.svg import place
from graflow_nb.views.text import NOT_RUN, human_seconds, short_path, shorten, summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from graflow_nb.core.run import Run, TaskRecord
    from graflow_nb.views.boxes import Direction, Layout
    from graflow_nb.views.model import EdgeView, FlowView, NodeView

FROM_CACHE, STALE, WARNED, HAS_OUTPUTS = 16, 32, 64, 128
"""The bits of a node's byte above the index of its status."""
LONGEST_NAME = 60
_INDEX: dict[Status | None, int] = {None: 0, **{status: index for index, status in enumerate(Status, 1)}}


def statuses_data() -> list[dict[str, str]]:
    """Return the table that the low four bits of a node's byte point into; the first is for "not run"."""
    first = {"name": NOT_RUN.word, "symbol": NOT_RUN.symbol, "word": NOT_RUN.word, "color": NOT_RUN.colour}
    return [
        {**first, "dark": "#9ca3af"},
        *({"name": s.word, "symbol": s.symbol, "word": s.word, "color": s.colour, "dark": s.dark} for s in Status),
    ]


def graph_data(view: FlowView, direction: Direction = "LR") -> dict[str, Any]:
    """Return the nodes and edges with their places; an edge names its nodes by their indices.

    A node is a task unless its ``kind`` says otherwise, and its ``label`` is its name; all have one size, ``w``
    and ``h``. An edge is plain, and goes straight from the middle of one side to that of the other.
    """
    drawing = place(view, direction)
    index = {node.name: number for number, node in enumerate(view.nodes)}
    first = next(iter(drawing.boxes.values()), Box(0, 0, 0, 0))
    return {
        "flow": view.name,
        "direction": direction,
        "width": _n(drawing.width),
        "height": _n(drawing.height),
        "w": _n(first.width),
        "h": _n(first.height),
        "nodes": [_node_data(node, drawing.boxes[node.name]) for node in view.nodes],
        "edges": [
            {
                "a": index[edge.source],
                "b": index[edge.target],
                **_unless("plain", kind=edge.kind),
                **_points_data(drawing, edge, direction),
            }
            for edge in view.edges
        ],
        "groups": [
            {"name": view.groups[n].name, "x": _n(b.x), "y": _n(b.y), "w": _n(b.width), "h": _n(b.height)}
            for n, b in sorted(drawing.frames.items())
        ],
    }


def _node_data(node: NodeView, box: Box) -> dict[str, Any]:
    label = shorten(short_path(" ".join(node.name.split())), LONGEST_NAME)
    return {
        "name": node.name,
        **_unless(node.name, label=label),
        "x": _n(box.x),
        "y": _n(box.y),
        **_unless("task", kind="param" if node.is_param else "task"),
    }


def _points_data(drawing: Layout, edge: EdgeView, direction: Direction) -> dict[str, Any]:
    route = drawing.routes[edge.source, edge.target]
    if route == straight(drawing.boxes[edge.source], drawing.boxes[edge.target], direction):
        return {}
    return {"points": [[_n(x), _n(y)] for x, y in route]}


def _unless(usual: str, **values: str) -> dict[str, str]:
    """Leave out what is as usual: a graph of a thousand nodes is saved with the notebook."""
    return {name: value for name, value in values.items() if value != usual}


def states_data(view: FlowView) -> bytes:
    """Return one byte a node: the index of its status, and marks."""
    return bytes(map(_state, view.nodes))


def times_data(view: FlowView) -> bytes:
    """Return two little-endian 32-bit floats a node: its start in the run, and the seconds it took; or NaN."""
    times = array("f")
    for node in view.nodes:
        is_over = node.status is not None and node.status.is_final
        times.append(nan if node.started is None else node.started)
        times.append(nan if node.seconds is None or not is_over else node.seconds)
    if byteorder == "big":
        times.byteswap()
    return times.tobytes()


def progress_data(view: FlowView) -> dict[str, list[Any]]:
    """Return how far running nodes say they are, by their indices: a fraction or None, and a text."""
    return {str(n): list(node.progress) for n, node in enumerate(view.nodes) if node.progress is not None}


def run_data(view: FlowView, run: Run | None) -> dict[str, Any]:
    """Return what is said of the whole run."""
    if run is None:
        total = sum(not node.is_param for node in view.nodes)
        return {"id": "", "active": False, "total": total, "line": summary(view), "notes": []}
    records = [record for record in list(run.records.values()) if not isinstance(record.task, Param)]
    is_active = not run.is_finished
    return {
        "id": run.id,
        "active": is_active,
        "began": run.started_at,
        "elapsed": run.elapsed(),
        "done": sum(record.status.is_final for record in records),
        "total": len(records),
        "failed": sum(record.status is Status.FAILED for record in records),
        "line": progress(view) if is_active else _summary(records, run),
        "notes": list(run.notes),
    }


def _summary(records: Iterable[TaskRecord], run: Run) -> str:
    """Say what came of the tasks that took part."""
    counts = Counter(record.status for record in records)
    parts = [f"{counts[status]} {status.word}" for status in Status if counts[status]]
    return f"{', '.join(parts) or 'no tasks'} in {human_seconds(run.elapsed())}"


def params_data(params: Iterable[Param]) -> list[dict[str, Any]]:
    """Return the parameters that have a control."""
    return [
        {
            "name": param.name,
            "kind": param.kind,
            "value": param.value,
            "default": param.default,
            "min": param.span.min,
            "max": param.span.max,
            "step": param.span.step,
            "choices": list(param.span.choices) if param.span.choices is not None else None,
        }
        for param in params
        if param.kind != "other" and all(map(_is_plain, param.span.choices or ()))
    ]


def _is_plain(value: Any) -> bool:
    return type(value) in {str, int, float, bool}


def timeline_data(view: FlowView) -> dict[str, Any]:
    """Return what ran when, and the critical path: the chain of tasks that decided how long it all took."""
    ran = [(n, node) for n, node in enumerate(view.nodes) if _took_time(node)]
    now = view.seconds or 0.0
    rows = [
        {
            "index": n,
            "worker": node.worker,
            "ready": node.ready if node.ready is not None else node.started,
            "start": node.started,
            "end": _end(node, now),
            "status": _INDEX[node.status],
        }
        for n, node in ran
    ]
    end = max((_end(node, now) for _, node in ran), default=0.0)
    return {"rows": rows, "critical": _critical(view, now), "end": end}


def _critical(view: FlowView, now: float) -> list[int]:
    """Go back from the task that ended last, each time to the one before it that ended last."""
    ran = {node.name: n for n, node in enumerate(view.nodes) if _took_time(node)}
    before: dict[str, list[str]] = {name: [] for name in ran}
    for edge in view.edges:
        if edge.source in ran and edge.target in ran:
            before[edge.target].append(edge.source)
    path: list[int] = []
    choice = list(ran)
    while choice:
        last = max(choice, key=lambda name: _end(view.nodes[ran[name]], now))
        path.append(ran[last])
        choice = before[last]
    return path[::-1]


def _took_time(node: NodeView) -> bool:
    return node.started is not None and not node.is_param


def _end(node: NodeView, now: float) -> float:
    assert node.started is not None
    is_over = node.status is not None and node.status.is_final
    return node.started + node.seconds if is_over and node.seconds is not None else max(now, node.started)


def _state(node: NodeView) -> int:
    return (
        _INDEX[node.status]
        | FROM_CACHE * (node.status is Status.CACHED)
        | STALE * node.is_stale
        | WARNED * any(_warns(output) for output in node.outputs)
        | HAS_OUTPUTS * bool(node.outputs)
    )


def _warns(output: Mapping[str, Any]) -> bool:
    return (output["output_type"], output.get("name")) == ("stream", "stderr")


def _n(number: float) -> float:
    """Write whole numbers without a fraction: half the text, and nothing that could be seen."""
    return round(number) if abs(number - round(number)) < 0.05 else round(number, 1)  # noqa: PLR2004
