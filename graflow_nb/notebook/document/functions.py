"""Cells as functions of a script: what they read becomes arguments, what they define is returned."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graflow_nb.notebook.arguments import task_settings
from graflow_nb.notebook.document.cell import Cell, Kind, decorated
from graflow_nb.notebook.document.effects import Known
from graflow_nb.notebook.document.layout import below_header, indented, joined
from graflow_nb.notebook.document.source import DocumentError
from graflow_nb.notebook.names import cell_names

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from graflow_nb.notebook.document.layout import Segment
    from graflow_nb.notebook.document.slice import Slice

_SHORT = 60  # characters of a value that is returned as it stands
_BY_TEXT = frozenset({"globals", "locals", "vars", "exec", "get_ipython"})
_HARMLESS = ("%matplotlib", "%config", "%load_ext", "%reload_ext", "%autoreload", "%precision", "%pylab")
_USUAL = {"cache": True, "main_thread": False, "resources": {}}
_PLOTTING = ("matplotlib", "seaborn")
_PLOTS = frozenset({"plot", "hist", "boxplot"})


@dataclass
class Names:
    """Who makes what, in the flow of a document.

    Attributes
    ----------
    tasks : dict of str to tuple of str
        The tasks, with the variables that they define.
    derived : dict of int to str
        Names of the tasks that plain cells become, by the cells' numbers.
    decorated, wired : set of str
        Functions under ``@task``; all names that stand for tasks.
    plotting : set of str
        What draws into pyplot's figures.
    """

    tasks: dict[str, tuple[str, ...]]
    derived: dict[int, str]
    decorated: set[str]
    wired: set[str]
    plotting: set[str]

    @classmethod
    def of(cls, cells: Sequence[Cell], chosen: Slice) -> Names:
        """Return the names of a document's flow."""
        tasks = {c.tasks[0]: c.defines for c in cells if c.kind is Kind.TASK}
        tasks |= {d.rest.split()[0]: () for c in cells for d in c.directives if d.word == "param" and d.rest}
        functions = {
            node.name: name
            for place in chosen.chosen
            if cells[place].kind is Kind.FLOW
            for name, node in decorated(ast.parse(cells[place].python))
        }
        tasks |= dict.fromkeys(functions.values(), ())
        derived = {}
        for place in sorted(chosen.results):
            name = _derived_name(cells[place], tasks)
            derived[cells[place].number] = name
            tasks[name] = tuple(n for n in cells[place].effects.assigns if n != name)
        known = Known()
        for place in chosen.chosen:
            if cells[place].python:
                known.learn(cells[place].python)
        plotting = {n for n, module in known.modules.items() if module.split(".")[0] in _PLOTTING}
        plotting |= {
            n for n, f in known.functions.items() if any(getattr(x, "id", "") in plotting for x in ast.walk(f))
        }
        return cls(tasks, derived, set(functions), {*tasks, *functions}, plotting)

    @property
    def variables(self) -> set[str]:
        """The variables of all tasks."""
        return {name for defined in self.tasks.values() for name in defined}

    def arguments(self, reads: Collection[str], own: str) -> list[str]:
        """Return which of these names a task takes from others, in the others' order."""
        mine = {own, *self.tasks.get(own, ())}
        order = [n for task, defined in self.tasks.items() for n in (task, *defined)]
        return [name for name in dict.fromkeys(order) if name in reads and name not in mine]


def _derived_name(cell: Cell, tasks: Collection[str]) -> str:
    made = cell.effects.assigns
    if len(made) == 1 and made[0] not in tasks:
        return made[0]
    return next(n for n in (f"make_{made[0] if made else 'nothing'}", f"cell_{cell.number}") if n not in tasks)


