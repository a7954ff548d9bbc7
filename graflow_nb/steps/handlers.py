"""What error handlers may say, and how it is done."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from graflow_nb.core.errors import describe, did_you_mean
from graflow_nb.core.rescuing import CALL_AGAIN
from graflow_nb.core.task import Task
from graflow_nb.steps.calls import Scope, begin, end, settled, versions_of
from graflow_nb.steps.errors import StepError
from graflow_nb.steps.logger import log
from graflow_nb.steps.results import StepResult
from graflow_nb.steps.status import StepStatus
from graflow_nb.steps.step import Step, check

if TYPE_CHECKING:
    from graflow_nb.core.task import Defined
    from graflow_nb.steps.setting import Setting
    from graflow_nb.steps.state import WorkflowContext
    from graflow_nb.steps.task import StepTask

ACTIONS = ("retry", "fail", "skip", "fallback")
RETRIES: Final = 3
"""How often handlers can have one step tried again, each time with all its attempts."""


def rescue_of(task: StepTask) -> Task:
    """Return the task that asks the handlers when a step has failed."""
    return Task.apart(f"{task.name}!", partial(_ask_handlers, task.step))


async def _ask_handlers(
    step: Step,
    error: BaseException,
    tries: int,
    setting: Setting,
    about: Any,
    at: tuple[str, str],
    _spec: Any,
    names: Any,
    *states: Any,
) -> Defined | Any:
    """Ask the handlers of a step that failed, and do what they say."""
    state = begin(setting, about, at, names, states)
    versions = versions_of(names, states)
    answer = await _answer(setting, step, at[0], error, state, tries)
    if answer is None:
        raise error
    action = answer["action"]
    if answer.get("escalate") or answer.get("notify_team"):
        _escalate(setting, at[0], error, answer)
    if action == "retry" and tries < RETRIES:
        log.info("step %s is tried again: its handler says so", at[0], extra={"path": at[0], "retry": tries + 1})
        return CALL_AGAIN
    if action in {"retry", "fail"}:
        if action == "retry":
            error.add_note(f"Its handler asked for another try, and it has had {RETRIES} of these.")
        raise error
    if action == "skip":
        return end(state, at, None, skipped=f"its handler says so: {describe(error)}", versions=versions)
    scope = Scope(setting.without_handlers(), about, at, state)
    ended = await scope.needs(answer["step"])
    metadata = {"recovered_by": ended.path, "recovered_from": describe(error)}
    return end(state, at, ended.output, metadata=metadata, versions=versions)


async def _answer(
    setting: Setting, step: Step, path: str, error: BaseException, state: WorkflowContext, tries: int
) -> dict[str, Any] | None:
    """Return what the first handler says that says something; that of the step is asked first."""
    for handler in setting.handlers.get(step.step_id, ()):
        result = StepResult(
            step.step_id, StepStatus.FAILED, None, describe(error), path=path, exception=error, attempts=tries + 1
        )
        if (said := await _ask(handler, path, error, result, state)) is not None:
            return said
    is_known = isinstance(error, StepError) and error.path.startswith(
        f"{path}/"
    )  # they were asked where it failed
    for handler in () if is_known else setting.general_handlers:
        if (said := await _ask(handler, path, error, error, step, state)) is not None:
            return said
    return None


async def _ask(handler: Any, path: str, error: BaseException, *args: Any) -> dict[str, Any] | None:
    try:
        said = await settled(handler(*args))
    except Exception as own:
        log.exception("the error handler of step %s failed", path, extra={"path": path})
        raise StepError(
            f"step {path!r} failed: {describe(error)}; and its handler raised {describe(own)}", path
        ) from own
    if said is None:
        return None
    answer = {"action": "fallback", "step": said} if isinstance(said, Step) else said
    if not isinstance(answer, Mapping) or answer.get("action") not in ACTIONS:
        given = answer.get("action") if isinstance(answer, Mapping) else said
        hint = f" {did_you_mean(given, ACTIONS)}" if isinstance(given, str) else ""
        raise StepError(
            f"step {path!r} failed: {describe(error)}; and its handler returned {said!r}: it may return None, a "
            f"step, or a dict with an action of {', '.join(map(repr, ACTIONS))}.{hint}",
            path,
        ) from error
    if answer["action"] == "fallback":
        if not isinstance(answer.get("step"), Step):
            raise StepError(
                f"step {path!r} failed: {describe(error)}; and its handler returned a fallback without a step: "
                f'{{"action": "fallback", "step": ToolStep(…)}}',
                path,
            ) from error
        check(answer["step"], path=path)
    return dict(answer)


def _escalate(setting: Setting, path: str, error: BaseException, answer: Mapping[str, Any]) -> None:
    told = {
        "step": path,
        "error": describe(error),
        "action": answer["action"],
        "escalate": bool(answer.get("escalate")),
        "notify_team": bool(answer.get("notify_team")),
    }
    setting.escalations.append(told)
    log.warning("step %s: %s (escalated by its handler)", path, describe(error), extra=told)
