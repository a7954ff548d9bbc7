"""The key of a task: everything that is known before it runs and that its result depends on."""

from __future__ import annotations

from functools import lru_cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import xxhash

from graflow_nb.core.arguments import Constant, FromChannel, Gathered, Upstream
from graflow_nb.core.param import Param
from graflow_nb.incremental.code.parts import Part, encoded, value_part
from graflow_nb.incremental.code.reads import last_walk, reads_of, value_reads, walk_of
from graflow_nb.incremental.fingerprint import fingerprint
from graflow_nb.incremental.prints import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import CodeType

    from graflow_nb.core.arguments import Binding, Source
    from graflow_nb.core.call import Produced
    from graflow_nb.core.task import Task
    from graflow_nb.incremental.code.parts import Reads
    from graflow_nb.incremental.code.quick import Walked

FORMAT = 2
"""Counts up when the meaning of a key changes."""

_Input: TypeAlias = "tuple[str, str | None, bytes]"
"""A result that is read, as task and variable, with its fingerprint."""
_part = partial(tuple.__new__, Part)  # half the time of `Part`; one of these is made for each edge


@lru_cache(maxsize=10_000)
def _frame(name: str, inject_context: bool) -> tuple[Part, bytes]:
    """Return what a key begins with, and the same as bytes."""
    frame = Part("task", name, fingerprint((FORMAT, name, inject_context)))
    return frame, encoded([frame]) or b""


class Key(NamedTuple):
    """What a task's result depends on, as far as it is known before it runs.

    Attributes
    ----------
    parts : tuple of Part
    digest : bytes or None
        Of the parts, 16 bytes; None if one of them cannot be known.
    reads : Reads
        What its code is and reads.
    given : mapping of str to Reads
        What each fixed argument is and reads, but for numbers.
    """

    parts: tuple[Part, ...]
    digest: bytes | None
    reads: Reads
    given: Mapping[str, Reads] = MappingProxyType({})

    @property
    def paths(self) -> Sequence[str]:
        """The files that are named."""
        if not self.given:
            return self.reads.paths
        return [*self.reads.paths, *(path for reads in self.given.values() for path in reads.paths)]

    @property
    def modules(self) -> Sequence[str]:
        """The user's own modules that are read."""
        if not self.given:
            return self.reads.modules
        return [module for reads in (self.reads, *self.given.values()) for module in reads.modules]

    @property
    def codes(self) -> Mapping[str, CodeType | str]:
        """The code among the parts, by their names."""
        if not self.given:
            return self.reads.codes
        every = (*self.given.values(), self.reads)
        return {name: code for reads in every for name, code in reads.codes.items()}

    def changed_arguments(self, binding: Binding) -> list[str]:
        """Return the fixed arguments that are no longer as they were when the key was made."""
        return [
            name
            for name, source in binding.sources()
            if type(source) is Constant and type(source.value) not in PLAIN and name in self.given
            if argument_reads(name, source.value).parts != self.given[name].parts
        ]


class Remembered:
    """A key, and all that it was made from: with the same it need not be made again.

    Only of tasks whose arguments are results and plain values: those cannot change in place. What the code
    reads is looked at each time, and is the same object as long as it is the same (see `code.quick`).

    Parameters
    ----------
    task : Task
    binding : Binding
    inputs : sequence of (str, str or None, bytes)
        The results that are read, as task and variable, with their fingerprints.
    key : Key

    Attributes
    ----------
    key : Key
    found : object
        What the cache found under the key last; its own.
    """

    __slots__ = ("_binding", "_fn", "_inputs", "_left_out", "_options", "_walk", "found", "key")

    def __init__(
        self, task: Task, binding: Binding, inputs: Sequence[_Input], key: Key, walk: Walked | None = None
    ) -> None:
        self.key = key
        self.found: Any = None
        self._binding, self._options, self._fn = binding, task.options, task.fn
        self._inputs = inputs
        self._left_out = (*binding.free,)
        self._walk = walk

    def holds(self, task: Task, binding: Binding, inputs: Mapping[str, Produced], moment: object) -> bool:
        """Whether a task's key must be the same: its name has to be."""
        if binding is not self._binding or task.options is not self._options or task.fn is not self._fn:
            return False
        for name, variable, was in self._inputs:
            if inputs[name].prints.get(variable) != was:
                return False
        walk = self._walk = self._walk or walk_of(self._fn, self._left_out, self.key.reads)
        if walk is not None:
            return walk.holds_at(moment)
        return reads_of(self._fn, self._left_out) is self.key.reads


