"""What a statement of a plain cell reads in a notebook: its own names, and those of the functions it uses."""

from __future__ import annotations

import dis
from functools import lru_cache
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from graflow_nb.core.task import Task
from graflow_nb.notebook.helpers import global_reads
from graflow_nb.notebook.statements import Change, Statement, statements

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from graflow_nb.notebook.origins import Source


class Reader:
    """Answers for the statements of a notebook's cells.

    Parameters
    ----------
    namespace : dict
        The notebook's.
    results : callable
        Gives the results that a value gives access to: a task, a run, a flow, or a container of them.
    """

    def __init__(self, namespace: dict[str, Any], results: Callable[[Any], Iterable[Source]]) -> None:
        self._namespace = namespace
        self._results = results

    def parts(self, source: str, transform: Callable[[str], str]) -> Sequence[Statement]:
        """Return a cell's statements, with what is known of the code in variables that they run."""
        parts = statements(source, transform)
        return [self._with_code(part) for part in parts] if any(part.runs for part in parts) else parts

    def _with_code(self, part: Statement) -> Statement:
        for name in part.runs:
            code = self._namespace.get(name)
            if not isinstance(code, str):
                return part._replace(reads_all=True)
            for done in statements(code):
                part = part._replace(reads=part.reads | done.reads, binds=part.binds | done.binds)
        return part

    def inside(self, part: Statement, functions: Mapping[str, Collection[str]], data: Collection[str]) -> set[str]:
        """Return what the functions read that a statement uses.

        Parameters
        ----------
        part : Statement
        functions : mapping of str to collection of str
            What the functions read that the cell itself defines.
        data : collection of str
            Names that stand for data: there are no functions in it.
        """
        inside: set[str] = set()
        todo = list(part.reads)
        while todo:
            more = set(functions.get(todo.pop(), ())) - inside
            inside |= more
            todo += more
        values: list[Any] = []
        for name in (*part.reads, *inside):
            value = self._namespace.get(name)
            if isinstance(value, Task):
                values += [value.fn] if name in part.called else []
            elif name not in data:
                values.append(value)
        return inside | global_reads(values, self._namespace)

    def assigned_inside(self, part: Statement, reads: Iterable[str]) -> set[str]:
        """Return the globals that functions assign which a statement calls."""
        there = [self._namespace.get(name) for name in reads] if part.called else []
        functions = [f for f in there if isinstance(f, FunctionType) and f.__globals__ is self._namespace]
        return set().union(*(_global_stores(function.__code__) for function in functions))

    def changes(self, part: Statement, inside: Collection[str]) -> list[Change]:
        """Return what a statement may change in place, or functions that it uses."""
        known = {change.name for change in part.changes}
        return [*part.changes, *(Change(name) for name in inside if name not in known)]

    def results(self, part: Statement, reads: Collection[str]) -> list[Source]:
        """Return the results that a statement takes from tasks themselves, from runs and from flows."""
        there = self._namespace
        names = {name for name in reads if name not in part.reads and isinstance(there.get(name), Task)}
        if part.uses_results:
            names |= set(reads)
        elif any(not _is_ours(there.get(called)) for called in part.called):
            names |= part.given
        found = [source for name in names if name in there for source in self._results(there[name])]
        return [source for source in found if source.task in part.texts] or found


@lru_cache(maxsize=1000)
def _global_stores(code: CodeType) -> frozenset[str]:
    stores = {step.argval for step in dis.get_instructions(code) if step.opname == "STORE_GLOBAL"}
    inner = [_global_stores(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return frozenset(stores).union(*inner)


def _is_ours(value: Any) -> bool:
    return str(getattr(value, "__module__", "")).startswith("graflow_nb")
