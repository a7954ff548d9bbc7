"""Which tasks may start now: pure state, in graphlib's words. No threads, no clock, no printing."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence


class Scheduler:
    """The progress of a run through a graph.

    A task is waiting (for others), then ready, then handed out by `get_ready`, then `done` or `fail`-ed.
    Unlike `graphlib.TopologicalSorter` it takes new tasks while it runs. Every operation costs the edges
    it touches, so a whole run is linear in tasks and edges (and a logarithm for the stable order).

    Parameters
    ----------
    parents : mapping of str to sequence of str
        For each task the tasks it waits for, in the order in which ready tasks are to be handed out.
    patient : collection of str
        Those that wait only for the end of others, however they end.

    Examples
    --------
    >>> s = Scheduler({"a": [], "b": ["a"], "c": ["a"], "d": ["b"]})
    >>> s.get_ready()
    ['a']
    >>> s.done("a"); s.get_ready()
    ['b', 'c']
    >>> s.fail("b")
    ['d']
    >>> s.done("c"); s.is_active()
    False
    """

    def __init__(self, parents: Mapping[str, Sequence[str]], patient: Collection[str] = ()) -> None:
        self._patient = set(patient)
        self._names = list(parents)
        self._rank = {name: rank for rank, name in enumerate(self._names)}
        self._open = set(self._names)
        self._children: dict[str, list[str]] = {name: [] for name in self._names}
        self._waiting: dict[str, int] = {}  # for how many
        self._ready: list[int] = []  # sorted, and so a heap
        for rank, (name, several) in enumerate(parents.items()):
            if not several:
                self._ready.append(rank)
                continue
            befores = dict.fromkeys(several) if len(several) > 1 else several
            self._waiting[name] = len(befores)
            for before in befores:
                if before in self._children:
                    self._children[before].append(name)
                else:
                    self._children[before] = [name]

    def add(
        self, name: str, parents: Iterable[str] = (), children: Iterable[str] = (), *, patient: bool = False
    ) -> None:
        """Add a task: it waits for those of `parents` that are not done; waiting `children` wait for it."""
        if patient:
            self._patient.add(name)
        rank = self._rank[name] = len(self._names)
        self._names.append(name)
        self._open.add(name)
        own = self._children.setdefault(name, [])
        for child in children:
            if child in self._waiting:
                self._waiting[child] += 1
                own.append(child)
        count = 0
        for parent in set(parents):
            if parent in self._open or parent not in self._rank:
                self._children.setdefault(parent, []).append(name)
                count += 1
        if count:
            self._waiting[name] = count
        else:
            heapq.heappush(self._ready, rank)

    def hold(self, name: str, members: Iterable[str]) -> None:
        """Let a task that was handed out wait for the end of others, and hand it out once more then."""
        self._patient.add(name)
        waits = [member for member in members if member in self._open]
        for member in waits:
            if name not in self._children[member]:
                self._children[member].append(name)
        if waits:
            self._waiting[name] = len(waits)
        else:
            heapq.heappush(self._ready, self._rank[name])

    def release(self, name: str) -> None:
        """Let a task wait no longer, whatever it waited for."""
        if self._waiting.pop(name, None) is not None:
            heapq.heappush(self._ready, self._rank[name])

    def is_active(self) -> bool:
        """Whether a task is ready, or handed out and not back."""
        return bool(self._ready) or len(self._open) > len(self._waiting)

    def get_ready(self, limit: int | None = None) -> list[str]:
        """Hand out the tasks that may start now, in stable order; at most `limit` of them."""
        count = len(self._ready) if limit is None else min(limit, len(self._ready))
        return [self._names[heapq.heappop(self._ready)] for _ in range(count)]

    def waiting_children(self, name: str) -> list[str]:
        """Return the tasks that wait for `name`."""
        return [child for child in self._children[name] if child in self._waiting]

    def done(self, name: str) -> None:
        """Say that a task that was handed out succeeded."""
        self._open.discard(name)
        for child in self._children[name]:
            left = self._waiting.get(child)
            if left == 1:
                del self._waiting[child]
                heapq.heappush(self._ready, self._rank[child])
            elif left is not None:
                self._waiting[child] = left - 1

    def _count_down(self, name: str) -> None:
        left = self._waiting.get(name)
        if left is not None:
            self._waiting[name] = left - 1
            if left == 1:
                self.release(name)

    def reopen(self, names: Iterable[str], waits_again: Callable[[str], bool]) -> list[str]:
        """Let tasks that are done run once more; what comes after them waits for them again.

        Costs the edges of the whole graph: this is for what goes wrong.

        Parameters
        ----------
        names : iterable of str
            Some of them may be about to run anyway.
        waits_again : callable
            Whether a task after them that was handed out, or is done, is to wait and be handed out again.

        Returns
        -------
        list of str
            The tasks that are handed out again, these and others.
        """
        again = {name: None for name in names if name not in self._open}
        waiting = list(names)
        for before in waiting:  # grows as it goes
            for child in self._children[before]:
                if child not in self._waiting and child not in again and waits_again(child):
                    if child not in self._open:
                        waiting.append(child)
                    again[child] = None
        self._open |= again.keys()
        for name in again:
            self._waiting.setdefault(name, 0)
        self._recount()
        return list(again)

    def _recount(self) -> None:
        """Find out anew which tasks wait for how many, and which for none."""
        ready = {self._names[rank] for rank in self._ready}
        counts = dict.fromkeys((*self._waiting, *ready), 0)
        for name in self._open:
            for child in self._children[name]:
                if child in counts:
                    counts[child] += 1
        self._waiting = {name: count for name, count in counts.items() if count}
        self._ready = sorted(self._rank[name] for name, count in counts.items() if not count)

    def fail(self, name: str) -> list[str]:
        """Say that a task failed, or will not run; drop and return all that waited for its success, in order."""
        self._open.discard(name)
        if self._waiting.pop(name, None) is None and self._ready and self._rank[name] in self._ready:
            self._ready.remove(self._rank[name])
            heapq.heapify(self._ready)
        dropped: list[str] = []
        stack = [name]
        while stack:
            for child in self._children[stack.pop()]:
                if child in self._patient:
                    self._count_down(child)
                elif self._waiting.pop(child, None) is not None:
                    self._open.discard(child)
                    dropped.append(child)
                    stack.append(child)
        return sorted(dropped, key=self._rank.__getitem__)
