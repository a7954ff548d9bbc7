"""Variables that are on disk still, or elsewhere: a plain cell that names one has it loaded before it runs."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from graflow_nb.core.task import Task
from graflow_nb.notebook.cells import CellBody
from graflow_nb.notebook.reading import Reader
from graflow_nb.notebook.statements import OURS, RUN_CODE, magic_of, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from graflow_nb.core.call import Produced
    from graflow_nb.core.graph import TaskGraph
    from graflow_nb.notebook.statements import Statement

_ANYTHING = frozenset(
    {"globals", "locals", "vars", "dir", "exec", "eval", "get_ipython", "user_ns", "__main__", "__dict__"}
)
"""A statement that mentions one of these may read any variable."""
_HARMLESS = frozenset({"matplotlib", "load_ext", "config", "autoreload", "cd", "pwd", "pip", "conda", "env", "ls"})
"""Magics that read no variable, or only those whose names stand in their texts."""
_NAMED = re.compile(r"get_ipython\(\)\.(system|getoutput)\(")
"""A shell command reads the variables that its text names."""


class Waiting:
    """The variables that are published, and loaded when they are named.

    What a cell has named once is loaded as soon as a run has ended from then on: it may be read between
    cells too, by a widget's callback or a thread.

    Parameters
    ----------
    namespace : dict
        The notebook's.
    load : callable
        Puts a variable into it, and returns what should be said.
    """

    def __init__(
        self, namespace: dict[str, Any], load: Callable[[str, TaskGraph, Produced], Iterable[str]]
    ) -> None:
        self._namespace = namespace
        self._load = load
        self._reader = Reader(namespace, lambda _: ())
        self._there: dict[str, tuple[TaskGraph, Produced]] = {}
        self._named: set[str] = set()
        self._cells: list[bool] = []  # of each cell that runs, the outermost first: whether it may read anything

    def __iter__(self) -> Iterator[str]:
        return iter(self._there)

    def add(self, variable: str, graph: TaskGraph, produced: Produced) -> bool:
        """Let a variable wait if it can; return whether it does."""
        is_wanted = variable in self._named or any(self._cells)
        if is_wanted or produced.has_at_hand(variable) or variable in self._namespace:
            return False
        self._there[variable] = graph, produced
        return True

    def drop(self, graph: TaskGraph, task: str) -> None:
        """Withdraw the variables of a task."""
        for variable, (there, produced) in list(self._there.items()):
            if there is graph and produced.task_name == task:
                del self._there[variable]

    def load_all(self) -> list[str]:
        """Load everything; return what should be said."""
        return self._load_those(list(self._there))

    def begin(self, source: str, transform: Callable[[str], str]) -> list[str]:
        """Load what a cell reads that is about to run; return what should be said."""
        is_any = _reads_anything(source, transform)
        self._cells.append(is_any)
        if is_any:
            return self.load_all()
        parts = self._reader.parts(source, transform)
        said: list[str] = []
        while True:  # a function that is loaded may read what is not yet
            names = self._names(parts)
            self._named |= names
            if not (those := [name for name in self._there if name in names]):
                return said
            said += self._load_those(those)

    def end(self) -> None:
        """Say that the cell has ended."""
        if self._cells:
            self._cells.pop()

    def _names(self, parts: Iterable[Statement]) -> set[str]:
        found: set[str] = set()
        functions: dict[str, frozenset[str]] = {}
        for part in parts:
            functions |= part.functions
            found |= part.reads | part.binds | part.deletes | self._reader.inside(part, functions, ())
            for name in part.called:
                task = self._namespace.get(name)
                if isinstance(task, Task) and isinstance(task.fn, CellBody):
                    found |= task.fn.names.reads
        return found

    def _load_those(self, variables: Iterable[str]) -> list[str]:
        taken = [(variable, *self._there.pop(variable)) for variable in variables]
        return [line for variable, graph, produced in taken for line in self._load(variable, graph, produced)]


def _reads_anything(source: str, transform: Callable[[str], str]) -> bool:
    r"""Whether it cannot be told from a cell's source which variables it reads.

    >>> [_reads_anything(source, str) for source in ("x + 1", "globals()['x']", "get_ipython().system('ls')")]
    [False, True, False]
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):  # it will not run
        return False
    return any(_may_read_anything(node, transform) for node in body)


def _may_read_anything(node: ast.stmt, transform: Callable[[str], str]) -> bool:
    magic, text, _ = magic_of(node)
    if magic in OURS or magic in _HARMLESS:
        return False
    if magic in RUN_CODE:
        return _reads_anything(transform(text), transform)
    return not _ANYTHING.isdisjoint(words(_NAMED.sub("", ast.unparse(node))))
