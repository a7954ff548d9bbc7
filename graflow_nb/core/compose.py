"""Composition: ``a >> (b | c) >> d`` and its other spellings.

Everything that can stand in an expression has roots (what a predecessor is wired to) and leaves (what a
successor is wired to); every operator is defined on these alone.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from graflow_nb.core.errors import NoWorkflowError, TaskDefinitionError
from graflow_nb.core.scope import current_workflow, running

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from graflow_nb.core.task import Task

    Operand: TypeAlias = "Composable | list[Composable] | tuple[Composable, ...]"


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

    def __repr__(self) -> str:
        return " >> ".join(map(repr, self.links))


class ParallelGroup(Composable):
    """Expressions side by side; none waits for another.

    Parameters
    ----------
    *members : Composable
        Tasks, chains or groups; a group inside a group is the same as its members.
    """

    __slots__ = ("_leaves", "_roots", "_tasks", "members")

    def __init__(self, *members: Composable) -> None:
        if not members:
            raise TaskDefinitionError("a parallel group needs at least one task")
        self.members: tuple[Composable, ...] = tuple(_flat(members))
        self._tasks = _unique([task for member in self.members for task in member.tasks])
        self._roots = self._leaves = self._tasks
        if any([len(member.tasks) > 1 for member in self.members]):  # noqa: C419 - a generator costs more
            self._roots = _unique([task for member in self.members for task in member.roots])
            self._leaves = _unique([task for member in self.members for task in member.leaves])
        if flow := current_workflow():
            for task in self._tasks:
                flow.graph.add(task)

    @property
    def roots(self) -> tuple[Task, ...]:
        return self._roots

    @property
    def leaves(self) -> tuple[Task, ...]:
        return self._leaves

    @property
    def tasks(self) -> tuple[Task, ...]:
        return self._tasks

    def __repr__(self) -> str:
        return f"({' | '.join(map(repr, self.members))})"


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
        if isinstance(member, ParallelGroup):
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
