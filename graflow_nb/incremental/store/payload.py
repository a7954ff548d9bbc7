"""The bytes of an entry's values: within its row while they are small, else in a file, with their digest."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from graflow_nb.incremental.store.pickling import Layout, Lost, pack, unpicklable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from graflow_nb.incremental.store.folder import Folder

_IN_ROW = 32 * 2**10
"""Bytes: larger values have a file of their own."""
_PIECE = 2**20
"""Bytes that are hashed and moved at once: they fit into the processor's cache."""


class TooLarge(Exception):  # noqa: N818 - the user is told
    """The values take more than they may."""


class Payload:
    """Values on their way to the disk.

    Use it in a ``with`` statement: what was not published when that ends is removed.

    Parameters
    ----------
    files : Folder
    limit : int
        Bytes that the values may take.

    Attributes
    ----------
    token : bytes or None
        Names the file, if there is one.
    """

    def __init__(self, files: Folder, limit: int) -> None:
        self._files = files
        self._limit = limit
        self._failed: Exception | None = None
        self._path: Path | None = None
        self.token: bytes | None = None
        self._stream: BinaryIO | None = None
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    @property
    def data(self) -> bytes:
        """The bytes, if there is no file."""
        return bytes(self._small)

    @property
    def digest(self) -> bytes:
        """Of what is in the file, if there is one."""
        return self._hash.digest() if self.token is not None else b""

    def pack(self, values: Mapping[str | None, Any]) -> tuple[Layout, tuple[str, ...]]:
        """Take the values that can be pickled; return where they are, and why the others cannot be kept.

        Raises
        ------
        TooLarge
        OSError
            If the disk fails.
        """
        try:
            return self._finished(pack(values, self)), ()
        except Exception as error:
            if self._failed is not None:
                raise self._failed from None
            refused = unpicklable(values) or dict.fromkeys(
                values, f"the values cannot be pickled together ({error})"
            )
        self._drop()
        self._start()
        rest = {name: value for name, value in values.items() if name not in refused}
        kept, more = self.pack(rest) if rest else (Layout(), ())
        return kept, (*dict.fromkeys(refused.values()), *more)

    def write(self, data: Any) -> int:
        """Take bytes, from pickle."""
        length = len(data)
        try:
            self._take(data, length)
        except Exception as error:
            self._failed = error  # whatever becomes of it on its way through objects that pickle themselves
            raise
        return length

    def publish(self) -> None:
        """Give the file its name."""
        if self.token is not None and self._path is not None:
            if os.name != "posix" and self._stream is not None:
                self._stream.close()  # Windows renames no open file
            self._path = self._path.replace(self._files.value_file(self.token))

    def keep(self) -> None:
        """Leave the file where it is: its row is there."""
        self._path = None

    def _start(self) -> None:
        self.token = self._stream = None
        self._small = bytearray()
        self._size = 0
        self._hash = hashlib.sha256()

    def _take(self, data: Any, length: int) -> None:
        self._size += length
        if self._size > self._limit:
            raise TooLarge(f"they take more than {self._limit} bytes")
        if self._stream is None and self._size > _IN_ROW:
            self.token, self._path, self._stream = self._files.new_part()
            self._to_file(self._small)
            self._small = bytearray()
        if self._stream is None:
            self._small += data
        else:
            self._to_file(data)

    def _to_file(self, data: Any) -> None:
        assert self._stream is not None
        with memoryview(data) as whole:
            start = 0
            while start < len(whole):
                piece = whole[start : start + _PIECE]
                written = self._stream.write(piece)
                self._hash.update(piece[:written])
                start += written

    def _finished(self, layout: Layout) -> Layout:
        if self._stream is not None:
            os.fsync(self._stream.fileno())
        return layout

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None


def read(path: Path, layout: Layout, digest: bytes) -> tuple[bytearray, list[bytearray]]:
    """Return the pickle in a file, and the buffers, which may be written to.

    Raises
    ------
    Lost
        If its content is not what was written.
    OSError
        If it cannot be read.
    """
    content = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        if os.fstat(stream.fileno()).st_size != layout.size:
            raise Lost("its file is damaged: it has another length")
        parts = []
        for length in (layout.pickle, *layout.buffers):
            part = bytearray(length)
            for piece in _pieces(stream, part):
                content.update(piece)
            parts.append(part)
    if content.digest() != digest:
        raise Lost("its file is damaged: it has another content")
    return parts[0], parts[1:]


def _pieces(stream: BinaryIO, part: bytearray) -> Iterator[memoryview]:
    with memoryview(part) as whole:
        start = 0
        while start < len(whole):
            with whole[start : start + _PIECE] as room:
                count = stream.readinto(room)  # type: ignore[attr-defined]
                if not count:
                    raise Lost("its file is damaged: it ends too soon")
                yield room[:count]
            start += count
