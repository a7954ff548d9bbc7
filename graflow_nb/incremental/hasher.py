"""Feeding values to a hash: what the handlers of all types share, and how a value's handler is found."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import xxhash

if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[["Hasher", Any], None]

PROTOCOL = "__graflow_fingerprint__"
_FULL = 1 << 16  # bytes; small pieces are gathered up to this


class Opaque(Exception):  # noqa: N818 - not an accident, an answer
    """A value has no content that could be hashed.

    Parameters
    ----------
    value : object
        The value, or a text that names it.
    reason : str
    """

    def __init__(self, value: object, reason: str = "") -> None:
        kind = type(value)
        what = value if isinstance(value, str) else f"{kind.__module__}.{kind.__qualname__}"
        super().__init__(what.removeprefix("builtins.") + (f" ({reason})" if reason else ""))


class Hasher:
    """Feeds values to a hash.

    An object that can change is fed once; where it stands again, a reference to the first place is fed:
    whether two places hold one object is part of a value, and cycles end.
    """

    __slots__ = ("_alive", "_fed", "_hash", "_pieces", "_seen")

    def __init__(self) -> None:
        self._hash: xxhash.xxh3_128 | None = None  # of a small value it is made in one go
        self._fed = 0
        self._pieces = bytearray()  # not in the hash yet
        self._seen: dict[int, int] = {}
        self._alive: list[object] = []  # an id is good only while its object lives

    @property
    def nbytes(self) -> int:
        """How many bytes were fed: about the size of the values."""
        return self._fed + len(self._pieces)

    def digest(self) -> bytes:
        """Return the hash of all that was fed, 16 bytes."""
        if self._hash is None:
            return xxhash.xxh3_128_digest(self._pieces)
        self._flush()
        return self._hash.digest()

    def tag(self, tag: str, length: int = 0) -> None:
        """Feed what comes next."""
        self._pieces += b"%s:%d;" % (tag.encode(), length)

    def raw(self, data: Any) -> None:
        """Feed a buffer, whose length was fed before; a large one is not copied, and others run meanwhile."""
        view = memoryview(data)
        if view.nbytes < _FULL:
            self._pieces += view
            if len(self._pieces) > _FULL:
                self._flush()
            return
        self._flush().update(data)
        self._fed += view.nbytes

    def bytes(self, tag: str, data: bytes | bytearray | memoryview) -> None:
        """Feed a run of bytes."""
        self.tag(tag, memoryview(data).nbytes)
        self.raw(data)

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
        handler = _leaves.get(kind)
        if handler is None:
            handler = _handlers.get(kind) or handler_of(kind)
            if not _is_leaf(kind, value) and self._was_here(value):
                return
        handler(self, value)

    def values(self, tag: str, values: Any) -> None:
        """Feed a sequence of values."""
        self.tag(tag, len(values))
        for value in values:
            self.value(value)

    def _was_here(self, value: object) -> bool:
        if len(self._pieces) > _FULL:
            self._flush()
        place = self._seen.get(id(value))
        if place is not None:
            self.tag("ref", place)
            return True
        self._seen[id(value)] = len(self._seen)
        self._alive.append(value)
        return False

    def _flush(self) -> xxhash.xxh3_128:
        if self._hash is None:
            self._hash = xxhash.xxh3_128()
        self._hash.update(self._pieces)
        self._fed += len(self._pieces)
        self._pieces.clear()
        return self._hash


_leaves: dict[type, Handler] = {}
"""Types whose values cannot change and hold nothing that can: it does not matter which one of two equal it is."""
_handlers: dict[type, Handler] = {}
_found: WeakKeyDictionary[type, Handler] = WeakKeyDictionary()
"""What was found for types that are not registered themselves."""
_exact: set[type] = set()
_SETS = (set, frozenset)
_lazy: dict[str, Callable[[], object]] = {}
_loading = threading.RLock()
_OPAQUE = (
    *("matplotlib", "pandas.io", "pandas.api.typing", "pandas.core.groupby", "pandas.core.window"),
    *("polars.lazyframe", "polars.dataframe.group_by", "itertools"),
)
"""Libraries, or modules of them, whose objects change by being looked at (a figure caches what it draws)."""


def register(*kinds: type, exact: bool = False, leaf: bool = False) -> Callable[[Handler], Handler]:
    """Say how values of these types, and of types derived from them, are fed to a hasher.

    Parameters
    ----------
    *kinds : type
    exact : bool
        A derived type may hold more: it is taken apart like any other.
    leaf : bool
        Values of exactly these types can neither change nor hold what can.
    """

    def decorate(handler: Handler) -> Handler:
        _found.clear()
        for kind in kinds:
            _leaves.pop(kind, None)
            _handlers.pop(kind, None)
            (_leaves if leaf else _handlers)[kind] = handler
            (_exact.add if exact or leaf or kind in _SETS else _exact.discard)(kind)
        return handler

    return decorate


def register_lazy(library: str, load: Callable[[], object]) -> None:
    """Call `load` when the first value of a type from a library, or one of its modules, is met."""
    _lazy[library] = load


def handler_of(kind: type) -> Handler:
    """Return what feeds values of a type."""
    handler = _found.get(kind)
    if handler is None:
        handler = _found[kind] = _find(kind)
    return handler


def _is_leaf(kind: type, value: Any) -> bool:
    """Whether nobody can tell a value from another that is equal; a tuple of such values is one, too."""
    if kind is tuple:
        return all(_holds_nothing(type(item)) for item in value)
    return kind in _leaves


def _holds_nothing(kind: type) -> bool:
    if kind not in _leaves and kind not in _handlers:
        handler_of(kind)  # gets the handlers of its library
    return kind in _leaves


def _find(kind: type) -> Handler:
    load(kind)
    for base in kind.__mro__:
        if PROTOCOL in vars(base):
            return _by_protocol
        if any(_is_in(base.__module__, name) for name in _OPAQUE):
            return opaque
        handler = _leaves.get(base) or _handlers.get(base)
        if handler and base is not object and (base is kind or base not in _exact):
            return handler
    return _handlers[object]


def load(kind: type) -> None:
    """Get the handlers of the libraries that a type comes from."""
    names = [name for name in tuple(_lazy) for base in kind.__mro__ if _is_in(base.__module__, name)]
    if names:
        with _loading:  # others wait: without its handlers they would hash differently
            for name in names:
                _lazy.get(name, bool)()
                _lazy.pop(name, None)


def _is_in(module: str, name: str) -> bool:
    return module == name or module.startswith(f"{name}.")


def opaque(_: Hasher, value: Any) -> None:
    """Refuse a value."""
    raise Opaque(value)


def _by_protocol(hasher: Hasher, value: Any) -> None:
    feed_substitute(hasher, value, getattr(type(value), PROTOCOL))


def feed_substitute(hasher: Hasher, value: Any, content: Callable[[Any], Any]) -> None:
    """Feed what a function says stands for a value's content, with the value's class."""
    try:
        found = content(value)
    except Opaque:
        raise
    except Exception as error:
        raise Opaque(value, f"its fingerprint failed: {type(error).__name__}: {error}") from error
    hasher.tag("stands for")
    hasher.value(type(value))
    if found is value:
        raise Opaque(value, "its fingerprint is itself")
    hasher.value(found)
