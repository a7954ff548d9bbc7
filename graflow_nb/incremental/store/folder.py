"""The folder of a disk store: what is in it, what may be deleted, and which runs go on.

::

    .graflow_nb/
        graflow_nb-store-1      the marker: the folder is ours; the number is the format
        CACHEDIR.TAG            for programs that make backups
        .gitignore
        0123456789abcdef/       what was signed with one key
            index.sqlite
            values/             one file each, named at random; *.part while it is written
            runs/               a locked file for each run that goes on
"""

from __future__ import annotations

import os
import re
import secrets
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FORMAT = 1
"""Counts up when an older version could not read what is written now, or the other way round."""
_MARKER = "graflow_nb-store-"
_SIGNED = re.compile(r"[0-9a-f]{16}")
_VALUE = re.compile(r"[0-9a-f]{32}\.value")
_PART = re.compile(r"[0-9a-f]{32}\.part")
_RUN = re.compile(r"[0-9a-f]{32}\.run")
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of graflow_nb: it can be made again.\n"
_INDEX = ("index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "index.sqlite-journal")


class NotOurs(Exception):  # noqa: N818 - a state of the folder that is told to the user
    """The folder is not to be touched; the message says why."""


class Folder:
    """A folder that is ours to write to.

    Parameters
    ----------
    root : Path
        It is made if it is not there, or marked as ours if it is empty.
    identity : str
        Of the key that its content is signed with.

    Attributes
    ----------
    foreign : tuple of str
        Identities of other keys that have content here.

    Raises
    ------
    NotOurs
        If it holds other things, or another format.
    OSError
        If it cannot be made.
    """

    def __init__(self, root: Path, identity: str) -> None:
        self.root = root
        _claim(root)
        self._mine = root / identity
        self.index = self._mine / _INDEX[0]
        self._values = self._mine / "values"
        self._runs = self._mine / "runs"
        for folder in (self._mine, self._values, self._runs):
            folder.mkdir(mode=0o700, exist_ok=True)
        for path in (self._mine, self.index, self._values, self._runs):
            if path.is_symlink():  # it could lead to files that are not ours
                raise NotOurs(f"{path} is a link")
        names = (path.name for path in root.iterdir())
        self.foreign = tuple(sorted(name for name in names if _SIGNED.fullmatch(name) and name != identity))

    def value_file(self, token: bytes) -> Path:
        """Return where a value is or will be."""
        return self._values / f"{token.hex()}.value"

    def new_part(self) -> tuple[bytes, Path, BinaryIO]:
        """Open a new file to write a value to: its token, its path while it is written, and the stream."""
        return _new_locked(self._values, "part")

    def value_tokens(self) -> Iterator[bytes]:
        """Go through the values that are there."""
        yield from (bytes.fromhex(path.stem) for path in _named(self._values, _VALUE))

    def remove_parts(self) -> int:
        """Remove what nobody is writing any more; return how many that were."""
        return sum(_remove_if_left(path) for path in _named(self._values, _PART))

    @contextmanager
    def run(self) -> Iterator[None]:
        """Note that a run goes on, for as long as the context stands."""
        try:
            began = time.time()
            _, path, stream = _new_locked(self._runs, "run")
            os.utime(path, (began, began))  # the file system's clock is a coarse one
        except OSError:  # a full disk, say: other processes will not know of it
            yield
            return
        try:
            yield
        finally:
            stream.close()
            with suppress(OSError):
                path.unlink()

    def oldest_run(self) -> float:
        """Return when the oldest run that goes on began; now if there is none."""
        oldest = time.time()
        for path in _named(self._runs, _RUN):
            with suppress(OSError):  # it has just ended
                began = path.stat().st_mtime
                if not _remove_if_left(path):
                    oldest = min(oldest, began)
        return oldest

    def remove_index(self) -> None:
        """Delete the index, of which nothing can be read."""
        for name in _INDEX:
            (self._mine / name).unlink(missing_ok=True)

    def remove_values(self, tokens: Iterable[bytes]) -> None:
        """Delete values, as far as that can be done now."""
        for token in tokens:
            with suppress(OSError):
                self.value_file(token).unlink()


def is_store(root: Path) -> bool:
    """Whether a folder is marked as ours, in whichever format."""
    try:
        return any(path.name.startswith(_MARKER) for path in root.iterdir())
    except OSError:
        return False


def _claim(root: Path) -> None:
    """Make a folder ours, unless it is somebody else's."""
    marker = f"{_MARKER}{FORMAT}"
    if root.exists() and not root.is_dir():
        raise NotOurs(f"{root} is a file, not a folder")
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    present = {path.name for path in root.iterdir()}
    others = sorted(name.removeprefix(_MARKER) for name in present if name.startswith(_MARKER))
    if marker not in present and others:
        raise NotOurs(
            f"{root} was written by another version of graflow_nb (format {others[0]}; this version reads "
            f"{FORMAT}); use that version, or delete the folder"
        )
    if marker not in present and present:
        raise NotOurs(f"{root} holds other files and is not marked as a store; name an empty or a new folder")
    _write_new(root / marker, "")  # first: a process that dies or comes in between sees a folder of ours
    _write_new(root / "CACHEDIR.TAG", _TAG)
    _write_new(root / ".gitignore", "*\n")


def _write_new(path: Path, text: str) -> None:
    with suppress(FileExistsError), path.open("x", encoding="utf-8") as stream:
        stream.write(text)


def _named(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if pattern.fullmatch(path.name)]
    except OSError:
        return []


def _new_locked(folder: Path, kind: str) -> tuple[bytes, Path, BinaryIO]:
    """Make a file, and lock it: the lock goes with the process, however that ends."""
    while True:
        token = secrets.token_bytes(16)
        path = folder / f"{token.hex()}.{kind}"
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        stream = os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)
        try:
            _lock(stream)
        except BlockingIOError:  # somebody tidies up, and took it for one that was left
            stream.close()
            continue
        except OSError:  # a file system without locks
            return token, path, stream
        if os.fstat(stream.fileno()).st_nlink:
            return token, path, stream
        stream.close()


def _remove_if_left(path: Path) -> bool:
    """Delete a file if the process that made it has gone; say whether it was deleted."""
    try:
        with path.open("ab") as stream:
            _lock(stream)
            if os.name == "posix":  # under the lock, so that who has just made it sees that it is gone
                path.unlink()
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _lock(stream: BinaryIO) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: it does not delete what is open
        return
    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
