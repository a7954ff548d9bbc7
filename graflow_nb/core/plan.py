"""A workflow made ready to run: every edge, every binding, in a fixed order. A snapshot, never changed."""

from __future__ import annotations

from graphlib import CycleError as GraphlibCycleError
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from graflow_nb.core.arguments import READS_NOTHING, Binding, Missing, Names, Resolver, needs
from graflow_nb.core.basis import Basis
from graflow_nb.core.condition import Condition, conditions_of
from graflow_nb.core.errors import CycleError, MissingArgumentError, UnknownTaskError, did_you_mean
from graflow_nb.core.param import Param
from graflow_nb.core.reach import reach
from graflow_nb.core.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from graflow_nb.core.arguments import Behind, Reads, Scope, Upstream
    from graflow_nb.core.graph import TaskGraph
    from graflow_nb.core.task import Task


class Plan:
    """What depends on what, by operators and by names, and where every argument comes from.

    Parameters
    ----------
    graph : TaskGraph
    scope : Scope, optional
        Where names that are no parameters come from.
    given : mapping of str, optional
        Values of parameters that are not to come from the graph.
    channel : collection of str
        The keys that the channel has when a run begins.
    earlier : Plan, optional
        Of the same graph as it was, without scope and given values: what still holds of it is taken over.

    Raises
    ------
    UnknownTaskError
        If nothing takes what is given.

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
    conditions : mapping of str to Condition
        What decides whether a task runs, for those that have a condition.
    frames : mapping of str to sequence of str
        The groups that have a name or a policy, with their tasks.
    notes : list of str
        What the reader should be told.
    scope : Scope or None
    keys : list of str
        Those that the channel has when a run begins.
    basis : Basis
        What it was made from.
    """

    def __init__(
        self,
        graph: TaskGraph,
        scope: Scope | None = None,
        given: Mapping[str, Any] | None = None,
        *,
        channel: Collection[str] = (),
        earlier: Plan | None = None,
    ) -> None:
        self.tasks: Mapping[str, Task] = dict(graph.nodes)
        self.notes: list[str] = []
        self.inferred: set[tuple[str, str]] = set()
        self.bindings: dict[str, Binding] = {}
        self.missing: dict[str, Missing] = {}
        self.conditions: dict[str, Condition] = {}
        self.scope = scope
        self.frames: Mapping[str, Sequence[str]] = _frames(graph)
        self.keys = [*channel]
        names = Names(graph)
        self.basis = Basis(graph, names.variables)
        written: dict[str, Sequence[str]] = {
            name: joins[0] if len(joins) == 1 else graph.predecessors(name)
            for name, joins in self.basis.joins.items()
        }
        self.parents = written
        self._children: dict[str, list[str]] | None = None
        reads = {name: scope.reads(task) if scope else READS_NOTHING for name, task in self.tasks.items()}
        known = earlier.known_to(self.basis) if earlier is not None else {}
        taken = {
            name: known[name] if name in known else needs(task, names, reads[name])
            for name, task in self.tasks.items()
        }
        self._behind: dict[str, list[Behind]] = _behind(graph, names, scope, reads, taken) if scope else {}
        conditions = conditions_of(self.tasks)
        asked = {
            name: needs(task, names, scope.reads(task) if scope else READS_NOTHING, name)
            for name, task in conditions.items()
        }
        self._infer(taken, asked, may_be_cyclic=graph.may_be_cyclic)
        given = _taken_by_somebody(self.tasks, given) if given else {}
        resolver = Resolver(names, self.basis.joins, written, self._is_ancestor, given, channel)
        if earlier is not None and not self.notes:
            self.bindings = {name: earlier.bindings[name] for name in known if name in earlier.bindings}
        self._bind(resolver, taken)
        self._taken = {name: sources for name, sources in taken.items() if name not in resolver.by_ancestry}
        for name, task in conditions.items():
            self._guard(name, task, resolver, asked[name])

    def holds(self, graph: TaskGraph) -> bool:
        """Whether a plan made of the graph now would be the same; if this has neither scope nor given values."""
        return self.basis.holds(graph)

    def known_to(self, basis: Basis) -> Mapping[str, Mapping[str, Upstream]]:
        """Return the tasks whose bindings hold for a plan with another basis, with what they take by name."""
        alike = basis.alike(self.basis) if not self.notes else []
        return {name: self._taken[name] for name in alike if name in self._taken}

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
        return [name for name, lost in self.missing.items() if not (lost.is_broken or self._is_wired(name))]

    @property
    def templates(self) -> set[str]:
        """Tasks from which others were made, and that nothing wires: they do not run themselves."""
        return {
            name
            for name, task in self.tasks.items()
            if task.is_template and not self._is_wired(name, by_names=False)
        }

    @property
    def default_targets(self) -> list[str]:
        """What runs if nothing is named: all but unwired tasks, and templates that nothing wires."""
        return [
            name
            for name, task in self.tasks.items()
            if not (task.is_template or (name in self.missing and not self.missing[name].is_broken))
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
        return reach(names, self.parents)

    def descendants(self, names: Iterable[str]) -> set[str]:
        """Return everything that waits for these tasks."""
        return reach(names, self.children)

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

    def _infer(
        self,
        taken: dict[str, Mapping[str, Upstream]],
        asked: Mapping[str, Mapping[str, Upstream]],
        *,
        may_be_cyclic: bool,
    ) -> None:
        """Add the edges that names make; those that would close a cycle are left out, and noted."""
        wanted = [
            (source.task, name)
            for name, sources in taken.items()
            for source in (*sources.values(), *self._behind.get(name, ()))
            if source.task not in self.parents[name]
        ]
        for name, sources in asked.items():
            wanted += [(s.task, name) for s in sources.values() if s.task not in (*self.parents[name], name)]
        if wanted and any(task.members for task in self.tasks.values()):
            wanted = [edge for edge in wanted if not self._is_answered_for(*edge)]
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
                self._leave_out(before, after, taken)
            else:
                self._add([(before, after)])

    def _is_answered_for(self, before: str, after: str) -> bool:
        """Whether a group with a policy stands between: it decides, and not the member's own success."""
        return any(before in self.tasks[name].members for name in self.parents[after])

    def _guard(self, name: str, condition: Task, resolver: Resolver, asked: Mapping[str, Upstream]) -> None:
        """Bind a task's condition; one that cannot be asked makes the task one that cannot run."""
        after = {name, *self.descendants([name])}
        known = {key: source for key, source in asked.items() if source.task not in after}
        found = resolver.bind(condition, known, at=name)
        if isinstance(found, Missing):
            self.missing[name] = found
            self.bindings.pop(name, None)
        else:
            self.conditions[name] = Condition(condition, found)

    def _add(self, edges: Iterable[tuple[str, str]]) -> None:
        for before, after in edges:
            self.parents[after] = [*self.parents[after], before]
            self.inferred.add((before, after))

    def _leave_out(self, before: str, after: str, taken: dict[str, Mapping[str, Upstream]]) -> None:
        left_out = [name for name, source in taken[after].items() if source.task == before]
        taken[after] = {name: source for name, source in taken[after].items() if source.task != before}
        for name in left_out:
            self.notes.append(
                f"{after!r} reads {name!r}, but does not get it from task {before!r}, which runs after it: "
                f"that would close a cycle. Rename one of the two if it is something else."
            )
        for made in [made for made in self._behind.get(after, ()) if made.task == before]:
            self._behind[after].remove(made)
            self.notes.append(
                f"{after!r} reads {made.name!r}, which plain code made from a result of task {before!r}. That "
                f"does not run before {after!r}, so {made.name!r} is taken as it is, and not checked."
            )

    def _bind(self, resolver: Resolver, taken: Mapping[str, Mapping[str, Upstream]]) -> None:
        for name, task in self.tasks.items():
            if name in self.bindings:
                continue
            found = resolver.bind(task, taken[name])
            if isinstance(found, Missing):
                self.missing[name] = found
            else:
                behind = self._behind.get(name)
                self.bindings[name] = found._replace(behind=behind) if behind else found


def _frames(graph: TaskGraph) -> dict[str, Sequence[str]]:
    frames = {**graph.frames}
    for name, task in graph.nodes.items():
        if task.guarded:
            frames[name] = [member for member in task.guarded if member in graph]
    return frames


def _taken_by_somebody(tasks: Mapping[str, Task], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `given`, if each of it is a parameter of the workflow or of one of its tasks."""
    known = {p.name for task in tasks.values() for p in task.parameters}
    known |= {name for name, task in tasks.items() if isinstance(task, Param)}
    for name in given:
        if name not in known:
            raise UnknownTaskError(f"nothing takes a parameter {name!r}. {did_you_mean(name, sorted(known))}")
    return given


def _behind(
    graph: TaskGraph,
    names: Names,
    scope: Scope,
    reads: Mapping[str, Reads],
    taken: Mapping[str, Mapping[str, Upstream]],
) -> dict[str, list[Behind]]:
    """Return what each task reads that plain code made from another task's result."""
    found = {}
    for name, task in names.tasks.items():
        made = [names.locate(b) for b in scope.made_from(task, reads[name], graph) if b.name not in taken[name]]
        if there := [behind for behind in made if behind is not None]:
            found[name] = there
    return found


def _cycle(parents: Mapping[str, Iterable[str]]) -> list[str] | None:
    try:
        TopologicalSorter(parents).prepare()
    except GraphlibCycleError as error:
        cycle: list[str] = error.args[1]
        return cycle
    return None
