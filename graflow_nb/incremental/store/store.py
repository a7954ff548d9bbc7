"""Where results are kept: in memory always, and in a folder too if there is one."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from graflow_nb.core.away import Away, fetched
from graflow_nb.core.errors import LostError
from graflow_nb.incremental.prints import is_intact
from graflow_nb.incremental.store.pickling import Lost

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from graflow_nb.incremental.entry import Entry
    from graflow_nb.incremental.store.disk import DiskStore
    from graflow_nb.incremental.store.kept import Stored

MEMORY_LIMIT = 2 * 2**30
"""Bytes of results in memory, beside the latest of each task."""

MOST_FETCHED = 64 * 2**20
"""Bytes: a larger value that is elsewhere is not fetched to be written to the disk here."""


class Kept:
    """A result that is kept.

    Attributes
    ----------
    entry : Entry
    values : mapping or None
        Those that are in memory; None: they are on disk only, or gone.
    size : int
        Bytes, roughly: of what was hashed.
    checked : object
        The cache's `now` when the values were last known to be as they were made.
    """

    __slots__ = ("checked", "entry", "size", "values")

    def __init__(self, entry: Entry, values: Mapping[str | None, Any] | None, size: int, checked: object) -> None:
        self.entry = entry
        self.values = values
        self.size = size
        self.checked = checked


class Store:
    """The results of one workflow's tasks.

    In memory the latest of each task stays; the others do while there is room, and those that were used
    longest ago go first.

    Parameters
    ----------
    disk : DiskStore, optional
        Where they are kept beyond this process.
    limit : int
        Bytes in memory, beside the latest of each task.
    """

    def __init__(self, disk: DiskStore | None = None, *, limit: int = MEMORY_LIMIT) -> None:
        self.disk = disk
        self._limit = limit
        self._kept: dict[str, dict[bytes, list[Kept]]] = {}  # of each task by key, and of each the latest last
        self._latest: dict[str, Kept] = {}  # of each task, so that asking for it costs nothing
        self._earlier: dict[int, Kept] = {}  # those with values that are not their task's latest, oldest use first
        self._size = 0  # of the earlier

    def at_hand(self, name: str) -> Kept | None:
        """Return the result of a task that was made or used last, if it is in memory."""
        latest = self._latest.get(name)
        if latest is None and (by_key := self._kept.get(name)):  # it was taken out: the one before is the latest
            latest = self._latest[name] = next(reversed(by_key.values()))[-1]
        return latest

    def latest(self, name: str) -> Entry | None:
        """Return the same, from wherever it is, without its values."""
        kept = self.at_hand(name)
        if kept is not None:
            return kept.entry
        return self.disk.latest(name) if self.disk is not None else None

    def last(self, name: str) -> Kept | None:
        """Return the same with its values."""
        kept = self.at_hand(name)
        if kept is not None:
            return kept
        entry = self.disk.latest(name) if self.disk is not None else None
        return _not_loaded(entry) if entry is not None else None

    def find(self, name: str, key: bytes) -> Iterator[Kept]:
        """Go through the results of a task under a key, the latest first."""
        by_key = self._kept.get(name)
        if not by_key and self.disk is not None:
            return map(_not_loaded, self.disk.find(name, key))
        here = [*reversed(by_key.get(key, ()))] if by_key else []  # some may be let go of meanwhile
        if self.disk is None:
            return iter(here)
        there = self.disk.find(name, key)
        if here:
            known = {kept.entry.created for kept in here}
            there = (entry for entry in there if entry.created not in known)
        return chain(here, map(_not_loaded, there))

    def put(self, kept: Kept, *, on_disk: bool = True) -> Sequence[str]:
        """Keep a new result; return what could not be kept on disk, in words."""
        self._make_latest(kept)
        if self.disk is None or kept.values is None or not on_disk:
            return ()
        values, refused = _brought(kept.values)
        return (*refused, *self.disk.put(kept.entry, values))

    def use(self, kept: Kept) -> None:
        """Take note that a result is used: it is its task's latest now."""
        if self._latest.get(kept.entry.name) is not kept and self._make_latest(kept) and self.disk is not None:
            self.disk.touch([kept.entry])

    def _make_latest(self, kept: Kept) -> bool:
        """Make a result its task's latest in memory; return whether it was not."""
        name, key = kept.entry.name, kept.entry.key
        latest = self.at_hand(name)
        if latest is kept:
            return False
        if latest is not None:
            self._take_out(kept)
            self._drop_from_earlier(kept)
            if latest.values is not None:
                self._earlier[id(latest)] = latest
                self._size += latest.size
                self._make_room()
        by_key = self._kept.setdefault(name, {})
        by_key[key] = [*by_key.pop(key, ()), kept]
        self._latest[name] = kept
        return True

    def _take_out(self, kept: Kept) -> None:
        """Take a result out of its place in memory, if it has one."""
        by_key = self._kept.get(kept.entry.name, {})
        if self._latest.get(kept.entry.name) is kept:
            del self._latest[kept.entry.name]
        if kept in (several := by_key.get(kept.entry.key, [])):
            several.remove(kept)
            if not several:
                del by_key[kept.entry.key]

    def value(self, kept: Kept, variable: str | None) -> Any:
        """Return a value of a result, from memory or disk.

        Raises
        ------
        LostError
            If it is no longer there, or could not be kept.
        """
        there = kept.values.get(variable) if kept.values is not None else None
        lost = there.lost() if type(there) is Away and there.is_lost else None
        if kept.values is not None and variable in kept.values and lost is None:
            return there
        if self.disk is None:
            raise lost or LostError(kept.entry.name, "it was let go of")
        try:
            loaded = self.disk.values(kept.entry)
        except Lost as lost:
            raise LostError(kept.entry.name, str(lost)) from None
        if variable not in loaded:
            raise LostError(kept.entry.name, "it could not be kept on disk")
        here = {name: value for name, value in (kept.values or {}).items() if name != variable}
        kept.values = {**loaded, **here}
        return loaded[variable]

    def in_memory(self) -> list[Kept]:
        """Return the results with values in memory, for each task the latest last."""
        every = (kept for by_key in self._kept.values() for several in by_key.values() for kept in several)
        return [kept for kept in every if kept.values is not None]

    @property
    def size(self) -> int:
        """How many bytes are in memory, roughly."""
        return sum(kept.size for kept in self.in_memory())

    def spoil(self, kept: Kept) -> bool:
        """Replace values in memory that somebody changed by those on disk; without those, let go of the result."""
        kept.values = self._as_made(kept.entry)
        if kept.values is None:
            self.discard(kept)
        return kept.values is not None

    def _as_made(self, entry: Entry) -> Mapping[str | None, Any] | None:
        """Return all values from disk if they are as they were made: one that was changed may be written so."""
        if self.disk is None or not self.disk.has_values(entry) >= entry.prints.keys():
            return None
        try:
            values = self.disk.values(entry)
        except Lost:
            return None
        return values if is_intact(values, entry.prints) else None

    def discard(self, kept: Kept) -> None:
        """Let go of a result."""
        self._take_out(kept)
        self._drop_from_earlier(kept)
        if self.disk is not None:
            self.disk.discard(kept.entry)

    def forget(self, name: str) -> None:
        """Let go of what is in memory of a task; what is on disk may come back with the task."""
        self._latest.pop(name, None)
        for several in self._kept.pop(name, {}).values():
            for kept in several:
                self._drop_from_earlier(kept)

    def clear(self) -> None:
        """Let go of everything."""
        self._kept.clear()
        self._latest.clear()
        self._earlier.clear()
        self._size = 0
        if self.disk is not None:
            self.disk.clear()

    def _drop_from_earlier(self, kept: Kept) -> None:
        if self._earlier.pop(id(kept), None) is not None:
            self._size -= kept.size

    def _make_room(self) -> None:
        while self._size > self._limit:
            kept = next(iter(self._earlier.values()))
            self._drop_from_earlier(kept)
            kept.values = None
            if self.disk is None:
                self._take_out(kept)


class Fetch:
    """Fetches values of a result when they are asked for; many are made, and few are called."""

    __slots__ = ("_kept", "_store")

    def __init__(self, store: Store, kept: Kept) -> None:
        self._store = store
        self._kept = kept

    def __call__(self, variable: str | None) -> Any:
        return self._store.value(self._kept, variable)


def _brought(values: Mapping[str | None, Any]) -> tuple[Mapping[str | None, Any], list[str]]:
    """Return values to be written here, copies of those that are elsewhere, and why others cannot be."""
    if not any(type(value) is Away for value in values.values()):
        return values, []
    brought, refused = {}, []
    for variable, value in values.items():
        if type(value) is Away and value.size > MOST_FETCHED:
            what = "the result" if variable is None else f"the variable {variable!r}"
            refused.append(
                f"{what} stays where it was made, and is not kept on disk: it has {value.size / 2**20:,.0f} MB"
            )
            continue
        try:
            brought[variable] = fetched(value)
        except LostError as error:
            refused.append(f"it is not kept on disk: {error.why}")
    return brought, refused


def _not_loaded(entry: Stored) -> Kept:
    return Kept(entry, None, entry.size, None)
