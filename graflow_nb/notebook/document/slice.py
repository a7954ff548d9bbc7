"""Which cells a flow needs: its own, the plain ones that make what its tasks read, and what runs before those."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from graflow_nb.notebook.document.cell import Cell, Kind
from graflow_nb.notebook.document.source import DocumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ALWAYS = ("os", "sys", "warnings")
"""Modules whose settings matter to code that never names them."""


class Step(NamedTuple):
    """Something to do.

    Attributes
    ----------
    cell : Cell
        It is run.
    before : tuple of str
        The tasks whose results it reads: they are made first.
    """

    cell: Cell
    before: tuple[str, ...] = ()


@dataclass
class Slice:
    """The cells that a flow needs, by their places in the document."""

    cells: Sequence[Cell]
    chosen: set[int] = field(default_factory=set)
    results: dict[int, set[str]] = field(default_factory=dict)
    _seen: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.last = {name: place for place, cell in enumerate(self.cells) for name in cell.tasks}
        self.owners = {name: c.tasks[0] for c in self.cells if c.kind is Kind.TASK for name in c.defines}

    def add(self, place: int) -> None:
        """Choose a cell, and what it needs."""
        if place in self.chosen:
            return
        self.chosen.add(place)
        cell, end = self.cells[place], len(self.cells)
        for name in sorted(cell.effects.reads):
            if cell.kind is Kind.TASK:
                self.need(name, end, place)
                continue
            if name in cell.now or cell.kind is Kind.FLOW:
                self.need(name, place, place)
            if name in cell.inside and cell.kind is Kind.FLOW:
                self.need(name, end, place)

    def need(self, name: str, before: int, reader: int) -> None:
        """Choose what makes a name as it stands before a place."""
        is_plain = self.cells[reader].kind is Kind.PLAIN
        if is_plain and name in self.last:
            self.results.setdefault(reader, set()).add(name)
            return
        if (name, before) in self._seen and not is_plain:
            return
        self._seen.add((name, before))
        for place in range(before - 1, -1, -1):
            cell = self.cells[place]
            if cell.kind is Kind.TASK:
                if name in cell.defines and is_plain:
                    self.results.setdefault(reader, set()).add(cell.tasks[0])
                    return
                continue
            if name in cell.effects.binds or name in cell.effects.changes:
                self.add(place)
                for inner in sorted(cell.inside):
                    if (inner, before) not in self._seen:
                        self.need(inner, before, reader)
                if name in cell.effects.surely and name not in cell.effects.rebinds:
                    return


def slice_of(cells: Sequence[Cell]) -> Slice:
    """Choose the cells that the flow of a document needs.

    Raises
    ------
    DocumentError
        If there is no flow in it.
    """
    chosen = Slice(cells)
    own = [place for place, cell in enumerate(cells) if cell.kind in {Kind.TASK, Kind.FLOW}]
    if not own:
        raise DocumentError("there is no flow in it: no %%task, no @task, no workflow (--all runs every cell)")
    for place in own:
        cell = cells[place]
        if cell.kind is Kind.TASK and chosen.last[cell.tasks[0]] != place:
            continue  # a later cell makes this task anew
        chosen.add(place)
    for place, cell in enumerate(cells):
        if cell.kind is Kind.SETTING and cell.runnable.strip():
            chosen.add(place)
    for module in _ALWAYS:
        for place, cell in enumerate(cells):
            if cell.kind is Kind.PLAIN and module in cell.effects.changes:
                chosen.add(place)
    return chosen


def steps_of(cells: Sequence[Cell]) -> list[Step]:
    """Return what is to be run to have the flow of a document, in order.

    A plain cell that reads results stands where it stood; if one of the tasks it reads is written
    later, it comes after all others.

    Raises
    ------
    DocumentError
        If there is no flow in it.
    """
    chosen = slice_of(cells)
    steps: list[Step] = []
    late: list[Step] = []
    for place in sorted(chosen.chosen):
        tasks = chosen.results.get(place, set())
        step = Step(cells[place], tuple(sorted(tasks, key=lambda name: chosen.last[name])))
        is_early = all(chosen.last[name] < place for name in tasks)
        (steps if is_early else late).append(step)
    return [*steps, *late]
