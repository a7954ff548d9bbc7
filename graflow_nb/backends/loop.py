"""Coroutine tasks on an event loop: the caller's, or one thread of our own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from graflow_nb.core.call import Outcome
from graflow_nb.core.errors import TaskCancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graflow_nb.core.call import Call


class LoopBackend:
    """An event loop that awaits coroutine tasks.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop, optional
        A loop that runs already; by default one thread with a loop of its own, started by the first call.
    """

    slots = 1_000

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop
        self._owns_loop = loop is None
        self._tasks: dict[asyncio.Task[Outcome], Call] = {}
        self._deliver: Callable[[Outcome], None] = lambda _: None

    def open(self, deliver: Callable[[Outcome], None]) -> None:
        """Take the function that each outcome goes to."""
        self._deliver = deliver

    def submit(self, call: Call) -> None:
        """Start awaiting a call's coroutine."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._serve, args=(self._loop,), name="graflow-loop", daemon=True).start()
        self._loop.call_soon_threadsafe(self._begin, call)

    def withdraw(self) -> Sequence[Call]:
        """Give back nothing: a coroutine begins at once."""
        return ()

    def interrupt(self, call: Call | None = None) -> None:
        """Cancel every coroutine that has not ended, or that of one call."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cancel, call)

    def replace(self, call: Call) -> None:
        """Do nothing: as long as it holds the loop up, nothing else goes on there."""

    def close(self) -> None:
        """Cancel what is left, and end the thread if it is ours."""
        if self._loop is not None and self._owns_loop:
            self._loop.call_soon_threadsafe(self._loop.stop)

    def _begin(self, call: Call) -> None:
        assert self._loop is not None
        task = self._loop.create_task(call.arun(), context=call.variables)
        self._tasks[task] = call
        task.add_done_callback(lambda task: self._end(call, task))

    def _end(self, call: Call, task: asyncio.Task[Outcome]) -> None:
        del self._tasks[task]
        if not task.cancelled():
            self._deliver(task.result())
            return
        outcome = Outcome(call.task.name, call.number)  # it was cancelled before it began
        outcome.error = TaskCancelled()
        self._deliver(outcome)

    def _cancel(self, only: Call | None = None) -> None:
        for task, call in self._tasks.items():
            if only is None or call is only:
                task.cancel()

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()
        self._cancel()
        loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
