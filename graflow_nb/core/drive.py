"""The drivers of a run: on the calling thread, or on the caller's event loop. The same `Runner` under both."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from contextlib import contextmanager, suppress
from functools import partial
from operator import itemgetter
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, NamedTuple

from graflow_nb.core.backend import make_here
from graflow_nb.core.call import Call, Outcome
from graflow_nb.core.errors import TaskCancelled
from graflow_nb.core.inherit import close_inheritance, open_inheritance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from graflow_nb.core.backend import Backend
    from graflow_nb.core.runner import Runner

ASK: Final = 0.15
"""Seconds that a cancelled task has to stop by itself, before it is broken off."""
BREAK: Final = 0.8
"""Seconds after which a cancelled task that cannot be broken off is given up."""


WAKE: Final = 0.25
"""Seconds after which a waiting thread looks up. An interrupt that strikes just before it falls asleep does not
wake it (and on Windows none does): without this, such an interrupt would count only once some task has ended."""


class _Cancel(NamedTuple):
    """The message that cancels a run, or one of its tasks."""

    task: str | None = None


_CANCEL = _Cancel()
_Message = Outcome | Call | _Cancel


class Control:
    """Cancels a run step by step: ask, then break off, then give up."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._steps: list[tuple[float, Callable[[], None]]] = []
        self._is_here = False
        self._was_struck = False

    def interrupted(self, deliver: Callable[[_Message], None]) -> None:
        """Take an interrupt: in a task on this very thread it strikes, else it becomes a message."""
        if self._is_here:
            self._was_struck = True
            raise KeyboardInterrupt
        deliver(_CANCEL)

    def make_here(self, call: Call) -> Outcome:
        """Make a call on this thread; an interrupt breaks it off and cancels the run."""
        self._is_here = True
        try:
            outcome = make_here(call)
        finally:
            self._is_here = False
        if self._was_struck:
            self._was_struck = False
            outcome.error = TaskCancelled()
            self.cancel()
        return outcome

    def cancel(self) -> None:
        """Cancel; a second time, give up at once."""
        if self._runner.is_cancelled:
            self._runner.interrupt()
            self._runner.give_up()
            return
        self._runner.cancel()
        now = time.monotonic()
        self._steps = [(now + ASK, self._runner.interrupt), (now + BREAK, self._runner.give_up)]

    def cancel_task(self, name: str) -> None:
        """Cancel one task; all else goes on."""
        call = self._runner.cancel_task(name)
        if call is not None and not self._runner.is_cancelled:
            now = time.monotonic()
            self._steps += [
                (now + ASK, partial(self._runner.interrupt, call)),
                (now + BREAK, partial(self._runner.give_up, call)),
            ]
            self._steps.sort(key=itemgetter(0))

    def left(self) -> float | None:
        """Return the seconds until the next step, or None if there is none."""
        return max(0.0, self._steps[0][0] - time.monotonic()) if self._steps else None

    def step(self) -> None:
        """Do the step that is due."""
        if self._steps and not self.left():
            self._steps.pop(0)[1]()


def drive(runner: Runner, places: Mapping[str, Backend]) -> None:
    """Do a whole run on this thread.

    An interrupt (Ctrl-C, a kernel's stop button) cancels the run; `Run.was_cancelled` tells.
    """
    inbox: SimpleQueue[_Message] = SimpleQueue()
    control = Control(runner)
    with _interrupts(lambda: control.interrupted(inbox.put)), _opened(runner, places, inbox.put):
        while runner.is_active:
            try:
                left = control.left()
                messages = [inbox.get(timeout=WAKE if left is None else min(left, WAKE))]
                while not inbox.empty():
                    messages.append(inbox.get_nowait())
            except Empty:
                control.step()
            except KeyboardInterrupt:  # where the handler could not be replaced
                control.cancel()
            else:
                _dispatch(runner, control, messages)


async def adrive(runner: Runner, places: Mapping[str, Backend]) -> None:
    """Do a whole run on the running event loop; cancelling the awaiting task cancels the run."""
    loop = asyncio.get_running_loop()
    inbox: asyncio.Queue[_Message] = asyncio.Queue()
    control = Control(runner)
    was_cancelled: asyncio.CancelledError | None = None

    def deliver(message: _Message) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(inbox.put_nowait, message)

    with _opened(runner, places, deliver):
        while runner.is_active:
            try:
                async with asyncio.timeout(control.left()):  # `wait_for` can swallow a cancellation
                    message = await inbox.get()
            except TimeoutError:
                control.step()
            except asyncio.CancelledError as error:
                was_cancelled = error
                control.cancel()
            else:
                _dispatch(runner, control, [message])
    if was_cancelled is not None:
        raise was_cancelled


@contextmanager
def _opened(runner: Runner, places: Mapping[str, Backend], deliver: Callable[[_Message], None]) -> Iterator[None]:
    runner.run.canceller = lambda task: deliver(_Cancel(task))
    for backend in places.values():
        backend.open(deliver)
    open_inheritance()
    try:
        runner.start()
        yield
    finally:
        close_inheritance()
        for backend in places.values():
            backend.close()
        runner.finish()


def _dispatch(runner: Runner, control: Control, messages: list[_Message]) -> None:
    outcomes = []
    for message in messages:
        if isinstance(message, _Cancel):
            control.cancel() if message.task is None else control.cancel_task(message.task)
        else:
            outcomes.append(control.make_here(message) if isinstance(message, Call) else message)
    runner.handle(*outcomes)


@contextmanager
def _interrupts(cancel: Callable[[], None]) -> Iterator[None]:
    """Turn SIGINT into a message while a run is driven: it must not strike in the middle of its state."""
    on_main = threading.current_thread() is threading.main_thread()
    if not on_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: cancel())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
