"""A walk through code and what it reads: each function and class is met once."""

from __future__ import annotations

import builtins
import sys
import threading
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import xxhash

from graflow_nb.core.task import Task
from graflow_nb.incremental.code import modules, quick
from graflow_nb.incremental.code.bytecode import CodeInfo, code_info, words
from graflow_nb.incremental.code.classes import as_text, class_parts, subclasses, text_of_class
from graflow_nb.incremental.code.imports import NOTHING, imported_parts, library_part, module_parts, patched_parts
from graflow_nb.incremental.code.libraries import is_library, is_own, qualified
from graflow_nb.incremental.code.parts import Part, Reads, value_part
from graflow_nb.incremental.code.patches import main_classes, own_things
from graflow_nb.incremental.code.paths import texts_in
from graflow_nb.incremental.code.settings import setting_parts
from graflow_nb.incremental.code.source import source_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from types import CodeType

_TEXT_OF_CODE = frozenset({
    "__doc__", "__annotations__", "__signature__", "__code__", "get_annotations", "get_type_hints", "getdoc",
    "getfullargspec", "getsource", "getsourcelines", "help", "signature",
})  # fmt: skip
"""What reads docstrings, annotations or source as data."""
_OF_RESULTS = frozenset({"result", "outputs", "record"})
"""Attributes of a task that say what it made."""


class Noted:
    """What a walk comes upon that can only be dealt with at its end; shared with its forks."""

    __slots__ = (
        "attributes", "classes", "codes", "functions", "libraries", "modules", "names", "queries", "readers",
        "recorder", "tasks", "texts",
    )  # fmt: skip

    def __init__(self) -> None:
        self.texts: dict[Any, None] = {}
        self.modules: dict[str, None] = {}
        self.libraries: set[str] = set()
        self.attributes: set[str] = set()
        self.names: set[str] = set()
        self.tasks: dict[str, None] = {}
        self.functions: dict[FunctionType, str] = {}
        self.codes: dict[str, CodeType | str] = {}
        self.classes: dict[type, str] = {}
        self.queries: list[str] = []
        self.readers: list[tuple[CodeInfo, Mapping[str, Any]]] = []
        self.recorder = quick.Recorder()


