"""Tasks that are born while a run goes on: what they come after, and where their arguments come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_nb.core.graph import TaskGraph
from graflow_nb.core.plan import Plan
from graflow_nb.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graflow_nb.core.arguments import Scope
    from graflow_nb.core.compose import Composable


def plan_of_born(
    parent: Task, tasks: Composable, new: Sequence[Task], find: Callable[[str], Task | None], scope: Scope | None
) -> Plan:
    """Return a plan of new tasks, of the one that asked for them, and of those that they name.

    Parameters
    ----------
    parent : Task
    tasks : Composable
        What it asked for; `new` are those of it that are to be born.
    find : callable
        Returns the task of a name, if it has a result.
    scope : Scope or None
    """
    graph = TaskGraph()
    graph.add(parent)
    for task in new:
        bound = [value.name for value in task.options.bound.values() if isinstance(value, Task)]
        for named in (*bound, *(parameter.name for parameter in task.parameters)):
            if (there := find(named)) is not None:
                graph.add(there)
        graph.add(task)
    graph.wire([parent], [task for task in tasks.roots if task in new])
    for befores, afters in tasks.joins:
        graph.wire(befores, afters)
    return Plan(graph, scope)
