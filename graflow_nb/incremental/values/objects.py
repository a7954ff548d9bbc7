"""Any other object: it is taken apart as pickle would, but nothing of the user's own may be left out."""

from __future__ import annotations

import copyreg
import enum
import functools
import sys
from typing import Any

from graflow_nb.incremental.code.libraries import is_library, is_own, qualified
from graflow_nb.incremental.hasher import Hasher, Opaque, register
from graflow_nb.incremental.values.builtin import feed_items
from graflow_nb.incremental.values.caches import members, without_caches

REDUCE_PROTOCOL = 5  # of pickle: buffers are handed out, not copied
_TELLING = frozenset({"__reduce_ex__", "__reduce__", "__getstate__"})
_ATOMS = (int, float, complex, str, bytes, tuple)
_SETS = (set, frozenset)
_CONTAINERS = (*_ATOMS, *_SETS, list, dict, bytearray)
_library_types: set[type] = set()  # those with nothing of the user's own in them


@register(object)
def feed_object(hasher: Hasher, value: Any) -> None:
    """Feed an object: how it is made, its state, its items; of one's own classes all that it holds, too.

    A class may leave attributes out of what it tells pickle. A library knows why; but what one's own class
    leaves out, one's own code may read.
    """
    kind = type(value)
    parts = _taken_apart(value)
    if isinstance(parts, str):
        _feed_named(hasher, value, parts)
        return
    make, args, state, items, pairs, setter = (*parts, None, None, None, None)[:6]
    is_set = issubclass(kind, _SETS) and kind.__reduce__ in {base.__reduce__ for base in _SETS}
    hasher.tag("object")
    hasher.value(kind)  # it may be made by a function that does not name it
    hasher.value(make)
    hasher.value((kind,) if is_set else args)  # a set's are its items, in any order
    hasher.value(without_caches(value, state))
    hasher.value(setter)
    for some in (items, pairs):
        feed_items(hasher, [] if some is None else list(some))
    if is_set or (_is_of_ones_own(kind) and not _is_plain(kind)):
        hasher.value(_held(value))


def _taken_apart(value: Any) -> Any:
    reduce = _registered(type(value))
    try:
        parts: Any = reduce(value) if reduce else value.__reduce_ex__(REDUCE_PROTOCOL)
        return parts if isinstance(parts, str) else tuple(parts)
    except TypeError:  # it says that it cannot be pickled
        raise Opaque(value) from None
    except Exception as error:
        raise Opaque(value, f"{type(error).__name__}: {error}") from None


def _is_of_ones_own(kind: type) -> bool:
    if kind in _library_types:
        return False
    if any(map(is_own, kind.__mro__[:-1])):
        return True
    _library_types.add(kind)
    return False


def _is_plain(kind: type) -> bool:
    """Whether it is Python itself that takes objects of a class apart, completely."""
    return (
        not issubclass(kind, _CONTAINERS)
        and all(_TELLING.isdisjoint(vars(base)) for base in kind.__mro__[:-1])
        and _registered(kind) is None
    )


def _registered(kind: type) -> Any:
    """Return what `copyreg` was told to take objects of a class apart with.

    Not for exceptions: tblib, which comes with Dask, registers all classes of them when it is loaded, and tells
    where one was raised. What an error is does not depend on that.
    """
    return None if issubclass(kind, BaseException) else copyreg.dispatch_table.get(kind)


def _held(value: Any) -> list[Any]:
    """Return the attributes of an object, and what it holds as a container, whatever its methods say."""
    attributes = dict(getattr(value, "__dict__", ()))
    if isinstance(value, enum.Enum):  # the rest is in its class
        attributes = {name: item for name, item in attributes.items() if not name.startswith("_")}
    return [without_caches(value, attributes), members(value), _contained(value)]


def _contained(value: Any) -> Any:
    base: Any = next((base for base in _CONTAINERS if isinstance(value, base)), None)
    if base is None:
        return None
    if base is dict:
        return dict(dict.items(value))
    if base is bytearray:
        return bytearray.__getitem__(value, slice(None))
    return base.__getnewargs__(value) if base in _ATOMS else base(base.__iter__(value))


def _feed_named(hasher: Hasher, value: Any, name: str) -> None:
    """Feed an object that pickle finds again by its name: what it wraps, or the version of its library."""
    module = getattr(value, "__module__", None) or type(value).__module__
    hasher.text("global", f"{name}:{qualified(type(value))}")
    if hasattr(value, "__wrapped__"):  # of `functools.lru_cache`
        hasher.value(value.__wrapped__)
    elif not is_library(module) or _found(module, name) is not value:
        raise Opaque(value)


def _found(module: str, name: str) -> Any:
    return functools.reduce(
        lambda owner, part: getattr(owner, part, None), name.split("."), sys.modules.get(module)
    )


@register(BaseException)
def _exception(hasher: Hasher, value: BaseException) -> None:
    feed_object(hasher, value)
    hasher.values("from", (value.__cause__, value.__context__, value.__suppress_context__, members(value)))
