"""What a class of the user's own is made of: its bases, its attributes, the functions in them."""

from __future__ import annotations

import abc
import re
from functools import cached_property, singledispatchmethod
from types import FunctionType
from typing import TYPE_CHECKING, Any

from graflow_nb.incremental.code.libraries import is_own, qualified
from graflow_nb.incremental.code.parts import Part, value_part
from graflow_nb.incremental.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graflow_nb.incremental.code.reads import Walk

_NOISE = frozenset({
    "__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__firstlineno__", "__static_attributes__",
    "__annotations_cache__", "__slotnames__", "_abc_impl", "__abstractmethods__", "__dataclass_params__",
})  # fmt: skip
_DESCRIPTORS = frozenset({"member_descriptor", "getset_descriptor", "_tuplegetter"})
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def class_parts(walk: Walk, name: str, kind: type) -> list[Part]:
    """Return the parts of a class of the user's own, and of those of its bases and metaclass that are, too."""
    bases = [base for base in (*kind.__mro__[1:], type(kind)) if base not in {object, type}]
    attributes = [attribute for attribute in vars(kind) if attribute not in _NOISE]  # in order
    registered = _registered(kind)
    whole = [kind.__name__, *[[qualified(one) for one in kinds] for kinds in (bases, registered)], attributes]
    parts = [Part("class", name, fingerprint(whole))]
    for base in (*bases, *registered):
        if is_own(base):
            parts += walk.class_(base.__qualname__, base)
    for attribute in attributes:
        parts += _member(walk, f"{name}.{attribute}", vars(kind)[attribute])
    return parts


def subclasses(kinds: Iterable[type]) -> list[type]:
    """Return the classes of the user's own that derive from these, in a fixed order."""
    found: list[type] = []
    for kind in kinds:
        found += type.__subclasses__(kind)
    return sorted(filter(is_own, found), key=lambda kind: kind.__qualname__)


def text_of_class(kind: type) -> str:
    """Return what can be read of a class's text: its docstring and annotations."""
    return f"{kind.__doc__!r}{as_text(vars(kind).get('__annotations__'))}"


def _registered(kind: type) -> list[type]:
    """Return the classes that were registered with an abstract one: `isinstance` says yes to them."""
    if not isinstance(kind, abc.ABCMeta):
        return []
    try:
        found = [ref() for ref in abc._get_dump(kind)[0]]  # type: ignore[attr-defined]  # noqa: SLF001
    except (AttributeError, TypeError):
        return []
    return sorted((it for it in found if isinstance(it, type)), key=qualified)


def _member(walk: Walk, name: str, value: Any) -> list[Part]:
    if name.endswith(".__annotations__"):
        return [Part("global", name, fingerprint(as_text(value)))]
    if name.endswith(".__dataclass_fields__"):  # all else of them is in the methods made from them
        return [value_part("global", name, [field.metadata for field in value.values() if field.metadata])]
    functions = [f for f in _functions_in(value) if isinstance(f, FunctionType)]
    if functions:
        kind = Part("global", name, type(value).__name__.encode())  # static, of the class, a property
        return [kind, *(part for fn in functions for part in _function(walk, name, fn))]
    if isinstance(value, type):
        return walk.class_(name, value) if is_own(value) else [Part("class", name, qualified(value).encode())]
    if type(value).__name__ in _DESCRIPTORS:
        return [Part("global", name, type(value).__name__.encode())]
    walk.texts_of(value)
    return [value_part("global", name, value)]


def _function(walk: Walk, name: str, fn: FunctionType) -> list[Part]:
    if is_own(fn):
        return walk.function(fn, "function", name)
    return [Part("function", name, qualified(fn).encode())]


def as_text(value: Any) -> str:
    """Return annotations as text: types in them by their names, nothing by its address."""
    return _ADDRESS.sub("", repr(value))


def _functions_in(value: Any) -> list[Any]:
    """Return the functions that a class's attribute is made of: a method, a property, a class method."""
    if isinstance(value, property):
        return [f for f in (value.fget, value.fset, value.fdel) if f]
    if isinstance(value, staticmethod | classmethod):
        return [value.__func__]
    if isinstance(value, singledispatchmethod):
        return [value.dispatcher]
    return [value.func if isinstance(value, cached_property) else value]
