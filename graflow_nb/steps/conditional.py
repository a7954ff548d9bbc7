"""A step that runs one of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from graflow_nb.core.errors import describe
from graflow_nb.steps.calls import settled
from graflow_nb.steps.errors import StepError
from graflow_nb.steps.step import Step, check

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graflow_nb.steps.calls import Scope
    from graflow_nb.steps.setting import Setting
    from graflow_nb.steps.state import WorkflowContext


class ConditionalStep(Step):
    """A step that runs one of two, as a condition says; the other one is shown as skipped.

    Without a step for what the condition says, nothing runs, and the output is None.

    Parameters
    ----------
    step_id : str
    condition : callable, optional
        Asked with the state; what it returns counts as true or false.
    true_step, false_step : Step, optional
    """

    def __init__(
        self,
        step_id: str,
        condition: Callable[[WorkflowContext], Any] | None = None,
        true_step: Step | None = None,
        false_step: Step | None = None,
    ) -> None:
        super().__init__(step_id)
        self.decide: Callable[[WorkflowContext], Any] | None = None
        self.true_step: Step | None = None
        self.false_step: Step | None = None
        if condition is not None:
            self.condition(condition)
        if true_step is not None:
            self.if_true(true_step)
        if false_step is not None:
            self.if_false(false_step)

    def condition(self, condition: Callable[[WorkflowContext], Any]) -> Self:
        """Say what decides."""
        if not callable(condition):
            raise TypeError(f"step {self.step_id!r}: a condition is a function of the state, not {condition!r}")
        self.decide = condition
        return self

    def if_true(self, step: Step) -> Self:
        """Say what runs if the condition is true."""
        check(*filter(None, (step, self.false_step)), path=self.step_id)
        self.true_step = step
        return self

    def if_false(self, step: Step) -> Self:
        """Say what runs if the condition is false."""
        check(*filter(None, (self.true_step, step)), path=self.step_id)
        self.false_step = step
        return self

    @property
    def steps(self) -> Sequence[Step]:
        return [step for step in (self.true_step, self.false_step) if step is not None]

    def written(self, setting: Setting) -> Callable[..., Any] | None:  # noqa: ARG002 - as for all
        return self.decide

    async def run(self, scope: Scope) -> Any:
        is_true = await self._ask(scope)
        scope.metadata["condition"] = is_true
        taken, other = (self.true_step, self.false_step) if is_true else (self.false_step, self.true_step)
        if other is not None:
            await scope.ask(other, skip=f"the condition of {self.step_id!r} is {str(is_true).lower()}")
        return (await scope.needs(taken)).output if taken is not None else None

    async def _ask(self, scope: Scope) -> bool:
        if self.decide is None:
            raise StepError(
                f"step {scope.path!r} has no condition: "
                f"ConditionalStep({self.step_id!r}).condition(lambda state: …)",
                scope.path,
            )
        try:
            return bool(await settled(self.decide(scope.state)))
        except Exception as error:
            raise StepError(f"step {scope.path!r}: its condition raised {describe(error)}", scope.path) from error
