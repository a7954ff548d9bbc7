"""How an agent is run: by pydantic-ai, which is imported when the first one is."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.core.errors import describe
from graflow_nb.core.scope import running
from graflow_nb.steps.agent_step import MODEL
from graflow_nb.steps.calls import settled
from graflow_nb.steps.errors import StepError
from graflow_nb.steps.registry import name_of
from graflow_nb.steps.tools import callable_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable

    from graflow_nb.steps.agent_step import AgentSpec
    from graflow_nb.steps.state import WorkflowContext


class Answer(NamedTuple):
    """What came of an agent's run."""

    output: Any
    messages: list[Any]
    usage: Any
    model: str


async def ask_model(
    spec: AgentSpec, state: WorkflowContext, message: Any, told: Mapping[str, Any], path: str
) -> Answer:
    """Run an agent, and return what came of it.

    Raises
    ------
    StepError
        If there is no model, or pydantic-ai is not installed, or the run failed; its cause is what was raised.
    """
    agent = spec.other
    model = getattr(agent, "model", None) or spec.model
    if model is None:
        raise StepError(
            f"step {path!r}: its agent has no model. Give it one: Agent(…, model='openai:gpt-4o'), or for all of "
            f"them WorkflowEngine(model=…) or the environment variable {MODEL}. 'test' is a model that calls "
            f"nobody.",
            path,
        )
    try:
        import pydantic_ai
    except ImportError as error:
        raise StepError(
            f"step {path!r} needs pydantic-ai to run an agent: pip install 'graflow-nb[agents]'", path
        ) from error
    try:
        options = await _options(spec, state, model)
        if agent is None:
            agent = await _made(spec, state, path)
        async with asyncio.timeout(spec.limits.seconds):
            result = await agent.run(_prompt(message, told), **options)
    except TimeoutError as error:
        raise StepError(
            f"step {path!r}: timeout: its agent took longer than {spec.limits.seconds:g} s", path
        ) from error
    except (StepError, asyncio.CancelledError):
        raise
    except Exception as error:
        hint = _hint(error, spec, pydantic_ai)
        raise StepError(f"step {path!r}: its agent failed: {describe(error)}{hint}", path) from error
    return Answer(result.output, list(result.all_messages()), result.usage, _name_of(model))


async def _options(spec: AgentSpec, state: WorkflowContext, model: Any) -> dict[str, Any]:
    from pydantic_ai import UsageLimits

    options: dict[str, Any] = {"model": model}
    if spec.limits.tokens or spec.limits.requests:
        options["usage_limits"] = UsageLimits(
            total_tokens_limit=spec.limits.tokens, request_limit=spec.limits.requests or 50
        )
    if spec.history is not None:
        options["message_history"] = await _history(spec.history, state)
    if spec.other is not None and spec.output_type is not None:
        options["output_type"] = spec.output_type
    if _streams(spec, model):
        options["event_stream_handler"] = _print
    return options


async def _history(history: Any, state: WorkflowContext) -> Any:
    if isinstance(history, str):
        return state.get(f"step_{history}_messages", [])
    return await settled(history(state)) if callable(history) else history


async def _made(spec: AgentSpec, state: WorkflowContext, path: str) -> Any:
    """Return an agent of ours as one of pydantic-ai."""
    import pydantic_ai

    instructions = spec.instructions
    if callable(instructions):
        instructions = await settled(instructions(state))
    options: dict[str, Any] = {"model_settings": dict(spec.settings) or None}
    if spec.retries is not None:
        options["retries"] = spec.retries
    return pydantic_ai.Agent(
        name=spec.name,
        instructions=instructions,
        output_type=spec.output_type,
        tools=[_tool(tool, state, path) for tool in spec.tools],
        **options,
    )


def _tool(tool: Any, state: WorkflowContext, path: str) -> Any:
    """Return a tool of ours as one of pydantic-ai."""
    import pydantic_ai

    if isinstance(tool, pydantic_ai.Tool):
        return tool
    function, takes_context = callable_of(tool, path)
    name = name_of(tool) or type(tool).__name__
    description = getattr(tool, "description", "") or inspect.getdoc(function) or None
    schema = getattr(tool, "parameters", None)
    if not takes_context and schema is None:
        return pydantic_ai.Tool(function, name=name, description=description)
    call: Callable[..., Any] = function
    if takes_context:

        async def call(**args: Any) -> Any:
            return await settled(function(args, state))

    schema = schema if isinstance(schema, Mapping) else {"type": "object", "additionalProperties": True}
    return pydantic_ai.Tool.from_schema(call, name=name, description=description, json_schema=dict(schema))


def _prompt(message: Any, told: Mapping[str, Any]) -> Any:
    if not told:
        return message
    context = json.dumps(dict(told), default=str, ensure_ascii=False, indent=1)
    return (
        f"{message or ''}\n\nContext:\n{context}".strip()
        if isinstance(message, str | None)
        else [*message, context]
    )


def _streams(spec: AgentSpec, model: Any) -> bool:
    if spec.stream is not None:
        return spec.stream
    here = running.get()
    is_able = getattr(model, "stream_function", model) is not None  # a function model may not be able to
    return here is not None and here.is_captured and is_able


async def _print(_: Any, events: AsyncIterable[Any]) -> None:
    """Print a text as it comes."""
    async for event in events:
        part = getattr(event, "part", None) if event.event_kind == "part_start" else getattr(event, "delta", None)
        kind = getattr(part, "part_kind", None) or getattr(part, "part_delta_kind", None)
        if kind == "text" and event.event_kind in {"part_start", "part_delta"}:
            text = getattr(part, "content", None) or getattr(part, "content_delta", None)
            if text:
                print(text, end="", flush=True)  # noqa: T201 - into the outputs of its node


def _name_of(model: Any) -> str:
    return model if isinstance(model, str) else str(getattr(model, "model_name", type(model).__name__))


def _hint(error: Exception, spec: AgentSpec, library: Any) -> str:
    if isinstance(error, library.UnexpectedModelBehavior) and spec.output_type not in {None, str}:
        wanted = getattr(spec.output_type, "__name__", spec.output_type)
        cause = f" ({describe(error.__cause__)})" if error.__cause__ is not None else ""
        return f". The model has to return {wanted}, and did not{cause}"
    return ""
