"""A workflow, or a run of one, as the views show it."""

from __future__ import annotations

import inspect
from textwrap import dedent
from typing import TYPE_CHECKING

from graflow_nb.core.composites import Map
from graflow_nb.core.param import Param
from graflow_nb.core.run import Run
from graflow_nb.core.status import Status
from graflow_nb.views.model import EdgeView, FlowView, GroupView, NodeView

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from graflow_nb.core.plan import Plan
    from graflow_nb.core.run import TaskRecord
    from graflow_nb.core.task import Task
    from graflow_nb.views.model import EdgeKind

MOST_ITEMS = 24
"""Of how many items of a map each is drawn."""


def run_view(run: Run) -> FlowView:
    """Return a run as it is now."""
    hidden = folded(run)
    shown = [record for name, record in list(run.records.items()) if name not in hidden]
    nodes = tuple(_node(record.task, record, _running_for(run, record)) for record in shown)
    known = {node.name for node in nodes}
    edges = tuple(
        EdgeView(before, after, kind_of(run, (before, after)))
        for before, after in list(run.edges)
        if before in known and after in known
    )
    return FlowView(run.name, nodes, edges, run.elapsed(), groups_of(dict(run.frames), nodes))


def groups_of(frames: Mapping[str, Sequence[str]], nodes: Sequence[NodeView]) -> tuple[GroupView, ...]:
    """Return what is drawn in frames: groups, maps and workflows in the workflow; with the indices of `nodes`."""
    index = {node.name: number for number, node in enumerate(nodes)}
    members = {name: tuple(index[n] for n in names if n in index) for name, names in frames.items()}
    return tuple(GroupView(name, inside) for name, inside in members.items() if inside)


def folded(run: Run) -> set[str]:
    """Return the items of maps that have too many to be drawn: the map itself tells how far it is."""
    return {
        member
        for name, members in dict(run.members).items()
        if len(members) > MOST_ITEMS and isinstance(run.records[name].task, Map)
        for member in members
    }


def kind_of(source: Plan | Run, edge: tuple[str, str]) -> EdgeKind:
    """Return what kind of dependency an edge is."""
    before, after = edge
    if isinstance(source, Run) and (before in source.born or after in source.born):
        return "dynamic"
    if after in (source.conditional if isinstance(source, Run) else source.conditions):
        return "conditional"
    return "inferred" if edge in source.inferred else "plain"


def flow_view(name: str, plan: Plan, stale: Collection[str] = ()) -> FlowView:
    """Return a workflow with what became of its tasks in their last runs, marking what is out of date.

    Parameters
    ----------
    name : str
        The workflow's.
    plan : Plan
    stale : collection of str
        The tasks that would run now.
    """
    unwired, hidden = set(plan.unwired), _hidden(plan)
    nodes = tuple(
        _node(task, task.record, stale=task.name in stale, unwired=task.name in unwired)
        for task in plan.tasks.values()
        if task.name not in hidden
    )
    edges = tuple(EdgeView(*edge, kind_of(plan, edge)) for edge in plan.edges if hidden.isdisjoint(edge))
    return FlowView(name, nodes, edges, groups=groups_of(plan.frames, nodes))


def _hidden(plan: Plan) -> set[str]:
    """Return what is not drawn: templates that never ran."""
    return {name for name in plan.templates if plan.tasks[name].record is None}


def live_view(name: str, plan: Plan, run: Run | None, stale: Collection[str] = ()) -> FlowView:
    """Return a workflow as a whole while a run of it goes on, or after it; tasks born in the run are added.

    Without sources and notes of what is out of date: it is made many times a second.

    Parameters
    ----------
    name : str
        The workflow's.
    plan : Plan
    run : Run, optional
        The one that goes on, or the last one.
    stale : collection of str
        The tasks that would run now.
    """
    records = dict(run.records) if run is not None else {}
    unwired, hidden = set(plan.unwired), _hidden(plan)
    nodes = [
        _live_node(task, run, records.pop(task.name, None), task.name in stale, task.name in unwired)
        for task in plan.tasks.values()
        if task.name not in hidden
    ]
    edges = [EdgeView(*edge, kind_of(plan, edge)) for edge in plan.edges if hidden.isdisjoint(edge)]
    if run is not None and records:
        born = {name for name in records if name not in plan.tasks} - folded(run)
        nodes += [_live_node(records[name].task, run, records[name]) for name in born_in_order(run, born)]
        known = {node.name for node in nodes}
        edges += [
            EdgeView(before, after, "dynamic")
            for before, after in list(run.edges)
            if (before in born or after in born) and before in known and after in known
        ]
    elapsed = run.elapsed() if run is not None else None
    frames = {**plan.frames}
    if run is not None:
        frames |= {n: members for n, members in dict(run.frames).items() if n in run.members and n in plan.tasks}
    return FlowView(name, tuple(nodes), tuple(edges), elapsed, groups_of(frames, nodes))


def born_in_order(run: Run, born: Collection[str]) -> list[str]:
    """Return the tasks that were born in a run, in the order of their births."""
    return [name for name in list(run.records) if name in born]


def _live_node(
    task: Task, run: Run | None, here: TaskRecord | None, is_stale: bool = False, is_unwired: bool = False
) -> NodeView:
    """Show a task by its part in the run, or else by its last one, whose times are of another clock."""
    is_here = here is not None and run is not None and here.task is task
    record = here if is_here else task.record
    is_param = isinstance(task, Param)
    if record is None:
        return NodeView(task.name, note="unwired" * is_unwired, is_param=is_param)
    return NodeView(
        task.name,
        record.status,
        record.seconds,
        "unwired" if is_unwired else record.note,
        record.started if is_here else None,
        record.worker,
        record.outputs,
        progress=record.progress if record.status in {Status.RUNNING, Status.RETRYING} else None,
        ready=record.ready if is_here else None,
        is_stale=is_stale and record.status.is_success,
        is_param=is_param,
    )


def _running_for(run: Run, record: TaskRecord) -> float | None:
    if record.status is Status.RUNNING and record.started is not None:
        return max(0.0, run.elapsed() - record.started)
    return None


def _node(
    task: Task,
    record: TaskRecord | None,
    running_for: float | None = None,
    *,
    stale: bool = False,
    unwired: bool = False,
) -> NodeView:
    note = "unwired" if unwired else ""
    if record is None:
        return NodeView(task.name, note=note, source=source_of(task), is_param=isinstance(task, Param))
    if stale and record.status.is_success:
        note = "out of date"
    return NodeView(
        task.name,
        record.status,
        record.seconds if running_for is None else running_for,
        note or record.note,
        record.started,
        record.worker,
        record.outputs,
        source_of(task),
        is_param=isinstance(task, Param),
    )


def source_of(task: Task) -> str:
    """Return a task's code as it was written, or "" if it cannot be had, or there is none."""
    if task.is_composite and not isinstance(task, Map):
        return ""
    fn = task.written
    source = getattr(fn, "source", None)
    if fn is None or isinstance(source, str):
        return source or ""
    try:
        return dedent(inspect.getsource(inspect.unwrap(fn)))
    except (OSError, TypeError):
        return ""
