"""A proposal: the cells of a notebook as tasks, with what holds some of them back, and the notebook it makes."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graflow_nb.notebook.adopt.grouping import Groups, all_reads
from graflow_nb.notebook.adopt.naming import task_name
from graflow_nb.notebook.adopt.roles import Role, Unit, units_of
from graflow_nb.notebook.adopt.versions import Versions
from graflow_nb.notebook.document.cell import transformed
from graflow_nb.notebook.document.layout import segments
from graflow_nb.notebook.document.source import DocumentError, RawCell
from graflow_nb.notebook.names import cell_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from graflow_nb.notebook.document.source import Document

_SHOWING = frozenset({"print", "display"})


@dataclass(frozen=True)
class Proposed:
    """A task that is proposed.

    Attributes
    ----------
    name, source : str
        The source is without its header.
    cells : tuple of int
        The numbers of the cells that it is made of.
    reads : tuple of str
        What it takes from other tasks.
    defines : tuple of str
    after : tuple of str
        The tasks it comes after.
    seconds : float or None
        How long its cells took.
    """

    name: str
    source: str
    cells: tuple[int, ...]
    reads: tuple[str, ...]
    defines: tuple[str, ...]
    after: tuple[str, ...]
    seconds: float | None = None

    @property
    def text(self) -> str:
        """The cell, to paste."""
        return f"%%task {self.name}\n{self.source}"


@dataclass
class Proposal:
    """What a notebook could be.

    Attributes
    ----------
    name : str
    tasks : list of Proposed
    wiring : list of str
        Expressions for what names do not say: who writes a file before whom.
    held_back : list of str
        What kept cells from being tasks of their own, and what to do about it.
    cells : list of RawCell
        The new notebook's.
    count : int
        How many code cells there are.
    """

    name: str
    tasks: list[Proposed] = field(default_factory=list)
    wiring: list[str] = field(default_factory=list)
    held_back: list[str] = field(default_factory=list)
    cells: list[RawCell] = field(default_factory=list)
    count: int = 0


def propose(document: Document) -> Proposal:
    """Propose the cells of a notebook as tasks.

    Raises
    ------
    DocumentError
        If there is nothing to propose, or there are tasks already.
    """
    units = units_of(document.code)
    reads = all_reads(units)
    versions = Versions(units, reads)
    groups = Groups(units, versions, reads)
    members = groups.members()
    if not members:
        raise DocumentError(f"there is nothing in {document.name} that would make a task: it computes nothing")
    proposal = Proposal(document.name, count=len(document.code))
    made = _Maker(document, units, versions, groups, members)
    proposal.tasks = made.tasks()
    proposal.wiring = made.wiring(proposal.tasks)
    proposal.held_back = _held_back(units, versions, groups)
    proposal.cells = made.notebook(proposal)
    return proposal


class _Maker:
    """Writes the tasks of a proposal, and its notebook."""

    def __init__(
        self,
        document: Document,
        units: Sequence[Unit],
        versions: Versions,
        groups: Groups,
        members: Mapping[int, list[int]],
    ) -> None:
        self._document = document
        self._units = units
        self._versions = versions
        self._groups = groups
        self._members = members
        self._sources = {last: self._source(places) for last, places in members.items()}
        self._names = {last: cell_names(transformed(source)) for last, source in self._sources.items()}
        self._seconds = {raw.number: raw.seconds for raw in document.code}
        self._named: dict[int, str] = {}

    def _source(self, places: Sequence[int]) -> str:
        texts = [self._renamed(place) for place in places]
        return "\n\n".join([*(_with_display(text) for text in texts[:-1]), texts[-1]])

    def _renamed(self, place: int) -> str:
        return self._versions.renamed(place, self._units[place].cell.body.strip("\n"))

    def tasks(self) -> list[Proposed]:
        """Return the tasks, in the order of their last cells."""
        owners = {name: last for last, names in self._names.items() for name in names.assigns}
        reads = {last: self._all_reads(last) for last in sorted(self._members)}
        taken = {name for unit in self._units for name in (*unit.binds, *unit.cell.effects.reads)} | owners.keys()
        for last, here in reads.items():
            others = set[str]().union(*(there for other, there in reads.items() if other != last))
            defines = self._names[last].assigns
            wanted = [n for n in defines if n in others] + [n for n in defines if n not in others]
            inputs = [name for name in owners if name in here and owners[name] != last]
            self._named[last] = task_name(self._sources[last], wanted, inputs, taken)
            taken.add(self._named[last])
        return [self._task(last, [n for n in owners if n in reads[last] and owners[n] != last]) for last in reads]

    def _task(self, last: int, reads: Sequence[str]) -> Proposed:
        edges, root = self._groups.edges(), self._groups.root(last)
        after = [name for other, name in self._named.items() if (self._groups.root(other), root) in edges]
        cells = tuple(dict.fromkeys(self._units[place].cell.number for place in self._members[last]))
        took = [seconds for number in cells if (seconds := self._seconds.get(number)) is not None]
        return Proposed(
            self._named[last],
            self._sources[last],
            cells,
            tuple(reads),
            self._names[last].assigns,
            tuple(after),
            sum(took) if took else None,
        )

    def _all_reads(self, last: int) -> set[str]:
        """Return what a task reads under the names in the flow, through functions as well."""
        inside = {n: u.cell.inside for u in self._units if u.role is Role.PLAIN for n in u.binds if u.cell.inside}
        found = set(self._names[last].reads)
        todo = list(found)
        while todo:
            more = set(inside.get(todo.pop(), ())) - found
            found |= more
            todo += more
        return found

    def wiring(self, tasks: Sequence[Proposed]) -> list[str]:
        """Return the operators for tasks that share files, where no name joins them."""
        owners = {name: task.name for task in tasks for name in task.defines}
        joined = {(owners[name], task.name) for task in tasks for name in task.reads}
        by_root = {self._groups.root(last): name for last, name in self._named.items()}
        found: dict[str, None] = {}
        for first, second in self._groups.files:
            pair = tuple(by_root.get(self._groups.root(place)) for place in (first, second))
            if None not in pair and pair[0] != pair[1] and pair not in joined:
                found[f"{pair[0]} >> {pair[1]}"] = None
        return list(found)

    def notebook(self, proposal: Proposal) -> list[RawCell]:
        """Return the cells of the new notebook: plain ones, tasks, the run, and what is left for after it."""
        tasks = dict(zip(sorted(self._members), proposal.tasks, strict=True))
        before: list[RawCell] = [RawCell("code", "%load_ext graflow_nb")]
        after: list[RawCell] = []
        text: list[RawCell] = []
        places = _places(self._units)
        for raw in self._document.cells:
            if raw.kind != "code":
                text.append(raw)
                continue
            for place in places.get(raw.number, ()):
                unit = self._units[place]
                if unit.role is Role.TASK and place not in tasks:
                    continue  # a later cell has it
                source = tasks[place].text if unit.role is Role.TASK else self._plain(place)
                (after if unit.role is Role.AFTER else before).extend(
                    [*text, RawCell("code", source, tags=raw.tags)]
                )
                text = []
            before += text if not places.get(raw.number) else []
        wiring = [RawCell("code", "\n".join(proposal.wiring))] if proposal.wiring else []
        return [*before, *wiring, RawCell("code", "%flow run"), *after, *text]

    def _plain(self, place: int) -> str:
        cell = self._units[place].cell
        can_be_renamed = cell.python and not cell.magics
        return self._renamed(place) if can_be_renamed else cell.source


def _places(units: Sequence[Unit]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for place, unit in enumerate(units):
        found.setdefault(unit.cell.number, []).append(place)
    return found


def _with_display(source: str) -> str:
    """Let the value at the end of a cell be shown, though more follows it in its task."""
    parts = segments(source)
    end = parts[-1].node if parts else None
    if not isinstance(end, ast.Expr) or isinstance(end.value, ast.Constant) or source.rstrip().endswith(";"):
        return source
    called = ast.unparse(end.value.func) if isinstance(end.value, ast.Call) else ""
    if called in _SHOWING or called.partition(".")[0] == "plt" or isinstance(end.value, ast.Await):
        return source
    lines = source.splitlines()
    text = ast.get_source_segment(source, end.value) or ast.unparse(end.value)
    return "\n".join([*lines[: end.lineno - 1], f"display({text})", *lines[end.end_lineno or end.lineno :]])


def _held_back(units: Sequence[Unit], versions: Versions, groups: Groups) -> list[str]:
    return [*_renames(units, versions), *_unions(units, groups), *_left(units)]


def _renames(units: Sequence[Unit], versions: Versions) -> Iterator[str]:
    for name, there in versions.of.items():
        if name in versions.tied or len(there) < 2:  # noqa: PLR2004
            continue
        kept = [(units[v.maker].cell.number, v.name) for v in there if v.name != name and v.readers]
        if kept:
            cells = _listed([units[v.maker].cell.number for v in there])
            new = ", ".join(f"{new} in cell {number}" for number, new in kept)
            yield f"cells {cells} each bind {name!r}: renamed, {new} (or make those cells one)"


def _unions(units: Sequence[Unit], groups: Groups) -> Iterator[str]:
    seen = set()
    for places, why in groups.reasons:
        numbers = sorted({units[place].cell.number for place in places})
        line = f"cells {_listed(numbers)} are one task: {why}"
        if len(numbers) > 1 and line not in seen:
            seen.add(line)
            yield line


def _left(units: Sequence[Unit]) -> Iterator[str]:
    for unit in units:
        if unit.role is Role.AFTER:
            yield f"cell {unit.cell.number} stays as it is, after the run: {unit.why}"


def _listed(numbers: Sequence[int]) -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last
