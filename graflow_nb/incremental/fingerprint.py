"""Content hashes of values: equal content, equal fingerprint, in any process.

Everything is type-tagged and length-prefixed, so that no two different structures are fed alike. A value
whose content cannot be known (a connection, a generator) has no fingerprint: `Opaque` is raised, never a
constant returned. Objects are taken apart as pickle would, by `__reduce_ex__`, but without pickle's
dependence on identity and order.
"""

from __future__ import annotations

import copyreg
import struct
import sys
import threading
from functools import cached_property
from types import (
    BuiltinFunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
)
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import xxhash

from graflow_nb.incremental.libraries import is_library, qualified, version

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[["Hasher", Any], None]

_PROTOCOL = 5  # of pickle: buffers are handed out, not copied
_IMMUTABLE = frozenset({type(None), bool, int, float, complex, str, bytes})
_OPAQUE_LIBRARIES = frozenset({"matplotlib"})
"""Libraries whose objects change by being looked at (a figure caches what it draws)."""


class Opaque(Exception):  # noqa: N818 - not an accident, an answer
    """A value has no content that could be hashed."""

    def __init__(self, value: object) -> None:
        kind = type(value)
        what = value if isinstance(value, str) else f"{kind.__module__}.{kind.__qualname__}"
        super().__init__(what.removeprefix("builtins."))


class Hasher:
    """Feeds values to a hash.

    An object that can change is fed once; where it stands again, a reference to the first place is fed:
    whether two places hold one object is part of a value, and cycles end.
    """

    def __init__(self) -> None:
        self._hash = xxhash.xxh3_128()
        self._seen: dict[int, int] = {}
        self._alive: list[object] = []  # an id is good only while its object lives

    def digest(self) -> bytes:
        """Return the hash of all that was fed, 16 bytes."""
        return self._hash.digest()

    def tag(self, tag: str, length: int = 0) -> None:
        """Feed what comes next."""
        self._hash.update(b"%s:%d;" % (tag.encode(), length))

    def bytes(self, tag: str, data: bytes | memoryview) -> None:
        """Feed a run of bytes."""
        self.tag(tag, memoryview(data).nbytes)
        self._hash.update(data)

    def text(self, tag: str, text: str) -> None:
        """Feed a text."""
        self.bytes(tag, text.encode("utf-8", "surrogatepass"))

    def value(self, value: Any) -> None:
        """Feed any value.

        Raises
        ------
        Opaque
            If it, or something in it, has no content to hash.
        """
        kind = type(value)
        if kind not in _IMMUTABLE and self._was_here(value):
            return
        handler = _HANDLERS.get(kind) or _inherited(kind)
        handler(self, value)

    def values(self, tag: str, values: Any) -> None:
        """Feed a sequence of values."""
        self.tag(tag, len(values))
        for value in values:
            self.value(value)

    def _was_here(self, value: object) -> bool:
        place = self._seen.get(id(value))
        if place is not None:
            self.tag("ref", place)
            return True
        self._seen[id(value)] = len(self._seen)
        self._alive.append(value)
        return False


def fingerprint(value: Any) -> bytes:
    """Return the content hash of a value, 16 bytes.

    Raises
    ------
    Opaque
        If its content cannot be known.

    Examples
    --------
    >>> fingerprint([1, 2]) == fingerprint([1, 2]), fingerprint(1) == fingerprint(True)
    (True, False)
    >>> fingerprint(n for n in [1, 2])
    Traceback (most recent call last):
        ...
    graflow_nb.incremental.fingerprint.Opaque: generator
    """
    hasher = Hasher()
    try:
        hasher.value(value)
    except Opaque:
        raise
    except Exception:  # too deep, or taking it apart failed: then nothing is known of it
        raise Opaque(value) from None
    return hasher.digest()


_HANDLERS: dict[type, Handler] = {}
_LAZY: dict[str, Callable[[], None]] = {}


def register(*kinds: type) -> Callable[[Handler], Handler]:
    """Say how values of these types (and of types derived from them) are fed to a hasher.

    Examples
    --------
    >>> class Money:
    ...     def __init__(self, cents): self.cents = cents
    >>> @register(Money)
    ... def _(hasher, money):
    ...     hasher.values("Money", [money.cents])
    >>> fingerprint(Money(5)) == fingerprint(Money(5))
    True
    """

    def decorate(handler: Handler) -> Handler:
        for kind in kinds:
            _HANDLERS[kind] = handler
        return handler

    return decorate


def register_lazy(library: str, load: Callable[[], None]) -> None:
    """Call `load` when the first value of a library's types is met."""
    _LAZY[library] = load


def _inherited(kind: type) -> Handler:
    library = kind.__module__.partition(".")[0]
    if load := _LAZY.pop(library, None):
        load()
    if library in _OPAQUE_LIBRARIES:
        return _opaque
    for base in kind.__mro__:
        if handler := _HANDLERS.get(base):
            if base in _CONTAINERS and base is not kind:
                break  # a subclass of a container may hold more than its items: take it apart
            _HANDLERS[kind] = handler
            return handler
    return _reduced


def _opaque(_: Hasher, value: Any) -> None:
    raise Opaque(value)


@register(type(None), type(Ellipsis), type(NotImplemented))
def _singleton(hasher: Hasher, value: Any) -> None:
    hasher.tag(type(value).__name__)


@register(bool)
def _bool(hasher: Hasher, value: bool) -> None:
    hasher.tag("bool", value)


@register(int)
def _int(hasher: Hasher, value: int) -> None:
    hasher.bytes("int", b"%x" % value)


@register(float)
def _float(hasher: Hasher, value: float) -> None:
    hasher.bytes("float", struct.pack("<d", value))


