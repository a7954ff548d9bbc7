"""The one interface between a run and the places where its calls happen."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from graflow_nb.core.call import Call, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Backend(Protocol):
    """A place where calls happen; opened for one run, and closed at its end.

    Attributes
    ----------
    slots : int
        How many calls run at once. A run may hand it a few more, which wait.
    """

    slots: int

    def open(self, deliver: Callable[[Outcome | Call], None]) -> None:
        """Get ready. `deliver` takes each outcome, from any thread."""

    def submit(self, call: Call) -> None:
        """Take a call; returns at once, and never raises for what the call does."""

    def withdraw(self) -> Sequence[Call]:
        """Give back the calls that have not begun; they will not."""

    def interrupt(self, call: Call | None = None) -> None:
        """Break off one call, or whatever is running, as far as that can be done."""

    def replace(self, call: Call) -> None:
        """Go on without the worker that makes a call, for it is stuck there: the run waits for it no longer."""

    def close(self) -> None:
        """Let everything go, without waiting for it."""


class Here:
    """The thread that drives the run: calls come back undone, and the driver makes them."""

    slots = 1

    def __init__(self) -> None:
        self._deliver: Callable[[Outcome | Call], None] = lambda _: None

    def open(self, deliver: Callable[[Outcome | Call], None]) -> None:
        self._deliver = deliver

    def submit(self, call: Call) -> None:
        self._deliver(call)

    def withdraw(self) -> Sequence[Call]:
        return ()

    def interrupt(self, call: Call | None = None) -> None:
        """Nothing to do: the driver cannot be here and in the call."""

    def replace(self, call: Call) -> None:
        """Nothing can be done: the driver is in the call."""

    def close(self) -> None:
        """Nothing is held."""


def make_here(call: Call) -> Outcome:
    """Make a call on this thread, which must be the main one."""
    if threading.current_thread() is threading.main_thread():
        return call.run()
    outcome = Outcome(call.task.name, call.number)
    outcome.error = RuntimeError(
        f"task {call.task.name!r} has main_thread=True, and this run is not driven by the main thread. "
        "Run it in the foreground."
    )
    return outcome
