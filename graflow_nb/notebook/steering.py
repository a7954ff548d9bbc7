"""What the live widget asks for: each message is answered at once, and what it starts goes on elsewhere."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import GraflowError
from graflow_nb.core.param import Param
from graflow_nb.notebook.starter import STARTED_BY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from graflow_nb.core.run import Run
    from graflow_nb.core.task import Task
    from graflow_nb.notebook.board import Board
    from graflow_nb.notebook.widget import FlowWidget

_BUSY = "a run of this flow is going on: wait for it, or cancel it"


class Steering:
    """Does what one flow's widgets ask for.

    Parameters
    ----------
    board : Board
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._starting = threading.Lock()
        self._tried: Any = None
        self._is_wanted = False
        self._ended_unseen = False  # a run ended while a cell ran
        self._by_itself: Run | None = None  # the run that "auto" started

    def take(self, widget: FlowWidget, message: Any) -> None:
        """Take a message of the front end; never raises, and is quick."""
        try:
            self._act(widget, message)
        except Exception as error:
            widget.send({"said": str(error) or type(error).__name__, "kind": "error"})

    def _act(self, widget: FlowWidget, message: Any) -> None:
        word, task = message.get("do"), self._task(message.get("node"))
        act = getattr(self, f"_{word}", None) if word in _OF_A_RUN | _OF_A_TASK else None
        if act is None:
            raise GraflowError(f"the widget asked for {word!r}, which is unknown here")
        if word in _OF_A_TASK and task is None:
            raise GraflowError("that task is not there any more")
        act(widget, task, message)

    def start(self, widget: FlowWidget, *targets: Task, **options: Any) -> None:
        """Start a run in the background, as somebody asked for."""
        self._apart(widget, lambda: self._start(targets, options))

    def start_stale(self) -> None:
        """Run what is out of date; if a run goes on, after it, and one that was started here is not waited for.

        What is marked as out of date does not tell: a run that is just beginning takes the marks away, and
        may have looked at the parameters before they changed.
        """
        self._apart(next(iter(self._board.widgets), None), self._start_by_itself)

    def _apart(self, widget: FlowWidget | None, do: Callable[[], Any]) -> None:
        """Do something on a thread of its own; what fails is said."""

        def work() -> None:
            STARTED_BY.set(widget)
            self._guarded(do)

        threading.Thread(target=work, name="graflow-start", daemon=True).start()

    def _start(self, targets: tuple[Task, ...], options: dict[str, Any]) -> None:
        with self._starting:
            if self._going() is not None:
                raise GraflowError(_BUSY)
            self._run_now(*targets, **options)

    def _start_by_itself(self) -> None:
        while True:
            with self._starting:
                going = self._going()
                self._is_wanted = going is not None
                if going is None:
                    self._by_itself = self._run_now()
                    return
                if going is self._by_itself:
                    going.cancel()
            if self._going() is not None:  # its end will start this; if it has just ended, nobody else does
                return

    def _run_now(self, *targets: Task, **options: Any) -> Run:
        autoreload(self._board.session.shell)
        return self._board.flow.run(*targets, background=True, **options)

    def _going(self) -> Run | None:
        return self._board.session.run_of(self._board.flow)

    def changed(self) -> None:
        """Say that a cell has run: with "auto" on, what it made out of date runs."""
        board = self._board
        if not board.auto:
            return
        stale = board.flow.stale(board.plan)
        tried = self._signature(stale)
        if self._ended_unseen and not _is_any_new(stale):
            self._tried = tried
        self._ended_unseen = False
        if stale and tried != self._tried:
            self._tried = tried
            self.start_stale()

    def finished(self) -> None:
        """Say that a run has ended: what is still out of date now was tried, and is not run again by itself."""
        if self._is_wanted:
            self._is_wanted = False
            self.start_stale()
        elif self._board.session.is_idle:
            self._guarded(self._note)
        else:
            self._ended_unseen = True  # what tasks read must not be looked at while a cell may change it

    def _note(self) -> None:
        if self._board.auto:
            self._tried = self._signature(self._board.flow.stale(self._board.plan))

    def _signature(self, stale: Mapping[str, Sequence[Any]]) -> Any:
        """Return what is out of date and why; a task that was written anew is another one."""
        tasks = self._board.plan.tasks
        return [(tasks[name], *map(str, reasons)) for name, reasons in sorted(stale.items())]

    def _guarded(self, do: Callable[[], None]) -> None:
        try:
            do()
        except Exception as error:
            self._board.say(str(error), "error")

    def _task(self, index: Any) -> Task | None:
        view = self._board.view()
        if not isinstance(index, int) or not 0 <= index < len(view.nodes):
            return None
        return self._board.task(view.nodes[index].name)

    def _run(self, widget: FlowWidget, *_: Any) -> None:
        self.start(widget)

    def _run_to(self, widget: FlowWidget, task: Task, _: Any) -> None:
        self.start(widget, task)

    def _run_from(self, widget: FlowWidget, task: Task, _: Any) -> None:
        self.start(widget, from_=task)

    def _run_only(self, widget: FlowWidget, task: Task, _: Any) -> None:
        board = self._board
        before = [name for name in board.plan.order(board.plan.ancestors([task.name])) if name in board.stale]
        if before:
            raise GraflowError(f"{task.name!r} reads {before[0]!r}, which is out of date: run to here instead")
        self.start(widget, task, force=[task.name])

    def _force(self, widget: FlowWidget, task: Task | None, _: Any) -> None:
        if task is None:
            self.start(widget, force=True)
        else:
            self.start(widget, task, force=[task.name])

    def _cancel(self, *_: Any) -> None:
        if self._board.run is not None and self._board.is_active:
            self._board.run.cancel()

    def _cancel_task(self, _: FlowWidget, task: Task, __: Any) -> None:
        if self._board.run is not None and self._board.is_active:
            self._board.run.cancel(task)

    def _accept(self, _: FlowWidget, task: Task, __: Any) -> None:
        board = self._board

        def accept() -> None:
            if not board.session.is_idle:
                raise GraflowError("a cell or a run is going on: accept the result when it has ended")
            board.flow.accept(task)
            board.refresh()
            board.say(f"{task.name}: its result is kept as it is")

        board.publisher.do(lambda: self._guarded(accept))

    def _timeline(self, widget: FlowWidget, *_: Any) -> None:
        self._board.want_timeline(widget)

    def _goto(self, widget: FlowWidget, task: Task, _: Any) -> None:
        cell = self._board.session.ledger.cell_of(self._board.flow.graph, task.name)
        if cell is None:
            raise GraflowError(f"which cell {task.name!r} was written in is not known here")
        widget.send({"goto": cell})

    def _param(self, _: FlowWidget, __: Task | None, message: dict[str, Any]) -> None:
        param = self._board.flow.graph.nodes.get(str(message.get("name")))
        if not isinstance(param, Param):
            raise GraflowError(f"there is no parameter {message.get('name')!r}")
        value = param.read(message.get("value"))
        if type(value) is not type(param.value) or value != param.value:
            param.value = value
            self._board.mark([param.name])
            if self._board.auto:
                self.start_stale()


_OF_A_RUN = frozenset({"run", "force", "cancel", "timeline", "param"})
_OF_A_TASK = frozenset({"run_to", "run_from", "run_only", "cancel_task", "accept", "goto"})

_OUTCOMES = frozenset({"failed", "cancelled", "not kept", "off", "unknown"})
"""Reasons that a run leaves behind: a task that has one was tried as it is."""


def _is_any_new(stale: Mapping[str, Sequence[Any]]) -> bool:
    """Whether anything is out of date for another reason than that its last run left no result to reuse."""
    return any(reason.kind not in {*_OUTCOMES, "upstream"} for reasons in stale.values() for reason in reasons)


def autoreload(shell: InteractiveShell) -> None:
    """Do what ``%autoreload`` does before a cell: a run that a button starts has no cell."""
    for hook in list(shell.events.callbacks.get("pre_run_cell", ())):
        if type(getattr(hook, "__self__", None)).__name__ == "AutoreloadMagics":
            hook(None)
