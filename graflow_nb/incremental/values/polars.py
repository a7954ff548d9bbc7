"""Frames and series of polars; a plan that was not carried out is opaque: it may name files."""

from __future__ import annotations

from typing import Any

import polars as pl

from graflow_nb.incremental.hasher import Hasher, Opaque, register
from graflow_nb.incremental.values.builtin import feed_items

_AT_ONCE = 1 << 17  # rows
_PYTHON = (b"PLPY", b"Anonymous", b"cloudpickle")
"""What a serialized expression has in it if it calls a Python function."""


@register(pl.DataFrame)
def _frame(hasher: Hasher, value: Any) -> None:
    hasher.tag("polars", value.width)
    hasher.value(type(value))
    for series in value.get_columns():
        _feed_column(hasher, series)
    hasher.value({name: item for name, item in vars(value).items() if name != "_df"})


@register(pl.Series)
def _series(hasher: Hasher, value: Any) -> None:
    hasher.tag("polars series")
    hasher.value(type(value))
    _feed_column(hasher, value)
    hasher.value({name: item for name, item in vars(value).items() if name != "_s"})


@register(pl.DataType, type(pl.DataType))
def _dtype(hasher: Hasher, value: Any) -> None:
    hasher.text("polars dtype", repr(value))


@register(pl.Expr)
def _expression(hasher: Hasher, value: Any) -> None:
    serialized = value.meta.serialize()
    if any(mark in serialized for mark in _PYTHON):
        raise Opaque(value, "it calls a Python function")
    hasher.bytes("polars expression", serialized)


def _feed_column(hasher: Hasher, series: Any) -> None:
    hasher.text("name", series.name)
    hasher.text("dtype", repr(series.dtype))
    hasher.tag("rows", len(series))
    array = _as_arrow(series)
    if array is None:
        for start in range(0, len(series), _AT_ONCE):
            feed_items(hasher, series[start : start + _AT_ONCE].to_list())
    else:
        from graflow_nb.incremental.values.arrow import feed_chunks

        feed_chunks(hasher, array)


def _as_arrow(series: Any) -> Any:
    """Return a series as an array of pyarrow; None if that is not there, or does not know the type."""
    if "Object" in repr(series.dtype):  # it would be the addresses
        return None
    try:
        return series.to_arrow()
    except Exception:
        return None
