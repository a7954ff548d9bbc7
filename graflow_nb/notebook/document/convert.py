"""Notebooks made of other things: of a script, and of what a flow needs of a notebook."""

from __future__ import annotations

import ast
import json
import re
import shlex
from typing import TYPE_CHECKING, Any

from graflow_nb.notebook.document.cell import Kind, decorated, read_cells
from graflow_nb.notebook.document.layout import Segment, below_header, dedented, is_definition, joined, segments
from graflow_nb.notebook.document.slice import slice_of
from graflow_nb.notebook.document.source import DocumentError, RawCell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from graflow_nb.notebook.document.source import Document

LOAD = "%load_ext graflow_nb"
_THERE = frozenset({"task", "workflow", "chain", "parallel", "TaskWrapper", "QueueBackend", "WorkflowContext"})
"""What a notebook has after loading."""
_LOADS = re.compile(r"^\s*%(re)?load_ext\s+graflow_nb\s*$", re.MULTILINE)


def to_notebook(cells: Iterable[RawCell]) -> str:
    """Write cells as a notebook without outputs."""
    found = []
    for number, cell in enumerate(cells, 1):
        content: dict[str, Any] = {
            "cell_type": cell.kind,
            "id": f"cell-{number}",
            "metadata": {"tags": [*cell.tags]} if cell.tags else {},
            "source": cell.source.splitlines(keepends=True),
        }
        found.append(content | ({"execution_count": None, "outputs": []} if cell.kind == "code" else {}))
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook = {"cells": found, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def script_cells(document: Document) -> list[RawCell]:
    """Return a script as the cells of a notebook: its imports, a cell for each definition and task, a run.

    Raises
    ------
    DocumentError
        If there is no flow in it.
    """
    if not document.is_script:
        return with_load(document.cells)
    body = segments(document.cells[0].source)
    about = ast.get_docstring(ast.parse(document.cells[0].source))
    title = f"# {about or document.name}"
    if about is not None:
        body.pop(0)
    opened = [s for s in body if _workflow(s.node) is not None]
    is_own = len(opened) == 1 and _can_be_taken_out(opened[0], body)
    imports = [s for s in body if isinstance(s.node, ast.Import | ast.ImportFrom)]
    cells = [RawCell("markdown", title), RawCell("code", _first_cell(imports, is_own=is_own))]
    cells += [RawCell("code", text) for text in _groups([s for s in body if s not in imports], is_own=is_own)]
    names = [name for segment in opened if (name := _target(segment.node))]
    own = is_own or any(decorated(ast.Module([s.node], [])) for s in body)
    if not (own or names):
        raise DocumentError(f"there is no flow in {document.name}.py: no @task, no workflow")
    runs = ["%flow run"] if own else [f"{name}.run()" for name in names]
    return [*cells, RawCell("code", "\n".join(runs))]


def with_load(cells: Sequence[RawCell]) -> list[RawCell]:
    """Return cells of which the first loads us, and the last runs the flow, if none did."""
    code = [cell.source for cell in cells if cell.kind == "code"]
    first = [] if any(_LOADS.search(source) for source in code) else [RawCell("code", LOAD)]
    last = [] if any(re.search(r"^\s*%flow run", source, re.MULTILINE) for source in code) else [RUN]
    return [*first, *cells, *last]


RUN = RawCell("code", "%flow run")


def flow_cells(document: Document) -> list[RawCell]:
    """Return only the cells of a notebook that its flow needs, with the text above them.

    Raises
    ------
    DocumentError
        If there is no flow in it.
    """
    cells = read_cells(document.code)
    chosen = slice_of(cells)
    kept = {cells[place].number: place for place in chosen.chosen}
    found: list[RawCell] = []
    above: list[RawCell] = []
    late: list[RawCell] = []
    for raw in document.cells:
        if raw.kind != "code":
            above.append(raw)
            continue
        place = kept.get(raw.number)
        if place is not None and (source := cells[place].runnable.strip("\n")).strip():
            is_late = place in chosen.results
            (late if is_late else found).extend([*above, RawCell("code", source, tags=raw.tags)])
        above = []
    has_task = any(cell.kind in {Kind.TASK, Kind.FLOW} for cell in cells)
    runs = [RUN] if has_task else []
    return with_load([*found, *(runs + late if late else []), *runs])


def _workflow(node: ast.stmt) -> ast.Call | None:
    """Return the call that a ``with`` at the top level opens a flow with."""
    if isinstance(node, ast.With) and len(node.items) == 1:
        call = node.items[0].context_expr
        if isinstance(call, ast.Call) and ast.unparse(call.func) in {"workflow", "graflow_nb.workflow"}:
            return call
    return None


def _target(node: ast.stmt) -> str:
    item = node.items[0].optional_vars if isinstance(node, ast.With) else None
    return item.id if isinstance(item, ast.Name) else ""


def _can_be_taken_out(segment: Segment, body: Sequence[Segment]) -> bool:
    """Whether the notebook's own flow can stand for the one that is opened: nothing else names that."""
    name, call = _target(segment.node), _workflow(segment.node)
    assert call is not None
    others = [n for s in body if s is not segment for n in ast.walk(s.node)]
    is_named = any(isinstance(n, ast.Name) and n.id == name for n in others)
    inside = [n for node in getattr(segment.node, "body", ()) for n in ast.walk(node)]
    uses = [n for n in inside if isinstance(n, ast.Name) and n.id == name]
    params = [n for n in getattr(segment.node, "body", ()) if _param_line(n, name)]
    plain = all(isinstance(k.value, ast.Constant) and k.arg in {"cache", "seed"} for k in call.keywords)
    return plain and not is_named and len(uses) == len(params)


def _param_line(node: ast.stmt, flow: str) -> str:
    """Return ``flow.param("x", 1)`` as a line of ``%flow``, if it is one."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not (isinstance(call, ast.Call) and ast.unparse(call.func) == f"{flow}.param"):
        return ""
    try:
        name, value = (ast.literal_eval(argument) for argument in call.args)
        options = [(k.arg, ast.literal_eval(k.value)) for k in call.keywords]
    except ValueError:
        return ""
    words = [f"--{key} {' '.join(map(_word, v)) if key == 'choices' else v}" for key, v in options]
    return " ".join(["%flow param", str(name), _word(value), *words])


def _word(value: object) -> str:
    """Write a value as ``%flow param`` reads it."""
    return shlex.quote(value if isinstance(value, str) else repr(value))


def _first_cell(imports: Sequence[Segment], *, is_own: bool) -> str:
    lines = [LOAD, ""]
    for segment in imports:
        node = segment.node
        if isinstance(node, ast.ImportFrom) and node.module == "graflow_nb" and is_own:
            if kept := [alias for alias in node.names if alias.name not in _THERE]:
                lines += [""] * (segment.is_apart and bool(lines[-1]))
                lines.append(ast.unparse(ast.ImportFrom("graflow_nb", kept, 0)))
        else:
            lines += ["", segment.text] if segment.is_apart and lines[-1] else [segment.text]
    return "\n".join(lines).strip("\n")


def _groups(body: Iterable[Segment], *, is_own: bool) -> Iterator[str]:
    """Give the cells: definitions and blocks alone, what is short together."""
    short: list[Segment] = []
    for segment in body:
        call = _workflow(segment.node)
        is_alone = is_definition(segment.text) or call is not None
        if is_alone or (short and segment.is_apart):
            if short:
                yield joined((s.whole, s.is_apart) for s in short)
            short = []
        if call is not None and is_own:
            yield from _taken_out(segment, call)
        elif is_alone:
            yield segment.whole
        else:
            short.append(segment)
    if short:
        yield joined((s.whole, s.is_apart) for s in short)


def _taken_out(segment: Segment, call: ast.Call) -> Iterator[str]:
    """Give the tasks of a ``with workflow(…)`` as cells of their own."""
    options = [(k.arg, k.value.value) for k in call.keywords if isinstance(k.value, ast.Constant)]
    if options:
        yield "\n".join(f"%flow {key} {value!s}" for key, value in options)
    short: list[str] = []
    for part in segments(dedented(below_header(segment.text, "with"))):
        line = _param_line(part.node, _target(segment.node))
        if line:
            yield line
        elif is_definition(part.text):
            yield part.whole
        else:
            short.append(part.whole)
    if short:
        yield "\n".join(short)
