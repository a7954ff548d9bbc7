"""Values of Python's own types."""

from __future__ import annotations

import struct
import threading
from array import array
from itertools import compress, repeat
from operator import countOf, is_, not_
from types import (
    BuiltinFunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
)
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from graflow_nb.incremental.code.libraries import is_library, qualified, version
from graflow_nb.incremental.hasher import Hasher, Opaque, register

if TYPE_CHECKING:
    from collections.abc import Sequence

_AT_ONCE = 1 << 14  # items; what is joined at once stays in the processor's cache
_SMALL = 1 << 10  # bytes of a text
_double = struct.Struct("<d").pack


@register(type(None), type(Ellipsis), type(NotImplemented), leaf=True)
def _singleton(hasher: Hasher, value: Any) -> None:
    hasher.tag(type(value).__name__)


@register(range, slice, leaf=True)
def _range(hasher: Hasher, value: range | slice) -> None:
    hasher.values(type(value).__name__, (value.start, value.stop, value.step))


# The commonest types write to the hasher's buffer themselves: a call less is a third of the time.


@register(bool, leaf=True)
def _bool(hasher: Hasher, value: bool) -> None:
    hasher._pieces += b"bool:1;" if value else b"bool:0;"  # noqa: SLF001


@register(int, leaf=True)
def _int(hasher: Hasher, value: int) -> None:
    hasher._pieces += b"int:%x;" % value  # noqa: SLF001


@register(float, leaf=True)
def _float(hasher: Hasher, value: float) -> None:
    hasher._pieces += b"float:" + _double(value)  # noqa: SLF001


@register(complex, leaf=True)
def _complex(hasher: Hasher, value: complex) -> None:
    hasher.bytes("complex", struct.pack("<dd", value.real, value.imag))


@register(str, leaf=True)
def _str(hasher: Hasher, value: str) -> None:
    data = value.encode("utf-8", "surrogatepass")
    if len(data) < _SMALL:
        hasher._pieces += b"str:%d;%b" % (len(data), data)  # noqa: SLF001
    else:
        hasher.bytes("str", data)


@register(bytes, leaf=True)
def _bytes(hasher: Hasher, value: bytes) -> None:
    hasher.bytes("bytes", value)


@register(bytearray, exact=True)
def _bytearray(hasher: Hasher, value: bytearray) -> None:
    hasher.bytes("bytearray", value)


@register(array, exact=True)
def _array(hasher: Hasher, value: array[Any]) -> None:
    hasher.tag(f"array {value.typecode}", value.itemsize)
    hasher.bytes("data", memoryview(value))


@register(memoryview)
def _memory(hasher: Hasher, value: memoryview) -> None:
    hasher.text("memoryview", f"{value.format}{value.shape}")
    hasher.bytes("data", value if value.c_contiguous else value.tobytes())


@register(list, tuple, exact=True)
def _sequence(hasher: Hasher, value: Any) -> None:
    hasher.values(type(value).__name__, value)


@register(dict, MappingProxyType, exact=True)
def _dict(hasher: Hasher, value: Any) -> None:
    hasher.tag(type(value).__name__, len(value))
    for key, item in value.items():
        hasher.value(key)
        hasher.value(item)


@register(TypeVar, ParamSpec)
def _type_variable(hasher: Hasher, value: Any) -> None:
    hasher.text(type(value).__name__, value.__name__)
    hasher.value(value.__bound__)


@register(type(threading.Lock()), type(threading.RLock()), exact=True)
def _lock(hasher: Hasher, value: Any) -> None:
    """Feed a lock: it holds no data."""
    hasher.tag(type(value).__name__)


@register(ModuleType)
def _module(hasher: Hasher, value: ModuleType) -> None:
    if not is_library(value.__name__):  # one of the user's own counts by what is read of it, and who knows what
        raise Opaque(value)
    hasher.text("module", f"{value.__name__}@{version(value.__name__)}")


@register(BuiltinFunctionType, MethodDescriptorType, GetSetDescriptorType)
def _builtin(hasher: Hasher, value: Any) -> None:
    hasher.text("builtin", qualified(value))
    owner = getattr(value, "__self__", None)
    if owner is not None and not isinstance(owner, ModuleType | type):
        hasher.value(owner)


@register(MethodType)
def _method(hasher: Hasher, value: MethodType) -> None:
    hasher.values("method", (value.__func__, value.__self__))


def feed_items(hasher: Hasher, items: Sequence[Any]) -> None:
    """Feed many objects; of runs that are mostly texts, the common case, the texts in one piece.

    Parameters
    ----------
    hasher : Hasher
    items : sequence
        A list, or an array of objects in one dimension: it is looked at piece by piece.
    """
    hasher.tag("items", len(items))
    for start in range(0, len(items), _AT_ONCE):
        piece = items[start : start + _AT_ONCE]
        some: list[Any] = piece if isinstance(piece, list) else piece.tolist()  # type: ignore[attr-defined]
        texts = countOf(map(type, some), str)
        if not texts:
            hasher.values("values", some)
        elif texts == len(some):
            _feed_texts(hasher, some)
        else:
            is_text = list(map(is_, map(type, some), repeat(str)))
            _feed_texts(hasher, list(compress(some, is_text)))
            hasher.bytes("which", bytes(is_text))
            hasher.values("others", list(compress(some, map(not_, is_text))))


def _feed_texts(hasher: Hasher, texts: list[str]) -> None:
    joined = "\0".join(texts)
    if joined.count("\0") == len(texts) - 1:  # then it is plain where one ends
        hasher.tag("texts", len(texts))
    else:
        hasher.text("lengths", repr([*map(len, texts)]))
    hasher.text("joined", joined)
