"""A step that calls a tool."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from graflow_nb.core.errors import describe
from graflow_nb.steps.calls import begin, end, settled, versions_of, why_skipped
from graflow_nb.steps.errors import StepError
from graflow_nb.steps.registry import find, unknown
from graflow_nb.steps.step import Step
from graflow_nb.steps.tools import Tool, callable_of, invoke, is_coroutine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graflow_nb.core.task import Defined
    from graflow_nb.steps.setting import Setting
    from graflow_nb.steps.state import WorkflowContext


class ToolSpec(NamedTuple):
    """What the call of a tool step needs to know: all that its result depends on, beside the state."""

    tool: Any
    missing: str
    args: Mapping[str, Any]
    params: Callable[[WorkflowContext], Any] | None
    conditions: tuple[Callable[[WorkflowContext], Any], ...]


class ToolStep(Step):
    """A step that calls a tool.

    Parameters
    ----------
    step_id : str
    tool : callable, Tool, object with ``execute(args, context)``, or str, optional
        By default what is known under the step's id: to the engine (``tools=``), by `register_tool`, in the
        notebook.
    args : mapping of str, optional
        Its arguments. What else it needs is taken from the state, by name.
    idempotent : bool
        As `Step.idempotent`.
    cache : bool
        Reuse what it returned before for the same arguments and state, always.
    """

    is_leaf = True

    def __init__(
        self,
        step_id: str,
        tool: Any = None,
        args: Mapping[str, Any] | None = None,
        *,
        idempotent: bool = False,
        cache: bool = False,
    ) -> None:
        super().__init__(step_id)
        if args is not None and not isinstance(args, Mapping):
            raise TypeError(f"step {step_id!r}: args are a mapping by parameter names, not {args!r}")
        if tool is not None and not (callable(tool) or isinstance(tool, str | Tool) or hasattr(tool, "execute")):
            raise TypeError(
                f"step {step_id!r}: a tool is a function, a Tool, an object with execute(args, context), or the "
                f"name of one, not {tool!r}"
            )
        self.tool = tool
        self.args = dict(args or {})
        self.params_function: Callable[[WorkflowContext], Any] | None = None
        self.is_idempotent, self.cache = idempotent, cache

    def with_params(self, **args: Any) -> Self:
        """Give it arguments."""
        self.args.update(args)
        return self._changed()

    def with_params_function(self, function: Callable[[WorkflowContext], Any]) -> Self:
        """Give it arguments that a function of the state returns, as a mapping."""
        if not callable(function):
            raise TypeError(f"step {self.step_id!r}: a function of the state is needed, not {function!r}")
        self.params_function = function
        return self._changed()

    def spec(self, setting: Setting, path: str) -> ToolSpec:
        tool, missing = self._find(setting, path)
        return ToolSpec(tool, missing, self.args, self.params_function, tuple(self.conditions))

    def call(self, setting: Setting) -> Callable[..., Any]:
        tool, _ = self._find(setting, self.step_id)
        asked = (tool, self.params_function, *self.conditions)
        return arun_tool if any(one is not None and is_coroutine(one) for one in asked) else run_tool

    def written(self, setting: Setting) -> Callable[..., Any] | None:
        tool, missing = self._find(setting, self.step_id)
        if missing or (isinstance(tool, Tool) and tool.function is None and not hasattr(tool, "execute")):
            return None
        return callable_of(tool, self.step_id)[0]

    def _find(self, setting: Setting, path: str) -> tuple[Any, str]:
        if self.tool is not None and not isinstance(self.tool, str):
            return self.tool, ""
        name = self.tool or self.step_id
        tool = find("tool", name, setting.tools, _may_be_tool)
        return tool, "" if tool is not None else unknown("tool", name, setting.tools, path)


def _may_be_tool(thing: Any) -> bool:
    return not isinstance(thing, Step | type) and (callable(thing) or hasattr(thing, "execute"))


def run_tool(
    setting: Setting, about: Any, at: tuple[str, str], spec: ToolSpec, names: Any, *states: Any
) -> Defined:
    """Call a tool that is a function."""
    state = begin(setting, about, at, names, states)
    versions = versions_of(names, states)
    for condition in spec.conditions:
        if not _asked(condition, state, at[0]):
            return end(state, at, None, skipped="its condition is false", versions=versions)
    args = spec.args if spec.params is None else {**spec.args, **_params(spec.params, state, at[0])}
    output = invoke(_there(spec, at), args, state, partial(_before, names, states), at[0])
    if hasattr(type(output), "__await__"):  # it is no coroutine function, and yet: this thread has no loop
        output = asyncio.run(settled(output))
    return end(state, at, output, merges=True, versions=versions)


async def arun_tool(
    setting: Setting, about: Any, at: tuple[str, str], spec: ToolSpec, names: Any, *states: Any
) -> Defined:
    """Call a tool that is a coroutine function, or of which something is one."""
    state = begin(setting, about, at, names, states)
    versions = versions_of(names, states)
    if skipped := await why_skipped(spec.conditions, state, at[0]):
        return end(state, at, None, skipped=skipped, versions=versions)
    args = spec.args
    if spec.params is not None:
        args = {**args, **_mapping(await settled(spec.params(state)), at[0])}
    output = await settled(invoke(_there(spec, at), args, state, partial(_before, names, states), at[0]))
    return end(state, at, output, merges=True, versions=versions)


def _asked(condition: Callable[[WorkflowContext], Any], state: WorkflowContext, path: str) -> bool:
    try:
        return bool(condition(state))
    except Exception as error:
        raise StepError(f"step {path!r}: its condition raised {describe(error)}", path) from error


def _params(function: Callable[[WorkflowContext], Any], state: WorkflowContext, path: str) -> Mapping[str, Any]:
    return _mapping(function(state), path)


def _mapping(params: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(params, Mapping):
        raise StepError(f"step {path!r}: its params function returned {params!r}: it has to be a mapping", path)
    return params


def _there(spec: ToolSpec, at: tuple[str, str]) -> Any:
    if spec.missing:
        raise StepError(spec.missing, at[0])
    return spec.tool


def _before(names: Sequence[tuple[str, bool]], states: Sequence[Any]) -> list[Any]:
    """Return the results of what is wired before a step."""
    found: list[Any] = []
    for (name, is_step), value in zip(names, states, strict=True):
        if is_step and name:
            found += [value["state"].get(f"step_{name}_result")]
        elif not is_step:
            found += value
    return found
