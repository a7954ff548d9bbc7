"""What happens in a run, as frozen data; told only by the thread that owns the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_nb.core.run import Run
    from graflow_nb.core.status import Status


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins; its records are all waiting."""

    run: Run


@dataclass(frozen=True, slots=True)
class TaskAdded:
    """A running task asked for a new one."""

    run: Run
    task: str


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """A task was handed to a worker."""

    run: Run
    task: str


@dataclass(frozen=True, slots=True)
class TaskRetrying:
    """A task failed, and will be tried again after `delay` seconds.

    Attributes
    ----------
    attempt, of : int
        The attempt that comes, from 1, and how many there are at most.
    """

    run: Run
    task: str
    attempt: int
    of: int
    delay: float
    error: BaseException


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """A task's part in the run is over."""

    run: Run
    task: str
    status: Status


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run is over; nothing of it runs any more, but what `Run.stuck` names."""

    run: Run


Event: TypeAlias = RunStarted | TaskAdded | TaskStarted | TaskRetrying | TaskFinished | RunFinished
Listener: TypeAlias = "Callable[[Event], None]"
"""Watches runs. What it raises is logged, and never breaks a run."""
