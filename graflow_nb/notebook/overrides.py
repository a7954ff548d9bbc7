"""Tasks that others stand for while a flow runs: their values are given, and nothing before them is needed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import TaskDefinitionError
from graflow_nb.core.task import Defined, Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graflow_nb.core.graph import TaskGraph


def replacements(graph: TaskGraph, overrides: Mapping[str, Any]) -> dict[str, Defined]:
    """Return what the tasks of a graph are to give, from values of tasks and variables.

    Raises
    ------
    TaskDefinitionError
        If a value cannot stand for a task that defines several variables.
    """
    owners = {name: task for task in graph.nodes.values() for name in task.defines}
    found: dict[str, Defined] = {}
    for name, value in overrides.items():
        task = graph.nodes.get(name)
        if task is not None:
            found[name] = _defined(task, value)
            continue
        owner = owners[name]
        if owner.defines != (name,):
            raise TaskDefinitionError(
                f"{name!r} is one of {len(owner.defines)} variables of task {owner.name!r}. "
                f"Override them together: {_together(owner)}"
            )
        found[owner.name] = Defined(value, {name: value})
    return found


def _defined(task: Task, value: Any) -> Defined:
    if type(value) is Defined:
        return value
    if not task.defines:
        return Defined(value, {})
    if isinstance(value, Mapping) and set(value) == set(task.defines):
        is_one = len(task.defines) == 1
        return Defined(value[task.defines[0]] if is_one else None, dict(value))
    if len(task.defines) == 1:
        return Defined(value, {task.defines[0]: value})
    raise TaskDefinitionError(
        f"task {task.name!r} defines {len(task.defines)} variables: its value is a dict of them, {_together(task)}"
    )


def _together(task: Task) -> str:
    variables = ", ".join(f"{name!r}: …" for name in task.defines)
    return f"overrides={{{task.name!r}: {{{variables}}}}}"


@contextmanager
def overridden(graph: TaskGraph, values: Mapping[str, Defined]) -> Iterator[None]:
    """Let tasks of a graph give these values meanwhile."""
    journal, graph.journal = graph.journal, None
    before = {name: (graph[name], graph.joins(name)) for name in values}
    try:
        for name, (task, joins) in before.items():
            for join in joins:
                graph.unwire((name, join))
            graph.remove(name)
            graph.add(_giving(task, values[name]))
        yield
    finally:
        for name, (task, joins) in before.items():
            graph.remove(name)
            graph.add(task)
            for join in joins:
                graph.restore((name, join))
        graph.journal = journal


def _giving(task: Task, value: Defined) -> Task:
    """Return a task that takes nothing and gives a value. It belongs to no workflow yet."""
    return Task(task.name, lambda: value, defines=task.defines, cache=False)
