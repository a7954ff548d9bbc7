"""One flow's live widgets: what they show, kept in step with the flow by one thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from graflow_nb.core.param import Param
from graflow_nb.core.status import Status
from graflow_nb.notebook.pane import code_of, data_html, shown_outputs, why_html_of
from graflow_nb.notebook.publisher import Publisher
from graflow_nb.notebook.starter import STARTED_BY
from graflow_nb.views.live import (
    graph_data,
    params_data,
    progress_data,
    run_data,
    states_data,
    timeline_data,
    times_data,
)
from graflow_nb.views.snapshot import live_view

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from graflow_nb.core.plan import Plan
    from graflow_nb.core.run import Run, TaskRecord
    from graflow_nb.core.task import Task
    from graflow_nb.core.workflow import WorkflowContext
    from graflow_nb.notebook.session import Session
    from graflow_nb.notebook.widget import FlowWidget
    from graflow_nb.views.boxes import Direction
    from graflow_nb.views.model import FlowView

_REPLACED = (
    "This flow has been made anew since: what you see, and run from here, is the older one. Run this cell again."
)
TICK = 1.0
"""Seconds after which the front end hears how long a run has been going on; in between it counts by itself."""
_TICKING = frozenset({"elapsed", "line"})


class Board:
    """What the live widgets of one flow show.

    Traits are set on the publisher's thread alone, so that a run of a thousand tasks never waits for them.

    Parameters
    ----------
    session : Session
    flow : WorkflowContext

    Attributes
    ----------
    plan : Plan
        What depends on what, as of the last time that no run was going on.
    stale : frozenset of str
        The tasks that would run now. Replaced as a whole: runs, cells and the front end each have a thread.
    run : Run or None
        The one that goes on, or the last one.
    auto : bool
        Whether what is out of date runs by itself.
    starter : FlowWidget or None
        The one whose button started the run.
    """

    def __init__(self, session: Session, flow: WorkflowContext, plan: Plan, stale: Collection[str]) -> None:
        self.session = session
        self.flow = flow
        self.plan = plan
        self.stale = frozenset(stale)
        self._marking = threading.Lock()
        self.run: Run | None = flow.last_run
        self.auto = False
        self.starter: FlowWidget | None = None
        self.publisher = Publisher(self._publish)
        self._widgets: dict[FlowWidget, _Shown] = {}

    @property
    def widgets(self) -> list[FlowWidget]:
        """The widgets that are open."""
        return list(self._widgets)

    def add(self, widget: FlowWidget) -> None:
        """Show the present state in a new widget, and keep it up to date from now on."""
        shown = _Shown(widget, self)
        shown.update(self.view())
        self._widgets[widget] = shown
        widget.observe(lambda _: self.publisher.poke(), ["selected", "direction"])
        self.publisher.poke()

    def remove(self, widget: FlowWidget) -> None:
        """Close a widget."""
        if self._widgets.pop(widget, None) is not None:
            widget.close()

    def close(self) -> None:
        """Close all widgets."""
        self.publisher.close()
        for widget in self.widgets:
            self.remove(widget)

    def started(self, run: Run) -> None:
        """Say that a run has begun, which decides on its tasks anew."""
        if not self.plan.holds(self.flow.graph):
            self.plan = self.flow.plan()
        self.run, self.starter = run, STARTED_BY.get()
        with self._marking:
            self.stale -= run.records.keys()
        self.publisher.poke()

    def finished(self, run: Run) -> None:
        """Say that a run has ended: what has no result would run again."""
        lost = {name for name, record in list(run.records.items()) if not record.status.is_success}
        with self._marking:
            self.stale |= lost
        self.publisher.poke()

    def refresh(self) -> None:
        """Look again at what depends on what, and what is out of date; only while nothing else runs."""
        run, plan = self.run, self.flow.plan()
        stale = self.flow.stale(plan)
        with self._marking:
            if self.run is run:  # else one has begun meanwhile, and has decided anew
                self.plan, self.stale = plan, frozenset(stale)
        self.publisher.poke()

    def mark(self, changed: Iterable[str]) -> None:
        """Mark tasks, and what comes after them, as out of date."""
        names = [name for name in changed if name in self.plan.tasks]
        with self._marking:
            self.stale |= {*names, *self.plan.descendants(names)}
        self.publisher.poke()

    def want_timeline(self, widget: FlowWidget) -> None:
        """Send a widget what ran when, once."""
        if shown := self._widgets.get(widget):
            shown.wants_timeline = True
            self.publisher.poke()

    def say(self, text: str, kind: str = "info") -> None:
        """Tell the readers of all widgets something."""
        for widget in self.widgets:
            widget.send({"said": text, "kind": kind})

    def view(self) -> FlowView:
        """Return the flow as it is now."""
        return live_view(self.flow.name, self.plan, self.run, self.stale)

    def task(self, name: str) -> Task | None:
        """Return a task of the flow, or one that was born in the run."""
        record = self.run.records.get(name) if self.run is not None else None
        return self.plan.tasks.get(name) or (record.task if record is not None else None)

    def record(self, task: Task) -> TaskRecord | None:
        """Return what is known of a task, from the run that is shown if it takes part."""
        here = self.run.records.get(task.name) if self.run is not None else None
        return here if here is not None and here.task is task else task.record

    def params(self) -> list[Param]:
        """Return the flow's parameters."""
        return [task for task in self.plan.tasks.values() if isinstance(task, Param)]

    @property
    def is_active(self) -> bool:
        """Whether a run of the flow goes on."""
        return self.run is not None and not self.run.is_finished

    @property
    def is_replaced(self) -> bool:
        """Whether a newer flow has the name: what is drawn here, and runs from here, is the older one."""
        newest = self.session.flows.get(self.flow.name, self.flow)
        return newest is not self.flow and newest.graph is not self.flow.graph

    def _publish(self) -> tuple[bool, bool]:
        is_active = self.is_active  # before looking: what comes after it is shown by the next round
        were_sent = []
        if self._widgets:
            view = self.view()
            were_sent = [shown.update(view) for shown in list(self._widgets.values())]
        return any(were_sent), is_active and bool(self._widgets)


