"""What the tasks of steps call, and how the state goes from one to the next."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graflow_nb.core.arguments import Constant
from graflow_nb.core.context import context
from graflow_nb.core.errors import describe
from graflow_nb.core.status import Status
from graflow_nb.core.task import Defined
from graflow_nb.steps.errors import StepError
from graflow_nb.steps.state import WorkflowContext
from graflow_nb.steps.task import TRAIL, StepTask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graflow_nb.core.run import TaskRecord
    from graflow_nb.steps.setting import Setting
    from graflow_nb.steps.step import Step


def begin(
    setting: Setting, about: Mapping[str, Any], at: tuple[str, str], names: Any, states: Sequence[Any]
) -> WorkflowContext:
    """Return the state that a step sees, and tell that the step begins."""
    state = WorkflowContext.seen(about, _merged(names, states))
    setting.begins(*at, state)
    return state


def _merged(names: Sequence[tuple[str, bool]], states: Sequence[Any]) -> Mapping[str, Any]:
    """Return the variables after several tasks: what was written more often counts, then what comes last."""
    if len(names) == 1 and names[0][1]:
        only: Mapping[str, Any] = states[0]["state"]
        return only
    merged: dict[str, Any] = {}
    versions: dict[str, int] = {}
    for (name, is_step), value in zip(names, states, strict=True):
        if is_step:
            for key, item in value["state"].items():
                version = (value["versions"] or {}).get(key, 0)
                if version >= versions.get(key, 0):
                    merged[key], versions[key] = item, version
        elif value:
            if isinstance(value[0], Mapping):
                merged.update({key: item for key, item in value[0].items() if isinstance(key, str)})
            merged[name] = merged[f"step_{name}_result"] = value[0]
    return merged


def end(
    state: WorkflowContext,
    at: tuple[str, str],
    output: Any,
    *,
    metadata: Mapping[str, Any] | None = None,
    merges: bool = False,
    skipped: str = "",
    versions: Mapping[str, int] | None = None,
) -> Defined:
    """Return what a step's task makes: the output, and the state after it."""
    if skipped:
        context.skip(skipped)
    else:
        if merges and isinstance(output, Mapping):
            state.variables.update({key: value for key, value in output.items() if isinstance(key, str)})
        state.variables[f"step_{at[1]}_result"] = output
    written = state.variables.written
    counts = None
    if versions is not None:
        counts = dict(versions)
        for key in written:
            counts[key] = counts.get(key, 0) + 1
    trail = {
        "state": dict(state.variables),
        "written": written,
        "versions": counts,
        "metadata": dict(metadata) if metadata else {},
    }
    return Defined(output, {TRAIL: trail})


def versions_of(names: Sequence[tuple[str, bool]], states: Sequence[Any]) -> Mapping[str, int] | None:
    """Return how often each variable was written before a step; None where steps are all in one row."""
    if len(names) == 1:
        only: Mapping[str, int] | None = states[0]["versions"] if names[0][1] else {}
        return only
    versions: dict[str, int] = {}
    for (_, is_step), value in zip(names, states, strict=True):
        for key, count in (value["versions"] or {}).items() if is_step else ():
            versions[key] = max(count, versions.get(key, 0))
    return versions


async def settled(value: Any) -> Any:
    """Return a value, awaited if it is to be."""
    return await value if inspect.isawaitable(value) else value


async def why_skipped(conditions: Sequence[Callable[..., Any]], state: WorkflowContext, path: str) -> str:
    """Return why a step is skipped, if a condition, which may be a coroutine function, is false; as above."""
    for condition in conditions:
        try:
            if not await settled(condition(state)):
                return "its condition is false"
        except Exception as error:
            raise StepError(f"step {path!r}: its condition raised {describe(error)}", path) from error
    return ""


class Scope:
    """A step that has steps in it, while it runs.

    Attributes
    ----------
    state : WorkflowContext
    path : str
    metadata : dict
        What is to be said of it in its result.
    """

    def __init__(
        self, setting: Setting, about: Mapping[str, Any], at: tuple[str, str], state: WorkflowContext
    ) -> None:
        self.setting = setting
        self.state = state
        self.path, self.step_id = at
        self.metadata: dict[str, Any] = {}
        self._about = about

    async def ask(
        self,
        step: Step,
        *,
        state: WorkflowContext | None = None,
        name: str = "",
        after: Sequence[str] = (),
        skip: str = "",
    ) -> Ended:
        """Run a step in this one, on a copy of the state, and return what became of it."""
        path = f"{context.task_name.removesuffix('!')}/{name or step.step_id}"
        task = StepTask(step, self.setting, path, about=self._about)
        seen = {"state": dict((state or self.state).variables), "versions": None}
        binding = task.binding((("", True),), (("the state", Constant(seen)),))
        force = not (self.setting.resume or step.cache)
        return Ended(await context.ask(task, binding, after=after, skip=skip, force=force), path)

    async def needs(self, step: Step, **how: Any) -> Ended:
        """Run a step in this one, and take over what it wrote.

        Raises
        ------
        StepError
            If it failed.
        """
        ended = await self.ask(step, **how)
        ended.check()
        self.absorb(ended)
        return ended

    def absorb(self, ended: Ended) -> None:
        """Take over what a step wrote."""
        self.state.absorb(ended.trail["state"], ended.trail["written"])


class Ended:
    """What became of a step in another.

    Attributes
    ----------
    record : TaskRecord
    path : str
    """

    def __init__(self, record: TaskRecord, path: str) -> None:
        self.record = record
        self.path = path

    @property
    def is_success(self) -> bool:
        """Whether it did what it is for."""
        return self.record.status.is_success

    @property
    def is_skipped(self) -> bool:
        """Whether it had nothing to do."""
        return self.record.status is Status.SKIPPED

    @property
    def output(self) -> Any:
        """What it returned."""
        return None if self.record.produced is None else self.record.produced.value

    @property
    def trail(self) -> Mapping[str, Any]:
        """What it wrote."""
        if self.record.produced is None:
            return {"state": {}, "written": {}}
        trail: Mapping[str, Any] = self.record.produced.get(TRAIL)
        return trail

    @property
    def error(self) -> StepError:
        """What it failed of, with the path to the step where that happened."""
        error = self.record.error
        if isinstance(error, StepError) and error.path.startswith(f"{self.path}/"):
            return error
        said = describe(error) if error is not None else f"it was {self.record.status} ({self.record.note})"
        known = isinstance(error, StepError) and error.path == self.path
        new = StepError(str(error) if known else f"step {self.path!r} failed: {said}", self.path)
        new.__cause__ = error
        return new

    def check(self) -> None:
        """Raise if it failed."""
        if not (self.is_success or self.is_skipped):
            raise self.error


async def run_composite(
    setting: Setting, about: Mapping[str, Any], at: tuple[str, str], step: Step, names: Any, *states: Any
) -> Defined:
    """Run a step that has steps in it."""
    state = begin(setting, about, at, names, states)
    versions = versions_of(names, states)
    if skipped := await why_skipped(step.conditions, state, at[0]):
        return end(state, at, None, skipped=skipped, versions=versions)
    scope = Scope(setting, about, at, state)
    output = await step.run(scope)
    return end(state, at, output, metadata=scope.metadata, versions=versions)
