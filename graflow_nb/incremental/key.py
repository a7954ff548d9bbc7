"""The key of a task: everything that is known before it runs and that its result depends on."""

from __future__ import annotations

from functools import lru_cache
from types import FunctionType
from typing import TYPE_CHECKING, Any

from graflow_nb.core.arguments import Constant, Gathered, Upstream
from graflow_nb.incremental.fingerprint import fingerprint
from graflow_nb.incremental.reads import Part, file_parts, function_parts, value_part

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from graflow_nb.core.arguments import Binding, Source
    from graflow_nb.core.call import Produced
    from graflow_nb.core.task import Task

FORMAT = 1
"""Counts up when the meaning of a key changes."""


@lru_cache(maxsize=10_000)
def _frame(name: str, inject_context: bool) -> Part:
    return Part("task", name, fingerprint((FORMAT, name, inject_context)))


def key_parts(task: Task, binding: Binding, inputs: Mapping[str, Produced]) -> list[Part]:
    """Return a task's key, as its parts.

    Parameters
    ----------
    task : Task
    binding : Binding
        Where its arguments come from.
    inputs : mapping of str to Produced
        What the tasks before it made.
    """
    parts = [_frame(task.name, task.options.inject_context), *code_parts(task.fn, binding.free)]
    for index, (name, source) in enumerate(binding.positional):  # ``*names`` have an order, and one name
        parts.append(_argument(f"{index}:{name}" if name.startswith("*") else name, source, inputs))
    parts += [_argument(name, source, inputs) for name, source in binding.keyword]
    parts += [_argument(name, source, inputs) for name, source in binding.free.items()]
    for _, source in binding.sources():
        if type(source) is Constant:
            parts += file_parts(source.value)
        elif type(source) is Upstream:
            parts += file_parts(inputs[source.task].get(source.variable))
        elif type(source) is Gathered:
            parts += [part for task in source.tasks for part in file_parts(inputs[task].value)]
    return parts


def code_parts(fn: Any, left_out: Container[str] = ()) -> list[Part]:
    """Return what a task's callable is and reads.

    A callable that has a method ``__graflow_parts__(left_out)`` is asked; a function is walked; anything
    else counts by its content.
    """
    if type(fn) is FunctionType:
        return function_parts(fn, "code", left_out)
    ask = getattr(fn, "__graflow_parts__", None)
    if ask is not None:
        parts: list[Part] = ask(left_out)
        return parts
    return [value_part("code", "code", fn)]


def _argument(name: str, source: Source, inputs: Mapping[str, Produced]) -> Part:
    if type(source) is Upstream:
        label = source.task if source.variable is None else f"{source.task}.{source.variable}"
        return Part("input", label, name.encode() + inputs[source.task].print_of(source.variable))
    if type(source) is Gathered:
        prints = b"".join(inputs[task].prints[None] for task in source.tasks)
        return Part("input", ", ".join(source.tasks), b"list:" + name.encode() + prints)
    if type(source) is Constant:
        return value_part("argument", name, source.value)
    return Part("context", name, b"context")
