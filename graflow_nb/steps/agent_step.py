"""A step that runs an agent."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from graflow_nb.steps.agent import Agent
from graflow_nb.steps.calls import begin, end, settled, versions_of, why_skipped
from graflow_nb.steps.errors import StepError
from graflow_nb.steps.registry import find, unknown
from graflow_nb.steps.step import Step
from graflow_nb.steps.tools import invoke, is_coroutine

if TYPE_CHECKING:
    from graflow_nb.core.task import Defined
    from graflow_nb.steps.setting import Setting
    from graflow_nb.steps.state import WorkflowContext

MODEL = "GRAFLOW_NB_MODEL"
"""The environment variable that names the model of agents that have none."""


class Limits(NamedTuple):
    """How much one run of an agent may take; None: as much as it likes."""

    tokens: int | None = None
    requests: int | None = None
    seconds: float | None = None


class AgentSpec(NamedTuple):
    """What the call of an agent step needs to know: all that its result depends on, beside the state.

    `other` is an agent of pydantic-ai, or a callable, in place of one of ours.
    """

    missing: str = ""
    other: Any = None
    model: Any = None
    name: str = ""
    instructions: Any = None
    tools: tuple[Any, ...] = ()
    output_type: Any = str
    settings: Mapping[str, Any] = {}
    retries: int | None = None
    message: Any = None
    context: Callable[[WorkflowContext], Any] | None = None
    history: Any = None
    limits: Limits = Limits()
    stream: bool | None = None
    conditions: tuple[Callable[[WorkflowContext], Any], ...] = ()


class AgentStep(Step):
    """A step that runs an agent. Without a model it fails, and says how to give one.

    What comes of it: the agent's output; its messages and the tokens it took are in the result
    (`StepResult.messages`, `StepResult.usage`), and the messages in the state, as ``step_<id>_messages``.

    Parameters
    ----------
    step_id : str
    agent : Agent, pydantic_ai.Agent, callable or str, optional
        By default what is known under the step's id: to the engine (``agents=``), by `register_agent`, in the
        notebook. A callable gets the message as its first argument.
    message : str or callable, optional
        What the agent is asked; or a function of the state that returns it.
    cache : bool
        Reuse what came of it before: for the same model, settings, instructions, tools, message and state.
    """

    is_leaf = True

    def __init__(self, step_id: str, agent: Any = None, message: Any = None, *, cache: bool = False) -> None:
        super().__init__(step_id)
        if agent is not None and not (isinstance(agent, str | Agent) or callable(agent) or _is_foreign(agent)):
            raise TypeError(
                f"step {step_id!r}: an agent is an Agent, a pydantic_ai.Agent, a function, or the name of one, "
                f"not {agent!r}"
            )
        self.agent = agent
        self.message = message
        self.cache = cache
        self.context_function: Callable[[WorkflowContext], Any] | None = None
        self.history: Any = None
        self.limits = Limits()
        self.stream: bool | None = None
        self.output_type: Any = None

    def with_input(self, message: str) -> Self:
        """Say what the agent is asked."""
        self.message = message
        return self._changed()

    def with_input_function(self, function: Callable[[WorkflowContext], Any]) -> Self:
        """Say what the agent is asked, as a function of the state."""
        self.message = self._function(function)
        return self._changed()

    def with_context_function(self, function: Callable[[WorkflowContext], Any]) -> Self:
        """Say what the agent is told beside what it is asked: a function of the state that returns a mapping."""
        self.context_function = self._function(function)
        return self._changed()

    def with_history(self, history: Any) -> Self:
        """Go on from messages: a list of them, a function of the state, or the id of the step whose they are."""
        self.history = history
        return self._changed()

    def with_output_type(self, output_type: Any) -> Self:
        """Say what it is to return, in place of what its agent says."""
        self.output_type = output_type
        return self._changed()

    def with_limits(
        self, *, tokens: int | None = None, requests: int | None = None, seconds: float | None = None
    ) -> Self:
        """Say how much one run may take at most."""
        for name, value in (("tokens", tokens), ("requests", requests), ("seconds", seconds)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
                raise ValueError(f"step {self.step_id!r}: {name} is a number, more than 0, not {value!r}")
        self.limits = Limits(tokens, requests, seconds)
        return self._changed()

    def with_streaming(self, stream: bool = True) -> Self:
        """Print the text as it comes; by default where each task has outputs of its own, as in a notebook."""
        self.stream = stream
        return self._changed()

    def spec(self, setting: Setting, path: str) -> AgentSpec:
        agent, missing = self._find(setting, path)
        spec = AgentSpec(
            missing=missing,
            message=self.message,
            context=self.context_function,
            history=self.history,
            limits=self.limits,
            stream=self.stream,
            conditions=tuple(self.conditions),
            output_type=self.output_type,
        )
        default = setting.model or os.environ.get(MODEL) or None
        if not isinstance(agent, Agent):
            return spec._replace(other=agent, model=default)
        tools, lacks = _known_tools(agent.tools, setting, path)
        return spec._replace(
            missing=missing or lacks,
            model=agent.model or default,
            name=agent.name,
            instructions=agent.instructions,
            tools=tools,
            output_type=self.output_type or agent.output_type,
            settings=agent.settings,
            retries=agent.retries,
        )

    def call(self, setting: Setting) -> Callable[..., Any]:
        agent, _ = self._find(setting, self.step_id)
        is_function = callable(agent) and not (isinstance(agent, Agent) or _is_foreign(agent))
        asked = (agent, self.message, self.context_function, *self.conditions)
        if is_function and not any(callable(one) and is_coroutine(one) for one in asked):
            return run_function
        return run_agent

    def written(self, setting: Setting) -> Callable[..., Any] | None:
        agent, _ = self._find(setting, self.step_id)
        shown = agent.instructions if isinstance(agent, Agent) else agent
        return shown if callable(shown) and not _is_foreign(shown) else None

    def _find(self, setting: Setting, path: str) -> tuple[Any, str]:
        if self.agent is not None and not isinstance(self.agent, str):
            return self.agent, ""
        name = self.agent or self.step_id
        agent = find("agent", name, setting.agents, lambda thing: isinstance(thing, Agent) or _is_foreign(thing))
        return agent, "" if agent is not None else unknown("agent", name, setting.agents, path)

    def _function(self, function: Any) -> Callable[[WorkflowContext], Any]:
        if not callable(function):
            raise TypeError(f"step {self.step_id!r}: a function of the state is needed, not {function!r}")
        known: Callable[[WorkflowContext], Any] = function
        return known


def _is_foreign(agent: Any) -> bool:
    """Whether it is an agent of pydantic-ai."""
    kind = getattr(sys.modules.get("pydantic_ai.agent"), "AbstractAgent", None)
    return kind is not None and isinstance(agent, kind)  # another thread may be importing it just now


def _known_tools(tools: Sequence[Any], setting: Setting, path: str) -> tuple[tuple[Any, ...], str]:
    """Return an agent's tools, those that are given by name looked up; and what is missing."""
    known = []
    for tool in tools:
        there = find("tool", tool, setting.tools, callable) if isinstance(tool, str) else tool
        if there is None:
            return (), unknown("tool", tool, setting.tools, path)
        known.append(there)
    return tuple(known), ""


