"""The latest entries of a run's tasks: found out when it begins, and read together when one is asked for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from graflow_nb.incremental.store.index import Row
from graflow_nb.incremental.store.kept import decoded
from graflow_nb.incremental.store.manifest import Listed, packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graflow_nb.incremental.store.guarded import Disk
    from graflow_nb.incremental.store.kept import Stored

FEWEST = 64
"""Entries: fewer are read as quickly one by one."""
_SHARE = 8
"""One in so many entries that stands in no manifest makes a new one worth its time."""


class Ahead:
    """The latest entries of some tasks; None: there is none. Of a task that is not in it nothing is known.

    Parameters
    ----------
    disk : Disk
    store : object
        Whose entries they are.
    checked : callable
        Returns the entry in a row of a task, if its signature holds.
    tag : bytes
        The format, as signatures cover it.
    """

    def __init__(
        self, disk: Disk, store: object, checked: Callable[[Row, str], Stored | None], tag: bytes
    ) -> None:
        self._disk = disk
        self._store = store
        self._checked = checked
        self._tag = tag
        self._lock = threading.Lock()
        self._first = b""  # of the tasks: a manifest is found by it
        self._found: dict[str, int | None] = {}  # the rows of those tasks that were not read yet
        self._entries: dict[str, Row | Stored | None] = {}  # a row until it is checked
        self._fresh: set[str] = set()  # the tasks whose latest entries stand in no manifest

    def __contains__(self, name: object) -> bool:
        if self._found:
            self._read()
        return name in self._entries

    def get(self, name: str) -> Stored | None:
        """Return the latest entry of a task, if it is known."""
        if self._found:
            self._read()
        entry = self._entries.get(name)
        if isinstance(entry, Row):
            entry = decoded(entry, name, self._store) if type(entry) is Listed else self._checked(entry, name)
            if entry is not None:
                self._entries[name] = entry
        return entry

    def find(self, names: Sequence[str]) -> None:
        """Find out which entries are the latest of some tasks, and note that they are used now."""
        found = self._disk.ask(lambda index: index.use_latest(names), list[int | None]) if names else []
        if found:
            with self._lock:
                self._first = _raw(names[0])
                self._found.update(zip(names, found, strict=True))
                for name in names:
                    self._entries.pop(name, None)

    def drop(self, name: str) -> None:
        """Say that the latest entry of a task is another one from now on."""
        if name in self:
            self._entries.pop(name, None)
            self._fresh.add(name)

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._found, self._entries, self._fresh = {}, {}, set()

    def keep(self, names: Sequence[str]) -> None:
        """Put the latest entries of some tasks into a manifest, if enough of them stand in none."""
        fresh = self._fresh.intersection(names)
        if len(names) < FEWEST or len(fresh) * _SHARE < len(names):
            return
        self._fresh -= fresh
        found = self._disk.ask(lambda index: index.latest_ids(names), list[int | None])
        rows = self._rows(found)
        pairs = [(rows[number], name) for name, number in zip(names, found, strict=False) if number in rows]
        data = packed(row for row, name in pairs if self._checked(row, name) is not None)
        first = _raw(names[0])
        signature = self._disk.signer.sign(self._tag, b"manifest", first, data)
        self._disk.ask(lambda index: index.put_manifest(first, data, signature), _nothing)

    def _read(self) -> None:
        with self._lock:
            found, self._found = self._found, {}
            listed = self._listed() if len(found) >= FEWEST else {}
            mine = {name: listed.get(number) for name, number in found.items()}
            mine = {
                name: row for name, row in mine.items() if row and row.name == _raw(name)
            }  # ids are not signed
            rows = self._rows([number for name, number in found.items() if name not in mine])
            for name, number in found.items():
                row = mine.get(name) or rows.get(number)
                if number is None or row is not None:  # else it went meanwhile, and there may be another one
                    self._entries[name] = row
                if number is not None and number not in listed:
                    self._fresh.add(name)

    def _rows(self, numbers: Sequence[int | None]) -> Mapping[int | None, Row]:
        wanted = [number for number in numbers if number is not None]
        rows = self._disk.ask(lambda index: index.rows_of(wanted), list[Row]) if wanted else []
        return {row.id: row for row in rows}

    def _listed(self) -> Mapping[int | None, Listed | None]:
        """Return the rows in the manifest by their ids; None for those that are left out of it."""
        found = self._disk.ask(lambda index: index.manifest(self._first), _nothing)
        if found is None or not self._disk.signer.holds(found[1], self._tag, b"manifest", self._first, found[0]):
            return {}
        return unpacked(found[0])


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _nothing() -> None:
    return None