def holding_walk(task: Task, binding: Binding, moment: object) -> Walked | None:
    """Return the walk through a task's function that is remembered, if it holds at a moment."""
    walk = last_walk(task.fn, binding.free)
    return walk if walk is not None and walk.holds_at(moment) else None


def key_of(
    task: Task, binding: Binding, inputs: Mapping[str, Produced], walk: Walked | None = None
) -> tuple[Key, Remembered | None]:
    """Return a task's key, and what it was made from unless something in that could change in place.

    With a walk that holds, and if the latter is returned, no code of the user's was run.

    Parameters
    ----------
    task : Task
    binding : Binding
        Where its arguments come from.
    inputs : mapping of str to Produced
        What the tasks before it made.
    walk : Walked, optional
        What its callable is and reads, if that is known.
    """
    options, ignored = task.options, task.options.ignore
    reads = walk.reads if walk is not None else reads_of_task(task, binding)
    frame, head = _frame(task.stored_as, options.inject_context)
    parts: list[Part] = []
    given: dict[str, Reads] = {}
    read: list[_Input] = []
    is_plain = type(options.version) in _SIMPLE
    if options.version is not None:
        parts.append(value_part("version", task.name, options.version))
    for label, name, source in _labelled(task, binding):
        if type(source) is Upstream:
            before, variable = source
            produced = inputs[before]
            print_ = produced.prints.get(variable) or produced.print_of(variable)
            read.append((before, variable, print_))
            if name not in ignored:
                shown = before if variable is None else f"{before}.{variable}"
                parts.append(_part(("input", shown, label.encode() + print_, "")))
            continue
        if type(source) is Gathered:
            read += [(before, None, inputs[before].print_of(None)) for before in source.tasks]
        elif type(source) is Constant and type(source.value) not in _SIMPLE:
            is_plain = False
        if name not in ignored:
            parts += _argument(label, source, inputs, given)
    body, tail = reads.encoded, encoded(parts)
    digest = None if body is None or tail is None else xxhash.xxh3_128_digest(head + body + tail)
    key = Key((frame, *reads.parts, *parts), digest, reads, given)
    return key, Remembered(task, binding, read, key, walk) if is_plain else None


def _labelled(task: Task, binding: Binding) -> Iterable[tuple[str, str, Source]]:
    """Return what each argument is called in a key, its name and its source; ``*names`` have an order."""
    positional = binding.positional
    if isinstance(task, Param):
        found = [(task.name, name, source) for name, source in positional]
    elif positional and positional[-1][0][0] == "*":
        found = [
            (f"{index}:{name}" if name[0] == "*" else name, name, source)
            for index, (name, source) in enumerate(positional)
        ]
    else:
        found = [(name, name, source) for name, source in positional]
    if binding.keyword or binding.free:
        found += [(name, name, source) for name, source in (*binding.keyword, *binding.free.items())]
    return found


def reads_of_task(task: Task, binding: Binding) -> Reads:
    """Return what a task's callable is and reads."""
    # Not looked for where the walk is remembered: then none of its code is a query.
    texts = (s.value for _, s in binding.sources() if type(s) is Constant and type(s.value) is str)
    return reads_of(task.fn, binding.free.keys(), texts)


def argument_reads(name: str, value: Any) -> Reads:
    """Return what a fixed argument is and reads."""
    return value_reads("argument", name, value)


def _argument(
    name: str, source: Source, inputs: Mapping[str, Produced], given: dict[str, Reads]
) -> Sequence[Part]:
    if type(source) is Gathered:
        prints = b"".join(inputs[task].prints[None] for task in source.tasks)
        return (Part("input", source.name or ", ".join(source.tasks), b"list:" + name.encode() + prints),)
    if type(source) is Constant:
        if type(source.value) in _SIMPLE:
            return (value_part("argument", name, source.value),)
        given[name] = argument_reads(name, source.value)
        return given[name].parts
    if type(source) is FromChannel:
        return (Part("channel", name, source.key.encode()),)
    return (Part("context", name, b"context"),)


_SIMPLE = frozenset({type(None), bool, int, float, complex})
