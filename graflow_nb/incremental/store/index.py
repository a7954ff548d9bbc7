"""The index of a disk store: an SQLite database, one row an entry.

It knows nothing of what is in an entry, and trusts nothing that it reads: the rows are signed.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

_TRACES = 16
"""How many entries of one task and key are kept."""
_MANIFESTS = 16
"""How many manifests are kept."""
_USES = 20
"""How many uses of many entries are noted, before they are noted with the entries."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, key BLOB, trace BLOB, used REAL, size INTEGER, token BLOB,
    head BLOB, data BLOB, signature BLOB);
CREATE TABLE IF NOT EXISTS uses (time REAL, ids TEXT);
CREATE TABLE IF NOT EXISTS manifests (
    number INTEGER PRIMARY KEY AUTOINCREMENT, first BLOB UNIQUE, data BLOB, signature BLOB);
CREATE INDEX IF NOT EXISTS by_name ON entries (name, key);
CREATE INDEX IF NOT EXISTS by_name_used ON entries (name, used);
"""
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_DAMAGE = frozenset({
    sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_CONSTRAINT,
})  # fmt: skip
"""Errors that come from what is in the file. Our queries are right, so one that makes no sense is damage, too."""
_HURRIED = 50  # ms


class Row(NamedTuple):
    """One entry, encoded and signed; after damage the fields may hold anything.

    Attributes
    ----------
    id : int
    name : str
    key : bytes
    trace : bytes
        Digest of the trace.
    size : int
        What it takes, in bytes.
    token : bytes or None
        Names the file with the values.
    head, data : bytes
        What it is, and its values if they are small.
    signature : bytes
    """

    id: int
    name: Any
    key: Any
    trace: Any
    size: Any
    token: Any
    head: Any
    data: Any
    signature: Any


_ROW = ", ".join(Row._fields)
_row = partial(tuple.__new__, Row)  # half the time of `Row._make`; a query gives the right number of fields


def _select(rest: str) -> str:
    return f"SELECT {_ROW} FROM entries {rest}"  # noqa: S608 - nothing of a user's is in it


_OF_KEY = _select("WHERE name = ? AND key = ? ORDER BY used DESC, id DESC")
_OF_NAME = _select("WHERE name = ? ORDER BY used DESC, id DESC LIMIT 1 OFFSET ?")
_OF_IDS = _select("WHERE id IN (SELECT value FROM json_each(?))")
_LATEST_IDS = (
    "SELECT (SELECT id FROM entries WHERE name = wanted.value ORDER BY used DESC, id DESC LIMIT 1)"
    " FROM json_each(?) AS wanted"
)
_INSERT = f"INSERT INTO entries ({_ROW}, used) VALUES ({', '.join('?' * len(Row._fields))}, ?)"  # noqa: S608


def is_damage(error: sqlite3.Error) -> bool:
    """Say whether an error is due to what is in the index, so that it has to be begun anew."""
    return _code(error) in _DAMAGE


def is_busy(error: sqlite3.Error) -> bool:
    """Say whether another process held the index for too long."""
    return _code(error) in _BUSY


def _code(error: sqlite3.Error) -> int:
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)  # none: it is not from the library
    return code & 0xFF  # the rest of it goes into details


class Index:
    """The rows, for all threads of this process; other processes may use them at the same time.

    Every method may raise `sqlite3.Error`.

    Parameters
    ----------
    path : Path
    timeout : float
        Seconds to wait for another process.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._open()

    def rows(self, name: str, key: bytes) -> list[Row]:
        """Return the rows of a task with a key; the one made or used last is the first."""
        return self._read(_OF_KEY, (name, key))

    def latest(self, name: str, skip: int = 0) -> Row | None:
        """Return the row of a task that was made or used last, but for some."""
        return next(iter(self._read(_OF_NAME, (name, skip))), None)

    def rows_of(self, ids: Iterable[int]) -> list[Row]:
        """Return the rows with some ids, as far as they are there."""
        return self._read(_OF_IDS, (json.dumps(list(ids)),))

    def latest_ids(self, names: Iterable[str]) -> list[int | None]:
        """Return the id of each task's row that was made or used last; None if it has none."""
        with self._connected() as db:
            return _latest_ids(db, names)

    def use_latest(self, names: Iterable[str]) -> list[int | None]:
        """Do the same, and note that those rows are used now.

        They stay the last of their tasks. So it is enough to note it for all at once, until some are evicted.
        """
        with self._writing() as db:
            found = _latest_ids(db, names)
            there = [row for row in found if row is not None]
            db.execute("INSERT INTO uses VALUES (?, ?)", (time.time(), json.dumps(there)))
            if db.execute("SELECT count(*) FROM uses").fetchone()[0] > _USES:
                _settle(db)
        return found

    def manifest(self, first: bytes) -> tuple[Any, Any] | None:
        """Return the manifest of tasks of which this is the first, and its signature."""
        with self._connected() as db:
            query = "SELECT data, signature FROM manifests WHERE first = ?"
            found: tuple[Any, Any] | None = db.execute(query, (first,)).fetchone()
        return found

    def put_manifest(self, first: bytes, data: bytes, signature: bytes) -> None:
        """Add a manifest, in place of one whose first task is the same; the oldest goes if there are many."""
        with self._writing() as db:
            db.execute("DELETE FROM manifests WHERE first = ?", (first,))
            db.execute("INSERT INTO manifests VALUES (NULL, ?, ?, ?)", (first, data, signature))
            query = "DELETE FROM manifests WHERE number <= (SELECT max(number) FROM manifests) - ?"
            db.execute(query, (_MANIFESTS,))

    def put(self, row: Row, publish: Callable[[], object]) -> list[bytes]:
        """Add a row, in place of one with the same key and trace; return the tokens of those that went.

        `publish` is called when the row is as good as there: if one of the two fails, neither stands.
        """
        with self._writing() as db:
            query = "SELECT id, token, trace FROM entries WHERE name = ? AND key = ? ORDER BY used DESC"
            same = db.execute(query, (row.name, row.key)).fetchall()
            kept = [old for old in same if old[2] != row.trace][: _TRACES - 1] if same else same
            gone = [old for old in same if old not in kept]
            db.executemany("DELETE FROM entries WHERE id = ?", [old[:1] for old in gone])
            db.execute(_INSERT, (None, *row[1:], time.time()))
            publish()
        return _tokens(old[1] for old in gone)

    def touch(self, ids: Sequence[int]) -> None:
        """Note that some rows are used now."""
        with self._writing() as db:
            _touch(db, ids)

    def delete(self, ids: Sequence[int]) -> list[bytes]:
        """Remove some rows; return their tokens."""
        chosen = "WHERE id IN (SELECT value FROM json_each(?))"
        return self._delete(chosen, (json.dumps(list(ids)),))

    def forget(self, name: str | None) -> list[bytes]:
        """Remove the rows of a task, or all; return their tokens. What may be a copy of them goes, too."""
        with self._writing() as db:
            db.execute("DELETE FROM manifests")
        return self._delete("", ()) if name is None else self._delete("WHERE name = ?", (name,))

    def evict(self, limit: int, before: float) -> list[bytes]:
        """Remove rows last used before a time, the least recently used first, until `limit` bytes hold."""
        with self._writing() as db:
            _settle(db)
            if self._total(db) > limit:
                db.execute("DELETE FROM manifests")  # they are copies
            excess = self._total(db) - limit
            gone: list[tuple[int, Any]] = []
            query = "SELECT id, token, size FROM entries WHERE used < ? ORDER BY used, id"
            for found, token, size in db.execute(query, (before,)) if excess > 0 else ():
                gone.append((found, token))
                excess -= size if type(size) is int else 0
                if excess <= 0:
                    break
            db.executemany("DELETE FROM entries WHERE id = ?", [(found,) for found, _ in gone])
        return _tokens(token for _, token in gone)

    def total(self) -> int:
        """Return how many bytes all rows take."""
        with self._connected() as db:
            return self._total(db)

    def counts(self) -> dict[str, int]:
        """Return how many rows each task has."""
        with self._connected() as db:
            found = db.execute("SELECT name, count(*) FROM entries GROUP BY name").fetchall()
        return {_text(name): count for name, count in found}

    @contextmanager
    def holding(self) -> Iterator[dict[bytes, int]]:
        """Let nobody else write; the value is which tokens are known, with the rows' ids."""
        with self._writing() as db:
            found = db.execute("SELECT token, id FROM entries WHERE token IS NOT NULL").fetchall()
            yield {token: row for token, row in found if type(token) is bytes}

    def shrink(self) -> None:
        """Give back to the disk what is not needed any more."""
        with self._connected() as db:
            db.execute("PRAGMA incremental_vacuum").fetchall()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def hurry(self) -> None:
        """Wait no longer for other processes: one of them holds the index."""
        with self._connected() as db:
            db.execute(f"PRAGMA busy_timeout = {_HURRIED}").fetchall()

    def renew(self, remove: Callable[[], object]) -> None:
        """Begin anew after damage, unless another process has done so: `remove` deletes the files."""
        with self._lock:
            self._db.close()
            if _identity(self._path) == self._opened:
                remove()
            self._open()

    def is_there(self) -> bool:
        """Say whether its file is the one that was opened."""
        return _identity(self._path) == self._opened

    def close(self) -> None:
        """Close it."""
        with self._lock:
            if self._pid == os.getpid():
                self._db.close()

    def _open(self) -> None:
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._db = self._connect()
        weakref.finalize(self, _close, self._db, os.getpid())
        self._opened = _identity(self._path)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False)
        try:
            db.text_factory = bytes  # damaged text does not raise
            for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "synchronous = NORMAL"):
                db.execute(f"PRAGMA {pragma}").fetchall()
            _check(db)
            if db.execute("PRAGMA page_count").fetchone() == (0,):  # it is new; later it would have no effect
                db.execute("PRAGMA auto_vacuum = INCREMENTAL").fetchall()
            self._choose_journal(db)
            db.executescript(_SCHEMA)
            db.execute(_select("LIMIT 1")).fetchall()
        except BaseException:
            db.close()
            raise
        return db

    def _choose_journal(self, db: sqlite3.Connection) -> None:
        """Turn on the write-ahead log; where that cannot be, on some network drives, the journal stays."""
        end = time.monotonic() + self._timeout
        while db.execute("PRAGMA journal_mode").fetchone() != (b"wal",):
            try:
                db.execute("PRAGMA journal_mode = WAL").fetchall()
            except sqlite3.OperationalError as error:  # SQLite does not wait here, though it could
                if not is_busy(error):
                    return
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)
            else:
                return

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        if self._pid != os.getpid():  # a fork: the connection is the parent's, and stays as it is
            self._left = self._db
            self._open()
        with self._lock:
            yield self._db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                raise

    def _read(self, query: str, values: tuple[Any, ...]) -> list[Row]:
        with self._connected() as db:
            return list(map(_row, db.execute(query, values)))

    def _delete(self, chosen: str, values: tuple[Any, ...]) -> list[bytes]:
        with self._writing() as db:
            tokens = _tokens(token for (token,) in db.execute(f"SELECT token FROM entries {chosen}", values))  # noqa: S608
            db.execute(f"DELETE FROM entries {chosen}", values)  # noqa: S608
        return tokens

    @staticmethod
    def _total(db: sqlite3.Connection) -> int:
        (rows,) = db.execute("SELECT total(size) FROM entries WHERE typeof(size) = 'integer'").fetchone()
        (manifests,) = db.execute("SELECT total(length(data)) FROM manifests").fetchone()
        return int(rows + manifests)


