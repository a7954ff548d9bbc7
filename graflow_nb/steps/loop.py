"""A step that runs another one over and over."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import describe
from graflow_nb.steps.calls import settled
from graflow_nb.steps.errors import StepError
from graflow_nb.steps.step import Step, check

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graflow_nb.steps.calls import Scope
    from graflow_nb.steps.setting import Setting
    from graflow_nb.steps.state import WorkflowContext


class LoopStep(Step):
    """A step that runs another one over and over. Its output is the list of what that returned.

    The step in it sees ``loop_index``, from 0, and ``last_output`` in its state.

    Parameters
    ----------
    step_id : str
    step : Step
        What runs.
    condition : callable, optional
        Asked with the state and the number of the iteration, from 0, before each: whether it runs.
    max_iterations : int
        How often it runs at most; if the condition would have gone on, the result's metadata says so.
    """

    def __init__(
        self,
        step_id: str,
        step: Step,
        condition: Callable[..., Any] | None = None,
        max_iterations: int = 100,
    ) -> None:
        super().__init__(step_id)
        check(step, path=step_id)
        if condition is not None and not callable(condition):
            raise TypeError(f"step {step_id!r}: a condition is a function of the state, not {condition!r}")
        if not isinstance(max_iterations, int) or isinstance(max_iterations, bool) or max_iterations < 1:
            raise ValueError(
                f"step {step_id!r}: a loop must have an end: max_iterations is a number, 1 or more, "
                f"not {max_iterations!r}"
            )
        self.step = step
        self.goes_on = condition
        self.max_iterations = max_iterations

    @property
    def steps(self) -> Sequence[Step]:
        return (self.step,)

    def written(self, setting: Setting) -> Callable[..., Any] | None:  # noqa: ARG002 - as for all
        return self.goes_on

    async def run(self, scope: Scope) -> Any:
        outputs: list[Any] = []
        before: tuple[str, ...] = ()
        while await self._goes_on(scope, len(outputs)):
            if len(outputs) == self.max_iterations:
                scope.metadata["stopped"] = f"after {len(outputs)} iterations, which are its max_iterations"
                break
            name = f"{self.step.step_id}[{len(outputs)}]"
            state = scope.state.branch()
            state.variables.update(loop_index=len(outputs), last_output=outputs[-1] if outputs else None)
            ended = await scope.needs(self.step, state=state, name=name, after=before)
            before = (ended.path,)
            outputs.append(ended.output)
        scope.metadata["iterations"] = len(outputs)
        return outputs

    async def _goes_on(self, scope: Scope, iteration: int) -> bool:
        if self.goes_on is None:
            return iteration < self.max_iterations
        try:
            return bool(await settled(_ask(self.goes_on, scope.state, iteration)))
        except Exception as error:
            raise StepError(f"step {scope.path!r}: its condition raised {describe(error)}", scope.path) from error


def _ask(condition: Callable[..., Any], state: WorkflowContext, iteration: int) -> Any:
    """Ask a condition with the state, and with the iteration if it takes that."""
    try:
        inspect.signature(condition).bind(state, iteration)
    except TypeError:
        return condition(state)
    except ValueError:  # it has no signature
        pass
    return condition(state, iteration)
