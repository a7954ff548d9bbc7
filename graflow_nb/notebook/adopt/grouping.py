"""Which cells must be one task: those between which something changes in place, or cannot be told apart."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from graflow_nb.notebook.adopt.roles import Role
from graflow_nb.notebook.document.cell import Kind
from graflow_nb.notebook.document.effects import DICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graflow_nb.notebook.adopt.roles import Unit
    from graflow_nb.notebook.adopt.versions import Version, Versions

_MAKE_FOLDERS = frozenset({"makedirs", "mkdir"})
_WRITE_CALLS = _MAKE_FOLDERS | {
    *("savefig", "save", "dump", "write_text", "write_bytes", "savetxt", "imsave", "imwrite", "remove"),
}
_WRITE_MODES = frozenset("wax")


def all_reads(units: Sequence[Unit]) -> list[set[str]]:
    """Return what each cell reads, and the functions that it uses."""
    inside = {name: unit.cell.inside for unit in units for name in unit.binds if unit.cell.inside}
    found = []
    for unit in units:
        reads = set(unit.cell.effects.reads)
        todo = list(reads)
        while todo:
            more = set(inside.get(todo.pop(), ())) - reads
            reads |= more
            todo += more
        found.append(reads)
    return found


class Groups:
    """Sets of cells that are one task, by a representative each.

    Attributes
    ----------
    reasons : list of (set of int, str)
        What was put together, and why.
    """

    def __init__(self, units: Sequence[Unit], versions: Versions, reads: Sequence[set[str]]) -> None:
        self._units = units
        self._versions = versions
        self._reads = reads
        self._parent = list(range(len(units)))
        self.reasons: list[tuple[set[int], str]] = []
        self.files = file_edges(units)
        self._leave_after()
        self._unite_all()
        self._unite_cycles()

    def root(self, place: int) -> int:
        """Return the representative of a cell's group."""
        while self._parent[place] != place:
            place = self._parent[place]
        return place

    def members(self) -> dict[int, list[int]]:
        """Return the cells of each group of tasks, in order, by its last one."""
        found: dict[int, list[int]] = {}
        for place, unit in enumerate(self._units):
            if unit.role is Role.TASK:
                found.setdefault(self.root(place), []).append(place)
        return {places[-1]: places for places in found.values()}

    def edges(self) -> set[tuple[int, int]]:
        """Return which group reads what which other one makes, by representatives."""
        found = set()
        for name, versions in self._versions.of.items():
            for version in versions:
                if self._is_task(version.maker):
                    found |= {(version.maker, r) for r in version.readers if self._is_task(r) and name}
        found |= {(a, b) for a, b in self.files if self._is_task(a) and self._is_task(b)}
        return {(self.root(a), self.root(b)) for a, b in found if self.root(a) != self.root(b)}

    def _is_task(self, place: int) -> bool:
        return self._units[place].role is Role.TASK

    def _unite(self, places: Iterable[int], why: str) -> None:
        """Make cells one task; cells that only name things among themselves stay as they are."""
        there = {place for place in places if self._units[place].role is not Role.AFTER}
        if len({self.root(place) for place in there}) < 2 or not any(map(self._is_task, there)):  # noqa: PLR2004
            return
        if any(self._units[place].cell.kind is Kind.SETTING for place in there):
            return
        first, *others = sorted(there)
        for place in others:
            self._parent[self.root(place)] = self.root(first)
        for place in there:
            self._units[place].role = Role.TASK
        self.reasons.append((there, why))

    def _unite_all(self) -> None:
        for name, why in self._versions.tied.items():
            versions = self._versions.of[name]
            between = [r for version in versions[:-1] for r in version.readers]
            self._unite([*(version.maker for version in versions), *between], f"they bind {name!r}; {why}")
        self._unite_changes()
        self._unite_temporaries()
        dice = [place for place, unit in enumerate(self._units) if DICE in unit.cell.effects.changes]
        self._unite(dice, "they use one state of random numbers, in this order")

    def _unite_changes(self) -> None:
        for place, unit in enumerate(self._units):
            for name in sorted(unit.cell.effects.changes - {DICE}):
                version = self._versions.current(name, place)
                if version is None or self._is_module(name, version):
                    continue
                between = [reader for reader in version.readers if reader <= place]
                maker = self._units[version.maker].cell.number
                why = f"cell {unit.cell.number} changes {name!r}, which cell {maker} makes"
                self._unite([version.maker, *between], why)

    def _is_module(self, name: str, version: Version) -> bool:
        tree = ast.parse(self._units[version.maker].cell.python)
        aliases = [a for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names]
        return any((alias.asname or alias.name.split(".")[0]) == name for alias in aliases)

    def _unite_temporaries(self) -> None:
        """Unite cells that read what is another cell's own affair as a task: a loop's variable, a private name."""
        for name, versions in self._versions.of.items():
            for version in versions:
                unit = self._units[version.maker]
                is_shared = name in unit.cell.effects.assigns or self._is_module(name, version)
                if not is_shared and unit.role is Role.TASK:
                    self._unite([version.maker, *version.readers], f"{name!r} is read by other cells than its own")

    def _leave_after(self) -> None:
        """Leave cells after the run that need what another such cell does."""
        changed: dict[str, int] = {}
        for place, unit in enumerate(self._units):
            for name in sorted(self._reads[place]):
                version = self._versions.current(name, place)
                source = version.maker if version else None
                by = next((p for p in (source, changed.get(name)) if p is not None and self._is_after(p)), None)
                if by is not None and unit.role is not Role.AFTER:
                    unit.role = Role.AFTER
                    unit.why = f"it needs {name!r} of cell {self._units[by].cell.number}"
            if unit.role is Role.AFTER:
                changed |= dict.fromkeys(unit.cell.effects.changes | unit.cell.effects.deletes, place)
        for first, second in self.files:
            if self._is_after(first) and not self._is_after(second):
                self._units[second].role = Role.AFTER
                self._units[second].why = f"it uses a file of cell {self._units[first].cell.number}"

    def _is_after(self, place: int) -> bool:
        return self._units[place].role is Role.AFTER

    def _unite_cycles(self) -> None:
        import networkx as nx

        while True:
            cycles = [c for c in nx.strongly_connected_components(nx.DiGraph(self.edges())) if len(c) > 1]
            if not cycles:
                return
            for roots in cycles:
                places = [p for p in range(len(self._units)) if self.root(p) in roots and self._is_task(p)]
                self._unite(places, "each needs what another of them makes")


