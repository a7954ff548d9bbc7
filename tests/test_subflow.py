"""Composition: a workflow as a task, factories, copies, and many runs at once."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from again import again, channel_of, on_disk, ran, shown

from graflow_nb import Task, TaskDefinitionError, TaskError, WorkflowCancelled, context, task, workflow

WAIT = 10


def training(**options):
    with workflow("train", **options) as train:
        train.param("alpha", 2)

        @task
        def fit(data, alpha):
            return sum(data) * alpha

        @task
        def score(fit):
            return fit + 1

    return train


def outer_of(train, **options):
    with workflow("outer", **options) as outer:
        Task("data", lambda: [1, 2, 3])
        Task("report", lambda train: f"score {train}")
        _ = outer["data"] >> train >> outer["report"]
    return outer


class TestAWorkflowAsATask:
    def test_stands_in_an_expression(self):
        outer = outer_of(training())
        run = again(outer)
        assert run.results["report"] == "score 13"
        assert run.members == {"train": ("train/alpha", "train/fit", "train/score")}
        assert outer.execute() == "score 13"
        assert asyncio.run(outer.arun(force=True)).results["report"] == "score 13"
        assert list(outer.graph.nodes) == ["data", "report", "train"]

    def test_from_disk(self):
        on_disk(lambda: outer_of(training(), cache="disk"))

    def test_its_results_are_those_of_its_own_tasks_too(self):
        train = training()
        outer_of(train).run()
        assert train["score"].result == 13

    def test_twice_with_other_values(self):
        train = training()
        with workflow("outer") as outer:
            Task("data", lambda: [1, 2])
            one, two = train.as_task("one", alpha=1), train.as_task("two", alpha=outer["data"])
            two.options = train.as_task("x", alpha=5).options
            outer.graph.discard(outer["x"])
            _ = outer["data"] >> (one | two) >> Task("end", lambda results: results)
        assert again(outer).results["end"] == [4, 16]

    def test_a_change_inside_is_seen(self):
        train = training()
        outer = outer_of(train)
        again(outer)
        train.param("alpha", 5)
        assert outer.stale(outer.plan())
        assert outer.run().results["report"] == "score 31"
        assert outer.execute() == "score 31"
        with train:
            Task("twice", lambda score: 2 * score)
        assert outer.run().results["report"] == "score 62"
        train.param("alpha", 2)
        assert outer.run().results["report"] == "score 26"

    def test_an_edit_of_a_helper_inside_runs_what_it_must(self):
        space = {"more": 1}
        exec("def a(x): return x + more\ndef b(a): return a > 0\ndef c(b): return b", space)
        with workflow("inner") as inner:
            for name in "abc":
                Task(name, space[name])
        with workflow("outer") as outer:
            _ = Task("x", lambda: 1) >> inner >> Task("end", lambda inner: inner)
        again(outer)
        space["more"] = 2
        assert ran(outer.run()) == ["inner/a", "inner/b"]

    def test_in_several_storeys_with_conditions_maps_and_policies(self):
        with workflow("low") as low:
            Task("t", lambda x: x * 2).map(Task("items", lambda n: list(range(n))), name="m")
            Task("never", lambda m: 0, when=lambda m: len(m) > 99)
            bad = Task("bad", lambda m: 1 / 0 if len(m) > 50 else m)
            group = (Task("good", lambda m: sum(m)) | bad).with_policy("best_effort", name="both")
            _ = group >> Task("low_end", lambda results: results[0])
        with workflow("middle") as middle:
            _ = low >> Task("middle_end", lambda low: low + 1)
        with workflow("top") as top:
            _ = Task("n", lambda: 3) >> middle >> Task("end", lambda middle: middle)
        with pytest.raises(Exception, match="'n'"):
            middle.run()
        assert again(top).results["end"] == 7
        assert "middle/low/m[2]" in top.last_run.records

    def test_its_channel_and_resources_count_and_the_outer_ones_more(self):
        with workflow("inner", channel={"a": 1, "b": 1}, resources={"db": 2}) as inner:
            Task("t", lambda a, b: (a, b, context.get_channel().get("a")), resources={"db": 2})
        with workflow("outer", channel={"b": 2}) as outer:
            inner.as_task()
        assert again(outer).results["inner"] == (1, 2, 1)
        assert outer.run(channel={"a": 9}).results["inner"] == (9, 2, 9)
        assert outer.execute() == (1, 2, 1)

    @pytest.mark.parametrize("by_name", [True, False])
    def test_its_tasks_find_each_other_by_their_own_names(self, by_name):
        with workflow("inner") as inner:
            a = Task(
                "a", (lambda: context.next_task("c") or "a") if by_name else lambda: context.next_task(c) or "a"
            )
            b, c = Task("b", lambda a: a), Task("c", lambda b=None: (b, context.get_result("a")))
            _ = a >> b >> c >> Task("each", lambda x: (x, context.get_result("a"))).map([1], name="m")
        with workflow("outer") as outer:
            inner.as_task()
        run = again(outer) if by_name else outer.run()
        assert shown(run)["inner/b"] == "skipped"
        assert run.results["inner/c"] == (None, "a")
        assert run.results["inner"] == [(1, "a")]

    def test_its_failure_is_the_outer_ones(self):
        with workflow("inner") as inner:
            Task("bad", lambda: 1 / 0)
        with workflow("outer") as outer:
            _ = inner >> Task("end", lambda inner: inner)
        run = outer.run()
        assert shown(run) == {"inner": "failed", "end": "skipped", "inner/bad": "failed"}
        with pytest.raises(TaskError, match="inner/bad") as caught:
            outer.execute()
        assert isinstance(caught.value.__cause__, ZeroDivisionError)

    def test_what_happens_inside_reaches_the_run(self):
        with workflow("inner") as inner:
            Task("a", lambda: context.cancel_workflow("no"))
        with workflow("outer") as outer:
            inner.as_task()
        with pytest.raises(WorkflowCancelled, match="'inner/a' cancelled the workflow: no"):
            outer.execute()

    def test_errors_name_the_workflow_and_the_cure(self):
        train = training()
        with workflow("outer") as outer, pytest.raises(TaskDefinitionError, match="Did you mean 'alpha'"):
            train.as_task(alhpa=1)
        with train, pytest.raises(TaskDefinitionError, match="cannot be a task of itself"):
            train.as_task()
        with outer:
            train.as_task()
        with workflow("between") as between:
            outer.as_task()
        with train, pytest.raises(TaskDefinitionError, match="'between' has workflow 'train' as a task"):
            between.as_task()


class TestFactories:
    def test_a_factory_makes_flows_that_have_nothing_in_common(self):
        def make(n):
            with workflow("same") as flow:
                Task("a", lambda: n)
                Task("b", lambda a: context.get_channel().append("seen", a) or a)
            return flow

        runs = [make(n).run() for n in range(5)]
        assert [run.results["b"] for run in runs] == [0, 1, 2, 3, 4]
        assert [channel_of(run) for run in runs] == [{"seen": [n]} for n in range(5)]

    def test_a_copy_goes_its_own_way(self):
        flow = training()
        other = flow.copy("other")
        with other:
            Task("more", lambda score: -score)
            Task("data", lambda: [1])
        assert "more" not in flow.graph
        assert other.execute() == -3
        assert (flow.name, other.name) == ("train", "other")

    def test_one_task_object_in_two_workflows(self):
        shared = Task("shared", lambda: 7)
        flows = []
        for name in ("one", "two"):
            with workflow(name) as flow:
                _ = shared >> Task("end", lambda x, name=name: (name, x))
            flows.append(flow)
        assert [flow.run().results["end"] for flow in flows] == [("one", 7), ("two", 7)]


def everything():
    """Return a flow with a bit of all."""
    with workflow("inner") as inner:
        Task("twice", lambda x: 2 * x)
    with workflow("f") as flow:
        Task("x", lambda: 3)
        _ = flow["x"] >> inner
        Task("t", lambda i: i + 1).map(Task("items", lambda x: list(range(x))), name="m")
        Task("never", lambda m: m, when=lambda m: len(m) > 9)

        @task(inject_context=True)
        def loop(ctx, n=0):
            ctx.get_channel().append("seen", n)
            if n < 3:
                ctx.next_iteration(n + 1)
            else:
                ctx.next_task(Task("new", lambda: ctx.get_channel().get("seen")))
            return n

        group = (flow["loop"] | Task("bad", lambda x: 1 / 0)).with_policy("best_effort", name="g")
        _ = group >> Task("end", lambda results: (results[0], context.get_channel().get("seen")))
    return flow


EXPECTED = (3, [0, 1, 2, 3])


class TestManyAtOnce:
    def in_threads(self, count, work):
        start = threading.Barrier(count)

        def begin(number):
            start.wait(WAIT)
            return work(number)

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(begin, range(count), timeout=60))

    @pytest.mark.parametrize("way", ["execute", "run", "both"])
    def test_one_workflow_by_eight_threads(self, way):
        flow = everything()

        def work(number):
            if way == "execute" or (way == "both" and number % 2):
                result, left = flow.execute(return_context=True)
                return result, left.get_channel().snapshot()
            run = flow.run()
            return run.results["end"], channel_of(run)

        for _ in range(5):
            assert self.in_threads(8, work) == [(EXPECTED, {"seen": [0, 1, 2, 3]})] * 8

    def test_fifty_workflows_with_the_same_names_by_fifty_threads(self):
        before = set(threading.enumerate())

        def work(number):
            with workflow("same") as flow:
                Task("t", lambda x: (number, x)).map([1, 2], name="m")
                Task("end", lambda m: context.get_channel().append("seen", number) or m)
            run = flow.run()
            return run.results["end"], channel_of(run), flow.execute()

        made = self.in_threads(50, work)
        assert made == [([(n, 1), (n, 2)], {"seen": [n]}, [(n, 1), (n, 2)]) for n in range(50)]
        for thread in set(threading.enumerate()) - before:
            thread.join(WAIT)
        assert set(threading.enumerate()) <= before

    def test_ten_at_once_on_one_event_loop(self):
        flow = everything()

        async def all_of_them():
            return await asyncio.gather(*(flow.arun() for _ in range(10)))

        runs = asyncio.run(all_of_them())
        assert [run.results["end"] for run in runs] == [EXPECTED] * 10

    def test_streams_tell_of_everything_and_can_be_closed_early(self):
        flow = everything()

        async def watch():
            events = [event async for event in flow.stream()]
            begun = {event.task for event in events if type(event).__name__ == "TaskFinished"}
            assert begun == set(events[-1].run.records)
            stream = flow.stream(force=True)
            first = await anext(stream)
            await stream.aclose()
            return first.run

        run = asyncio.run(watch())
        assert run.is_finished
