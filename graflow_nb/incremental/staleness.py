"""Whether what plain code made from a task's result still goes with that task's result of this run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import NoResultError, StaleInputError
from graflow_nb.incremental.fingerprint import Opaque, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from graflow_nb.core.arguments import Behind
    from graflow_nb.core.call import Produced

_MISSING = object()


class Itself:
    """Stands for the fingerprint of a value without content: it is equal only for the same object."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Itself) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def print_of(produced: Produced, variable: str | None) -> object:
    """Return the fingerprint of what a task made: the cache's, or one made now where no cache took part.

    Raises
    ------
    NoResultError
        If the task did not assign the variable.
    """
    known = produced.prints.get(variable)
    if known is not None:
        return known
    value = produced.get(variable)
    try:
        return fingerprint(value)
    except Opaque:
        return Itself(value)


def outdated(behind: Iterable[Behind], made: Mapping[str, Produced]) -> list[Behind]:
    """Return what was made from another result than the one there is now.

    Parameters
    ----------
    behind : iterable of Behind
    made : mapping of str to Produced
        What the tasks made; one that is not there is not compared.
    """
    now: dict[tuple[str, str | None], object] = {}
    found = []
    for item in behind:
        source = (item.task, item.variable)
        if item.task in made and source not in now:
            now[source] = _print_or_missing(made[item.task], item.variable)
        if item.task in made and now[source] != item.seen:
            found.append(item)
    return found


def _print_or_missing(produced: Produced, variable: str | None) -> object:
    try:
        return print_of(produced, variable)
    except NoResultError:
        return _MISSING


def stale_input(task: str, items: Iterable[Behind]) -> StaleInputError:
    """Return the error for a task that reads what is outdated.

    Examples
    --------
    >>> from graflow_nb.core.arguments import Behind
    >>> print(stale_input("fit", [Behind("X", "load", "df", b"", [7])]))
    task 'fit' reads 'X', which Cell In[7] made from an older 'df' of task 'load'. Run cell 7 again, or make \
it a task (%%task). To use 'X' as it is: %flow run fit --force
    """
    by_name: dict[str, list[Behind]] = {}
    for item in items:
        by_name.setdefault(item.name, []).append(item)
    said = [_sentence(name, there) for name, there in by_name.items()]
    names = ", ".join(map(repr, by_name))
    as_it_is = "as it is" if len(by_name) == 1 else "as they are"
    return StaleInputError(
        f"task {task!r} reads {' It reads '.join(said)} To use {names} {as_it_is}: %flow run {task} --force"
    )


def _sentence(name: str, items: list[Behind]) -> str:
    sources = dict.fromkeys(
        f"an older {item.variable!r} of task {item.task!r}"
        if item.variable is not None
        else f"an older result of task {item.task!r}"
        for item in items
    )
    numbers = list(dict.fromkeys(number for item in items for number in item.where))
    cells = "cell" if len(numbers) == 1 else "cells"
    listed = " and ".join(filter(None, [", ".join(map(str, numbers[:-1])), *map(str, numbers[-1:])]))
    return (
        f"{name!r}, which Cell In[{numbers[-1]}] made from {' and '.join(sources)}. "
        f"Run {cells} {listed} again, or make {'it a task' if cells == 'cell' else 'them tasks'} (%%task)."
    )