class Walk:
    """A walk through code and what it reads; each function and class is met once.

    Values met on the way may hold functions and classes in turn: those are walked by the same walk, so
    that what was met already is only referred to, and a class that holds its own instances (an enum) ends.
    """

    __slots__ = ("_count", "_left_out", "_met", "_namespace", "noted")

    def __init__(self, left_out: Collection[str] = (), namespace: Mapping[str, Any] | None = None) -> None:
        self._left_out = left_out
        self._namespace = namespace
        self._met: dict[object, tuple[str, object]] = {}
        self._count: dict[str, int] = {}
        self.noted = Noted()

    def fork(self) -> Walk:
        """Return a walk that has met the same so far."""
        other = Walk(self._left_out, self._namespace)
        other._met, other._count, other.noted = self._met.copy(), self._count.copy(), self.noted
        return other

    def reads(self, parts: list[Part], owner: Any = None, key: tuple[Any, ...] = ()) -> Reads:
        """End the walk: add to its parts what is known only now, and say what files and modules it met.

        For a function or cell as `owner` it is remembered under `key`, if it can be seen quickly whether it
        holds.
        """
        codes = self.noted.codes
        if owner is not None and not isinstance(owner, FunctionType):
            codes["code"] = owner.source
        found = Reads([*parts, *self._ending()], self.noted.texts, self.noted.modules, codes)
        if owner is not None:
            self.noted.recorder.remember(owner, key, self.noted.libraries, found)
        return found

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
        self.noted.functions[fn] = name
        self.home(fn.__globals__.get("__name__"))
        try:
            return self._function(fn, kind, name)
        except RecursionError:
            return [Part(kind, name, None, "functions that call functions, more than can be followed")]

    def _function(self, fn: FunctionType, kind: str, name: str) -> list[Part]:
        code, defaults = fn.__code__, (fn.__defaults__, fn.__kwdefaults__)  # each is an audit event: it takes long
        self.noted.codes[name] = code
        self.noted.recorder.function(fn, code, *defaults)
        if (registry := _dispatched(fn)) is not None:
            return self._dispatch(registry, kind, name)
        info = code_info(code)
        parts = [Part(kind, name, info.digest + fn.__name__.encode())]
        if defaults[0] or defaults[1]:
            parts.append(value_part("default", name, defaults))
            self.texts_of(defaults)
        for variable, cell in zip(code.co_freevars, fn.__closure__, strict=True) if fn.__closure__ else ():
            parts += self.thing(f"{name}.{variable}", _cell_contents(cell), info, variable in info.passed_on)
        home = str(fn.__globals__.get("__name__"))
        if is_library(home):  # its wrapper round one's own
            parts.append(library_part(home))
            if home.partition(".")[0] not in sys.stdlib_module_names:  # it may act on the annotations
                parts.append(Part("function", f"{name} (its annotations)", _annotations_of(fn).encode()))
        else:
            parts += self.names(info, fn.__globals__, fn)
        for attribute, value in fn.__dict__.items():
            parts += self.thing(f"{name}.{attribute}", value, info)
        return parts

    def names(self, info: CodeInfo, namespace: Mapping[str, Any], holder: Any = None) -> list[Part]:
        """Return the parts of the globals that code reads; a name that is not there yet counts as absent.

        Parameters
        ----------
        info : CodeInfo
        namespace : mapping
            The globals.
        holder : function, optional
            Whose globals they are.
        """
        noted = self.noted
        noted.recorder.is_quick &= holder is not None and not info.imports and not info.unknown
        noted.texts.update(dict.fromkeys(info.texts))
        noted.attributes |= info.attributes
        noted.names.update(info.names)
        if info.reads_texts:
            noted.readers.append((info, namespace))
        parts: list[Part] = []
        if info.unknown:
            unknown = sorted(info.unknown - {"modules"})  # of sys, that is, if of anything
            parts += [Part("global", name, None, "it reads what is not named in the code") for name in unknown]
        for name in info.names:
            if not (name in self._left_out and namespace is self._namespace):
                noted.recorder.read(holder, name, namespace)
                parts += self._name(name, info, namespace)
        if info.imports:
            parts += imported_parts(self, info, namespace)
        return [*parts, *patched_parts(self, "", main_classes(), info)]

    def texts_of(self, value: Any) -> None:
        """Note the texts in a value: they may name files, or variables that a query reads."""
        for text in texts_in(value):
            self.noted.texts[text] = None

    def queries(self, texts: Iterable[str]) -> None:
        """Note texts that may be queries: if something reads variables by a text, by these."""
        self.noted.queries += texts

    def class_(self, name: str, kind: type) -> list[Part]:
        """Return the parts of a class of the user's own."""
        if met := self.reference(kind, kind.__qualname__):
            return [Part("class", name, met.encode(), "class")]
        self.noted.classes[kind] = name
        self.noted.recorder.is_quick = False  # a class can change in place
        self.home(kind.__module__)
        return class_parts(self, name, kind)

    def module(self, name: str, module: ModuleType) -> list[Part]:
        """Return the parts of all of a module of the user's own."""
        return list(module_parts(self, name, module, NOTHING, is_whole=True))

    def _name(self, name: str, info: CodeInfo, namespace: Mapping[str, Any]) -> list[Part]:
        if name in namespace:
            return self.thing(name, namespace[name], info, name in info.passed_on)
        if name == "globals":
            return [Part("global", name, None, "it reads names that are not in the code")]
        there = vars(builtins)
        if name not in there:
            return [Part("global", name, b"absent", "not defined")]
        self.noted.recorder.look(there, [name])
        return [part for thing in own_things(there[name]) for part in self.thing(name, thing, info)]

    def thing(self, name: str, value: Any, info: CodeInfo, is_passed_on: bool = False) -> list[Part]:
        if isinstance(value, Task):
            self.noted.tasks[value.name] = None
            value = value.fn
        elif type(value).__name__ == "_lru_cache_wrapper":
            value = value.__wrapped__
        if isinstance(value, ModuleType):
            return list(module_parts(self, name, value, info, is_passed_on))
        if isinstance(value, FunctionType) and is_own(value):
            return self.function(value, "function", name)
        if isinstance(value, type) and is_own(value):
            return self.class_(name, value)
        if value is sys.modules:
            return [Part("global", name, None, "it reads modules that are not named in the code")]
        self.texts_of(value)
        kind = value if isinstance(value, type) else type(value)
        self.noted.libraries.add(kind.__module__.partition(".")[0])
        owners = [vars(base) for base in kind.__mro__[:-1]]
        return [value_part("global", name, value), *patched_parts(self, name, owners, info)]

    def home(self, module: object) -> None:
        """Note where something of the user's own was loaded from."""
        if isinstance(module, str) and module not in self.noted.modules and module != "__main__":
            found = sys.modules.get(module)
            if found is not None and not is_library(module):
                self.noted.modules[module] = None
                modules.note(found)

    def _dispatch(self, registry: Mapping[type, Any], kind: str, name: str) -> list[Part]:
        """Return the parts of a `functools.singledispatch` function: what is registered; not what it caches."""
        parts = [Part(kind, name, b"singledispatch")]
        for of in sorted(registry, key=qualified):
            parts += self.thing(f"{name}[{of.__qualname__}]", registry[of], NOTHING)
        return parts

    def _ending(self) -> list[Part]:
        """Return the parts of what can be told only when everything was met."""
        noted, parts = self.noted, list[Part]()
        noted.recorder.is_quick &= not (noted.readers or noted.tasks or "__subclasses__" in noted.attributes)
        for info, namespace in noted.readers:
            texts = map(str, (*noted.texts, *noted.queries))
            there = [word for word in words(texts, info.names) if word in namespace]
            parts += [part for word in dict.fromkeys(there) for part in self._name(word, info, namespace)]
        named = (noted.attributes, noted.names, [text for text in noted.texts if isinstance(text, str)])
        reads_code = not all(map(_TEXT_OF_CODE.isdisjoint, named))
        noted.recorder.is_quick &= not reads_code
        if "__subclasses__" in noted.attributes:
            for kind in subclasses([*noted.classes]):
                parts += self.class_(kind.__qualname__, kind)
        if noted.tasks and not _OF_RESULTS.isdisjoint(noted.attributes):
            what = ", ".join(map(repr, noted.tasks))
            parts.append(Part("global", what, None, f"it may read the result of task {what} past its arguments"))
        if reads_code:
            parts += self._texts_of_code()
        return [*parts, *setting_parts(noted.libraries)] if noted.libraries else parts

    def _texts_of_code(self) -> list[Part]:
        """Return the parts of docstrings, annotations and source: something reads them."""
        texts = [
            ("function", name, f"{fn.__doc__!r}{_annotations_of(fn)}{source_of(fn)}")
            for fn, name in self.noted.functions.items()
        ]
        texts += [("class", name, text_of_class(kind)) for kind, name in self.noted.classes.items()]
        return [
            Part(kind, f"{name} (its text)", xxhash.xxh3_128_digest(text.encode("utf-8", "replace")))
            for kind, name, text in texts
        ]


