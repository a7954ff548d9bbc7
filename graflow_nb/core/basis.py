"""What a plan was made from: what of it still holds is taken over by the next one."""

from __future__ import annotations

from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from graflow_nb.core.arguments import Upstream
    from graflow_nb.core.graph import TaskGraph


class Basis:
    """What a plan without a scope was made from, to see what of it holds when the graph has changed.

    Tasks and joins are told by identity or are texts. Values that are bound are told by identity, never by
    equality: ``1 == True``, and what an array answers is no yes or no.
    """

    def __init__(self, graph: TaskGraph) -> None:
        self._version = graph.version
        self._tasks = dict(graph.nodes)
        self._options = [task.options for task in self._tasks.values()]
        self._defines = [task.defines for task in self._tasks.values()]
        self._inner = {name: task.inner for name, task in self._tasks.items() if task.is_composite}
        self._bound = {name: dict(task.options.bound) for name, task in self._tasks.items() if task.options.bound}
        self.joins = {name: graph.joins(name) for name in self._tasks}

    def complete(
        self,
        variables: Mapping[str, str],
        taken: Mapping[str, Mapping[str, Upstream]],
        by_ancestry: Collection[str],
    ) -> None:
        """Add who defines which variable, what is taken by name, and what `Resolver` says."""
        self._variables, self._taken, self._by_ancestry = variables, taken, by_ancestry

    def holds(self, graph: TaskGraph) -> bool:
        """Whether it is still so."""
        tasks = self._tasks.values()
        return (
            graph.version == self._version
            and all(map(is_, map(_options_of, tasks), self._options))
            and all(map(is_, map(_defines_of, tasks), self._defines))
            and all(_are_same(bound, self._tasks[name].options.bound) for name, bound in self._bound.items())
            and all(self._tasks[name].inner is inner for name, inner in self._inner.items())
        )

    def alike(self, earlier: Basis) -> list[str]:
        """Return the tasks whose binding must be the same as when that was so.

        A binding is made of the task, its options, its joins, what it takes by name, and for a default of what
        its name means and comes after: where the latter mattered, or names mean something else now, it is not.
        """
        if self._tasks.keys() != earlier._tasks.keys() or self._variables != earlier._variables:
            return []
        before = dict(zip(earlier._tasks, zip(earlier._options, earlier._defines, strict=True), strict=True))
        now = zip(self._tasks.items(), self._options, self._defines, strict=True)
        return [
            name
            for (name, task), options, defines in now
            if task is earlier._tasks[name]
            and options is before[name][0]
            and defines is before[name][1]
            and self.joins[name] == earlier.joins[name]
            and self._taken[name] == earlier._taken[name]
            and name not in earlier._by_ancestry
            and self._inner.get(name) is earlier._inner.get(name)
            and (not options.bound or _are_same(earlier._bound[name], options.bound))
        ]


_options_of, _defines_of = attrgetter("options"), attrgetter("defines")


def _are_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return [*one] == [*other] and all(map(is_, one.values(), other.values()))
