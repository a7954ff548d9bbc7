"""The flow of a notebook as a script: functions with arguments, operators, and the plain code they need."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graflow_nb.notebook.document.cell import Cell, Kind, is_wiring, read_cells
from graflow_nb.notebook.document.functions import (
    Names,
    cell_function,
    check_exportable,
    check_helpers,
    derived_function,
    function_task,
    quoted,
    with_parameters,
)
from graflow_nb.notebook.document.layout import indented, is_definition, joined, segments, sorted_imports
from graflow_nb.notebook.document.slice import Slice, slice_of
from graflow_nb.notebook.document.source import DocumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from graflow_nb.notebook.document.layout import Segment
    from graflow_nb.notebook.document.source import Document

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_OPENS = ("workflow", "graflow_nb.workflow")


@dataclass
class _Parts:
    """The pieces of the script."""

    imports: list[ast.stmt] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)  # flows that cells open themselves


def to_script(document: Document, *, about: str = "") -> str:
    """Write the flow of a notebook as a script.

    Parameters
    ----------
    document : Document
    about : str
        The first line of its docstring.

    Raises
    ------
    DocumentError
        If there is no flow, or something in it has no meaning outside a notebook.
    """
    if document.is_script:
        raise DocumentError(f"{document.name} is a script already")
    cells = read_cells(document.code)
    chosen = slice_of(cells)
    names = Names.of(cells, chosen)
    check_helpers(cells, chosen, names)
    headings = _headings(document)
    parts = _Parts()
    for place in sorted(chosen.chosen):
        _add(cells[place], place, chosen, names, parts, headings.get(cells[place].number, ""))
    return _written(document.name, about, parts, _own_imports(parts, cells, chosen))


def _add(cell: Cell, place: int, chosen: Slice, names: Names, parts: _Parts, heading: str) -> None:
    _take_directives(cell, parts)
    if cell.kind is Kind.SETTING or not cell.python:
        return
    check_exportable(cell)
    body = segments(_without_magics(cell))
    parts.imports += [s.node for s in body if isinstance(s.node, ast.Import | ast.ImportFrom)]
    rest = [s for s in body if not isinstance(s.node, ast.Import | ast.ImportFrom)]
    above = f"# {heading}\n" if heading else ""
    if cell.kind is Kind.TASK and not cell.is_function:
        parts.inside.append(above + cell_function(cell, rest, names))
    elif cell.kind is Kind.TASK:
        parts.plain += [segment.whole for segment in rest[:-1]]
        parts.inside.append(above + function_task(cell, rest[-1], names))
    elif place in chosen.results:
        parts.inside.append(above + derived_function(cell, rest, names))
    else:
        _add_code(cell, rest, names, parts, above)


def _add_code(cell: Cell, rest: Sequence[Segment], names: Names, parts: _Parts, above: str) -> None:
    """Sort a plain cell's statements, or those of one that makes and wires tasks."""
    for segment in rest:
        node = segment.node
        is_task = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in names.decorated
        reads = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        if is_task:
            parts.inside.append(above + with_parameters(segment, names))
        elif isinstance(node, _DEFINITIONS):
            parts.plain.append(above + segment.whole)
        elif is_wiring(node, names.wired) or (cell.kind is Kind.FLOW and reads & names.wired):
            parts.inside.append(above + segment.whole)
        elif (opened := _opened(node)) is not None:
            parts.opened.append(opened)
            parts.plain.append(above + segment.whole)
        elif not _only_shows(node):
            parts.plain.append(above + segment.whole)
        else:
            continue
        above = ""


def _take_directives(cell: Cell, parts: _Parts) -> None:
    for word, rest, _ in cell.directives:
        if word == "param":
            name, _, value = rest.partition(" ")
            parts.inside.append(f"flow.param({quoted(name)}, {_param_arguments(value)})")
        elif word == "seed" and rest and rest != "off":
            parts.options["seed"] = rest
        elif word == "cache" and rest and rest.split()[0] not in {"info", "clear", "gc"}:
            parts.options["cache"] = quoted(rest.strip("'\""))
        elif word in {"remove", "reset"}:
            raise DocumentError(f"cell {cell.number} removes tasks: delete their cells, and then export")


