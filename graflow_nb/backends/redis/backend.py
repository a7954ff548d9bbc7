"""The backend of a run whose calls are made by workers of RQ."""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from graflow_nb.backends.home import lost
from graflow_nb.backends.redis.address import PATIENCE, Address
from graflow_nb.backends.redis.keeper import Keeper
from graflow_nb.backends.redis.office import Office
from graflow_nb.backends.redis.out import Out
from graflow_nb.backends.redis.parcels import Parcels
from graflow_nb.backends.redis.seal import BEGIN, LOST, REFUSED, RefusedError, Seal
from graflow_nb.backends.redis.shared import SharedFolder
from graflow_nb.backends.there import ASK
from graflow_nb.core.errors import BackendError, TaskCancelled, UnsendableError, describe
from graflow_nb.incremental.store.signing import user_signer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graflow_nb.backends.packing import Packed
    from graflow_nb.backends.redis.seal import Message
    from graflow_nb.core.call import Call, Outcome

_log = logging.getLogger("graflow_nb")
_AHEAD = 2
"""How many calls a worker are handed out, so that none waits for this process between two of them."""
_LEAVE = 2.0
"""Seconds that this process takes at its end to leave nothing behind."""


class RedisBackend:
    """Queues calls for workers of RQ, answers what they ask, and takes what comes of them.

    Three threads do that, whatever the number of calls: one sends, one receives, one looks who is still alive.

    Parameters
    ----------
    workers : int, optional
        How many calls are out at once; by default two a worker.
    where : str, optional
        A URL, as `Address` takes it.

    Raises
    ------
    ValueError
        If that is less than one worker.
    BackendError, UnknownBackendError
        If the URL is none, or something is not installed.
    """

    def __init__(self, workers: int | None = None, where: str | None = None) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"a run needs at least one worker, not workers={workers}")
        self.address = Address(where)
        self._asked_for = workers
        self.workers = 0
        self.slots = workers or _AHEAD
        self.run = uuid4().hex
        self._signer = user_signer()
        self.office = Office(self.address, self._signer, self.run)
        self._shared = SharedFolder(self.address.shared, self.run)
        self._deliver: Callable[[Outcome], None] = lambda _: None
        self._orders: deque[Callable[[], None] | Call] = deque()
        self._bell = threading.Condition()
        self._sending = threading.RLock()  # while calls are on their way to the queue
        self._lock = threading.Lock()
        self._out: dict[str, Out] = {}
        self._news: deque[tuple[str | None, BaseException]] = deque()
        self._parcels = Parcels(self._signer, self.run, self._shared)
        self._broken: str | None = None
        self.closed = threading.Event()
        self._sender: threading.Thread | None = None
        self._working = 0

    def open(self, deliver: Callable[[Outcome], None]) -> None:
        """Take the function that each outcome goes to; see that there are workers, and that they fit."""
        self._deliver = deliver
        self.saw(self.office.prepare())
        keeper = Keeper(self)
        for name, do in (("out", self._send), ("in", self._receive), ("keeper", keeper.keep)):
            thread = threading.Thread(target=self._work, args=(do,), name=f"graflow-redis-{name}", daemon=True)
            self._working += 1
            self._sender = self._sender or thread
            thread.start()
        _open.add(self)

    def submit(self, call: Call) -> None:
        """Queue a call."""
        self._order(call)

    def withdraw(self) -> Sequence[Call]:
        """Take back the calls that no worker has taken."""
        with self._sending:
            with self._bell:
                calls = [order for order in self._orders if not callable(order)]
                self._orders = deque(order for order in self._orders if callable(order))
            for out in self._taken_back([out for out in self.out() if not out.has_begun]):
                out.sent.failed(TaskCancelled())  # what was prepared for it is put away
                calls.append(out.call)
        return calls

    def interrupt(self, call: Call | None = None) -> None:
        """Have the process of a call ended, or of all."""
        self._order(lambda: self._strike(call))

    def replace(self, call: Call) -> None:
        """Wait no longer for a call; its process ends itself."""
        self._order(lambda: self._give_up(call))

    def close(self) -> None:
        """Let everything go, without waiting for it."""
        _open.discard(self)
        self._order(self._leave)

    def join(self, seconds: float) -> None:
        """Wait until everything is let go."""
        if self._sender is not None:
            self._sender.join(seconds)

    def saw(self, workers: int) -> None:
        """Take how many workers there are now."""
        self.workers = workers
        self.slots = self._asked_for or _AHEAD * max(1, workers)

    def out(self) -> list[Out]:
        """Return the calls that are out."""
        with self._lock:
            return list(self._out.values())

    def hear(self, job: str | None, error: BaseException) -> None:
        """Take the news that a call, or all for None, came to this end."""
        self._news.append((job, error))

    def _work(self, do: Callable[[], None]) -> None:
        """Work on a thread; the last one closes the connections: nobody is in the middle of anything then."""
        try:
            do()
        finally:
            with self._lock:
                self._working -= 1
                is_last = not self._working
            if is_last:
                self.office.disconnect()

    # ---- sending

    def _order(self, order: Callable[[], None] | Call) -> None:
        with self._bell:
            self._orders.append(order)
            self._bell.notify()

    def _send(self) -> None:
        while not self.closed.is_set():
            with self._bell:
                while not self._orders:
                    self._bell.wait()
            with self._sending:
                self._send_next()

    def _send_next(self) -> None:
        """Send the calls that wait, all at once, or do what is to be done next."""
        calls: list[Call] = []
        order: Callable[[], None] | None = None
        with self._bell:
            while self._orders and order is None:
                first = self._orders.popleft()
                if callable(first):
                    order = first
                else:
                    calls.append(first)
        if calls:
            self._send_all(calls)
        if order is not None:
            try:
                order()
            except Exception as error:
                _log.debug("%s: %s", self.address, self.address.scrub(describe(error)))

    def _send_all(self, calls: Sequence[Call]) -> None:
        """Queue calls; one that cannot be sent fails."""
        outs: list[Out] = []
        jobs: list[tuple[str, str, bytes, str]] = []
        mirrors: dict[str, bytes] = {}
        for call in calls:
            out = Out(call)
            out.seal = Seal(self._signer, self.run, out.job)
            with self._lock:
                self._out[out.job] = out
            try:
                if self._broken is not None:
                    raise BackendError(self._broken)  # noqa: TRY301 - it fails as others do
                if call.context.is_stopped:
                    raise TaskCancelled  # noqa: TRY301 - as above
                body, mirror = self._parcels.make(out, mirrors)
            except BaseException as error:
                self._fail(out, error)
            else:
                jobs.append((out.job, f"task {call.task.name!r}", body, mirror))
                outs.append(out)
        if not jobs:
            return
        try:
            self.office.enqueue(jobs, mirrors)
            self._parcels.were_sent(mirrors)
        except Exception as error:
            for out in outs:
                self._fail(out, self.address.trouble(error))

    def _taken_back(self, outs: Sequence[Out]) -> list[Out]:
        """Return those of these calls that no worker has taken; none will, and they are out no longer."""
        try:
            free = self.office.take_back([out.job for out in outs])
        except Exception as error:  # the Redis is gone: that is noticed elsewhere
            _log.debug("%s: %s", self.address, self.address.scrub(describe(error)))
            return []
        with self._lock:
            return [out for job in free if (out := self._out.pop(job, None)) is not None]

    def _strike(self, call: Call | None) -> None:
        outs = [out for out in self.out() if call in {None, out.call}]
        for out in outs:
            out.is_struck = True  # before it is seen whether it has begun: who sees that looks at this
        for out in self._taken_back([out for out in outs if not out.has_begun]):
            self._deliver(out.sent.failed(TaskCancelled()))
        for out in outs:
            if out.has_begun:
                self.office.stop(out.job, out.worker)

    def _give_up(self, call: Call) -> None:
        for out in self.out():
            if out.call is call:
                with self._lock:
                    self._out.pop(out.job, None)
                self.office.revoke(out.job)

    def _leave(self) -> None:
        """Have what still runs ended, and leave nothing in the Redis."""
        self.closed.set()
        outs = self.out()
        with suppress(Exception):
            for out in outs:
                if out.has_begun:
                    self.office.stop(out.job, out.worker)
            self.office.close([out.job for out in outs])
        self._shared.remove()

    # ---- receiving

    def _receive(self) -> None:
        from redis.exceptions import RedisError

        first = None
        while not self.closed.is_set() and self._broken is None:
            messages: list[tuple[str, bytes]] = []
            try:
                messages = self.office.read()
                first = None
            except (RedisError, OSError) as error:
                now = time.monotonic()
                first = now if first is None or self.office.answers() else first
                if now - first >= PATIENCE:
                    self.hear(None, self.address.trouble(error))
                self.closed.wait(0.2)
            for job, data in messages:
                self._take(job, data)
            self._take_news()

    def _take(self, job: str, data: bytes) -> None:
        """Take a message of a job; one that is not what it should be is left alone."""
        from redis.exceptions import RedisError

        with self._lock:
            out = self._out.get(job)
        if out is None:
            return
        try:
            message = out.seal.open(data)
        except RefusedError as error:
            _log.warning("a message for task %r was refused: %s", out.call.task.name, error)
            return
        if message.kind != LOST:
            if message.number <= out.last:  # it came twice
                return
            if message.number > out.last + 1:
                self._fail(out, lost(out.call.task.name, "some of what it sent is missing"))
                return
            out.last = message.number
        try:
            self._obey(out, message)
        except RedisError as error:
            self._fail(out, self.address.trouble(error))
        except Exception as error:
            self._fail(out, error)

    def _obey(self, out: Out, message: Message) -> None:
        head, name = message.head, out.call.task.name
        if message.kind == BEGIN:
            out.call.context.begun = time.perf_counter()
            out.worker, out.place, out.beat_at = head["worker"], head["place"], time.monotonic()
            if out.is_struck:
                self.office.stop(out.job, out.worker)
        elif message.kind == LOST:
            how = f"{head['how']}, on {out.place}"
            self._fail(out, TaskCancelled() if out.is_struck else lost(name, how))
        elif message.kind == REFUSED:
            self._fail(out, UnsendableError(f"worker {head['place']} refused task {name!r}: {head['why']}"))
        else:
            stream, buffers = self._shared.get(head) if "file" in head else (message.stream, message.buffers)
            out.has_asked |= message.kind == ASK
            outcome = out.end.take(message.kind, stream, buffers, partial(self._reply, out, message.number))
            if outcome is not None:
                self._finish(out, outcome)

    def _reply(self, out: Out, number: int, kind: bytes, packed: Packed) -> None:
        head, packed = self._shared.put(packed)
        self.office.answer(out.job, out.seal.close(kind, number, head, packed))

    def _take_news(self) -> None:
        while self._news:
            job, error = self._news.popleft()
            if job is None:
                self._broken = f"{error}. What had finished is kept: the next run carries on from there"
            for out in self.out():
                if job is None:
                    self._fail(out, BackendError(self._broken))
                elif out.job == job:
                    self._fail(out, error)

    # ---- ends

    def _fail(self, out: Out, error: BaseException) -> None:
        self._finish(out, None, error)

    def _finish(self, out: Out, outcome: Outcome | None, error: BaseException | None = None) -> None:
        """Deliver what came of a call, unless somebody has done so."""
        with self._lock:
            if self._out.pop(out.job, None) is None:
                return
        out.end.close()
        if outcome is None:
            assert error is not None
            outcome = out.sent.failed(error)
        outcome.worker = out.place or "redis"
        if out.has_asked:
            with suppress(Exception):
                self.office.forget(out.job)
        self._deliver(outcome)


_open: weakref.WeakSet[RedisBackend] = weakref.WeakSet()
"""Those of runs that go on."""


def _leave_all() -> None:
    backends = list(_open)
    for backend in backends:
        backend.close()
    for backend in backends:
        backend.join(_LEAVE)


atexit.register(_leave_all)
