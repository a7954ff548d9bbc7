"""What a plan was made from: what of it still holds is taken over by the next one."""

from __future__ import annotations

from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graflow_nb.core.graph import TaskGraph


class Basis:
    """What a plan without a scope was made from, to see what of it holds when the graph has changed.

    Tasks and joins are told by identity or are texts. Values that are bound are told by identity, never by
    equality: ``1 == True``, and what an array answers is no yes or no.

    Parameters
    ----------
    graph : TaskGraph
    variables : mapping of str to str
        Who defines which variable.

    Attributes
    ----------
    joins : dict of str to sequence of tuple of str
        What operators wired before each task.
    """

    def __init__(self, graph: TaskGraph, variables: Mapping[str, str]) -> None:
        self._version = graph.version
        self._tasks = dict(graph.nodes)
        self._options = {name: task.options for name, task in self._tasks.items()}
        self._defines = {name: task.defines for name, task in self._tasks.items()}
        self._inner = {name: task.inner for name, task in self._tasks.items() if task.is_composite}
        self._bound = {name: dict(task.options.bound) for name, task in self._tasks.items() if task.options.bound}
        self.joins = {name: graph.joins(name) for name in self._tasks}
        self.variables = variables

    def holds(self, graph: TaskGraph) -> bool:
        """Whether it is still so."""
        tasks = self._tasks.values()
        return (
            graph.version == self._version
            and all(map(is_, map(_options_of, tasks), self._options.values()))
            and all(map(is_, map(_defines_of, tasks), self._defines.values()))
            and all(_are_same(bound, self._tasks[name].options.bound) for name, bound in self._bound.items())
            and all(self._tasks[name].inner is inner for name, inner in self._inner.items())
        )

    def alike(self, earlier: Basis) -> list[str]:
        """Return the tasks of which all is as it was: the task, its options, its joins, and what names mean.

        What a task takes by name, and where its arguments come from, is the same then, unless what comes before
        what in the whole graph mattered for that.
        """
        if self._tasks.keys() != earlier._tasks.keys() or self.variables != earlier.variables:
            return []
        tasks, all_options, all_defines, joins = earlier._tasks, earlier._options, earlier._defines, earlier.joins
        return [
            name
            for name, task in self._tasks.items()
            if task is tasks[name]
            and (options := self._options[name]) is all_options[name]
            and self._defines[name] is all_defines[name]
            and self.joins[name] == joins[name]
            and self._inner.get(name) is earlier._inner.get(name)
            and (not options.bound or _are_same(earlier._bound[name], options.bound))
        ]


_options_of, _defines_of = attrgetter("options"), attrgetter("defines")


def _are_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return [*one] == [*other] and all(map(is_, one.values(), other.values()))
