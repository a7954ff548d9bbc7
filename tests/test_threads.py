"""The backends by themselves, without a run: threads, and the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from queue import SimpleQueue

import pytest

from graflow_nb import Task
from graflow_nb.backends.loop import LoopBackend
from graflow_nb.backends.threads import ThreadBackend, default_workers
from graflow_nb.core.call import Call
from graflow_nb.core.context import TaskContext
from graflow_nb.core.errors import TaskCancelled
from graflow_nb.core.surroundings import Surroundings

WAIT = 10


def call(name, fn, *args) -> Call:
    task = Task(name, fn)
    context = TaskContext(task, Surroundings())
    return Call(task, fn, args, {}, context, contextvars.copy_context())


def opened(backend):
    outcomes: SimpleQueue = SimpleQueue()
    backend.open(outcomes.put)
    return backend, lambda: outcomes.get(timeout=WAIT)


def threads():
    """Return the threads that make calls, and those that wait for more."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("graflow-")]


@pytest.fixture(autouse=True)
def _leaves_no_thread():
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(WAIT)
        assert not thread.is_alive(), thread


def raising(error):
    raise error


class TestThreadBackend:
    def test_an_outcome_comes_back_with_the_value_or_the_error(self):
        backend, take = opened(ThreadBackend(1))
        error = ValueError("no rows")
        backend.submit(call("good", lambda x: x + 1, 1))
        backend.submit(call("bad", raising, error))
        good, bad = take(), take()
        backend.close()
        assert (good.name, good.value, good.error, good.worker) == ("good", 2, None, "graflow-1")
        assert (bad.name, bad.value, bad.error) == ("bad", None, error)
        assert good.started <= good.ended <= bad.started

    def test_closing_lets_what_runs_end(self):
        backend, take = opened(ThreadBackend(1))
        entered, release = threading.Event(), threading.Event()
        backend.submit(call("a", lambda: entered.set() or release.wait(WAIT)))
        assert entered.wait(WAIT)
        backend.close()
        release.set()
        assert take().value is True

    def test_closing_drops_what_has_not_begun(self):
        backend, take = opened(ThreadBackend(1))
        entered, release = threading.Event(), threading.Event()
        backend.submit(call("a", lambda: entered.set() or release.wait(WAIT)))
        dropped = []
        backend.submit(call("b", lambda: dropped.append("it ran")))
        assert entered.wait(WAIT)
        backend.close()
        release.set()
        assert take().name == "a"
        for thread in threads():
            thread.join(WAIT)
        assert dropped == []

    def test_closing_what_was_never_used(self):
        ThreadBackend(3).close()
        LoopBackend().close()

    def test_calls_overlap_up_to_its_slots(self):
        backend, take = opened(ThreadBackend(4))
        barrier = threading.Barrier(4)
        for n in range(4):
            backend.submit(call(f"t{n}", barrier.wait, WAIT))
        assert [take().error for _ in range(4)] == [None] * 4
        backend.close()

    def test_calls_overlap_also_after_shorter_ones(self):
        backend, take = opened(ThreadBackend(4))
        for _ in range(5):
            for n in range(50):
                backend.submit(call(f"short{n}", lambda: None))
            for _ in range(50):
                take()
            barrier = threading.Barrier(4)
            for n in range(4):
                backend.submit(call(f"t{n}", barrier.wait, WAIT))
            assert [take().error for _ in range(4)] == [None] * 4
        backend.close()

    def test_calls_overlap_that_a_worker_submits(self):
        backend, outcomes = ThreadBackend(3), SimpleQueue()
        barrier = threading.Barrier(3)

        def deliver(outcome):
            if outcome.name == "first":
                for n in range(3):
                    backend.submit(call(f"t{n}", barrier.wait, WAIT))
            else:
                outcomes.put(outcome)

        backend.open(deliver)
        backend.submit(call("first", lambda: None))
        assert [outcomes.get(timeout=WAIT).error for _ in range(3)] == [None] * 3
        backend.close()

    def test_calls_overlap_while_the_thread_that_submits_is_busy(self):
        backend, take = opened(ThreadBackend(2))
        barrier = threading.Barrier(3)
        for name in "ab":
            backend.submit(call(name, barrier.wait, WAIT))
        barrier.wait(WAIT)  # nobody else starts the second thread meanwhile
        assert [take().error for _ in range(2)] == [None] * 2
        backend.close()

    def test_closing_while_calls_wait_leaves_no_thread(self):
        for _ in range(20):
            backend, take = opened(ThreadBackend(8))
            release = threading.Event()
            for n in range(8):
                backend.submit(call(f"t{n}", release.wait, WAIT))
            release.set()
            take()
            backend.close()  # a thread may be starting right now; the fixture sees whether it ends

    def test_its_slots_are_never_exceeded(self):
        backend, take = opened(ThreadBackend(3))
        lock, now, most = threading.Lock(), [], []

        def body():
            with lock:
                now.append(1)
                most.append(len(now))
            with lock:
                now.pop()

        for n in range(200):
            backend.submit(call(f"t{n}", body))
        names = {take().name for _ in range(200)}
        backend.close()
        assert len(names) == 200
        assert max(most) <= 3

    def test_idle_threads_are_used_again(self):
        backend, take = opened(ThreadBackend(2))
        workers = set()
        for n in range(50):
            backend.submit(call(f"t{n}", lambda: None))
            workers.add(take().worker)
        backend.close()
        assert workers <= {"graflow-1", "graflow-2"}

    def test_interrupting_breaks_off_python_code(self):
        backend, take = opened(ThreadBackend(2))
        entered = threading.Barrier(3)

        def forever():
            entered.wait(WAIT)
            while True:
                pass

        for name in "ab":
            backend.submit(call(name, forever))
        entered.wait(WAIT)
        backend.interrupt()
        outcomes = take(), take()
        backend.close()
        assert {outcome.name for outcome in outcomes} == {"a", "b"}
        assert all(isinstance(outcome.error, TaskCancelled) for outcome in outcomes)

    def test_code_that_catches_exceptions_does_not_swallow_it(self):
        backend, take = opened(ThreadBackend(1))
        entered = threading.Event()

        def stubborn():
            while True:
                try:
                    while True:
                        entered.set()
                except Exception:
                    continue

        backend.submit(call("a", stubborn))
        assert entered.wait(WAIT)
        backend.interrupt()
        assert isinstance(take().error, TaskCancelled)
        backend.close()

    def test_interrupting_strikes_nobody_else(self):
        backend, take = opened(ThreadBackend(1))
        other, take_other = opened(ThreadBackend(1))
        entered, release = threading.Event(), threading.Event()
        other.submit(call("other", lambda: entered.set() or release.wait(WAIT)))
        backend.submit(call("mine", lambda: None))
        assert take().name == "mine"
        assert entered.wait(WAIT)
        backend.interrupt()
        release.set()
        assert take_other().error is None
        backend.close()
        other.close()

    def test_interrupting_leaves_idle_threads_alone(self):
        backend, take = opened(ThreadBackend(1))
        backend.submit(call("a", lambda: None))
        take()
        backend.interrupt()
        backend.submit(call("b", lambda: "made"))
        assert take().value == "made"
        backend.close()

    @pytest.mark.parametrize("workers", [0, -3])
    def test_it_needs_a_worker(self, workers):
        with pytest.raises(ValueError, match=f"workers={workers}"):
            ThreadBackend(workers)

    def test_the_default_is_pythons_own(self, monkeypatch):
        monkeypatch.setattr("os.cpu_count", lambda: 2)
        assert (default_workers(), ThreadBackend().slots) == (6, 6)
        monkeypatch.setattr("os.cpu_count", lambda: 128)
        assert default_workers() == 32
        monkeypatch.setattr("os.cpu_count", lambda: None)
        assert default_workers() == 5

    def test_a_call_sees_its_own_context_variables(self):
        variable = contextvars.ContextVar("v", default="unset")
        token = variable.set("set")
        made = call("a", variable.get)
        variable.reset(token)
        backend, take = opened(ThreadBackend(1))
        backend.submit(made)
        assert take().value == "set"
        backend.close()


