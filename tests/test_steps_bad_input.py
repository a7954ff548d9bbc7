"""What is written wrong is said, with the step's path and the cure; nothing is left running."""

from __future__ import annotations

import asyncio

import pytest

from graflow_nb import TaskDefinitionError
from graflow_nb.steps import (
    Agent,
    AgentStep,
    ConditionalStep,
    LoopStep,
    ParallelStep,
    Tool,
    ToolStep,
    Workflow,
    WorkflowBuilder,
    WorkflowContext,
    WorkflowEngine,
    create_workflow,
    register_tool,
    registry,
)


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setattr(registry, "TOOLS", {"send_email": print})
    monkeypatch.setattr(registry, "AGENTS", {})
    monkeypatch.delenv("GRAFLOW_NB_MODEL", raising=False)


def one():
    return 1


def run(*steps, context=None, handler=None):
    flow = create_workflow("w", steps=steps)
    if handler is not None:
        flow.with_error_handler(handler)
    return asyncio.run(WorkflowEngine().execute_workflow(flow, context))


WRITTEN_WRONG = [
    (lambda: ToolStep(""), ValueError, "a text that is not empty"),
    (lambda: ToolStep("a/b"), ValueError, "has no '/'"),
    (lambda: ToolStep("a", 5), TypeError, "a tool is a function"),
    (lambda: ToolStep("a", one, [1]), TypeError, "args are a mapping"),
    (lambda: ToolStep("a").with_params_function(5), TypeError, "function of the state"),
    (lambda: AgentStep("a", 5), TypeError, "an agent is an Agent"),
    (lambda: AgentStep("a").with_input_function("hi"), TypeError, "function of the state"),
    (lambda: AgentStep("a").with_limits(tokens=0), ValueError, "more than 0"),
    (lambda: ToolStep("a").with_retry(1, max_attempts=2), TypeError, "both given"),
    (lambda: ToolStep("a").with_retry(), TypeError, "neither was given"),
    (lambda: ToolStep("a").with_retry(max_attempts=0), ValueError, "1 or more"),
    (lambda: ToolStep("a").with_retry(-1), TaskDefinitionError, "0 or more"),
    (lambda: ToolStep("a").with_timeout(0), ValueError, "more than 0"),
    (lambda: ToolStep("a").with_timeout(True), ValueError, "more than 0"),
    (lambda: ToolStep("a").add_condition(True), TypeError, "a function of the state"),
    (lambda: ConditionalStep("a", True), TypeError, "a function of the state"),
    (lambda: ConditionalStep("a").if_true(one), TypeError, "takes steps, not"),
    (lambda: ConditionalStep("a").if_true(ToolStep("b")).if_false(ToolStep("b")), ValueError, "two steps 'a/b'"),
    (lambda: ParallelStep("p", [ToolStep("a"), ToolStep("a")]), ValueError, "two steps 'p/a'"),
    (lambda: ParallelStep("p").with_failure_policy("fail_any"), ValueError, "'fail_on_any', 'fail_fast'"),
    (lambda: ParallelStep("p").with_minimum_success_count(-1), ValueError, "0 or more"),
    (lambda: LoopStep("l", one), TypeError, "takes steps"),
    (lambda: LoopStep("l", ToolStep("a"), max_iterations=None), ValueError, "a loop must have an end"),
    (lambda: LoopStep("l", ToolStep("a"), 5), TypeError, "a function of the state"),
    (lambda: Workflow(""), ValueError, "a text that is not empty"),
    (lambda: Workflow("w").add_step(one), TypeError, "ToolStep\\('name', function\\)"),
    (lambda: Workflow("w").add_step(ToolStep("a")).add_step(ToolStep("a")), ValueError, "two steps 'a'"),
    (lambda: WorkflowBuilder("w").add_tool_step("a").add_tool_step("a"), ValueError, "two steps 'a'"),
    (lambda: WorkflowBuilder("w").with_error_handler(5), TypeError, "an error handler is a function"),
    (lambda: WorkflowBuilder("w").with_logger(print), TypeError, "a logger is a WorkflowLogger"),
    (lambda: WorkflowContext(variables={}, initial_data={}), TypeError, "two names of one thing"),
    (lambda: WorkflowContext("w", variables=[1]), TypeError, "variables is a mapping"),
    (lambda: WorkflowEngine(tools=[5]), TypeError, "which has no name"),
    (lambda: WorkflowEngine(agents=5), TypeError, "a dict by names"),
    (lambda: register_tool(5), TypeError, "has no name of its own"),
    (lambda: Tool(""), TypeError, "a text that is not empty"),
    (lambda: Tool("t", function=5), TypeError, "something to call"),
    (lambda: Agent("a", instructions=5), TypeError, "a text, or a function"),
    (
        lambda: asyncio.run(WorkflowEngine().execute_workflow(WorkflowBuilder("w"))),
        TypeError,
        "build\\(\\) returns one",
    ),
    (lambda: asyncio.run(Workflow("w").execute(5)), TypeError, "a WorkflowContext, or a dict"),
]


