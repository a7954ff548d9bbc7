"""What goes to a Dask worker and what comes from it, in kinds of its own."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from graflow_nb.backends import versions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BEGIN, LOST = b"b", b"l"
"""What comes from a worker beside what every call elsewhere sends: it has begun; what it was handed is lost."""
SMALL: Final = 1 << 16
"""Bytes: a larger value stays on its worker, a larger message is not sent through the scheduler's log."""


class Wanted(NamedTuple):
    """One of the results that a call is handed as they are.

    Attributes
    ----------
    variable : str or None
    nonce : str
        Of the call that made it.
    print : object
        Its fingerprint when it was made; None if nothing is known of it.
    """

    variable: str | None
    nonce: str
    print: Any


class Letter:
    """A call as it goes to a worker.

    Attributes
    ----------
    call : str
        Names it.
    topic : str
        Under which the worker's messages are listened to.
    packed : (bytes, sequence)
        The job, as `graflow_nb.backends.home.packed_job` made it; the buffers may travel apart.
    wanted : sequence of Wanted
    mirror : (bytes, mapping)
        What the worker takes over, and the digest of that.
    modules : sequence of str
        The user's own modules that are loaded where the call comes from.
    versions : mapping
        `graflow_nb.backends.versions.versions`, where it comes from.
    group : (str, int)
        `group_here`, likewise.
    tells_begin : bool
        Whether somebody wants to know when it begins.
    """

    __slots__ = ("call", "group", "mirror", "modules", "packed", "tells_begin", "topic", "versions", "wanted")

    def __init__(
        self,
        call: str,
        topic: str,
        packed: tuple[bytes, Sequence[Any]],
        wanted: Sequence[Wanted],
        mirror: tuple[bytes, Mapping[str, bytes]],
        modules: Sequence[str],
        *,
        tells_begin: bool,
    ) -> None:
        self.call = call
        self.topic = topic
        self.packed = packed
        self.wanted = wanted
        self.mirror = mirror
        self.modules = modules
        self.versions = versions.versions()
        self.group = group_here()
        self.tells_begin = tells_begin

    def __reduce__(self) -> Any:
        return _letter, tuple(getattr(self, name) for name in self.__slots__)


def _letter(*parts: Any) -> Letter:
    letter = Letter.__new__(Letter)
    for name, part in zip(Letter.__slots__, parts, strict=True):
        setattr(letter, name, part)
    return letter


class Bulk:
    """Large buffers, which go to the workers beside the letters."""

    __slots__ = ("buffers",)

    def __init__(self, buffers: Sequence[Any]) -> None:
        self.buffers = buffers

    def __sizeof__(self) -> int:
        return sum(memoryview(buffer).nbytes for buffer in self.buffers)


class Made:
    """What of a call's values stays on its worker; the result of a Dask task.

    Attributes
    ----------
    nonce : str
        Another one each time that the call is made: Dask may make it again when a worker is lost.
    prints : mapping
        The fingerprints of the values, if any were taken.
    values : mapping
    size : int
        Bytes, roughly: Dask asks how much memory it takes.
    """

    __slots__ = ("nonce", "prints", "size", "values")

    def __init__(
        self, nonce: str, prints: Mapping[str | None, Any], values: Mapping[str | None, Any], size: int
    ) -> None:
        self.nonce = nonce
        self.prints = prints
        self.values = values
        self.size = size

    def __sizeof__(self) -> int:
        return self.size

    def is_still(self, wanted: Wanted) -> bool:
        """Whether it has what was made at first, or the same made again."""
        if wanted.variable not in self.values:
            return False
        return self.nonce == wanted.nonce or wanted.print in {None, self.prints.get(wanted.variable)}


class Left(NamedTuple):
    """Stands in an outcome for a value that stays on the worker.

    Attributes
    ----------
    nonce : str
    size : int
    shown : sequence of str
        It in a few words.
    """

    nonce: str
    size: int
    shown: Sequence[str]


def group_here() -> tuple[str, int]:
    """Return the machine, and the group of processes that this one is in."""
    return socket.gethostname(), os.getpgrp() if hasattr(os, "getpgrp") else 0


def stand_apart(group: tuple[str, int]) -> None:
    """Leave the group of the process that has the run: an interrupt of a cell there is meant for the cell only."""
    if group[1] and group_here() == group:
        os.setpgrp()
