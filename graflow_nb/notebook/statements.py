"""What each statement of a plain cell reads, binds and may change in place: from the source alone."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from graflow_nb.notebook.names import statement_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_WORD = re.compile(r"[^\W\d]\w*")
OURS = frozenset({"task", "flow", "graflow"})
RUN_CODE = frozenset({"time", "capture", "prun", "debug", "timeit"})
"""Magics whose text is Python for the notebook's namespace (``timeit`` reads it, and binds nothing there)."""
_MAGICS = frozenset({"run_line_magic", "run_cell_magic"})
_BY_TEXT = frozenset(
    {"globals", "locals", "vars", "exec", "eval", "user_ns", "ex", "ev", "run_cell", "system", "getoutput"}
    | _MAGICS
)
"""Who mentions one of these may name variables in texts."""
_RUN_TEXT = frozenset({"exec", "eval", "ex", "ev", "run_cell"})
_RESULTS = frozenset(
    {"result", "results", "outputs", "record", "records", "last_run", "produced", "execute", "run", "arun"}
)
_LEAVES_ALONE = frozenset({
    "abs", "all", "any", "bool", "bytes", "callable", "chr", "complex", "dict", "dir", "display", "divmod",
    "enumerate", "filter", "float", "format", "frozenset", "getattr", "hasattr", "hash", "help", "hex", "id",
    "int", "isinstance", "issubclass", "len", "list", "max", "memoryview", "min", "ord", "pow", "print", "range",
    "repr", "reversed", "round", "set", "slice", "sorted", "str", "sum", "tuple", "type", "zip",
})  # fmt: skip
"""Functions of Python's own that change none of their arguments."""
_COMPOUND = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.Match)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Change(NamedTuple):
    """An object that a statement may change in place.

    Attributes
    ----------
    name : str
    place : str
        What is assigned, where that is one place (``X['a']``): doing it again replaces it. Else "".
    is_sure : bool
        It is written to, not only handed to something that might.
    """

    name: str
    place: str = ""
    is_sure: bool = False


class Statement(NamedTuple):
    """What one statement at the top level of a cell does.

    Attributes
    ----------
    first, last : int
        Its lines.
    reads, binds, deletes : frozenset of str
    surely : frozenset of str
        What it binds whenever it runs.
    changes : tuple of Change
    called, given : frozenset of str
        Names that it calls, and names that it gives to what it calls.
    uses_results : bool
        Whether it mentions a result of a task, a run or a flow.
    by_text : frozenset of str
        What of its reads it only mentions in texts.
    runs : frozenset of str
        Names whose text it runs as code.
    reads_all : bool
        It runs code that is not known: it may read anything.
    functions : mapping of str to frozenset of str
        What the functions that it defines read when they are called.
    texts : tuple of str
        The texts in it.
    stars : tuple of str
        Modules that it imports everything from.
    shows : bool
        It is an expression, whose value the shell keeps.
    is_part : bool
        It holds others, or stands with others in a magic: a run may come in the middle of its lines.
    """

    first: int
    last: int
    reads: frozenset[str]
    binds: frozenset[str] = frozenset()
    deletes: frozenset[str] = frozenset()
    surely: frozenset[str] = frozenset()
    changes: tuple[Change, ...] = ()
    called: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    uses_results: bool = False
    by_text: frozenset[str] = frozenset()
    runs: frozenset[str] = frozenset()
    reads_all: bool = False
    functions: Mapping[str, frozenset[str]] = {}
    texts: tuple[str, ...] = ()
    stars: tuple[str, ...] = ()
    shows: bool = False
    is_part: bool = False


def words(source: str) -> set[str]:
    """Return everything in a text that could be a name."""
    return set(_WORD.findall(source))


