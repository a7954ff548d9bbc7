"""Agents, with the models that pydantic-ai has for tests: nobody is called."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import types

import pytest

from graflow_nb import workflow
from graflow_nb.steps import (
    Agent,
    AgentStep,
    ParallelStep,
    Tool,
    ToolStep,
    WorkflowEngine,
    create_workflow,
    register_agent,
    registry,
)

pydantic = pytest.importorskip("pydantic")
pydantic_ai = pytest.importorskip("pydantic_ai")

from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart  # noqa: E402
from pydantic_ai.models.function import FunctionModel  # noqa: E402
from pydantic_ai.models.test import TestModel  # noqa: E402


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.setattr(registry, "TOOLS", {})
    monkeypatch.setattr(registry, "AGENTS", {})
    monkeypatch.delenv("GRAFLOW_NB_MODEL", raising=False)
    monkeypatch.setattr(pydantic_ai.models, "ALLOW_MODEL_REQUESTS", False)


def run(*steps, context=None, resume=False, **engine):
    flow = create_workflow("w", steps=steps)
    return asyncio.run(WorkflowEngine(**engine).execute_workflow(flow, context, resume=resume))


def echo(messages, info):
    """Answer with the last thing that was said, and the instructions."""
    said = messages[-1].parts[-1].content
    return ModelResponse(parts=[TextPart(f"{info.instructions} | {said}")])


ECHO = FunctionModel(echo)


def decides(state):
    return "Be kind."


# Which model


def test_a_model_of_the_agent_of_the_engine_or_of_the_environment(monkeypatch):
    def of(text):
        return TestModel(custom_output_text=text)

    step = AgentStep("s", Agent("a"), "hello")
    own = AgentStep("own", Agent("a", model=of("own")), "hello")
    assert [s.output for s in run(step, own, model=of("engine")).steps] == ["engine", "own"]
    monkeypatch.setenv("GRAFLOW_NB_MODEL", "test")
    result = run(AgentStep("s", Agent("a"), "hello"))
    assert result.steps[0].output == "success (no tool calls)"
    assert result.steps[0].metadata["model"] == "test"


def test_without_a_model_it_fails_and_says_how_to_give_one():
    error = run(AgentStep("s", Agent("a"), "hello")).error
    assert all(
        cure in error for cure in ("Agent(…, model=", "WorkflowEngine(model=…)", "GRAFLOW_NB_MODEL", "'test'")
    )


def test_a_model_that_there_is_not_is_named():
    assert "nonsense" in run(AgentStep("s", Agent("a", model="nonsense:model"), "hello")).error


def test_without_the_library_it_fails_and_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydantic_ai", None)
    assert "pip install 'graflow-nb[agents]'" in run(AgentStep("s", Agent("a", model="test"), "hello")).error


def test_importing_steps_loads_no_library_of_agents():
    code = "import sys, graflow_nb.steps; print({'pydantic_ai', 'openai', 'pydantic'} & {*sys.modules})"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "set()\n"
    )


def test_while_another_thread_imports_the_library_agents_are_known_all_the_same(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydantic_ai.agent", types.ModuleType("pydantic_ai.agent"))
    task = create_workflow("w", steps=[AgentStep("s", Agent("a", decides, model="test"), "m")]).flow()["s"]
    assert task.written is decides
    assert task.is_coroutine


# What it is told


@pytest.mark.parametrize(
    "instructions", ["Be kind to Ada.", lambda state: f"Be kind to {state['name']}."], ids=["text", "function"]
)
def test_instructions_are_a_text_or_a_function_of_the_state(instructions):
    agent = Agent("a", instructions, model=ECHO)
    result = run(AgentStep("s", agent, "hello"), context={"name": "Ada"})
    assert result.steps[0].output == "Be kind to Ada. | hello"


def test_the_message_may_be_a_function_too_and_more_is_told_beside_it():
    step = AgentStep("s", Agent("a", "I", model=ECHO)).with_input_function(lambda state: f"order {state['id']}")
    step.with_context_function(lambda state: {"tier": state["tier"]})
    output = run(step, context={"id": 7, "tier": "gold"}).steps[0].output
    assert output == 'I | order 7\n\nContext:\n{\n "tier": "gold"\n}'


def test_settings_reach_the_model():
    def model(messages, info):
        return ModelResponse(parts=[TextPart(str(info.model_settings["temperature"]))])

    agent = Agent("a", model=FunctionModel(model), settings={"temperature": 0.5})
    assert run(AgentStep("s", agent, "m")).steps[0].output == "0.5"


def test_history_goes_on():
    def counts(messages, info):
        return ModelResponse(parts=[TextPart(str(len(messages)))])

    agent = Agent("a", model=FunctionModel(counts))
    result = run(AgentStep("one", agent, "hi"), AgentStep("two", agent, "again").with_history("one"))
    assert [step.output for step in result.steps] == ["1", "3"]
    assert len(result.steps[1].messages) == 4


# What it can call


def test_tools_are_called_by_the_model_with_the_state():
    calls = []

    class Looks(Tool):
        def execute(self, args, context):
            calls.append(("looks", sorted(args), context["city"]))
            return "sunny"

    def plain(city: str) -> str:
        calls.append(("plain", type(city).__name__))
        return "warm"

    async def awaited(n: int) -> int:
        calls.append(("awaited", type(n).__name__))
        return n

    def known(n: int) -> int:
        """Have a name."""
        calls.append(("known", type(n).__name__))
        return n

    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = [Looks("looks", "Look outside.", parameters=schema), plain, Tool("named", "Wait.", awaited), "known",
             pydantic_ai.Tool(plain, name="theirs")]  # fmt: skip
    result = run(
        AgentStep("s", Agent("a", tools=tools, model="test"), "weather?"),
        context={"city": "Bern"}, tools={"known": known},
    )  # fmt: skip
    assert result.success
    assert sorted(calls) == [
        ("awaited", "int"), ("known", "int"), ("looks", ["city"], "Bern"), ("plain", "str"), ("plain", "str"),
    ]  # fmt: skip
    assert "sunny" in result.steps[0].output


def test_a_tool_that_raises_fails_the_step():
    def bad(n: int) -> int:
        raise OSError("disk full")

    assert "disk full" in run(AgentStep("s", Agent("a", tools=[bad], model="test"), "m")).error


# What comes of it


class City(pydantic.BaseModel):
    name: str
    people: int


def test_a_structured_output():
    for step in (
        AgentStep("s", Agent("a", model="test", output_type=City), "m"),
        AgentStep("s", Agent("a", model="test"), "m").with_output_type(City),
    ):
        assert isinstance(run(step).steps[0].output, City)


def test_a_mapping_as_output_is_merged():
    class Verdict(dict):
        pass

    agent = Agent("a", model=TestModel(custom_output_args={"valid": True}), output_type=dict[str, bool])
    assert run(AgentStep("s", agent, "m")).context["valid"] is True


def test_a_text_where_a_type_is_asked_is_an_error_that_says_so():
    model = FunctionModel(lambda messages, info: ModelResponse(parts=[TextPart("I would rather not")]))
    error = run(AgentStep("s", Agent("a", model=model, output_type=City), "m")).error
    assert "step 's': its agent failed" in error
    assert "The model has to return City, and did not" in error


def test_messages_and_usage_are_in_the_result():
    result = run(AgentStep("s", Agent("a", model="test"), "m")).steps[0]
    assert len(result.messages) == 2
    assert result.usage.requests == 1
    assert result.usage.output_tokens > 0


# Limits


def calls_for_ever(messages, info):
    return ModelResponse(parts=[ToolCallPart("more", {})])


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"requests": 2}, "request_limit of 2"),
        ({"tokens": 60}, "total_tokens_limit of 60"),
        ({"seconds": 0.05}, "timeout"),
    ],
)
def test_limits(limits, message):
    async def waits(messages, info):
        await asyncio.Event().wait()

    model = FunctionModel(waits if "seconds" in limits else calls_for_ever)
    agent = Agent("a", model=model, tools=[Tool("more", "More.", lambda: "more and more " * 20)])
    assert message in run(AgentStep("s", agent, "m").with_limits(**limits)).error


# Others in its place


def test_an_agent_of_the_library_itself():
    agent = pydantic_ai.Agent(TestModel(custom_output_text="theirs"))
    assert run(AgentStep("s", agent, "m")).steps[0].output == "theirs"
    register_agent("known", agent)
    assert run(AgentStep("known").with_input("m")).steps[0].output == "theirs"
    assert run(AgentStep("s", pydantic_ai.Agent(), "m"), model="test").steps[0].output == "success (no tool calls)"


async def answers(message, state):
    state["asked"] = message
    return {"answer": 42}


@pytest.mark.parametrize("agent", [lambda message: {"answer": 42}, answers, lambda text: {"answer": 42}])
def test_any_callable_can_be_the_agent(agent):
    result = run(AgentStep("s", agent, "why?"), model="test")
    assert result.context["answer"] == 42
    assert "message" not in result.context


def test_what_a_context_function_says_is_there_for_a_callable():
    step = AgentStep("s", lambda message, tier: f"{message} {tier}", "m").with_context_function(
        lambda s: {"tier": 1}
    )
    result = run(step)
    assert result.steps[0].output == "m 1"
    assert "tier" not in result.context


# Watching, keeping


def test_text_is_streamed_into_the_outputs_of_its_node(nb):
    nb("from graflow_nb.steps import Agent, AgentStep")
    nb("agent = AgentStep('talks', Agent('a', model='test'), 'hello')")
    nb("%%task first\n1")
    nb("first >> agent")
    nb("%flow run")
    assert "success (no tool calls)" in "".join(
        output.get("text", "") for output in nb.shell.user_ns["agent"].task.outputs
    )


def test_in_a_script_nothing_is_printed_unless_asked_for(capsys):
    run(AgentStep("s", Agent("a", model="test"), "m"))
    assert capsys.readouterr().out == ""
    run(AgentStep("s", Agent("a", model="test"), "m").with_streaming())
    assert capsys.readouterr().out == "success (no tool calls)"


def asked(monkeypatch, tmp_path, **changes):
    """Run a step that is kept; return whether it was reused."""
    parts = {
        "instructions": "Be kind.",
        "tools": (),
        "message": "hello",
        "settings": {},
        "model": "test",
        **changes,
    }
    message, cache = parts.pop("message"), parts.pop("cache", True)
    step = AgentStep("s", Agent("a", **parts), message, cache=cache)
    return run(step, context={"x": 1}, cache=tmp_path / "kept").steps[0].metadata.get("reused", False)


def test_it_is_kept_only_if_told_so_and_for_the_same_of_everything(monkeypatch, tmp_path):
    def tool(n: int) -> int:
        return n + 1

    assert not asked(monkeypatch, tmp_path)
    assert asked(monkeypatch, tmp_path)
    for change in (
        {"instructions": "Be unkind."}, {"message": "bye"}, {"settings": {"temperature": 0}}, {"tools": (tool,)},
        {"instructions": lambda state: "Be kind."}, {"cache": False},
    ):  # fmt: skip
        assert not asked(monkeypatch, tmp_path, **change)
    assert asked(monkeypatch, tmp_path)


def test_among_tasks_it_runs_each_time_unless_it_is_kept():
    with workflow("w") as flow:
        every = AgentStep("every", lambda message: message, "m")
        once = AgentStep("once", lambda message: message, "m", cache=True)
        every >> once
    flow.run()
    statuses = flow.run().statuses
    assert [str(statuses[name]) for name in ("every", "once")] == ["succeeded", "cached"]


def test_a_key_is_never_shown_or_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-key")
    step = AgentStep("s", Agent("a", model="openai:gpt-4o"), "m", cache=True)
    result = run(step, cache=tmp_path / "kept")
    assert result.is_failure  # requests are not allowed here
    kept = b"".join(path.read_bytes() for path in (tmp_path / "kept").rglob("*") if path.is_file())
    assert b"sk-very-secret-key" not in kept
    assert "sk-very-secret-key" not in repr(result) + str(result.exception)


def test_agents_side_by_side():
    steps = [AgentStep(name, Agent(name, model="test"), "m") for name in "ab"]
    assert len(run(ParallelStep("p", steps), ToolStep("t", lambda step_a_result: step_a_result)).steps) == 2