def check_exportable(cell: Cell) -> None:
    """Raise if a cell has no meaning outside a notebook.

    Raises
    ------
    DocumentError
    """
    lines = [line.strip() for line in cell.body.splitlines()] if cell.magics else []
    for line in lines:
        if line.startswith(("%", "!")) and not line.startswith(_HARMLESS):
            raise DocumentError(
                f"cell {cell.number} has {line.split()[0]!r}, which means nothing in a script. "
                f"Put it in a cell of its own, or write it in Python"
            )
    if cell.kind is not Kind.TASK and not cell.python:
        return
    tree = ast.parse(cell.python)
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    if by_text := called & _BY_TEXT:
        if cell.magics and by_text == {"get_ipython"}:
            return
        raise DocumentError(f"cell {cell.number} uses {min(by_text)}(), which would find other names in a script")
    if cell.kind is Kind.TASK and any(isinstance(node, ast.Global) for node in ast.walk(tree)):
        raise DocumentError(f"cell {cell.number} has a function that assigns a global: let it return the value")


def check_helpers(cells: Sequence[Cell], chosen: Slice, names: Names) -> None:
    """Raise if a helper function reads a task's variable: only a notebook can give it that.

    Raises
    ------
    DocumentError
    """
    for place in sorted(chosen.chosen):
        cell = cells[place]
        if cell.kind is Kind.PLAIN and place not in chosen.results and (read := cell.inside & names.variables):
            raise DocumentError(
                f"cell {cell.number} defines a function that reads {min(read)!r} from the notebook, and that is "
                f"a task's variable. Give it to the function as an argument"
            )


def cell_function(cell: Cell, body: Sequence[Segment], names: Names) -> str:
    """Write a cell's task as a function."""
    name = cell.tasks[0]
    return _function(cell, body, name, cell.defines, names, _options(cell, names))


def derived_function(cell: Cell, body: Sequence[Segment], names: Names) -> str:
    """Write a plain cell between tasks as a task.

    Raises
    ------
    DocumentError
        If it changes a task's result in place.
    """
    if changed := cell.effects.changes & {*names.variables, *names.tasks}:
        raise DocumentError(
            f"cell {cell.number} changes {min(changed)!r} in place, which is a task's result: "
            f"let it work on a copy, or put it into the task"
        )
    name = names.derived[cell.number]
    for task in names.tasks:
        body = [s._replace(text=re.sub(rf"\b{task}\.result\b", task, s.text)) for s in body]
    return _function(cell, body, name, names.tasks[name], names, {})


def _function(
    cell: Cell,
    body: Sequence[Segment],
    name: str,
    defines: Sequence[str],
    names: Names,
    options: dict[str, str],
) -> str:
    arguments = names.arguments(cell.effects.reads, name)
    if _draws(cell, names):
        options["main_thread"] = "True"
    if defines:
        options["defines"] = _listed(defines)
    lines = [(segment.whole, segment.is_apart) for segment in body]
    value = "None"
    if body and isinstance(body[-1].node, ast.Expr) and not _prints(body[-1].node):
        end = body[-1]
        lines.pop()
        value = ast.get_source_segment(_padded(end), body[-1].node.value) or ast.unparse(body[-1].node.value)
        lines += [(end.comments, end.is_apart)] if end.comments.strip() else []
    if name in cell.effects.assigns:
        lines += [(value, False)] if "(" in value else []
        value = name
    elif defines and ("\n" in value or len(value) > _SHORT):
        shown = next(n for n in ("shown", "result_", "value_") if n not in cell.effects.binds | cell.effects.reads)
        lines.append((f"{shown} = {value}", False))
        value = shown
    lines += [(line, False) for line in _returned(cell, value, defines)]
    is_async = any(isinstance(n, ast.Await | ast.AsyncFor | ast.AsyncWith) for n in _top_level(body))
    head = f"{'async ' if is_async else ''}def {name}({', '.join(arguments)}):"
    return f"{_decorator(options)}\n{head}\n{indented(joined(lines) or 'pass')}"