@lru_cache(maxsize=500)
def statements(source: str, transform: Callable[[str], str] = str) -> tuple[Statement, ...]:
    r"""Return the statements of a cell, those that ``%%time`` and its like run included; none if it is no Python.

    Parameters
    ----------
    source : str
        As the shell runs it, magics written as calls.
    transform : callable
        Makes such source of the text that a magic runs.

    Examples
    --------
    >>> one, two = statements("x = df.mean()\nfit(model, x)")
    >>> sorted(one.reads), sorted(one.binds), one.changes
    (['df'], ['x'], (Change(name='df', place='', is_sure=False),))
    >>> [change.name for change in two.changes]
    ['model', 'x']
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()
    return tuple(part for node in tree.body for part in _parts(node, transform))


def _parts(node: ast.stmt, transform: Callable[[str], str]) -> Iterator[Statement]:
    """Give what a statement does; what a magic runs is given statement by statement."""
    magic, text, line = magic_of(node)
    if magic in OURS:
        return
    if magic not in RUN_CODE:
        yield _statement(node)
        return
    inner = statements(transform(text), transform)
    reads = frozenset[str]().union(*(part.reads for part in inner))
    yield Statement(node.lineno, node.end_lineno or node.lineno, reads, shows=True)
    for part in inner:
        there = part._replace(first=node.lineno, last=node.end_lineno or node.lineno, is_part=True, shows=False)
        yield (
            there._replace(binds=frozenset(), surely=frozenset(), deletes=frozenset())
            if magic == "timeit"
            else there
        )
    if magic == "capture" and (bound := frozenset(words(line) - {"no", "stderr", "stdout", "display"})):
        yield Statement(node.lineno, node.end_lineno or node.lineno, reads, bound, surely=bound)


def magic_of(node: ast.stmt) -> tuple[str, str, str]:
    """Return the magic that a statement is, the text that it runs and its line; else empty texts."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _MAGICS):
        return "", "", ""
    texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    if len(texts) != len(call.args) or not texts:
        return "", "", ""
    name, line, text = (*texts, "", "")[:3]
    is_line = call.func.attr == "run_line_magic"
    code = re.sub(r"^(\s*-\w+(\s+\d+)?)+\s", "", line) if is_line else text
    return name, code, line


def _statement(node: ast.stmt) -> Statement:
    names = statement_names(node)
    inside = [*ast.walk(node)]
    mentioned = {
        n.id if isinstance(n, ast.Name) else n.attr for n in inside if isinstance(n, ast.Name | ast.Attribute)
    }
    texts = tuple(n.value for n in inside if isinstance(n, ast.Constant) and isinstance(n.value, str))
    calls = [n for n in inside if isinstance(n, ast.Call)]
    functions = _functions(node, names.inside)
    reads = names.reads if functions or isinstance(node, _DEFINITIONS) else names.reads | names.inside
    set_by_text = _set_by_text(inside)
    by_text: set[str] = set()
    if mentioned & _BY_TEXT:
        by_text = set().union(*(_named_in(text) for text in texts if text not in set_by_text)) - reads
    run = [call.args[0] for call in calls if _runs_text(call) and call.args]
    done = [part for code in run if isinstance(code, ast.Constant) for part in statements(str(code.value))]
    more = frozenset[str]().union(*(part.surely for part in done))
    surely = names.binds.union(set_by_text, more)
    if isinstance(node, _COMPOUND):
        surely = frozenset(surely_bound([node]))
    return Statement(
        node.lineno,
        node.end_lineno or node.lineno,
        reads | by_text,
        names.binds.union(set_by_text, *(part.binds for part in done)),
        frozenset(n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Del)),
        surely,
        tuple(dict.fromkeys(_changes(inside, calls))),
        frozenset(call.func.id for call in calls if isinstance(call.func, ast.Name)),
        frozenset(name for call in calls for name in _given(call)),
        bool(mentioned & _RESULTS),
        frozenset(by_text),
        frozenset(code.id for code in run if isinstance(code, ast.Name)),
        any(map(_runs_unknown, calls)),
        functions,
        texts,
        tuple(n.module for n in inside if isinstance(n, ast.ImportFrom) and n.module and n.names[0].name == "*"),
        isinstance(node, ast.Expr),
        isinstance(node, _COMPOUND),
    )


