"""What code reads: its globals, the functions and classes it uses, and what those read in turn."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from functools import cached_property
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.incremental.bytecode import CodeInfo, code_info
from graflow_nb.incremental.files import file_digest, path_of
from graflow_nb.incremental.fingerprint import Hasher, Opaque, fingerprint, register
from graflow_nb.incremental.libraries import is_library, is_own, qualified, version

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

_DYNAMIC = frozenset({"eval", "exec", "globals", "__import__"})
"""Builtins that read names which are not in the code."""


class Part(NamedTuple):
    """One thing that a task depends on.

    Attributes
    ----------
    kind : str
        "code", "function", "class", "global", "module", "argument", "input", …
    name : str
    digest : bytes or None
        None: its content cannot be known.
    shown : str
        Its value in short, or what kind of thing it is.
    """

    kind: str
    name: str
    digest: bytes | None
    shown: str = ""


def function_parts(fn: FunctionType, name: str = "", left_out: Container[str] = ()) -> list[Part]:
    """Return everything that a function's code reads, each thing once, helpers of helpers included.

    Parameters
    ----------
    fn : function
    name : str
        What to call it.
    left_out : container of str
        Names that stand for something else than the function's globals.
    """
    with walk(left_out, fn.__globals__) as walking:
        return walking.function(fn, "code", name or fn.__qualname__)


class Walk:
    """A walk through code and what it reads; each function and class is met once.

    Values met on the way may hold functions and classes in turn: those are walked by the same walk, so
    that what was met already is only referred to, and a class that holds its own instances (an enum) ends.
    """

    def __init__(self, left_out: Container[str] = (), namespace: Mapping[str, Any] | None = None) -> None:
        self._left_out = left_out
        self._namespace = namespace
        self._met: dict[object, tuple[str, object]] = {}
        self._count: dict[str, int] = {}

    def fork(self) -> Walk:
        """Return a walk that has met the same so far."""
        other = Walk(self._left_out, self._namespace)
        other._met, other._count = self._met.copy(), self._count.copy()
        return other

    def reference(self, thing: object, name: str, key: object = None) -> str | None:
        """Return what refers to a thing that was met before; None if this is the first time.

        Which thing is meant must be clear: ``agg = mean`` and ``agg = median`` are told apart, even where both
        functions were met. So things of the same name are numbered.
        """
        key = id(thing) if key is None else key
        if key in self._met:
            return self._met[key][0]
        number = self._count[name] = self._count.get(name, 0) + 1
        self._met[key] = (f"{name}#{number}", thing)  # the thing too: an id is good only while it lives
        return None

    def function(self, fn: FunctionType, kind: str, name: str) -> list[Part]:
        """Return the parts of a function: its code, its defaults and closure, and what it reads."""
        if met := self.reference(fn, fn.__qualname__):
            return [Part(kind, name, met.encode(), "function")]
        info = code_info(fn.__code__)
        parts = [Part(kind, name, info.digest + fn.__name__.encode())]
        if fn.__defaults__ or fn.__kwdefaults__:
            defaults = (*(fn.__defaults__ or ()), *(fn.__kwdefaults__ or {}).values())
            parts.append(value_part("default", name, (fn.__defaults__, fn.__kwdefaults__)))
            parts += [part for value in defaults for part in file_parts(value)]
        for variable, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
            parts += self._thing(f"{name}.{variable}", _cell_contents(cell), info, variable in info.passed_on)
        parts += self.names(info, fn.__globals__)
        for attribute, value in fn.__dict__.items():
            parts += self._thing(f"{name}.{attribute}", value, info)
        return parts

    def names(self, info: CodeInfo, namespace: Mapping[str, Any]) -> list[Part]:
        """Return the parts of the globals that code reads; a name that is not there yet counts as absent."""
        parts = []
        for name in info.names:
            if name in self._left_out and namespace is self._namespace:
                continue
            if name in namespace:
                parts += self._thing(name, namespace[name], info, name in info.passed_on)
            elif name in _DYNAMIC:
                parts.append(Part("global", name, None, "it reads names that are not in the code"))
            elif name not in _BUILTINS:
                parts.append(Part("global", name, b"absent", "not defined"))
        for path in info.paths:
            parts += file_parts(path)
        return [*parts, *self._imported(info, namespace)]

    def _thing(self, name: str, value: Any, info: CodeInfo, is_passed_on: bool = False) -> list[Part]:
        value = getattr(value, "fn", value) if _is_task(value) else value
        if isinstance(value, ModuleType):
            return list(self._module(name, value, info, is_passed_on))
        if isinstance(value, FunctionType) and is_own(value):
            return self.function(value, "function", name)
        if isinstance(value, type) and is_own(value):
            return self.class_(name, value)
        return [value_part("global", name, value), *file_parts(value)]

    def _module(self, name: str, module: ModuleType, info: CodeInfo, is_whole: bool) -> Iterator[Part]:
        """Give a library by its version; of the user's own module what the code names of it, or all of it."""
        whole_name = (module.__name__, version(module.__name__))
        yield Part("module", name, fingerprint(whole_name), module.__name__)
        if not is_library(module.__name__):
            names = [n for n in vars(module) if not n.startswith("__")] if is_whole else info.attributes
            yield from self._attributes(name, module, names, info, is_whole)

    def _attributes(
        self, name: str, owner: Any, attributes: Iterable[str], info: CodeInfo, is_whole: bool = False
    ) -> list[Part]:
        """Return the parts of some of the attributes that a function or module has itself."""
        there = vars(owner)
        found = [
            attribute
            for attribute in sorted(set(attributes) & there.keys())
            if not self.reference(owner, "", key=(id(owner), attribute))
        ]
        return [part for a in found for part in self._thing(f"{name}.{a}", there[a], info, is_whole)]

    def _imported(self, info: CodeInfo, namespace: Mapping[str, Any]) -> list[Part]:
        """Return the parts of the user's own modules that code imports itself; the rest cannot change here."""
        parts: list[Part] = []
        for name in info.imports:
            full = name if name in sys.modules else f"{namespace.get('__package__')}.{name}".rstrip(".")
            if module := sys.modules.get(full):
                parts += [] if is_library(full) else self._module(name, module, info, is_whole=False)
            elif not is_library(name):
                parts.append(Part("module", name, b"absent", "not imported yet"))
        return parts

    def class_(self, name: str, kind: type) -> list[Part]:
        if met := self.reference(kind, kind.__qualname__):
            return [Part("class", name, met.encode(), "class")]
        bases = [base for base in (*kind.__mro__[1:], type(kind)) if base not in {object, type}]
        attributes = [attribute for attribute in vars(kind) if attribute not in _CLASS_NOISE]  # in order
        whole = [kind.__name__, [qualified(base) for base in bases], attributes]
        parts = [Part("class", name, fingerprint(whole))]
        for base in bases:
            if is_own(base):
                parts += self.class_(base.__qualname__, base)
        for attribute in attributes:
            parts += self._member(f"{name}.{attribute}", vars(kind)[attribute])
        return parts

    def _member(self, name: str, value: Any) -> list[Part]:
        if name.endswith(".__annotations__"):
            return [Part("global", name, fingerprint(repr(value)))]
        if name.endswith(".__dataclass_fields__"):  # all else of them is in the methods made from them
            return [value_part("global", name, [field.metadata for field in value.values() if field.metadata])]
        functions = [f for f in _functions_in(value) if isinstance(f, FunctionType)]
        if functions:
            kind = Part("global", name, type(value).__name__.encode())  # static, of the class, a property
            return [kind, *(part for fn in functions for part in self.function(fn, "function", name))]
        if isinstance(value, type):
            return self.class_(name, value) if is_own(value) else [Part("class", name, qualified(value).encode())]
        if type(value).__name__ in _DESCRIPTORS:
            return [Part("global", name, type(value).__name__.encode())]
        return [value_part("global", name, value)]


