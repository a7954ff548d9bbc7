"""One thread that sends to the front end, and never more than ten times a second."""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL: Final = 0.1
"""Seconds between two rounds. A server cuts off a kernel that sends a thousand messages a second."""
_log = logging.getLogger("graflow_nb")


class Publisher:
    """Does what it is given, and publishes after it; goes on while there is more to come, then its thread ends.

    Parameters
    ----------
    publish : callable
        Returns whether it wants to be called again without being asked.
    interval : float
        Seconds between two calls.
    """

    def __init__(self, publish: Callable[[], bool], interval: float = INTERVAL) -> None:
        self._publish = publish
        self._interval = interval
        self._jobs: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._is_due = False
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def poke(self) -> None:
        """Publish soon; returns at once."""
        with self._lock:
            self._is_due = True
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
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _work(self) -> None:
        while not self._closed.is_set():
            with self._lock:
                self._is_due = False
            goes_on = self._round()
            if self._closed.wait(self._interval):
                break
            with self._lock:
                if not goes_on and not self._is_due:
                    self._thread = None
                    return
        self._thread = None

    def _round(self) -> bool:
        try:
            while self._jobs:
                self._jobs.popleft()()
            return self._publish()
        except Exception:
            _log.exception("the live widget could not be brought up to date")
            return False
