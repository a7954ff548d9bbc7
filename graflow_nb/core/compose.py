"""Composition: ``a >> (b | c) >> d`` and its other spellings.

Everything that can stand in an expression has roots (what a predecessor is wired to) and leaves (what a
successor is wired to); every operator is defined on these alone.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import NoWorkflowError, TaskDefinitionError
from graflow_nb.core.scope import current_workflow, running

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from graflow_nb.core.composites import Group
    from graflow_nb.core.task import Task

    Operand: TypeAlias = "Composable | list[Composable] | tuple[Composable, ...]"
    Wired: TypeAlias = "tuple[tuple[Task, ...], tuple[Task, ...]]"


class Composable:
    """What can stand on either side of ``>>``, ``<<`` and ``|``."""

    __slots__ = ()

    @property
    def roots(self) -> tuple[Task, ...]:
        """The tasks that run first."""
        raise NotImplementedError

    @property
    def leaves(self) -> tuple[Task, ...]:
        """The tasks that run last."""
        raise NotImplementedError

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks of the expression."""
        raise NotImplementedError

    @property
    def joins(self) -> Sequence[Wired]:
        """What is wired in it: some tasks, each before all of others."""
        return ()

    def __rshift__(self, other: Operand) -> Chain:
        return _join(self, as_composable(other, ">>"))

    def __rrshift__(self, other: Operand) -> Chain:
        return _join(as_composable(other, ">>"), self)

    def __lshift__(self, other: Operand) -> Chain:
        return _join(as_composable(other, "<<"), self)

    def __rlshift__(self, other: Operand) -> Chain:
        return _join(self, as_composable(other, "<<"))

    def __or__(self, other: Operand) -> ParallelGroup:
        return ParallelGroup(self, as_composable(other, "|"))

    def __ror__(self, other: Operand) -> ParallelGroup:
        return ParallelGroup(as_composable(other, "|"), self)


class Chain(Composable):
    """Two expressions, one after the other; the first's leaves are wired to the second's roots.

    Examples
    --------
    >>> from graflow_nb import task, workflow
    >>> with workflow("example") as flow:
    ...     @task
    ...     def a(): ...
    ...     @task
    ...     def b(): ...
    ...     a >> b
    a >> b
    """

    __slots__ = ("first", "second")

    def __init__(self, first: Composable, second: Composable) -> None:
        self.first = first
        self.second = second

    @property
    def links(self) -> list[Composable]:
        """What it is made of, one after the other; chains in it are taken apart."""
        links: list[Composable] = []
        stack: list[Composable] = [self]
        while stack:  # not by recursion: chains get long
            link = stack.pop()
            if isinstance(link, Chain):
                stack += (link.second, link.first)
            else:
                links.append(link)
        return links

    @property
    def roots(self) -> tuple[Task, ...]:
        return self.links[0].roots

    @property
    def leaves(self) -> tuple[Task, ...]:
        return self.links[-1].leaves

    @property
    def tasks(self) -> tuple[Task, ...]:
        return _unique(task for link in self.links for task in link.tasks)

    @property
    def joins(self) -> Sequence[Wired]:
        links = self.links
        inside = [join for link in links for join in link.joins]
        return [*inside, *((before.leaves, after.roots) for before, after in pairwise(links))]

    def __repr__(self) -> str:
        return " >> ".join(map(repr, self.links))


