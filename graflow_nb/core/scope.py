"""Which workflow is open here, and whether a task is running here."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_nb.core.context import TaskContext
    from graflow_nb.core.workflow import WorkflowContext

opened: ContextVar[WorkflowContext | None] = ContextVar("graflow_opened", default=None)
"""The workflow of the innermost ``with``."""

running: ContextVar[TaskContext | None] = ContextVar("graflow_running", default=None)
"""The context of the task that this code belongs to."""

_fallback: Callable[[], WorkflowContext] | None = None


def set_fallback(provide: Callable[[], WorkflowContext] | None) -> None:
    """Say which workflow is meant where none is open (a notebook has one of its own)."""
    global _fallback  # noqa: PLW0603 - one notebook a process
    _fallback = provide


def current_workflow() -> WorkflowContext | None:
    """Return the workflow that code here writes to, or None: in a notebook the flow in use.

    Inside a running task only one that was opened there counts.

    Examples
    --------
    >>> from graflow_nb import current_workflow, workflow
    >>> with workflow("example") as flow:
    ...     current_workflow() is flow
    True
    """
    flow = opened.get()
    if flow is None and _fallback is not None and running.get() is None:
        return _fallback()
    return flow