@pytest.mark.parametrize(("write", "kind", "message"), WRITTEN_WRONG)
def test_what_is_written_wrong_is_said_where_it_is_written(write, kind, message):
    with pytest.raises(kind, match=message):
        write()


class Odd:
    def execute(self):
        return 1


FAILS = [
    (ToolStep("send_mail"), "register_tool('send_mail', …)", "Did you mean 'send_email'?"),
    (ToolStep("s", "send_mail"), "there is no tool 'send_mail'", "WorkflowEngine(tools="),
    (ToolStep("s", Tool("empty")), "has nothing to call", "Tool('empty', function=…)"),
    (ToolStep("s", lambda amount: 1, {"amuont": 1}), "no parameter 'amuont'", "Did you mean 'amount'?"),
    (ToolStep("s", lambda amount: 1), "its tool needs 'amount'", "with_params_function"),
    (ToolStep("s", one, {"x": 1}), "no parameter 'x'", "It has no parameters."),
    (ToolStep("s", one).with_params_function(lambda state: 5), "its params function returned 5", "a mapping"),
    (ToolStep("s", one).with_params_function(lambda state: state["oder"]), "the state has no 'oder'", "'order'?"),
    (ToolStep("s", Odd()), "takes 1 positional argument", "Odd.execute()"),
    (AgentStep("helper"), "register_agent('helper', …)", "WorkflowEngine(agents="),
    (AgentStep("s", Agent("a")), "has no model", "GRAFLOW_NB_MODEL"),
    (AgentStep("s", Agent("a", tools=["nope"], model="test")), "there is no tool 'nope'", "register_tool"),
    (AgentStep("s", lambda m: m, "m").with_context_function(lambda state: 5), "returned 5", "a mapping"),
    (ConditionalStep("s"), "has no condition", ".condition(lambda state: …)"),
    (ParallelStep("s", [ToolStep("a", one)]).with_minimum_success_count(2), "needs 2 successes", "has 1 steps"),
]


@pytest.mark.parametrize(("step", "message", "cure"), FAILS, ids=[message for _, message, _ in FAILS])
def test_a_step_that_cannot_run_fails_with_the_cure(step, message, cure):
    result = run(step, context={"order": 1})
    assert result.status == "failed"
    assert message in result.error
    assert cure in result.error
    nested = run(ParallelStep("outer", [ConditionalStep("if", lambda state: True, step)]), context={"order": 1})
    assert f"'outer/if/{step.step_id}" in nested.error


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (5, "returned 5: it may return None, a step, or a dict"),
        ({"action": "retyr"}, "Did you mean 'retry'?"),
        ({"step": 1}, "or a dict with an action of 'retry', 'fail', 'skip', 'fallback'"),
        ({"action": "fallback"}, "a fallback without a step"),
        (ZeroDivisionError(), "its handler raised ZeroDivisionError"),
    ],
)
def test_a_handler_that_returns_nonsense_fails_the_step(answer, message):
    def handler(error, step, state):
        if isinstance(answer, Exception):
            raise answer
        return answer

    result = run(ToolStep("s", lambda: 1 / 0), handler=handler)
    assert result.status == "failed"
    assert "ZeroDivisionError: division by zero" in result.error
    assert message in result.error


def test_a_handler_for_a_step_that_is_not_there_is_said(caplog):
    flow = create_workflow("w", steps=[ToolStep("payment", one)])
    assert asyncio.run(flow.add_error_handler("paymnet", print).execute()).success
    assert "Did you mean 'payment'?" in caplog.text
