"""Who is told what steps do, for logs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graflow_nb.steps.results import StepResult
    from graflow_nb.steps.state import WorkflowContext

log = logging.getLogger("graflow_nb.steps")


class WorkflowLogger:
    """Writes what steps do to the log ``graflow_nb.steps``; make a subclass to write something else.

    What a method raises is logged, and harms nothing.
    """

    def log_step_start(self, step_name: str, state: WorkflowContext) -> None:
        """Take note that a step begins, with the state that it sees."""
        extra = {"workflow_id": state.workflow_id, "step_name": step_name, "state_keys": list(state.data)}
        log.info("step %s begins", step_name, extra=extra)

    def log_step_complete(self, step_name: str, result: StepResult, duration_ms: float) -> None:
        """Take note that a step did what it is for."""
        extra = {
            "step_name": step_name,
            "path": result.path,
            "duration_ms": duration_ms,
            "success": result.success,
        }
        log.info("step %s completed in %.1f ms", step_name, duration_ms, extra=extra)

    def log_step_error(self, step_name: str, error: BaseException, duration_ms: float) -> None:
        """Take note that a step failed."""
        extra = {"step_name": step_name, "duration_ms": duration_ms, "success": False, "error": str(error)}
        log.error("step %s failed: %s", step_name, error, extra=extra)
