"""The one interface between a run and the places where its calls happen."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from graflow_nb.core.call import Call, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Backend(Protocol):
    """A place where calls happen; made and opened for one run, and closed at its end.

    `Call.run` makes a call where it is. To make it in another process, send the `graflow_nb.core.job.Job` that
    `Sent(call).job()` returns, let `graflow_nb.core.job.make` make it there, and deliver what `Sent.taken` returns
    for the outcome that comes back (or `Sent.failed`, for an error).

    Large values may stay where they were made: a value of an outcome may be a `graflow_nb.core.away.Away`. A
    backend that has a method ``takes(away)`` is handed those of which it returns True as they are, among the
    arguments and wherever else the job holds them; it puts the values in their place where it makes the call.
    If one turns out to be lost, it lets go of that (`Away.let_go`), and delivers `Sent.failed(Withdrawn())`.

    Attributes
    ----------
    slots : int
        How many calls run at once. A run may hand it a few more, which wait.

    Examples
    --------
    One that makes each call at once, on the thread that drives the run; good for debugging:

    >>> from graflow_nb import register_backend, task, workflow
    >>> class AtOnce:
    ...     slots = 1
    ...     def __init__(self, workers=None): pass
    ...     def open(self, deliver): self.deliver = deliver
    ...     def submit(self, call): self.deliver(call.run())
    ...     def withdraw(self): return []
    ...     def interrupt(self, call=None): pass
    ...     def close(self): pass
    >>> register_backend("at once", AtOnce)
    >>> with workflow("example") as flow:
    ...     @task
    ...     def numbers(): return [1, 2, 3]
    ...     @task
    ...     def total(numbers): return sum(numbers)
    >>> flow.run(backend="at once").results["total"]
    6
    """

    @property
    def slots(self) -> int:
        """How many calls run at once."""

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


class Backends:
    """The backends of one run, by name, address or client. Each is made when it is first asked for.

    Parameters
    ----------
    make : callable
        Makes one, from its name, address or client.
    """

    def __init__(self, make: Callable[[Any], Backend]) -> None:
        self._make = make
        self._made: dict[Any, Backend] = {}
        self._deliver: Callable[[Any], Callable[[Outcome | Call], None]] | None = None

    def __getitem__(self, name: Any) -> Backend:
        backend = self._made.get(name)
        if backend is None:
            backend = self._made[name] = self._make(name)
            if self._deliver is not None:
                backend.open(self._deliver(name))
        return backend

    def open(self, deliver: Callable[[Any], Callable[[Outcome | Call], None]]) -> None:
        """Open those that there are, and from now on each that is made; `deliver` says where its outcomes go."""
        self._deliver = deliver
        for name, backend in self._made.items():
            backend.open(deliver(name))

    def take_notes(self) -> list[str]:
        """Return what should be told of them; a backend has a method `take_note` if there may be something."""
        taken = [take() for backend in self._made.values() if (take := getattr(backend, "take_note", None))]
        return [note for note in taken if note]

    def close(self) -> None:
        """Close all."""
        for backend in self._made.values():
            backend.close()


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