def run_function(
    setting: Setting, about: Any, at: tuple[str, str], spec: AgentSpec, names: Any, *states: Any
) -> Defined:
    """Run an agent that is a function."""
    return asyncio.run(run_agent(setting, about, at, spec, names, *states))


async def run_agent(
    setting: Setting, about: Any, at: tuple[str, str], spec: AgentSpec, names: Any, *states: Any
) -> Defined:
    """Run an agent."""
    state = begin(setting, about, at, names, states)
    versions = versions_of(names, states)
    path, step_id = at
    if skipped := await why_skipped(spec.conditions, state, path):
        return end(state, at, None, skipped=skipped, versions=versions)
    if spec.missing:
        raise StepError(spec.missing, path)
    message = await settled(spec.message(state)) if callable(spec.message) else spec.message
    told = await settled(spec.context(state)) if spec.context is not None else {}
    if not isinstance(told, Mapping):
        raise StepError(f"step {path!r}: its context function returned {told!r}: it has to be a mapping", path)
    if callable(spec.other) and not _is_foreign(spec.other):
        seen = state.branch()
        seen.variables.update({**told, "message": message})
        output = await settled(invoke(spec.other, {}, seen, lambda: [message], path))
        state.absorb(
            seen.variables, {key: None for key in seen.variables.written if key not in {*told, "message"}}
        )
        return end(state, at, output, merges=True, versions=versions)
    from graflow_nb.steps.models import ask_model

    answer = await ask_model(spec, state, message, told, path)
    state.variables[f"step_{step_id}_messages"] = answer.messages
    metadata = {"messages": answer.messages, "usage": answer.usage, "model": answer.model}
    return end(state, at, answer.output, metadata=metadata, merges=True, versions=versions)