class TestLoopBackend:
    def test_coroutines_share_one_loop_of_its_own(self):
        backend, take = opened(LoopBackend())

        async def where():
            return id(asyncio.get_running_loop()), threading.current_thread().name

        for name in "ab":
            backend.submit(call(name, where))
        one, two = take(), take()
        backend.close()
        assert one.value == two.value
        assert one.value[1] == "graflow-loop"

    def test_they_overlap(self):
        backend, take = opened(LoopBackend())
        met = []

        async def meet():
            met.append(1)
            while len(met) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0)

        for name in "abc":
            backend.submit(call(name, meet))
        assert [take().error for _ in range(3)] == [None] * 3
        backend.close()

    @pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit()])
    def test_what_they_raise_comes_back(self, error):
        backend, take = opened(LoopBackend())

        async def bad():
            raise error

        backend.submit(call("bad", bad))
        assert take().error is error
        backend.close()

    def test_interrupting_cancels_what_waits_and_what_has_not_begun(self):
        backend, take = opened(LoopBackend())
        entered, ended = threading.Event(), []

        async def forever():
            entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        waiting, late = call("waiting", forever), call("not begun", forever)
        backend.submit(waiting)
        assert entered.wait(WAIT)
        backend.submit(late)
        for each in (waiting, late):
            each.context.is_stopped = True  # as a run does before it interrupts
        backend.interrupt()
        outcomes = take(), take()
        backend.close()
        assert {outcome.name for outcome in outcomes} == {"waiting", "not begun"}
        assert all(isinstance(outcome.error, TaskCancelled) for outcome in outcomes)
        assert ended

    def test_closing_cancels_what_is_left(self):
        backend, take = opened(LoopBackend())
        entered = threading.Event()

        async def forever():
            entered.set()
            await asyncio.Event().wait()

        backend.submit(call("a", forever))
        assert entered.wait(WAIT)
        backend.close()
        assert take().error is not None

    def test_the_callers_loop_is_not_closed(self):
        async def main():
            backend = LoopBackend(asyncio.get_running_loop())
            outcomes: asyncio.Queue = asyncio.Queue()
            backend.open(outcomes.put_nowait)

            async def one():
                return 1

            backend.submit(call("a", one))
            outcome = await outcomes.get()
            backend.close()
            await asyncio.sleep(0)
            return outcome.value

        assert asyncio.run(main()) == 1
