"""Cancelling what awaits a workflow, wherever it is: it ends as cancelled, and nothing is left running."""

from __future__ import annotations

import asyncio
import threading

import pytest

from graflow_nb.steps import (
    ConditionalStep,
    LoopStep,
    ParallelStep,
    ToolStep,
    WorkflowEngine,
    create_workflow,
    execute_workflow_stream,
)

TURNS = 400  # of the event loop: more than a whole execution takes


class Doors:
    """Counts who is in a tool."""

    def __init__(self):
        self.inside = 0

    async def quick(self):
        self.inside += 1
        try:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return {"seen": True}
        finally:
            self.inside -= 1

    async def fails(self):
        await self.quick()
        raise ValueError("no")


def everything(doors):
    """Return a workflow of every kind of step; its last one waits, so that it can only end by being cancelled."""
    parallel = ParallelStep("p", [ToolStep(name, doors.quick) for name in "ab"])
    parallel.add_branch(ToolStep("bad", doors.fails).with_retry(1, delay=0)).with_failure_policy("ignore_failures")
    steps = [
        ConditionalStep("if", lambda state: True, parallel),
        LoopStep("loop", ToolStep("t", doors.quick), max_iterations=2),
        ToolStep("first", doors.fails),
        ParallelStep(
            "race", [ToolStep("q", doors.quick), ToolStep("never", asyncio.Event().wait)], wait_for_all=False
        ),
        ToolStep("thread", lambda: 1),
    ]
    flow = create_workflow("w", steps=steps)
    return flow.with_error_handler(
        lambda error, step, state: ToolStep("other", doors.quick) if step.step_id == "first" else None
    )


async def cancelled_after(turns):
    """Cancel an execution after some turns of the loop; return the workflow, and whether it had ended before."""
    doors = Doors()
    flow, engine = everything(doors), WorkflowEngine()
    execution = asyncio.ensure_future(engine.execute_workflow(flow))
    for _ in range(turns):
        await asyncio.sleep(0)
    execution.cancel()
    try:
        result = await execution
    except asyncio.CancelledError:
        result = None
    assert doors.inside == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return flow, engine, result


@pytest.mark.parametrize("turns", [*range(40), *range(40, TURNS, 12)])
def test_cancelling_at_every_turn(turns):
    flow, engine, result = asyncio.run(cancelled_after(turns))
    if result is not None:
        assert result.success
    elif turns:
        assert flow.last_result is engine.last_result
        assert flow.last_result.status in {"cancelled", "completed"}
        assert not {"running", "pending"} & {str(step.status) for step in flow.last_result.all_steps}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("graflow-loop")]


def test_the_whole_takes_fewer_turns_than_are_tried():
    _, _, result = asyncio.run(asyncio.wait_for(_completes(), 30))
    assert result.success


async def _completes():
    doors = Doors()
    flow, engine = everything(doors), WorkflowEngine()
    return flow, engine, await engine.execute_workflow(flow)


@pytest.mark.parametrize("kind", ["tool", "parallel", "loop", "conditional", "handler"])
def test_cancelling_while_a_step_waits(kind):
    begun = asyncio.Event()

    async def waits():
        begun.set()
        await asyncio.Event().wait()

    def fails():
        raise ValueError("no")

    inner = ToolStep("waits", waits)
    step = {
        "tool": inner,
        "parallel": ParallelStep("p", [inner, ToolStep("quick", lambda: 1)]),
        "loop": LoopStep("l", inner),
        "conditional": ConditionalStep("c", lambda state: True, ParallelStep("p", [inner])),
        "handler": ToolStep("bad", fails),
    }[kind]
    flow = create_workflow("w", steps=[ToolStep("before", lambda: {"x": 1}), step, ToolStep("after", lambda: 1)])
    flow.with_error_handler(lambda error, step, state: inner)

    async def main():
        execution = asyncio.ensure_future(flow.execute())
        await begun.wait()
        execution.cancel()
        with pytest.raises(asyncio.CancelledError):
            await execution
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    result = flow.last_result
    assert result.status == "cancelled"
    assert result.context["x"] == 1
    statuses = {step.step_id: str(step.status) for step in result.all_steps}
    assert statuses["before"] == "completed"
    assert statuses["waits"] == "cancelled"
    assert "after" not in statuses


def test_a_tool_in_a_thread_is_stopped_too():
    begun = threading.Event()

    def spins():
        begun.set()
        while True:
            pass

    flow = create_workflow("w", steps=[ParallelStep("p", [ToolStep("spins", spins)])])

    async def main():
        execution = asyncio.ensure_future(flow.execute())
        await asyncio.to_thread(begun.wait, 10)
        execution.cancel()
        with pytest.raises(asyncio.CancelledError):
            await execution

    asyncio.run(main())
    assert flow.last_result.get_step_result("spins").status == "cancelled"


def test_a_stream_that_is_cancelled():
    begun = asyncio.Event()

    async def waits():
        begun.set()
        await asyncio.Event().wait()

    flow = create_workflow("w", steps=[ToolStep("waits", waits)])

    async def watch():
        return [result async for result in execute_workflow_stream(flow)]

    async def main():
        watching = asyncio.ensure_future(watch())
        await begun.wait()
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert flow.last_result.status == "cancelled"
