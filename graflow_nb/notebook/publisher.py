"""One thread that sends to the front end: at once after a pause, and never more than ten times a second."""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL: Final = 0.1
"""Seconds after a round that sent something. A server cuts off a kernel that sends thousands a second."""
GATHER: Final = 0.01
"""Seconds without a change after which those that came together go out together."""
MOST_GATHERED: Final = 5
"""How many times as long they are waited for, if they do not end."""
_log = logging.getLogger("graflow_nb")


class Publisher:
    """Does what it is given, and publishes after it; goes on while there is more to come, then its thread ends.

    Parameters
    ----------
    publish : callable
        Returns whether it sent something, and whether it wants to be called again without being asked.
    interval : float
        Seconds after a call that sent something, and between calls that were not asked for.
    """

    def __init__(self, publish: Callable[[], tuple[bool, bool]], interval: float = INTERVAL) -> None:
        self._publish = publish
        self._interval = interval
        self._jobs: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._due = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def poke(self) -> None:
        """Publish soon; returns at once, and costs nothing where that is already to be done."""
        if self._due.is_set():
            return
        with self._lock:
            self._due.set()
            if self._thread is None and not self._closed.is_set():
                # In the context of who asks: the front end wants to know which message this is an answer to.
                work = copy_context().run
                self._thread = threading.Thread(
                    target=work, args=(self._work,), name="graflow-publisher", daemon=True
                )
                self._thread.start()

    def do(self, job: Callable[[], None]) -> None:
        """Do something on the thread, then publish; returns at once."""
        self._jobs.append(job)
        self.poke()

    def close(self) -> None:
        """Publish nothing more; wait until what is being published is out."""
        self._closed.set()
        self._due.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _work(self) -> None:
        while not self._closed.is_set():
            self._due.clear()
            was_sent, goes_on = self._round()
            if was_sent:
                self._closed.wait(self._interval)
            elif goes_on and self._due.wait(self._interval):
                self._gather()
            with self._lock:
                if not goes_on and not self._due.is_set():
                    self._thread = None
                    return
        self._thread = None

    def _gather(self) -> None:
        for _ in range(MOST_GATHERED):
            self._due.clear()
            if self._closed.wait(GATHER) or not self._due.is_set():
                return

    def _round(self) -> tuple[bool, bool]:
        had_jobs = bool(self._jobs)
        try:
            while self._jobs:
                self._jobs.popleft()()
            was_sent, goes_on = self._publish()
        except Exception:
            _log.exception("the live widget could not be brought up to date")
            return True, False
        return was_sent or had_jobs, goes_on
