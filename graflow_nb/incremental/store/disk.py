"""Results that outlive the kernel: a folder on disk, signed, shared by all kernels of a user.

Nothing here raises because of what is on the disk or of what the disk does: what cannot be read is not
there, what cannot be written is not kept, and the user is told.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.incremental.store.ahead import Ahead
from graflow_nb.incremental.store.folder import FORMAT
from graflow_nb.incremental.store.guarded import TROUBLE, Disk
from graflow_nb.incremental.store.index import Index, Row
from graflow_nb.incremental.store.kept import Stored, decoded, encoded
from graflow_nb.incremental.store.payload import Payload, TooLarge, read
from graflow_nb.incremental.store.pickling import Layout, Lost, split, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from graflow_nb.incremental.entry import Entry

LIMIT = 10 * 2**30
"""Bytes that a store may take."""
_ROW = 256
"""Bytes that a row takes beside what is in it, about."""
_ROOM = 0.9
"""Of the limit: what is left after an eviction, so that the next is not due at once."""
_UNCHECKED = 1 / 64
"""Of the limit: what is written before that is looked at again."""
_FORMAT = b"%d" % FORMAT


class StoreInfo(NamedTuple):
    """What a store holds.

    Attributes
    ----------
    folder : Path
    usable : bool
        False: it could not be opened, and holds nothing.
    entries : int
    bytes : int
    limit : int
        Bytes that it may take.
    tasks : dict of str to int
        How many entries each task has.
    """

    folder: Path
    usable: bool
    entries: int
    bytes: int
    limit: int
    tasks: dict[str, int]


class DiskStore:
    """Keeps entries and their values in a folder.

    Parameters
    ----------
    folder : Path
        It is made if it is not there. One with other content is left alone.
    limit : int
        Bytes. The least recently used entries go first; those that a run uses stay.
    say : callable
        Is given a line for the user about each thing that went wrong, once.
    timeout : float
        Seconds to wait for another process that writes.
    """

    def __init__(
        self, folder: Path, *, limit: int = LIMIT, say: Callable[[str], None] = print, timeout: float = 5.0
    ) -> None:
        self.folder = folder
        self.limit = limit
        self._disk = Disk(folder, say, timeout)
        self._lock = threading.Lock()
        self._runs = 0
        self._since = math.inf  # when the first of the runs that go on began
        self._ahead = Ahead(self._disk, self, self._checked, _FORMAT)
        self._found: set[int] = set()
        self._unchecked = limit  # bytes that may have been written since the limit was last looked at
        self._over = False

    def find(self, name: str, key: bytes) -> Iterator[Stored]:
        """Go through the entries of a task with a key; the one made or used last is the first.

        Only those whose signature holds are given. Each is read when it is asked for.
        """
        ahead = self._ahead.get(name)
        if ahead is None and name in self._ahead:
            return
        if ahead is not None and ahead.key == key:
            yield ahead
        rows: list[Row] = self._disk.ask(lambda index: index.rows(name, key), list)
        for row in rows:
            known = ahead is not None and ahead.row.id == row.id
            if not known and row.key == key and (entry := self._checked(row, name)) is not None:
                if self._runs:
                    self._found.add(row.id)
                yield entry

    def latest(self, name: str) -> Stored | None:
        """Return the entry of a task that was made or used last."""
        if (ahead := self._ahead.get(name)) is not None or name in self._ahead:
            return ahead
        for skip in range(10):  # damaged ones are removed as they are found, if that can be done
            row = self._disk.ask(partial(Index.latest, name=name, skip=skip), _nothing)
            if row is None:
                return None
            if (entry := self._checked(row, name)) is not None:
                return entry
        return None

    @contextlib.contextmanager
    def in_use(self, names: Iterable[str] = ()) -> Iterator[None]:
        """Evict nothing that is found or made while the context stands, in this or another process.

        Parameters
        ----------
        names : iterable of str
            Tasks whose latest entries are likely to be wanted: they are read together, which is quicker.
        """
        with contextlib.ExitStack() as stack:
            self._begin()
            stack.callback(self._end)  # after the run is over also for other processes
            if self._disk.files is not None:
                stack.enter_context(self._disk.files.run())
            wanted = list(names)
            self._ahead.find(wanted)
            yield
            self._ahead.keep(wanted)

    def put(self, entry: Entry, values: Mapping[str | None, Any]) -> tuple[str, ...]:
        """Keep an entry and those of its values that can be kept; return why others cannot.

        It replaces one of the same task with the same key and trace.
        """
        disk = self._disk
        if disk.files is None or disk.index is None:
            return ()
        try:
            with Payload(disk.files, self.limit) as payload:
                layout, refused = payload.pack(values)
                row = self._row(entry, layout, payload)
                began = time.time()
                disk.files.remove_values(disk.index.put(row, payload.publish))
                payload.keep()
        except TooLarge as error:
            self._disk.say(
                f"The values of {entry.name!r} are not kept in {self.folder}: {error}, the limit of the cache."
            )
            return (f"the values are too large for the cache: {error}",)
        except TROUBLE as error:
            self._disk.explain(error)
            return ()
        except Exception as error:  # of objects in the entry's outputs, say
            return (f"the result cannot be kept on disk ({type(error).__name__}: {error})",)
        self._ahead.drop(entry.name)
        self._unchecked += row.size
        if self._unchecked > self.limit * _UNCHECKED:
            self._make_room(began)
        return refused

    def values(self, entry: Entry) -> dict[str | None, Any]:
        """Return the values of an entry that could be kept: new objects at each call.

        Raises
        ------
        Lost
            If they are damaged, have gone, or cannot be made from what is there.
        """
        kept = self._kept(entry)
        if kept is None:
            raise Lost("it is not in the store any more")
        if not kept.layout.names:
            return {}
        try:
            stream, buffers = self._read(kept)
        except OSError as error:
            reason = "has gone" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            self.discard(kept)
            raise Lost(f"its file {reason}") from error
        except Lost:
            self.discard(kept)
            raise
        return unpack(stream, buffers)

    def has_values(self, entry: Entry) -> frozenset[str | None]:
        """Return the variables whose values are there, None for the task's value, without loading them."""
        kept = self._kept(entry)
        return frozenset(kept.layout.names) if kept is not None else frozenset()

    def touch(self, entries: Iterable[Entry]) -> None:
        """Note that entries are used now: they are the last to be evicted."""
        ids = []
        for entry in entries:
            # What was read ahead was noted as used then. When another of its task is used, that is the last one.
            if entry is not self._ahead.get(entry.name) and (kept := self._kept(entry)) is not None:
                self._ahead.drop(entry.name)
                ids.append(kept.row.id)
        if ids:
            self._disk.ask(lambda index: index.touch(ids), _nothing)

    def discard(self, entry: Entry) -> None:
        """Let go of an entry."""
        kept = self._kept(entry)
        if kept is not None:
            self._ahead.drop(entry.name)
            self._disk.remove(lambda index: index.delete([kept.row.id]))

    def forget(self, name: str) -> None:
        """Let go of all entries of a task."""
        self._ahead.drop(name)
        self._disk.remove(lambda index: index.forget(name))

    def clear(self) -> None:
        """Let go of everything. Other files in the folder stay."""
        self._ahead.clear()
        self._disk.remove(lambda index: index.forget(None))
        self.gc()

    def info(self) -> StoreInfo:
        """Return what it holds."""
        tasks = self._disk.ask(lambda index: index.counts(), dict[str, int])
        total = self._disk.ask(lambda index: index.total(), int)
        usable = self._disk.index is not None
        return StoreInfo(self.folder, usable, sum(tasks.values()), total, self.limit, tasks)

    def gc(self) -> int:
        """Remove what killed processes left, and what is over the limit; return how many files that were."""
        left = self._disk.tidy()
        self._make_room()
        self._disk.ask(lambda index: index.shrink(), _nothing)
        return left

    def close(self) -> None:
        """Close the files; after that it holds nothing."""
        self._ahead.clear()
        self._disk.close()

    def _begin(self) -> None:
        self._disk.reopen_if_gone()
        with self._lock:
            self._runs += 1
            self._since = min(self._since, time.time())

    def _end(self) -> None:
        with self._lock:
            self._runs -= 1
            if self._runs == 0:
                self._since = math.inf
                self._ahead.clear()
        self._flush()
        if self._over:
            self._make_room()

    def _row(self, entry: Entry, layout: Layout, payload: Payload) -> Row:
        trace = hashlib.blake2b(repr([used[:3] for used in entry.trace]).encode("utf-8", "replace")).digest()[:16]
        head = encoded(entry, layout, payload.token, payload.digest)
        data = payload.data
        size = len(head) + layout.size + _ROW
        signature = self._disk.signer.sign(_FORMAT, entry.name.encode(), entry.key, trace, head, data)
        return Row(0, entry.name, entry.key, trace, size, payload.token, head, data, signature)

    def _checked(self, row: Row, name: str) -> Stored | None:
        """Return the entry in a row, if it is signed and of this task."""
        pieces = (_FORMAT, name.encode(), row.key, row.trace, row.head, row.data)
        if not self._disk.signer.holds(row.signature, *pieces):
            self._disk.say(f"Damaged results in {self.folder} are ignored: their tasks run again.")
            self._ahead.drop(name)
            self._disk.remove(lambda index: index.delete([row.id]))
            return None
        return decoded(row, name, self)

    def _kept(self, entry: Entry) -> Stored | None:
        if isinstance(entry, Stored) and entry.store is self:
            return entry
        for row in self._disk.ask(lambda index: index.rows(entry.name, entry.key), list[Row]):
            kept = self._checked(row, entry.name)
            if kept is not None and kept.created == entry.created:
                return kept
        return None

    def _read(self, kept: Stored) -> tuple[bytes | bytearray, list[bytearray]]:
        if kept.token is None:
            return split(kept.row.data, kept.layout)
        if self._disk.files is None:
            raise Lost("the store is closed")
        return read(self._disk.files.value_file(kept.token), kept.layout, kept.digest)

    def _flush(self) -> None:
        """Note what was found as used."""
        found, self._found = self._found, set()
        if found:
            self._disk.ask(lambda index: index.touch(list(found)), _nothing)

    def _make_room(self, before: float = math.inf) -> None:
        """Evict what is over the limit, but for what was used since `before`, or by a run that goes on."""
        files = self._disk.files
        if files is None:
            return
        self._flush()
        if self._disk.ask(lambda index: index.total(), int) > self.limit:
            before = min(before, self._since, files.oldest_run())
            self._disk.remove(lambda index: index.evict(int(self.limit * _ROOM), before))
            self._disk.tidy()
        self._unchecked = 0
        self._over = self._disk.ask(lambda index: index.total(), int) > self.limit


def _nothing() -> None:
    return None