def _returned(cell: Cell, value: str, defines: Sequence[str]) -> list[str]:
    if not defines:
        return [f"return {value}"] if value != "None" else []
    sure = [name for name in defines if name in cell.effects.surely]
    items = [f'"{name}": {name}' for name in sure]
    if unsure := [name for name in defines if name not in cell.effects.surely]:
        items.append(f"**{{name: value for name, value in locals().items() if name in {_listed(unsure)}}}")
    return [f"return Defined({value}, {{{', '.join(items)}}})"]


def _padded(segment: Segment) -> str:
    """Return a statement's text with its lines and columns where its node says."""
    return "\n" * (segment.node.lineno - 1) + segment.text


def _prints(node: ast.Expr) -> bool:
    """Whether an expression is there for what it does, and gives nothing."""
    return isinstance(node.value, ast.Call) and ast.unparse(node.value.func) in {"print", "display", "plt.show"}


def _top_level(body: Sequence[Segment]) -> list[ast.AST]:
    found: list[ast.AST] = []
    todo: list[ast.AST] = [segment.node for segment in body]
    while todo:
        node = todo.pop()
        found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            todo += ast.iter_child_nodes(node)
    return found


def _draws(cell: Cell, names: Names) -> bool:
    """Whether a task draws into pyplot's figures: they belong to the main thread."""
    tree = ast.parse(cell.python)
    called = {n.func.attr for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)}
    return bool((cell.effects.reads | cell.inside) & names.plotting) or bool(names.plotting and called & _PLOTS)


def _options(cell: Cell, names: Names) -> dict[str, str]:
    """Return the options of a ``%%task`` as keywords of ``@task``."""
    given: Any = cell.options
    found: dict[str, str] = {}
    for name, value in task_settings(given).items():
        if value is None or value == _USUAL.get(name, ()) or (name != "cache" and not value and value != 0):
            continue
        is_texts = isinstance(value, list)
        found[name] = _listed(value) if is_texts else quoted(value) if isinstance(value, str) else repr(value)
    if given.when is not None:
        reads = names.arguments(cell_names(given.when).reads, cell.tasks[0])
        found["when"] = f"lambda {', '.join(reads)}: {given.when}" if reads else f"lambda: {given.when}"
    return found


def _listed(names: Sequence[str]) -> str:
    return f"[{', '.join(quoted(name) for name in names)}]"


def quoted(text: str) -> str:
    """Write a text in double quotes, as formatters do."""
    return repr(text) if '"' in text else f'"{text}"'.replace("\\", "\\\\")


def _decorator(options: dict[str, str]) -> str:
    given = ", ".join(f"{name}={value}" for name, value in options.items())
    return f"@task({given})" if given else "@task"


def function_task(cell: Cell, segment: Segment, names: Names) -> str:
    """Write a function that a cell makes a task."""
    options = _options(cell, names)
    if _draws(cell, names):
        options["main_thread"] = "True"
    return f"{_decorator(options)}\n{with_parameters(segment, names, cell.tasks[0])}"


def with_parameters(segment: Segment, names: Names, task: str | None = None) -> str:
    """Write a function with the variables of tasks that it reads as parameters."""
    node: Any = segment.node
    text = segment.whole
    read = cell_names(segment.text).reads & names.variables
    more = names.arguments(read, task or node.name)
    if not more:
        return text
    every = node.args
    known = {a.arg for a in (*every.posonlyargs, *every.args, *every.kwonlyargs)}
    added = [ast.arg(name) for name in more if name not in known]
    if every.defaults or every.vararg or every.kwonlyargs:
        every.kwonlyargs = [*added, *every.kwonlyargs]
        every.kw_defaults = [*(None for _ in added), *every.kw_defaults]
    else:
        every.args = [*every.args, *added]
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    decorators = "".join(f"@{ast.unparse(decorator)}\n" for decorator in node.decorator_list)
    comments = f"{segment.comments}\n" if segment.comments.strip() else ""
    head = f"{comments}{decorators}{kind} {node.name}({ast.unparse(every)}){returns}:"
    return f"{head}\n{below_header(segment.text)}"
