from __future__ import annotations

import asyncio
import contextlib
import contextvars
import signal
import threading
import traceback
from contextlib import aclosing

import pytest

from graflow_nb import Task, TaskWrapper, chain, context, task, workflow
from graflow_nb.core.errors import (
    EmptyWorkflowError,
    NoResultError,
    TaskCancelled,
    TaskError,
    UnknownTaskError,
)
from graflow_nb.core.events import RunFinished, RunStarted, TaskAdded, TaskFinished, TaskStarted
from graflow_nb.core.scope import set_fallback
from graflow_nb.core.services import set_services
from graflow_nb.core.status import Status
from graflow_nb.incremental.code.reads import Reads

WAIT = 10


class Hidden:
    """A function that a test steers from outside: what it reads is no part of its key."""

    def __init__(self, fn):
        self.__wrapped__ = fn

    def __call__(self, *args, **kwargs):
        return self.__wrapped__(*args, **kwargs)

    def __graflow_reads__(self, left_out, texts):
        return Reads([])


class Log(list):
    """Makes tasks that note their name, and what they got, when they run."""

    def task(self, name: str, *parameters: str, then=None, **options) -> Task:
        def note(got):
            self.append(name)
            return then() if then else f"{name}({','.join(map(str, got))})"

        fn = eval(f"lambda {', '.join(parameters)}: note([{', '.join(parameters)}])", {"note": note})
        return Task(name, Hidden(fn), **options)

    def took(self) -> str:
        ran = " ".join(sorted(self))
        self.clear()
        return ran


@pytest.fixture
def log() -> Log:
    return Log()


def fail(error: BaseException):
    raise error


def words(run) -> dict[str, str]:
    return {name: str(status) for name, status in run.statuses.items()}


STAY = ("graflow-pool", "graflow-dask", "graflow-postman")


def our_threads() -> list[threading.Thread]:
    """Return the threads of runs; those that look after processes and clusters stay for the next run."""
    ours = (thread for thread in threading.enumerate() if thread.name.startswith("graflow"))
    return [thread for thread in ours if thread.name not in STAY]


@pytest.fixture(autouse=True)
def _leaves_no_thread():
    yield
    for thread in our_threads():
        thread.join(WAIT)
    assert not our_threads()


class TestExecute:
    def test_it_runs_everything_and_returns_the_last_result(self, log):
        with workflow("f") as flow:
            a, b, c = log.task("a"), log.task("b", "x"), log.task("c", "x")
            a >> (b | c)
        assert flow.execute() == "c(a())"
        assert log.took() == "a b c"

    def test_the_last_is_so_by_dependency_and_not_by_time(self, log):
        with workflow("f") as flow:
            last, first = log.task("last", "x"), log.task("first")
            first >> last
        assert flow.execute() == "last(first())"

    def test_nothing_is_reused(self, log):
        with workflow("f") as flow:
            log.task("a")
        flow.run()
        flow.execute()
        flow.execute()
        assert log == ["a", "a", "a"]

    def test_nothing_is_stored(self, log):
        with workflow("f") as flow:
            log.task("a")
        flow.execute()
        assert words(flow.run()) == {"a": "succeeded"}

    def test_prints_go_through(self, capsys):
        with workflow("f") as flow:
            Task("a", lambda: print("hello"))  # noqa: T201
        flow.execute()
        assert capsys.readouterr().out == "hello\n"

    def test_none_may_be_the_result(self):
        with workflow("f") as flow:
            Task("a", lambda: None)
        assert flow.execute() is None

    @pytest.mark.parametrize("spell", [str, lambda name: None])
    def test_a_start_is_a_name_or_a_task(self, log, spell):
        with workflow("f") as flow:
            a, b = log.task("a"), log.task("b")
            a >> b
        flow.execute(spell("b") or b)
        assert log.took() == "b"

    def test_a_start_runs_it_and_everything_after_it(self, log):
        with workflow("f") as flow:
            a, b, c, _ = (log.task(name) for name in "abcd")
            chain(a, b, c)
        flow.execute("b")
        assert log.took() == "b c"

    def test_inputs_from_before_the_start_are_the_last_results(self, log):
        with workflow("f") as flow:
            chain(log.task("a"), log.task("b", "x"), log.task("c", "x"))
        flow.execute()
        log.clear()
        assert flow.execute("c") == "c(b(a()))"
        assert log.took() == "c"

    def test_a_default_filled_by_an_ancestor_is_such_an_input(self, log):
        with workflow("f") as flow:
            c = Task("c", lambda b, a="default": (b, a))
            chain(log.task("a"), log.task("b"), c)
        flow.execute()
        log.clear()
        assert flow.execute("c") == ("b()", "a()")
        assert log.took() == ""

    def test_inputs_from_beside_the_start_run_if_they_never_did(self, log):
        with workflow("f") as flow:
            start, end = log.task("start"), log.task("end", "start", "side")
            side, before = log.task("side", "before"), log.task("before")
            start >> end
        assert flow.execute("start") == "end(start(),side(before()))"
        assert log.took() == "before end side start"
        flow.execute("start")
        assert log.took() == "end start", "they have results now"
        assert before.result and side.result

    def test_what_is_before_the_start_does_not_run(self, log):
        with workflow("f") as flow:
            chain(log.task("a"), log.task("b", "x"), log.task("c", "x"))
        with pytest.raises(NoResultError, match=r"'b' needs 'x' from task 'a'.*the start is 'b'"):
            flow.execute("b")
        assert log.took() == ""

    @pytest.mark.parametrize("steps", [0, 1, 2])
    def test_max_steps_stops_and_says_so(self, log, steps):
        with workflow("f") as flow:
            chain(*map(log.task, "abc"))
        with pytest.warns(UserWarning, match=rf"workflow 'f': stopped after {steps} steps"):
            flow.execute(max_steps=steps)
        assert log.took() == " ".join("abc"[:steps])
        assert list(words(flow.last_run).values()) == ["succeeded"] * steps + ["waiting"] * (3 - steps)
        assert "stopped after" in repr(flow.last_run)
        assert not flow.last_run.ok

    def test_enough_steps_say_nothing(self, log):
        with workflow("f") as flow:
            chain(*map(log.task, "abc"))
        assert flow.execute(max_steps=3) == "c()"

    def test_a_failure_is_no_lack_of_steps(self, log):
        with workflow("f") as flow:
            chain(log.task("a", then=lambda: 1 / 0), log.task("b"))
            log.task("c")
        with pytest.raises(TaskError):
            flow.execute(max_steps=1_000)
        assert "waiting" not in words(flow.last_run).values()

    def test_after_a_failure_nothing_new_starts_and_what_runs_ends(self, log):
        both, failed = threading.Barrier(2), threading.Event()

        def slow():
            both.wait(WAIT)
            failed.wait(WAIT)
            return "done"

        def bad():
            both.wait(WAIT)
            raise ValueError("no rows")

        with workflow("f") as flow:
            Task("bad", bad)
            slow_task = Task("slow", slow)
            slow_task >> log.task("after")
        flow.services.listeners.append(
            lambda event: failed.set() if isinstance(event, TaskFinished) and event.task == "bad" else None
        )
        with pytest.raises(TaskError, match="task 'bad' failed: ValueError: no rows"):
            flow.execute()
        assert words(flow.last_run) == {"bad": "failed", "slow": "succeeded", "after": "cancelled"}
        assert flow.last_run.records["after"].note == "not started: task 'bad' failed"
        assert log == []

    def test_it_can_be_called_inside_the_with(self, log):
        with workflow("f") as flow:
            log.task("a")
            assert flow.execute() == "a()"


