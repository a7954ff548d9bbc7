"""Whether what a function reads is what it was: by identity, in a microsecond instead of a walk.

A walk through a function whose globals are plain values, functions and libraries is remembered with what
it looked at. If each of those is the same object still, the walk would find the same. Where anything that
can change in place was met (a table, an object, a class), nothing is remembered; short lists and dicts of
plain values are compared by their content.
"""

from __future__ import annotations

import sys
from operator import is_
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary, ref

from graflow_nb.incremental.code.libraries import is_library, is_own
from graflow_nb.incremental.code.patches import main_classes
from graflow_nb.incremental.code.settings import readers
from graflow_nb.incremental.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from types import CodeType

_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, type(Ellipsis)})
_MOST_ITEMS = 100
_LONGEST = 10_000  # what is remembered is kept alive
_ABSENT = object()


class _Looked(NamedTuple):
    """What was looked at in one namespace."""

    holder: ref[Any]  # what has the namespace, which must not be kept alive
    code: Any
    defaults: Any
    closure: tuple[Any, ...]
    values: tuple[tuple[str, Any], ...]
    own: tuple[tuple[str, ref[Any]], ...]
    data: tuple[tuple[str, bytes], ...]


class Walked:
    """A walk that was remembered, with all that it looked at.

    Attributes
    ----------
    key : tuple
        What it was done with.
    reads : Reads
        What it found.
    """

    __slots__ = ("_held_at", "_library", "_looked", "_main", "_settings", "key", "reads")

    def __init__(
        self,
        key: tuple[Any, ...],
        reads: Any,
        looked: list[_Looked],
        library: tuple[tuple[Mapping[str, Any], str, Any], ...],
        settings: list[tuple[Callable[[], Any], Any]],
    ) -> None:
        self.key = key
        self.reads = reads
        self._held_at: object = None
        self._main = main_classes()
        self._looked = looked
        self._library = library
        self._settings = settings

    def holds_at(self, moment: object) -> bool:
        """Whether it holds; that is looked at once in a moment, in which no code of the user's runs."""
        if self._held_at is not moment:
            self._held_at = moment if self.holds() else None
        return self._held_at is moment

    def holds(self) -> bool:
        """Whether a walk would find the same now."""
        if self._main is not main_classes():
            return False
        for looked in self._looked:
            if not _is_as_it_was(looked):
                return False
        for there, name, value in self._library:
            if there.get(name, _ABSENT) is not value:
                return False
        return not self._settings or all(read() == value for read, value in self._settings)


_walked: WeakKeyDictionary[Any, Walked] = WeakKeyDictionary()


class _Holder:
    """What is looked at in one namespace, as it comes."""

    __slots__ = ("_closure", "_code", "_defaults", "_it", "data", "own", "values")

    def __init__(self, it: Any, code: Any = None, defaults: Any = None, closure: tuple[Any, ...] = ()) -> None:
        self._it = ref(it)
        self._code, self._defaults, self._closure = code, defaults, closure
        self.values: dict[str, Any] = {}
        self.own: dict[str, ref[Any]] = {}
        self.data: dict[str, bytes] = {}

    def looked(self) -> _Looked:
        values, own, data = (*self.values.items(),), (*self.own.items(),), (*self.data.items(),)
        return _Looked(self._it, self._code, self._defaults, self._closure, values, own, data)


