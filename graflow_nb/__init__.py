"""Cells become tasks, tasks become a DAG, and only what is out of date runs: workflows in plain Jupyter.

Examples
--------
>>> from graflow_nb import task, workflow
>>> with workflow("squares") as flow:
...     @task
...     def numbers():
...         return [1, 2, 3]
...     @task
...     def squares(numbers):
...         return [n * n for n in numbers]
>>> flow.run().results["squares"]
[1, 4, 9]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.backends import at_first  # noqa: F401 - it notes what the environment is now
from graflow_nb.backends.loop import LoopBackend
from graflow_nb.backends.threads import ThreadBackend
from graflow_nb.core.away import set_describe
from graflow_nb.core.compose import Chain, ParallelGroup, chain, parallel
from graflow_nb.core.context import TaskContext, context
from graflow_nb.core.decorators import task
from graflow_nb.core.errors import (
    BackendError,
    ConditionError,
    CycleError,
    CycleLimitError,
    DuplicateTaskError,
    DuplicateVariableError,
    EmptyWorkflowError,
    GraflowError,
    GroupError,
    LostError,
    MissingArgumentError,
    NoContextError,
    NoResultError,
    NoWorkflowError,
    StaleInputError,
    TaskCancelled,
    TaskDefinitionError,
    TaskError,
    TaskTimeout,
    UnknownBackendError,
    UnknownTaskError,
    UnsendableError,
    WorkerLostError,
    WorkflowCancelled,
)
from graflow_nb.core.execution_context import ExecutionContext
from graflow_nb.core.graph import TaskGraph
from graflow_nb.core.known_backends import QueueBackend, register_backend
from graflow_nb.core.policy import Failure, at_least, best_effort, critical, first_success, strict
from graflow_nb.core.retry import RetryPolicy
from graflow_nb.core.run import Run
from graflow_nb.core.scope import current_workflow
from graflow_nb.core.services import Services, set_services
from graflow_nb.core.status import Status
from graflow_nb.core.task import Defined, Task, TaskWrapper
from graflow_nb.core.workflow import WorkflowContext, workflow
from graflow_nb.incremental.cache import open_cache
from graflow_nb.incremental.files import File
from graflow_nb.incremental.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from IPython.core.interactiveshell import InteractiveShell

    from graflow_nb.core.backend import Backend
    from graflow_nb.notebook.loaded import LoadedFlow

__all__ = [
    "BackendError",
    "Chain",
    "ConditionError",
    "CycleError",
    "CycleLimitError",
    "Defined",
    "DuplicateTaskError",
    "DuplicateVariableError",
    "EmptyWorkflowError",
    "ExecutionContext",
    "Failure",
    "File",
    "GraflowError",
    "GroupError",
    "LostError",
    "MissingArgumentError",
    "NoContextError",
    "NoResultError",
    "NoWorkflowError",
    "ParallelGroup",
    "QueueBackend",
    "RetryPolicy",
    "Run",
    "StaleInputError",
    "Status",
    "Task",
    "TaskCancelled",
    "TaskContext",
    "TaskDefinitionError",
    "TaskError",
    "TaskGraph",
    "TaskTimeout",
    "TaskWrapper",
    "UnknownBackendError",
    "UnknownTaskError",
    "UnsendableError",
    "WorkerLostError",
    "WorkflowCancelled",
    "WorkflowContext",
    "at_least",
    "best_effort",
    "chain",
    "context",
    "critical",
    "current_workflow",
    "fingerprint",
    "first_success",
    "load_flow",
    "load_ipython_extension",
    "parallel",
    "register_backend",
    "strict",
    "task",
    "unload_ipython_extension",
    "workflow",
]


def load_flow(path: str | PathLike[str], *, flow: str | None = None, cache: str = "memory") -> LoadedFlow:
    """Load the flow of a notebook or script, to run its tasks from another program, in unit tests above all.

    The cells that the flow needs are run, and no task is. Cells find files and modules as in the notebook,
    from its folder; what they show is kept from the terminal.

    Parameters
    ----------
    path : str or path
    flow : str, optional
        Which of its flows, if there are several.
    cache : str
        Where results are kept, whatever the notebook says: ``"memory"``, ``"disk"``, ``"off"`` or a folder.

    Returns
    -------
    LoadedFlow
        ``flow.run("model", overrides={"load": small_table})`` runs a task with inputs replaced, and
        ``flow["model"].result`` is its result.

    Raises
    ------
    GraflowError
        If it cannot be read, has no flow, or a cell fails.
    """
    from graflow_nb.notebook.loaded import LoadedFlow

    return LoadedFlow(path, flow, cache)


def default_services(flow: WorkflowContext) -> Services:
    """Return what a workflow is handed outside a notebook: threads, and results kept in memory or on disk."""
    return Services(workers=ThreadBackend, loop=LoopBackend, cache=open_cache(flow.cache), picture=_show_picture)


def _show_picture(flow: WorkflowContext, form: str, **options: Any) -> Any:
    """Show a workflow in a form of `graflow_nb.views.export`, which is loaded when it is first asked for."""
    from graflow_nb.views.export import picture

    return picture(flow, form, **options)


def _processes(workers: int | None) -> Backend:
    """Make the backend of processes, which is loaded when it is first asked for."""
    from graflow_nb.backends.processes import ProcessBackend

    return ProcessBackend(workers)


def _redis(workers: int | None, where: str | None = None) -> Backend:
    """Make the backend of workers behind a Redis, which is loaded when it is first asked for."""
    from graflow_nb.backends.redis.backend import RedisBackend

    return RedisBackend(workers, where)


def _dask(workers: int | None, where: Any = None) -> Backend:
    """Make the backend of a Dask cluster, which is loaded when it is first asked for."""
    from graflow_nb.backends.dask.backend import DaskBackend

    return DaskBackend(workers, where)


def _described(value: Any) -> Sequence[str]:
    """Tell a value in a few words, as `graflow_nb.views.preview` does."""
    from graflow_nb.views.preview import preview

    return preview(value)


set_services(default_services)
set_describe(_described)
register_backend("processes", _processes)
register_backend("redis", _redis, schemes=("redis", "rediss", "unix"))
register_backend("dask", _dask, schemes=("tcp", "tls", "ucx", "ws", "wss"), package="distributed")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Do what ``%load_ext graflow_nb`` does."""
    from graflow_nb.notebook.extension import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Do what ``%unload_ext graflow_nb`` does: everything is as it was before."""
    from graflow_nb.notebook.extension import unload

    unload(shell)
