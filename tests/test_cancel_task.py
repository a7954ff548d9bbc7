"""Cancelling one task of a run: what follows it is skipped, and the rest goes on."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from graflow_nb import Status, UnknownTaskError, context, task, workflow
from graflow_nb.core.events import TaskFinished

PATIENCE = 20


@pytest.fixture
def flow():
    """A task that spins until somebody stops it, one after it, and one beside it that waits for the test."""
    with workflow("cancel") as flow:
        flow.spinning, flow.open = threading.Event(), threading.Event()

        @task
        def spin():
            flow.spinning.set()
            while True:
                pass

        @task
        def after(spin):
            return spin

        @task
        def beside():
            assert flow.open.wait(PATIENCE)
            return "beside"

    return flow


def test_the_task_is_broken_off_what_follows_skipped_and_the_rest_goes_on(flow):
    run = flow.run(background=True)
    assert flow.spinning.wait(PATIENCE)
    run.cancel("spin")
    while run.statuses["spin"] is Status.RUNNING:
        time.sleep(0.001)
    assert run.statuses["after"] is Status.SKIPPED
    assert run.records["after"].note == "task 'spin' was cancelled"
    assert not run.is_finished
    flow.open.set()
    run.wait(PATIENCE)
    assert {n: s.word for n, s in run.statuses.items()} == {
        "spin": "cancelled",
        "after": "skipped",
        "beside": "succeeded",
    }
    assert not run.was_cancelled
    assert not run.errors


def test_a_task_that_looks_ends_by_itself():
    started = threading.Event()
    with workflow("polite") as flow:

        @task
        def polite():
            started.set()
            while not context.cancelled:
                pass
            return "ended early"

    run = flow.run(background=True)
    assert started.wait(PATIENCE)
    run.cancel("polite")
    run.wait(PATIENCE)
    assert run.statuses["polite"] in {Status.SUCCEEDED, Status.CANCELLED}


def test_a_task_that_waits_for_others_never_runs():
    started, go_on, ran = threading.Event(), threading.Event(), []
    with workflow("line") as flow:

        @task
        def first():
            started.set()
            assert go_on.wait(PATIENCE)

        @task
        def second(first):
            ran.append("second")

        @task
        def third(second):
            ran.append("third")

        @task
        def beside(first):
            ran.append("beside")

    run = flow.run(background=True)
    assert started.wait(PATIENCE)
    run.cancel("second")
    while run.statuses["second"] is not Status.CANCELLED:
        time.sleep(0.001)
    go_on.set()
    run.wait(PATIENCE)
    assert ran == ["beside"]
    assert run.statuses["third"] is Status.SKIPPED


def test_a_task_that_waits_for_a_worker_never_runs():
    started, go_on, ran = threading.Event(), threading.Event(), []
    with workflow("queue") as flow:

        @task
        def first():
            started.set()
            assert go_on.wait(PATIENCE)

        @task
        def second():
            ran.append("second")

    run = flow.run(background=True, workers=1)
    assert started.wait(PATIENCE)
    run.cancel("second")
    while run.statuses["second"] is not Status.CANCELLED:
        time.sleep(0.001)
    go_on.set()
    run.wait(PATIENCE)
    assert ran == []
    assert run.statuses["first"] is Status.SUCCEEDED


def test_a_coroutine_is_cancelled_alone():
    started = threading.Event()
    with workflow("loop") as flow:

        @task
        async def forever():
            started.set()
            await asyncio.Event().wait()

        @task
        async def short():
            return 1

    run = flow.run(background=True)
    assert started.wait(PATIENCE)
    run.cancel("forever")
    run.wait(PATIENCE)
    assert {n: s.word for n, s in run.statuses.items()} == {"forever": "cancelled", "short": "succeeded"}


def test_what_cannot_be_broken_off_is_given_up_alone():
    started, go_on = threading.Event(), threading.Event()
    with workflow("stuck") as flow:

        @task
        def stuck():
            started.set()
            go_on.wait(PATIENCE)

        @task
        def other():
            return 1

    run = flow.run(background=True)
    assert started.wait(PATIENCE)
    run.cancel("stuck")
    run.wait(PATIENCE)
    go_on.set()
    assert run.stuck == ["stuck"]
    assert run.statuses["other"] is Status.SUCCEEDED


def test_many_strikes_hit_only_the_task_that_was_meant():
    with workflow("strikes") as flow:
        started = {f"t{n}": threading.Event() for n in range(30)}
        for n in range(30):

            def work(name=f"t{n}", spins=n % 3 == 0):
                started[name].set()
                while spins:
                    pass
                return sum(range(1000))

            task(name=f"t{n}")(work)
    run = flow.run(background=True, workers=3)
    for n in range(0, 30, 3):
        assert started[f"t{n}"].wait(PATIENCE)
        run.cancel(f"t{n}")
    run.wait(PATIENCE)
    assert {n for n, s in run.statuses.items() if s is Status.CANCELLED} == {f"t{n}" for n in range(0, 30, 3)}
    assert {n for n, s in run.statuses.items() if s is Status.SUCCEEDED} == {f"t{n}" for n in range(30) if n % 3}


def test_a_name_that_is_not_in_the_run_is_refused(flow):
    run = flow.run("beside", background=True)
    with pytest.raises(UnknownTaskError, match="has no task 'sping'"):
        run.cancel("sping")
    flow.open.set()
    run.wait(PATIENCE)


def test_a_task_says_how_far_it_is():
    said, go_on = threading.Event(), threading.Event()
    with workflow("progress") as flow:

        @task
        def train():
            context.progress(0.4, "epoch 4")
            said.set()
            assert go_on.wait(PATIENCE)
            context.progress(7)

    run = flow.run(background=True)
    assert said.wait(PATIENCE)
    assert run.records["train"].progress == (0.4, "epoch 4")
    go_on.set()
    run.wait(PATIENCE)
    assert run.records["train"].progress == (1.0, "")


def test_progress_is_no_reason_to_run_again():
    with workflow("progress") as flow:

        @task
        def train():
            context.progress(0.4, "epoch 4")

    flow.run()
    assert flow.run().statuses["train"] is Status.CACHED


def test_what_has_not_begun_is_cancelled_before_what_runs_has_stopped():
    started, ended = threading.Event(), []
    with workflow("line") as flow:

        @task
        def first():
            started.set()
            while True:
                time.sleep(0.001)

        @task
        def second(first): ...

    flow.services.listeners.append(lambda e: ended.append(e.task) if isinstance(e, TaskFinished) else None)
    run = flow.run(background=True)
    assert started.wait(PATIENCE)
    run.cancel()
    run.wait(PATIENCE)
    assert ended == ["second", "first"]
