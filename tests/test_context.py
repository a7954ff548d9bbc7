from __future__ import annotations

import asyncio
import re
import threading
from typing import TypedDict

import pytest

from graflow_nb import TaskWrapper, context, task, workflow
from graflow_nb.core.errors import NoContextError, TaskDefinitionError
from graflow_nb.core.status import Status

WAIT = 10


def test_the_context_says_which_task_and_run_this_is():
    with workflow("f") as flow:

        @task(inject_context=True)
        def a(ctx):
            return ctx.task_name, ctx.run_id, ctx.session_id, ctx.cancelled, repr(ctx)

    run = flow.run()
    assert run.results["a"] == ("a", run.id, run.id, False, "<TaskContext of 'a'>")


def test_the_module_level_context_is_the_running_tasks():
    with workflow("f") as flow:

        @task
        def a():
            return context.task_name, repr(context)

        @task
        async def b():
            await asyncio.sleep(0)
            return context.task_name, repr(context)

    results = flow.run().results
    assert results == {name: (name, f"<TaskContext of {name!r}>") for name in "ab"}


def test_tasks_at_the_same_time_have_their_own():
    barrier = threading.Barrier(4)

    def body():
        barrier.wait(WAIT)
        return context.task_name

    with workflow("f") as flow:
        for name in "abcd":
            task(name)(body)
    assert flow.run(workers=4).results == {name: name for name in "abcd"}


def test_outside_a_task_it_says_so():
    with pytest.raises(NoContextError, match=r"context\.run_id is there only while a task runs"):
        _ = context.run_id
    assert repr(context) == "<context: no task is running here>"
    assert not hasattr(context, "__array__"), "what looks for special methods gets an AttributeError"


@pytest.mark.parametrize("way", ["run", "execute"])
def test_a_thread_of_a_task_has_its_context(way):
    seen = []

    def look():
        seen.append(context.task_name)

    with workflow("f") as flow:

        @task
        def a():
            thread = threading.Thread(target=look)
            thread.start()
            thread.join(WAIT)

    getattr(flow, way)()
    assert seen == ["a"]


def test_a_thread_that_was_there_before_has_no_context():
    seen, go = [], threading.Event()

    def look():
        go.wait(WAIT)
        with pytest.raises(NoContextError, match="no task is running"):
            _ = context.task_name
        seen.append(True)

    thread = threading.Thread(target=look)
    thread.start()
    with workflow("f") as flow:

        @task
        def a():
            go.set()
            thread.join(WAIT)

    assert flow.run().ok
    assert seen == [True]


