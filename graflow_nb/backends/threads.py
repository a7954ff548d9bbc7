"""Calls on threads of one's own process, one pool a run."""

from __future__ import annotations

import ctypes
import os
import threading
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from graflow_nb.backends.crew import crew
from graflow_nb.backends.numeric import numeric_threads
from graflow_nb.core.call import Outcome
from graflow_nb.core.errors import TaskCancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graflow_nb.core.call import Call

LATE: Final = 0.002
"""Seconds that a call waits for the threads there are, before another one is started for it."""


def default_workers() -> int:
    """Return Python's own default for a thread pool: ``min(32, cores + 4)``."""
    return min(32, (os.cpu_count() or 1) + 4)


class ThreadBackend:
    """Daemon threads fed by a queue, from those of the process that wait for work (`graflow_nb.backends.crew`).

    Not a `concurrent.futures.ThreadPoolExecutor`: that one waits for its threads when it is left and when
    Python ends, so an interrupted run would hang in a task's sleep, and it does not say which thread
    makes a call, so nothing could be broken off. It also costs three times as much a call.

    Threads start late, all but the first: when a call has waited for the others. So calls that are shorter
    than the start of a thread are made by one, and no threads contend for the interpreter over them.

    Parameters
    ----------
    workers : int, optional
        How many threads at most.

    Raises
    ------
    ValueError
        If that is less than one.
    """

    def __init__(self, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"a run needs at least one worker, not workers={workers}")
        self.slots = default_workers() if workers is None else workers
        self._calls: deque[Call] = deque()
        self._bell: SimpleQueue[bool] = SimpleQueue()
        self._is_ringing = False
        self._submitted = 0
        self._threads = 0
        self._starting = threading.Lock()
        self._is_closed = False
        self._has_tender = False
        self._alarm: SimpleQueue[bool] = SimpleQueue()  # wakes it
        self._is_tended = False
        self._busy: dict[int, Call | None] = {}
        self._striking = threading.Lock()
        self._driver = 0
        self._deliver: Callable[[Outcome], None] = lambda _: None

    def open(self, deliver: Callable[[Outcome], None]) -> None:
        """Take the function that each outcome goes to; the thread that opens it drives the run."""
        self._deliver = deliver
        self._driver = threading.get_ident()
        numeric_threads.begin()

    def submit(self, call: Call) -> None:
        """Queue a call, for a thread that is idle or, if it waits for long, a new one."""
        self._submitted += 1
        self._calls.append(call)
        is_own = threading.get_ident() in self._busy  # it is between two calls, and takes the next itself
        if not self._threads:
            self._start_one()
        elif not self._is_tended and len(self._calls) > is_own and self._threads < self.slots:
            self._have_tended()
        if len(self._calls) > is_own:
            self._ring()

    def withdraw(self) -> Sequence[Call]:
        """Give back the calls that no thread has taken."""
        calls = []
        with suppress(IndexError):  # a thread may be taking the last one right now
            while True:
                calls.append(self._calls.popleft())
        return calls

    def interrupt(self, call: Call | None = None) -> None:
        """Raise `TaskCancelled` in the thread that makes a call, or in all; a C call has to return first."""
        for ident in list(self._busy):
            with self._striking:  # so that it is still in that call when it is struck
                busy = self._busy.get(ident)
                if busy is not None and call in {None, busy}:
                    raise_in_thread(ident, TaskCancelled)

    def replace(self, call: Call) -> None:  # noqa: ARG002 - whichever it is
        """Start a thread beside one that is stuck."""
        self._start_one()
        self._bell.put(True)  # it may be that all others are stuck, and calls wait

    def close(self) -> None:
        """Let idle threads end, and busy ones after their call."""
        self._calls.clear()
        self._alarm.put(False)
        with self._starting:
            self._is_closed = True
            for _ in range(self._threads):
                self._bell.put(False)

    def _start_one(self) -> None:
        with self._starting:  # so that `close` tells every thread
            if not self._is_closed:
                self._threads += 1
                crew.have(self._work, f"graflow-{self._threads}")

    def _have_tended(self) -> None:
        """See that somebody looks whether a call still waits that waits now."""
        self._is_tended = True
        if not self._has_tender:
            self._has_tender = True
            crew.have(self._tend, "graflow-tender")
        self._alarm.put(True)

    def _tend(self) -> None:
        """Start a thread for each call that has waited for long, as long as there may be more threads.

        A thread of its own does this: any other may be in a long call, or in a long look at what one made.
        """
        while self._threads < self.slots and self._alarm.get():
            while True:
                submitted = self._submitted
                try:
                    if not self._alarm.get(timeout=LATE):
                        return
                except Empty:
                    late = submitted - self._submitted + len(self._calls)
                    for _ in range(min(late, self.slots - self._threads)):
                        self._start_one()
                self._is_tended = False  # before looking, so that what comes now raises the alarm again
                if not self._calls or self._threads >= self.slots:
                    break
                self._is_tended = True

    def _ring(self) -> None:
        """Wake one thread. It wakes the next if there is more to do: waking all costs more than short calls."""
        if not self._is_ringing:
            self._is_ringing = True
            self._bell.put(True)

    def _work(self) -> None:
        ident = threading.get_ident()
        with suppress(TaskCancelled):  # struck between two calls: the run is over
            while self._bell.get():
                self._busy[ident] = None  # before taking a call: who looks idle is counted on for the next
                self._is_ringing = False  # before looking, so that what comes now rings again
                while self._calls:
                    self._make_next(ident)
                self._leave(ident)
                self._busy.pop(ident)
        self._leave(ident)
        self._busy.pop(ident, None)

    def _make_next(self, ident: int) -> None:
        try:
            call = self._calls.popleft()
        except IndexError:  # another thread was faster
            return
        if self._calls:
            self._ring()
        self._enter(ident)
        outcome = self._made(call, ident)
        if not self._calls:
            self._leave(ident)  # first: whoever hears of the outcome finds the numbers as they were
        self._deliver(outcome)

    def _enter(self, ident: int) -> None:
        numeric_threads.enter(ident, self._driver)

    def _leave(self, ident: int) -> None:
        numeric_threads.leave(ident)

    def _made(self, call: Call, ident: int) -> Outcome:
        """Make a call; who strikes late strikes here, and no other call."""
        outcome: Outcome | None = None
        self._busy[ident] = call
        while self._busy[ident] is not None:
            try:
                outcome = outcome or call.run()
                with self._striking:
                    self._busy[ident] = None
            except TaskCancelled as error:  # just before the call, or when it was over
                outcome = outcome or _struck(call, error)
        with suppress(TaskCancelled):
            for _ in range(2):  # a strike that came with the last turn of the lock falls here
                pass
        return outcome or _struck(call, TaskCancelled())


def _struck(call: Call, error: TaskCancelled) -> Outcome:
    outcome = Outcome(call.task.name, call.number)
    outcome.error = error
    return outcome


def raise_in_thread(ident: int, error: type[BaseException]) -> None:
    """Raise an error in another thread, at its next Python instruction.

    Parameters
    ----------
    ident : int
        As `threading.get_ident` gives it.
    error : type of BaseException
    """
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(error))