def file_edges(units: Sequence[Unit]) -> list[tuple[int, int]]:
    """Return the cells that use a file after each other, if one of the two writes it."""
    used = [_paths(unit) for unit in units]
    found = []
    for later, (uses, writes) in enumerate(used):
        for earlier in range(later):
            before = used[earlier]
            if _meet(before[1], uses) or _meet(before[0], writes):
                found.append((earlier, later))
    return found


def _meet(one: Iterable[str], other: Iterable[str]) -> bool:
    return any(a == b or b.startswith(f"{a}/") for a in one for b in other)


def _paths(unit: Unit) -> tuple[set[str], set[str]]:
    """Return the paths in a cell's calls, and those that it writes."""
    uses: set[str] = set()
    writes: set[str] = set()
    tree = ast.parse(unit.cell.python if unit.cell.kind is not Kind.OTHER else "")
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        texts = {text.strip("/") for a in (*call.args, call.func) for text in _texts(a)}
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        paths = {text for text in texts if name in _MAKE_FOLDERS or _is_path(text)}
        uses |= paths
        modes = {text for a in (*call.args[1:2], *(k.value for k in call.keywords)) for text in _texts(a)}
        opens = name == "open" and any(set(mode) & _WRITE_MODES for mode in modes)
        if name in _WRITE_CALLS or name.startswith("to_") or opens:
            writes |= paths
    return uses, writes


def _texts(node: ast.AST) -> list[str]:
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def _is_path(text: str) -> bool:
    stem, dot, ending = text.rpartition(".")
    is_file = bool(stem and dot) and ending.isalnum() and len(ending) <= 8 and not ending.isdigit()  # noqa: PLR2004
    return "\n" not in text and " " not in text.strip() and (is_file or "/" in text)
