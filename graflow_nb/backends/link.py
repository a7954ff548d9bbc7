"""A connection between two processes of one machine: messages, with large ones handed over and not copied through.

What is larger than a few pages is written once into memory that has no name in any folder (`os.memfd_create`, or
an unlinked file), and its descriptor is sent. The other side maps it: an array is used where it lies, and written
to in pages of its own. Nothing is left behind, whoever is killed when.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
import tempfile
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    from graflow_nb.backends.packing import Packed

_INLINE = 1 << 16
"""Bytes: what is smaller goes through the connection."""
_ALIGNED = 64
_PIECE = 1 << 30
_CAN_HAND_OVER = hasattr(socket, "send_fds")

Message = tuple[bytes, memoryview, "Sequence[Any]"]
"""What kind it is (one byte), the pickle and its buffers."""


class Link:
    """One end of a connection. Any thread may send; one at a time receives.

    Parameters
    ----------
    connection : Connection
        Of a duplex pipe.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = Lock()
        self._socket = socket.socket(fileno=os.dup(connection.fileno())) if _CAN_HAND_OVER else None

    def send(self, kind: bytes, packed: Packed) -> None:
        """Send a message.

        Raises
        ------
        OSError
            If nobody is there any more.
        """
        lengths = (packed.stream.nbytes, *(buffer.nbytes for buffer in packed.buffers))
        size = sum(lengths)
        handed = self._handed_over(packed) if size >= _INLINE and self._socket is not None else None
        head = struct.pack(f"<ccI{len(lengths)}Q", kind, b"i" if handed is None else b"h", len(lengths), *lengths)
        with self._sending:
            if handed is None:
                self._connection.send_bytes(b"".join((head, packed.stream, *packed.buffers)))
                return
            try:
                self._connection.send_bytes(head)
                socket.send_fds(self._socket, [b"h"], [handed])  # type: ignore[arg-type]
            finally:
                os.close(handed)

    def receive(self) -> Message:
        """Wait for a message.

        Raises
        ------
        EOFError, OSError
            If nobody is there any more.
        """
        data = memoryview(bytearray(self._connection.recv_bytes()))  # bytearray: what is in it may be written to
        kind, way, count = struct.unpack_from("<ccI", data)
        start = struct.calcsize("<ccI")
        lengths = struct.unpack_from(f"<{count}Q", data, start)
        if way == b"i":
            return kind, *_parts(data[start + 8 * count :], lengths, 1)
        assert self._socket is not None
        _, handed, _, _ = socket.recv_fds(self._socket, 1, 1)
        try:
            mapped = mmap.mmap(handed[0], 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        finally:
            os.close(handed[0])
        return kind, *_parts(memoryview(mapped), lengths, _ALIGNED)

    def close(self) -> None:
        """Close this end."""
        with suppress(OSError):
            self._connection.close()
        if self._socket is not None:
            self._socket.close()

    def _handed_over(self, packed: Packed) -> int | None:
        """Write it into memory without a name; None if there is not enough of that."""
        handed = -1
        try:
            handed = _nameless()
            for piece in (packed.stream, *packed.buffers):
                _write(handed, piece)
        except OSError:
            if handed >= 0:
                os.close(handed)
            return None
        return handed


def _parts(data: memoryview, lengths: Sequence[int], aligned: int) -> tuple[memoryview, list[memoryview]]:
    parts, place = [], 0
    for length in lengths:
        parts.append(data[place : place + length])
        place += -(-length // aligned) * aligned
    return parts[0], parts[1:]


def _nameless() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("graflow", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _write(handed: int, data: memoryview) -> None:
    for start in range(0, data.nbytes, _PIECE):
        left = data[start : start + _PIECE]
        while left.nbytes:
            left = left[os.write(handed, left) :]
    if rest := -data.nbytes % _ALIGNED:
        os.write(handed, bytes(rest))
