"""`when=`: whether a task runs, and what becomes of those after one that does not."""

from __future__ import annotations

import asyncio

import pytest
from again import again, channel_of, on_disk, ran, shown

from graflow_nb import ConditionError, MissingArgumentError, Task, TaskError, context, task, workflow


def choice(**options):
    """Return a flow in which one of two branches runs, and a join."""
    with workflow("f", **options) as flow:
        flow.param("rows", [1, 2])

        @task(when=lambda rows: len(rows) > 5)
        def big(rows):
            return "big"

        @task(when=lambda rows: len(rows) <= 5)
        def small(rows):
            return "small"

        @task
        def report(big=None, small=None):
            return big, small

        _ = (big | small) >> report
    return flow


def test_of_two_branches_one_runs_and_the_join_after_it():
    flow = choice()
    first = again(flow)
    assert first.results["report"] == (None, "small")
    assert shown(first)["big"] == "skipped"
    assert first.records["big"].note == "its condition is false"
    assert flow.execute() == (None, "small")
    other = flow.run(set={"rows": [0] * 9})
    assert ran(other) == ["big", "report", "rows"]
    assert other.results["report"] == ("big", None)
    assert ran(flow.run()) == [], "back again, all is there"


def test_from_disk():
    on_disk(lambda: choice(cache="disk"))


def test_with_arun_and_stream():
    assert asyncio.run(choice().arun()).results["report"] == (None, "small")

    async def last():
        return [event async for event in choice().stream()][-1].run.results["report"]

    assert asyncio.run(last()) == (None, "small")


class TestWhatComesAfterASkippedTask:
    def flow(self, join, *, wants_a=False, wants_b=True):
        with workflow("f") as flow:
            a = Task("a", lambda: "a", when=lambda: wants_a)
            b = Task("b", lambda: "b", when=lambda: wants_b)
            end = Task("end", join)
            _ = (a | b) >> end
        return flow

    def test_a_list_leaves_it_out(self):
        assert again(self.flow(lambda results: results)).results["end"] == ["b"]

    def test_and_so_does_star_args(self):
        assert again(self.flow(lambda *results: results)).results["end"] == ("b",)

    def test_a_default_takes_its_place(self):
        assert again(self.flow(lambda a="none", b="none": a + b)).results["end"] == "noneb"

    def test_without_a_default_it_is_skipped_too(self):
        run = again(self.flow(lambda a, b: a + b))
        assert shown(run)["end"] == "skipped"
        assert run.records["end"].note == "its input 'a' was skipped"

    def test_a_join_none_of_whose_inputs_ran_is_skipped(self):
        run = again(self.flow(lambda a=1, b=2: a + b, wants_b=False))
        assert shown(run) == dict.fromkeys(["a", "b", "end"], "skipped")
        assert run.ok, "nothing failed"

    def test_what_is_after_a_chain_of_them_is_skipped(self):
        with workflow("f") as flow:
            _ = Task("a", lambda: 1, when=lambda: False) >> Task("b", lambda a: a) >> Task("c", lambda b: b)
        run = again(flow)
        assert [record.note for record in run.records.values()] == [
            "its condition is false", "'a' was skipped", "'b' was skipped",
        ]  # fmt: skip
        assert flow.execute() is None


class TestWhatAConditionReads:
    def test_results_of_tasks_that_are_not_inputs_make_edges(self):
        with workflow("f") as flow:
            Task("go", lambda: False)
            Task("a", lambda: 1, when=lambda go: go)
        run = again(flow)
        assert ("go", "a") in run.edges
        assert shown(run)["a"] == "skipped"

    def test_a_global_it_reads_is_noticed(self):
        space = {"limit": 3}
        exec("wants = lambda n: n < limit", space)
        with workflow("f") as flow:
            flow.param("n", 5)
            Task("a", lambda n: n, when=space["wants"])
        assert shown(flow.run())["a"] == "skipped"
        space["limit"] = 9
        assert flow.stale(flow.plan())
        assert shown(flow.run())["a"] == "succeeded"
        space["limit"] = 3
        assert shown(flow.run())["a"] == "skipped"

    def test_the_condition_is_not_part_of_the_result(self):
        with workflow("f") as flow:
            flow.param("n", 5)
            a = Task("a", lambda n: n, when=lambda n: n > 1)
        flow.run()
        a.options = Task("a", print, when=lambda n: n > 2).options
        assert ran(flow.run()) == []

    def test_channel_and_context(self):
        def wants():
            return context.get_channel().get("go", 0) > 1

        with workflow("f") as flow:
            Task("a", lambda: 1, when=wants)
        assert shown(flow.run(channel={"go": 1}))["a"] == "skipped"
        assert shown(flow.run(channel={"go": 2}))["a"] == "succeeded"
        assert shown(flow.run(channel={"go": 1}))["a"] == "skipped"

    def test_what_is_bound_for_the_task_is_bound_for_its_condition(self):
        with workflow("f") as flow:
            t = Task("t", lambda x: x, when=lambda x: x > 1)
            t.bind(x=1, name="one")
            t.bind(x=2, name="two")
        assert shown(again(flow)) == {"one": "skipped", "two": "succeeded"}

    def test_a_coroutine_function(self):
        async def wants():
            await asyncio.sleep(0)
            return False

        with workflow("f") as flow:
            Task("a", lambda: 1, when=wants)
        assert shown(flow.run())["a"] == "skipped"
        assert shown(asyncio.run(flow.arun()))["a"] == "skipped"


