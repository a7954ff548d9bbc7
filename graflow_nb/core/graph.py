"""The graph of a workflow: tasks by name, and the joins that operators wrote. Data and its checks only."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeAlias

from graflow_nb.core.errors import CycleError, DuplicateTaskError, UnknownTaskError, did_you_mean
from graflow_nb.core.overview import overview

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import networkx as nx

    from graflow_nb.core.plan import Plan
    from graflow_nb.core.task import Task

Join: TypeAlias = "tuple[str, tuple[str, ...]]"
"""A task and the predecessors that one operator wired to it, in its order."""


class Journal(Protocol):
    """Who wants to know what is written into a graph (a notebook, which gives each cell what it wrote)."""

    def may_replace(self, graph: TaskGraph, name: str) -> bool:
        """Whether a new task may take the place of the one of this name."""

    def task_added(self, graph: TaskGraph, name: str, *, is_new: bool) -> None:
        """Take note that a task was written; `is_new` if it was not there, or took another's place."""

    def join_added(self, graph: TaskGraph, join: Join) -> None:
        """Take note of a join."""

    def task_discarded(self, graph: TaskGraph, name: str) -> None:
        """Take note that a task that was just written is not meant to be there."""

    def frame_added(self, graph: TaskGraph, name: str) -> None:
        """Take note of a frame."""

    def leaving(self, graph: TaskGraph) -> Sequence[Join]:
        """Return the joins that are no longer meant to be there: they may go where one is in the way."""

    def settle(self) -> None:
        """Bring what was written up to date: the graphs are about to be read."""