class TestNextTask:
    def test_it_runs_after_its_maker_and_before_the_successors(self):
        order = []
        with workflow("f") as flow:

            @task(inject_context=True)
            def first(ctx):
                ctx.next_task(TaskWrapper("new", lambda x: order.append(("new", x)) or "of new"))
                return "of first"

            @task
            def last(first):
                order.append(("last", first))

        run = flow.run()
        assert order == [("new", "of first"), ("last", "of first")]
        assert run.results["new"] == "of new"
        assert set(run.edges) == {("first", "last"), ("first", "new"), ("new", "last")}

    def test_the_workflow_does_not_change(self):
        with workflow("f") as flow:

            @task(inject_context=True)
            def first(ctx):
                ctx.next_task(TaskWrapper("new", lambda: None))

        for _ in range(2):
            assert list(flow.run().results) == ["first", "new"]
            assert (list(flow.graph.nodes), flow.graph.edges) == (["first"], [])

    def test_several_run_side_by_side(self):
        barrier = threading.Barrier(3)
        with workflow("f") as flow:

            @task(inject_context=True)
            def first(ctx):
                for name in ("x", "y", "z"):
                    ctx.next_task(TaskWrapper(name, lambda: barrier.wait(WAIT)))

            @task
            def last(first): ...

        run = flow.run(workers=3)
        assert run.ok
        assert ("y", "x") not in run.edges and ("x", "y") not in run.edges

    def test_one_can_ask_for_the_next(self):
        order = []

        def make(n):
            def body(ctx):
                order.append(n)
                if n < 20:
                    ctx.next_task(make(n + 1))

            return TaskWrapper(f"step{n}", body, inject_context=True)

        with workflow("f") as flow:
            make(0) >> task("last")(lambda: order.append("last"))
        assert flow.run().ok
        assert order == [*range(21), "last"]

    def test_a_failure_of_it_skips_the_successors(self):
        with workflow("f") as flow:

            @task(inject_context=True)
            def first(ctx):
                ctx.next_task(TaskWrapper("new", lambda: 1 / 0))

            @task
            def last(first): ...

            task("other")(lambda: None)
        words = {name: str(status) for name, status in flow.run().statuses.items()}
        assert words == {"first": "succeeded", "last": "skipped", "other": "succeeded", "new": "failed"}

    def test_a_failed_task_asks_for_nothing(self):
        with workflow("f") as flow:

            @task(inject_context=True)
            def first(ctx):
                ctx.next_task(TaskWrapper("new", lambda: None))
                raise ValueError

        assert list(flow.run().statuses) == ["first"]

    def test_it_may_be_a_coroutine(self):
        async def later():
            await asyncio.sleep(0)
            return "later"

        with workflow("f") as flow:

            @task(inject_context=True)
            def first(ctx):
                ctx.next_task(TaskWrapper("new", later))

        assert flow.run().results["new"] == "later"

    def test_an_argument_that_nothing_fills_fails_it_alone(self):
        with workflow("f") as flow:

            @task(inject_context=True)
            def first(ctx):
                ctx.next_task(TaskWrapper("new", lambda x, y: None))

        run = flow.run()
        assert run.statuses == {"first": Status.SUCCEEDED, "new": Status.FAILED}
        assert "'new' needs arguments for 'x', 'y'" in str(run.errors["new"])

    def test_a_name_that_is_taken_is_left_out_and_said(self):
        with workflow("f") as flow:

            @task(inject_context=True)
            def first(ctx):
                for _ in range(2):
                    ctx.next_task(TaskWrapper("new", lambda: "new"))
                ctx.next_task(TaskWrapper("first", lambda: "again"))

        run = flow.run()
        assert list(run.results) == ["first", "new"]
        assert ["'new'" in run.notes[0], "'first'" in run.notes[1]] == [True, True]

    @pytest.mark.parametrize("wrong", [3, print, None])
    def test_only_tasks_can_be_next(self, wrong):
        with workflow("f") as flow:

            @task(inject_context=True)
            def first(ctx):
                ctx.next_task(wrong)

        error = flow.run().errors["first"]
        assert isinstance(error, TaskDefinitionError)
        assert "'first' called next_task()" in str(error)

    def test_with_execute_too(self):
        ran = []
        with workflow("f") as flow:

            @task(inject_context=True)
            def first(ctx):
                ctx.next_task(TaskWrapper("new", lambda: ran.append("new")))
                return "of first"

        assert flow.execute() == "of first"
        assert ran == ["new"]


class TestTypedChannel:
    class Counts(TypedDict):
        rows: int
        names: list[str]

    def test_a_task_gets_it_from_its_context_and_what_is_left_of_a_run_has_it_too(self):
        counts = self.Counts
        with workflow("f") as flow:

            @task(inject_context=True)
            def first(ctx):
                channel = ctx.get_typed_channel(counts)
                channel.set("rows", 3)
                channel.append("names", "a")

            @task
            def second(first):
                return context.get_typed_channel(counts).get("rows")

        result, left = flow.execute(return_context=True)
        assert result == 3
        assert left.get_typed_channel(counts).get("names") == ["a"]
        assert flow.run().results["second"] == 3
        assert {str(status) for status in flow.run().statuses.values()} == {"cached"}

    @pytest.mark.parametrize(
        ("write", "said"),
        [
            (lambda c: c.set("rows", "3"), r"rows.*expected int.*found str"),
            (lambda c: c.set("row", 3), r"(?s)row.*rows"),
            (lambda c: c.append("names", 3), r"names.*expected str.*found int"),
        ],
    )
    def test_what_it_refuses_fails_the_task_with_key_and_types(self, write, said):
        counts = self.Counts
        with workflow("f") as flow:

            @task(inject_context=True)
            def first(ctx):
                write(ctx.get_typed_channel(counts))

        error = flow.run().errors["first"]
        assert re.search(said, str(error)), error