class TestRun:
    @pytest.fixture
    def flow(self, log):
        with workflow("f") as flow:
            chain(log.task("a"), log.task("b", "a"), log.task("c", "b"))
            log.task("x")
        return flow

    def test_it_makes_everything(self, flow, log):
        run = flow.run()
        assert run.results == {"a": "a()", "b": "b(a())", "c": "c(b(a()))", "x": "x()"}
        assert (run.ok, run.errors, run.is_finished) == (True, {}, True)
        assert flow.last_run is run
        assert set(run.timings) == set(run.results)

    def test_targets_bring_what_is_before_them_only(self, flow, log):
        assert list(flow.run("b").results) == ["a", "b"]
        assert list(flow.run(flow["x"], "a").results) == ["a", "x"]
        assert log.took() == "a b x"

    def test_what_is_up_to_date_is_reused_with_its_result(self, flow, log):
        first = flow.run()
        log.clear()
        second = flow.run()
        assert (log, second.results) == ([], first.results)
        assert set(words(second).values()) == {"cached"}
        assert second.timings == {}
        assert second.ok

    @pytest.mark.parametrize(
        ("options", "ran"),
        [
            ({"force": True}, "a b c x"),
            ({"force": ["b"]}, "b"),
            ({"force": "b"}, "b"),
            ({"force": {"a", "x"}}, "a x"),
            ({"force": False}, ""),
            ({"force": []}, ""),
            ({"from_": "b"}, "b c"),
            ({"from_": "a"}, "a b c"),
            ({"from_": "x"}, "x"),
            ({"from_": "b", "force": ["a"]}, "a b c"),
        ],
    )
    def test_what_is_asked_for_runs_again(self, flow, log, options, ran):
        flow.run()
        log.clear()
        flow.run(**options)
        assert log.took() == ran

    @pytest.mark.parametrize(
        ("targets", "start", "takes_part", "ran"),
        [("b", "a", "ab", "a b"), ("c", "b", "abc", "b c"), ("x", "b", "x", ""), ("bx", "b", "ab", "b")],
    )
    def test_from_with_targets_goes_no_further_than_they_do(self, flow, log, targets, start, takes_part, ran):
        flow.run()
        log.clear()
        run = flow.run(*targets, from_=start)
        assert ("".join(run.results), log.took()) == (takes_part, ran)

    def test_a_single_forced_target(self, flow, log):
        flow.run()
        log.clear()
        flow.run("b", force=True)
        assert log.took() == "a b"

    @pytest.mark.parametrize(
        "call",
        [
            lambda flow: flow.run("bb"),
            lambda flow: flow.run("a", "bb"),
            lambda flow: flow.run(from_="bb"),
            lambda flow: flow.run(force=["bb"]),
            lambda flow: flow.execute("bb"),
            lambda flow: flow.run(Task("bb", print)),
            lambda flow: asyncio.run(flow.arun("bb")),
        ],
    )
    def test_an_unknown_name_is_an_error_with_the_nearest(self, flow, log, call):
        with pytest.raises(UnknownTaskError, match=r"workflow 'f' has no task 'bb'\. Did you mean 'b'\?"):
            call(flow)
        assert log == []

    def test_a_failure_skips_what_is_after_it_and_nothing_else(self, log):
        with workflow("f") as flow:
            bad, after, further = log.task("bad", then=lambda: 1 / 0), log.task("after"), log.task("further")
            ok, joined = log.task("ok"), log.task("joined")
            chain(bad, after, further)
            (ok | bad) >> joined
            ok >> log.task("fine")
        run = flow.run()
        assert words(run) == {
            "bad": "failed", "after": "skipped", "further": "skipped",
            "ok": "succeeded", "joined": "skipped", "fine": "succeeded",
        }  # fmt: skip
        assert {run.records[name].note for name in ("after", "further", "joined")} == {"task 'bad' failed"}
        assert list(run.errors) == ["bad"]
        assert not run.ok

    def test_fail_fast_starts_nothing_new(self, log):
        with workflow("f") as flow:
            log.task("bad", then=lambda: 1 / 0)
            log.task("later")
        run = flow.run(fail_fast=True, workers=1)
        assert words(run) == {"bad": "failed", "later": "cancelled"}

    def test_raise_errors(self, log):
        with workflow("f") as flow:
            log.task("bad", then=lambda: fail(KeyError("column")))
        with pytest.raises(TaskError, match=r"task 'bad' failed: KeyError") as caught:
            flow.run(raise_errors=True)
        assert isinstance(caught.value.__cause__, KeyError)
        assert isinstance(flow.run().errors["bad"], KeyError)

    def test_the_first_error_in_time_is_raised(self):
        first_failed = threading.Event()
        with workflow("f") as flow:
            Task("second", lambda: first_failed.wait(WAIT) and fail(ValueError("second")))
            Task("first", lambda: fail(ValueError("first")))
        flow.services.listeners.append(
            lambda event: first_failed.set() if isinstance(event, TaskFinished) else None
        )
        with pytest.raises(TaskError, match="first"):
            flow.run(raise_errors=True, workers=2)

    def test_a_failed_task_runs_again_and_the_rest_is_reused(self, log):
        broken = [True]
        with workflow("f") as flow:
            a = log.task("a")
            b = Task("b", lambda a: fail(ValueError()) if broken else a, cache=False)
            chain(a, b, log.task("c", "b"))
        assert not flow.run().ok
        broken.clear()
        assert words(flow.run()) == {"a": "cached", "b": "succeeded", "c": "succeeded"}

    @pytest.mark.parametrize("workers", [0, -1])
    @pytest.mark.parametrize("background", [False, True])
    def test_a_run_needs_workers(self, flow, log, workers, background):
        with pytest.raises(ValueError, match=f"workers={workers}"):
            flow.run(workers=workers, background=background)
        assert log == []

    def test_a_run_shows_itself(self, log):
        with workflow("f") as flow:
            log.task("a")
            log.task("b", then=lambda: fail(ValueError("no rows")))
        assert repr(flow.run()).splitlines()[1:] == ["  b: ValueError: no rows"]
        assert repr(flow) == "<workflow 'f': 2 tasks, 0 edges>"


