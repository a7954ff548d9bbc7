"""What a task's callable reads: its parts, the files it could name, the user's own modules among it."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any

import graflow_nb.incremental.handlers  # noqa: F401 - functions and classes get their fingerprints by it
from graflow_nb.incremental.code import quick
from graflow_nb.incremental.code.parts import Part, Reads, value_part
from graflow_nb.incremental.code.walk import Walk, is_walking, walk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from graflow_nb.incremental.code.bytecode import CodeInfo

__all__ = [
    "Part",
    "Reads",
    "Walk",
    "cell_reads",
    "function_parts",
    "function_reads",
    "last_walk",
    "reads_of",
    "value_part",
    "value_reads",
    "walk",
    "walk_of",
]


def function_parts(fn: FunctionType, name: str = "", left_out: Collection[str] = ()) -> list[Part]:
    """Return everything that a function's code reads, each thing once, helpers of helpers included.

    Parameters
    ----------
    fn : function
    name : str
        What to call it.
    left_out : collection of str
        Names that stand for something else than the function's globals.
    """
    return [*function_reads(fn, name, left_out).parts]


def function_reads(
    fn: FunctionType, name: str = "", left_out: Collection[str] = (), texts: Iterable[str] = ()
) -> Reads:
    """Return what a function reads, with the files and modules it names; as `function_parts`.

    `texts` are those that it gets as arguments: if it reads variables that a query names, they may be there.
    """
    name = name or fn.__qualname__
    key = (name, *left_out)
    if not is_walking() and (known := quick.recall(fn, key)) is not None:
        found: Reads = known
        return found
    with walk(left_out, fn.__globals__) as walking:
        walking.queries(texts)
        return walking.reads(walking.function(fn, "code", name), fn, key)


def cell_reads(cell: Any, info: CodeInfo, left_out: Collection[str] = (), texts: Iterable[str] = ()) -> Reads:
    """Return what a cell's code reads; as `function_reads`.

    Parameters
    ----------
    cell : object
        Its attribute ``namespace`` is where its names are looked up, ``source`` its text.
    info : CodeInfo
    left_out : collection of str
        As in `function_parts`.
    texts : iterable of str
        As in `function_reads`.
    """
    key = (info.digest, info.names, *left_out)
    if (known := quick.recall(cell, key)) is not None:
        found: Reads = known
        return found
    with walk(left_out, cell.namespace) as walking:
        walking.queries(texts)
        parts = [Part("code", "code", info.digest), *walking.names(info, cell.namespace, cell)]
        return walking.reads(parts, cell, key)


def reads_of(fn: Any, left_out: Collection[str] = (), texts: Iterable[str] = ()) -> Reads:
    """Return what a task's callable is and reads.

    A callable that has a method ``__graflow_reads__(left_out, texts)`` is asked; a function is walked; anything
    else counts by its content.

    Parameters
    ----------
    fn : callable
    left_out : collection of str
        As in `function_parts`.
    texts : iterable of str
        The texts among its arguments: queries in them may name variables.
    """
    if type(fn) is FunctionType:
        return function_reads(fn, "code", left_out, texts)
    ask = getattr(fn, "__graflow_reads__", None)
    if ask is not None:
        found: Reads = ask(left_out, texts)
        return found
    return value_reads("code", "code", fn, texts)


def last_walk(fn: Any, left_out: Iterable[str]) -> quick.Walked | None:
    """Return the walk through a task's function that is remembered, if one is; whether it holds is not said."""
    return quick.walked(fn, ("code", *left_out)) if type(fn) is FunctionType else None


def walk_of(fn: Any, left_out: Collection[str], reads: Reads) -> quick.Walked | None:
    """Return the walk through a task's function that gave what it reads, if it is remembered."""
    found = last_walk(fn, left_out)
    return found if found is not None and found.reads is reads else None


def value_reads(kind: str, name: str, value: Any, texts: Iterable[str] = ()) -> Reads:
    """Return the part of a value, with the files and modules that it names, and its functions and classes.

    Examples
    --------
    >>> value_reads("argument", "path", ["data/a.csv"]).paths
    ('data/a.csv',)
    """
    with walk() as walking:
        walking.texts_of(value)
        walking.queries(texts)
        return walking.reads([value_part(kind, name, value)])