class _Shown:
    """What one widget shows."""

    def __init__(self, widget: FlowWidget, board: Board) -> None:
        self._widget = widget
        self._board = board
        self._graph: Any = None
        self._pane: Any = None
        self._outputs: Any = None
        self._selected: str | None = None
        self._followed = ""  # the run that was seen to go on
        self.wants_timeline = False

    def update(self, view: FlowView) -> bool:
        """Set the traits that are another now; return whether there were any."""
        board = self._board
        states = states_data(view)
        values: dict[str, Any] = {
            "states": states,
            "times": times_data(view),
            "progress": progress_data(view),
            "run": self._run(view, is_quiet=states == self._widget.states),
            "params": params_data(board.params()),
            "auto": board.auto,
        }
        direction: Direction = self._widget.direction  # type: ignore[assignment]
        graph = direction, [(node.name, node.is_param) for node in view.nodes], view.edges, view.groups
        if graph != self._graph:
            self._graph, values["graph"] = graph, graph_data(view, direction)
            names = [node.name for node in view.nodes]
            if self._selected is not None:  # indices may have moved
                values["selected"] = names.index(self._selected) if self._selected in names else -1
        if self.wants_timeline:
            self.wants_timeline, values["timeline"] = False, timeline_data(view)
        if (failed := self._failed(view)) is not None and self._widget.selected < 0:
            values["selected"] = failed
        was_shown = self._widget.show(**values)
        return self._show_pane(view) or was_shown

    def _run(self, view: FlowView, *, is_quiet: bool) -> dict[str, Any]:
        """Return what is said of the run; while all is quiet, as it was said last, if only time has passed."""
        data = run_data(view, self._board.run)
        if self._board.is_replaced:
            data["notes"] = [*data["notes"], _REPLACED]
        said: dict[str, Any] = self._widget.run
        is_same = data.keys() == said.keys() and all(data[key] == said[key] for key in data.keys() - _TICKING)
        if is_quiet and is_same and data.get("elapsed", 0.0) < said.get("elapsed", 0.0) + TICK:
            return said
        return data

    def _failed(self, view: FlowView) -> int | None:
        """Return the first task that failed, at the end of a run that was started here: it is opened."""
        run, board = self._board.run, self._board
        if run is None or not run.is_finished:
            self._followed = run.id if run is not None else ""
            return None
        is_ours = board.starter is self._widget or self._widget.display_id == f"graflow-{run.id}"
        if not is_ours or self._followed == f"{run.id} ended":
            return None
        self._followed = f"{run.id} ended"
        return next((n for n, node in enumerate(view.nodes) if node.status is Status.FAILED), None)

    def _show_pane(self, view: FlowView) -> bool:
        index = self._widget.selected
        task = self._board.task(view.nodes[index].name) if 0 <= index < len(view.nodes) else None
        if task is None:
            self._selected = None
            return False
        self._selected = task.name
        record, board = self._board.record(task), self._board
        is_stale, is_idle = task.name in board.stale, board.session.is_idle
        status = record.status if record is not None else None
        pane = index, task, record, status, is_stale, is_idle
        was_shown = False
        if pane != self._pane:
            self._pane = pane
            was_shown = self._widget.show(pane=self._about(index, task, is_idle=is_idle))
        sink = board.session.capture.running.get(task)
        outputs = sink if sink is not None else record, sink.version if sink is not None else status
        if outputs != self._outputs:
            self._outputs = outputs
            what = sink.outputs() if sink is not None else record.outputs if record is not None else ()
            with self._widget.lock:
                self._widget.outputs.outputs = shown_outputs(what, task.name)
            return True
        return was_shown

    def _about(self, index: int, task: Task, *, is_idle: bool) -> dict[str, Any]:
        board = self._board
        return {
            "index": index,
            "code": code_of(task),
            "why": why_html_of(board.flow, task, is_idle=is_idle),
            "data": data_html(board.plan, task),
            "runs": board.session.history.of(board.flow, task.name),
        }