def test_an_empty_workflow_says_so():
    flow = workflow("bare")
    for call in (flow.run, flow.execute, lambda: flow.run(background=True), lambda: asyncio.run(flow.arun())):
        with pytest.raises(EmptyWorkflowError, match="workflow 'bare' has no task to run"):
            call()


class TestErrors:
    @pytest.mark.parametrize(
        "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException("odd"), TaskCancelled()]
    )
    @pytest.mark.parametrize("is_coroutine", [False, True])
    def test_whatever_a_task_raises_is_its_failure(self, log, error, is_coroutine):
        async def later():
            raise error

        with workflow("f") as flow:
            bad = Task("bad", later if is_coroutine else lambda: fail(error))
            bad >> log.task("after")
            log.task("other")
        run = flow.run()
        assert words(run) == {"bad": "failed", "after": "skipped", "other": "succeeded"}
        assert run.errors["bad"] is error

    def test_a_coroutine_that_cancels_itself_has_failed(self, log):
        async def later():
            raise asyncio.CancelledError

        with workflow("f") as flow:
            Task("bad", later) >> log.task("after")
        assert words(flow.run()) == {"bad": "failed", "after": "skipped"}

    def test_sys_exit_on_the_main_thread_is_a_failure_too(self):
        with workflow("f") as flow:
            Task("bad", lambda: fail(SystemExit()), main_thread=True)
        assert words(flow.run()) == {"bad": "failed"}

    def test_the_traceback_is_the_tasks_own(self):
        def deep():
            raise ValueError("no rows")

        with workflow("f") as flow:
            Task("bad", lambda: deep())
        error = flow.run().errors["bad"]
        names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        assert names[-2:] == ["<lambda>", "deep"]
        with pytest.raises(TaskError) as caught:
            flow.execute()
        assert "deep" in "".join(traceback.format_exception(caught.value))

    def test_an_error_whose_text_cannot_be_had(self):
        class Mute(Exception):
            def __str__(self):
                raise ValueError

        with workflow("f") as flow:
            Task("bad", lambda: fail(Mute()))
        run = flow.run()
        assert run.records["bad"].note == "Mute: (its message cannot be shown)"
        repr(run)

    def test_a_result_without_a_repr_is_a_result(self):
        class Mute:
            def __repr__(self):
                raise ValueError

        with workflow("f") as flow:
            Task("a", Mute) >> Task("b", lambda x: type(x).__name__)
        assert flow.run().results["b"] == "Mute"
        repr(flow.last_run)

    def test_a_listener_that_raises_is_logged_and_breaks_nothing(self, log, caplog):
        with workflow("f") as flow:
            log.task("a")
        flow.services.listeners.append(lambda event: fail(ValueError("a bad listener")))
        assert flow.run().ok
        assert "a listener failed at TaskStarted" in caplog.text