_BUILTINS = frozenset(dir(__builtins__) if isinstance(__builtins__, ModuleType) else __builtins__)
_CLASS_NOISE = frozenset({
    "__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__firstlineno__", "__static_attributes__",
    "__annotations_cache__", "__slotnames__", "_abc_impl", "__abstractmethods__", "__dataclass_params__",
})  # fmt: skip
_DESCRIPTORS = frozenset({"member_descriptor", "getset_descriptor", "_tuplegetter"})


def _functions_in(value: Any) -> list[Any]:
    """Return the functions that a class's attribute is made of: a method, a property, a class method."""
    if isinstance(value, property):
        return [f for f in (value.fget, value.fset, value.fdel) if f]
    if isinstance(value, staticmethod | classmethod):
        return [value.__func__]
    return [value.func if isinstance(value, cached_property) else value]


def file_parts(value: Any) -> list[Part]:
    """Return a part for the file that a value names, if it is a text or path that does."""
    path = path_of(value)
    digest = file_digest(path) if path else None
    return [Part("file", str(path), digest)] if digest else []


def value_part(kind: str, name: str, value: Any) -> Part:
    """Return a part for a value: its fingerprint, or None if its content cannot be known."""
    try:
        return Part(kind, name, fingerprint(value), short(value))
    except Opaque as opaque:
        return Part(kind, name, None, str(opaque))


