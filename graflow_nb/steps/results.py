"""What came of a step, and of a workflow of steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graflow_nb.steps.status import StepStatus, WorkflowStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graflow_nb.steps.state import WorkflowContext


@dataclass
class StepResult:
    """What came of a step.

    Attributes
    ----------
    step_id : str
    status : StepStatus
    output : object
        What it returned.
    error : str or None
        Why it failed, in a line.
    execution_time_ms : float
    attempts : int
    path : str
        Where it is: ``fulfillment/update_crm`` is a step in ``fulfillment``.
    exception : BaseException or None
        What it raised, with its traceback.
    note : str
        Why it was skipped or cancelled, or what else should be said.
    metadata : dict
        What else is known: iterations of a loop, conflicts of branches, messages and usage of an agent.
    steps : list of StepResult
        Of the steps in it.
    """

    step_id: str
    status: StepStatus
    output: Any = None
    error: str | None = None
    execution_time_ms: float = 0.0
    attempts: int = 1
    path: str = ""
    exception: BaseException | None = field(default=None, repr=False)
    note: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    steps: list[StepResult] = field(default_factory=list, repr=False)

    @property
    def is_success(self) -> bool:
        """Whether it did what it is for."""
        return self.status is StepStatus.COMPLETED

    @property
    def success(self) -> bool:
        """The same as `is_success`."""
        return self.is_success

    @property
    def is_failure(self) -> bool:
        """Whether it failed."""
        return self.status is StepStatus.FAILED

    @property
    def is_nested(self) -> bool:
        """Whether it is a step in another step."""
        return "/" in self.path

    @property
    def messages(self) -> Sequence[Any]:
        """The messages of an agent's run."""
        messages: Sequence[Any] = self.metadata.get("messages", ())
        return messages

    @property
    def usage(self) -> Any:
        """The tokens and requests of an agent's run."""
        return self.metadata.get("usage")


@dataclass
class WorkflowResult:
    """What came of a workflow of steps.

    Attributes
    ----------
    workflow_id : str
    status : WorkflowStatus
    steps : list of StepResult
        Of those that were reached, in order; the steps in them are theirs (`StepResult.steps`).
    context : WorkflowContext
        The state at the end.
    error : str or None
        The first error that nothing recovered from.
    total_execution_time_ms, execution_time_ms : float
    total_steps : int
        How many steps the workflow has, without those in others.
    metadata : dict
        What the context said, and what handlers asked for ("escalations").
    exception : BaseException or None
        The first error itself.
    """

    workflow_id: str
    status: WorkflowStatus
    context: WorkflowContext = field(repr=False)
    steps: list[StepResult] = field(default_factory=list)
    error: str | None = None
    total_execution_time_ms: float = 0.0
    total_steps: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)
    exception: BaseException | None = field(default=None, repr=False)

    @property
    def execution_time_ms(self) -> float:
        """The same as `total_execution_time_ms`."""
        return self.total_execution_time_ms

    @property
    def steps_completed(self) -> int:
        """How many steps did what they are for, or had nothing to do; without those in others."""
        good = {StepStatus.COMPLETED, StepStatus.SKIPPED}
        return sum(step.status in good for step in self.steps)

    @property
    def success_rate(self) -> float:
        """The same, per cent of all."""
        return 100.0 * self.steps_completed / self.total_steps if self.total_steps else 100.0

    @property
    def is_success(self) -> bool:
        """Whether it did what it is for."""
        return self.status is WorkflowStatus.COMPLETED

    @property
    def success(self) -> bool:
        """The same as `is_success`."""
        return self.is_success

    @property
    def is_failure(self) -> bool:
        """Whether it failed."""
        return self.status is WorkflowStatus.FAILED

    @property
    def all_steps(self) -> list[StepResult]:
        """The results of all steps, each followed by those of the steps in it."""
        found: list[StepResult] = []
        stack = self.steps[::-1]
        while stack:
            step = stack.pop()
            found.append(step)
            stack += step.steps[::-1]
        return found

    def get_step_result(self, step_id: str) -> StepResult | None:
        """Return the result of a step, by its id or its path; None if it was not reached."""
        return next((step for step in self.all_steps if step_id in {step.step_id, step.path}), None)
