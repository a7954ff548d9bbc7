"""All errors of the project, in one tree.

::

    GraflowError
    ├── BackendError
    ├── ConditionError
    ├── CycleLimitError
    ├── GraphError
    │   ├── CycleError
    │   ├── DuplicateTaskError
    │   ├── DuplicateVariableError
    │   ├── EmptyWorkflowError
    │   ├── NoWorkflowError
    │   └── UnknownTaskError
    ├── GroupError
    ├── MissingArgumentError
    ├── NoContextError
    ├── NoResultError
    │   └── LostError
    ├── StaleInputError
    ├── TaskDefinitionError
    ├── TaskError
    ├── TaskTimeout (a TimeoutError too)
    ├── UnknownBackendError
    ├── UnsendableError
    ├── WorkerLostError
    └── WorkflowCancelled
    TaskCancelled (a BaseException: code that catches Exception must not swallow it)
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class GraflowError(Exception):
    """The root of every error that graflow_nb raises."""


class GraphError(GraflowError):
    """The graph cannot be what was written."""


class CycleError(GraphError):
    """An edge would close a cycle."""


class DuplicateTaskError(GraphError):
    """Two different tasks of one workflow have the same name."""


class DuplicateVariableError(GraphError):
    """Two tasks of one workflow define the same variable."""


class EmptyWorkflowError(GraphError):
    """There is no task to run."""


class NoWorkflowError(GraphError):
    """Tasks were composed where no workflow is open."""


class UnknownTaskError(GraphError):
    """There is no task of this name."""


class MissingArgumentError(GraflowError):
    """A parameter of a task has nothing to fill it."""


class NoContextError(GraflowError):
    """`context` was used where no task is running."""


class NoResultError(GraflowError):
    """A task has no result yet."""


class LostError(NoResultError):
    """A result that was kept can no longer be had: its task has to run again.

    Attributes
    ----------
    task_name : str
    why : str
    """

    def __init__(self, task_name: str, why: str) -> None:
        super().__init__(f"the result of task {task_name!r} is not there any more ({why}). Force it to run again.")
        self.task_name = task_name
        self.why = why


class StaleInputError(GraflowError):
    """A task reads what plain code made from a result of a task that is not as it was then."""


class TaskDefinitionError(GraflowError):
    """What was written cannot be a task."""


class TaskError(GraflowError):
    """A task failed. What it raised is the `__cause__`.

    Attributes
    ----------
    task_name : str
        The task that failed.
    """

    def __init__(self, task_name: str, error: BaseException) -> None:
        super().__init__(f"task {task_name!r} failed: {describe(error)}")
        self.task_name = task_name
        self.__cause__ = error


class TaskTimeout(GraflowError, TimeoutError):  # noqa: N818 - like Python's own TimeoutError in all but name
    """A call of a task took longer than its `timeout`."""


class UnknownBackendError(GraflowError):
    """There is no backend of this name, or what it needs is not installed."""


class BackendError(GraflowError):
    """A backend cannot be reached, is gone, or does not fit. No task is tried again for it."""


class UnsendableError(GraflowError):
    """Something cannot be sent to another process, or back from there. The message names the way to it."""


class WorkerLostError(GraflowError):
    """The process in which a task ran has ended before the task did."""


class ConditionError(GraflowError):
    """The condition of a task (`when`) raised, or gave something that is neither true nor false."""


class CycleLimitError(GraflowError):
    """A task asked for another iteration, or was jumped back to, more often than its `max_cycles`."""


class GroupError(GraflowError):
    """A group, a map or a nested workflow failed, because its members did. The `__cause__` is the first error."""


class WorkflowCancelled(GraflowError):  # noqa: N818 - Graflow's name for it
    """A task cancelled the workflow (`TaskContext.cancel_workflow`)."""


class TaskCancelled(BaseException):
    """Raised inside a running task whose run was cancelled."""


def describe(error: BaseException) -> str:
    """Return an error as one line, even if its own text cannot be had.

    Examples
    --------
    >>> describe(ValueError("no rows"))
    'ValueError: no rows'
    >>> describe(SystemExit(3))
    'SystemExit: 3'
    """
    kind = type(error).__name__
    try:
        text = str(error).strip().split("\n", 1)[0]
    except Exception:
        text = "(its message cannot be shown)"
    return f"{kind}: {text}" if text else kind


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint naming the nearest of the known names, or what there is.

    Examples
    --------
    >>> did_you_mean("laod", ["load", "clean"])
    "Did you mean 'load'?"
    >>> did_you_mean("x", ["load", "clean"])
    "There are: 'load', 'clean'."
    """
    names = list(known)
    if near := get_close_matches(name, names, n=1, cutoff=0.6):
        return f"Did you mean {near[0]!r}?"
    if not names:
        return "There are none yet."
    shown = ", ".join(map(repr, names[:10]))
    return f"There are: {shown}{', …' if len(names) > 10 else ''}."  # noqa: PLR2004 - enough for a line
