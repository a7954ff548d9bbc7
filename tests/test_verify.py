"""Verifying, explaining and accepting what stands for several tasks."""

from __future__ import annotations

import time

import pytest

from graflow_nb import NoResultError, context, task, workflow


@pytest.fixture
def flow():
    with workflow("inner") as inner:

        @task
        def fit(data):
            return sum(data)

    with workflow("outer") as flow:

        @task
        def data():
            return [1, 2, 3]

        @task
        def throw(x):
            return x, time.perf_counter_ns()  # another one each time, and nobody can see why

        throw.map(data, name="throws")

        @task
        def total(throws, inner):
            return len(throws), inner

        @task
        def good():
            return context.task_name

        @task
        def bad():
            raise ValueError("no")

        _ = data >> inner
        (good | bad).with_policy("best_effort", name="both")
    flow.run()
    return flow


def test_a_map_and_a_nested_workflow_are_verified_by_their_members(flow):
    before = flow.run().results["throws"]
    found = flow.verify()
    assert [said.partition(":")[0] for said in found.pop("throws")] == ["throws[0]", "throws[1]", "throws[2]"]
    assert found == {name: [] for name in ("data", "inner", "total", "good")}
    assert flow.run().results["throws"] == before  # what is kept stays


def test_they_say_why_they_would_be_reused_or_not(flow):
    assert [str(reason) for reason in flow.why("throws")] == ["nothing it depends on changed"]
    assert [str(reason) for reason in flow.why("inner")] == ["nothing it depends on changed"]
    assert [str(reason) for reason in flow.why("both")] == ["'bad' before it is out of date"]


@pytest.mark.parametrize("name", ["throws", "inner", "both"])
def test_they_have_nothing_to_accept(flow, name):
    with pytest.raises(NoResultError, match="stands for other tasks"):
        flow.accept(name)
