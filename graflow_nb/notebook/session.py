"""What one notebook has: its flows, which of them is in use, and its namespace, kept in step with them."""

from __future__ import annotations

import inspect
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.backends.loop import LoopBackend
from graflow_nb.backends.threads import ThreadBackend
from graflow_nb.core import scope
from graflow_nb.core.errors import DuplicateVariableError, GraphError, LostError, did_you_mean
from graflow_nb.core.events import Event, RunFinished, RunStarted
from graflow_nb.core.run import Run
from graflow_nb.core.services import Services, set_services
from graflow_nb.core.subflow import use_in_place
from graflow_nb.core.task import Task
from graflow_nb.core.workflow import WorkflowContext
from graflow_nb.incremental.cache import Cache, open_cache
from graflow_nb.notebook.capture import Capture
from graflow_nb.notebook.cell_log import CellLog
from graflow_nb.notebook.derived import Derived
from graflow_nb.notebook.display import RunDisplay
from graflow_nb.notebook.history import History
from graflow_nb.notebook.ledger import Ledger
from graflow_nb.notebook.live import Live
from graflow_nb.notebook.origins import Source
from graflow_nb.notebook.scope import NotebookScope
from graflow_nb.notebook.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from graflow_nb.core.call import Produced
    from graflow_nb.core.graph import TaskGraph
    from graflow_nb.core.services import Provide

_ABSENT: Any = object()
_MOST_ITEMS = 100
"""A larger container holds data, not tasks."""


class _Published(NamedTuple):
    """A variable that stands in the notebook's namespace for a task."""

    graph: TaskGraph
    task: str
    value: Any
    produced: Produced


