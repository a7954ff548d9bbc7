"""Arguments that were given for good, by `Task.bind` or `Task.map`, and mean nothing any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_nb.core.errors import did_you_mean
from graflow_nb.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Collection


def lost_argument(task: Task, there: Collection[str]) -> tuple[str, str] | None:
    """Return the parameter of a bound argument that means nothing any more, and why; None if all do.

    Parameters
    ----------
    task : Task
    there : collection of str
        The tasks that there are.
    """
    for name, value in task.options.bound.items():
        if name not in task.bindable:
            return name, (
                f"task {task.name!r} was made with {name!r} given, which {task.template or task!r} takes no more: "
                f"run the cell that makes {task.name!r} again"
            )
        if isinstance(value, Task) and value.name not in there:
            lost = f"task {task.name!r}: {name!r} is bound to task {value.name!r}, which is not there"
            return name, f"{lost}. {did_you_mean(value.name, there)}"
    return None
