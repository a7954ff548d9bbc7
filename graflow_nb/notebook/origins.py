"""Where something comes from that a plain cell made: which results, as they were then, and by which cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from graflow_nb.incremental.staleness import print_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graflow_nb.core.call import Produced
    from graflow_nb.core.graph import TaskGraph


class Source(NamedTuple):
    """A result of a task, or one of its variables, as it stands now."""

    graph: TaskGraph
    task: str
    variable: str | None
    produced: Produced

    def origin(self) -> Origin:
        """Return it as what something is made from now."""
        return Origin(self.graph, self.task, self.variable, print_of(self.produced, self.variable))


class Origin(NamedTuple):
    """A result that something was made from.

    Attributes
    ----------
    graph : TaskGraph
    task : str
    variable : str or None
    seen : object
        Its fingerprint at that time.
    links : tuple of (str, int)
        The names on the way, each with the number of the cell that made it.
    """

    graph: TaskGraph
    task: str
    variable: str | None
    seen: object
    links: tuple[tuple[str, int], ...] = ()

    def then(self, name: str, number: int, began: int | None = None) -> Origin:
        """Return it with one more name on the way, made by a cell; on top of what another cell began."""
        first = [] if began is None else [(name, began)]
        between = [link for link in self.links if link[0] != name]
        return self._replace(links=tuple(dict.fromkeys([*first, *between, (name, number)])))


class Made:
    """What one name holds that was made from results.

    Attributes
    ----------
    identity : int
        Of the object: another one that stands there was not made by a cell.
    places : dict of str to list of Origin
        By the place that was assigned (``X['a']``); "" is the whole.
    """

    __slots__ = ("identity", "places")

    def __init__(self, identity: int, places: dict[str, list[Origin]]) -> None:
        self.identity = identity
        self.places = places

    def origins(self) -> list[Origin]:
        """Return all of them."""
        return unique(origin for there in self.places.values() for origin in there)


def unique(origins: Iterable[Origin]) -> list[Origin]:
    """Return each origin once, with the cells of its last mention."""
    return list({(id(o.graph), o.task, o.variable, o.seen): o for o in origins}.values())
