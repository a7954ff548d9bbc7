"""Threads that have nothing more to do, and wait a moment for whoever needs one next.

A thread takes 0.1 ms to start, as long as a few short tasks: runs that follow each other share theirs.
"""

from __future__ import annotations

import os
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LINGER: Final = 0.05
"""Seconds that a thread waits before it ends."""


class Crew:
    """Daemon threads, as many as are needed."""

    def __init__(self) -> None:
        self._waiting: list[
            SimpleQueue[Callable[[], None]]
        ] = []  # where each thread that waits gets its next work

    def have(self, work: Callable[[], None], name: str) -> None:
        """Have a thread of this name do something, which must not raise."""

        def named() -> None:
            threading.current_thread().name = name
            work()

        try:
            self._waiting.pop().put(named)
        except IndexError:
            place: SimpleQueue[Callable[[], None]] = SimpleQueue()
            place.put(named)  # not an argument: a thread holds those until it ends
            threading.Thread(target=self._serve, args=(place,), name=name, daemon=True).start()

    def forget(self) -> None:
        """In a forked process: these are the parent's."""
        self._waiting = []

    def _serve(self, place: SimpleQueue[Callable[[], None]]) -> None:
        work: Callable[[], None] | None = place.get()
        while work is not None:
            work()
            work = None  # while it waits it holds nothing of a run
            self._waiting.append(place)
            work = self._next(place)

    def _next(self, place: SimpleQueue[Callable[[], None]]) -> Callable[[], None] | None:
        try:
            return place.get(timeout=LINGER)
        except Empty:
            pass
        try:
            self._waiting.remove(place)
        except ValueError:  # somebody has just chosen this thread
            return place.get()
        return None


crew: Final = Crew()
"""That of this process."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=crew.forget)
