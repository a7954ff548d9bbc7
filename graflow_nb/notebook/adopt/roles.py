"""What each cell of an ordinary notebook can be: a task, a plain cell above the tasks, or one after the run."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from graflow_nb.notebook.document.cell import Cell, Kind, read_cells
from graflow_nb.notebook.document.layout import segments
from graflow_nb.notebook.document.source import DocumentError, RawCell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graflow_nb.notebook.document.layout import Segment

_DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_OUTPUTS = re.compile(r"_+\d*$|Out$|In$|_i+\d*$|_oh$|_ih$")
_BY_TEXT = {
    "input": "it asks for input",
    "exec": "it runs text as code",
    "eval": "it runs text as code",
    "globals": "it finds names by text",
    "locals": "it finds names by text",
    "get_ipython": "it talks to the shell",
    "interact": "it makes widgets that live on",
    "interactive": "it makes widgets that live on",
}
_EXPECTED_ERROR = "raises-exception"


class Role(Enum):
    """What a cell becomes."""

    TASK = "task"
    PLAIN = "plain"
    AFTER = "after the run"


@dataclass
class Unit:
    """A cell, or the definitions that are taken out of one.

    Attributes
    ----------
    cell : Cell
    role : Role
    why : str
        Why it is no task, if it might be taken for one.
    """

    cell: Cell
    role: Role = Role.TASK
    why: str = ""
    binds: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.binds = self.cell.effects.binds


def units_of(code: Sequence[RawCell]) -> list[Unit]:
    """Return the cells with their roles, as far as each tells by itself; definitions stand alone.

    Raises
    ------
    DocumentError
        If there are tasks already, or a cell is no Python.
    """
    first = read_cells(code)
    for cell in first:
        if cell.kind in {Kind.TASK, Kind.FLOW}:
            raise DocumentError(
                f"cell {cell.number} makes a task already: suggestions are for notebooks without any"
            )
    parts = [part for raw, cell in zip(code, first, strict=True) for part in _apart(raw, cell)]
    cells = read_cells(parts)
    units = [Unit(cell) for cell in cells]
    _give_roles(units)
    return units


def _apart(raw: RawCell, cell: Cell) -> list[RawCell]:
    """Take imports and definitions out of a cell that does something with them as well."""
    if cell.kind is not Kind.PLAIN or not cell.python or cell.magics:
        return [raw]
    parts = segments(cell.body)
    above = [part for part in parts if _can_stand_above(part, parts)]
    rest = [part for part in parts if part not in above]
    if not above or all(_is_light(part.node) for part in rest):
        return [raw]
    return [RawCell("code", _source(part), raw.number, raw.tags, raw.seconds) for part in (above, rest)]


def _can_stand_above(part: Segment, parts: Sequence[Segment]) -> bool:
    """Whether a definition needs nothing that its cell makes before it."""
    if not isinstance(part.node, _DEFINITIONS):
        return False
    does = [n for p in parts if not isinstance(p.node, _DEFINITIONS) for n in ast.walk(p.node)]
    made = {n.id for n in does if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    now = [*getattr(part.node, "decorator_list", ()), *getattr(part.node, "bases", ())]
    now += getattr(getattr(part.node, "args", None), "defaults", [])
    if isinstance(part.node, ast.ClassDef):
        now.append(part.node)
    read = {n.id for node in now for n in ast.walk(node) if isinstance(n, ast.Name)}
    return not read & made and getattr(part.node, "name", "") not in made


def _source(parts: Iterable[Segment]) -> str:
    text = ""
    for number, part in enumerate(parts):
        text += ("\n\n" if part.is_apart else "\n") * bool(number) + part.whole
    return text


def _is_light(node: ast.stmt) -> bool:
    """Whether a statement only names something: an import, a definition, a constant."""
    if isinstance(node, _DEFINITIONS):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        value = node.value
        return value is None or not any(isinstance(n, ast.Call | ast.Await | ast.BinOp) for n in ast.walk(value))
    return isinstance(node, ast.Pass)


def _is_setting(node: ast.stmt, cell: Cell, modules: set[str]) -> bool:
    """Whether a statement sets how a module works, and nothing else."""
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    changed = names & cell.effects.changes
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    return (is_call or isinstance(node, ast.Assign)) and bool(changed) and changed <= modules


def _give_roles(units: Sequence[Unit]) -> None:
    modules = {
        alias.asname or alias.name.split(".")[0]
        for unit in units
        if unit.cell.python and unit.cell.kind is not Kind.OTHER
        for node in ast.walk(ast.parse(unit.cell.python))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    has_task = False
    plain_names = set(modules)
    for unit in units:
        _give_role(unit, modules, plain_names, has_task=has_task)
        has_task |= unit.role is Role.TASK
        if unit.role is Role.PLAIN:
            plain_names |= unit.binds


def _give_role(unit: Unit, modules: set[str], plain_names: set[str], *, has_task: bool) -> None:
    cell = unit.cell
    if cell.kind is Kind.SETTING:
        unit.role = Role.PLAIN
        return
    if cell.kind is Kind.OTHER or (cell.magics and "get_ipython" in cell.python):
        lines = [line.strip() for line in cell.source.splitlines() if line.strip().startswith(("%", "!"))]
        unit.why = f"{lines[0].split()[0] if lines else 'a magic'} is no Python"
        unit.role = Role.AFTER if has_task else Role.PLAIN
        return
    tree = ast.parse(cell.python)
    if not tree.body:
        unit.role = Role.PLAIN
        return
    if why := _obstacle(cell, tree):
        unit.role, unit.why = Role.AFTER, why
        return
    light = all(_is_light(node) or _is_setting(node, cell, modules) for node in tree.body)
    needs = {name for name in cell.effects.reads - cell.inside if name not in plain_names}
    if light and not needs and "random numbers" not in cell.effects.changes:
        unit.role = Role.PLAIN


def _obstacle(cell: Cell, tree: ast.Module) -> str:
    """Return why a cell cannot be a task, or ""."""
    if _EXPECTED_ERROR in cell.tags:
        return "it is meant to fail"
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    for name, why in _BY_TEXT.items():
        if name in called:
            return why
    for name in sorted(cell.effects.reads):
        if _OUTPUTS.match(name) and name not in cell.effects.surely:
            return f"it reads {name}, the output of whatever ran before it"
    if deleted := cell.effects.deletes - cell.effects.surely:
        return f"it deletes {min(deleted)!r}"
    return ""
