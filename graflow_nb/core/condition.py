"""What decides whether a task runs: a task of its own, which nobody sees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.core.options import DEFAULTS
from graflow_nb.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graflow_nb.core.arguments import Binding


class Condition(NamedTuple):
    """What decides whether a task runs: a task of its own, which nobody sees, with its arguments."""

    task: Task
    binding: Binding


def conditions_of(tasks: Mapping[str, Task]) -> dict[str, Task]:
    """Return the conditions, as tasks, by the names of the tasks that they are for."""
    return {
        name: _condition(_free(f"{name}?", tasks), task.options.when, task.options.bound)
        for name, task in tasks.items()
        if task.options is not DEFAULTS and task.options.when is not None
    }


def _condition(name: str, when: Callable[..., Any], bound: Mapping[str, Any]) -> Task:
    asked = Task.apart(name, when)
    if bound:  # what is fixed for the task is fixed for its condition
        known = {p.name: bound[p.name] for p in asked.parameters if p.name in bound}
        asked.options = replace(DEFAULTS, bound=known)
    return asked


def _free(name: str, tasks: Mapping[str, Task]) -> str:
    return _free(f"{name}?", tasks) if name in tasks else name
