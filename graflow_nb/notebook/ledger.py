"""What each cell wrote into which graph, so that running it again replaces that and leaves no ghost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_nb.core.graph import Join, TaskGraph
    from graflow_nb.core.task import Task


class Item(NamedTuple):
    """A task, a join or a frame that was written.

    Attributes
    ----------
    graph : TaskGraph
    what : str, Join or Frame
        A task's name, a join, or a frame.
    """

    graph: TaskGraph
    what: str | Join | Frame


class Frame(NamedTuple):
    """A group's frame, by its name."""

    name: str


class Ledger:
    """Keeps, for each cell, what it wrote when it last ran; an item lives while any cell that wrote it does.

    Parameters
    ----------
    removed : callable
        Told of each task that is taken away.
    """

    def __init__(self, removed: Callable[[TaskGraph, Task], None]) -> None:
        self._removed = removed
        self._by_cell: dict[str, dict[Item, None]] = {}
        self._cell: str | None = None
        self._thread = 0
        self._inside = 0
        self._written: dict[Item, None] = {}

    @property
    def cell(self) -> str | None:
        """The cell that runs now."""
        return self._cell

    def cell_of(self, graph: TaskGraph, name: str) -> str | None:
        """Return the cell that a task was written in, if that is known."""
        item = Item(graph, name)
        return next((cell for cell, items in list(self._by_cell.items()) if cell and item in items), None)

    def begin(self, cell: str) -> None:
        """Say which cell writes from now on; what cells inside a cell write (``%run``) is the outer one's."""
        if self._cell is None:
            self._cell, self._written, self._thread = cell, {}, threading.get_ident()
        else:
            self._inside += 1

    def settle(self) -> None:
        """Take away what the cell wrote the last time and has not written again.

        Another thread that asks (a button of the widget) does not say that the cell has written all.
        """
        if self._cell is None or self._thread != threading.get_ident():
            return
        before = self._by_cell.get(self._cell, {})
        self._by_cell[self._cell] = dict(self._written)
        for item in before:
            if item not in self._written:
                self._take_away(item)

    def end(self, *, success: bool) -> None:
        """Say that the cell has ended; one that failed keeps what it wrote before, beside the new."""
        if self._inside:
            self._inside -= 1
            return
        if self._cell is not None:
            if success:
                self.settle()
            else:
                self._by_cell.setdefault(self._cell, {}).update(self._written)
        self._cell, self._written = None, {}

    def drop(self, cell: str) -> None:
        """Take away what a cell wrote that is no longer there."""
        for item in self._by_cell.pop(cell, {}):
            self._take_away(item)

    def is_leaving(self, graph: TaskGraph, what: str | Join) -> bool:
        """Whether the running cell alone wrote this the last time, and has not written it again so far."""
        item = Item(graph, what)
        if item in self._written or item not in self._by_cell.get(self._cell or "", {}):
            return False
        return not any(item in items for cell, items in list(self._by_cell.items()) if cell != self._cell)

    def leaving(self, graph: TaskGraph) -> list[Join]:
        """Return the joins that the running cell may be about to leave out."""
        items = list(self._by_cell.get(self._cell or "", {}))
        joins = [w for there, w in items if there is graph and not isinstance(w, str | Frame)]
        return [join for join in joins if self.is_leaving(graph, join)]

    def forget(self, graph: TaskGraph, name: str) -> None:
        """Forget who wrote a task (it was removed by hand)."""
        for items in (*self._by_cell.values(), self._written):
            items.pop(Item(graph, name), None)

    def may_replace(self, graph: TaskGraph, name: str) -> bool:
        """Whether a new task may take a name: not twice in one run of one cell."""
        return Item(graph, name) not in self._written

    def task_added(self, graph: TaskGraph, name: str, *, is_new: bool) -> None:
        """Take note of a task: a new one is this cell's; wiring one that another cell made changes nothing."""
        item = Item(graph, name)
        if is_new:
            for items in list(self._by_cell.values()):
                items.pop(item, None)
            self._note(item)
        elif item in self._by_cell.get(self._cell or "", {}):
            self._note(item)

    def join_added(self, graph: TaskGraph, join: Join) -> None:
        """Take note of a join."""
        self._note(Item(graph, join))

    def task_discarded(self, graph: TaskGraph, name: str) -> None:
        """Take note that a task that was just written is not meant to be there, nor what was wired before it."""
        gone = [i for i in self._written if i.graph is graph and (i.what == name or _leads_to(i.what, name))]
        for item in gone:
            del self._written[item]
        self.forget(graph, name)

    def frame_added(self, graph: TaskGraph, name: str) -> None:
        """Take note of a frame."""
        self._note(Item(graph, Frame(name)))

    def _note(self, item: Item) -> None:
        self._written[item] = None
        if self._cell is None:  # written by code that no cell runs: it belongs to nobody, and stays
            self._by_cell.setdefault("", {})[item] = None

    def _take_away(self, item: Item) -> None:
        if any(item in items for items in list(self._by_cell.values())):
            return
        graph, what = item
        if isinstance(what, Frame):
            graph.unframe(what.name)
        elif isinstance(what, tuple):
            graph.unwire(what)
        elif what in graph:
            self._removed(graph, graph.remove(what))


def _leads_to(what: str | Join | Frame, name: str) -> bool:
    return isinstance(what, tuple) and not isinstance(what, Frame) and what[0] == name
