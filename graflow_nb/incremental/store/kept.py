"""Entries as bytes, and back."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from graflow_nb.incremental.code.reads import Part
from graflow_nb.incremental.entry import Entry, Used
from graflow_nb.incremental.store.pickling import Layout

if TYPE_CHECKING:
    from graflow_nb.incremental.store.index import Row

_PROTOCOL = 5
_new = tuple.__new__  # of named tuples: quick, and what is signed has the right length
_used = partial(_new, Used)


class Stored(Entry):
    """An entry that came from a store, with what is needed to load its values.

    Attributes
    ----------
    store : object or None
        Where it came from. None in a changed copy: that is not what is in the store.
    row : Row
    whole : tuple
        What is encoded: the entry, its layout, token and digest.
    """

    store: object | None = None
    row: Row
    whole: tuple[Any, Any, Any, Any]

    def __reduce__(self) -> tuple[type[Entry], tuple[Any, ...]]:
        return Entry, (*self[:2], tuple(self.parts), *self[3:])  # another process has no use for the rest

    @property
    def size(self) -> int:
        """How many bytes it takes."""
        size: int = self.row.size
        return size

    @property
    def layout(self) -> Layout:
        """Where in their bytes the values are."""
        return _new(Layout, self.whole[1])

    @property
    def token(self) -> bytes | None:
        """Names the file with the values, if there is one."""
        token: bytes | None = self.whole[2]
        return token

    @property
    def digest(self) -> bytes:
        """Of the file."""
        digest: bytes = self.whole[3]
        return digest


def encoded(entry: Entry, layout: Layout, token: bytes | None, digest: bytes) -> bytes:
    """Return all of an entry but its name and key, and where its values are."""
    parts = pickle.dumps(tuple(map(tuple, entry.parts)), _PROTOCOL)
    plain = entry._replace(sources=dict(entry.sources))  # what is only plain is read most quickly
    fields = (parts, tuple(map(tuple, entry.trace)), *plain[4:])
    return pickle.dumps((fields, tuple(layout), token, digest), _PROTOCOL)


def decoded(row: Row, name: str, store: object) -> Stored:
    """Return the entry of a task in a row, of which the signature holds."""
    whole = pickle.loads(row.head)  # noqa: S301 - signed, checked
    parts, trace, *fields = whole[0]
    kept = _new(Stored, (name, row.key, _Parts(parts), tuple(map(_used, trace)) if trace else (), *fields))
    kept.store, kept.row, kept.whole = store, row, whole
    return kept


class _Parts(Sequence[Part]):
    """The parts of an entry, decoded when they are looked at: it takes long, and a hit does not need them."""

    __slots__ = ("_encoded", "_parts")

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded
        self._parts: tuple[Part, ...] | None = None

    def __getitem__(self, index: Any) -> Any:
        return self._decoded()[index]

    def __len__(self) -> int:
        return len(self._decoded())

    def __eq__(self, other: object) -> bool:
        return self._decoded() == (other._decoded() if isinstance(other, _Parts) else other)

    def __hash__(self) -> int:
        return hash(self._decoded())

    def __repr__(self) -> str:
        return repr(self._decoded())

    def _decoded(self) -> tuple[Part, ...]:
        if self._parts is None:
            self._parts = tuple(map(Part._make, pickle.loads(self._encoded)))  # noqa: S301 - signed, checked
        return self._parts