def short(value: Any) -> str:
    """Return a plain value's repr, shortened; of anything else its type, without running its repr.

    Examples
    --------
    >>> short(0.5), short("a" * 100), short(object())
    ('0.5', "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…", 'object')
    """
    if type(value) is int and value.bit_length() > _MOST_BITS:
        return "int"
    if type(value) in _SHOWN:
        text = repr(value[:60] if isinstance(value, str | bytes) else value)
        return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return type(value).__qualname__


_LONGEST = 40
_MOST_BITS = 10_000  # Python refuses to write larger numbers in decimals
_SHOWN = frozenset({type(None), bool, int, float, str, bytes})


def _cell_contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


def _is_task(value: object) -> bool:
    from graflow_nb.core.task import Task

    return isinstance(value, Task)


class _Current(threading.local):
    walk: Walk | None = None


_current = _Current()


@contextmanager
def walk(left_out: Container[str] = (), namespace: Mapping[str, Any] | None = None) -> Iterator[Walk]:
    """Give the walk that is going on in this thread, or begin one.

    Parameters
    ----------
    left_out : container of str
        Names in `namespace` that stand for something else there.
    namespace : mapping, optional
    """
    if _current.walk is not None:
        yield _current.walk
        return
    _current.walk = Walk(left_out, namespace)
    try:
        yield _current.walk
    finally:
        _current.walk = None


@contextmanager
def _fork() -> Iterator[None]:
    """Let what is met inside be forgotten outside."""
    before = _current.walk
    _current.walk = before.fork() if before else None
    try:
        yield
    finally:
        _current.walk = before


@register(FunctionType)
def _function(hasher: Hasher, fn: FunctionType) -> None:
    if not is_own(fn):
        hasher.text("function", qualified(fn))
        return
    with walk() as walking:
        _feed(hasher, walking.function(fn, "code", ""))


@register(type)
def _class(hasher: Hasher, kind: type) -> None:
    hasher.text("class", qualified(kind))
    if is_own(kind):
        with walk() as walking:
            _feed(hasher, walking.class_("", kind))


@register(set, frozenset)
def _set(hasher: Hasher, value: Any) -> None:
    hasher.tag(type(value).__name__, len(value))
    digests = []
    for item in value:
        with _fork():  # else an item's digest would depend on which came before it
            digests.append(fingerprint(item))
    for digest in sorted(digests):
        hasher.bytes("item", digest)


def _feed(hasher: Hasher, parts: list[Part]) -> None:
    for part in parts:
        if part.digest is None:
            raise Opaque(part.shown)
        hasher.text(part.kind, part.name)
        hasher.bytes("digest", part.digest)
