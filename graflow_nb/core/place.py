"""A backend, and what waits for one of its slots."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graflow_nb.core.backend import Backend

_AHEAD = 4
"""How many calls a slot are handed out while calls are short."""
_SHORT = 0.001  # seconds


class Place:
    """A backend, and what waits for one of its slots."""

    __slots__ = ("_limit", "backend", "out", "queue")

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.queue: deque[str] = deque()
        self.out = 0
        self._limit = backend.slots

    @property
    def has_room(self) -> bool:
        """Whether the backend takes another call."""
        return self.out < self._limit

    def came_back(self, seconds: float) -> None:
        """Count a call that is done.

        While calls are short, more than can run are handed out, so that a worker need not wait for this
        thread between two of them: that would cost more than the calls themselves.
        """
        self.out -= 1
        self._limit = self.backend.slots * (_AHEAD if seconds < _SHORT else 1)
