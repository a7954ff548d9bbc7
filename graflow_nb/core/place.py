"""A backend, and what waits for one of its slots."""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from graflow_nb.core.away import Away
    from graflow_nb.core.backend import Backend
    from graflow_nb.core.call import Call

_AHEAD = 4
"""How many calls a slot are handed out while calls are short."""
_SHORT = 0.001  # seconds


class Place:
    """A backend, and what waits for one of its slots.

    Attributes
    ----------
    takes : callable or None
        Whether a value that is elsewhere can be handed to it as it is; None: it takes none.
    """

    __slots__ = ("_limit", "_number", "_ranked", "backend", "out", "queue", "takes")

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.takes: Callable[[Away], bool] | None = getattr(backend, "takes", None)
        self.queue: deque[str] = deque()
        self.out = 0
        self._limit = backend.slots
        self._ranked: list[tuple[int, int, str]] = []  # a heap of those of another priority than 0
        self._number = count()

    @property
    def waiting(self) -> list[str]:
        """Who waits, the next one first."""
        ranked = sorted(self._ranked)
        before, after = [r for r in ranked if r[0] < 0], [r for r in ranked if r[0] > 0]
        return [*(r[2] for r in before), *self.queue, *(r[2] for r in after)]

    def put(self, name: str, priority: int = 0) -> None:
        """Let a task wait for a slot, behind those of its priority."""
        if priority:
            heapq.heappush(self._ranked, (-priority, next(self._number), name))
        else:
            self.queue.append(name)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits."""
        return bool(self.queue or self._ranked)

    def next(self) -> str:
        """Return the task that is to go next, and no longer waits."""
        if self._ranked and (self._ranked[0][0] < 0 or not self.queue):
            return heapq.heappop(self._ranked)[2]
        return self.queue.popleft()

    def put_first(self, name: str, priority: int = 0) -> None:
        """Let a task wait for a slot once more, before those of its priority."""
        if priority:
            heapq.heappush(self._ranked, (-priority, -next(self._number), name))
        else:
            self.queue.appendleft(name)

    def drop(self, names: Collection[str]) -> None:
        """Let tasks wait no longer."""
        self.queue = deque(name for name in self.queue if name not in names)
        self._ranked = sorted(entry for entry in self._ranked if entry[2] not in names)

    @property
    def has_room(self) -> bool:
        """Whether the backend takes another call."""
        return self.out < self._limit

    def give_up(self, call: Call) -> None:
        """Wait no longer for a call: its slot is free for another."""
        self.out -= 1
        self.backend.replace(call)

    def came_back(self, seconds: float) -> None:
        """Count a call that is done.

        While calls are short, more than can run are handed out, so that a worker need not wait for this
        thread between two of them: that would cost more than the calls themselves.
        """
        self.out -= 1
        self._limit = self.backend.slots * (_AHEAD if seconds < _SHORT else 1)
