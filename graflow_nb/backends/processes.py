"""Calls in processes of their own: for tasks that keep Python itself busy, and for code that may crash."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from graflow_nb.backends.home import HomeEnd, lost, packed_job
from graflow_nb.backends.mirror import changes, current, current_slow, is_outgrown
from graflow_nb.backends.numeric import cores_of_this_process
from graflow_nb.backends.packing import pack
from graflow_nb.backends.pool import check_installed, pool
from graflow_nb.backends.threads import ThreadBackend
from graflow_nb.backends.worker import JOB, MIRROR
from graflow_nb.core.errors import TaskCancelled, WorkerLostError
from graflow_nb.core.job import Sent

if TYPE_CHECKING:
    from graflow_nb.backends.pool import WorkerProcess
    from graflow_nb.core.call import Call, Outcome

_TRIES: Final = 3
"""How often a call is sent to another process because the one before was gone before it had it."""


class ProcessBackend(ThreadBackend):
    """Threads that each have a process make their calls, and wait for it.

    The process asks and tells through the thread while it makes a call. A call is broken off by ending its
    process; a process that is killed costs its own call only.

    Parameters
    ----------
    workers : int, optional
        How many processes at most; by default one a core.

    Raises
    ------
    ValueError
        If that is less than one.
    UnknownBackendError
        If loky or cloudpickle is not installed.
    """

    def __init__(self, workers: int | None = None) -> None:
        check_installed()
        super().__init__(cores_of_this_process() if workers is None else workers)
        self._at_work: dict[int, WorkerProcess] = {}  # by the numbers of the calls
        self._struck: set[int] = set()
        self._slow: dict[str, Any] | None = None

    def interrupt(self, call: Call | None = None) -> None:
        """End the process that makes a call, or all that make some."""
        with self._striking:
            for busy in list(self._busy.values()):
                if busy is not None and call in {None, busy}:
                    self._struck.add(busy.number)
                    if (worker := self._at_work.get(busy.number)) is not None:
                        worker.kill()

    def _enter(self, ident: int) -> None:
        """Share no cores here: the processes do."""

    def _leave(self, ident: int) -> None:
        """Give no cores back."""

    def _made(self, call: Call, ident: int) -> Outcome:
        self._busy[ident] = call
        sent = Sent(call)
        try:
            outcome = self._make_away(sent)
        except BaseException as error:
            outcome = sent.failed(error)
        self._busy[ident] = None
        with self._striking:
            self._struck.discard(call.number)
        outcome.worker = threading.current_thread().name
        return outcome

    def _make_away(self, sent: Sent) -> Outcome:
        packed = packed_job(sent.job())
        for _ in range(_TRIES):
            worker = self._worker(sent)
            try:
                self._begin(sent.call, worker)
                worker.link.send(JOB, packed)
            except OSError:  # it was gone before it had the call
                self._end(sent.call, worker, is_lost=True)
            except BaseException:
                self._end(sent.call, worker, is_lost=False)
                raise
            else:
                return self._wait_for(sent, worker)
        raise WorkerLostError(f"no process could be started for task {sent.call.task.name!r}")

    def _wait_for(self, sent: Sent, worker: WorkerProcess) -> Outcome:
        """Return the outcome that a process sends, which has the call."""
        end, is_lost, outcome = HomeEnd(sent), True, None
        sent.call.context.begun = time.perf_counter()
        try:
            while outcome is None:
                outcome = end.take(*worker.link.receive(), worker.link.send)
            is_lost = False
        except (EOFError, OSError):
            raise self._lost(sent.call, worker) from None
        finally:
            end.close()
            self._end(sent.call, worker, is_lost=is_lost)
        return outcome

    def _begin(self, call: Call, worker: WorkerProcess) -> None:
        with self._striking:
            if call.number in self._struck or call.context.is_stopped:
                raise TaskCancelled
            self._at_work[call.number] = worker

    def _end(self, call: Call, worker: WorkerProcess, *, is_lost: bool) -> None:
        with self._striking:
            self._at_work.pop(call.number, None)
            is_struck = call.number in self._struck
        if is_struck or is_lost:
            pool.drop(worker)
        else:
            pool.give_back(worker)

    def _worker(self, sent: Sent) -> WorkerProcess:
        """Return a process that knows what this one is like."""
        if self._slow is None:
            self._slow = sent.inside(current_slow)
        now = current(self._slow)
        now["share"] = max(1, cores_of_this_process() // self.slots)
        while True:
            worker = pool.take()
            if is_outgrown(worker.known, now):
                pool.drop(worker)
                continue
            try:
                if found := changes(worker.known, now):
                    worker.link.send(MIRROR, pack(found))
            except OSError:
                pool.drop(worker)
                continue
            return worker

    def _lost(self, call: Call, worker: WorkerProcess) -> BaseException:
        if call.number in self._struck:
            return TaskCancelled()
        return lost(call.task.name, worker.how_it_ended())
