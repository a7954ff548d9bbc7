"""The fingerprints of what a task made: what they say of values that may have been changed since."""

from __future__ import annotations

import ast
import os
from typing import TYPE_CHECKING, Any

import xxhash

from graflow_nb.core.away import Away
from graflow_nb.incremental.fingerprint import Opaque, measured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graflow_nb.incremental.code.parts import Part

PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, Away})
"""Types whose values cannot be changed in place here: what was hashed once is as it was."""
_IDENTITY = b"run:"
"""Marks the fingerprint of a value without content: it stands for the run that made it."""
_JOINED = b"all:"
"""Marks the fingerprint of a list that is made of those of its items."""
_SIZE = len(_JOINED) + 16
"""How long that is, without what follows if items of it are such lists."""


def print_of(value: Any) -> tuple[bytes, int]:
    """Return a value's fingerprint, and how many bytes were hashed.

    An iterator has no content that lasts: whoever reads it uses it up.
    """
    if hasattr(type(value), "__next__"):
        return no_content(), 0
    try:
        return measured(value)
    except Opaque:
        return no_content(), 0


def content_of(value: Any) -> bytes | None:
    """Return a value's fingerprint; None if it has no content that could be compared."""
    print_ = print_of(value)[0]
    return None if is_identity(print_) else print_


def no_content() -> bytes:
    """Return a new fingerprint of something that has no content that could be compared."""
    return _IDENTITY + os.urandom(12)


def joined(fingerprints: Sequence[bytes]) -> bytes:
    """Return the fingerprint of a list of values, made of theirs: none of them need be at hand."""
    whole = b"".join(b"%d:%b" % (len(one), one) for one in fingerprints)
    shape = {i: _shape(one) for i, one in enumerate(fingerprints) if one.startswith(_JOINED)}
    digest = _JOINED + xxhash.xxh3_128_digest(whole) + (repr(shape).encode() if shape else b"")
    return _IDENTITY + digest if any(map(is_identity, fingerprints)) else digest


def is_identity(fingerprint: bytes | None) -> bool:
    """Whether a fingerprint stands for a run, and not for content."""
    return fingerprint is not None and fingerprint.startswith(_IDENTITY)


def stand_for_run(parts: Iterable[Part]) -> bool:
    """Whether a part of a key comes from an input that has no content, and stands for the run that made it."""
    for kind, _, digest, _ in parts:  # noqa: SIM110 - as below
        if kind == "input" and digest is not None and _IDENTITY in digest:
            return True
    return False


def is_as_it_was(value: Any, was: bytes) -> bool:
    """Whether a value still has the fingerprint that it had; one without content always has."""
    if type(value) in PLAIN or is_identity(was):
        return True
    if was.startswith(_JOINED):
        return _joined_as(value, _shape(was)) == was
    return print_of(value)[0] == was


def _shape(was: bytes) -> dict[int, Any]:
    """Return which items of a list have a fingerprint that is made of those of theirs, and their shapes."""
    shape: dict[int, Any] = ast.literal_eval(was[_SIZE:].decode() or "{}")
    return shape


def _joined_as(value: Iterable[Any], shape: Mapping[int, Any]) -> bytes:
    items = enumerate(value)
    return joined([_joined_as(item, shape[i]) if i in shape else print_of(item)[0] for i, item in items])


def is_intact(values: Mapping[str | None, Any], prints: Mapping[str | None, bytes]) -> bool:
    """Whether values are as they were when they were made."""
    for variable, value in values.items():  # a loop: this is asked for each task of each run
        if type(value) not in PLAIN and not is_as_it_was(value, prints[variable]):
            return False
    return True