class ParallelGroup(Composable):
    """Expressions side by side; none waits for another.

    Parameters
    ----------
    *members : Composable
        Tasks, chains or groups; a group inside a group is the same as its members, unless it has a name.
    name : str, optional
        As `named` gives it.

    Attributes
    ----------
    members : tuple of Composable
    name : str or None
    """

    __slots__ = ("_leaves", "_roots", "_tasks", "members", "name")

    def __init__(self, *members: Composable, name: str | None = None) -> None:
        if not members:
            raise TaskDefinitionError("a parallel group needs at least one task")
        self.name = name
        self.members: tuple[Composable, ...] = tuple(_flat(members))
        self._tasks = _unique([task for member in self.members for task in member.tasks])
        self._roots = self._leaves = self._tasks
        if any([len(member.tasks) > 1 for member in self.members]):  # noqa: C419 - a generator costs more
            self._roots = _unique([task for member in self.members for task in member.roots])
            self._leaves = _unique([task for member in self.members for task in member.leaves])
        if flow := current_workflow():
            for task in self._tasks:
                flow.graph.add(task)
            if name is not None:
                flow.graph.frame(name, [task.name for task in self._tasks])

    @property
    def roots(self) -> tuple[Task, ...]:
        return self._roots

    @property
    def leaves(self) -> tuple[Task, ...]:
        return self._leaves

    @property
    def tasks(self) -> tuple[Task, ...]:
        return self._tasks

    @property
    def joins(self) -> Sequence[Wired]:
        return [join for member in self.members for join in member.joins]

    def named(self, name: str) -> ParallelGroup:
        """Return the same group with a name: it is drawn as a frame with it.

        Examples
        --------
        >>> from graflow_nb import task, workflow
        >>> with workflow("example") as flow:
        ...     @task
        ...     def a(): ...
        ...     @task
        ...     def b(): ...
        ...     (a | b).named("sources")
        (a | b)
        """
        if not isinstance(name, str) or not name:
            raise TaskDefinitionError(f"a group's name is a text that is not empty, not {name!r}")
        return ParallelGroup(*self.members, name=name)

    def with_policy(self, policy: Any, *, name: str | None = None) -> PolicyGroup:
        """Return the same group as a node of its own, which decides whether what follows runs.

        Parameters
        ----------
        policy : str or Policy or callable
            "strict", "best_effort", "first_success", ``at_least(n)``, ``critical("name", ...)``, or a function of
            the results in order (a failed one is a `Failure`) that says whether to go on.
        name : str, optional
            The node's name: its result is the list of the members' results.

        Raises
        ------
        TaskDefinitionError
            If there is no such policy, or it can never hold.

        Examples
        --------
        >>> from graflow_nb import task, workflow
        >>> with workflow("example") as flow:
        ...     @task
        ...     def good(): return 1
        ...     @task
        ...     def bad(): raise ValueError("no")
        ...     @task
        ...     def together(results): return [bool(r) for r in results]
        ...     _ = (good | bad).with_policy("best_effort") >> together
        >>> flow.run().results["together"]
        [True, False]
        """
        from graflow_nb.core.composites import group_task

        return PolicyGroup(self, group_task(self, policy, name or self.name))

    def __repr__(self) -> str:
        if len(self.members) == 1:  # in brackets alone it would read as its member
            return f"parallel({self.members[0]!r})"
        return f"({' | '.join(map(repr, self.members))})"


class PolicyGroup(Composable):
    """A group with a policy: its members, and the node that waits for them all and decides.

    Attributes
    ----------
    group : ParallelGroup
    node : Task
    """

    __slots__ = ("group", "node")

    def __init__(self, group: ParallelGroup, node: Group) -> None:
        self.group = group
        self.node = node
        if flow := current_workflow():
            flow.graph.wire(group.leaves, (node,))

    @property
    def roots(self) -> tuple[Task, ...]:
        return self.group.roots

    @property
    def leaves(self) -> tuple[Task, ...]:
        return (self.node,)

    @property
    def tasks(self) -> tuple[Task, ...]:
        return (*self.group.tasks, self.node)

    @property
    def joins(self) -> Sequence[Wired]:
        return [*self.group.joins, (self.group.leaves, (self.node,))]

    def named(self, name: str) -> PolicyGroup:
        """Return the same, with a name."""
        if (flow := current_workflow()) and flow.graph.nodes.get(self.node.name) is self.node:
            flow.graph.discard(self.node)
        return self.group.with_policy(self.node.policy, name=name)

    def __repr__(self) -> str:
        return f"{self.group!r}.with_policy({self.node.policy!r})"


def chain(*members: Operand) -> Composable:
    """Wire each member after the one before: ``chain(a, b, c)`` is ``a >> b >> c``.

    Raises
    ------
    TaskDefinitionError
        If there is no member, or one is neither a task nor made of tasks.
    """
    if not members:
        raise TaskDefinitionError("chain() needs at least one task")
    links = [as_composable(member, "chain()") for member in members]
    whole = links[0]
    for before, after in pairwise(links):
        _join(before, after)
        whole = Chain(whole, after)
    return whole


def parallel(*members: Operand) -> ParallelGroup:
    """Put the members side by side: ``parallel(a, b)`` is ``a | b``."""
    return ParallelGroup(*(as_composable(member, "parallel()") for member in members))


def as_composable(operand: object, operator: str) -> Composable:
    """Return an operand of `operator` as an expression: a list or tuple is a group."""
    if isinstance(operand, Composable):
        return operand
    if isinstance(operand, list | tuple):
        return ParallelGroup(*[as_composable(member, operator) for member in operand])
    raise TaskDefinitionError(
        f"{operator} takes tasks, chains, groups and lists of them, not {type(operand).__name__!r} "
        f"({_short(operand)}). Decorate the function with @task first."
    )


def _join(first: Composable, second: Composable) -> Chain:
    flow = current_workflow()
    if flow is not None:
        flow.graph.wire(first.leaves, second.roots, (*first.tasks, *second.tasks))
    elif running.get() is None:
        raise NoWorkflowError(
            f"{first!r} >> {second!r} was written where no workflow is open. "
            'Write it inside `with workflow("name"):` (a notebook with %load_ext graflow_nb has its own).'
        )
    return Chain(first, second)


def _flat(members: Iterable[Composable]) -> Iterable[Composable]:
    for member in members:
        if isinstance(member, ParallelGroup) and member.name is None:
            yield from member.members
        else:
            yield member


def _unique(tasks: Iterable[Task]) -> tuple[Task, ...]:
    return tuple(dict.fromkeys(tasks))


def _short(value: object) -> str:
    try:
        return repr(value)[:40]
    except Exception:
        return "its repr raises"
