"""Which of a notebook's names are read when a value is used: by its functions, and by what they use in turn."""

from __future__ import annotations

import functools
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from graflow_nb.core.task import Task
from graflow_nb.incremental.code.bytecode import code_info
from graflow_nb.incremental.code.libraries import is_library
from graflow_nb.notebook.cells import CellBody

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_MOST_ITEMS = 100
"""A larger container holds data, not helpers."""
_DEEPEST = 3
"""How far helpers are looked for in a library's objects (a pipeline of transformers of functions)."""
_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})
_NEVER = frozenset({"IPython", "ipykernel", "traitlets", "graflow_nb"})
"""Packages whose objects hold the whole notebook."""


def global_reads(values: Iterable[Any], namespace: Mapping[str, Any]) -> set[str]:
    r"""Return the names of `namespace` that functions read when these values are used.

    Examples
    --------
    >>> namespace = {}
    >>> exec("def f(): return g() + a\ndef g(): return b", namespace)
    >>> sorted(global_reads([[namespace["f"]]], namespace))
    ['a', 'b', 'g']
    """
    read: set[str] = set()
    seen: dict[int, Any] = {}  # the values too: an id is good only while its object lives
    stack = [(value, 0) for value in values]
    while stack:
        value, depth = stack.pop()
        if type(value) in _PLAIN or id(value) in seen or value is namespace:
            continue
        seen[id(value)] = value
        names = _names(value, namespace)
        read.update(names)
        stack += [(namespace[name], 0) for name in names if name in namespace]
        library = is_library(type(value).__module__) and type(value) not in _PARTS
        if depth < _DEEPEST:
            stack += [(part, depth + library) for part in parts_of(value)]
    return read


def _names(value: Any, namespace: Mapping[str, Any]) -> Iterable[str]:
    if isinstance(value, FunctionType) and value.__globals__ is namespace:
        return code_info(value.__code__).names
    if isinstance(value, Task) and isinstance(value.fn, CellBody):
        return value.fn.names.reads
    return ()


def parts_of(value: Any) -> Iterable[Any]:
    """Return what a value is made of that may hold functions."""
    for kind, parts in _PARTS.items():
        if isinstance(value, kind):
            return parts(value)
    return _parts_of_object(value)


def _parts_of_function(fn: FunctionType) -> Iterable[Any]:
    more = (fn.__defaults__ or (), (fn.__kwdefaults__ or {}).values(), fn.__dict__.values())
    return [*contents(fn), *(part for parts in more for part in parts)]


def _parts_of_class(kind: type) -> Iterable[Any]:
    return () if is_library(kind.__module__) else (*vars(kind).values(), *kind.__bases__)


def _items(container: Any) -> Iterable[Any]:
    if len(container) > _MOST_ITEMS:
        return ()
    return list(container.values() if isinstance(container, dict) else container)


def _parts_of_object(value: Any) -> Iterable[Any]:
    if isinstance(value, ModuleType) or type(value).__module__.partition(".")[0] in _NEVER:
        return ()
    try:
        state = object.__getattribute__(value, "__dict__")
    except AttributeError:
        state = {}
    return (type(value), *list(state.values())[:_MOST_ITEMS])


def contents(fn: FunctionType) -> list[Any]:
    """Return what stands in a function's closure."""
    found = []
    for cell in fn.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # not assigned yet
            found.append(None)
    return found


_PARTS: dict[type, Callable[[Any], Iterable[Any]]] = {
    FunctionType: _parts_of_function,
    functools.partial: lambda it: (it.func, *it.args, *it.keywords.values()),
    MethodType: lambda it: (it.__func__, it.__self__),
    staticmethod: lambda it: (it.__func__,),
    classmethod: lambda it: (it.__func__,),
    property: lambda it: (it.fget, it.fset, it.fdel),
    Task: lambda it: (it.fn,),
    type: _parts_of_class,
    **dict.fromkeys((list, tuple, set, frozenset, dict), _items),
}
