"""A workflow made ready to run: every edge, every binding, in a fixed order. A snapshot, never changed."""

from __future__ import annotations

from graphlib import CycleError as GraphlibCycleError
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

from graflow_nb.core.arguments import Binding, Missing, Names, Resolver, needs
from graflow_nb.core.errors import CycleError, MissingArgumentError
from graflow_nb.core.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graflow_nb.core.arguments import Scope, Upstream
    from graflow_nb.core.graph import TaskGraph
    from graflow_nb.core.task import Task


class Plan:
    """What depends on what, by operators and by names, and where every argument comes from.

    Parameters
    ----------
    graph : TaskGraph
    scope : Scope, optional
        Where names that are no parameters come from.

    Attributes
    ----------
    tasks : mapping of str to Task
        In the order in which they were defined.
    parents : mapping of str to sequence of str
        What each task waits for.
    inferred : set of (str, str)
        The edges that a name made and no operator wrote.
    bindings : mapping of str to Binding
    missing : mapping of str to Missing
        The tasks that cannot run, because a parameter has nothing to fill it.
    notes : list of str
        What the reader should be told.
    """

    def __init__(self, graph: TaskGraph, scope: Scope | None = None) -> None:
        self.tasks: Mapping[str, Task] = dict(graph.nodes)
        self.notes: list[str] = []
        self.inferred: set[tuple[str, str]] = set()
        self.bindings: dict[str, Binding] = {}
        self.missing: dict[str, Missing] = {}
        self.parents: dict[str, Sequence[str]] = {name: graph.predecessors(name) for name in self.tasks}
        self._children: dict[str, list[str]] | None = None
        names = Names(graph)
        taken = {name: needs(task, names, scope) for name, task in self.tasks.items()}
        self._infer(taken, may_be_cyclic=graph.may_be_cyclic)
        self._bind(Resolver(graph, names, self._is_ancestor), taken)

    @property
    def children(self) -> Mapping[str, list[str]]:
        """What waits for each task."""
        if self._children is None:
            self._children = {name: [] for name in self.tasks}
            for name, befores in self.parents.items():
                for before in befores:
                    self._children[before].append(name)
        return self._children

    @property
    def edges(self) -> list[tuple[str, str]]:
        """Every edge, as (before, after)."""
        return [(before, after) for after, befores in self.parents.items() for before in befores]

    @property
    def unwired(self) -> list[str]:
        """Tasks that nothing wires and whose parameters nothing fills: they are left out of a run."""
        return [name for name in self.missing if not self._is_wired(name)]

    @property
    def default_targets(self) -> list[str]:
        """What runs if nothing is named: all but unwired tasks, and templates that nothing wires."""
        return [
            name
            for name, task in self.tasks.items()
            if not (task.is_template or name in self.missing)
            or self._is_wired(name, by_names=not task.is_template)
        ]

    def order(self, names: Iterable[str]) -> list[str]:
        """Return these tasks sorted: each after all it waits for, else as they were defined."""
        chosen = dict.fromkeys(names)
        scheduler = Scheduler(
            {name: [b for b in self.parents[name] if b in chosen] for name in self.tasks if name in chosen}
        )
        ordered = []
        while ready := scheduler.get_ready(1):
            ordered += ready
            scheduler.done(ready[0])
        return ordered

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """Return everything that these tasks wait for, themselves left out unless another waits for them."""
        return _reach(names, self.parents)

    def descendants(self, names: Iterable[str]) -> set[str]:
        """Return everything that waits for these tasks."""
        return _reach(names, self.children)

    def check(self, names: Iterable[str]) -> None:
        """Raise if one of these tasks cannot run.

        Raises
        ------
        MissingArgumentError
            Naming every parameter that has nothing to fill it.
        """
        problems = [self.missing[name].message for name in names if name in self.missing]
        if problems:
            raise MissingArgumentError("\n".join(problems))

    def _is_wired(self, name: str, *, by_names: bool = True) -> bool:
        parents = [before for before in self.parents[name] if by_names or (before, name) not in self.inferred]
        return bool(parents or self.children[name])

    def _is_ancestor(self, before: str, after: str) -> bool:
        return before in self.ancestors([after])

    def _infer(self, taken: Mapping[str, dict[str, Upstream]], *, may_be_cyclic: bool) -> None:
        """Add the edges that names make; those that would close a cycle are left out, and noted."""
        wanted = [
            (source.task, name)
            for name, sources in taken.items()
            for source in sources.values()
            if source.task not in self.parents[name]
        ]
        if not wanted and not may_be_cyclic:
            return
        written = self.parents
        self.parents = {name: list(befores) for name, befores in written.items()}
        self._add(dict.fromkeys(wanted))
        if _cycle(self.parents) is None:
            return
        self.parents = {name: list(befores) for name, befores in written.items()}
        if cycle := _cycle(self.parents):
            raise CycleError(f"{' >> '.join(cycle)} is a cycle: it would wait for itself")
        self.inferred.clear()
        for before, after in dict.fromkeys(wanted):
            if after in self.ancestors([before]) or before == after:
                self._leave_out(before, after, taken[after])
            else:
                self._add([(before, after)])

    def _add(self, edges: Iterable[tuple[str, str]]) -> None:
        for before, after in edges:
            self.parents[after] = [*self.parents[after], before]
            self.inferred.add((before, after))

    def _leave_out(self, before: str, after: str, taken: dict[str, Upstream]) -> None:
        for name in [name for name, source in taken.items() if source.task == before]:
            del taken[name]
            self.notes.append(
                f"{after!r} reads {name!r}, but does not get it from task {before!r}, which runs after it: "
                f"that would close a cycle. Rename one of the two if it is something else."
            )

    def _bind(self, resolver: Resolver, taken: Mapping[str, dict[str, Upstream]]) -> None:
        for name, task in self.tasks.items():
            found = resolver.bind(task, taken[name])
            if isinstance(found, Missing):
                self.missing[name] = found
            else:
                self.bindings[name] = found


def _reach(names: Iterable[str], neighbours: Mapping[str, Sequence[str]]) -> set[str]:
    seen: set[str] = set()
    stack = list(names)
    while stack:
        for name in neighbours[stack.pop()]:
            if name not in seen:
                seen.add(name)
                stack.append(name)
    return seen


def _cycle(parents: Mapping[str, Iterable[str]]) -> list[str] | None:
    try:
        TopologicalSorter(parents).prepare()
    except GraphlibCycleError as error:
        cycle: list[str] = error.args[1]
        return cycle
    return None
