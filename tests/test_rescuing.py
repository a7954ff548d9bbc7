"""What is done when a task has failed for good."""

from __future__ import annotations

import pytest

from graflow_nb import Status, Task, context, task, workflow
from graflow_nb.core.arguments import Binding
from graflow_nb.core.rescuing import CALL_AGAIN


class Rescued(Task):
    __slots__ = ("_by",)

    def __init__(self, name, fn, by, **options):
        super().__init__(name, fn, **options)
        self._by = by

    @property
    def rescue(self):
        return Task.apart(f"{self.name}!", self._by)


def fails():
    raise ValueError("no")


def flow_of(fn, by, **options):
    with workflow("w") as flow:
        Rescued("first", fn, by, **options)

        @task
        def after(first):
            return f"after {first}"

    return flow


@pytest.mark.parametrize("how", ["run", "execute"])
def test_what_a_rescue_returns_stands_for_the_result(how):
    flow = flow_of(fails, lambda error, tries: f"instead of {error}")
    if how == "execute":
        assert flow.execute() == "after instead of no"
    else:
        run = flow.run()
        assert run.results["after"] == "after instead of no"
        assert run.ok


def test_what_a_rescue_raises_is_the_error():
    def worse(error, tries):
        raise KeyError("worse") from error

    run = flow_of(fails, worse).run()
    assert isinstance(run.errors["first"], KeyError)
    assert run.statuses["after"] is Status.SKIPPED


def test_a_rescue_can_have_the_task_called_again_with_all_its_attempts():
    calls = []

    def flaky():
        calls.append(1)
        raise ValueError("no")

    def again(error, tries):
        if tries < 2:
            return CALL_AGAIN
        raise error

    run = flow_of(flaky, again, retries=1, retry_delay=0).run()
    assert len(calls) == 6
    assert run.records["first"].attempts == 6
    assert isinstance(run.errors["first"], ValueError)


def test_a_rescue_can_ask_for_other_tasks():
    async def other(error, tries):
        record = await context.ask(Task.apart("first/other", lambda: "other"), Binding())
        return record.produced.value

    run = flow_of(fails, other).run()
    assert run.results["after"] == "after other"
    assert ("first/other", "first") in run.edges


def test_a_rescue_gets_the_arguments():
    with workflow("w") as flow:

        @task
        def number():
            return 20

        def half(number):
            raise ValueError(number)

        Rescued("half", half, lambda error, tries, number: number / 2)

    assert flow.run().results["half"] == 10


def test_a_timeout_can_be_rescued():
    import asyncio

    async def long():
        await asyncio.sleep(60)

    flow = flow_of(long, lambda error, tries: str(error), timeout=0.05)
    assert "took longer than its timeout" in flow.run().results["first"]
