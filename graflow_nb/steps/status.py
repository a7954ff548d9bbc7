"""What becomes of steps and of their workflows; texts, and printed as such."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from graflow_nb.core.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping


class StepStatus(StrEnum):
    """What became of a step.

    Examples
    --------
    >>> print(StepStatus.COMPLETED, StepStatus.COMPLETED == "completed")
    completed True
    """

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class WorkflowStatus(StrEnum):
    """What became of a workflow."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


STATUS_OF: Mapping[Status, StepStatus] = {
    Status.WAITING: StepStatus.PENDING,
    Status.READY: StepStatus.PENDING,
    Status.RUNNING: StepStatus.RUNNING,
    Status.RETRYING: StepStatus.RUNNING,
    Status.SUCCEEDED: StepStatus.COMPLETED,
    Status.CACHED: StepStatus.COMPLETED,
    Status.FAILED: StepStatus.FAILED,
    Status.SKIPPED: StepStatus.SKIPPED,
    Status.CANCELLED: StepStatus.CANCELLED,
}
"""A step's status, by that of its task."""
