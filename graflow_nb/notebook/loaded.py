"""A notebook's flow in another program, a test above all: its tasks run there, with inputs replaced."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from graflow_nb.core.errors import GraflowError, UnknownTaskError, did_you_mean
from graflow_nb.core.param import Param
from graflow_nb.notebook.display import RunDisplay
from graflow_nb.notebook.document.cell import read_cells
from graflow_nb.notebook.document.slice import steps_of
from graflow_nb.notebook.document.source import DocumentError, read_document
from graflow_nb.notebook.extension import is_loaded, load, session_of
from graflow_nb.notebook.overrides import overridden, replacements
from graflow_nb.notebook.quiet import quiet_shell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from os import PathLike

    from graflow_nb.core.run import Run
    from graflow_nb.core.task import Task
    from graflow_nb.core.workflow import WorkflowContext
    from graflow_nb.notebook.document.cell import Cell
    from graflow_nb.notebook.document.slice import Step

_NAMED = "JPY_SESSION_NAME"
_SHOWN = "_render_traceback_"
"""How a shell shows our errors: another one's, beside which we are."""


class LoadedFlow:
    """A notebook's flow, made by `graflow_nb.load_flow`. ``flow["model"]`` is a task.

    Attributes
    ----------
    path : Path
    workflow : WorkflowContext
    namespace : dict
        The notebook's: its functions and constants, and variables of tasks after a run.
    """

    def __init__(self, path: str | PathLike[str], flow: str | None, cache: str) -> None:
        self.path = Path(path).resolve()
        document = read_document(self.path)
        self._steps = steps_of(read_cells(document.code))
        self._script = document.is_script
        self._shell = quiet_shell()
        self.namespace: dict[str, Any] = self._shell.user_ns
        with self._inside(), _named(self.path):
            load(self._shell)
            self._session = session_of(self._shell)
            for step in self._steps:
                if not step.before:
                    self._run_cell(step.cell)
            self.workflow = self._choose(flow)
            self._session.keep_in(self.workflow, cache)
            services = self.workflow.services
            services.listeners = [each for each in services.listeners if not isinstance(each, RunDisplay)]

    def __getitem__(self, task: str) -> Task:
        return self.workflow[task]

    def __repr__(self) -> str:
        return f"<flow of {self.path.name}: {len(self.workflow.graph)} tasks>"

    @property
    def tasks(self) -> list[str]:
        """The names of the tasks."""
        return list(self.workflow.graph.nodes)

    def run(
        self,
        *targets: str,
        overrides: Mapping[str, Any] | None = None,
        set: Mapping[str, Any] | None = None,  # noqa: A002 - as on the command line
        raise_errors: bool = True,
        **options: Any,
    ) -> Run:
        """Make targets up to date, with inputs replaced.

        Parameters
        ----------
        *targets : str
            By default everything.
        overrides : mapping of str, optional
            What tasks are to give, without being run: nothing before them is run for them. Of a cell that defines
            one variable, the value is that variable; if it defines several, it is a dict of them. A variable's
            name stands for its task, if that defines no other; a name of the notebook's own (a constant,
            a function) is replaced too.
        set : mapping of str, optional
            Values of parameters.
        raise_errors : bool
            Raise the first failed task's error.
        **options
            As `WorkflowContext.run` takes them: `force`, `workers`, …

        Raises
        ------
        TaskError
            If a task failed; its cause is what the task raised.
        UnknownTaskError
            If there is nothing of an overridden name.
        TaskDefinitionError
            If a value cannot stand for a task of several variables.
        """
        with self._inside(), contextlib.ExitStack() as stack:
            mine = {**(overrides or {})}
            values = {**(set or {}), **{n: mine.pop(n) for n in [*mine] if self._is_param(n)}}
            for name in [n for n in mine if self._is_plain(n)]:
                stack.enter_context(self._replaced(name, mine.pop(name)))
            stack.enter_context(overridden(self.workflow.graph, replacements(self.workflow.graph, mine)))
            for step in self._late(targets):
                self.workflow.run(*step.before, set=self._known(values), raise_errors=True)
                self._run_cell(step.cell)
            return self.workflow.run(*targets, set=values, raise_errors=raise_errors, **options)

    def value(self, name: str) -> Any:
        """Return a task's result, a variable of one, or what a plain cell assigned, as it is after the last run.

        Raises
        ------
        UnknownTaskError
            If there is nothing of this name.
        """
        if name in self.workflow.graph:
            return self.workflow[name].result
        run = self.workflow.last_run
        for record in run.records.values() if run is not None else ():
            if record.produced is not None and name in record.produced.variables:
                return record.produced.get(name)
        if name in self.namespace:
            return self.namespace[name]
        raise UnknownTaskError(f"{self.path.name} has nothing named {name!r}. {did_you_mean(name, self._names())}")

    def _names(self) -> list[str]:
        variables = [name for task in self.workflow.graph.nodes.values() for name in task.defines]
        return [*self.tasks, *variables, *(n for n in self.namespace if not n.startswith("_"))]

    def _is_param(self, name: str) -> bool:
        return isinstance(self.workflow.graph.nodes.get(name), Param)

    def _is_plain(self, name: str) -> bool:
        """Whether a name is the notebook's own; raises if it is nobody's."""
        if name in self.workflow.graph or any(name in t.defines for t in self.workflow.graph.nodes.values()):
            return False
        if name not in self.namespace:
            hint = did_you_mean(name, self._names())
            raise UnknownTaskError(f"{self.path.name} has nothing named {name!r} to override. {hint}")
        return True

    @contextlib.contextmanager
    def _replaced(self, name: str, value: Any) -> Iterator[None]:
        before = self.namespace[name]
        self.namespace[name] = value
        try:
            yield
        finally:
            self.namespace[name] = before

    def _known(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if name in self.workflow.params}

    def _late(self, targets: Iterable[str]) -> list[Step]:
        """Return the plain cells that read results, and whose variables the targets need."""
        late = [step for step in self._steps if step.before]
        wanted = [getattr(target, "name", target) for target in targets]
        if not late or not wanted:
            return late
        read = self._all_reads(wanted)
        return [step for step in late if not read.isdisjoint(step.cell.effects.binds)]

    def _all_reads(self, targets: Iterable[str]) -> set[str]:
        plan = self.workflow.plan()
        names = {self.workflow.named(target) for target in targets}
        names |= plan.ancestors(names)
        cells = [step.cell for step in self._steps]
        makers = {n: c for c in cells for n in (*c.tasks, *c.effects.binds)}
        todo, read = [*names], set[str]()
        while todo:
            cell = makers.get(todo.pop())
            more = (cell.effects.reads if cell is not None else set()) - read
            read |= more
            todo += more
        return read

    def _run_cell(self, cell: Cell) -> None:
        lines = cell.runnable.splitlines()
        source = "\n".join("" if line.split()[:2] == ["%flow", "cache"] else line for line in lines)
        if source.strip():
            with contextlib.redirect_stdout(io.StringIO()):
                result = self._shell.run_cell(source, store_history=True)
            error = result.error_before_exec or result.error_in_exec
            if error is not None:
                where = self.path.name if self._script else f"cell {cell.number} of {self.path.name}"
                raise DocumentError(f"{where} failed: {type(error).__name__}: {error}") from error

    def _choose(self, name: str | None) -> WorkflowContext:
        there = {n: flow for n, flow in self._session.flows.items() if flow.graph.nodes}
        if name is None and self._session.flow.name in there:
            return self._session.flow
        if name is None and len(there) == 1:
            return self._session.use(next(iter(there)))
        if name not in there:
            hint = did_you_mean(name, there) if name else f"Say which: {', '.join(there)}"
            raise DocumentError(f"{self.path.name} has {len(there)} flows, and not {name!r}. {hint}")
        return self._session.use(name)

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        """Be in the notebook's folder, with its modules, and give everything back after."""
        meant: Any = InteractiveShell  # by `get_ipython` and `display`
        outer = meant._instance  # noqa: SLF001
        before, main = sys.path[:], sys.modules.get("__main__")
        meant._instance = self._shell  # noqa: SLF001
        shown = vars(GraflowError).get(_SHOWN)
        has_display = hasattr(builtins, "display")
        vars(builtins).setdefault("display", display)
        sys.path.insert(0, str(self.path.parent))
        sys.modules["__main__"] = self._shell.user_module
        if hasattr(self, "_session"):
            self._session.step_in()
        try:
            with contextlib.chdir(self.path.parent):
                yield
        finally:
            sys.path[:] = before
            if not has_display:
                del vars(builtins)["display"]
            if main is not None:
                sys.modules["__main__"] = main
            if hasattr(self, "_session"):
                self._session.step_aside()
            meant._instance = outer  # noqa: SLF001
            if shown is not None:
                setattr(GraflowError, _SHOWN, shown)
            elif _SHOWN in vars(GraflowError):
                delattr(GraflowError, _SHOWN)
            if outer is not None and is_loaded(outer):
                session_of(outer).step_in()


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let the notebook's flow be named as a server would have it."""
    before = os.environ.get(_NAMED)
    os.environ[_NAMED] = str(path.with_suffix(".ipynb"))
    try:
        yield
    finally:
        del os.environ[_NAMED]
        if before is not None:
            os.environ[_NAMED] = before