class Session:
    """One notebook's flows.

    Parameters
    ----------
    shell : InteractiveShell

    Attributes
    ----------
    flows : dict of str to WorkflowContext
        The newest of each name.
    flow : WorkflowContext
        The one in use.
    ledger : Ledger
        Which cell wrote what.
    going : list of Run
        The runs that go on now.
    derived : Derived
        What plain cells made of tasks' results.
    waiting : Waiting
        Variables that are loaded from disk when a cell names them.
    capture : Capture
    history : History
        The last runs of each task.
    log : CellLog
        The cells that ran.
    live : Live
        The live widgets.
    cells_run : int
        How many cells have run so far in which there was more than magics of ours: any of them may have
        changed what it could reach.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.ledger = Ledger(self._task_removed)
        self.flows: dict[str, WorkflowContext] = {}
        self._namespace: dict[str, Any] = shell.user_ns
        self.capture = Capture(shell)
        self.history = History()
        self.log = CellLog()
        self.live = Live(self)
        self._display = RunDisplay(shell, self.live)
        self.derived = Derived(self._namespace, self._sources, self._results, self._is_any_result)
        self.waiting = Waiting(self._namespace, self._load)
        self.cells_run = 0
        self._made_in: dict[str, tuple[str | None, int]] = {}  # by flow: the cell that made it, and when
        self._scope = NotebookScope(self._namespace, self.derived)
        self._published: dict[str, _Published] = {}
        self._seen: dict[str, Any] = {}
        self._named: dict[str, Task] = {}  # the tasks that the namespace has by their names
        self._finished: list[Run] = []
        self.going: list[Run] = []
        self._services_before = self.step_in()
        self.flow = self._own = WorkflowContext(_notebook_name())

    def step_in(self) -> Provide | None:
        """Be what new workflows are handed, and tasks belong to; return what handed things to them before."""
        scope.set_fallback(lambda: self.flow)
        return set_services(self._services)

    def step_aside(self) -> None:
        """Hand nothing to new workflows any more."""
        scope.set_fallback(None)
        if self._services_before is not None:
            set_services(self._services_before)

    def close(self) -> None:
        """Give everything back: nothing of the notebook is handed to new workflows any more."""
        self.live.close()
        self.load_waiting()
        self.step_aside()
        for flow in self.flows.values():
            flow.graph.journal = None
            if isinstance(flow.services.cache, Cache):
                flow.services.cache.close()
        for run in self.going:
            run.cancel()

    @property
    def is_idle(self) -> bool:
        """Whether no cell and no run goes on."""
        return self.ledger.cell is None and not self.going

    def run_of(self, flow: WorkflowContext) -> Run | None:
        """Return the run of a flow that goes on now."""
        return next((run for run in list(self.going) if run.workflow is flow), None)

    def use(self, name: str) -> WorkflowContext:
        """Make a flow the one that the notebook's cells and ``%flow`` mean.

        Raises
        ------
        GraphError
            If there is none of this name.
        """
        if name not in self.flows:
            raise GraphError(f"there is no flow {name!r}. {did_you_mean(name, self.flows)}")
        self.flow = self.flows[name]
        return self.flow

    def define(
        self, name: str, fn: Callable[..., Any], defines: Sequence[str], settings: Mapping[str, Any]
    ) -> tuple[Task, list[str]]:
        """Make a cell's task, in the flow in use and the notebook's namespace.

        Returns
        -------
        task : Task
        said : list of str
            What the reader should be told.

        Raises
        ------
        DuplicateVariableError
            If it defines what another task defines; nothing is changed then.
        """
        self._check_variables(name, defines)
        present = self._namespace.get(name, _ABSENT)
        said = []
        if present is not _ABSENT and present is not fn and not isinstance(present, Task):
            self._namespace[f"{name}_before"] = present
            said.append(f"{name} is a task now; the variable it replaces is kept as {name}_before")
        with self.flow:
            task = Task(name, fn, defines=defines, **settings)
        self._namespace[name] = self._named[name] = task
        self.derived.taken.difference_update(defines)
        for variable in defines:
            self._seen[variable] = self._namespace.get(variable, _ABSENT)
        return task, said

    def remove(self, name: str) -> None:
        """Take a task away, by hand."""
        task = self.flow.graph.remove(name)
        self.ledger.forget(self.flow.graph, name)
        self._task_removed(self.flow.graph, task)

    def reset(self) -> None:
        """Take everything of the flow in use away."""
        for name in list(self.flow.graph.nodes):
            self.remove(name)

    def keep_in(self, flow: WorkflowContext, where: str) -> None:
        """Keep a flow's results in another place from now on; what is in memory goes there as well."""
        self.load_waiting()
        before, after = flow.services.cache, open_cache(where, lambda: self.cells_run)
        if isinstance(before, Cache):
            if after is not None:
                after.adopt(before)
            before.close()
        flow.cache, flow.services.cache = where, after

    def load_waiting(self) -> None:
        """Load all variables that are on disk still, before it can no longer be told where they are."""
        for line in self.waiting.load_all():
            print(line)

    def publish_pending(self) -> list[str]:
        """Put the variables of runs that finished in the background into the namespace; on the main thread."""
        said = []
        while self._finished:
            said += self._publish(self._finished.pop(0))
        return said

    def _services(self, flow: WorkflowContext) -> Services:
        services = Services(
            ThreadBackend,
            LoopBackend,
            open_cache(flow.cache, lambda: self.cells_run),
            scope=self._scope,
            picture=_picture,
        )
        if scope.running.get() is None:  # else it is a task's own affair, and its outputs are the task's
            services.around = (self.capture,)
            services.listeners = [self.capture, self._listen, self.live, self._display]
            flow.graph.journal = self.ledger
            if (before := self.flows.get(flow.name)) is not None:
                self._take_place(before, flow)
            self.load_waiting()  # another flow's tasks read them in the namespace, unseen
            self.flows[flow.name] = flow
            self._made_in[flow.name] = self.ledger.cell, self.cells_run
        return services

    def _take_place(self, before: WorkflowContext, flow: WorkflowContext) -> None:
        """Let a flow be used in place of the one that had its name."""
        if before is self.flow and before is not self._own:
            self.flow = flow
        cell, count = self._made_in.get(flow.name, (None, 0))
        if cell is not None and cell == self.ledger.cell and count != self.cells_run:  # the cell is run again
            for outer in self.flows.values():
                use_in_place(outer.graph, before, flow)

    def _listen(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.going.append(event.run)
            if threading.current_thread() is threading.main_thread():  # code past us must not find old values
                self.derived.pause(self._line())
                for name in event.run.records:
                    self._withdraw(event.run.workflow.graph, name)
        elif isinstance(event, RunFinished):
            self.going.remove(event.run)
            self.history.add(event.run)
            self._finished.append(event.run)
            if threading.current_thread() is threading.main_thread():
                event.run.notes += self.publish_pending()
                self.derived.resume()

    def _publish(self, run: Run) -> list[str]:
        graph = run.workflow.graph
        is_only = not any(flow.graph.nodes for flow in self.flows.values() if flow.graph is not graph)
        said: list[str] = []
        for name, record in run.records.items():
            if self._named.get(name) is record.task and self._namespace.get(name, record.task) is not record.task:
                said.append(
                    f"{name} was assigned in a plain cell: tasks that read {name} get the result of task {name}"
                )
            if record.produced is not None:
                still = graph.nodes[name].defines if name in graph else ()  # the cells may have changed since
                made = [v for v in record.produced.variables if v in still]
                for variable in made:
                    if not (is_only and self.waiting.add(variable, graph, record.produced)):
                        said += self._load(variable, graph, record.produced)
            elif record.status.is_final:
                self._withdraw(graph, name)
        return said

    def _load(self, variable: str, graph: TaskGraph, produced: Produced) -> list[str]:
        """Publish a variable, from disk if need be; return what should be said."""
        try:
            value = produced.get(variable)
        except LostError as error:
            task = produced.task_name
            again = f"%flow run {task} --from {task}"
            return [f"{variable} (of task {task}) is not there: {error.why}. Make it again: {again}"]
        if self._put(variable, value, graph, produced):
            return []
        return [f"{variable} (of task {produced.task_name}) was assigned in a plain cell since: left as it is"]

    def _put(self, variable: str, value: Any, graph: TaskGraph, produced: Produced) -> bool:
        """Publish a variable, unless a plain cell has assigned one of its name since; return whether it was."""
        present = self._namespace.get(variable, _ABSENT)
        is_left = present is self._seen.get(variable, _ABSENT) or present is value
        if present is not _ABSENT and (variable in self.derived.taken or not is_left):
            return False
        self._namespace[variable] = self._seen[variable] = value
        self._published[variable] = _Published(graph, produced.task_name, value, produced)
        return True

    def _line(self) -> int | None:
        """Return the line of the cell that runs at which it stands now."""
        frame, line = inspect.currentframe(), None
        while frame is not None:
            if frame.f_globals is self._namespace:
                line = frame.f_lineno
            frame = frame.f_back
        return line

    def _sources(self) -> dict[str, Source]:
        """Return the variables of tasks that stand in the namespace, not what a plain cell put there."""
        return {
            name: Source(there.graph, there.task, name, there.produced)
            for name, there in self._published.items()
            if self._namespace.get(name, _ABSENT) is there.value and name not in self.derived.taken
        }

    def _results(self, value: Any, deepest: int = 2) -> Iterable[Source]:
        """Return the results that a value gives access to: a task, a run, a flow, or a container of them."""
        if isinstance(value, Task):
            graphs = [flow.graph for flow in self.flows.values() if flow.graph.nodes.get(value.name) is value]
            produced = value.record.produced if value.record is not None else None
            return [Source(graph, value.name, None, produced) for graph in graphs if produced is not None]
        if isinstance(value, WorkflowContext):
            return [source for task in value.graph.nodes.values() for source in self._results(task)]
        if isinstance(value, Run):
            made = [(name, record.produced) for name, record in value.records.items()]
            return [Source(value.workflow.graph, name, None, there) for name, there in made if there is not None]
        if type(value) in {list, tuple, set, dict} and len(value) <= _MOST_ITEMS and deepest:
            items = value.values() if type(value) is dict else value
            return [source for item in items for source in self._results(item, deepest - 1)]
        return ()

    def _is_any_result(self) -> bool:
        return any(flow.last_run is not None for flow in self.flows.values())

    def _withdraw(self, graph: TaskGraph, task: str) -> None:
        self.waiting.drop(graph, task)
        for variable, published in list(self._published.items()):
            if published.graph is graph and published.task == task:
                del self._published[variable]
                is_left = self._namespace.get(variable, _ABSENT) is published.value
                if is_left and variable not in self.derived.taken:
                    del self._namespace[variable]

    def _task_removed(self, graph: TaskGraph, task: Task) -> None:
        self._withdraw(graph, task.name)
        for name in [name for name, value in list(self._namespace.items()) if value is task]:
            del self._namespace[name]
        for flow in self.flows.values():
            if flow.graph is graph and isinstance(flow.services.cache, Cache):
                flow.services.cache.forget(task.name)

    def _check_variables(self, name: str, defines: Sequence[str]) -> None:
        for other in self.flow.graph.nodes.values():
            if other.name == name or self.ledger.is_leaving(self.flow.graph, other.name):
                continue
            if both := [variable for variable in defines if variable in other.defines]:
                raise DuplicateVariableError(
                    f"{both[0]!r} is defined by two tasks, {other.name!r} and {name!r}. "
                    f"Rename it in one of them, or make it that cell's own: _{both[0]}"
                )
            for task, variables, owner in ((other.name, defines, name), (name, other.defines, other.name)):
                if task in variables:
                    raise DuplicateVariableError(
                        f"{task!r} is a task, and a variable of task {owner!r}. Rename one of the two."
                    )


def _notebook_name() -> str:
    """Return the notebook's file name without its ending, if the server tells, else "notebook"."""
    path = os.environ.get("JPY_SESSION_NAME", "")
    return Path(path).stem if path.endswith(".ipynb") else "notebook"


def _picture(*args: Any, **options: Any) -> Any:
    from graflow_nb.views.export import picture

    return picture(*args, **options)
