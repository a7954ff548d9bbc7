"""Steps: each kind of them in both spellings, and what becomes of them at every level."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path

import pytest

from graflow_nb import RetryPolicy, Status, task, workflow
from graflow_nb.steps import (
    Agent,
    AgentStep,
    ConditionalStep,
    LoopStep,
    ParallelStep,
    StepStatus,
    Tool,
    ToolStep,
    Workflow,
    WorkflowBuilder,
    WorkflowContext,
    WorkflowEngine,
    WorkflowLogger,
    WorkflowStatus,
    create_parallel_workflow,
    create_sequential_workflow,
    create_workflow,
    execute_workflow_stream,
    register_tool,
    registry,
)


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setattr(registry, "TOOLS", {})
    monkeypatch.setattr(registry, "AGENTS", {})


def run(*steps, context=None, resume=False, handler=None, **engine):
    flow = create_workflow("w", steps=steps)
    if handler is not None:
        flow.with_error_handler(handler)
    return asyncio.run(WorkflowEngine(**engine).execute_workflow(flow, context, resume=resume))


class Fails:
    """A tool that fails so many times, and then returns how often it was called."""

    def __init__(self, times=10**6, error=None):
        self.left, self.error, self.calls = times, error or ConnectionError("network down"), 0

    def execute(self, args, context):
        self.calls += 1
        if self.calls <= self.left:
            raise self.error
        return self.calls


def paths(result):
    return {step.path: str(step.status) for step in result.all_steps}


# Tools


async def awaited(number):
    return number + 1


class Executes:
    def execute(self, args, context):
        return args["number"] + context["one"]


class AlsoTool(Tool):
    def execute(self, args, context):
        return args["number"] + 1


@pytest.mark.parametrize(
    "tool",
    [
        lambda number: number + 1,
        awaited,
        Executes(),
        AlsoTool("also"),
        Tool("plain", function=lambda number: number + 1),
        Tool("awaited", function=awaited),
        lambda number: awaited(number),
    ],
    ids=["function", "coroutine", "object", "subclass", "Tool", "Tool of a coroutine", "returns a coroutine"],
)
def test_what_a_tool_may_be(tool):
    result = run(ToolStep("add", tool, {"number": 1}), context={"one": 1})
    assert result.steps[0].output == 2


def test_a_tool_is_found_by_name():
    register_tool("twice", lambda number: number * 2)

    @register_tool
    def half(number):
        return number / 2

    @register_tool("thrice")
    def other(number):
        return number * 3

    context = {"number": 4}
    result = run(ToolStep("twice"), ToolStep("half"), ToolStep("more", "thrice"), context=context)
    assert [step.output for step in result.steps] == [8, 2, 12]
    own = run(ToolStep("twice"), context=context, tools={"twice": lambda number: number + 2})
    assert own.steps[0].output == 6
    assert run(ToolStep("half"), context=context, tools=[half]).success


def test_arguments_come_from_the_step_then_the_function_then_the_state():
    step = ToolStep("s", lambda a, b, c, d=4: [a, b, c, d], {"a": 1, "b": 1})
    result = run(step.with_params_function(lambda state: {"b": state["two"]}), context={"two": 2, "c": 3})
    assert result.steps[0].output == [1, 2, 3, 4]


def test_a_tool_can_ask_for_the_state_and_write_to_it():
    def counts(state):
        state["count"] = state.get("count", 0) + 1
        assert state.data is state.variables

    result = run(ToolStep("one", counts), ToolStep("two", counts), context={"count": 5})
    assert result.context["count"] == 7


# State


def test_the_state_has_outputs_and_the_items_of_mappings_and_the_input_stays():
    given = WorkflowContext("order_1", {"customer": 7}, {"items": [1]}, {"priority": "high"})
    result = run(ToolStep("one", lambda items: items.append(2) or {"total": 3}), context=given)
    assert result.context["total"] == 3
    assert result.context["step_one_result"] == {"total": 3}
    assert result.context.get_step_result("one") == {"total": 3}
    assert (given.variables, given["items"]) == ({"items": [1]}, [1])
    assert result.context.user_context == {"customer": 7}
    assert result.metadata["priority"] == "high"


@pytest.mark.parametrize("alias", ["variables", "initial_data"])
def test_a_context_is_a_mapping_over_its_variables(alias):
    context = WorkflowContext(workflow_id="w", **{alias: {"a": 1}})
    assert (context["a"], context.get("b", 2), dict(context), context.initial_data) == (1, 2, {"a": 1}, {"a": 1})
    with pytest.raises(KeyError, match="Did you mean 'alpha'"):
        WorkflowContext(variables={"alpha": 1})["alhpa"]


def test_what_branches_write_is_put_together_in_their_order_and_conflicts_are_told(caplog):
    first = threading.Event()

    def one():
        assert first.wait(10)
        return {"x": 1, "same": 0, "one": True}

    def two(state):
        assert "one" not in state
        first.set()
        return {"x": 2, "same": 0}

    result = run(ParallelStep("p", [ToolStep("one", one), ToolStep("two", two)]))
    assert result.context["x"] == 2
    assert result.context["one"] is True
    assert result.steps[0].metadata["conflicts"] == {"x": ["one", "two"]}
    assert "different values of 'x'" in caplog.text


def test_what_a_branch_deletes_is_gone():
    def drops(state):
        del state["secret"]

    assert "secret" not in run(ParallelStep("p", [ToolStep("a", drops)]), context={"secret": 1}).context


# Conditions


@pytest.mark.parametrize("style", ["A", "B"])
@pytest.mark.parametrize("is_true", [True, False])
def test_one_of_two_runs_and_the_other_is_skipped(style, is_true):
    yes, no = ToolStep("yes", lambda: "y"), ToolStep("no", lambda: "n")
    if style == "A":
        step = ConditionalStep("if", lambda context: context.variables.get("go"), yes, no)
    else:
        step = ConditionalStep("if").condition(lambda state: state["go"]).if_true(yes).if_false(no)
    result = run(step, context={"go": is_true})
    assert result.steps[0].output == ("y" if is_true else "n")
    expected = {"if": "completed", "if/yes": "completed", "if/no": "skipped"}
    assert paths(result) == (expected if is_true else {**expected, "if/yes": "skipped", "if/no": "completed"})


def test_without_a_step_for_it_nothing_runs():
    result = run(ConditionalStep("if", lambda state: False, ToolStep("yes", lambda: 1)))
    assert result.steps[0].output is None
    assert (result.steps_completed, result.total_steps) == (1, 1)


async def truly(state):
    return state["go"]


@pytest.mark.parametrize("condition", [lambda state: state["go"], truly], ids=["function", "coroutine"])
@pytest.mark.parametrize("make", [
    lambda: ToolStep("s", lambda: 1),
    lambda: ParallelStep("s", [ToolStep("t", lambda: 1)]),
    lambda: AgentStep("s", lambda message: 1, "m"),
    lambda: LoopStep("s", ToolStep("t", lambda: 1), max_iterations=1),
], ids=["tool", "parallel", "agent", "loop"])  # fmt: skip
def test_a_condition_at_any_step(condition, make):
    assert run(make().add_condition(condition), context={"go": True}).steps[0].is_success
    skipped = run(make().add_condition(condition), ToolStep("after", lambda: 2), context={"go": False})
    assert [str(step.status) for step in skipped.steps] == ["skipped", "completed"]
    assert "step_s_result" not in skipped.context
    assert skipped.success
    assert not skipped.steps[0].success
    assert not skipped.steps[0].is_failure


def test_conditions_work_on_nested_steps_too():
    branch = ToolStep("a", lambda: 1).with_condition(lambda state: False)
    result = run(ParallelStep("p", [branch, ToolStep("b", lambda: 2)]))
    assert result.steps[0].output == {"b": 2}
    assert paths(result)["p/a"] == "skipped"


@pytest.mark.parametrize("step", [
    ToolStep("s", lambda: 1).add_condition(lambda state: 1 / 0),
    ConditionalStep("s", lambda state: 1 / 0, ToolStep("t", lambda: 1)),
    LoopStep("s", ToolStep("t", lambda: 1), lambda state, i: 1 / 0),
    ParallelStep("s", [ToolStep("t", lambda: 1)]).add_condition(lambda state: 1 / 0),
])  # fmt: skip
def test_a_condition_that_raises_fails_its_step_by_name(step):
    result = run(step)
    assert result.error == "step 's': its condition raised ZeroDivisionError: division by zero"


# Side by side


def branches(*failing, count=3):
    return [ToolStep(name, Fails() if name in failing else Fails(0)) for name in "abcd"[:count]]


@pytest.mark.parametrize(
    ("policy", "minimum", "failing", "is_success"),
    [
        ("fail_on_any", None, "a", False),
        ("fail_fast", None, "a", False),
        ("continue_on_partial_failure", None, "ab", True),
        ("continue_on_partial_failure", None, "abc", False),
        ("continue_on_partial_failure", 2, "a", True),
        ("continue_on_partial_failure", 2, "ab", False),
        ("ignore_failures", None, "abc", True),
        ("ignore_failures", 1, "abc", False),
    ],
)
@pytest.mark.parametrize("is_nested", [False, True])
def test_failure_policies(policy, minimum, failing, is_success, is_nested):
    step = ParallelStep("p", branches(*failing)).with_failure_policy(policy)
    if minimum is not None:
        step.with_minimum_success_count(minimum)
    result = run(ConditionalStep("if", lambda state: True, step) if is_nested else step)
    assert result.success is is_success
    if not is_success:
        assert "p/a' failed: ConnectionError: network down" in result.error


def test_fail_fast_cancels_the_others():
    async def long():
        await asyncio.sleep(60)

    steps = [ToolStep("long", long), ToolStep("bad", Fails())]
    result = run(ParallelStep("p", steps).with_failure_policy("fail_fast"))
    assert paths(result) == {"p": "failed", "p/long": "cancelled", "p/bad": "failed"}


@pytest.mark.parametrize("loser", ["coroutine", "thread"])
def test_the_first_success_is_enough_if_all_need_not_end(loser):
    async def long():
        await asyncio.sleep(60)

    stop = threading.Event()

    def blocks():
        while not stop.wait(0.01):
            pass

    slow = ToolStep("slow", long if loser == "coroutine" else blocks)
    steps = [slow, ToolStep("bad", Fails()), ToolStep("good", lambda: 1)]
    result = run(ParallelStep("p", steps, wait_for_all=False))
    stop.set()
    assert result.steps[0].output == {"good": 1}
    assert paths(result)["p/slow"] == "cancelled"
    assert result.success
    none = run(ParallelStep("p", [ToolStep("bad", Fails())], wait_for_all=False))
    assert "none of 1 succeeded" in none.error


# Loops


def test_a_loop_runs_while_its_condition_holds():
    step = ToolStep("add", lambda loop_index, last_output: (last_output or 0) + loop_index)
    result = run(LoopStep("loop", step, lambda state, i: i < 4, max_iterations=10), context={})
    assert result.steps[0].output == [0, 1, 3, 6]
    assert "stopped" not in result.steps[0].metadata
    assert paths(result)["loop/add[3]"] == "completed"
    assert "loop_index" not in result.context


def test_a_condition_may_take_the_state_alone():
    step = ToolStep("add", lambda total=0: {"total": total + 1})
    assert run(LoopStep("loop", step, lambda state: state.get("total", 0) < 3)).context["total"] == 3


def test_reaching_the_maximum_is_told():
    step = LoopStep("loop", ToolStep("s", lambda: 1), lambda state, i: True, max_iterations=2)
    result = run(step)
    assert result.success
    assert result.steps[0].metadata == {
        "stopped": "after 2 iterations, which are its max_iterations",
        "iterations": 2,
    }


# Retries and timeouts


@pytest.mark.parametrize(
    ("given", "calls"),
    [({"max_retries": 2}, 3), ({"max_attempts": 2}, 2), ({"max_retries": 0}, 1), ({"max_attempts": 1}, 1)],
)
@pytest.mark.parametrize("is_nested", [False, True])
def test_retries_and_attempts(given, calls, is_nested):
    tool = Fails()
    step = ToolStep("s", tool).with_retry(**given, delay=0)
    result = run(ParallelStep("p", [step]) if is_nested else step)
    assert tool.calls == calls
    assert result.get_step_result("s").attempts == calls


def test_by_default_nothing_is_tried_again_and_retries_wait_with_jitter_and_a_cap():
    assert ToolStep("s").retry is None
    assert ToolStep("s").with_retry(3, delay=1, max_delay=5, backoff=3).retry == RetryPolicy(
        3, 1, 3, 5, jitter=True
    )


def test_a_composite_is_tried_again_as_a_whole():
    tool = Fails(1)
    result = run(ParallelStep("p", [ToolStep("a", tool), ToolStep("b", Fails(0))]).with_retry(1, delay=0))
    assert result.success
    assert result.steps[0].attempts == 2
    assert paths(result) == {"p": "completed", "p/a": "completed", "p/b": "completed"}


async def sleeps():
    await asyncio.sleep(60)


@pytest.mark.parametrize("step", [
    ToolStep("s", sleeps).with_timeout(0.05),
    ParallelStep("s", [ToolStep("t", sleeps)]).with_timeout(0.05),
    LoopStep("s", ToolStep("t", sleeps)).with_timeout(0.05),
    ConditionalStep("s", lambda state: True, ToolStep("t", sleeps)).with_timeout(0.05),
    ConditionalStep("s", lambda state: True, ToolStep("t", sleeps).with_timeout(0.05)),
])  # fmt: skip
def test_timeouts_at_every_level(step):
    result = run(step)
    assert result.is_failure
    assert "timeout" in result.error
    assert "running" not in paths(result).values()


# Error handlers


def test_a_handler_can_have_a_step_tried_again_three_times_with_all_its_attempts():
    tool, asked = Fails(), []

    def handler(error, step, state):
        asked.append((str(error), step.step_id, state["a"]))
        return {"action": "retry"}

    result = run(ToolStep("s", tool).with_retry(1, delay=0), context={"a": 1}, handler=handler)
    assert result.is_failure
    assert tool.calls == 2 * (1 + 3)
    assert asked == [("network down", "s", 1)] * 4
    assert run(ToolStep("s", Fails(2)), context={"a": 1}, handler=handler).success


@pytest.mark.parametrize("is_nested", [False, True])
def test_a_handler_can_skip_or_give_a_step_in_its_place(is_nested):
    def step():
        failing = ToolStep("s", Fails())
        return ParallelStep("p", [failing]) if is_nested else failing

    def handler(action):
        return lambda error, step, state: {"action": action, "step": other} if step.step_id == "s" else None

    other = ToolStep("other", lambda: 5)
    skipped = run(step(), handler=handler("skip"))
    assert skipped.success
    assert skipped.get_step_result("s").status is StepStatus.SKIPPED
    for given in (handler("fallback"), lambda error, step, state: other):
        result = run(step(), handler=given)
        assert result.success
        assert result.get_step_result("s").output == 5
        assert result.get_step_result("s").metadata["recovered_from"] == "ConnectionError: network down"
        assert result.context["step_s_result"] == result.context["step_other_result"] == 5


def test_the_handler_of_a_step_is_asked_first():
    flow = create_workflow("w", steps=[ToolStep("s", Fails())])
    flow.add_error_handler("s", lambda result, context: ToolStep("own", lambda: result.error))
    flow.with_error_handler(lambda error, step, state: 1 / 0)
    assert asyncio.run(flow.execute()).steps[0].output == "ConnectionError: network down"


def test_fail_leaves_the_decision_to_the_parents_policy():
    step = ParallelStep("p", branches("a")).with_failure_policy("ignore_failures")
    result = run(
        step, handler=lambda error, step, state: {"action": "fail", "escalate": True, "notify_team": True}
    )
    assert result.success
    assert result.metadata["escalations"] == [
        {
            "step": "p/a",
            "error": "ConnectionError: network down",
            "action": "fail",
            "escalate": True,
            "notify_team": True,
        }
    ]


def test_a_fallback_that_fails_too_is_the_error():
    result = run(
        ToolStep("s", Fails()), handler=lambda error, step, state: ToolStep("other", Fails(error=OSError(5)))
    )
    assert result.error == "step 's/other' failed: OSError: 5"


def test_a_handler_of_a_coroutine_function():
    async def handler(error, step, state):
        return {"action": "skip"}

    assert run(ToolStep("s", Fails()), handler=handler).success


# Results


def test_a_result_says_it_all():
    result = run(ToolStep("a", lambda: 1), ToolStep("b", Fails()), ToolStep("c", lambda: 3))
    assert (result.status, str(result.status), f"{result.status}") == ("failed", "failed", "failed")
    assert result.status is WorkflowStatus.FAILED
    assert [step.step_id for step in result.steps] == ["a", "b"]
    assert (result.steps_completed, result.total_steps, round(result.success_rate)) == (1, 3, 33)
    assert (result.is_failure, result.is_success, result.success) == (True, False, False)
    assert result.error == "step 'b' failed: ConnectionError: network down"
    assert isinstance(result.exception, ConnectionError)
    assert result.execution_time_ms == result.total_execution_time_ms > 0
    first, second = result.steps
    assert (first.is_success, first.success, first.is_failure, second.is_failure) == (True, True, False, True)
    assert second.exception.__traceback__ is not None


def test_a_nested_result_knows_its_path():
    inner = ParallelStep("parallel", [ToolStep("update_crm", Fails())])
    result = run(ConditionalStep("fulfillment", lambda state: True, inner))
    assert "'fulfillment/parallel/update_crm' failed" in result.error
    nested = result.get_step_result("fulfillment/parallel/update_crm")
    assert nested.is_nested
    assert [step.step_id for step in result.steps[0].steps[0].steps] == ["update_crm"]


def test_an_empty_workflow_is_done_at_once():
    result = asyncio.run(Workflow("w").execute())
    assert (result.status, result.total_steps, result.success_rate) == ("completed", 0, 100.0)


def test_ways_to_write_a_workflow():
    steps = [ToolStep("a", lambda: 1), ToolStep("b", lambda: 2)]
    for flow in (create_workflow("w", "W", steps), create_sequential_workflow("w", steps, name="W")):
        assert (flow.name, [step.step_id for step in flow.steps]) == ("W", ["a", "b"])
    side_by_side = asyncio.run(create_parallel_workflow("w", steps).execute())
    assert side_by_side.steps[0].output == {"a": 1, "b": 2}
    builder = WorkflowBuilder("w", "W").description("what it does").add_tool_step("t", lambda x: x, {"x": 1})
    builder.add_agent_step("g", lambda message: message, "hello").add_step(steps[0])
    one, other = builder.build(), builder.build()
    assert one is not other
    one.add_step(ToolStep("more", lambda: 1))
    assert len(other.steps) == 3
    assert other.description == "what it does"
    assert [step.output for step in asyncio.run(other.execute()).steps] == [1, "hello", 1]


# Watching


def test_streaming_gives_each_result_as_it_ends_and_applies_handlers():
    tool = Fails(1)
    flow = create_workflow("w", steps=[ParallelStep("p", [ToolStep("a", tool)]), ToolStep("b", lambda: 2)])
    flow.with_error_handler(lambda error, step, state: {"action": "retry"})
    seen = []
    flow.add_callback(lambda result: seen.append(result.path))

    async def watch():
        return [(r.path, str(r.status), r.is_nested) async for r in execute_workflow_stream(flow)]

    expected = [("p/a", "completed", True), ("p", "completed", False), ("b", "completed", False)]
    assert asyncio.run(watch()) == expected
    assert seen == [path for path, _, _ in expected]
    assert flow.last_result.success


def test_a_stream_closed_early_cancels_what_runs():
    cancelled = []

    async def long():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(1)
            raise

    flow = create_workflow("w", steps=[ToolStep("a", lambda: 1), ToolStep("long", long), ToolStep("c", lambda: 1)])

    async def watch():
        results = execute_workflow_stream(flow)
        async for result in results:
            assert result.step_id == "a"
            break
        await results.aclose()

    asyncio.run(watch())
    assert flow.last_result.status == "cancelled"
    assert "c" not in paths(flow.last_result)


class Notes(WorkflowLogger):
    def __init__(self):
        self.notes = []

    def log_step_start(self, step_name, state):
        self.notes.append(("start", step_name, state.workflow_id, list(state.data)))

    def log_step_complete(self, step_name, result, duration_ms):
        self.notes.append(("complete", step_name, result.success, duration_ms >= 0))

    def log_step_error(self, step_name, error, duration_ms):
        self.notes.append(("error", step_name, str(error), duration_ms >= 0))


def test_loggers_are_told_of_each_step_once():
    notes = Notes()
    flow = create_workflow("w", steps=[ToolStep("a", lambda: 1), ToolStep("b", Fails()).with_retry(1, delay=0)])
    asyncio.run(flow.with_logger(notes).execute({"x": 1}))
    assert notes.notes == [
        ("start", "a", "w", ["x"]), ("complete", "a", True, True),
        ("start", "b", "w", ["x", "step_a_result"]), ("error", "b", "network down", True),
    ]  # fmt: skip


def test_the_plain_logger_writes_to_the_log(caplog):
    with caplog.at_level(logging.INFO, "graflow_nb.steps"):
        run(ToolStep("a", lambda: 1), ToolStep("b", Fails()), loggers=[WorkflowLogger()])
    assert [record.step_name for record in caplog.records] == ["a", "a", "b", "b"]
    assert caplog.records[1].success is True


def test_a_callback_or_logger_that_raises_is_logged_and_harms_nothing(caplog):
    class Bad(WorkflowLogger):
        def log_step_start(self, step_name, state):
            raise ValueError("start")

        def log_step_complete(self, step_name, result, duration_ms):
            raise ValueError("complete")

    def callback(result):
        raise ValueError("callback")

    result = run(ToolStep("a", lambda: 1), loggers=[Bad()], callbacks=[callback])
    assert result.success
    assert caplog.text.count("failed") >= 3


# Resuming


def counted(folder, name, value):
    """Return a tool that leaves a mark in a folder whenever it is called."""

    def tool(marks):
        with Path(marks).open("a") as file:
            file.write(f"{name} ")
        return value

    return ToolStep(name, tool, {"marks": str(folder / "marks")})


def test_what_is_idempotent_and_has_finished_does_not_run_again(tmp_path):
    def execute(last, resume):
        steps = [
            counted(tmp_path, "a", 1).idempotent(),
            ParallelStep("p", [counted(tmp_path, "b", 2).idempotent(), counted(tmp_path, "c", 3)]),
            last,
        ]
        engine = WorkflowEngine(cache=tmp_path / "kept")
        return asyncio.run(engine.execute_workflow(create_workflow("w", steps=steps), {"x": 1}, resume=resume))

    def ran():
        marks = (tmp_path / "marks").read_text().split()
        (tmp_path / "marks").write_text("")
        return sorted(marks)

    assert execute(ToolStep("last", Fails()), resume=False).is_failure
    assert ran() == ["a", "b", "c"]
    again = execute(ToolStep("last", Fails(0)), resume=True)
    assert again.success
    assert ran() == ["c"]
    assert again.steps[0].metadata["reused"]
    assert again.context["step_b_result"] == 2
    assert execute(ToolStep("last", Fails(0)), resume=False).success
    assert ran() == ["a", "b", "c"]


def test_another_state_is_another_step(tmp_path):
    def execute(x):
        engine = WorkflowEngine(cache=tmp_path / "kept")
        step = ToolStep("a", lambda x: x * 2, idempotent=True)
        return asyncio.run(engine.execute_workflow(create_workflow("w", steps=[step]), {"x": x}, resume=True))

    assert [execute(x).steps[0].output for x in (1, 2, 1)] == [2, 4, 2]


def test_without_idempotent_steps_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(ToolStep("a", lambda: 1))
    assert not list(tmp_path.iterdir())


# Among tasks


def test_steps_stand_among_tasks():
    with workflow("mixed") as flow:

        @task
        def load():
            return {"rows": 3}

        @task
        def report(enrich, choose):
            return enrich, choose

        choose = ConditionalStep("choose", lambda state: state["step_enrich_result"] > 5)
        choose.if_true(ToolStep("many", lambda: "many")).if_false(ToolStep("few", lambda: "few"))
        load >> ToolStep("enrich", lambda rows: rows * 2) >> choose >> report

    ran = flow.run()
    assert ran.results["report"] == (6, "many")
    assert ran.statuses["choose/few"] is Status.SKIPPED
    assert flow.execute() == (6, "many")


def test_a_step_takes_the_one_result_before_it():
    with workflow("mixed") as flow:

        @task
        def load():
            return [1, 2]

        load >> ToolStep("count", lambda data: len(data)) >> ToolStep("twice", lambda number: number * 2)

    assert flow.run().results["twice"] == 4
    assert flow.execute() == 4


def test_the_flow_of_a_workflow_is_drawn_and_run_like_any():
    choose = ConditionalStep(
        "if", lambda state: state["x"] > 1, ToolStep("yes", lambda: "y"), ToolStep("no", lambda: "n")
    )
    flow = create_workflow("w", steps=[ToolStep("a", lambda: {"x": 2}), choose]).flow({"x": 0})
    assert list(flow.graph.edges) == [("a", "if")]
    ran = flow.run()
    assert ran.results["if"] == "y"
    assert {name: status for name, status in ran.statuses.items()} == {
        "a": Status.SUCCEEDED, "if": Status.SUCCEEDED, "if/yes": Status.SUCCEEDED, "if/no": Status.SKIPPED,
    }  # fmt: skip
    assert ("if/yes", "if") in ran.edges


def test_agents_can_be_registered_and_made_without_a_model():
    assert repr(Agent("a", "Be kind.")) == "Agent('a')"


def test_a_workflow_of_steps_is_a_task_of_another():
    def fails():
        raise ValueError("no")

    steps = [ParallelStep("p", [ToolStep("a", lambda: 1)]), ToolStep("bad", fails)]
    inner = create_workflow("inner", steps=steps)
    inner.with_error_handler(lambda error, step, state: ToolStep("instead", lambda: "done"))
    with workflow("outer") as outer:

        @task
        def report(inner):
            return inner

        inner.flow() >> report

    run_ = outer.run()
    assert run_.results["report"] == "done"
    assert {"inner/p/a", "inner/bad/instead"} <= run_.born