class Recorder:
    """Notes what a walk looks at, for as long as all of it can be compared by identity."""

    __slots__ = ("_holders", "_last", "_library", "is_quick")

    def __init__(self) -> None:
        self.is_quick = True
        self._holders: dict[int, _Holder] = {}
        self._last: tuple[Any, _Holder] | None = None  # to ask for an id is an audit event: it takes long
        self._library: dict[tuple[int, str], tuple[Mapping[str, Any], str, Any]] = {}

    def function(
        self,
        fn: FunctionType,
        code: CodeType,
        defaults: tuple[Any, ...] | None,
        kwdefaults: Mapping[str, Any] | None,
    ) -> None:
        """Note a function, with its code and defaults."""
        closure = tuple(map(_content, fn.__closure__)) if fn.__closure__ else ()
        if (
            kwdefaults
            or fn.__dict__
            or (defaults and not _PLAIN.issuperset(map(type, defaults)))
            or not all(map(_is_fixed, closure))
        ):
            self.is_quick = False
        known = self._holders[id(fn)] = _Holder(fn, code, defaults, closure)
        self._last = fn, known

    def read(self, holder: Any, name: str, namespace: Mapping[str, Any]) -> None:
        """Note what stands under a name in the namespace of a function or module; what is absent, too."""
        if not self.is_quick:
            return
        if self._last is None or self._last[0] is not holder:
            known = self._holders.get(key := id(holder))
            if known is None:
                known = self._holders[key] = _Holder(holder)
            self._last = holder, known
        known = self._last[1]
        value = namespace.get(name, _ABSENT)
        if value is _ABSENT or _is_fixed(value):
            known.values[name] = value
        elif type(value) is FunctionType or type(value) is ModuleType:
            known.own[name] = ref(value)
        elif _is_data(value):
            known.data[name] = fingerprint(value)
        else:
            self.is_quick = False

    def look(self, owner: Mapping[str, Any], names: Iterable[str]) -> None:
        """Note what a class or module of a library has under some names."""
        if self.is_quick:
            key = id(owner)
            for name in names:
                self._library[key, name] = (owner, name, owner.get(name, _ABSENT))

    def remember(self, owner: Any, key: tuple[Any, ...], libraries: Collection[str], reads: Any) -> None:
        """Remember a finished walk, if all of it can be compared."""
        if not self.is_quick:
            return
        looked = [holder.looked() for holder in self._holders.values()]
        settings = [(read, read()) for read in readers(libraries)] if libraries else []
        _walked[owner] = Walked(key, reads, looked, (*self._library.values(),), settings)


def walked(owner: Any, key: tuple[Any, ...]) -> Walked | None:
    """Return the walk through a function or cell that was remembered; whether it still holds is not said."""
    found = _walked.get(owner)
    return found if found is not None and found.key == key else None


def recall(owner: Any, key: tuple[Any, ...]) -> Any:
    """Return what was found in a function or cell, if that holds; else None."""
    found = walked(owner, key)
    return found.reads if found is not None and found.holds() else None


def _is_as_it_was(looked: _Looked) -> bool:
    holder, code, defaults, closure, values, own, data = looked
    it = holder()
    if it is None:
        return False
    if code is None:
        namespace = it.__dict__ if type(it) is ModuleType else it.namespace
    elif (
        it.__code__ is not code
        or it.__defaults__ is not defaults
        or it.__kwdefaults__
        or it.__dict__
        or (closure and not all(map(is_, map(_content, it.__closure__), closure)))
    ):
        return False
    else:
        namespace = it.__globals__
    for name, value in values:
        if namespace.get(name, _ABSENT) is not value:
            return False
    for name, digest in data:
        if not _is_data(value := namespace.get(name)) or fingerprint(value) != digest:
            return False
    return not own or all(namespace.get(name) is thing() for name, thing in own)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing is assigned
        return _ABSENT


def _is_data(value: Any) -> bool:
    """Whether a value is a short list, set or dict of plain values."""
    kind = type(value)
    if kind is dict:
        return len(value) <= _MOST_ITEMS and _PLAIN.issuperset(map(type, (*value.keys(), *value.values())))
    return kind in {list, set} and len(value) <= _MOST_ITEMS and _PLAIN.issuperset(map(type, value))


def _is_fixed(value: Any) -> bool:
    """Whether a value cannot change in place, and may be kept alive: plain, or a library's."""
    kind = type(value)
    if kind in _PLAIN:
        return sys.getsizeof(value) <= _LONGEST
    if kind is tuple or kind is frozenset:
        return len(value) <= _MOST_ITEMS and all(type(item) in _PLAIN for item in value)
    if kind is ModuleType:
        return is_library(value.__name__)
    if kind is BuiltinFunctionType:
        return value.__self__ is None or isinstance(value.__self__, ModuleType)
    return (kind is FunctionType or isinstance(value, type)) and not is_own(value)
