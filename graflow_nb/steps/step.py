"""What all steps have in common: their options, and their being tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from graflow_nb.core.compose import Composable
from graflow_nb.core.options import Options
from graflow_nb.core.retry import RetryPolicy
from graflow_nb.steps.setting import DEFAULT
from graflow_nb.steps.task import StepTask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graflow_nb.core.task import Task
    from graflow_nb.steps.calls import Scope
    from graflow_nb.steps.setting import Setting
    from graflow_nb.steps.state import WorkflowContext


class Step(Composable):
    """A step of a workflow. It is a task: ``load >> step >> report`` works where a workflow is open.

    Every method that sets something returns the step itself.

    Parameters
    ----------
    step_id : str
        Unique among the steps beside it.
    """

    is_leaf = False
    """Whether it has no steps in it, and can be reused."""

    def __init__(self, step_id: str) -> None:
        if not isinstance(step_id, str) or not step_id or "/" in step_id:
            raise ValueError(f"a step's id is a text that is not empty and has no '/', not {step_id!r}")
        self.step_id = step_id
        self.conditions: list[Callable[[WorkflowContext], Any]] = []
        self.timeout: float | None = None
        self.retry: RetryPolicy | None = None
        self.is_idempotent = False
        self.cache = False
        self._task: StepTask | None = None

    @property
    def name(self) -> str:
        """The same as `step_id`."""
        return self.step_id

    def with_timeout(self, seconds: float) -> Self:
        """Let each attempt take so many seconds at most."""
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not seconds > 0:
            raise ValueError(
                f"step {self.step_id!r}: a timeout is a number of seconds, more than 0, not {seconds!r}"
            )
        self.timeout = seconds
        return self._changed()

    def with_retry(
        self,
        max_retries: int | None = None,
        *,
        max_attempts: int | None = None,
        delay: float = 0.5,
        backoff: float = 2.0,
        max_delay: float = 30.0,
        jitter: bool = True,
        retry_on: Any = (Exception,),
    ) -> Self:
        """Try again when it fails, waiting a little longer each time; nothing else waits meanwhile.

        Parameters
        ----------
        max_retries : int
            How often beside the first attempt.
        max_attempts : int
            How often in all; in place of `max_retries`.
        delay : float
            Seconds before the first retry.
        backoff : float
            How many times longer each wait is than the one before.
        max_delay : float
            Seconds that no wait exceeds.
        jitter : bool
            Wait a random time between 0 and that.
        retry_on : type, tuple of type, or callable
            Which errors are worth another try.
        """
        if (max_retries is None) == (max_attempts is None):
            both = (
                "max_retries and max_attempts were both given" if max_retries is not None else "neither was given"
            )
            raise TypeError(
                f"step {self.step_id!r}: with_retry takes max_retries (beside the first attempt) or max_attempts "
                f"(in all): {both}"
            )
        if max_attempts is not None and (not isinstance(max_attempts, int) or max_attempts < 1):
            raise ValueError(f"step {self.step_id!r}: max_attempts is a number, 1 or more, not {max_attempts!r}")
        retries = max_retries if max_attempts is None else max_attempts - 1
        assert retries is not None
        policy = RetryPolicy(retries, delay, backoff, max_delay, jitter, retry_on)
        self.retry = policy if policy.max_retries else None
        return self._changed()

    def add_condition(self, condition: Callable[[WorkflowContext], Any]) -> Self:
        """Run it only if this, asked with the state, is true; with several, if all are."""
        if not callable(condition):
            raise TypeError(f"step {self.step_id!r}: a condition is a function of the state, not {condition!r}")
        self.conditions.append(condition)
        return self._changed()

    with_condition = add_condition

    def idempotent(self, is_idempotent: bool = True) -> Self:
        """Say that it need not run again where it has finished, when a workflow is resumed."""
        self.is_idempotent = is_idempotent
        return self._changed()

    @property
    def steps(self) -> Sequence[Step]:
        """The steps in it."""
        return ()

    @property
    def options(self) -> Options:
        """The same as options of a task."""
        keeps = self.is_leaf and (self.cache or self.is_idempotent)
        return Options(cache=keeps, retry=self.retry, timeout=self.timeout, ignore=("setting",))

    def spec(self, setting: Setting, path: str) -> Any:  # noqa: ARG002 - for those that look something up
        """Return what its call needs to know of it."""
        return self

    def call(self, setting: Setting) -> Callable[..., Any]:  # noqa: ARG002 - likewise
        """Return what its task calls."""
        from graflow_nb.steps.calls import run_composite

        return run_composite

    def written(self, setting: Setting) -> Callable[..., Any] | None:  # noqa: ARG002 - likewise
        """Return the function whose code is shown as the step's, if there is one."""
        return self.conditions[0] if self.conditions else None

    async def run(self, scope: Scope) -> Any:
        """Run what is in it, and return its output.

        Parameters
        ----------
        scope : Scope
            The state, and the way to run steps.
        """
        raise NotImplementedError

    @property
    def task(self) -> Task:
        """The task that it is among other tasks."""
        if self._task is None:
            check(self)
            self._task = StepTask(self, DEFAULT, self.step_id)
        return self._task

    @property
    def roots(self) -> tuple[Task, ...]:
        return (self.task,)

    leaves = roots
    tasks = roots

    @property
    def result(self) -> Any:
        """What it returned in the last run of the tasks that it is among; as `Task.result`."""
        return self.task.result

    def _changed(self) -> Self:
        if self._task is not None:
            self._task.options = self.options
        return self

    def __repr__(self) -> str:
        return self.step_id


def check(*steps: Any, path: str = "", beside: Sequence[Step] = ()) -> None:
    """Raise if steps that stand beside each other cannot, or one of them is none.

    Parameters
    ----------
    *steps : object
    path : str
        Where they are.
    beside : sequence of Step
        Those beside them that have been checked.

    Raises
    ------
    TypeError
        If one is no step.
    ValueError
        If two have the same id.
    """
    seen = {step.step_id for step in beside}
    for step in steps:
        if not isinstance(step, Step):
            raise TypeError(
                f"{path or 'a workflow'} takes steps, not {step!r}: "
                f"ToolStep('name', function) makes one of a function"
            )
        here = f"{path}/{step.step_id}" if path else step.step_id
        if step.step_id in seen:
            raise ValueError(f"there are two steps {here!r}: give one of them another id")
        seen.add(step.step_id)
        check(*step.steps, path=here)