class TestEvents:
    def events(self, flow, **options):
        seen = []
        flow.services.listeners.append(seen.append)
        flow.run(**options)
        return [(type(event).__name__, getattr(event, "task", "")) for event in seen]

    def test_a_run_tells_what_happens_in_order(self, log):
        with workflow("f") as flow:
            chain(log.task("a"), log.task("b", then=lambda: 1 / 0), log.task("c"))
        assert self.events(flow) == [
            ("RunStarted", ""),
            ("TaskStarted", "a"), ("TaskFinished", "a"),
            ("TaskStarted", "b"), ("TaskFinished", "b"), ("TaskFinished", "c"),
            ("RunFinished", ""),
        ]  # fmt: skip
        assert self.events(flow)[1:3] == [("TaskFinished", "a"), ("TaskStarted", "b")], "a is reused now"

    def test_events_are_told_one_at_a_time(self):
        is_told, seen = threading.Lock(), []

        def listen(event):
            assert is_told.acquire(blocking=False)
            seen.append(event)
            is_told.release()

        with workflow("f") as flow:
            for n in range(50):
                Task(f"t{n}", lambda: None)
        flow.services.listeners.append(listen)
        flow.run()
        assert len(seen) == 2 * 50 + 2

    def test_a_new_task_is_told(self):
        with workflow("f") as flow:

            @task(inject_context=True)
            def first(ctx):
                ctx.next_task(TaskWrapper("new", lambda: None))

        names = self.events(flow)
        assert names.index(("TaskAdded", "new")) < names.index(("TaskStarted", "new"))

    def test_events_cannot_be_changed(self, log):
        with workflow("f") as flow:
            log.task("a")
        flow.services.listeners.append(lambda event: setattr(event, "run", None))
        assert flow.run().ok
        for kind in (RunStarted, TaskAdded, TaskStarted, TaskFinished, RunFinished):
            assert kind.__dataclass_params__.frozen


