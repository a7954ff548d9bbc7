"""What a code cell is to a flow: a task, something that makes or wires tasks, a setting, or plain code."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from IPython.core.error import UsageError
from IPython.core.inputtransformer2 import TransformerManager

from graflow_nb.notebook.arguments import HelpShown, task_parser
from graflow_nb.notebook.document.effects import DICE, Effects, Known, effects
from graflow_nb.notebook.document.source import DocumentError
from graflow_nb.notebook.names import cell_names
from graflow_nb.notebook.statements import statements

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Collection, Iterable, Sequence

    from graflow_nb.notebook.document.source import RawCell

_HEADER = re.compile(r"#\|\s*task:[ \t]*(\S.*?)\s*$")
_OUR_LINE = re.compile(r"\s*%(?:flow|graflow)\b[ \t]*(\w*)[ \t]*(.*)$")
_LOAD = re.compile(r"\s*%(?:re)?load_ext\s+graflow_nb\s*$")
_LINE_MAGIC = re.compile(r"\s*(?:%[A-Za-z]|!)")
_CELL_MAGIC = re.compile(r"%%(\w+)[ \t]*(.*)")
_RUNS_BODY = frozenset({"time", "timeit", "capture", "prun"})
_WRITES = frozenset({"writefile", "file"})
_OPERATORS = (ast.RShift, ast.LShift, ast.BitOr)
_MAKES = frozenset({"chain", "parallel"})
_METHODS = frozenset({"bind", "map", "named", "with_policy"})
KEPT_WORDS = frozenset({"param", "seed", "cache", "use", "remove", "reset"})
"""Sub-commands of ``%flow`` that say what the flow is; the others only run or show it."""
_EMPTY = frozenset[str]()
_NOTHING = Effects(_EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY, ())


class Kind(Enum):
    """What a cell is to a flow."""

    TASK = "task"
    FLOW = "flow"
    SETTING = "setting"
    PLAIN = "plain"
    OTHER = "other"


class Directive(NamedTuple):
    """A line ``%flow WORD REST``."""

    word: str
    rest: str
    line: int


@dataclass(frozen=True)
class Cell:
    """A code cell, read.

    Attributes
    ----------
    number : int
    source : str
        As it was written.
    kind : Kind
    body : str
        Its Python as it was written: without magics of ours, a task's without its header.
    python : str
        The same with other magics as calls.
    tasks : tuple of str
        The tasks that it makes.
    options : Namespace or None
        Of ``%%task``.
    is_function : bool
        Whether its task is a function.
    directives : sequence of Directive
    effects : Effects
        Of the body.
    now : frozenset of str
        What it reads when it runs.
    inside : frozenset of str
        What functions in it read when they are called.
    defines : tuple of str
        The variables of its task.
    magics : bool
        Whether other magics stand in it.
    tags : sequence of str
    """

    number: int
    source: str
    kind: Kind
    body: str = ""
    python: str = ""
    tasks: tuple[str, ...] = ()
    options: Namespace | None = None
    is_function: bool = False
    directives: Sequence[Directive] = ()
    effects: Effects = _NOTHING
    now: frozenset[str] = frozenset()
    inside: frozenset[str] = frozenset()
    defines: tuple[str, ...] = ()
    magics: bool = False
    tags: Sequence[str] = field(default=())

    @property
    def runnable(self) -> str:
        """The source, without the lines that only run or show the flow, and those that load us."""
        lines = self.source.splitlines()
        return "\n".join("" if _is_dropped(line) else line for line in lines)


@lru_cache(maxsize=4)
def _manager() -> TransformerManager:
    return TransformerManager()


def transformed(source: str) -> str:
    """Return a cell's source with its magics as calls."""
    text: str = _manager().transform_cell(source)
    return text


def read_cells(raw: Iterable[RawCell]) -> list[Cell]:
    """Read code cells, each in the light of the others.

    Raises
    ------
    DocumentError
        If one of a flow is no Python; it is named.
    """
    cells = [_split(cell) for cell in raw]
    known = Known()
    for cell in cells:
        if cell.python and cell.kind is not Kind.OTHER:
            known.learn(cell.python)
    wired = {name for cell in cells for name in cell.tasks}
    read = []
    for cell in cells:
        there = _made_flow(cell, wired) if cell.kind is Kind.PLAIN else cell
        wired.update(_named_groups(there, wired))
        read.append(_with_effects(there, known))
    return read


def _split(raw: RawCell) -> Cell:
    lines = raw.source.splitlines()
    first = next((line for line in lines if line.strip()), "")
    at = lines.index(first) if first else 0
    header = _HEADER.match(first)
    magic = _CELL_MAGIC.match(first)
    rest = "\n".join(lines[at + 1 :])
    cell = Cell(raw.number, raw.source, Kind.PLAIN, tags=raw.tags)
    if header or (magic and magic[1] == "task"):
        return _task(cell, header[1] if header else magic[2] if magic else "", rest)
    if magic and magic[1] not in _RUNS_BODY:
        return replace(cell, kind=Kind.SETTING if magic[1] in _WRITES else Kind.OTHER, magics=True)
    return _plain(cell, rest if magic else raw.source, has_magic=magic is not None)