def surely_bound(nodes: Iterable[ast.stmt]) -> set[str]:
    r"""Return the names that statements bind whichever way they go, as long as none raises.

    Examples
    --------
    >>> sorted(surely_bound(ast.parse("a = 1\nif a: b = c = 1\nelse: c = 2\nfor d in a: e = 1").body))
    ['a', 'c']
    """
    return set().union(*map(_surely, nodes))


def _surely(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.If):
        return surely_bound(node.body) & surely_bound(node.orelse)
    if isinstance(node, ast.With | ast.AsyncWith):
        targets = {n.id for i in node.items if i.optional_vars for n in ast.walk(i.optional_vars) if _is_target(n)}
        return targets | surely_bound(node.body)
    if isinstance(node, ast.Try | ast.TryStar):
        ways = [
            surely_bound([*node.body, *node.orelse]),
            *(surely_bound(handler.body) for handler in node.handlers),
        ]
        return set.intersection(*ways) | surely_bound(node.finalbody)
    return set() if isinstance(node, _COMPOUND) else set(statement_names(node).binds)


def _is_target(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _named_in(text: str) -> set[str]:
    """Return the names that a text reads if it is Python, else all that could be names in it."""
    parts = statements(text)
    return set().union(*(part.reads for part in parts)) if parts else words(text)


def _set_by_text(inside: list[ast.AST]) -> set[str]:
    """Return the names that ``globals()["X"] = …`` and its like bind."""
    return {
        node.slice.value
        for node in inside
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
        if _is_namespace(node.value)
    }


def _is_namespace(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in {"globals", "locals", "vars"} and not node.args
    return isinstance(node, ast.Attribute) and node.attr == "user_ns"


def _functions(node: ast.stmt, inside: frozenset[str]) -> dict[str, frozenset[str]]:
    """Return the functions that a statement only defines, with what they read when they are called."""
    if isinstance(node, _DEFINITIONS):
        return {node.name: inside}
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
        return {target.id: inside for target in node.targets if isinstance(target, ast.Name)}
    return {}


def _changes(inside: list[ast.AST], calls: list[ast.Call]) -> Iterator[Change]:
    augmented = {id(n.target) for n in inside if isinstance(n, ast.AugAssign)}
    roots = [
        _root(n) for n in inside if isinstance(n, ast.Attribute | ast.Subscript) and isinstance(n.ctx, ast.Store)
    ]
    loads = [n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
    read = {name for name in roots if loads.count(name) > roots.count(name)}
    for node in inside:
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if root := _root(node):
                written = isinstance(node.ctx, ast.Store) and id(node) not in augmented
                is_place = written and _is_place(node) and root not in read
                yield Change(root, ast.unparse(node) if is_place else "", is_sure=True)
        elif isinstance(node, ast.Name) and id(node) in augmented:
            yield Change(node.id)
    for call in calls:
        if isinstance(call.func, ast.Attribute | ast.Subscript) and (root := _root(call.func)):
            yield Change(root)
        if not (isinstance(call.func, ast.Name) and call.func.id in _LEAVES_ALONE):
            yield from map(Change, _given(call))


def _given(call: ast.Call) -> Iterator[str]:
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        yield from (n.id for n in ast.walk(argument) if isinstance(n, ast.Name))


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_place(node: ast.expr) -> bool:
    """Whether what is assigned is the same place each time: attributes and constant subscripts of a name."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant):
            return False
        node = node.value
    return isinstance(node, ast.Name)


def _name_of(func: ast.expr) -> str:
    return func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""


def _runs_text(call: ast.Call) -> bool:
    name = _name_of(call.func)
    return name in _RUN_TEXT and isinstance(call.func, ast.Name) == (name in {"exec", "eval"})


def _runs_unknown(call: ast.Call) -> bool:
    name = _name_of(call.func)
    if _runs_text(call):
        return not (call.args and isinstance(call.args[0], ast.Constant | ast.Name))
    texts = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return name == "run_line_magic" and texts[:1] == ["run"] and "-i" in " ".join(texts[1:]).split()