@register(complex)
def _complex(hasher: Hasher, value: complex) -> None:
    hasher.bytes("complex", struct.pack("<dd", value.real, value.imag))


@register(str)
def _str(hasher: Hasher, value: str) -> None:
    hasher.text("str", value)


@register(bytes, bytearray)
def _bytes(hasher: Hasher, value: bytes) -> None:
    hasher.bytes(type(value).__name__, value)


@register(memoryview)
def _memory(hasher: Hasher, value: memoryview) -> None:
    hasher.text("memoryview", f"{value.format}{value.shape}")
    hasher.bytes("data", value if value.c_contiguous else value.tobytes())


@register(list, tuple)
def _sequence(hasher: Hasher, value: Any) -> None:
    hasher.values(type(value).__name__, value)


@register(dict, MappingProxyType)
def _dict(hasher: Hasher, value: Any) -> None:
    hasher.tag(type(value).__name__, len(value))
    for key, item in value.items():
        hasher.value(key)
        hasher.value(item)


@register(TypeVar, ParamSpec)
def _type_variable(hasher: Hasher, value: Any) -> None:
    hasher.text(type(value).__name__, value.__name__)
    hasher.value(value.__bound__)


@register(type(threading.Lock()), type(threading.RLock()))
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


_CONTAINERS = frozenset({list, tuple, dict, set, frozenset, int, float, str, bytes, bytearray})


def _reduced(hasher: Hasher, value: Any) -> None:
    """Feed an object as pickle would take it apart: how it is made, its state, its items."""
    reduce = copyreg.dispatch_table.get(type(value))
    try:
        parts: Any = reduce(value) if reduce else value.__reduce_ex__(_PROTOCOL)
    except Exception:
        raise Opaque(value) from None
    if isinstance(parts, str):
        _named(hasher, value, parts)
        return
    make, args, state, items, pairs = (*tuple(parts), None, None, None)[:5]
    hasher.tag("object")
    hasher.value(make)
    hasher.value(args)
    hasher.value(_without_caches(type(value), state))
    hasher.value(None if items is None else list(items))
    hasher.value(None if pairs is None else list(pairs))


def _named(hasher: Hasher, value: Any, name: str) -> None:
    """Feed an object that pickle finds again by its name: what it wraps, or the version of its library."""
    module = getattr(value, "__module__", None) or type(value).__module__
    hasher.text("global", f"{name}:{qualified(type(value))}")
    if hasattr(value, "__wrapped__"):  # of `functools.lru_cache`
        hasher.value(value.__wrapped__)
    elif not is_library(module) or getattr(sys.modules.get(module), name, None) is not value:
        raise Opaque(value)


def _without_caches(kind: type, state: Any) -> Any:
    """Leave out what `functools.cached_property` has put into an object: reading it is no change."""
    if isinstance(state, tuple) and len(state) == 2:  # noqa: PLR2004 - what is in __dict__, what is in slots
        return _without_caches(kind, state[0]), state[1]
    if not isinstance(state, dict):
        return state
    cached = {n for base in kind.__mro__ for n, v in vars(base).items() if isinstance(v, cached_property)}
    return {name: item for name, item in state.items() if name not in cached} or None if cached else state


def _load_numpy() -> None:
    import numpy as np

    @register(np.ndarray)
    def _array(hasher: Hasher, value: Any) -> None:
        if type(value) is not np.ndarray and type(value) is not np.memmap:
            _reduced(hasher, value)
            return
        order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
        rows = value.T if order == "F" else value
        hasher.text(
            "ndarray",
            f"{value.dtype.str}{value.dtype.descr if value.dtype.names else value.dtype.name}{value.shape}{order}",
        )
        if value.dtype.hasobject or value.dtype.kind == "T":  # a text of any length stands elsewhere in memory
            _items(hasher, rows.ravel().tolist())
        else:
            hasher.bytes("data", np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)

    @register(np.generic)
    def _scalar(hasher: Hasher, value: Any) -> None:
        hasher.text("numpy", value.dtype.str)
        hasher.value(value.item() if value.dtype.hasobject else value.tobytes())


def _items(hasher: Hasher, items: list[Any]) -> None:
    """Feed a list of objects; one of texts only, the common case, in one piece."""
    if all(type(item) is str for item in items):
        hasher.text("lengths", repr([*map(len, items)]))
        hasher.text("texts", "".join(items))
    else:
        hasher.values("items", items)


def _load_pandas() -> None:
    import pandas as pd

    @register(pd.DataFrame)
    def _frame(hasher: Hasher, value: Any) -> None:
        # Column by column: how pandas groups columns in memory changes when they are merely read.
        _head(hasher, value, "DataFrame")
        hasher.value(value.columns)
        for position in range(value.shape[1]):
            hasher.value(_column(value.iloc[:, position]))

    @register(pd.Series)
    def _series(hasher: Hasher, value: Any) -> None:
        _head(hasher, value, "Series")
        hasher.value(value.name)
        hasher.value(_column(value))

    def _head(hasher: Hasher, value: Any, tag: str) -> None:
        hasher.text("pandas", tag)
        hasher.value(type(value))
        hasher.value(value.index)
        hasher.value(value.attrs)
        hasher.value(value.flags.allows_duplicate_labels)
        own = getattr(value, "_metadata", ())  # the names of what a subclass holds beside
        hasher.value([getattr(value, name, None) for name in own if name != "_name"])

    def _column(series: Any) -> Any:
        array = series.array
        return array.to_numpy() if isinstance(array, pd.arrays.NumpyExtensionArray) else array


register_lazy("numpy", _load_numpy)
register_lazy("pandas", _load_pandas)
