"""Retries and timeouts."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from contextlib import suppress

import pytest
from again import again, channel_of, ran, shown

from graflow_nb import RetryPolicy, Task, TaskDefinitionError, TaskError, TaskTimeout, task, workflow
from graflow_nb.core.events import TaskRetrying

WAIT = 10


def failing(times, result="ok", error=ValueError):
    """Return a function that fails this often before it returns, and the list of its calls."""
    calls = []

    def flaky(*_):
        calls.append(time.perf_counter())
        if len(calls) <= times:
            raise error(f"no {len(calls)}")
        return result

    return flaky, calls


class TestRetries:
    @pytest.mark.parametrize("way", ["run", "execute", "arun"])
    def test_a_task_that_fails_is_tried_again(self, way):
        flaky, calls = failing(2)
        with workflow("f") as flow:
            Task("flaky", flaky, retries=3, retry_delay=0) >> Task("after", lambda x: x + "!")
        if way == "arun":
            assert asyncio.run(flow.arun()).results["after"] == "ok!"
        else:
            assert (flow.run().results["after"] if way == "run" else flow.execute()) == "ok!"
        assert len(calls) == 3
        assert flow["flaky"].record.attempts == 3

    def test_it_fails_with_the_last_error_when_there_are_no_more(self):
        flaky, calls = failing(9)
        with workflow("f") as flow:
            Task("flaky", flaky, retries=2, retry_delay=0) >> Task("after", lambda x: x)
        run = flow.run()
        assert len(calls) == 3
        assert str(run.errors["flaky"]) == "no 3"
        assert shown(run) == {"flaky": "failed", "after": "skipped"}
        with pytest.raises(TaskError, match="no 6") as caught:
            flow.execute()
        assert isinstance(caught.value.__cause__, ValueError)

    def test_only_for_the_errors_it_is_told(self):
        for retry_on, count in [(OSError, 1), ((OSError, ValueError), 2), (lambda error: "no 1" in str(error), 2)]:
            flaky, calls = failing(1)
            with workflow("f") as flow:
                Task("flaky", flaky, retries=3, retry_delay=0, retry_on=retry_on)
            flow.run()
            assert len(calls) == count

    def test_a_policy_says_it_all(self):
        flaky, calls = failing(1)
        with workflow("f") as flow:
            Task("a", flaky, retry=RetryPolicy(max_retries=1, initial_interval=0))
            Task("b", failing(1)[0], retries=RetryPolicy(max_retries=1, initial_interval=0))
        assert flow.run().ok
        assert len(calls) == 2

    def test_coroutines_too(self):
        calls = []
        with workflow("f") as flow:

            @task(retries=1, retry_delay=0)
            async def flaky():
                calls.append(1)
                if len(calls) == 1:
                    raise ValueError
                return "ok"

        assert flow.run().results["flaky"] == "ok"
        calls.clear()
        assert asyncio.run(flow.arun(force=True)).results["flaky"] == "ok"

    def test_waiting_holds_nobody_up_and_is_told(self):
        flaky, _ = failing(1)
        waiting, seen = threading.Event(), []
        with workflow("f") as flow:
            Task("flaky", flaky, retries=1, retry_delay=0.2)
            Task("a", lambda: waiting.wait(WAIT)) >> Task("b", lambda: str(flow["flaky"].record))

        async def watch():
            async for event in flow.stream(workers=1):
                if isinstance(event, TaskRetrying):
                    record = event.run.records["flaky"]
                    seen.append(
                        (event.attempt, event.of, event.delay, str(event.error), str(record.status), record.note)
                    )
                    waiting.set()

        asyncio.run(watch())
        assert seen == [(2, 2, 0.2, "no 1", "retrying", "attempt 1 of 2: ValueError: no 1")]
        assert flow.last_run.ok

    def test_attempts_do_not_count_for_reuse(self):
        with workflow("g") as other:

            @task(retries=2, retry_delay=0)
            def plain():
                return 1

            @task
            def end(plain):
                return plain

        again(other)
        other["plain"].options = Task("x", print, retries=5, retry_delay=1).options
        assert ran(other.run()) == [], "nor does how often it may be tried"

    def test_what_a_failed_attempt_wrote_is_there_and_so_the_result_is_not_reused(self):
        state = {"fails": True}
        with workflow("f") as flow:

            @task(inject_context=True, retries=1, retry_delay=0, ignore="state")
            def write(context):
                context.get_channel().append("rows", 1)
                if state.pop("fails", False):
                    raise ValueError

        first = flow.run()
        assert channel_of(first) == {"rows": [1, 1]}
        second = flow.run()
        assert ran(second) == ["write"]
        assert channel_of(second) == {"rows": [1]}

    def test_a_failed_one_is_never_reused(self):
        flaky, calls = failing(1)
        with workflow("f") as flow:
            Task("flaky", flaky)
        assert not flow.run().ok
        assert flow.run().ok
        assert len(calls) == 2


class TestStoppingARetry:
    def run_and(self, stop):
        flaky, calls = failing(9)
        with workflow("f") as flow:
            Task("flaky", flaky, retries=5, retry_delay=60) >> Task("after", lambda x: x)
            Task("other", lambda: 1)
        done = []

        def listener(event):
            if isinstance(event, TaskRetrying):
                stop(event.run)
                done.append(event)

        flow.services.listeners.append(listener)
        started = time.perf_counter()
        try:
            run = flow.run()
        except KeyboardInterrupt:
            run = flow.last_run
        assert time.perf_counter() - started < WAIT
        assert len(calls) == len(done) == 1
        return run

    def test_cancelling_the_run(self):
        run = self.run_and(lambda run: run.cancel())
        assert shown(run)["flaky"] == "cancelled"
        assert run.was_cancelled

    def test_cancelling_the_task(self):
        run = self.run_and(lambda run: run.cancel("flaky"))
        assert shown(run) == {"flaky": "cancelled", "after": "skipped", "other": "succeeded"}
        assert not run.was_cancelled

    def test_an_interrupt(self):
        run = self.run_and(lambda _: signal.raise_signal(signal.SIGINT))
        assert shown(run)["flaky"] == "cancelled"

    def test_a_failure_elsewhere_ends_an_execute(self):
        flaky, _ = failing(9)
        with workflow("f") as flow:
            Task("flaky", flaky, retries=5, retry_delay=60)
            Task("bad", lambda: 1 / 0, when=lambda: True)
        with pytest.raises(TaskError, match="division"):
            flow.execute()


class TestTimeouts:
    @pytest.mark.parametrize("way", ["run", "arun"])
    def test_a_call_that_takes_too_long_is_broken_off(self, way):
        ended = []
        with workflow("f") as flow:

            @task(timeout=0.05)
            def slow():
                try:
                    while True:
                        time.sleep(0.001)
                finally:
                    ended.append("slow")

            @task(timeout=0.05)
            async def aslow():
                try:
                    await asyncio.sleep(60)
                finally:
                    ended.append("aslow")

            @task
            def after(slow):
                return slow

        run = flow.run() if way == "run" else asyncio.run(flow.arun())
        assert shown(run) == {"slow": "failed", "aslow": "failed", "after": "skipped"}
        assert sorted(ended) == ["aslow", "slow"]
        for name in ("slow", "aslow"):
            assert isinstance(run.errors[name], TaskTimeout)
            assert isinstance(run.errors[name], TimeoutError)
            assert str(run.errors[name]) == f"task {name!r} took longer than its timeout of 0.05 seconds"

    def test_execute_raises_it(self):
        with workflow("f") as flow:
            Task("slow", lambda: time.sleep(0.2), timeout=0.05)
        with pytest.raises(TaskError) as caught:
            flow.execute()
        assert isinstance(caught.value.__cause__, TaskTimeout)

    def test_an_attempt_that_took_too_long_is_a_failed_one(self):
        calls = []
        with workflow("f") as flow:

            @task(timeout=0.05, retries=1, retry_delay=0)
            def slow():
                calls.append(1)
                while len(calls) == 1:
                    time.sleep(0.001)
                return "ok"

            @task(timeout=0.05, retries=1, retry_delay=0)
            async def aslow():
                calls.append(1)
                if "first" not in calls:
                    calls.append("first")
                    await asyncio.sleep(60)
                return "ok"

        run = flow.run(max_parallel=1)
        assert dict(run.results) == {"slow": "ok", "aslow": "ok"}

    def test_waiting_for_a_worker_does_not_count(self):
        with workflow("f") as flow:
            for number in range(3):
                Task(f"t{number}", lambda: time.sleep(0.1), timeout=0.25)
        assert flow.run(workers=1).ok

    def test_what_raises_while_it_is_broken_off_took_too_long_all_the_same(self):
        with workflow("f") as flow:

            @task(timeout=0.05)
            def untidy():
                try:
                    while True:
                        time.sleep(0.001)
                finally:
                    raise KeyError("untidy")

        error = flow.run().errors["untidy"]
        assert isinstance(error, TaskTimeout)
        assert isinstance(error.__cause__, KeyError)

    def test_on_the_main_thread_it_is_noticed_too(self):
        with workflow("f") as flow:

            @task(main_thread=True, timeout=0.05)
            def slow():
                time.sleep(0.2)

        assert isinstance(flow.run().errors["slow"], TaskTimeout)

    def test_a_task_on_the_main_thread_holds_no_retry_up(self):
        again_at = threading.Event()
        calls = []
        with workflow("f") as flow:

            @task(main_thread=True)
            def here():
                return again_at.wait(WAIT)

            @task(retries=1, retry_delay=0.02)
            def flaky():
                calls.append(1)
                if len(calls) == 1:
                    raise ValueError
                again_at.set()

        assert flow.run().results["here"]

    def test_timers_do_not_keep_what_is_over(self):
        with workflow("f") as flow:
            Task("t", lambda x: x, timeout=3600).map(range(50))
        assert flow.execute() == list(range(50))


class Stuck:
    """A call that cannot be broken off until it is let go, and swallows what strikes it."""

    def __init__(self) -> None:
        self.go, self.over = threading.Event(), threading.Event()

    def wait(self) -> None:
        lock = threading.Lock()
        lock.acquire()
        threading.Thread(target=lambda: (self.go.wait(WAIT), lock.release()), daemon=True).start()
        with suppress(BaseException):
            lock.acquire()  # in C


class TestACallThatDoesNotEnd:
    def test_what_it_does_later_is_done_to_nothing(self):
        stuck = Stuck()
        with workflow("f") as flow:

            @task(inject_context=True, timeout=0.02)
            def slow(context):
                channel = context.get_channel()
                channel.set("early", 1)
                stuck.wait()
                try:
                    channel.set("late", 1)
                    context.get_channel().append("late", 2)
                    context.progress(0.9, "late")
                    context.next_task(Task("late", print))
                    return "late"
                finally:
                    stuck.over.set()

            @task
            def other():
                stuck.over.wait(WAIT)

        def listener(event):
            if type(event).__name__ == "TaskFinished" and event.task == "slow":
                stuck.go.set()

        flow.services.listeners.append(listener)
        run = flow.run(workers=2)
        assert shown(run) == {"slow": "failed", "other": "succeeded"}
        assert channel_of(run) == {"early": 1}
        assert run.records["slow"].progress is None
        assert run.stuck == ["slow"]

    @pytest.mark.parametrize("resources", [{}, {"db": 1}])
    def test_the_others_get_its_worker_and_what_it_took(self, resources):
        stuck = Stuck()
        with workflow("f") as flow:
            Task("slow", stuck.wait, timeout=0.02, resources=resources)
            Task("a", lambda: 1, resources=resources) >> Task("b", lambda a: a + 1, resources=resources)
        run = flow.run(workers=1)
        stuck.go.set()
        assert shown(run) == {"slow": "failed", "a": "succeeded", "b": "succeeded"}

    def test_its_next_attempt_can_begin(self):
        stuck, calls = Stuck(), []
        with workflow("f") as flow:

            @task(timeout=0.02, retries=1, retry_delay=0, resources="db")
            def slow():
                calls.append(1)
                if len(calls) == 1:
                    stuck.wait()
                    return "first"
                return "second"

        run = flow.run(workers=1)
        stuck.go.set()
        assert run.results["slow"] == "second"

    def test_no_thread_is_left_when_it_has_ended(self):
        stuck = Stuck()
        before = set(threading.enumerate())
        with workflow("f") as flow:
            Task("slow", stuck.wait, timeout=0.02)
            Task("a", lambda: 1)
        flow.run(workers=1)
        stuck.go.set()
        for thread in set(threading.enumerate()) - before:
            thread.join(WAIT)
        assert set(threading.enumerate()) <= before


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"retries": -1}, "retries is a number of times, 0 or more, not -1"),
            ({"retries": 1.5}, "retries is a number of times"),
            ({"retries": True}, "retries is a number of times"),
            ({"retries": 1, "retry_delay": -1}, "retry_delay is a number of seconds, 0 or more"),
            ({"retries": 1, "backoff": 0.5}, "backoff is a factor, 1 or more"),
            ({"retries": 1, "retry_on": "ValueError"}, "retry_on takes types of errors"),
            ({"retry_delay": 1}, "retry_delay needs retries"),
            ({"retry": 3}, "retry takes a RetryPolicy, not 3. A number of times is retries=3"),
            ({"retry": RetryPolicy(), "retries": 3}, "has both"),
            ({"timeout": 0}, "timeout is a number of seconds, more than 0, not 0"),
            ({"timeout": -1}, "timeout is a number of seconds"),
            ({"timeout": "1"}, "timeout is a number of seconds"),
            ({"timeout": float("nan")}, "timeout is a number of seconds"),
            ({"timeout": True}, "timeout is a number of seconds"),
            ({"max_cycles": 0}, "max_cycles is a whole number, 1 or more"),
            ({"priority": 1.5}, "priority is a whole number"),
            ({"when": 5}, "when takes a function of results"),
        ],
    )
    def test_is_refused_where_it_is_written_with_the_task_named(self, options, message):
        with pytest.raises(TaskDefinitionError, match="'t'") as caught:
            Task("t", print, **options)
        assert message in str(caught.value)