def _task(cell: Cell, line: str, body: str) -> Cell:
    try:
        options = task_parser().read(line)
    except UsageError as error:
        raise DocumentError(f"cell {cell.number}: {error}") from None
    except HelpShown:
        return replace(cell, kind=Kind.OTHER)
    python = transformed(body)
    tree = _parsed(python, cell.number)
    name = options.name
    if name is None:
        end = tree.body[-1] if tree.body else None
        if not isinstance(end, ast.FunctionDef | ast.AsyncFunctionDef):
            raise DocumentError(
                f"cell {cell.number}: %%task without a name takes a cell that ends in a function definition"
            )
        name = end.name
    return replace(
        cell,
        kind=Kind.TASK,
        body=body,
        python=python,
        tasks=(name,),
        options=options,
        is_function=options.name is None,
        magics=python.strip() != body.strip(),
    )


def _plain(cell: Cell, body: str, *, has_magic: bool) -> Cell:
    lines = body.splitlines()
    matches = [(number, _OUR_LINE.match(line)) for number, line in enumerate(lines)]
    directives = [Directive(match[1], match[2].strip(), number) for number, match in matches if match]
    kept = "\n".join("" if _OUR_LINE.match(line) or _LOAD.match(line) else line for line in lines).strip("\n")
    if not kept.strip():
        return replace(cell, kind=Kind.SETTING, directives=directives)
    if all(not line.strip() or line.lstrip().startswith(("%", "#")) for line in kept.splitlines()):
        return replace(cell, kind=Kind.SETTING, directives=directives, magics=True, body=kept)
    python = transformed(kept)
    if not _is_python(python):
        return replace(cell, kind=Kind.OTHER, directives=directives, body=kept)
    magics = has_magic or any(_LINE_MAGIC.match(line) for line in kept.splitlines())
    tasks = tuple(name for name, _ in decorated(ast.parse(python)))
    kind = Kind.FLOW if tasks or _opens_workflow(ast.parse(python)) else Kind.PLAIN
    return replace(cell, kind=kind, directives=directives, body=kept, python=python, tasks=tasks, magics=magics)


def _parsed(python: str, number: int) -> ast.Module:
    try:
        cell_names(python)
        return ast.parse(python)
    except SyntaxError as error:
        raise DocumentError(f"cell {number} is no Python, at its line {error.lineno}: {error.msg}") from None


def _is_python(text: str) -> bool:
    try:
        cell_names(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _is_dropped(line: str) -> bool:
    match = _OUR_LINE.match(line)
    if match is None:
        return bool(_LOAD.match(line))
    is_question = match[1] == "cache" and match[2].split()[:1] in ([], ["info"], ["clear"], ["gc"])
    return match[1] not in KEPT_WORDS or is_question


def decorated(tree: ast.Module) -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Return the functions at the top level that ``@task`` makes tasks, with the tasks' names."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                call = decorator if isinstance(decorator, ast.Call) else None
                if ast.unparse(call.func if call else decorator) in {"task", "graflow_nb.task"}:
                    found.append((_given_name(call) or node.name, node))
    return found


def _given_name(call: ast.Call | None) -> str:
    given = [] if call is None else [*call.args[:1], *(k.value for k in call.keywords if k.arg in {"id", "name"})]
    return next((str(value.value) for value in given if isinstance(value, ast.Constant)), "")


def _opens_workflow(tree: ast.Module) -> bool:
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    return any(ast.unparse(call.func) in {"workflow", "graflow_nb.workflow", "TaskWrapper"} for call in calls)


def _made_flow(cell: Cell, wired: Collection[str]) -> Cell:
    is_flow = any(is_wiring(node, wired) for node in ast.parse(cell.python).body)
    return replace(cell, kind=Kind.FLOW) if is_flow else cell


def is_wiring(node: ast.AST, wired: Collection[str]) -> bool:  # noqa: PLR0911 - a kind of node a line
    """Whether a statement puts tasks (or groups of them) together."""
    if isinstance(node, ast.Expr | ast.Assign):
        return not isinstance(node.value, ast.Name) and is_wiring(node.value, wired)
    if isinstance(node, ast.Name):
        return node.id in wired
    if isinstance(node, ast.List | ast.Tuple):
        return bool(node.elts) and all(is_wiring(item, wired) for item in node.elts)
    if isinstance(node, ast.BinOp):
        sides = (node.left, node.right)
        return isinstance(node.op, _OPERATORS) and any(is_wiring(side, wired) for side in sides)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in _MAKES and any(is_wiring(argument, wired) for argument in node.args)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in _METHODS and is_wiring(node.func.value, wired)
    return False


def _named_groups(cell: Cell, wired: Collection[str]) -> set[str]:
    if cell.kind is not Kind.FLOW:
        return set()
    nodes = [node for node in ast.parse(cell.python).body if isinstance(node, ast.Assign)]
    return {t.id for n in nodes if is_wiring(n, wired) for t in n.targets if isinstance(t, ast.Name)}


def _with_effects(cell: Cell, known: Known) -> Cell:
    if not cell.python:
        return cell
    found = effects(cell.python, known)
    parts = statements(cell.python)
    functions = {name: names for part in parts for name, names in part.functions.items()}
    inside = frozenset[str]().union(*functions.values())
    now = frozenset[str]().union(*(part.reads for part in parts))
    now |= inside if not functions.keys().isdisjoint(now) else frozenset()
    defines: tuple[str, ...] = ()
    if cell.kind is Kind.TASK and not cell.is_function:
        bound = [name for name in found.assigns if name != cell.tasks[0]]
        defines = tuple(bound)
    return replace(
        cell, effects=found, now=(now | {DICE}) & found.reads, inside=inside & found.reads, defines=defines
    )
