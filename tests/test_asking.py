"""Tasks that a running coroutine asks for: nodes of the run, whose failure is its to judge."""

from __future__ import annotations

import asyncio
import threading

import pytest

from graflow_nb import Status, Task, context, task, workflow
from graflow_nb.core.arguments import Binding, Constant


def made(name, fn, **options):
    with workflow("elsewhere"):
        return Task(name, fn, **options)


def given(**values):
    return Binding(tuple((name, Constant(value)) for name, value in values.items()))


def fails():
    raise ValueError("no")


@pytest.mark.parametrize("options", [{}, {"max_parallel": 1}, {"workers": 1}])
def test_asked_tasks_run_and_give_their_results(options):
    with workflow("w") as flow:

        @task
        async def parent():
            asked = [context.ask(made(f"parent/{n}", lambda n: n * n), given(n=n)) for n in range(4)]
            return [record.produced.value for record in await asyncio.gather(*asked)]

        @task
        def after(parent):
            return sum(parent)

    run = flow.run(**options)
    assert run.results["after"] == 14
    assert run.ok
    assert run.statuses["parent/3"] is Status.SUCCEEDED
    assert ("parent/3", "parent") in run.edges


def test_a_failure_is_for_the_one_that_asked_to_judge():
    with workflow("w") as flow:

        @task
        async def parent():
            record = await context.ask(made("parent/bad", fails), given())
            return str(record.error)

    run = flow.run()
    assert run.ok
    assert run.results["parent"] == "no"
    assert run.statuses["parent/bad"] is Status.FAILED
    assert flow.execute() == "no"


def test_a_task_that_is_only_to_be_seen_is_skipped():
    with workflow("w") as flow:

        @task
        async def parent():
            return str((await context.ask(made("parent/no", fails), given(), skip="not taken")).status)

    run = flow.run()
    assert run.results["parent"] == "skipped"
    assert run.records["parent/no"].note == "not taken"


def test_a_name_that_the_run_has_already_is_refused():
    with workflow("w") as flow:

        @task
        def other():
            return 1

        @task
        async def parent(other):
            record = await context.ask(made("other", fails), given())
            return str(record.error)

    assert "has one already" in flow.run().results["parent"]


def test_an_asked_task_can_be_asked_for_again_under_its_name():
    calls = []
    with workflow("w") as flow:

        @task(retries=2, retry_delay=0)
        async def parent():
            record = await context.ask(made("parent/once", lambda: calls.append(1) or len(calls)), given())
            if record.produced.value < 3:
                raise ValueError("again")
            return record.produced.value

    run = flow.run()
    assert run.results["parent"] == 3
    assert run.members["parent"] == ("parent/once",)


def test_when_it_times_out_what_it_asked_for_ends_too():
    stopped = threading.Event()

    async def long():
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    with workflow("w") as flow:

        @task(timeout=0.05)
        async def parent():
            await context.ask(made("parent/long", long), given())

    run = flow.run()
    assert run.statuses == {"parent": Status.FAILED, "parent/long": Status.CANCELLED}
    assert stopped.is_set()


def test_what_nobody_waits_for_any_more_is_cancelled():
    async def long():
        await asyncio.sleep(60)

    with workflow("w") as flow:

        @task
        async def parent():
            asked = asyncio.ensure_future(context.ask(made("parent/long", long), given()))
            quick = await context.ask(made("parent/quick", lambda: 1), given())
            assert not asked.done()
            return quick.produced.value

    run = flow.run()
    assert run.ok
    assert run.statuses["parent/long"] is Status.CANCELLED


def test_a_run_that_ends_early_leaves_nobody_waiting():
    with workflow("w") as flow:

        @task(inject_context=True)
        def ends(ctx):
            ctx.terminate_workflow("enough")

        @task(inject_context=True)
        async def parent(ctx):
            while True:
                record = await ctx.ask(made("parent/one", lambda: 1), given())
                if record.status is Status.CANCELLED:
                    return record.note

    run = flow.run()
    assert "not started" in run.results["parent"]


def test_cancelling_ends_all():
    begun = threading.Event()

    async def long():
        begun.set()
        await asyncio.sleep(60)

    with workflow("w") as flow:

        @task
        async def parent():
            await context.ask(made("parent/long", long), given())

    run = flow.run(background=True)
    assert begun.wait(10)
    run.cancel()
    run.wait(10)
    assert run.statuses == {"parent": Status.CANCELLED, "parent/long": Status.CANCELLED}


def test_what_was_asked_for_is_reused():
    with workflow("w") as flow:

        @task(cache=False)
        async def parent():
            return (await context.ask(made("parent/square", lambda n: n * n), given(n=3))).produced.value

    first, second = flow.run(), flow.run()
    assert first.results["parent"] == second.results["parent"] == 9
    assert first.statuses["parent/square"] is Status.SUCCEEDED
    assert second.statuses["parent/square"] is Status.CACHED


def test_skip_shows_a_task_as_skipped_and_lets_go_on():
    with workflow("w") as flow:

        @task
        def nothing():
            context.skip("nothing to do")
            return 0

        @task
        def after(nothing):
            return nothing + 1

    for _ in range(2):
        run = flow.run()
        assert run.statuses["nothing"] is Status.SKIPPED
        assert run.records["nothing"].note == "nothing to do"
        assert run.results["after"] == 1


def test_what_a_task_asks_for_stands_in_a_frame_of_its_name():
    with workflow("w") as flow:

        async def inner():
            await context.ask(made("parent/inner/leaf", lambda: 1), given())

        @task
        async def parent():
            await context.ask(made("parent/inner", inner), given())

    run = flow.run()
    assert run.frames == {"parent": ["parent/inner", "parent/inner/leaf"], "parent/inner": ["parent/inner/leaf"]}
    assert run.born == {"parent/inner", "parent/inner/leaf"}
