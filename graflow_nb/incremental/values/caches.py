"""Attributes that `functools.cached_property` keeps in an object: reading them is no change, setting them is."""

from __future__ import annotations

import threading
from functools import cached_property
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any

from graflow_nb.incremental.code.libraries import is_own
from graflow_nb.incremental.hasher import Hasher, Opaque

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST = 10_000
_verified: dict[tuple[bytes, str, bytes], bool] = {}


class _Busy(threading.local):
    def __init__(self) -> None:
        self.ids: set[int] = set()


_busy = _Busy()


def without_caches(value: object, state: Any) -> Any:
    """Leave out of an object's state what its cached properties have put there.

    A value that was assigned to a cached property by hand stands in the same place. In a class of one's own, the
    property is therefore computed once more, on a copy, and left out only if the same comes out. That is done once
    for each content of an object.
    """
    if isinstance(state, tuple) and len(state) == 2:  # noqa: PLR2004 - what is in __dict__, what is in slots
        return without_caches(value, state[0]), state[1]
    if not isinstance(state, dict):
        return state
    cached = dict(_cached(type(value), state))
    if not cached:
        return state or None
    rest = {name: item for name, item in state.items() if name not in cached}
    assigned = {name for name, found in cached.items() if not _is_computed(value, found, rest, state[name])}
    return {name: item for name, item in state.items() if name in rest or name in assigned} or None


def members(value: object) -> dict[str, Any]:
    """Return what an object holds in slots.

    Examples
    --------
    >>> class Point:
    ...     __slots__ = ("x", "y")
    >>> point = Point()
    >>> point.x = 1
    >>> members(point)
    {'Point.x': 1}
    """
    return {
        f"{base.__name__}.{name}": slot.__get__(value)
        for base in type(value).__mro__
        for name, slot in vars(base).items()
        if isinstance(slot, MemberDescriptorType) and _is_set(slot, value)
    }


def _is_set(slot: MemberDescriptorType, value: object) -> bool:
    try:
        slot.__get__(value)
    except AttributeError:
        return False
    return True


def _cached(kind: type, state: Mapping[str, Any]) -> Iterator[tuple[str, tuple[type, cached_property[Any]]]]:
    for name in state:
        base = next((base for base in kind.__mro__ if name in vars(base)), None)
        if base and isinstance(found := vars(base)[name], cached_property):
            yield name, (base, found)


def _is_computed(value: object, found: tuple[type, cached_property[Any]], rest: dict[str, Any], item: Any) -> bool:
    base, prop = found
    if id(value) in _busy.ids or not is_own(base):
        return True
    _busy.ids.add(id(value))
    try:
        key = (_digest((type(value), rest, members(value))), prop.attrname or "", _digest(item))
        if key not in _verified:
            if len(_verified) >= _MOST:
                _verified.clear()
            _verified[key] = _computed(value, prop, rest) == key[-1]
        return _verified[key]
    finally:
        _busy.ids.discard(id(value))


def _computed(value: object, prop: cached_property[Any], rest: dict[str, Any]) -> bytes | None:
    try:
        copy = object.__new__(type(value))
        copy.__dict__.update(rest)
        for base in type(value).__mro__:
            for slot in vars(base).values():
                if isinstance(slot, MemberDescriptorType) and _is_set(slot, value):
                    slot.__set__(copy, slot.__get__(value))
        return _digest(prop.func(copy))
    except (Exception, Opaque):  # then nobody knows what it would be
        return None


def _digest(value: Any) -> bytes:
    hasher = Hasher()
    hasher.value(value)
    return hasher.digest()
