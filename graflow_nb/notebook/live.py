"""The live widgets of one notebook: where they can be shown, which cell each belongs to, and when they close."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import GraflowError
from graflow_nb.core.events import Event, RunFinished, RunStarted
from graflow_nb.notebook.idle import Idle
from graflow_nb.notebook.sink import SINK

if TYPE_CHECKING:
    from collections.abc import Collection

    from IPython.core.interactiveshell import InteractiveShell

    from graflow_nb.core.plan import Plan
    from graflow_nb.core.workflow import WorkflowContext
    from graflow_nb.notebook.board import Board
    from graflow_nb.notebook.session import Session
    from graflow_nb.notebook.steering import Steering
    from graflow_nb.notebook.widget import FlowWidget

SETTING = "GRAFLOW_NB_WIDGET"
"""Of the environment: "on" or "off", whatever the front end seems to be."""


def is_live(shell: InteractiveShell) -> bool:
    """Whether a person sits before the front end, and it can show widgets.

    A notebook that is run by a program (nbclient, nbconvert, papermill) gets the static picture alone: its
    messages name no cell, and its kernel was not started by a notebook server.
    """
    if getattr(getattr(shell, "kernel", None), "comm_manager", None) is None or SINK.get() is not None:
        return False
    if (setting := os.environ.get(SETTING, "")) in {"on", "off"}:
        return setting == "on"
    parent: Any = getattr(shell, "get_parent", dict)() or {}
    has_cell = bool(parent.get("metadata", {}).get("cellId"))
    return has_cell or "JPY_SESSION_NAME" in os.environ or "google.colab" in sys.modules


def _import_what_draws() -> None:
    """Import what the first widget needs, while nobody waits: half of the time until it is seen."""
    for name in ("notebook.widget", "notebook.board", "notebook.steering", "views.svg"):
        import_module(f"graflow_nb.{name}")


class Live:
    """The live widgets of one notebook.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._boards: dict[WorkflowContext, tuple[Board, Steering]] = {}
        self._of_cell: dict[str, list[FlowWidget]] = {}
        self._auto: set[WorkflowContext] = set()
        self._idle = Idle(self._look)

    def __call__(self, event: Event) -> None:
        """Listen to runs; of what happens in between, widgets hear that something did, and look it up."""
        there = self._boards.get(event.run.workflow)
        if there is None:
            return
        board, steering = there
        if isinstance(event, RunStarted):
            board.started(event.run)
        elif isinstance(event, RunFinished):
            board.finished(event.run)
            steering.finished()
        else:
            board.publisher.poke()

    def open(
        self, flow: WorkflowContext, plan: Plan | None = None, stale: Collection[str] = ()
    ) -> tuple[FlowWidget, bool]:
        """Return a widget for the cell that runs, and whether it is new; a cell has one for a flow."""
        from graflow_nb.notebook.widget import FlowWidget

        cell = self._session.ledger.cell or ""
        for widget in self._of_cell.get(cell, ()) if cell else ():
            if flow in self._boards and widget in self._boards[flow][0].widgets:
                return widget, False
        board, steering = self._board(flow, plan, stale)
        widget = FlowWidget(flow.name)
        widget.on_msg(lambda sender, content, _: steering.take(sender, content))
        widget.observe(lambda change: self.set_auto(flow, on=change["new"]), ["auto"])
        board.add(widget)
        self._of_cell.setdefault(cell, []).append(widget)
        return widget, True

    def board(self, flow: WorkflowContext) -> Board | None:
        """Return what a flow's widgets show, if there are any."""
        there = self._boards.get(flow)
        return there[0] if there is not None else None

    def begin(self, cell: str) -> None:
        """Close the widgets that a cell made when it last ran: its outputs are about to be replaced."""
        self._idle.cancel()
        for widget in self._of_cell.pop(cell, ()):
            for flow, (board, _) in list(self._boards.items()):
                board.remove(widget)
                if not board.widgets and flow not in self._auto:
                    board.close()
                    del self._boards[flow]

    def cell_ended(self) -> None:
        """Look again at what is out of date, as soon as no cell follows: this one may have changed anything."""
        self._idle.ask()

    def _look(self) -> None:
        if is_live(self._session.shell):
            _import_what_draws()
        for flow, (board, steering) in list(self._boards.items()):
            if self._session.run_of(flow) is None:
                with suppress(GraflowError):  # a graph that is half written: the picture stays as it was
                    board.refresh()
                    steering.changed()

    def auto(self, flow: WorkflowContext) -> bool:
        """Whether what is out of date in a flow runs by itself."""
        return flow in self._auto

    def set_auto(self, flow: WorkflowContext, *, on: bool) -> None:
        """Let what is out of date run by itself, or not."""
        (self._auto.add if on else self._auto.discard)(flow)
        board, steering = self._board(flow)
        if board.auto != on:
            board.auto = on
            board.publisher.poke()
            if on and board.stale and self._session.ledger.cell is None:  # else the cell's end will
                steering.start_stale()

    def close(self) -> None:
        """Close everything."""
        self._idle.cancel()
        for board, _ in self._boards.values():
            board.close()
        self._boards.clear()
        self._of_cell.clear()
        self._auto.clear()

    def _board(
        self, flow: WorkflowContext, plan: Plan | None = None, stale: Collection[str] = ()
    ) -> tuple[Board, Steering]:
        if flow not in self._boards:
            from graflow_nb.notebook.board import Board
            from graflow_nb.notebook.steering import Steering

            board = Board(self._session, flow, plan or flow.plan(), stale)
            board.auto = flow in self._auto
            board.run = self._session.run_of(flow) or board.run
            self._boards[flow] = board, Steering(board)
        return self._boards[flow]
