"""Names that several cells bind: each value gets a name of its own, where that can be told from the source."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from graflow_nb.notebook.adopt.roles import Unit

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


@dataclass
class Version:
    """A value that a name stands for between two cells that bind it.

    Attributes
    ----------
    maker : int
        The place of the cell that binds it.
    readers : list of int
        The places of other cells that read it.
    name : str
        What it is called in the flow.
    """

    maker: int
    readers: list[int] = field(default_factory=list)
    name: str = ""


@dataclass
class Versions:
    """The versions of every name in a notebook.

    Parameters
    ----------
    units : sequence of Unit
    reads : sequence of set of str
        What each reads, through the functions it uses as well.

    Attributes
    ----------
    of : dict of str to list of Version
    tied : dict of str to str
        Names whose versions cannot be told apart, and why.
    """

    units: Sequence[Unit]
    reads: Sequence[Collection[str]]
    of: dict[str, list[Version]] = field(default_factory=dict)
    tied: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        used = {name for unit in self.units for name in (*unit.binds, *unit.cell.effects.reads)}
        for name in sorted({name for unit in self.units for name in unit.binds}):
            versions = self.of[name] = self._find(name)
            makers = [version.maker for version in versions]
            if len(makers) < 2 or all(name in _imported(self.units[maker]) for maker in makers):  # noqa: PLR2004
                _give_names(versions, name, ())
            elif why := self._tie(name, makers):
                self.tied[name] = why
                _give_names(versions, name, ())
            else:
                used |= _give_names(versions, name, used)

    def _find(self, name: str) -> list[Version]:
        versions: list[Version] = []
        for place, unit in enumerate(self.units):
            if name in self.reads[place] and versions and versions[-1].maker != place:
                versions[-1].readers.append(place)
            if name in unit.binds:
                versions.append(Version(place))
        return versions

    def _tie(self, name: str, makers: Iterable[int]) -> str:
        """Return why the versions of a name cannot have names of their own, or ""."""
        if all(name not in self.units[maker].cell.effects.assigns for maker in makers):
            return ""  # in each cell its own affair: a loop's variable, say
        for place, unit in enumerate(self.units):
            if name in unit.cell.inside or (name in self.reads[place] and name not in unit.cell.effects.reads):
                return "a function reads it"
            if name not in unit.binds and name not in unit.cell.effects.reads:
                continue
            if unit.cell.magics:
                return "it stands in a cell with magics"
            if occurrences(unit.cell.body, name) is None:
                return "where it is bound depends on how the cell goes"
        return ""

    def current(self, name: str, place: int) -> Version | None:
        """Return what a name stands for where a cell begins."""
        before = [version for version in self.of.get(name, ()) if version.maker < place]
        return before[-1] if before else None

    def renamed(self, place: int, source: str) -> str:
        """Return a cell's source with the names that its values have in the flow."""
        changes: dict[tuple[int, int], tuple[str, str]] = {}
        for name in {*self.units[place].binds, *self.units[place].cell.effects.reads} & self.of.keys():
            old, new = self.current(name, place), self._made(name, place)
            names = (old.name if old else name, new.name if new else name)
            if name in self.tied or names == (name, name):
                continue
            for position, is_new in occurrences(source, name) or ():
                changes[position] = (name, names[is_new])
        return _edited(source, changes)

    def _made(self, name: str, place: int) -> Version | None:
        return next((version for version in self.of[name] if version.maker == place), None)


def _imported(unit: Unit) -> set[str]:
    nodes = [n for n in ast.walk(ast.parse(unit.cell.python)) if isinstance(n, ast.Import | ast.ImportFrom)]
    return {alias.asname or alias.name.split(".")[0] for node in nodes for alias in node.names}


def _give_names(versions: Sequence[Version], name: str, used: Collection[str]) -> set[str]:
    """Name the versions: the last has the name, those that others read have numbers, the rest are private."""
    given: set[str] = set()
    taken = {*used}
    for number, version in enumerate(versions, 1):
        if version is versions[-1] or not used:
            version.name = name
            continue
        wanted = f"{name}_{number}" if version.readers else f"_{name.lstrip('_')}"
        while wanted in taken and (version.readers or wanted not in given):
            wanted += "_"
        version.name = wanted
        given.add(wanted)
    return given


def occurrences(source: str, name: str) -> list[tuple[tuple[int, int], bool]] | None:
    r"""Return where a name stands in a cell, and whether its new value is meant there; None if it cannot be told.

    Examples
    --------
    >>> occurrences("x = x + 1\nprint(x)", "x")
    [((1, 4), False), ((1, 0), True), ((2, 6), True)]
    >>> occurrences("if a: x = 1", "x") is None
    True
    """
    found: list[tuple[tuple[int, int], bool]] = []
    is_new = False
    if f"@{name}" in source:
        return None
    for node in ast.parse(source).body:
        loads, stores = _loads(node, name), _stores(node, name)
        if stores and not _is_sure(node, name):
            return None
        if _hides(node, name):
            return None
        found += [(position, is_new) for position in loads]
        is_new |= bool(stores)
        found += [(position, True) for position in stores]
    return found


def _loads(node: ast.stmt, name: str) -> list[tuple[int, int]]:
    return [_place(n) for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == name and not _is_store(n)]


def _stores(node: ast.stmt, name: str) -> list[tuple[int, int]]:
    """Return where a statement binds a name; a definition's name stands after its keyword."""
    found = [_place(n) for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == name and _is_store(n)]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
        words = {ast.FunctionDef: "def ", ast.AsyncFunctionDef: "async def ", ast.ClassDef: "class "}
        found.append((node.lineno, node.col_offset + len(words[type(node)])))
    return found


def _is_sure(node: ast.stmt, name: str) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name == name
    return isinstance(node, ast.Assign | ast.AnnAssign) and not any(
        isinstance(n, ast.NamedExpr) for n in ast.walk(node)
    )


def _hides(node: ast.stmt, name: str) -> bool:
    """Whether a name stands in a scope of its own there, or is deleted: then nobody knows when it is read."""
    for scope in ast.walk(node):
        inside = list(ast.walk(scope)) if isinstance(scope, (*_SCOPES, ast.comprehension)) else []
        if isinstance(scope, ast.comprehension):
            inside = list(ast.walk(scope.target))
        if any(isinstance(n, ast.Name) and n.id == name for n in inside) or any(
            isinstance(n, ast.arg) and n.arg == name for n in inside
        ):
            return True
    return any(
        isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Del) for n in ast.walk(node)
    ) or any(isinstance(n, ast.Global | ast.Nonlocal) and name in n.names for n in ast.walk(node))


def _place(node: ast.Name) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _is_store(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _edited(source: str, changes: Mapping[tuple[int, int], tuple[str, str]]) -> str:
    """Write other names at these places, which count bytes as the parser does."""
    lines = [line.encode() for line in source.splitlines()]
    for (line, column), (old, new) in sorted(changes.items(), reverse=True):
        text = lines[line - 1]
        lines[line - 1] = text[:column] + new.encode() + text[column + len(old.encode()) :]
    return b"\n".join(lines).decode()