class TaskGraph:
    """Tasks and what comes before what; acyclic at any time, and in the order in which it was written.

    Attributes
    ----------
    journal : Journal or None
        Told of everything that is written.
    version : int
        Counts what is added, wired, unwired and removed: while it stands, the graph does.
    planned : callable or None
        Gives its plan, with the edges that names make, as long as its workflow is there.

    Examples
    --------
    >>> from graflow_nb import Task, workflow
    >>> with workflow("example") as flow:
    ...     a, b, c = (Task(name, print) for name in "abc")
    ...     _ = a >> (b | c)
    >>> list(flow.graph.nodes), flow.graph.edges
    (['a', 'b', 'c'], [('a', 'b'), ('a', 'c')])
    """

    def __init__(self) -> None:
        self.journal: Journal | None = None
        self.planned: Callable[[], Callable[[], Plan] | None] | None = None
        self.version = 0
        self._tasks: dict[str, Task] = {}
        self._joins: dict[str, dict[tuple[str, ...], None]] = {}
        self._successors: dict[str, dict[str, None]] = {}
        self._removed: set[str] = set()
        self._frames: dict[str, tuple[str, ...]] = {}
        self._may_be_cyclic = False
        self._replaced: list[Task] = []  # templates, by others of their names

    @property
    def nodes(self) -> Mapping[str, Task]:
        """The tasks by name, in the order in which they came."""
        return MappingProxyType(self._tasks)

    @property
    def edges(self) -> list[tuple[str, str]]:
        """The edges that operators wrote, as (before, after)."""
        return [(before, after) for after in self._tasks for before in self.predecessors(after)]

    def show_info(self) -> None:
        """Print how many tasks and edges there are, roots, leaves, a longest path, and what each task waits for.

        Examples
        --------
        >>> from graflow_nb import Task, workflow
        >>> with workflow("example") as flow:
        ...     a, b, c = (Task(name, lambda: None) for name in "abc")
        ...     _ = a >> (b | c)
        >>> flow.graph.show_info()
        3 tasks, 2 edges
        roots: a
        leaves: b, c
        longest path: a >> b (2 tasks)
          a
          b  <- a
          c  <- a
        """
        plan = self.planned() if self.planned is not None else None
        parents = {n: self.predecessors(n) for n in self._tasks} if plan is None else plan().parents
        print(overview(parents))  # noqa: T201 - it is asked to show it

    @property
    def nx_graph(self) -> nx.DiGraph:
        """A networkx graph of the same, each node with its `task`; a copy."""
        import networkx as nx

        graph = nx.DiGraph()
        graph.add_nodes_from((name, {"task": task}) for name, task in self._tasks.items())
        graph.add_edges_from(self.edges)
        return graph

    @property
    def may_be_cyclic(self) -> bool:
        """Whether a task came back that closed a cycle, with what was wired to it before."""
        return self._may_be_cyclic

    def __contains__(self, name: object) -> bool:
        return name in self._tasks

    def __len__(self) -> int:
        return len(self._tasks)

    def __getitem__(self, name: str) -> Task:
        try:
            return self._tasks[name]
        except KeyError:
            raise UnknownTaskError(f"there is no task {name!r}. {did_you_mean(name, self._tasks)}") from None

    def predecessors(self, name: str) -> Sequence[str]:
        """Return the names wired before `name`, in the order in which they were wired."""
        joins = self.joins(name)
        if len(joins) == 1:
            return joins[0]
        return tuple(dict.fromkeys(before for join in joins for before in join))

    def joins(self, name: str) -> Sequence[tuple[str, ...]]:
        """Return the joins of `name`: for each operator that wired it, what it wired, in its order."""
        joins = tuple(self._joins.get(name, ()))
        if not self._removed or not joins:
            return joins
        present = (tuple(before for before in join if before not in self._removed) for join in joins)
        return tuple(join for join in present if join)

    def add(self, task: Task) -> None:
        """Add a task; adding it again changes nothing.

        Raises
        ------
        DuplicateTaskError
            If another task has this name, and is not to be replaced by it.
        """
        present = self._tasks.get(task.name)
        if present is task:
            if self.journal is not None:
                self.journal.task_added(self, task.name, is_new=False)
            return
        if present is not None and not (self.journal and self.journal.may_replace(self, task.name)):
            raise DuplicateTaskError(
                f"there are two tasks named {task.name!r} in one workflow. "
                f'Name one of them otherwise: @task("another_name"), or task.bind(name="another_name").'
            )
        if present is not None and present.record is not None and present.record.status.is_success:
            task.record = present.record  # its last result, until it runs again
        self.version += 1
        self._tasks[task.name] = task
        if task.name in self._removed:
            self._removed.discard(task.name)
            self._may_be_cyclic |= self._way(task.name, task.name) is not None
        if present is not None and present.is_template:
            task.is_template = True
            self._replaced.append(present)
        if self.journal is not None:
            self.journal.task_added(self, task.name, is_new=True)

    def remake(self) -> None:
        """Let what was made of templates be made of those that took their places."""
        if not self._replaced:
            return
        replaced, self._replaced = {id(task): task for task in self._replaced}, []
        remade: dict[str, bool] = {}

        def is_remade(task: Task) -> bool:
            template = task.template
            if template is None or task.name in remade:
                return remade.get(task.name, False)
            now = self._tasks.get(template.name, template) if id(template) in replaced else template
            remade[task.name] = False
            remade[task.name] = is_new = is_remade(now) or now is not template
            if is_new and now is not task:
                task.remake(now)
            return is_new

        for task in list(self._tasks.values()):
            is_remade(task)

    def wire(self, befores: Sequence[Task], afters: Sequence[Task], tasks: Iterable[Task] = ()) -> None:
        """Make each of `afters` wait for all of `befores`.

        Parameters
        ----------
        befores, afters : sequence of Task
        tasks : iterable of Task, optional
            What to add to the graph, these included; by default just these.

        Raises
        ------
        CycleError
            If that would close a cycle; nothing is changed then.
        """
        names = tuple([task.name for task in befores])
        cycle = self._cycle(names, afters)
        if cycle and self.journal is not None:
            for join in self.journal.leaving(self):
                self.unwire(join)
            cycle = self._cycle(names, afters)
        if cycle:
            raise CycleError(f"{' >> '.join(cycle)} is a cycle: it would wait for itself")
        for task in tasks or (*befores, *afters):
            self.add(task)
        for after in afters:
            self.restore((after.name, names))

    def _cycle(self, befores: Sequence[str], afters: Iterable[Task]) -> list[str] | None:
        """Return a cycle that edges from all of these to all of those would close, or None."""
        for after in afters:
            for before in befores:
                if path := self.path(after.name, before):
                    return [*path, after.name]
        return None

    def restore(self, join: Join) -> None:
        """Add a join between tasks that are there and known to stay acyclic."""
        after, befores = join
        self.version += 1
        self._joins.setdefault(after, {})[befores] = None
        for before in befores:
            self._successors.setdefault(before, {})[after] = None
        if self.journal is not None:
            self.journal.join_added(self, join)

    def unwire(self, join: Join) -> None:
        """Take a join away, and with it the edges that no other join has."""
        after, befores = join
        self.version += 1
        self._joins.get(after, {}).pop(befores, None)
        still = {before for join in self._joins.get(after, ()) for before in join}
        for before in befores:
            if before not in still:
                self._successors.get(before, {}).pop(after, None)

    def remove(self, name: str) -> Task:
        """Remove a task and return it. What was wired to it stays noted, and holds again if it comes back.

        Raises
        ------
        UnknownTaskError
            If there is no such task.
        """
        task = self[name]
        self.version += 1
        del self._tasks[name]
        self._removed.add(name)
        return task

    def discard(self, task: Task) -> None:
        """Take away a task that was just made, with what was wired before it."""
        for join in self.joins(task.name):
            self.unwire((task.name, join))
        self.remove(task.name)
        self._removed.discard(task.name)
        if self.journal is not None:
            self.journal.task_discarded(self, task.name)

    @property
    def frames(self) -> Mapping[str, Sequence[str]]:
        """The groups that have a name, with their tasks; they are drawn as frames."""
        there = {name: [task for task in tasks if task in self._tasks] for name, tasks in self._frames.items()}
        return {name: tasks for name, tasks in there.items() if tasks}

    def frame(self, name: str, tasks: Sequence[str]) -> None:
        """Draw a frame with a name round tasks."""
        self.version += 1
        self._frames[name] = tuple(tasks)
        if self.journal is not None:
            self.journal.frame_added(self, name)

    def unframe(self, name: str) -> None:
        """Draw that frame no longer."""
        self.version += 1
        self._frames.pop(name, None)

    def copy_from(self, other: TaskGraph) -> None:
        """Take over the tasks, joins and frames of another graph."""
        self._tasks = dict(other._tasks)
        self._joins = {name: dict(joins) for name, joins in other._joins.items()}
        self._successors = {name: dict(after) for name, after in other._successors.items()}
        self._removed = set(other._removed)
        self._frames = dict(other._frames)
        self.version += 1

    def path(self, start: str, end: str) -> list[str] | None:
        """Return the names on a way from `start` to `end` along the edges, or None."""
        return [start] if start == end else self._way(start, end)

    def _way(self, start: str, end: str) -> list[str] | None:
        """Return the same, of one edge at least: from a task to itself it is a cycle."""
        # Most edges are written to a task that has no successors yet, or from one that has no
        # predecessors yet: then there is no way, and nothing to search.
        if not self._successors.get(start) or not self._joins.get(end):
            return None
        came_from: dict[str, str] = {}
        stack = [start]
        while stack:
            here = stack.pop()
            for after in self._successors.get(here, ()):
                if after not in came_from and after not in self._removed:
                    came_from[after] = here
                    if after == end:
                        return _walk_back(came_from, start, end)
                    stack.append(after)
        return None


def _walk_back(came_from: Mapping[str, str], start: str, end: str) -> list[str]:
    path = [end]
    while path[-1] != start:
        path.append(came_from[path[-1]])
    return path[::-1]