class TestCoroutines:
    def test_they_are_awaited_and_mix_with_functions(self):
        with workflow("f") as flow:

            @task
            async def numbers():
                await asyncio.sleep(0)
                return [1, 2]

            @task
            def total(numbers):
                return sum(numbers)

            @task
            async def shown(total):
                return f"total {total}"

        assert flow.execute() == "total 3"
        assert asyncio.run(flow.arun()).results["shown"] == "total 3"

    @pytest.mark.parametrize("drive", [lambda flow: flow.run(), lambda flow: asyncio.run(flow.arun())])
    def test_they_run_side_by_side_with_each_other_and_with_functions(self, drive):
        here, there = threading.Barrier(3), []

        async def wait():
            there.append(asyncio.get_running_loop())
            await asyncio.get_running_loop().run_in_executor(None, here.wait, WAIT)

        with workflow("f") as flow:
            Task("a", wait), Task("b", wait), Task("c", lambda: here.wait(WAIT))
        assert drive(flow).ok
        assert len(set(there)) == 1

    def test_arun_uses_the_callers_loop(self):
        with workflow("f") as flow:

            @task(cache=False)
            async def loop():
                return id(asyncio.get_running_loop())

        async def main():
            run = await flow.arun()
            return run.results["loop"] == id(asyncio.get_running_loop())

        assert asyncio.run(main())

    def test_run_works_where_a_loop_runs_already(self):
        with workflow("f") as flow:

            @task
            async def one():
                return 1

        async def main():
            return flow.run().results

        assert asyncio.run(main()) == {"one": 1}

    def test_arun_leaves_the_loop_free(self):
        release, order = threading.Event(), []
        with workflow("f") as flow:
            Task("slow", lambda: release.wait(WAIT))

        async def main():
            running = asyncio.create_task(flow.arun())
            await asyncio.sleep(0)
            order.append("meanwhile")
            release.set()
            assert (await running).ok

        asyncio.run(main())
        assert order == ["meanwhile"]

    def test_arun_takes_the_options_of_run(self, log):
        with workflow("f") as flow:
            chain(log.task("a"), log.task("b"))
            log.task("bad", then=lambda: 1 / 0)

        async def main():
            await flow.arun("b")
            await flow.arun("b", force=["b"], workers=1)
            with pytest.raises(TaskError):
                await flow.arun(raise_errors=True, fail_fast=True)

        asyncio.run(main())
        assert log.took() == "a b b bad"

    @pytest.mark.parametrize("turns", range(12))
    def test_cancelling_at_any_moment_cancels_the_run(self, turns):
        """Also in the very turn of the loop in which an outcome arrives."""
        with workflow("f") as flow:

            async def forever(_):
                await asyncio.Event().wait()

            async def soon():
                await go.wait()

            Task("soon", soon) >> Task("forever", forever)

        async def main():
            nonlocal go
            go = asyncio.Event()
            running = asyncio.create_task(flow.arun())
            while not started:  # noqa: ASYNC110
                await asyncio.sleep(0)
            go.set()
            for _ in range(turns):
                await asyncio.sleep(0)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(asyncio.shield(running), WAIT)

        go, started = None, []
        flow.services.listeners.append(lambda event: started.append(1) if isinstance(event, TaskStarted) else None)
        asyncio.run(main())
        assert flow.last_run.was_cancelled
        assert str(flow.last_run.statuses["forever"]) == "cancelled"

    def test_a_run_without_coroutines_starts_no_loop(self):
        with workflow("f") as flow:
            Task("a", lambda: [thread.name for thread in our_threads()])
        assert "graflow-loop" not in flow.run().results["a"]


class TestStream:
    def kinds(self, flow, **options):
        async def main():
            return [type(event).__name__ async for event in flow.stream(**options)]

        return asyncio.run(main())

    def test_it_gives_every_event(self, log):
        with workflow("f") as flow:
            log.task("a")
        assert self.kinds(flow) == ["RunStarted", "TaskStarted", "TaskFinished", "RunFinished"]
        assert self.kinds(flow) == ["RunStarted", "TaskFinished", "RunFinished"]
        assert self.kinds(flow, force=True)[1] == "TaskStarted"
        assert flow.services.listeners == []

    def test_closing_it_early_cancels_the_run(self, log):
        ended = asyncio.Event()
        with workflow("f") as flow:

            async def forever():
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.set()

            Task("forever", forever) >> log.task("after")

        async def main():
            async with aclosing(flow.stream()) as events:
                async for event in events:
                    if isinstance(event, TaskStarted):
                        break
            assert ended.is_set(), "when it is closed, nothing runs any more"

        asyncio.run(main())
        assert words(flow.last_run) == {"forever": "cancelled", "after": "cancelled"}
        assert log == []

    def test_closing_it_early_stops_functions_too(self):
        with workflow("f") as flow:

            @task
            def looks():
                while not context.cancelled:
                    entered.set()

        entered = threading.Event()

        async def main():
            async with aclosing(flow.stream()) as events:
                async for event in events:
                    if isinstance(event, TaskStarted):
                        break

        asyncio.run(main())
        assert flow.last_run.is_finished

    def test_a_failure_is_an_event_and_no_error(self):
        with workflow("f") as flow:
            Task("bad", lambda: 1 / 0)
        assert self.kinds(flow)[-1] == "RunFinished"
        assert words(flow.last_run) == {"bad": "failed"}

    def test_what_is_wrong_is_raised_at_once(self):
        with pytest.raises(EmptyWorkflowError):
            self.kinds(workflow("f"))


