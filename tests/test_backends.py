"""What every backend must do: the same tests on each. Another backend joins by its name in BACKENDS."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path

import pytest
from unreadable import Unreadable

from graflow_nb import (
    File,
    RetryPolicy,
    Task,
    TaskTimeout,
    TaskWrapper,
    UnknownBackendError,
    UnsendableError,
    WorkerLostError,
    best_effort,
    context,
    register_backend,
    task,
    workflow,
)
from graflow_nb.core.status import Status
from graflow_nb.core.task import Defined

DASK = ["dask", "scheduler"]  # a cluster that is started here, and the address of one
BACKENDS = ["threads", "processes", "redis", *DASK]
ELSEWHERE = ["processes", "redis", *DASK]  # where tasks do not share this process's memory


@pytest.fixture(params=BACKENDS)
def backend(request):
    return backend_of(request)


@pytest.fixture(params=ELSEWHERE)
def elsewhere(request):
    return backend_of(request)


def backend_of(request):
    """Return the name of a backend when what it needs is there, or the address that a fixture of its name gives."""
    if request.param == "redis":
        request.getfixturevalue("redis_workers")
    if request.param in DASK:
        pytest.importorskip("distributed")
    return request.getfixturevalue("scheduler") if request.param == "scheduler" else request.param


@pytest.fixture(params=["processes", "redis"])
def own_process(request):
    """Where each call has a process to itself, which can be ended: a worker of Dask holds others' results."""
    return backend_of(request)


