"""Frames, series, indices and columns of pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from graflow_nb.incremental.hasher import Hasher, register
from graflow_nb.incremental.values.numpy import feed_array
from graflow_nb.incremental.values.objects import feed_object

_AT_ONCE = 1 << 17  # items of a masked column
_ITS_OWN = frozenset(
    {"_mgr", "_attrs", "_flags", "_name", "_item_cache", "_is_copy", "_cacher", "_typ", "_metadata"}
)
_TIMES = (pd.arrays.DatetimeArray, pd.arrays.TimedeltaArray, pd.arrays.PeriodArray)
_MASKED = (pd.arrays.IntegerArray, pd.arrays.FloatingArray, pd.arrays.BooleanArray)


@register(pd.DataFrame)
def _frame(hasher: Hasher, value: Any) -> None:
    # Column by column: how pandas groups columns in memory changes when they are merely read.
    _feed_head(hasher, value)
    hasher.value(value.columns)
    for column in value._iter_column_arrays():  # noqa: SLF001 - the public way takes 20 us for each
        _feed_column(hasher, column)


@register(pd.Series)
def _series(hasher: Hasher, value: Any) -> None:
    _feed_head(hasher, value)
    hasher.value(value.name)
    _feed_column(hasher, value.array)


def _feed_head(hasher: Hasher, value: Any) -> None:
    hasher.tag("pandas")
    hasher.value(type(value))
    hasher.value(value.index)
    hasher.value(value.attrs)
    hasher.value(value.flags.allows_duplicate_labels)
    own = {name: getattr(value, name, None) for name in value._metadata if name != "_name"}  # noqa: SLF001
    set_on_it = vars(value).keys() - _ITS_OWN - type(value)._accessors - own.keys()  # noqa: SLF001 - .str is kept there
    hasher.value(own | {name: vars(value)[name] for name in sorted(set_on_it)})


@register(
    *(pd.Index, pd.RangeIndex, pd.MultiIndex, pd.CategoricalIndex, pd.IntervalIndex),
    *(pd.DatetimeIndex, pd.TimedeltaIndex, pd.PeriodIndex),
    leaf=True,
)
def _index(hasher: Hasher, value: Any) -> None:
    hasher.text("index", type(value).__name__)
    hasher.value(list(value.names))
    if isinstance(value, pd.RangeIndex):
        hasher.values("range", (value.start, value.stop, value.step))
    elif isinstance(value, pd.MultiIndex):
        hasher.values("levels", value.levels)
        for codes in value.codes:
            feed_array(hasher, np.asarray(codes))
    else:
        _feed_frequency(hasher, value)
        _feed_column(hasher, value.array)


def _feed_frequency(hasher: Hasher, value: Any) -> None:
    frequency = getattr(value, "freq", None)
    if frequency is not None:
        feed_object(hasher, frequency)  # not as one that could be shared


def _feed_column(hasher: Hasher, array: Any) -> None:
    """Feed an array of pandas, without what it remembers of having been read."""
    if isinstance(array, np.ndarray):
        feed_array(hasher, array)
    elif isinstance(array, pd.arrays.NumpyExtensionArray) and not isinstance(array.dtype, pd.StringDtype):
        feed_array(hasher, array.to_numpy())
    elif isinstance(array, _MASKED):
        _feed_masked(hasher, array)
    elif isinstance(array, pd.arrays.ArrowExtensionArray):
        from graflow_nb.incremental.values.arrow import feed_chunks

        _feed_dtype(hasher, array.dtype)
        feed_chunks(hasher, array._pa_array)  # noqa: SLF001 - the public way copies
    elif isinstance(array, pd.arrays.SparseArray):
        _feed_dtype(hasher, array.dtype)
        feed_array(hasher, array.sp_index.to_int_index().indices)
        _feed_column(hasher, array.sp_values)
    elif _parts(array) is None:
        feed_object(hasher, array)
    else:
        _feed_dtype(hasher, array.dtype)
        _feed_frequency(hasher, array)
        for part in _parts(array) or ():
            feed_array(hasher, part)


def _parts(array: Any) -> list[Any] | None:
    if isinstance(array, pd.Categorical):
        return [array.codes]
    if isinstance(array, _TIMES):
        return [array.asi8]
    if isinstance(array.dtype, pd.StringDtype) and isinstance(array, pd.arrays.NumpyExtensionArray):
        return [np.asarray(array._ndarray)]  # noqa: SLF001 - the public way copies
    if isinstance(array, pd.arrays.IntervalArray):
        return [np.asarray(array.left), np.asarray(array.right)]
    return None


def _feed_masked(hasher: Hasher, array: Any) -> None:
    _feed_dtype(hasher, array.dtype)
    feed_array(hasher, array._mask)  # noqa: SLF001
    if not array._mask.any():  # noqa: SLF001
        feed_array(hasher, array._data)  # noqa: SLF001
        return
    for start in range(0, len(array), _AT_ONCE):
        some = array[start : start + _AT_ONCE]
        feed_array(hasher, np.where(some._mask, some._data.dtype.type(0), some._data))  # noqa: SLF001


@register(pd.api.extensions.ExtensionArray)
def _array(hasher: Hasher, value: Any) -> None:
    hasher.value(type(value))
    _feed_column(hasher, value)


@register(pd.api.extensions.ExtensionDtype)
def _feed_dtype(hasher: Hasher, value: Any) -> None:
    if isinstance(value, np.dtype):
        hasher.value(value)
        return
    hasher.value(type(value))
    hasher.values(str(value), [getattr(value, name, None) for name in value._metadata])  # noqa: SLF001


register(pd.Timestamp, pd.Timedelta, pd.Period, pd.Interval, type(pd.NaT), type(pd.NA), leaf=True)(feed_object)