def _annotations_of(fn: FunctionType) -> str:
    try:
        return as_text(fn.__annotations__)
    except NameError:  # from Python 3.14 on they are worked out when they are read
        return ""


def _dispatched(fn: FunctionType) -> Mapping[type, Any] | None:
    """Return what is registered with a `functools.singledispatch` function; None if it is none."""
    if fn.__globals__.get("__name__") != "functools" or "registry" not in fn.__dict__:
        return None
    registry: Mapping[type, Any] = fn.__dict__["registry"]
    return registry


def _cell_contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


class _Current(threading.local):
    walk: Walk | None = None


_current = _Current()


class walk:  # noqa: N801 - used like a function; as one with `contextmanager` it takes three times as long
    """Give the walk that is going on in this thread, or begin one; for a ``with`` statement.

    Parameters
    ----------
    left_out : collection of str
        Names in `namespace` that stand for something else there.
    namespace : mapping, optional
    """

    __slots__ = ("_before", "_new")

    def __init__(self, left_out: Collection[str] = (), namespace: Mapping[str, Any] | None = None) -> None:
        self._before = _current.walk
        self._new = self._before or Walk(left_out, namespace)

    def __enter__(self) -> Walk:
        _current.walk = self._new
        return self._new

    def __exit__(self, *_: object) -> None:
        _current.walk = self._before


def is_walking() -> bool:
    """Whether a walk is going on in this thread."""
    return _current.walk is not None


@contextmanager
def fork() -> Iterator[None]:
    """Let what is met inside be forgotten outside."""
    before = _current.walk
    _current.walk = before.fork() if before else None
    try:
        yield
    finally:
        _current.walk = before
