"""A manifest: the small rows of many tasks as one record, which is read and checked in one go.

It is a copy, and saves time only. What counts is the rows: an entry of which the row has gone is not there.
"""

from __future__ import annotations

import pickle
from functools import partial
from typing import TYPE_CHECKING

from graflow_nb.incremental.store.index import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SMALL = 2048
"""Bytes of a row: larger ones are left out, so that a manifest is read quickly."""
_PROTOCOL = 5


class Listed(Row):
    """A row that stood in a manifest: the signature of that holds, and covers it."""


def packed(rows: Iterable[Row]) -> bytes:
    """Return rows, of which the signatures hold, as one record; those left out stand in it by their ids."""
    return pickle.dumps({row.id: _without_signature(row) for row in rows}, _PROTOCOL)


def _without_signature(row: Row) -> tuple[object, ...] | None:
    return (*row[:-1], b"") if len(row.head) + len(row.data) <= _SMALL else None


def unpacked(record: bytes) -> Mapping[int | None, Listed | None]:
    """Return the rows in a record, of which the signature holds, by their ids; None for those left out."""
    return {found: _listed(row) if row else None for found, row in pickle.loads(record).items()}  # noqa: S301 - signed


_listed = partial(tuple.__new__, Listed)
