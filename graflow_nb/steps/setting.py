"""What the steps of one execution share, beside the state."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from graflow_nb.steps.logger import log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graflow_nb.steps.logger import WorkflowLogger
    from graflow_nb.steps.results import StepResult
    from graflow_nb.steps.state import WorkflowContext


@dataclass
class Setting:
    """What the steps of one execution share, beside the state.

    Attributes
    ----------
    tools, agents : mapping of str
        What the engine knows by name.
    model : object
        The model of agents that have none of their own.
    handlers : mapping of str to sequence of callable
        Who is asked when a step fails, by step id.
    general_handlers : sequence of callable
        Who is asked for any step.
    loggers : sequence of WorkflowLogger
    callbacks : sequence of callable
        Get each step's result.
    resume : bool
        Reuse what idempotent steps have made before.
    escalations : list of dict
        What handlers asked for.
    """

    tools: Mapping[str, Any] = field(default_factory=dict)
    agents: Mapping[str, Any] = field(default_factory=dict)
    model: Any = None
    handlers: Mapping[str, Sequence[Callable[..., Any]]] = field(default_factory=dict)
    general_handlers: Sequence[Callable[..., Any]] = ()
    loggers: Sequence[WorkflowLogger] = ()
    callbacks: Sequence[Callable[[StepResult], Any]] = ()
    resume: bool = False
    escalations: list[dict[str, Any]] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)

    def without_handlers(self) -> Setting:
        """Return the same for steps that stand in for others: nobody stands in for them."""
        return replace(self, handlers={}, general_handlers=())

    def begins(self, path: str, step_id: str, state: WorkflowContext) -> None:
        """Tell that a step begins, at its first attempt."""
        if self.loggers and path not in self.begun:
            self.begun.add(path)
            for logger in self.loggers:
                _tell(logger.log_step_start, step_id, state)

    def has_ended(self, result: StepResult) -> None:
        """Tell what came of a step."""
        for logger in self.loggers:
            if result.is_success:
                _tell(logger.log_step_complete, result.step_id, result, result.execution_time_ms)
            elif result.is_failure:
                error = result.exception or RuntimeError(result.error)
                _tell(logger.log_step_error, result.step_id, error, result.execution_time_ms)
        for callback in self.callbacks:
            _tell(callback, result)


def _tell(told: Callable[..., Any], *what: Any) -> None:
    """Call a callback or a logger, which can harm nothing."""
    try:
        told(*what)
    except Exception:
        log.exception("%r failed", told)


DEFAULT = Setting()
"""That of steps which stand among tasks, in no workflow of steps."""