class TestBackground:
    def test_it_returns_at_once_and_can_be_waited_for(self, log):
        release = threading.Event()
        with workflow("f") as flow:
            log.task("a", then=lambda: release.wait(WAIT))
        run = flow.run(background=True)
        assert not run.is_finished
        with pytest.raises(TimeoutError, match="'f' is still going on"):
            run.wait(0)
        assert "running" in repr(run)
        release.set()
        assert run.wait(WAIT) is run
        assert (run.ok, flow.last_run) == (True, run)

    def test_it_can_be_cancelled_at_once(self, log):
        with workflow("f") as flow:
            chain(Task("a", looks_at_context), log.task("b"))
        run = flow.run(background=True)
        run.cancel()
        run.wait(WAIT)
        assert words(run)["b"] == "cancelled"
        assert run.was_cancelled
        assert log == []

    def test_what_finished_before_stays_and_the_next_run_goes_on_from_there(self, log):
        entered, is_first = threading.Event(), [True]

        def second():
            entered.set()
            while is_first and not context.cancelled:
                pass

        with workflow("f") as flow:
            chain(log.task("a"), Task("b", second, cache=False), log.task("c"))
        run = flow.run(background=True)
        assert entered.wait(WAIT)
        run.cancel()
        run.wait(WAIT)
        assert words(run)["a"] == "succeeded"
        assert words(run)["c"] == "cancelled"
        is_first.clear()
        assert words(flow.run()) == {"a": "cached", "b": "succeeded", "c": "succeeded"}

    def test_a_loop_that_does_not_look_is_broken_off(self):
        entered = threading.Event()

        def stubborn():
            while True:
                entered.set()

        with workflow("f") as flow:
            Task("stubborn", stubborn)
        run = flow.run(background=True)
        assert entered.wait(WAIT)
        run.cancel()
        run.wait(WAIT)
        assert words(run) == {"stubborn": "cancelled"}
        assert run.stuck == []

    def test_what_cannot_be_broken_off_is_given_up_and_named(self):
        entered, release = threading.Event(), threading.Lock()

        def in_c():
            entered.set()
            with release:
                return "late"

        with workflow("f") as flow:
            t = Task("in_c", in_c)
        with release:
            run = flow.run(background=True)
            assert entered.wait(WAIT)
            run.cancel()
            run.wait(WAIT)
            assert words(run) == {"in_c": "cancelled"}
            assert run.stuck == ["in_c"]
        for thread in our_threads():
            thread.join(WAIT)
        with pytest.raises(NoResultError, match="cancelled"):
            _ = t.result

    def test_a_second_cancel_gives_up_at_once(self):
        entered, release = threading.Event(), threading.Lock()

        def in_c():
            entered.set()
            with release:
                pass

        with workflow("f") as flow:
            Task("in_c", in_c)
        with release:
            run = flow.run(background=True)
            assert entered.wait(WAIT)
            run.cancel()
            run.cancel()
            assert run.wait(WAIT).stuck == ["in_c"]

    def test_cancelling_a_finished_run_does_nothing(self, log):
        with workflow("f") as flow:
            log.task("a")
        run = flow.run(background=True).wait(WAIT)
        run.cancel()
        assert run.ok
        assert not run.was_cancelled

    def test_two_runs_at_once_do_not_mix_what_they_know(self):
        """The later run knows another input; its failure must leave nothing of the earlier one under its key."""
        box = {"value": 1}
        entered, release = threading.Event(), threading.Event()

        def read():
            return box["value"]

        def double(source):
            if source == 1 and not release.is_set():
                entered.set()
                assert release.wait(WAIT)
            elif fails:
                raise ValueError
            return 2 * source

        fails = [True]
        with workflow("f") as flow:
            Task("source", Hidden(read), cache=False)
            Task("double", Hidden(double))
        slow = flow.run(background=True)
        assert entered.wait(WAIT)
        box["value"] = 2
        quick = flow.run()
        assert words(quick) == {"source": "succeeded", "double": "failed"}
        release.set()
        slow.wait(WAIT)
        fails.clear()
        assert flow.run().results["double"] == 4


def looks_at_context():
    while not context.cancelled:
        pass


class TestInterrupt:
    """Ctrl-C, or a kernel's stop button, while the main thread drives a run."""

    def interrupt(self, flow, **options):
        flow.services.listeners.append(
            lambda event: signal.raise_signal(signal.SIGINT) if isinstance(event, TaskStarted) else None
        )
        with pytest.raises(KeyboardInterrupt):
            flow.run(**options)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        return words(flow.last_run)

    def test_it_cancels_the_run(self, log):
        with workflow("f") as flow:
            Task("looks", looks_at_context) >> log.task("after")
        assert self.interrupt(flow) == {"looks": "cancelled", "after": "cancelled"}
        assert log == []
        assert flow.last_run.was_cancelled

    def test_it_is_noticed_when_it_wakes_nobody(self):
        """The system may hand a signal to any thread, or to a driver that is just falling asleep."""

        def strikes_its_own_thread():
            signal.raise_signal(signal.SIGINT)
            while True:
                pass

        with workflow("f") as flow:
            Task("strikes", strikes_its_own_thread)
        with pytest.raises(KeyboardInterrupt):
            flow.run()
        assert words(flow.last_run) == {"strikes": "cancelled"}

    def test_coroutines_are_cancelled(self):
        async def forever():
            await asyncio.Event().wait()

        with workflow("f") as flow:
            Task("forever", forever)
        assert self.interrupt(flow) == {"forever": "cancelled"}
        assert flow.last_run.stuck == []

    def test_a_task_on_the_main_thread_is_struck_itself(self, log):
        def body():
            signal.raise_signal(signal.SIGINT)
            log.append("went on")

        with workflow("f") as flow:
            Task("here", body, main_thread=True) >> log.task("after")
        with pytest.raises(KeyboardInterrupt):
            flow.run()
        assert words(flow.last_run) == {"here": "cancelled", "after": "cancelled"}
        assert log == []

    def test_another_handler_is_left_alone(self, log):
        with workflow("f") as flow:
            log.task("a")
        mine = lambda *_: None
        before = signal.signal(signal.SIGINT, mine)
        try:
            assert flow.run().ok
            assert signal.getsignal(signal.SIGINT) is mine
        finally:
            signal.signal(signal.SIGINT, before)


