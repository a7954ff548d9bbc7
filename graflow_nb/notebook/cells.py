"""A cell's source becomes a task's body: compiled once, run in a namespace of its own."""

from __future__ import annotations

import ast
import builtins
import functools
import keyword
import sys
from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import TaskDefinitionError
from graflow_nb.core.task import Defined, Task
from graflow_nb.incremental.code.bytecode import CodeInfo, code_info, joined
from graflow_nb.incremental.code.reads import Reads, cell_reads
from graflow_nb.notebook.names import CellNames, cell_names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from types import CodeType

    from IPython.core.interactiveshell import InteractiveShell

_RUNS_CODE = frozenset({"time", "timeit", "prun", "run", "capture", "pypy", "python", "python3", "debug", "macro"})
"""Magics that run Python in the notebook's namespace, past the task's."""


def check_name(name: str) -> None:
    """Raise if a cell's task cannot have this name.

    Raises
    ------
    TaskDefinitionError
        If it is no identifier, a keyword, or the name of a builtin.
    """
    if not name.isidentifier():
        raise TaskDefinitionError(
            f"{name!r} cannot name a task: the notebook gets a variable of that name, "
            f"so it needs letters, digits and _ only, for example {_as_identifier(name)!r}"
        )
    if keyword.iskeyword(name):
        raise TaskDefinitionError(f"{name!r} is a word of Python's own: name the task {name + '_'!r}, say")
    if hasattr(builtins, name):
        raise TaskDefinitionError(
            f"{name!r} is a builtin of Python, and a task of that name would hide it in the whole notebook: "
            f"name the task {name + '_'!r}, say"
        )


class CellBody:
    """The code of a ``%%task`` cell.

    Parameters
    ----------
    name : str
        The task's.
    source : str
        The body as it was written.
    names : CellNames
    codes : sequence of code
        The statements, and the last expression if there is one.
    namespace : dict
        The notebook's.
    show : callable
        Shows the value of the last expression, as the end of a cell does.
    """

    def __init__(
        self,
        name: str,
        source: str,
        names: CellNames,
        codes: tuple[CodeType, CodeType | None],
        namespace: dict[str, Any],
        show: Callable[[Any], None] | None,
    ) -> None:
        self.__name__ = name
        self.source = source
        self.names = names
        self.body, self.last = codes
        self.namespace = namespace
        self.show = show
        self.variables = tuple(n for n in names.assigns if n != name)

    def __repr__(self) -> str:
        return f"<cell {self.__name__!r}>"

    def __reduce__(self) -> Any:
        return self.travelling(())

    def travelling(self, given: Collection[str]) -> Any:
        """Return what pickle makes it from: of the notebook's names only those that it reads and is not given."""
        read = [name for name in self.names.reads if name in self.namespace and name not in given]
        world = {name: _plain(self.namespace[name]) for name in read}
        return type(self), (self.__name__, self.source, self.names, (self.body, self.last), world, self.show)

    def __call__(self, /, **values: Any) -> Any:
        """Run the cell; names that it reads are the notebook's, or as given."""
        world = self.world(values)
        exec(self.body, world)  # noqa: S102 - the user's own cell
        return self._result(world, eval(self.last, world) if self.last else None)  # noqa: S307

    def world(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a namespace for one run: what the cell reads, and nothing else that could go unnoticed."""
        world = {"__builtins__": builtins, "__name__": "__main__", "get_ipython": _get_ipython}
        for name in self.names.reads:
            if name in values:
                world[name] = values[name]
            elif name in self.namespace:
                value = self.namespace[name]
                world[name] = value.result if isinstance(value, Task) else value
                if type(world[name]).__name__.endswith("ExitAutocall"):
                    world[name] = sys.exit  # the shell's own would end the whole kernel
        return world

    def _result(self, world: dict[str, Any], value: Any) -> Defined:
        if self.show is not None and value is not None:
            self.show(value)
        own = self.__name__
        variables = {name: world[name] for name in self.variables if name in world}
        return Defined(world[own] if own in self.names.assigns and own in world else value, variables)

    def __graflow_reads__(self, left_out: Collection[str], texts: Iterable[str] = ()) -> Reads:
        """Return what the cell's result depends on beside its inputs.

        A task that the cell reads is left out here, where its name stands for the result; not in helper
        functions, where it stands for the task.
        """
        reads = self._info._replace(names=tuple(sorted(self.names.reads.difference(left_out))))
        mine = [name for name in left_out if not isinstance(self.namespace.get(name), Task)]
        return cell_reads(self, reads, mine, texts)

    @functools.cached_property
    def _info(self) -> CodeInfo:
        return joined([code_info(code) for code in (self.body, self.last) if code is not None])


class GivenCell(functools.partial[Any]):
    """A cell with values for names that it reads."""

    def __reduce__(self) -> Any:
        body: Any = self.func
        kind, parts = body.travelling(self.keywords)
        return _given, (kind, parts, self.keywords)


def _given(kind: type[CellBody], parts: Any, values: dict[str, Any]) -> GivenCell:
    return GivenCell(kind(*parts), **values)


def _plain(value: Any) -> Any:
    """Return what a cell finds under a name: a task's result, if it has one."""
    return value.result if isinstance(value, Task) and value.record is not None else value


class AsyncCellBody(CellBody):
    """A cell with ``await`` at its top level."""

    async def __call__(self, /, **values: Any) -> Any:
        world = self.world(values)
        if (waiting := eval(self.body, world)) is not None:  # noqa: S307
            await waiting
        value: Any = eval(self.last, world) if self.last else None  # noqa: S307
        if self.last is not None and self.last.co_flags & _COROUTINE:
            value = await value
        return self._result(world, value)


_COROUTINE = 0x80  # inspect.CO_COROUTINE


def compile_cell(shell: InteractiveShell, name: str, cell: str, raw: str, show: Callable[[Any], None]) -> CellBody:
    """Compile a cell's body so that tracebacks and debuggers know its lines.

    Parameters
    ----------
    shell : InteractiveShell
    name : str
        The task's.
    cell : str
        The body, without the magic's line.
    raw : str
        The whole cell as it was sent.
    show : callable
        Shows the last expression's value.

    Raises
    ------
    SyntaxError
        If it is no Python.
    TaskDefinitionError
        If it reads a global and assigns it, or runs code past the task by a magic.
    """
    source, filename = _prepared(shell, cell, raw)
    names = cell_names(source, filename)
    _check(name, names)
    tree = ast.parse(source, filename)
    _refuse_magics(name, tree)
    tree = _transformed(shell, tree)
    last = None
    if tree.body and isinstance(end := tree.body[-1], ast.Expr):
        last = ast.Expression(end.value)
        tree.body.pop()
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | shell.compile.flags
    body = compile(tree, filename, "exec", flags=flags, dont_inherit=True)
    value = compile(last, filename, "eval", flags=flags, dont_inherit=True) if last else None
    is_async = any(code is not None and code.co_flags & _COROUTINE for code in (body, value))
    kind = AsyncCellBody if is_async else CellBody
    silent = cell.rstrip().endswith(";")
    return kind(name, cell, names, (body, value), shell.user_ns, None if silent else show)


def function_of(shell: InteractiveShell, cell: str, raw: str) -> tuple[str, Callable[..., Any]]:
    """Run a cell that ends in a function definition in the notebook, and return that function and its name.

    What the notebook has under that name stays there.

    Raises
    ------
    SyntaxError
        If it is no Python.
    TaskDefinitionError
        If it does not end in a function definition, or its name cannot be a task's.
    """
    source, filename = _prepared(shell, cell, raw)
    tree = ast.parse(source, filename)
    end = tree.body[-1] if tree.body else None
    if not isinstance(end, ast.FunctionDef | ast.AsyncFunctionDef):
        raise TaskDefinitionError(
            "%%task without a name takes a cell that ends in a function definition; "
            "for a cell of statements, name the task: %%task NAME"
        )
    check_name(end.name)
    tree = _transformed(shell, tree)
    code = compile(tree, filename, "exec", flags=shell.compile.flags, dont_inherit=True)
    present = {name: value for name, value in shell.user_ns.items() if name == end.name}
    exec(code, shell.user_ns)  # noqa: S102 - the user's own cell
    function = shell.user_ns.pop(end.name)
    shell.user_ns.update(present)
    if isinstance(function, Task):
        raise TaskDefinitionError(f"{end.name!r} is a task by its decorator already: leave out %%task, or @task")
    if not callable(function):
        raise TaskDefinitionError(
            f"{end.name!r} is no function any more: its decorator made it {type(function).__name__!r}"
        )
    return end.name, function


def _transformed(shell: InteractiveShell, tree: ast.Module) -> ast.Module:
    """Do with a cell what other extensions want done with every cell."""
    for transformer in shell.ast_transformers:
        tree = transformer.visit(tree)
    return ast.fix_missing_locations(tree)


def imports_of(cell: str) -> str:
    """Return the import statements at the top level of a cell, as source."""
    tree = ast.parse(cell)
    return "\n".join(ast.unparse(n) for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom))


