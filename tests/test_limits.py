"""Resources, how many tasks run at once, and which goes first."""

from __future__ import annotations

import threading
import time

import pytest

from graflow_nb import Task, TaskDefinitionError, TaskWrapper, task, workflow
from graflow_nb.core.limits import Limits

WAIT = 10


class Gauge:
    """Counts how many calls are inside at once."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.Lock()

    def __call__(self, _: object = None) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.002)
        with self._lock:
            self.now -= 1


class TestHowManyAtOnce:
    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_at_most_as_many_as_there_are_of_a_resource(self, limit):
        gauge, free = Gauge(), Gauge()
        with workflow("f", resources={"db": limit}) as flow:
            for number in range(8):
                Task(f"db{number}", gauge, resources={"db": 1}, cache=False)
                Task(f"free{number}", free, cache=False)
        assert flow.run(workers=8).ok
        assert gauge.most <= limit
        flow.execute()
        assert gauge.most <= limit

    def test_a_task_may_take_several(self):
        gauge = Gauge()
        with workflow("f", resources={"gpu": 4}) as flow:
            for number in range(6):
                Task(f"t{number}", gauge, resources={"gpu": 2})
        assert flow.run(workers=8).ok
        assert gauge.most <= 2

    def test_a_text_is_one_of_it_and_there_is_one_of_what_is_not_named(self):
        gauge = Gauge()
        with workflow("f") as flow:
            for number in range(4):
                Task(f"t{number}", gauge, resources="db")
        assert flow.run(workers=4).ok
        assert gauge.most == 1

    def test_max_parallel_of_a_run(self):
        gauge = Gauge()

        async def nap():
            gauge()

        with workflow("f") as flow:
            for number in range(6):
                Task(f"t{number}", gauge)
                Task(f"c{number}", nap)
        assert flow.run(workers=8, max_parallel=2).ok
        assert gauge.most <= 2

    def test_max_parallel_of_a_map_alone(self):
        gauge = Gauge()
        with workflow("f") as flow:
            Task("nap", gauge).map(range(12), max_parallel=2)
        assert flow.run(workers=8).ok
        assert gauge.most <= 2

    def test_what_is_born_in_the_run_counts_too(self):
        gauge = Gauge()
        with workflow("f") as flow:

            @task(inject_context=True)
            def start(context):
                for number in range(6):
                    context.next_task(TaskWrapper(f"t{number}", lambda start: gauge(), resources="db"))

        assert flow.run(workers=8).ok
        assert gauge.most == 1

    def test_in_a_nested_workflow_too_with_what_it_has(self):
        gauge = Gauge()
        with workflow("inner", resources={"db": 2}) as inner:
            for number in range(6):
                Task(f"t{number}", gauge, resources={"db": 2 if number == 0 else 1})
        with workflow("outer") as outer:
            inner.as_task()
        assert outer.run(workers=8).ok
        assert gauge.most <= 2


class TestNobodyIsForgotten:
    def test_what_one_leaves_another_gets(self):
        """One that waits for two things holds neither of them up."""
        limits = Limits({"a": 1, "b": 1})
        assert limits.take("x", {"a": 1})
        assert limits.take("y", {"b": 1})
        assert not limits.take("both", {"a": 1, "b": 1})
        assert not limits.take("z", {"a": 1})
        limits.give_back("x")
        assert limits.woken() == ["both"]
        assert not limits.take("both", {"a": 1, "b": 1})
        assert limits.woken() == ["z"]
        assert limits.take("z", {"a": 1})

    def test_cancelling_one_that_waits_lets_the_others_go_on(self):
        holding, go = threading.Event(), threading.Event()
        with workflow("f", resources={"a": 1, "b": 1}) as flow:
            Task("x", lambda: holding.wait(WAIT), resources="a")
            Task("y", lambda: go.wait(WAIT), resources="b")
            Task("both", lambda: None, resources={"a": 1, "b": 1})
            Task("z", lambda: go.set(), resources="a")
        run = flow.run(background=True, workers=4)
        run.cancel("both")
        holding.set()
        run.wait(WAIT)
        assert {n: str(s) for n, s in run.statuses.items()} == {
            "x": "succeeded", "y": "succeeded", "both": "cancelled", "z": "succeeded",
        }  # fmt: skip

    def test_a_task_whose_call_cannot_be_made_gives_back_what_it_took(self):
        with workflow("f") as flow:

            @task(inject_context=True)
            def start(context):
                context.next_task(TaskWrapper("bad", lambda nothing, here: None, resources="db"))
                context.next_task(TaskWrapper("good", lambda: 1, resources="db"))

        run = flow.run()
        assert list(run.errors) == ["bad"]
        assert run.results["good"] == 1

    def test_retries_give_back_between_attempts(self):
        attempts = []

        def flaky():
            attempts.append(1)
            if len(attempts) == 1:
                raise ValueError

        with workflow("f") as flow:
            Task("flaky", flaky, retries=1, retry_delay=0.05, resources="db")
            Task("other", lambda: len(attempts), resources="db")
        run = flow.run()
        assert run.ok
        assert run.results["other"] == 1, "it ran while the other one waited for its next attempt"


class TestPriority:
    def order(self, *tasks, **options):
        order = []
        with workflow("f", **options) as flow:
            for name, priority, more in tasks:
                Task(name, lambda name=name: order.append(name), priority=priority, **more)
        assert flow.run(workers=1, max_parallel=1).ok
        return order

    def test_of_tasks_that_could_start_those_of_higher_priority_do(self):
        tasks = [("low", -1, {}), ("a", 0, {}), ("high", 5, {}), ("b", 0, {}), ("higher", 6, {})]
        assert self.order(*tasks) == ["higher", "high", "a", "b", "low"]

    def test_among_those_that_wait_for_a_resource_too(self):
        tasks = [(name, 1, {"resources": "db"}) for name in "abcd"]
        assert self.order(*tasks) == ["a", "b", "c", "d"]


class TestBadInput:
    @pytest.mark.parametrize("given", [{"db": 0}, {"db": -1}, {"db": 1.5}, {"db": True}, {1: 1}, 7, ["db"]])
    def test_amounts_are_whole_numbers_by_name(self, given):
        with pytest.raises(TaskDefinitionError, match="task 't': resources"):
            Task("t", print, resources=given)
        with pytest.raises(TaskDefinitionError, match="workflow 'f': resources"):
            workflow("f", resources=given)

    def test_more_than_there_is_is_refused_before_anything_runs(self):
        calls = []
        with workflow("f", resources={"db": 2}) as flow:
            Task("first", lambda: calls.append(1))
            Task("t", print, resources={"db": 3})
        for run in (flow.run, flow.execute):
            with pytest.raises(
                TaskDefinitionError, match=r"'t' needs 3 of 'db', and workflow 'f' has 2: workflow\("
            ):
                run()
        assert calls == []

    def test_a_wrong_name_gets_the_nearest(self):
        with workflow("f", resources={"database": 2}) as flow:
            Task("t", print, resources={"databse": 2})
        with pytest.raises(TaskDefinitionError, match="Did you mean 'database'"):
            flow.run()

    def test_of_the_items_of_a_map_too(self):
        with workflow("f") as flow:
            Task("t", print, resources={"db": 2}).map([1, 2])
        with pytest.raises(TaskDefinitionError, match="needs 2 of 'db'"):
            flow.run()

    def test_of_a_nested_workflow_too(self):
        with workflow("inner") as inner:
            Task("t", print, resources={"db": 2})
        with workflow("outer") as outer:
            inner.as_task()
        with pytest.raises(TaskDefinitionError, match="needs 2 of 'db'"):
            outer.run()

    def test_of_one_that_is_born_in_the_run_its_parent_fails(self):
        with workflow("f") as flow:

            @task(inject_context=True)
            def start(context):
                context.next_task(TaskWrapper("new", print, resources={"db": 2}))

        assert "'new' needs 2 of 'db'" in str(flow.run().errors["start"])

    @pytest.mark.parametrize("most", [0, -1, 1.5, True, "2"])
    def test_max_parallel_is_a_whole_number(self, most):
        with workflow("f") as flow:
            one = Task("t", lambda x=1: x)
        with pytest.raises(ValueError, match=f"max_parallel={most!r}"):
            flow.run(max_parallel=most)
        with flow, pytest.raises(TaskDefinitionError, match="max_parallel is a whole number"):
            one.map([1], max_parallel=most)