class TestThreads:
    def test_independent_tasks_overlap_across_the_whole_graph(self):
        barrier = threading.Barrier(3)
        with workflow("f") as flow:
            roots = [Task(f"r{n}", lambda: None) for n in range(3)]
            for n, root in enumerate(roots):
                root >> Task(f"t{n}", lambda: barrier.wait(WAIT))
        assert flow.run(workers=3).ok

    def test_a_task_waits_for_its_own_predecessors_only(self):
        deep = threading.Event()
        with workflow("f") as flow:
            slow = Task("slow", lambda: deep.wait(WAIT))
            quick = chain(Task("q1", lambda: None), Task("q2", lambda: None), Task("q3", deep.set))
            (slow | quick) >> Task("end", lambda: None)
        assert flow.run(workers=2).ok

    def test_main_thread_tasks_run_on_the_main_thread(self):
        with workflow("f") as flow:
            a = Task("here", threading.get_ident, main_thread=True)
            a >> Task("there", lambda x: (x, threading.get_ident()))
        here, there = flow.run().results["there"]
        assert here == threading.get_ident() != there

    def test_main_thread_tasks_overlap_with_others(self):
        barrier = threading.Barrier(2)
        with workflow("f") as flow:
            Task("here", lambda: barrier.wait(WAIT), main_thread=True)
            Task("there", lambda: barrier.wait(WAIT))
        assert flow.run(workers=1).ok

    def test_main_thread_in_the_background_is_a_clear_error(self):
        with workflow("f") as flow:
            Task("here", lambda: None, main_thread=True)
        run = flow.run(background=True).wait(WAIT)
        assert "'here' has main_thread=True" in str(run.errors["here"])

    @pytest.mark.parametrize("is_coroutine", [False, True])
    def test_context_variables_are_seen_and_not_leaked(self, is_coroutine):
        variable = contextvars.ContextVar("v", default="unset")

        def body():
            seen = variable.get()
            variable.set("changed by a task")
            return seen

        async def later():
            return body()

        with workflow("f") as flow:
            Task("a", later if is_coroutine else body) >> Task("b", variable.get)
        token = variable.set("mine")
        try:
            assert flow.run(force=True).results == {"a": "mine", "b": "mine"}
            assert flow.run(force=True, background=True).wait(WAIT).results == {"a": "mine", "b": "mine"}
            assert variable.get() == "mine"
        finally:
            variable.reset(token)

    def test_300_tasks_at_once(self):
        with workflow("f") as flow:
            tasks = [Task(f"t{n}", lambda n=n: n) for n in range(300)]
            tasks >> Task("end", sum)
        assert flow.run().results["end"] == sum(range(300))

    def test_a_chain_of_300_tasks(self):
        with workflow("f") as flow:
            chain(Task("t0", lambda: 0), *[Task(f"t{n}", lambda x: x + 1) for n in range(1, 300)])
        assert flow.execute() == 299

    @pytest.mark.parametrize("workers", [1, 2, 5])
    def test_no_more_than_asked_for_run_at_once(self, workers):
        lock, now, most = threading.Lock(), [0], [0]

        def body():
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            with lock:
                now[0] -= 1

        with workflow("f") as flow:
            for n in range(60):
                Task(f"t{n}", body)
        assert flow.run(workers=workers).ok
        assert 1 <= most[0] <= workers


