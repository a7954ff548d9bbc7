"""A graph in words: how large it is, where it begins and ends, and what waits for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_nb.core.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST_NAMES = 10  # in a line
_MOST_TASKS = 200  # in the list


def overview(parents: Mapping[str, Sequence[str]]) -> str:
    """Say how large a graph is, its roots, leaves and longest path, and what each task waits for.

    Parameters
    ----------
    parents : mapping of str to sequence of str
        What each task waits for, in the order in which the tasks were defined.

    Examples
    --------
    >>> print(overview({"load": [], "clean": ["load"], "fit": ["clean"], "plot": ["load"]}))
    4 tasks, 3 edges
    roots: load
    leaves: fit, plot
    longest path: load >> clean >> fit (3 tasks)
      load
      clean  <- load
      fit    <- clean
      plot   <- load
    """
    ordered = _order(parents)
    if not ordered:
        return "no tasks"
    waited_for = {before for befores in parents.values() for before in befores}
    edges = sum(map(len, parents.values()))
    path = longest_path(parents, ordered)
    lines = [
        f"{_count(len(ordered), 'task')}, {_count(edges, 'edge')}",
        f"roots: {_listed([name for name in ordered if not parents[name]])}",
        f"leaves: {_listed([name for name in ordered if name not in waited_for])}",
        f"longest path: {_listed(path, ' >> ')} ({_count(len(path), 'task')})",
    ]
    shown = ordered[:_MOST_TASKS]
    width = max(map(len, shown))
    for name in shown:
        arrow = f"  <- {_listed(parents[name])}" if parents[name] else ""
        lines.append(f"  {name:{width if arrow else 0}}{arrow}")
    if len(ordered) > _MOST_TASKS:
        lines.append(f"  … and {len(ordered) - _MOST_TASKS} more")
    return "\n".join(lines)


def longest_path(parents: Mapping[str, Sequence[str]], ordered: Sequence[str]) -> list[str]:
    """Return a longest path; of several that whose tasks were defined first."""
    length: dict[str, int] = {}
    came_from: dict[str, str | None] = {}
    for name in ordered:
        before = max(parents[name], key=length.__getitem__, default=None)
        came_from[name] = before
        length[name] = 1 if before is None else length[before] + 1
    here: str | None = max(ordered, key=length.__getitem__)
    path: list[str] = []
    while here is not None:
        path.append(here)
        here = came_from[here]
    return path[::-1]


def _order(parents: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the tasks, each after all it waits for, else as they were defined."""
    scheduler = Scheduler(parents)
    ordered: list[str] = []
    while ready := scheduler.get_ready(1):
        ordered += ready
        scheduler.done(ready[0])
    return ordered


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _listed(names: Sequence[str], between: str = ", ") -> str:
    shown = [*names[:_MOST_NAMES], *([f"… {len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else [])]
    return between.join(shown)
