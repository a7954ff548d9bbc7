"""Arrays, scalars and types of numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graflow_nb.incremental.hasher import Hasher, Opaque, register
from graflow_nb.incremental.values.builtin import feed_items
from graflow_nb.incremental.values.caches import members
from graflow_nb.incremental.values.objects import feed_object

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT_ONCE = 1 << 17  # items of an array that is not in one piece
_LONG_DOUBLE = 10 if np.finfo(np.longdouble).nmant == 63 else 0  # noqa: PLR2004 - bytes used of the 16 of an x86
_ITS_OWN = frozenset({"_mask", "_fill_value", "_hardmask", "_sharedmask", "_isfield", "_baseclass", "_optinfo"})


@register(np.ndarray)
def feed_array(hasher: Hasher, value: Any) -> None:
    """Feed an array: its type, shape, order and items, in pieces if they do not lie in one."""
    order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
    hasher.tag("ndarray", value.ndim)
    if type(value) is not np.ndarray:
        _feed_subclass(hasher, value)
        value = value.view(np.ndarray)
    _feed_dtype(hasher, value.dtype)
    hasher.text(order, repr(value.shape))
    _feed_data(hasher, value.T if order == "F" else value)


def _feed_subclass(hasher: Hasher, value: Any) -> None:
    hasher.value(type(value))
    is_masked = isinstance(value, np.ma.MaskedArray)
    if is_masked:
        is_none = value.mask.dtype == bool and not value.mask.any()
        hasher.values("masked", (None if is_none else value.mask, value.fill_value, value.hardmask))
        hasher.value({k: v for k, v in value._optinfo.items() if v})  # noqa: SLF001
    ignored = _ITS_OWN | {"_basedict"} if is_masked else ()
    if not isinstance(value, np.memmap):
        own = getattr(value, "__dict__", {})
        hasher.value([{name: item for name, item in own.items() if name not in ignored}, members(value)])


@register(*{type(np.dtype(kind)) for kind in np.sctypeDict.values()}, leaf=True)
def _feed_dtype(hasher: Hasher, value: Any) -> None:
    hasher.text("dtype", f"{value.str}{value.name}" if value.kind == "V" else value.str)
    if value.metadata:
        hasher.value(dict(value.metadata))
    if value.names:
        hasher.tag("fields", len(value.names))
        for name in value.names:
            hasher.value((name, *value.fields[name][1:]))
            _feed_dtype(hasher, value.fields[name][0])
    elif value.subdtype:
        hasher.value(value.shape)
        _feed_dtype(hasher, value.base)
    elif value.kind == "T":
        hasher.values("texts", (value.coerce, getattr(value, "na_object", "none")))


def _feed_data(hasher: Hasher, value: Any) -> None:
    if value.dtype.names:  # between its fields may lie what is no content
        for name in value.dtype.names:
            _feed_data(hasher, value[name])
    elif value.dtype.hasobject or value.dtype.kind == "T":
        feed_items(hasher, value.ravel() if value.dtype.hasobject else value.ravel().tolist())
    else:
        hasher.tag("data", value.nbytes)
        for piece in _pieces(value):
            hasher.raw(_bytes_of(piece))


def _pieces(value: Any) -> Iterator[Any]:
    if value.flags.c_contiguous:
        yield value.reshape(-1)
    elif value.size:
        yield from np.nditer(value, ["external_loop", "buffered"], order="C", buffersize=_AT_ONCE)


def _bytes_of(flat: Any) -> Any:
    flat = np.ascontiguousarray(flat)
    if not flat.dtype.itemsize:
        return b""
    data = flat.view(np.uint8)
    if _LONG_DOUBLE and flat.dtype.type in {np.longdouble, np.clongdouble}:
        data = np.ascontiguousarray(data.reshape(-1, 16)[:, :_LONG_DOUBLE])
    return data


@register(type(np.ma.masked))
def _masked(hasher: Hasher, _: Any) -> None:
    hasher.tag("masked constant")


@register(np.generic)
def _scalar(hasher: Hasher, value: Any) -> None:
    if type(value).__module__ != "numpy":
        feed_object(hasher, value)
    elif isinstance(value, np.object_):
        raise Opaque(value)
    else:
        hasher.tag("numpy")
        feed_array(hasher, np.asarray(value))


if hasattr(np.dtypes, "StringDType"):
    register(np.dtypes.StringDType, leaf=True)(_feed_dtype)
for _kind in {*np.sctypeDict.values()} - {np.void, np.object_}:
    register(_kind, leaf=True)(_scalar)