class TestValues:
    def test_a_diamond(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def a():
                return 1

            @task
            def b(a):
                return a + 1

            @task
            def c(a):
                return a + 2

            @task
            def d(b, c):
                return {"b": b, "c": c}

        assert flow.run().results["d"] == {"b": 2, "c": 3}
        assert flow.execute() == {"b": 2, "c": 3}

    def test_functions_classes_and_globals_go_along(self, backend):
        factor = 3

        class Point:
            def __init__(self, x):
                self.x = x

        def times(value):
            return factor * value

        with workflow("w", backend=backend) as flow:

            @task
            def point():
                return Point(times(2))

            @task
            def read(point):
                return isinstance(point, Point), point.x

        run = flow.run()
        assert run.results["read"] == (True, 6)
        assert isinstance(run.results["point"], Point)

    def test_arrays_may_be_written_to(self, backend):
        np = pytest.importorskip("numpy")
        with workflow("w", backend=backend) as flow:

            @task
            def make():
                return np.arange(100_000.0)

            @task
            def change(make):
                copy = make.copy()
                copy += 1
                return copy

        run = flow.run()
        run.results["change"][0] = 5.0
        assert run.results["change"].sum() == run.results["make"].sum() + 100_000 + 4

    def test_on_arun(self, backend):
        with workflow("w") as flow:

            @task
            def a():
                return 1

            @task
            async def b(a):
                await asyncio.sleep(0)
                return a + 1

        assert asyncio.run(flow.arun(backend=backend)).results["b"] == 2

    def test_a_coroutine_that_asks_for_it(self, backend):
        with workflow("w") as flow:

            @task(backend=backend)
            async def b():
                await asyncio.sleep(0)
                return context.task_name

        if backend != "threads":
            assert flow.execute() == "b"


class TestMixed:
    def test_one_task_elsewhere_between_two_on_threads(self, elsewhere):
        with workflow("w") as flow:

            @task
            def first():
                return os.getpid()

            @task(backend=elsewhere)
            def middle(first):
                return first, os.getpid()

            @task
            def last(middle):
                return (*middle, os.getpid())

        first, middle, last = flow.run().results["last"]
        assert first == last == os.getpid() != middle

    def test_main_thread_stays_here(self, elsewhere):
        with workflow("w", backend=elsewhere) as flow:

            @task(main_thread=True)
            def here():
                return threading.current_thread() is threading.main_thread(), os.getpid()

        assert flow.run().results["here"] == (True, os.getpid())

    def test_a_workflow_in_another_one_keeps_its_own(self, elsewhere):
        with workflow("inner", backend=elsewhere) as inner:

            @task
            def there(here):
                return here, os.getpid()

        with workflow("outer") as outer:

            @task
            def here():
                return os.getpid()

            _ = here >> inner

        before, after = outer.run().results["inner"]
        assert before == os.getpid() != after
        assert outer.run().statuses["inner/there"] is Status.CACHED

    def test_hits_are_shared(self, elsewhere):
        def build(backend):
            with workflow("w", backend=backend) as flow:

                @task
                def a():
                    return [1, 2]

                @task
                def b(a):
                    return sum(a)

            return flow

        flow = build(elsewhere)
        assert {*flow.run().statuses.values()} == {Status.SUCCEEDED}
        assert {*flow.run(backend="threads").statuses.values()} == {Status.CACHED}
        flow.run(backend="threads", force=True)
        assert {*flow.run(backend=elsewhere).statuses.values()} == {Status.CACHED}

    def test_an_unknown_name(self):
        with workflow("w") as flow:

            @task
            def a():
                return 1

        with pytest.raises(UnknownBackendError, match="'processes'"):
            flow.run(backend="proceses")

    def test_an_unknown_name_of_a_task(self):
        with workflow("w") as flow:

            @task(backend="nowhere")
            def a():
                return 1

        with pytest.raises(UnknownBackendError, match="'nowhere'"):
            flow.run()

    def test_what_is_not_installed(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "loky", None)
        with workflow("w", backend="processes") as flow:

            @task
            def a():
                return 1

        with pytest.raises(UnknownBackendError, match=r"pip install graflow-nb\[processes\]"):
            flow.run()

    def test_one_of_ones_own(self):
        class AtOnce:
            slots = 1

            def __init__(self, workers=None):
                self.workers = workers

            def open(self, deliver):
                self.deliver = deliver

            def submit(self, call):
                self.deliver(call.run())

            def withdraw(self):
                return ()

            def interrupt(self, call=None):
                pass

            def close(self):
                pass

        register_backend("at once", AtOnce)
        with workflow("w", backend="at once") as flow:

            @task
            def a():
                return threading.current_thread() is threading.main_thread()

            @task
            def b(a):
                return a

        assert flow.execute() is True


class TestErrors:
    def test_with_the_lines_of_the_task(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def fails():
                rows = []
                return rows[3]  # the line

            @task
            def after(fails):
                return fails

        run = flow.run()
        error = run.errors["fails"]
        assert isinstance(error, IndexError)
        lines = traceback.format_exception(error)
        assert "return rows[3]  # the line" in "".join(lines)
        assert run.statuses["after"] is Status.SKIPPED

    def test_with_their_causes(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def fails():
                try:
                    {}["x"]
                except KeyError as error:
                    raise ValueError("no x") from error

        error = flow.run().errors["fails"]
        assert isinstance(error.__cause__, KeyError)
        assert '{}["x"]' in "".join(traceback.format_exception(error))

    def test_of_a_class_that_cannot_be_made_again_from_its_args(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def fails():
                raise Unreadable(5, where="home")

        error = flow.run().errors["fails"]
        assert isinstance(error, Unreadable)
        assert (error.code, error.where, str(error)) == (5, "home", "5 at home")

    def test_with_something_that_cannot_be_sent(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def fails():
                raise ValueError("locked", threading.Lock())

        error = flow.run().errors["fails"]
        assert isinstance(error, ValueError)
        assert error.args[0] == "locked"


class TestBadInput:
    def test_an_argument_that_cannot_be_sent(self, elsewhere):
        with workflow("w") as flow:

            @task
            def make():
                return {"model": {"locks": [1, threading.Lock()]}}

            @task(backend=elsewhere)
            def use(make):
                return 1

        error = flow.run().errors["use"]
        assert isinstance(error, UnsendableError)
        assert "its argument" in str(error)
        assert "['model']['locks'][1] is of type lock" in str(error)

    def test_a_result_that_cannot_be_sent(self, elsewhere):
        with workflow("w", backend=elsewhere) as flow:

            @task
            def make():
                return {"lock": threading.Lock()}

        error = flow.run().errors["make"]
        assert isinstance(error, UnsendableError)
        assert "its result cannot be sent" in str(error)
        assert "result['lock'] is of type lock" in str(error)

    def test_a_variable_that_cannot_be_sent(self, elsewhere):
        def cell():
            return Defined(1, {"lock": threading.Lock(), "number": 2})

        with workflow("w", backend=elsewhere) as flow:
            made = Task("made", cell, defines=("lock", "number"))

            @task
            def plain(number):
                return number

            @task
            def use(lock):
                return lock

        for _ in range(2):  # and it is not kept without it
            run = flow.run()
            assert run.results["plain"] == 2
            assert "its variable 'lock' cannot be sent back" in str(run.errors["use"])
            assert run.statuses[made.name] is Status.SUCCEEDED
            assert "cannot be sent back" in run.records["made"].note

    def test_code_that_cannot_be_sent(self, elsewhere):
        lock = threading.Lock()
        with workflow("w", backend=elsewhere) as flow:

            @task
            def use():
                with lock:
                    return 1

        error = flow.run().errors["use"]
        assert isinstance(error, UnsendableError)
        assert "its code" in str(error)
        assert "lock is of type lock" in str(error)

    def test_input(self, elsewhere):
        with workflow("w", backend=elsewhere) as flow:

            @task
            def asks():
                return input("name?")

        assert "main_thread=True" in str(flow.run().errors["asks"])


class TestRetriesAndTimeouts:
    def test_retries(self, backend, tmp_path):
        count = tmp_path / "count"
        with workflow("w", backend=backend) as flow:

            @task(retry=RetryPolicy(max_retries=2, initial_interval=0.0), cache=False)
            def flaky():
                count.write_text(str(tries := int(count.read_text()) + 1 if count.exists() else 1))
                if tries < 3:
                    raise OSError("not yet")
                return tries

        run = flow.run()
        assert run.results["flaky"] == 3
        assert run.records["flaky"].attempts == 3

    def test_retry_on(self, backend):
        with workflow("w", backend=backend) as flow:

            @task(retries=3, retry_delay=0.0, retry_on=(Unreadable,))
            def flaky():
                raise Unreadable(1, where="there")

        assert flow.run().records["flaky"].attempts == 4

    def test_a_timeout(self, backend):
        with workflow("w", backend=backend) as flow:

            @task(timeout=0.3)
            def slow():
                while True:
                    time.sleep(0.01)

        assert isinstance(flow.run().errors["slow"], TaskTimeout)

    def test_a_timeout_in_one_long_call(self, own_process):
        with workflow("w", backend=own_process) as flow:

            @task(timeout=0.3)
            def slow():
                time.sleep(60)

        begun = time.perf_counter()
        run = flow.run()
        assert isinstance(run.errors["slow"], TaskTimeout)
        assert not run.stuck
        assert time.perf_counter() - begun < 20


class TestCancel:
    def test_the_run(self, backend, tmp_path):
        flag = tmp_path / "started"
        with workflow("w", backend=backend) as flow:

            @task
            def slow():
                flag.touch()
                while True:
                    time.sleep(0.01)

            @task
            def after(slow):
                return slow

        run = flow.run(background=True)
        while not flag.exists():
            time.sleep(0.01)
        run.cancel()
        run.wait()
        assert run.statuses["slow"] is run.statuses["after"] is Status.CANCELLED

    def test_the_run_in_one_long_call(self, own_process, tmp_path):
        flag = tmp_path / "started"
        with workflow("w", backend=own_process) as flow:

            @task
            def slow():
                flag.touch()
                time.sleep(60)

        run = flow.run(background=True)
        while not flag.exists():
            time.sleep(0.01)
        run.cancel()
        run.wait()
        assert run.statuses["slow"] is Status.CANCELLED
        assert not run.stuck

    def test_one_task(self, backend, tmp_path):
        flag = tmp_path / "started"
        with workflow("w", backend=backend) as flow:

            @task
            def slow():
                flag.touch()
                while True:
                    time.sleep(0.01)

            @task
            def other():
                while not flag.exists():
                    time.sleep(0.01)
                return 1

        run = flow.run(background=True)
        while not flag.exists():
            time.sleep(0.01)
        run.cancel("slow")
        run.wait()
        assert run.statuses["slow"] is Status.CANCELLED
        assert run.results["other"] == 1

    def test_a_task_that_looks(self, backend, tmp_path):
        flag, ended = tmp_path / "started", tmp_path / "ended"
        with workflow("w", backend=backend) as flow:

            @task
            def slow():
                flag.touch()
                while not context.cancelled:
                    time.sleep(0.005)
                ended.touch()

        run = flow.run(background=True)
        while not flag.exists():
            time.sleep(0.01)
        run.cancel()
        run.wait()
        assert ended.exists()


class TestLostWorkers:
    def test_one_fails_its_task_only(self, own_process, tmp_path):
        killed = tmp_path / "killed"
        with workflow("w", backend=own_process) as flow:

            @task
            def other():
                while not killed.exists():
                    time.sleep(0.01)
                return 1

            @task
            def lost():
                killed.touch()
                os.kill(os.getpid(), signal.SIGKILL)

            @task
            def after(other):
                return other + 1

        run = flow.run(workers=2)
        assert isinstance(run.errors["lost"], WorkerLostError)
        assert "SIGKILL" in str(run.errors["lost"])
        assert run.results["after"] == 2
        assert flow.run("after", force=True).results["after"] == 2

    def test_it_is_tried_again_if_it_may_be(self, elsewhere, tmp_path):
        killed = tmp_path / "killed"
        with workflow("w", backend=elsewhere) as flow:

            @task(retries=1, retry_delay=0.0)
            def lost():
                if not killed.exists():
                    killed.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return 5

        assert flow.run().results["lost"] == 5

    def test_its_locks_are_free(self, elsewhere):
        with workflow("w", backend=elsewhere) as flow:

            @task
            def lost():
                with context.channel.lock("x"):
                    os.kill(os.getpid(), signal.SIGKILL)

            @task
            def after():
                with context.channel.lock("x", timeout=20):
                    return 1

        assert flow.run(workers=1).results["after"] == 1

    def test_what_it_started_ends_with_it(self, own_process, tmp_path):
        pid = tmp_path / "pid"
        with workflow("w", backend=own_process) as flow:

            @task(timeout=0.5)
            def slow():
                import subprocess

                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
                pid.write_text(str(child.pid))
                child.wait()

        assert isinstance(flow.run().errors["slow"], TaskTimeout)
        with pytest.raises(ProcessLookupError):
            for _ in range(1000):
                os.kill(int(pid.read_text()), 0)
                time.sleep(0.01)


_ENDS = """
import os, sys, time
from graflow_nb import task, workflow
with workflow("w", backend=sys.argv[1]) as flow:
    @task
    def slow():
        open(sys.argv[2], "w").write(str(os.getpid()))
        time.sleep(600)
run = flow.run(background=True)
while not (os.path.exists(sys.argv[2]) and os.path.getsize(sys.argv[2])):
    time.sleep(0.01)
if sys.argv[3] == "killed":
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("how", ["killed", "done"])
@pytest.mark.parametrize("elsewhere", ["processes", "dask"])  # a cluster that others started goes on
def test_no_process_is_left(elsewhere, tmp_path, how):
    pid = tmp_path / "pid"
    subprocess.run([sys.executable, "-c", _ENDS, elsewhere, str(pid), how], timeout=60, check=False)
    with pytest.raises(ProcessLookupError):
        for _ in range(6000):  # a run in a Redis counts as alive for half a minute
            os.kill(int(pid.read_text()), 0)
            time.sleep(0.01)


class TestDynamic:
    def test_next_task_and_iterations(self, backend):
        with workflow("w", backend=backend) as flow:

            @task(inject_context=True)
            def grow(context, data=1):
                if data < 4:
                    context.next_iteration(data * 2)
                else:
                    context.next_task(TaskWrapper("born", lambda grow: grow + 100))
                return data

            @task
            def last(grow):
                return grow

        run = flow.run()
        assert run.results["grow"] == 4
        assert run.results["born"] == 104
        assert run.results["last"] == 4

    def test_a_chain_a_group_and_a_map(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def start():
                first, second = TaskWrapper("first", lambda: 1), TaskWrapper("second", lambda first: first + 1)
                context.next_task(first >> second)
                context.next_task(
                    (TaskWrapper("x", lambda: 1) | TaskWrapper("y", lambda: 2)).with_policy("best_effort")
                )
                context.next_task(TaskWrapper("square", lambda n: n * n).map([1, 2, 3], name="squares"))

        run = flow.run()
        assert not run.errors
        assert (run.results["second"], run.results["squares"]) == (2, [1, 4, 9])

    def test_jumps_to_one_that_there_is(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def c():
                return "c"

            @task
            def a():
                context.next_task("c", goto=True)

            @task
            def b(a):
                return "b"

            _ = a >> b >> c

        run = flow.run()
        assert run.results["c"] == "c"
        assert run.statuses["b"] is Status.SKIPPED

    def test_terminate(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def a():
                context.terminate_workflow("enough")

            @task
            def b(a):
                return 1

        assert flow.run().statuses["b"] is Status.SKIPPED

    def test_map(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def square(x):
                return x * x

            squares = square.map([1, 2, 3], name="squares")
            _ = squares

            @task
            def total(squares):
                return sum(squares)

        assert flow.run().results["total"] == 14

    def test_conditions_and_policies(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def a():
                return 1

            @task(when=lambda a: a > 5)
            def never(a):
                return a

            @task
            def bad(a):
                raise ValueError(a)

            @task
            def good(a):
                return a + 1

            group = (bad | good).with_policy(best_effort)

            @task
            def end(results):
                return len(results)

            _ = group >> end

        run = flow.run()
        assert run.statuses["never"] is Status.SKIPPED
        assert run.results["end"] == 2


class TestChannel:
    def test_reads_and_writes(self, backend):
        with workflow("w", backend=backend, channel={"rate": 2}) as flow:

            @task
            def a():
                channel = context.channel
                channel.append("losses", 1)
                channel.append("losses", 2)
                return channel.get("losses"), channel.get("rate"), channel.exists("no")

            @task
            def b(a):
                return context.channel.get("losses"), context.channel.keys(), context.get_result("a")[1]

        run = flow.run()
        assert run.results["a"] == ([1, 2], 2, False)
        assert run.results["b"] == ([1, 2], ["rate", "losses"], 2)
        again = flow.run()
        assert {*again.statuses.values()} == {Status.CACHED}
        assert again.surroundings.channel.get("losses") == [1, 2]
        assert flow.run(channel={"rate": 3}).results["a"][1] == 3

    def test_adding_is_exact(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def add(i):
                for _ in range(50):
                    context.channel.atomic_add("n", 1)
                    with context.channel.lock("m"):
                        context.channel.set("m", context.channel.get("m", 0) + 1)

            _ = add.map(range(8), name="adds")

            @task
            def total(adds):
                return context.channel.get("n"), context.channel.get("m")

        assert flow.run(workers=4).results["total"] == (400, 400)

    @pytest.mark.parametrize("value", ["same", ("same",), (), "array"], ids=repr)
    def test_values_of_any_kind(self, backend, value):
        np = pytest.importorskip("numpy")
        with workflow("w", backend=backend) as flow:

            @task
            def write():
                context.channel.set("x", np.ones(3) if value == "array" else value)
                return context.channel.get("x")

            @task
            def read(write):
                return context.channel.get("x"), context.channel.get("x")

        run = flow.run()
        assert np.array_equal(run.results["read"][0], run.results["write"])
        assert np.array_equal(run.results["read"][1], run.results["write"])

    def test_what_is_wrong_is_said(self, backend):
        with workflow("w", backend=backend, channel={"x": "text"}) as flow:

            @task
            def a():
                context.channel.atomic_add("x", 1)

        error = flow.run().errors["a"]
        assert isinstance(error, TypeError)
        assert "'x'" in str(error)

    def test_local_data(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def count():
                number = context.get_local_data("n", 0) + 1
                context.set_local_data("n", number)
                if number < 3:
                    context.next_iteration()
                return number

        assert flow.run().results["count"] == 3


class TestWhatIsSeen:
    def test_seeds(self, backend):
        with workflow("w", backend=backend, seed=7) as flow:

            @task
            def draw():
                return context.rng.random()

        first = flow.run().results["draw"]
        assert flow.run().statuses["draw"] is Status.CACHED
        with workflow("w", seed=7) as other:

            @task
            def draw():
                return context.rng.random()

        assert other.execute() == first

    def test_what_differs_each_time_is_not_kept(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def now():
                return context.run_id

        assert flow.run().results["now"] != flow.run().results["now"]

    def test_progress(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def slow():
                for i in range(200):
                    context.progress(i / 199, f"step {i}")

        assert flow.run().records["slow"].progress == (1.0, "step 199")

    def test_a_file_that_was_read(self, backend, tmp_path):
        path = tmp_path / "data.txt"
        path.write_text("1")
        with workflow("w", backend=backend) as flow:

            @task
            def read():
                return int(path.read_text())

        assert flow.run().results["read"] == 1
        assert flow.run().statuses["read"] is Status.CACHED
        path.write_text("22")
        assert flow.run().results["read"] == 22
        assert any("data.txt" in str(reason) for reason in flow.last_run.records["read"].reasons)

    def test_a_variable_that_was_read(self, backend, monkeypatch):
        monkeypatch.setenv("MODE_OF_TEST", "one")
        with workflow("w", backend=backend) as flow:

            @task
            def read():
                return os.environ["MODE_OF_TEST"]

        assert flow.run().results["read"] == "one"
        monkeypatch.setenv("MODE_OF_TEST", "two")
        assert flow.run().results["read"] == "two"

    def test_the_current_folder(self, backend, monkeypatch, tmp_path):
        (tmp_path / "x.txt").write_text("there")
        monkeypatch.chdir(tmp_path)
        with workflow("w", backend=backend) as flow:

            @task
            def read():
                return Path("x.txt").read_text()

        assert flow.run().results["read"] == "there"

    def test_a_file_as_a_value(self, backend, tmp_path):
        with workflow("w", backend=backend) as flow:

            @task
            def write():
                path = tmp_path / "out.txt"
                path.write_text("5")
                return File(path)

            @task
            def read(write):
                return Path(write).read_text()

        assert flow.run().results["read"] == "5"
        assert {*flow.run().statuses.values()} == {Status.CACHED}

    def test_an_input_that_was_changed(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def rows():
                return [3, 1, 2]

            @task
            def spoil(rows):
                rows.sort()
                return rows[0]

        run = flow.run()
        assert "'rows'" in run.records["spoil"].note
        assert "changed in place" in run.records["spoil"].note
        assert run.results["rows"] == [3, 1, 2]
        assert flow.run().statuses["spoil"] is Status.SUCCEEDED

    def test_an_array_that_was_changed(self, backend):
        np = pytest.importorskip("numpy")
        with workflow("w", backend=backend) as flow:

            @task
            def rows():
                return np.zeros(100_000)

            @task
            def spoil(rows):
                rows += 1
                return float(rows.sum())

        run = flow.run()
        assert run.results["spoil"] == 100_000
        assert "changed in place" in run.records["spoil"].note
        assert run.results["rows"].sum() == 0

    def test_what_a_task_does_to_its_process_ends_with_it(self, elsewhere, tmp_path):
        with workflow("w", backend=elsewhere) as flow:

            @task
            def first():
                os.environ["LEFT_BY_TEST"] = "1"
                os.chdir(tmp_path)
                sys.path.insert(0, "left")

            @task
            def second(first):
                return os.environ.get("LEFT_BY_TEST"), str(Path.cwd()), sys.path[0]

        assert flow.run(workers=1).results["second"] == (None, str(Path.cwd()), sys.path[0])

    def test_a_module_of_ones_own_that_was_edited(self, elsewhere, tmp_path, monkeypatch):
        monkeypatch.syspath_prepend(tmp_path)
        path = tmp_path / "module_of_test.py"
        path.write_text("def f(): return 1\n")
        import importlib

        import module_of_test

        with workflow("w", backend=elsewhere) as flow:

            @task
            def call():
                return module_of_test.f()

        assert flow.run().results["call"] == 1
        path.write_text("def f(): return 'two'\n")
        importlib.reload(module_of_test)
        assert flow.run().results["call"] == "two"
        sys.modules.pop("module_of_test")

    def test_a_module_that_was_changed_in_memory(self, elsewhere, tmp_path, monkeypatch):
        monkeypatch.syspath_prepend(tmp_path)
        (tmp_path / "module_of_rate.py").write_text("RATE = 1\ndef f(): return RATE\n")
        import module_of_rate

        with workflow("w", backend=elsewhere) as flow:

            @task
            def call():
                return module_of_rate.f()

        module_of_rate.RATE = 5
        flow.run()
        assert flow.run(backend="threads").results["call"] == 5
        sys.modules.pop("module_of_rate")


class TestOutput:
    def test_prints_go_through(self, backend, capfd):
        with workflow("w", backend=backend) as flow:

            @task
            def talk():
                sys.stdout.write("out 1\n")
                sys.stderr.write("err\n")

        flow.run()
        out, err = capfd.readouterr()
        assert "out 1\n" in out
        assert "err\n" in err

    def test_logging(self, backend, caplog):
        with workflow("w", backend=backend) as flow:

            @task
            def talk():
                logging.getLogger("of.test").warning("%s rows", 5)
                logging.getLogger("of.test").debug("never")

        with caplog.at_level(logging.INFO):
            flow.run()
        assert [record.getMessage() for record in caplog.records] == ["5 rows"]

    def test_filters_of_warnings(self, backend):
        with workflow("w", backend=backend) as flow:

            @task
            def warn():
                warnings.warn("beware", UserWarning, stacklevel=1)

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert isinstance(flow.run().errors["warn"], UserWarning)
