"""Warm worker processes: started when they are needed, kept for the next run, closed when long idle."""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Pipe  # this also sees to it that our end comes before its own
from typing import Any, Final

from graflow_nb.backends.link import Link
from graflow_nb.backends.worker import serve
from graflow_nb.core.errors import UnknownBackendError

IDLE: Final = 300.0
"""Seconds after which an idle process is closed."""
_FIRST = 60.0
"""Seconds that a new process has until it is ready."""


class WorkerProcess:
    """A process that makes calls, as its parent has it.

    loky starts it: not by a fork, which copies locks that other threads hold, and without running the main script
    again. Its pool is not used, because it lets go of all its processes when one of them is killed.

    Attributes
    ----------
    link : Link
    pid : int
    known : dict
        What it has taken over from this process.
    """

    def __init__(self) -> None:
        from loky.backend import get_context

        here, there = Pipe(duplex=True)
        watched, self._watch = Pipe(duplex=False)
        self._process: Any = get_context("loky").Process(
            target=serve, args=(there, watched), name="graflow-worker"
        )
        self._process.start()
        there.close()
        watched.close()
        self.pid: int = self._process.pid
        self.link = Link(here)
        self.known: dict[str, Any] = {}
        self.idle_since = time.monotonic()
        if not here.poll(_FIRST):
            self.kill()
        self.link.receive()

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return bool(self._process.is_alive())

    def kill(self) -> None:
        """End it, and what was started in it, at once."""
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def how_it_ended(self) -> str:
        """Return in words how it ended, which it has or is about to."""
        self._process.join(1.0)  # multiprocessing allows only one thread at a time to ask
        code = self._process.exitcode
        if code is None or code >= 0:
            return f"exit code {code}"
        with suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
        return f"killed by signal {-code}"

    def close(self) -> None:
        """Let it end, which it does when nobody is there any more."""
        self.link.close()
        self._watch.close()


class Pool:
    """The processes of this one."""

    def __init__(self) -> None:
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        self._lock = threading.Lock()
        self._is_looked_after = False

    def take(self) -> WorkerProcess:
        """Return a process that is ready: the one that was used last, or a new one."""
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            worker = worker or WorkerProcess()
            if worker.is_alive:
                self._busy.add(worker)
                return worker
            worker.close()

    def give_back(self, worker: WorkerProcess) -> None:
        """Keep a process that has nothing to do."""
        worker.idle_since = time.monotonic()
        with self._lock:
            self._busy.discard(worker)
            self._idle.append(worker)
            if not self._is_looked_after:
                self._is_looked_after = True
                threading.Thread(target=self._look_after, name="graflow-pool", daemon=True).start()

    def drop(self, worker: WorkerProcess) -> None:
        """End a process that was taken."""
        self._busy.discard(worker)
        worker.kill()
        worker.close()

    def end(self) -> None:
        """End all, those that are busy as well."""
        for worker in list(self._busy):
            self.drop(worker)
        self.close()

    def close(self, idle: float = 0.0) -> None:
        """Close the processes that have been idle for so many seconds."""
        now = time.monotonic()
        with self._lock:
            old = [worker for worker in self._idle if now - worker.idle_since >= idle]
            self._idle = [worker for worker in self._idle if worker not in old]
        for worker in old:
            worker.close()

    def forget(self) -> None:
        """In a forked process: these are the parent's."""
        self._lock = threading.Lock()
        self._idle, self._busy, self._is_looked_after = [], set(), False

    def _look_after(self) -> None:
        while True:
            time.sleep(IDLE / 10)
            self.close(IDLE)


pool = Pool()
"""That of this process."""
atexit.register(pool.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.forget)


def check_installed() -> None:
    """Raise if what the processes need is not there.

    Raises
    ------
    UnknownBackendError
    """
    try:
        import cloudpickle  # noqa: F401
        import loky  # noqa: F401
    except ImportError as error:
        raise UnknownBackendError(
            f'backend="processes" needs {error.name}, which is not installed: pip install graflow-nb[processes]'
        ) from None
