"""How much of what there is of each resource is free, and who waits for it. Pure state."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from graflow_nb.core.errors import TaskDefinitionError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from graflow_nb.core.task import Task

EVERY = "every task"
"""The resource that each task takes one of, if a run limits how many run at once."""


class Limits:
    """Counts what running tasks have taken.

    A task that finds too little is parked at one resource of which there is too little. Whenever there may be
    more of a resource, or nobody before it wants what there is, those parked at it are to be tried again: `woken`.

    Parameters
    ----------
    amounts : mapping of str to int
        How much there is of each resource; 1 of one that is not named.

    Examples
    --------
    >>> limits = Limits({"db": 1})
    >>> limits.take("a", {"db": 1}), limits.take("b", {"db": 1})
    (True, False)
    >>> limits.give_back("a")
    >>> limits.woken()
    ['b']
    """

    def __init__(self, amounts: Mapping[str, int]) -> None:
        self._free: dict[str, int] = dict(amounts)
        self._taken: dict[str, Mapping[str, int]] = {}
        self._parked: dict[str, deque[tuple[str, int]]] = {}
        self._stirred: dict[str, None] = {}  # the resources that somebody may find enough of now

    def allow(self, resource: str, amount: int) -> None:
        """Say how much there is of a resource, if it was not said before."""
        self._free.setdefault(resource, amount)

    def take(self, name: str, needs: Mapping[str, int]) -> bool:
        """Take what a task needs; if there is not enough, take nothing, and remember that it waits."""
        for resource, amount in needs.items():
            if self._free.setdefault(resource, 1) < amount:
                self._parked.setdefault(resource, deque()).append((name, amount))
                self._stir(other for other in needs if other != resource)  # it leaves that to others
                return False
        for resource, amount in needs.items():
            self._free[resource] -= amount
        if needs:
            self._taken[name] = needs
        return True

    def give_back(self, name: str) -> None:
        """Give back what a task took, if it took something."""
        taken = self._taken.pop(name, {})
        for resource, amount in taken.items():
            self._free[resource] += amount
        self._stir(taken)

    def forget(self, is_gone: Callable[[str], bool]) -> None:
        """Say that tasks do not wait any more."""
        for resource, parked in self._parked.items():
            self._parked[resource] = deque(entry for entry in parked if not is_gone(entry[0]))
        self._stir(self._parked)

    def _stir(self, resources: Iterable[str]) -> None:
        self._stirred.update((resource, None) for resource in resources if self._parked.get(resource))

    @property
    def is_stirred(self) -> bool:
        """Whether somebody may have to be tried again."""
        return bool(self._stirred)

    def woken(self) -> list[str]:
        """Return those that may find enough now, and are parked no longer, the first first."""
        again: list[str] = []
        for resource in self._stirred:
            parked, left = self._parked[resource], self._free[resource]
            passed: list[tuple[str, int]] = []
            while parked and left:
                waiting, needed = parked.popleft()
                if needed <= left:
                    left -= needed
                    again.append(waiting)
                else:
                    passed.append((waiting, needed))
            parked.extendleft(reversed(passed))
        self._stirred.clear()
        return again


def check_needs(flow: str, tasks: Iterable[Task], amounts: Mapping[str, int]) -> None:
    """Raise if a task needs more of a resource than there is.

    Raises
    ------
    TaskDefinitionError
        Naming the task.
    """
    for task in tasks:
        for resource, amount in task.options.resources.items():
            if amount > amounts.get(resource, 1):
                there = f"has {amounts[resource]}" if resource in amounts else "has 1, as none is named"
                hint = "" if resource in amounts or not amounts else f" {did_you_mean(resource, amounts)}"
                raise TaskDefinitionError(
                    f"task {task.name!r} needs {amount} of {resource!r}, and workflow {flow!r} {there}: "
                    f'workflow({flow!r}, resources={{"{resource}": {amount}}}).{hint}'
                )