def _param_arguments(text: str) -> str:
    from graflow_nb.notebook.arguments import flow_parsers
    from graflow_nb.notebook.upkeep import parsed

    options = flow_parsers()["param"].read(f"x {text}")
    value = parsed(options.value)
    arguments = [quoted(value) if isinstance(value, str) else repr(value)]
    arguments += [
        f"{n}={getattr(options, n)!r}" for n in ("min", "max", "step") if getattr(options, n) is not None
    ]
    if options.choices:
        arguments.append(f"choices={[parsed(choice) for choice in options.choices]!r}")
    return ", ".join(arguments)


def _without_magics(cell: Cell) -> str:
    """Return a cell's body without line magics; those that mean something were refused."""
    if not cell.magics:
        return cell.body
    lines = cell.body.splitlines()
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines)


def _opened(node: ast.stmt) -> str | None:
    """Return the name of the flow that a statement opens."""
    calls: list[tuple[ast.expr, ast.expr | None]] = []
    if isinstance(node, ast.With):
        calls = [(item.context_expr, item.optional_vars) for item in node.items]
    elif isinstance(node, ast.Assign):
        calls = [(node.value, node.targets[0])]
    for call, target in calls:
        if isinstance(call, ast.Call) and ast.unparse(call.func) in _OPENS and isinstance(target, ast.Name):
            return target.id
    return None


def _only_shows(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and not any(isinstance(n, ast.Call | ast.Await) for n in ast.walk(node))


def _headings(document: Document) -> dict[int, str]:
    """Return the heading that stands above each code cell, if one does."""
    found = {}
    heading = ""
    for cell in document.cells:
        if cell.kind == "code":
            found[cell.number] = heading
            heading = ""
        else:
            lines = [line.lstrip("#").strip() for line in cell.source.splitlines() if line.startswith("#")]
            heading = lines[-1] if lines else heading
    return found


def _own_imports(parts: _Parts, cells: Sequence[Cell], chosen: Slice) -> list[ast.stmt]:
    text = "\n".join([*parts.plain, *parts.inside])
    ours = [name for name in ("Defined", "chain", "context", "parallel", "task", "workflow") if _names(name, text)]
    ours += ["workflow"] if parts.inside and "workflow" not in ours else []
    given = {alias.asname or alias.name for n in parts.imports for alias in getattr(n, "names", ())}
    found: list[ast.stmt] = []
    if ours := [name for name in ours if name not in given]:
        found.append(ast.ImportFrom("graflow_nb", [ast.alias(name) for name in ours], 0))
    reads = {n for place in chosen.chosen for n in (*cells[place].effects.reads, *_free(cells[place]))}
    if "display" in reads and "display" not in given:
        found.append(ast.ImportFrom("IPython.display", [ast.alias("display")], 0))
    return found


def _free(cell: Cell) -> Iterator[str]:
    tree = ast.parse(cell.python) if cell.python else ast.Module([], [])
    yield from (n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == "display")


def _names(name: str, text: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(ast.parse(text)))


def _written(name: str, about: str, parts: _Parts, own: list[ast.stmt]) -> str:
    head = f'"""{about or name}."""\n\n{sorted_imports([*parts.imports, *own])}'
    pieces = [*parts.plain]
    flows = list(parts.opened)
    if parts.inside:
        options = "".join(f", {key}={value}" for key, value in sorted(parts.options.items()))
        inside = joined((piece, False) for piece in parts.inside)
        pieces.append(f"with workflow({quoted(name)}{options}) as flow:\n{indented(inside)}")
        flows.append("flow")
    runs = "\n".join(f"    print({flow}.run(raise_errors=True))" for flow in flows)
    pieces.append(f'if __name__ == "__main__":\n{runs}')
    return f"{head}{chr(10) * (3 if is_definition(pieces[0]) else 2)}{_apart(pieces)}\n"


def _apart(pieces: Iterable[str]) -> str:
    """Put the pieces of a module below each other: definitions two lines apart."""
    text, was_block = "", False
    for piece in pieces:
        is_block = is_definition(piece)
        if text:
            text += "\n\n\n" if is_block or was_block else "\n"
        text += piece
        was_block = is_block
    return text