def _prepared(shell: InteractiveShell, cell: str, raw: str) -> tuple[str, str]:
    """Return Python source whose lines are numbered as in the whole cell, and the name of its file."""
    if not raw.rstrip("\n").endswith(cell.rstrip("\n")):
        raw = cell
    above = raw.rstrip("\n").removesuffix(cell.rstrip("\n")).count("\n")
    blank = cell[: len(cell) - len(cell.lstrip())].count("\n")  # the shell leaves these lines out
    source = "\n" * (above + blank) + shell.transform_cell(cell)
    running = shell.displayhook.exec_result  # the shell's own count is one further by now
    number = running.execution_count if running is not None else shell.execution_count
    return source, shell.compile.cache(source, number, raw_code=raw)


def _check(name: str, names: CellNames) -> None:
    if name in names.reads and name not in names.assigns:
        raise TaskDefinitionError(
            f"task {name!r} reads {name!r}, and in the notebook that name will be the task itself. "
            f"Give one of the two another name."
        )
    for variable in names.rebinds:
        if not hasattr(builtins, variable):
            raise TaskDefinitionError(
                f"task {name!r} reads {variable!r} from the notebook and assigns it too, so running it twice "
                f"would give something else. Give the new value a name of its own: "
                f"{variable}_new = … {variable} …"
            )


def _refuse_magics(name: str, tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            magic = node.args[0]
            called = node.func.attr in {"run_line_magic", "run_cell_magic"}
            if called and isinstance(magic, ast.Constant) and magic.value in _RUNS_CODE:
                raise TaskDefinitionError(
                    f"task {name!r} uses %{magic.value}, which runs code in the notebook's namespace, past the "
                    f"task's own. Leave it out (the time of each task is shown anyway)."
                )


def _get_ipython() -> Any:
    from IPython.core.getipython import get_ipython

    return get_ipython()


def _as_identifier(name: str) -> str:
    plain = "".join(c if c.isalnum() else "_" for c in name).strip("_") or "task"
    return f"t_{plain}" if plain[0].isdigit() else plain
