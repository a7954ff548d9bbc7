"""What the results of steps are, by what happens to their tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import describe
from graflow_nb.core.events import TaskFinished
from graflow_nb.core.status import Status
from graflow_nb.steps.errors import StepError
from graflow_nb.steps.results import StepResult
from graflow_nb.steps.status import STATUS_OF
from graflow_nb.steps.task import TRAIL, StepTask

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_nb.core.events import Event
    from graflow_nb.core.run import Run, TaskRecord
    from graflow_nb.steps.setting import Setting


class Watch:
    """A listener that makes a result of each step that ends, and tells it.

    Parameters
    ----------
    setting : Setting
        Whose callbacks and loggers are told.
    tell : callable, optional
        Is told too.

    Attributes
    ----------
    run : Run or None
        The one that is over.
    is_told : bool
        Whether anybody is told anything.
    """

    def __init__(self, setting: Setting, tell: Callable[[StepResult], Any] | None = None) -> None:
        self.run: Run | None = None
        self._setting = setting
        self._tell = tell
        self.is_told = bool(tell or setting.loggers or setting.callbacks)

    def __call__(self, event: Event) -> None:
        if isinstance(event, TaskFinished):
            result = result_of(event.run.records[event.task])
            if result is not None:
                self._setting.has_ended(result)
                if self._tell is not None:
                    self._tell(result)

    def results(self) -> list[StepResult]:
        """Return the results of the steps that were reached, each with those of the steps in it."""
        if self.run is None:
            return []
        found = {name: result for name, record in self.run.records.items() if (result := result_of(record))}
        top: list[StepResult] = []
        for path, result in found.items():
            above = path
            while (above := above.rpartition("/")[0]) and above not in found:
                pass
            (found[above].steps if above else top).append(result)
        return top


def result_of(record: TaskRecord) -> StepResult | None:
    """Return what came of a step, by its task's record; None if it is no step's, or the step was not reached."""
    task = record.task
    if not isinstance(task, StepTask) or not record.status.is_final or not _is_reached(record):
        return None
    trail: Any = record.produced.get(TRAIL) if record.produced is not None else {"metadata": {}}
    metadata = dict(trail["metadata"])
    if record.status is Status.CACHED:
        metadata["reused"] = True
    return StepResult(
        step_id=task.step.step_id,
        status=STATUS_OF[record.status],
        output=record.produced.value if record.produced is not None else None,
        error=_said(record.error),
        execution_time_ms=round((record.seconds or 0.0) * 1000, 3),
        attempts=record.attempts,
        path=task.path,
        exception=record.error,
        note=record.note if record.error is None else "",
        metadata=metadata,
    )


def _said(error: BaseException | None) -> str | None:
    """Return why a step failed, in a line."""
    if error is None:
        return None
    return str(error).partition("\n")[0] if isinstance(error, StepError) else describe(error)


def _is_reached(record: TaskRecord) -> bool:
    """Whether it ran, or it was decided that it need not: not if one before it failed."""
    if record.produced is not None or record.error is not None or record.started is not None:
        return True
    is_nested = "/" in record.task.name
    return is_nested and record.status in {Status.SKIPPED, Status.CANCELLED}