class TestIsolation:
    def test_50_threads_with_the_same_names(self):
        start, results = threading.Barrier(50), {}

        def work(number):
            start.wait(WAIT)
            with workflow("same") as flow:

                @task
                def value():
                    return number

                @task
                def doubled(value):
                    return 2 * value

                value >> doubled
                results[number] = flow.execute("value"), list(flow.graph.nodes)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
        assert results == {n: (2 * n, ["value", "doubled"]) for n in range(50)}

    def test_one_workflow_may_be_open_in_two_threads(self):
        flow, both, errors = workflow("f"), threading.Barrier(2), []

        def work(name):
            try:
                with flow:
                    both.wait(WAIT)
                    Task(name, print)
                    both.wait(WAIT)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
        assert errors == []
        assert set(flow.graph.nodes) == {"a", "b"}

    def test_async_tasks_have_their_own_open_workflow(self):
        async def build(name):
            with workflow(name) as flow:
                Task("a", lambda: name)
                await asyncio.sleep(0)
                Task("b", lambda a: a)
            return flow.name, list(flow.graph.nodes)

        async def main():
            return await asyncio.gather(build("x"), build("y"))

        assert asyncio.run(main()) == [("x", ["a", "b"]), ("y", ["a", "b"])]

    def test_an_error_inside_a_with_closes_it(self):
        with workflow("outer") as outer:
            with contextlib.suppress(ValueError), workflow("inner"):
                raise ValueError
            Task("a", print)
        Task("b", print)
        assert list(outer.graph.nodes) == ["a"]

    def test_a_task_object_in_two_workflows(self):
        shared = Task("shared", lambda: 1)
        with workflow("one") as one:
            shared >> Task("after", lambda x: x + 1)
        with workflow("two") as two:
            Task("before", lambda: 0) >> shared
        assert one.run().results == {"shared": 1, "after": 2}
        assert two.run().results == {"before": 0, "shared": 1}
        assert two.graph.edges == [("before", "shared")]

    def test_its_result_is_that_of_the_run_that_finished_last(self):
        values = iter(range(10))
        shared = Task("shared", lambda: next(values), cache=False)
        flows = []
        for name in ("one", "two"):
            with workflow(name) as flow:
                flow.graph.add(shared)
            flows.append(flow)
        first, second = flows[0].run(), flows[1].run()
        assert (first.results, second.results, shared.result) == ({"shared": 0}, {"shared": 1}, 1)

    def test_a_workflow_inside_a_running_task(self):
        with workflow("outer") as flow:

            @task
            def outer():
                with workflow("inner") as inner:

                    @task
                    def one():
                        return 1

                    @task
                    def two(one):
                        return one + 1

                    return inner.execute(), context.task_name

            assert flow.execute() == (2, "outer")
        assert list(flow.graph.nodes) == ["outer"]

    @pytest.mark.parametrize("change", ["remove", "replace"])
    def test_a_task_may_take_away_or_replace_another_while_it_runs(self, log, change):
        with workflow("f") as flow:

            def body():
                old = flow.graph.remove("b")
                if change == "replace":
                    flow.graph.add(Task("b", lambda: "new"))
                return old.name

            chain(Task("a", body, cache=False), log.task("b"))
        assert flow.run().results == {"a": "b", "b": "b()"}, "a run keeps to its plan"
        if change == "replace":
            assert flow.run("b").results["b"] == "new"
        else:
            assert list(flow.graph.nodes) == ["a"]


class TestStatuses:
    def test_each_knows_its_word_symbol_and_colour(self):
        assert len({status.word for status in Status}) == len({status.symbol for status in Status}) == len(Status)
        assert all(len(status.symbol) == 1 and status.colour.startswith("#") for status in Status)

    def test_a_result_is_final(self):
        assert {status for status in Status if status.is_success} < {s for s in Status if s.is_final}
        assert [s.word for s in Status if not s.is_final] == ["waiting", "ready", "running", "retrying"]

    def test_during_a_run_they_are_seen(self):
        seen = {}
        with workflow("f") as flow:
            chain(Task("a", lambda: None), Task("b", lambda: None))
        flow.services.listeners.append(
            lambda event: seen.setdefault((type(event).__name__, getattr(event, "task", "")), words(event.run))
        )
        flow.run()
        assert seen["RunStarted", ""] == {"a": "waiting", "b": "waiting"}
        assert seen["TaskStarted", "a"] == {"a": "running", "b": "waiting"}
        assert seen["TaskFinished", "a"] == {"a": "succeeded", "b": "waiting"}


class Round:
    """Stands round calls, and notes when; one of them may fail."""

    def __init__(self, name, log, fails=""):
        self.name, self.log, self.fails = name, log, fails

    def before(self, call):
        self._note("before")

    def after(self, call, outcome):
        self._note("after")

    def _note(self, when):
        self.log.append(f"{self.name} {when}")
        if when == self.fails:
            raise ValueError(when)


@pytest.mark.parametrize(
    ("fails", "expected", "status"),
    [
        ("", "x before,y before,a,y after,x after", "succeeded"),
        ("before", "x before,y before,x after", "failed"),
        ("after", "x before,y before,a,y after,x after", "failed"),
    ],
)
@pytest.mark.parametrize("is_coroutine", [False, True])
def test_what_stands_round_a_call_is_left_in_the_reverse_order(log, fails, expected, status, is_coroutine):
    async def later():
        log.append("a")

    with workflow("f") as flow:
        Task("a", Hidden(lambda: log.append("a")) if not is_coroutine else later)
    flow.services.around = (Round("x", log), Round("y", log, fails))
    flow.services.cache = None
    assert words(flow.run()) == {"a": status}
    assert ",".join(log) == expected


def test_where_none_is_open_a_fallback_is_written_to():
    home = workflow("home")
    set_fallback(lambda: home)
    try:
        Task("a", print) >> Task("b", lambda: Task("inner", print).name)
        with workflow("other") as other:
            Task("c", print)
        home.run("b")
    finally:
        set_fallback(None)
    assert (list(home.graph.nodes), list(other.graph.nodes)) == (["a", "b"], ["c"])


def test_services_are_what_a_workflow_is_handed(log):
    handed = []

    def provide(flow):
        handed.append(flow.name)
        return before(flow)

    before = set_services(provide)
    try:
        with workflow("f") as flow:
            log.task("a")
        assert flow.run().ok
    finally:
        assert set_services(before) is provide
    assert handed == ["f"]
