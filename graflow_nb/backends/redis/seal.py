"""Messages as bytes that cannot be forged, swapped or replayed: signed, for one job, and numbered.

Reading a pickle runs code, so nothing that comes out of a Redis is unpickled before its signature was checked. The
key is the user's own, or that of ``GRAFLOW_NB_SECRET``, which workers share. The signature covers what kind of
message it is, its run, its job and its number, beside what it says.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.core.errors import GraflowError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graflow_nb.backends.packing import Packed
    from graflow_nb.incremental.store.signing import Signer

JOB, MIRROR = b"j", b"m"  # what goes to workers, beside answers
BEGIN, LOST, REFUSED = b"b", b"l", b"r"  # what comes from there, beside questions and outcomes
_FORMAT = b"graflow_nb redis 1"
_SIGNATURE = 32
_HEAD = struct.Struct("<cQII")


class RefusedError(GraflowError):
    """What came out of the Redis is not what one of ours put there, or not at this place."""


class Message(NamedTuple):
    """What was sealed.

    Attributes
    ----------
    kind : bytes
    number : int
        Which message of its stream it is.
    head : mapping
        Plain data.
    stream, buffers
        What was packed.
    """

    kind: bytes
    number: int
    head: Mapping[str, Any]
    stream: memoryview
    buffers: Sequence[memoryview]


class Seal:
    """Seals and opens the messages of one job.

    Parameters
    ----------
    signer : Signer
    run, job : str
    """

    def __init__(self, signer: Signer, run: str, job: str) -> None:
        self._signer = signer
        self._place = (_FORMAT, run.encode(), job.encode())

    def close(
        self, kind: bytes, number: int = 0, head: Mapping[str, Any] | None = None, packed: Packed | None = None
    ) -> bytes:
        """Return a message as bytes."""
        plain = json.dumps(head or {}).encode()
        pieces = [] if packed is None else [packed.stream, *packed.buffers]
        lengths = [piece.nbytes for piece in pieces]
        head_of_all = _HEAD.pack(kind, number, len(plain), len(pieces))
        body = b"".join((head_of_all, struct.pack(f"<{len(pieces)}Q", *lengths), plain, *pieces))
        return self._signer.sign(*self._place, body) + body

    def open(self, data: bytes) -> Message:
        """Return what was sealed.

        Raises
        ------
        RefusedError
            If it was not sealed with this key, for this job.
        """
        signature, body = data[:_SIGNATURE], data[_SIGNATURE:]
        if not self._signer.holds(signature, *self._place, body):
            raise RefusedError("its signature does not hold")
        kind, number, size, count = _HEAD.unpack_from(body)
        lengths = struct.unpack_from(f"<{count}Q", body, _HEAD.size)
        place = _HEAD.size + 8 * count
        head = json.loads(body[place : place + size])
        place += size
        whole, parts = memoryview(bytearray(memoryview(body)[place:])), []  # what is in it may be written to
        start = 0
        for length in lengths:
            parts.append(whole[start : start + length])
            start += length
        return Message(kind, number, head, parts[0] if parts else memoryview(b""), parts[1:])
