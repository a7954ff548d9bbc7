"""The key of a task: everything that is known before it runs and that its result depends on."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import xxhash

from graflow_nb.core.arguments import Constant, Gathered, Upstream, upstreams
from graflow_nb.core.param import Param
from graflow_nb.incremental.code.parts import Part, value_part
from graflow_nb.incremental.code.reads import reads_of, value_reads
from graflow_nb.incremental.fingerprint import fingerprint
from graflow_nb.incremental.prints import PLAIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import CodeType

    from graflow_nb.core.arguments import Binding, Source
    from graflow_nb.core.call import Produced
    from graflow_nb.core.task import Options, Task
    from graflow_nb.incremental.code.parts import Reads

FORMAT = 2
"""Counts up when the meaning of a key changes."""


def digest_of(parts: Sequence[Part]) -> bytes:
    """Return the digest of the parts of a key, 16 bytes; every part has a digest."""
    pieces: list[bytes] = []
    for kind, name, digest, _ in parts:
        assert digest is not None
        pieces += (f"{kind}\0{name}\0{len(digest)}\0".encode("utf-8", "surrogatepass"), digest)
    return xxhash.xxh3_128_digest(b"".join(pieces))


@lru_cache(maxsize=10_000)
def _frame(name: str, inject_context: bool) -> Part:
    return Part("task", name, fingerprint((FORMAT, name, inject_context)))


class Key(NamedTuple):
    """What a task's result depends on, as far as it is known before it runs.

    Attributes
    ----------
    parts : tuple of Part
    reads : Reads
        What its code is and reads.
    given : mapping of str to Reads
        What each fixed argument is and reads, but for numbers.
    """

    parts: tuple[Part, ...]
    reads: Reads
    given: Mapping[str, Reads] = MappingProxyType({})

    @property
    def paths(self) -> list[str]:
        """The files that are named."""
        return [path for reads in (self.reads, *self.given.values()) for path in reads.paths]

    @property
    def modules(self) -> list[str]:
        """The user's own modules that are read."""
        return [module for reads in (self.reads, *self.given.values()) for module in reads.modules]

    @property
    def codes(self) -> Mapping[str, CodeType | str]:
        """The code among the parts, by their names."""
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


class Remembered(NamedTuple):
    """A key, and all that it was made from: with the same it need not be made again.

    Only of tasks whose arguments are results and plain values: those cannot change in place. What the code
    reads is looked at each time, and is the same object as long as it is the same (see `code.quick`).

    Attributes
    ----------
    binding : Binding
    options : Options
    inputs : list of Upstream
        The results that are read.
    prints : list of bytes
        Their fingerprints.
    key : Key
    digest : bytes
    """

    binding: Binding
    options: Options
    inputs: list[Upstream]
    prints: list[bytes]
    key: Key
    digest: bytes

    def holds(self, task: Task, binding: Binding, inputs: Mapping[str, Produced]) -> bool:
        """Whether a task's key must be the same: its name has to be."""
        return (
            binding is self.binding
            and task.options is self.options
            and [inputs[name].print_of(variable) for name, variable in self.inputs] == self.prints
            and reads_of(task.fn, binding.free.keys()) is self.key.reads
        )


def remembered(
    task: Task, binding: Binding, inputs: Mapping[str, Produced], key: Key, digest: bytes
) -> Remembered | None:
    """Return a key with what it was made from, or None if there is something in it that could change in place."""
    read: list[Upstream] = []
    for _, source in binding.sources():
        if type(source) is Constant:
            if type(source.value) not in _SIMPLE:
                return None
        else:
            read += upstreams(source)
    if type(task.options.version) not in _SIMPLE:
        return None
    prints = [inputs[name].print_of(variable) for name, variable in read]
    return Remembered(binding, task.options, read, prints, key, digest)


def key_of(task: Task, binding: Binding, inputs: Mapping[str, Produced]) -> Key:
    """Return a task's key.

    Parameters
    ----------
    task : Task
    binding : Binding
        Where its arguments come from.
    inputs : mapping of str to Produced
        What the tasks before it made.
    """
    options, reads = task.options, reads_of_task(task, binding)
    parts = [_frame(task.name, options.inject_context), *reads.parts]
    given: dict[str, Reads] = {}
    if options.version is not None:
        parts.append(value_part("version", task.name, options.version))
    for index, (name, source) in enumerate(binding.positional):  # ``*names`` have an order, and one name
        if name not in options.ignore:
            label = task.name if isinstance(task, Param) else f"{index}:{name}" if name.startswith("*") else name
            parts += _argument(label, source, inputs, given)
    for name, source in (*binding.keyword, *binding.free.items()):
        if name not in options.ignore:
            parts += _argument(name, source, inputs, given)
    return Key(tuple(parts), reads, given)


def reads_of_task(task: Task, binding: Binding) -> Reads:
    """Return what a task's callable is and reads."""
    texts = [s.value for _, s in binding.sources() if type(s) is Constant and type(s.value) is str]
    return reads_of(task.fn, binding.free.keys(), texts)


def argument_reads(name: str, value: Any) -> Reads:
    """Return what a fixed argument is and reads."""
    return value_reads("argument", name, value)


def _argument(
    name: str, source: Source, inputs: Mapping[str, Produced], given: dict[str, Reads]
) -> Sequence[Part]:
    if type(source) is Upstream:
        label = source.task if source.variable is None else f"{source.task}.{source.variable}"
        return (Part("input", label, name.encode() + inputs[source.task].print_of(source.variable)),)
    if type(source) is Gathered:
        prints = b"".join(inputs[task].prints[None] for task in source.tasks)
        return (Part("input", ", ".join(source.tasks), b"list:" + name.encode() + prints),)
    if type(source) is Constant:
        if type(source.value) in _SIMPLE:
            return (value_part("argument", name, source.value),)
        given[name] = argument_reads(name, source.value)
        return given[name].parts
    return (Part("context", name, b"context"),)


_SIMPLE = frozenset({type(None), bool, int, float, complex})
