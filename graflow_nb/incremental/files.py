"""Files and folders: which ones code and arguments name, and what is in them."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash

from graflow_nb.incremental.fingerprint import Hasher, register

if TYPE_CHECKING:
    from io import FileIO

    AnyPath = str | bytes | os.PathLike[Any]

ABSENT = b"absent"
UNREADABLE = b"unreadable"
_LONGEST = 1_000  # characters of a path
_PIECE = 1 << 20  # bytes read at once
_SETTLED = 2_000_000_000  # ns: within that of a change another one may leave the same times (FAT counts in 2 s)
_KEPT = 10_000  # digests that are remembered
_TRIES = 3  # at reading a file that changes meanwhile


class File(os.PathLike[str]):
    """A file or folder as a value: what counts is what is in it.

    Return it from a task that writes a file. Readers then run again exactly if the content is another, whatever
    the file's times say, and use it like any path.

    Parameters
    ----------
    path : str or path-like
        As long as there is nothing, its being absent is its content.

    Attributes
    ----------
    path : pathlib.Path

    Examples
    --------
    >>> from graflow_nb.incremental.fingerprint import fingerprint
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> report = File(Path(folder.name, "report.txt"))
    >>> absent = fingerprint(report)
    >>> _ = report.path.write_text("42")
    >>> fingerprint(report) != absent, report.path.read_text()
    (True, '42')
    >>> folder.cleanup()
    """

    __slots__ = ("path",)

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"File({str(self)!r})"

    def __str__(self) -> str:
        return str(self.path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and other.path == self.path

    def __hash__(self) -> int:
        return hash((File, self.path))


@register(File)
def _file(hasher: Hasher, file: File) -> None:
    hasher.text("File", str(file))  # a reader can tell the same content in two places apart
    hasher.bytes("content", content_digest(file))


def state_of(path: AnyPath) -> tuple[int, ...]:
    """Return what of a file's status changes when it is written: device, inode, size and times; () if absent."""
    try:
        return _state(os.stat(path))  # noqa: PTH116 - a third of the time, and done for every text that may be a path
    except (OSError, ValueError):
        return ()


def content_digest(path: AnyPath) -> bytes:
    """Return a digest of what is in a file or folder.

    A file is read again only if its inode, size or times have changed, or were young when it was read last.

    Parameters
    ----------
    path : str or path-like
        A folder counts with the names and content of all that is in it.

    Returns
    -------
    bytes
        `ABSENT` and `UNREADABLE` say what they mean. What has no content that stays, a pipe or a terminal, never
        gives the same digest twice.
    """
    return _digest(os.fsdecode(path), ())


def _digest(path: str, above: tuple[tuple[int, int], ...]) -> bytes:
    try:
        found = os.stat(path)  # noqa: PTH116 - see above
        if stat.S_ISREG(found.st_mode):
            return _digests.get(_state(found)) or _read(path)
        if stat.S_ISDIR(found.st_mode):
            return _folder(path, found, above)
    except PermissionError:
        return UNREADABLE
    except (OSError, ValueError):
        return ABSENT
    return b"empty" if Path(path).samefile(os.devnull) else os.urandom(16)


def _folder(path: str, found: os.stat_result, above: tuple[tuple[int, int], ...]) -> bytes:
    identity = (found.st_dev, found.st_ino)
    if identity in above:  # a link back: how far up is all there is to say
        return b"loop:%d" % (len(above) - above.index(identity))
    digest = xxhash.xxh3_128(b"folder")
    for name in sorted(os.listdir(path)):  # noqa: PTH208 - as above
        inside = _digest(f"{path}{os.sep}{name}", (*above, identity))
        for piece in (os.fsencode(name), inside):
            digest.update(b"%d:" % len(piece))
            digest.update(piece)
    return digest.digest()


def _read(path: str) -> bytes:
    """Read a file, and remember its digest if what its status says is sure to change with its content."""
    for _ in range(_TRIES):
        with Path(path).open("rb", buffering=0) as file:
            before = _state(os.fstat(file.fileno()))
            begun = time.time_ns()
            digest = _content(file)
            if _state(os.fstat(file.fileno())) == before:
                if begun - max(before[3:]) > _SETTLED:
                    _remember(before, digest)
                return digest
    return os.urandom(16)  # it is being written: nobody can say what a reader would see


def _content(file: FileIO) -> bytes:
    digest = xxhash.xxh3_128()
    piece = memoryview(bytearray(_PIECE))
    while count := file.readinto(piece):
        digest.update(piece[:count])
    return digest.digest()


def _state(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


_digests: dict[tuple[int, ...], bytes] = {}


def _remember(state: tuple[int, ...], digest: bytes) -> None:
    while len(_digests) >= _KEPT:
        _digests.pop(next(iter(_digests), ()), None)  # the oldest
    _digests[state] = digest