def _check(db: sqlite3.Connection) -> None:
    try:
        db.execute("SELECT value FROM json_each('[]')").fetchall()
    except sqlite3.OperationalError as error:
        version = sqlite3.sqlite_version
        raise sqlite3.NotSupportedError(f"SQLite {version} of this Python has no JSON functions") from error


def _touch(db: sqlite3.Connection, ids: Sequence[int]) -> None:
    chosen = json.dumps(list(ids))
    db.execute("UPDATE entries SET used = ? WHERE id IN (SELECT value FROM json_each(?))", (time.time(), chosen))


def _latest_ids(db: sqlite3.Connection, names: Iterable[str]) -> list[int | None]:
    return [found for (found,) in db.execute(_LATEST_IDS, (json.dumps(list(names)),))]


def _settle(db: sqlite3.Connection) -> None:
    """Note the uses of many entries with each of them."""
    last = db.execute("SELECT max(time), value FROM uses, json_each(ids) GROUP BY value").fetchall()
    db.executemany("UPDATE entries SET used = max(used, ?) WHERE id = ?", last)
    db.execute("DELETE FROM uses")


def _tokens(found: Iterable[Any]) -> list[bytes]:
    return [token for token in found if type(token) is bytes]


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if type(raw) is bytes else str(raw)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino


def _close(db: sqlite3.Connection, owner: int) -> None:
    """Close a connection in the process that opened it; in a fork of that it is not ours to close."""
    if os.getpid() == owner:
        db.close()
