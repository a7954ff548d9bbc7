"""The drivers of a run: on the calling thread, or on the caller's event loop. The same `Runner` under both."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from functools import partial
from operator import itemgetter
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from graflow_nb.core.asking import Ask
from graflow_nb.core.backend import make_here
from graflow_nb.core.call import Call, Outcome
from graflow_nb.core.errors import TaskCancelled
from graflow_nb.core.inherit import close_inheritance, open_inheritance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from graflow_nb.core.backend import Backends
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
_POSTING = ("loop", "here")  # backends whose threads have something else to do than to handle outcomes
_Message = Outcome | _Cancel | Ask


class Control:
    """Cancels a run step by step: ask, then break off, then give up."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._steps: list[tuple[float, Callable[[], None]]] = []

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
        """Return the seconds until something is due, or None if nothing will be."""
        own = max(0.0, self._steps[0][0] - time.monotonic()) if self._steps else None
        other = self._runner.left()
        return own if other is None else other if own is None else min(own, other)

    def step(self) -> None:
        """Do what is due, if something is."""
        if self._steps and self._steps[0][0] <= time.monotonic():
            self._steps.pop(0)[1]()
        if self._runner.left() == 0:
            self._runner.tick()

    def handle(self, messages: Iterable[_Message]) -> None:
        """Let the runner handle outcomes, after cancelling if that was asked for."""
        outcomes = []
        for message in messages:
            if isinstance(message, Outcome):
                outcomes.append(message)
            elif isinstance(message, Ask):
                self._runner.ask(message)
            elif message.task is None:
                self.cancel()
            else:
                self.cancel_task(message.task)
        self._runner.handle(outcomes)


class _Driver:
    """Drives a run; whichever thread brings an outcome handles it, one at a time.

    A thread that handed its outcome to another, and waited to be handed the next call, would cost two
    switches of threads a task: more than all the rest of a short task in a chain.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self._control = Control(runner)
        self._turn = threading.Lock()  # held by the thread that handles; tasks are broken off under it, too
        self._inbox: deque[_Message] = deque()
        self._bell: SimpleQueue[Call | None] = SimpleQueue()  # wakes the thread in `drive`
        self._variables = contextvars.copy_context()
        self._error: BaseException | None = None
        self._is_over = False
        self._is_here = False
        self._was_struck = False

    def drive(self) -> None:
        """Wait on this thread until the run is over, and make the calls that must be made on it."""
        with self._turn:
            self.runner.start()
        while self._look_up():
            left = self._control.left()
            try:
                call = self._bell.get(timeout=WAKE if left is None else min(left, WAKE))
            except Empty:
                continue
            except KeyboardInterrupt:  # where the handler could not be replaced
                self._inbox.append(_CANCEL)
            else:
                if call is not None:
                    self._make_here(call)

    def close(self) -> None:
        """Let what comes too late go."""
        with self._turn:
            self._is_over = True

    def post(self, message: _Message | Call) -> None:
        """Leave a message to the thread in `drive`."""
        if isinstance(message, Call):
            self._bell.put(message)
        else:
            self._inbox.append(message)
            self._bell.put(None)

    def bring(self, outcome: Outcome | Call) -> None:
        """Handle an outcome on this thread, unless another one is at it: that one handles this too."""
        assert isinstance(outcome, Outcome)
        self._inbox.append(outcome)
        while self._inbox and not self._is_over and self._turn.acquire(blocking=False):
            try:
                self._variables.run(self._handle)
            except BaseException as error:
                self._error = error
            finally:
                self._turn.release()
            if self._error is not None or not self.runner.is_active or self.runner.left() is not None:
                self._bell.put(None)  # it sleeps until what it knew to be due

    def interrupted(self) -> None:
        """Take an interrupt: in a task on this very thread it strikes, else it becomes a message."""
        if self._is_here:
            self._was_struck = True
            raise KeyboardInterrupt
        self.post(_CANCEL)

    def _look_up(self) -> bool:
        """Handle what has come, and do what is due; return whether the run goes on."""
        with self._turn:
            if self._error is not None:
                raise self._error
            self._handle()
            self._control.step()
            return self.runner.is_active

    def _handle(self) -> None:
        while self._inbox and not self._is_over:
            messages = [self._inbox.popleft() for _ in range(len(self._inbox))]
            self._control.handle(messages)

    def _make_here(self, call: Call) -> None:
        """Make a call on this thread; an interrupt breaks it off and cancels the run."""
        self._is_here = True
        try:
            with self._kept_going():
                outcome = make_here(call)
        finally:
            self._is_here = False
        if self._was_struck:
            self._was_struck = False
            outcome.error = TaskCancelled()
            self._inbox.append(_CANCEL)
        self._inbox.append(outcome)

    @contextmanager
    def _kept_going(self) -> Iterator[None]:
        """Let another thread do what is due while this one is in a call."""
        over = threading.Event()

        def keep_going() -> None:
            while not over.wait(WAKE if (left := self._control.left()) is None else min(left, WAKE)):
                with self._turn:
                    if not self._is_over and self._error is None:
                        self._variables.run(self._step)

        beside = threading.Thread(target=keep_going, name="graflow-beside", daemon=True)
        beside.start()
        try:
            yield
        finally:
            over.set()
            beside.join()

    def _step(self) -> None:
        try:
            self._handle()
            self._control.step()
        except BaseException as error:
            self._error = error


def drive(runner: Runner, backends: Backends) -> None:
    """Do a whole run, and return when it is over.

    An interrupt (Ctrl-C, a kernel's stop button) cancels the run; `Run.was_cancelled` tells.
    """
    driver = _Driver(runner)
    _connect(runner, driver.post)
    with _interrupts(driver.interrupted), _opened(runner, backends):
        backends.open(lambda name: driver.post if name in _POSTING else driver.bring)
        runner.run.notes += backends.take_notes()
        try:
            driver.drive()
        finally:
            driver.close()


async def adrive(runner: Runner, backends: Backends) -> None:
    """Do a whole run on the running event loop; cancelling the awaiting task cancels the run."""
    loop = asyncio.get_running_loop()
    inbox: asyncio.Queue[_Message | Call] = asyncio.Queue()
    control = Control(runner)
    was_cancelled: asyncio.CancelledError | None = None

    def deliver(message: _Message | Call) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(inbox.put_nowait, message)

    _connect(runner, deliver)
    with _opened(runner, backends):
        backends.open(lambda _: deliver)
        runner.run.notes += backends.take_notes()
        runner.start()
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
                control.handle([make_here(message) if isinstance(message, Call) else message])
    if was_cancelled is not None:
        raise was_cancelled


def _connect(runner: Runner, post: Callable[[Any], None]) -> None:
    """Let the run, and what runs in it, send messages to the driver."""
    run = runner.run
    assert run.surroundings is not None
    run.canceller = run.surroundings.cancel = lambda task: post(_Cancel(task))
    run.surroundings.post = post


@contextmanager
def _opened(runner: Runner, backends: Backends) -> Iterator[None]:
    open_inheritance()
    try:
        yield
    finally:
        close_inheritance()
        backends.close()
        if runner.run.begun.is_set():
            runner.finish()
        else:  # a backend could not be opened
            runner.abandon()


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
