"""Agents over the real client library, with a real HTTP server on loopback."""

from __future__ import annotations

import asyncio

import pytest
from completions import Server

from graflow_nb.steps import Agent, AgentStep, WorkflowEngine, create_workflow

pydantic = pytest.importorskip("pydantic")
pytest.importorskip("openai")
pytest.importorskip("pydantic_ai")

KEY = "sk-loopback-secret"


@pytest.fixture
def serve():
    servers = []

    def start(*answers):
        servers.append(Server(*answers))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def ask(server, step=None, *, retries=0, **agent):
    """Run one agent against a server; return the step's result."""
    step = step or AgentStep("s", message="hello")
    step.agent = Agent("a", "Be brief.", **agent)

    async def main():
        from openai import AsyncOpenAI
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        async with AsyncOpenAI(base_url=server.url, api_key=KEY, max_retries=retries) as client:
            step.agent.model = OpenAIChatModel("little", provider=OpenAIProvider(openai_client=client))
            return await WorkflowEngine().execute_workflow(create_workflow("w", steps=[step]))

    return asyncio.run(main()).steps[0]


def add(a: int, b: int) -> int:
    return a + b


def test_a_text(serve):
    server = serve("All is well.")
    result = ask(server)
    assert result.output == "All is well."
    assert (result.usage.input_tokens, result.usage.output_tokens) == (11, 7)
    ((path, headers, body),) = server.requests
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert [message["content"] for message in body["messages"]] == ["Be brief.", "hello"]


def test_a_tool_is_called(serve):
    server = serve({"add": {"a": 2, "b": 3}}, "It is 5.")
    result = ask(server, tools=[add])
    assert result.output == "It is 5."
    assert result.usage.requests == 2
    assert server.requests[1][2]["messages"][-1] == {"role": "tool", "tool_call_id": "t1", "content": "5"}


def test_a_structured_output(serve):
    class City(pydantic.BaseModel):
        name: str

    server = serve({"final_result": {"name": "Bern"}})
    assert ask(server, output_type=City).output == City(name="Bern")


def test_streaming_prints_the_text_as_it_comes(serve, capsys):
    server = serve({"add": {"a": 2, "b": 3}}, "It is five.")
    result = ask(server, AgentStep("s", message="m").with_streaming(), tools=[add])
    assert result.output.strip() == "It is five."
    assert capsys.readouterr().out.strip() == "It is five."
    assert server.requests[0][2]["stream"] is True
    assert result.usage.output_tokens == 14


@pytest.mark.parametrize("failure", [429, 500, "drop"])
def test_what_passes_is_tried_again_by_the_step(serve, failure):
    server = serve(failure, "At last.")
    result = ask(server, AgentStep("s", message="m").with_retry(1, delay=0))
    assert result.output == "At last."
    assert result.attempts == 2


@pytest.mark.parametrize(
    ("failure", "said"),
    [(429, "429"), (500, "500"), (401, "401"), ("drop", "Connection error"), ("garbage", "JSON")],
)
def test_what_does_not_pass_fails_the_step_and_says_what_it_was(serve, failure, said):
    result = ask(serve(failure))
    assert result.is_failure
    assert result.error.startswith("step 's': its agent failed: ")
    assert said in result.error
    assert KEY not in result.error


def test_the_client_tries_again_too(serve):
    server = serve(429, "At last.")
    result = ask(server, retries=1)
    assert (result.output, result.attempts, len(server.requests)) == ("At last.", 1, 2)


def test_a_server_that_hangs_runs_into_the_timeout_of_the_step(serve):
    result = ask(serve("hang"), AgentStep("s", message="m").with_timeout(0.3))
    assert result.is_failure
    assert "timeout" in result.error


def test_a_cancelled_workflow_closes_the_connection(serve):
    server = serve("hang")

    async def main():
        from openai import AsyncOpenAI
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        async with AsyncOpenAI(base_url=server.url, api_key=KEY, max_retries=0) as client:
            model = OpenAIChatModel("little", provider=OpenAIProvider(openai_client=client))
            flow = create_workflow("w", steps=[AgentStep("s", Agent("a", model=model), "m")])
            execution = asyncio.ensure_future(flow.execute())
            assert await asyncio.to_thread(server.asked.wait, 10)
            execution.cancel()
            with pytest.raises(asyncio.CancelledError):
                await execution
            assert flow.last_result.status == "cancelled"

    asyncio.run(main())