class TestOfAMap:
    def flow(self, when):
        with workflow("f") as flow:
            Task("go", lambda: True)
            flow.param("least", 2)
            Task("numbers", lambda: [1, 2, 3])
            t = Task("t", lambda x: 10 * x, when=when)
            t.map(flow["numbers"], name="m")
            Task("end", lambda m=(): m)
            _ = flow["m"] >> flow["end"]
        return flow

    def test_one_that_reads_the_item_decides_about_each(self):
        run = again(self.flow(lambda x: x > 1))
        assert run.results["end"] == [20, 30]
        assert shown(run)["m[0]"] == "skipped"

    def test_one_that_does_not_decides_about_the_whole(self):
        assert again(self.flow(lambda go: go)).results["end"] == [10, 20, 30]
        assert shown(again(self.flow(lambda go: not go)))["m"] == "skipped"

    def test_one_that_asks_for_more_is_a_clear_error(self):
        with pytest.raises(TaskError, match=r"condition of task 't' \(when\) takes 'leest'"):
            self.flow(lambda x, leest: x > leest).execute()


class TestErrors:
    @pytest.mark.parametrize("answer", [lambda: 1 / 0, lambda: __import__("numpy").zeros(2)])
    def test_one_that_raises_fails_the_task_and_is_named(self, answer):
        with workflow("f") as flow:
            _ = Task("a", lambda: 1, when=answer) >> Task("b", lambda a: a)
            Task("c", lambda: 3)
        run = flow.run()
        assert shown(run) == {"a": "failed", "b": "skipped", "c": "succeeded"}
        assert isinstance(run.errors["a"], ConditionError)
        assert str(run.errors["a"]).startswith("the condition of task 'a' (when) raised ")
        assert run.errors["a"].__cause__ is not None
        with pytest.raises(TaskError, match="condition of task 'a'"):
            flow.execute()

    def test_a_condition_that_nothing_fills_is_found_before_the_run(self):
        with workflow("f") as flow:
            Task("a", lambda: 1)
            _ = flow["a"] >> Task("b", lambda a: a, when=lambda aa, bb: aa)
        with pytest.raises(MissingArgumentError, match=r"task 'b\?' needs arguments for 'aa', 'bb'"):
            flow.run("b")

    def test_cancelling_a_task_while_its_condition_is_asked(self):
        import threading

        asked, go = threading.Event(), threading.Event()

        def wants():
            asked.set()
            while not go.wait(0.001):
                pass

        with workflow("f") as flow:
            _ = Task("a", lambda: 1, when=wants) >> Task("b", lambda a: a)
            Task("c", lambda: 3)
        run = flow.run(background=True)
        assert asked.wait(10)
        run.cancel("a")
        run.wait(10)
        assert shown(run) == {"a": "cancelled", "b": "skipped", "c": "succeeded"}


def test_what_it_writes_to_the_channel_is_written_again():
    def wants():
        context.get_channel().append("asked", 1)
        return True

    with workflow("f") as flow:
        Task("a", lambda: 1, when=wants)
    assert channel_of(again(flow)) == {"asked": [1]}


def test_a_task_may_be_named_as_a_condition_would_be():
    with workflow("f") as flow:
        Task("a", lambda: 1, when=lambda: True)
        Task("a?", lambda: 2)
    assert dict(again(flow).results) == {"a": 1, "a?": 2}


def test_a_condition_after_a_skipped_task_is_up_to_date_when_it_was_asked():
    with workflow("f") as flow:

        @task
        def rows():
            return 3

        @task(when=lambda rows: rows > 5)
        def many(rows):
            return rows

        @task(when=lambda inputs: len(inputs) == 1)
        def report(rows, many=None):
            return rows, many

        _ = (rows | many) >> report

    assert {name: str(status) for name, status in flow.run().statuses.items()} == {
        "rows": "succeeded",
        "many": "skipped",
        "report": "succeeded",
    }
    assert flow.stale(flow.plan()) == {}
