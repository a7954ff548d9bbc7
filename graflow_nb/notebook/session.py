"""What one notebook has: its flows, which of them is in use, and its namespace, kept in step with them."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.backends.loop import LoopBackend
from graflow_nb.backends.threads import ThreadBackend
from graflow_nb.core import scope
from graflow_nb.core.errors import DuplicateVariableError, GraphError, did_you_mean
from graflow_nb.core.events import Event, RunFinished, RunStarted
from graflow_nb.core.services import Services, set_services
from graflow_nb.core.task import Task
from graflow_nb.core.workflow import WorkflowContext
from graflow_nb.incremental.cache import Cache
from graflow_nb.notebook.capture import Capture
from graflow_nb.notebook.display import RunDisplay
from graflow_nb.notebook.ledger import Ledger
from graflow_nb.notebook.scope import NotebookScope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from graflow_nb.core.graph import TaskGraph
    from graflow_nb.core.run import Run

_ABSENT: Any = object()


class _Published(NamedTuple):
    """A variable that stands in the notebook's namespace for a task."""

    graph: TaskGraph
    task: str
    value: Any


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
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.ledger = Ledger(self._task_removed)
        self.flows: dict[str, WorkflowContext] = {}
        self._namespace: dict[str, Any] = shell.user_ns
        self._capture = Capture(shell)
        self._display = RunDisplay(shell)
        self._scope = NotebookScope(self._namespace)
        self._published: dict[str, _Published] = {}
        self._seen: dict[str, Any] = {}
        self._finished: list[Run] = []
        self.going: list[Run] = []
        self._services_before = set_services(self._services)
        scope.set_fallback(lambda: self.flow)
        self.flow = self._own = WorkflowContext(_notebook_name())

    def close(self) -> None:
        """Give everything back: nothing of the notebook is handed to new workflows any more."""
        scope.set_fallback(None)
        if self._services_before is not None:
            set_services(self._services_before)
        for flow in self.flows.values():
            flow.graph.journal = None
        for run in self.going:
            run.cancel()

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
        self._namespace[name] = task
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

    def publish_pending(self) -> list[str]:
        """Put the variables of runs that finished in the background into the namespace; on the main thread."""
        said = []
        while self._finished:
            said += self._publish(self._finished.pop(0))
        return said

    def _services(self, flow: WorkflowContext) -> Services:
        services = Services(ThreadBackend, LoopBackend, Cache(), scope=self._scope)
        if scope.running.get() is None:  # else it is a task's own affair, and its outputs are the task's
            services.around = (self._capture,)
            services.listeners = [self._capture, self._listen, self._display]
            flow.graph.journal = self.ledger
            before = self.flows.get(flow.name)
            if before is not None and before is self.flow and before is not self._own:
                self.flow = flow
            self.flows[flow.name] = flow
        return services

    def _listen(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self.going.append(event.run)
            if threading.current_thread() is threading.main_thread():  # code past us must not find old values
                for name in event.run.records:
                    self._withdraw(event.run.workflow.graph, name)
        elif isinstance(event, RunFinished):
            self.going.remove(event.run)
            self._finished.append(event.run)
            if threading.current_thread() is threading.main_thread():
                event.run.notes += self.publish_pending()

    def _publish(self, run: Run) -> list[str]:
        graph = run.workflow.graph
        said = []
        for name, record in run.records.items():
            if record.produced is not None:
                still = graph.nodes[name].defines if name in graph else ()  # the cells may have changed since
                made = {v: x for v, x in record.produced.variables.items() if v in still}
                kept = [v for v, x in made.items() if not self._put(v, x, graph, name)]
                said += [f"{v} (of task {name}) was assigned in a plain cell since: left as it is" for v in kept]
            elif record.status.is_final:
                self._withdraw(graph, name)
        return said

    def _put(self, variable: str, value: Any, graph: TaskGraph, task: str) -> bool:
        """Publish a variable, unless a plain cell has assigned one of its name since; return whether it was."""
        present = self._namespace.get(variable, _ABSENT)
        if present is not _ABSENT and present is not self._seen.get(variable, _ABSENT) and present is not value:
            return False
        self._namespace[variable] = self._seen[variable] = value
        self._published[variable] = _Published(graph, task, value)
        return True

    def _withdraw(self, graph: TaskGraph, task: str) -> None:
        for variable, published in list(self._published.items()):
            if published.graph is graph and published.task == task:
                del self._published[variable]
                if self._namespace.get(variable, _ABSENT) is published.value:
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
