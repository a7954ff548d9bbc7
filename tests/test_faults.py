"""The rows of "Graflow: the original's known faults, and ours instead" (BEHAVIOUR.md) that concern what exists.

One test a row or more, named after what the original does. The parts are tested in detail elsewhere.
"""

from __future__ import annotations

import asyncio
import contextvars
import socket
import subprocess
import sys
import threading
import traceback

import pytest

from graflow_nb import RetryPolicy, Task, TaskWrapper, WorkflowCancelled, task, workflow
from graflow_nb import context as running_context
from graflow_nb.core.errors import NoWorkflowError, TaskError, UnknownTaskError

WAIT = 10


class Ran(list):
    """Notes what ran, in order, by tasks that it makes."""

    def tasks(self, names: str) -> list[Task]:
        return [Task(name, lambda name=name: self.append(name)) for name in names]


@pytest.fixture
def ran() -> Ran:
    return Ran()


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_joins_run_once_after_all_their_predecessors(ran, workers):
    with workflow("f") as flow:
        a, b, c, d = ran.tasks("abcd")
        a >> b >> d
        a >> c >> d
    flow.run(workers=workers, force=True)
    assert (ran[0], sorted(ran[1:3]), ran[3:]) == ("a", ["b", "c"], ["d"])
    ran.clear()
    flow.execute("a")
    assert (ran[0], sorted(ran[1:3]), ran[3:]) == ("a", ["b", "c"], ["d"])


@pytest.mark.parametrize(
    "wire",
    [
        lambda a, b, c: None,
        lambda a, b, c: (a | b) >> c,
        lambda a, b, c: a >> (b | c),
        lambda a, b, c: (a >> b) | c,
        lambda a, b, c: a | b | c,
        lambda a, b, c: (a | b) >> (c | Task("d", lambda: None)),
    ],
)
def test_execute_without_a_start_runs_all_roots(ran, wire):
    with workflow("f") as flow:
        wire(*ran.tasks("abc"))
        flow.execute()
    assert sorted(ran) == ["a", "b", "c"]


def test_complex_dag_passes_the_values_on():
    loaded = []
    with workflow("dag") as ctx:

        @task
        def extract():
            return "data"

        @task
        def transform_a(data):
            return f"{data}_a"

        @task
        def transform_b(data):
            return f"{data}_b"

        @task
        def load(results):
            loaded.append(results)

        extract >> (transform_a | transform_b) >> load
        ctx.execute("extract")
    assert loaded == [["data_a", "data_b"]]


def test_independent_branches_overlap_and_not_only_groups():
    barrier = threading.Barrier(2)
    with workflow("f") as flow:
        for name in "ab":
            Task(name, lambda: None) >> Task(f"{name}2", lambda: barrier.wait(WAIT))
    flow.execute()


class TestSilentNothing:
    def test_an_unknown_start_is_an_error_with_the_nearest_name(self, ran):
        with workflow("f") as flow:
            Task("extract", print)
        with pytest.raises(UnknownTaskError, match=r"no task 'extrct'\. Did you mean 'extract'\?"):
            flow.execute("extrct")

    def test_a_task_shared_by_two_workflows_runs_in_both(self, ran):
        (shared,) = ran.tasks("s")
        for name in ("one", "two"):
            with workflow(name) as flow:
                shared >> Task("end", lambda: "end")
            assert flow.execute() == "end"
        assert ran == ["s", "s"]

    def test_and_by_many_threads_at_once(self):
        shared, start, ends = Task("shared", lambda: 7), threading.Barrier(8), []

        def work():
            start.wait(WAIT)
            with workflow("same") as flow:
                shared >> Task("end", lambda x: ends.append(x) or x)
            assert flow.execute() == 7

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
        assert ends == [7] * 8


def test_max_steps_says_that_it_stopped(ran):
    with workflow("f") as flow:
        a, b, c = ran.tasks("abc")
        a >> b >> c
    with pytest.warns(UserWarning, match="stopped after 2 steps"):
        flow.execute(max_steps=2)
    assert ran == ["a", "b"]
    assert "stopped after 2 steps" in str(flow.last_run)
    assert str(flow.last_run.statuses["c"]) == "waiting"


def test_a_defaulted_parameter_is_not_hijacked():
    with workflow("f") as flow:

        @task
        def rate():
            return 99

        @task
        def price(rate=2):
            return rate

        rate_is_irrelevant = Task("before", lambda: None)
        rate_is_irrelevant >> price
    assert flow.run().results["price"] == 2
    with flow:
        rate >> price
    assert flow.run().results["price"] == 99


def test_a_second_run_is_as_the_first_with_dynamic_tasks(ran):
    with workflow("f") as flow:

        @task(inject_context=True)
        def start(context):
            ran.append("start")
            context.next_task(TaskWrapper("new", lambda: ran.append("new")))

        (end,) = ran.tasks("z")
        start >> end
        flow.execute()
        first = ran[:]
        ran.clear()
    flow.execute()
    assert first == ran == ["start", "new", "z"], "the normal successors run too"
    assert list(flow.graph.nodes) == ["start", "z"], "a run does not change the graph"


def test_errors_are_the_original_ones_with_their_tracebacks():
    def deep(value):
        raise KeyError(value)

    with workflow("f") as flow:
        group = Task("a", lambda: deep("first")) | Task("b", lambda: deep("second"))
        group >> Task("end", lambda: None)
    run = flow.run()
    assert {name: error.args for name, error in run.errors.items()} == {"a": ("first",), "b": ("second",)}
    for error in run.errors.values():
        assert "deep" in [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    with pytest.raises(TaskError) as caught:
        flow.execute()
    assert caught.value.task_name in {"a", "b"}
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_call_calls_and_bind_makes_a_task():
    with workflow("f") as flow:

        @task
        def t(x=1, y=2):
            return x + y

        assert (t(1, 2), t(x=5), t()) == (3, 7, 3)
        flow.execute()
        assert (t(1, 2), t(x=5), t()) == (3, 7, 3)
        assert list(flow.graph.nodes) == ["t"]
        t5, named = t.bind(x=5), t.bind(name="t6", x=6)
    assert list(flow.graph.nodes) == ["t", "t[x=5]", "t6"]
    flow.execute()
    assert (t5.result, named.result) == (7, 8)


def test_wiring_outside_a_with_makes_no_hidden_workflow():
    a, b = Task("a", print), Task("b", print)
    with pytest.raises(NoWorkflowError, match=r"Write it inside `with workflow\("):
        a >> b
    with workflow("f") as flow:
        flow.graph.add(a)
    assert list(flow.graph.nodes) == ["a"]


def test_context_variables_reach_workers_and_coroutines_are_awaited():
    tenant = contextvars.ContextVar("tenant", default="nobody")
    token = tenant.set("somebody")
    with workflow("f") as flow:

        @task
        def in_a_thread():
            return tenant.get(), threading.current_thread() is threading.main_thread()

        @task
        async def awaited(in_a_thread):
            await asyncio.sleep(0)
            return (*in_a_thread, tenant.get())

    assert flow.execute() == ("somebody", False, "somebody")
    tenant.reset(token)


def test_nothing_leaves_the_machine(monkeypatch, ran):
    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with workflow("f") as flow:
        a, b = ran.tasks("ab")
        a >> b
    flow.execute()
    repr(flow.run())
    assert flow.graph.nx_graph.number_of_edges() == 1


def test_a_run_loads_no_heavy_library():
    code = """
import sys
from graflow_nb import task, workflow
with workflow("f") as flow:
    @task
    def a(): return [1, {2}]
    @task
    def b(a): return a
flow.execute()
flow.run()
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"IPython", "ipykernel", "matplotlib", "networkx", "numpy", "pandas", "anywidget", "rich"} & {
        *loaded
    }


class TestChannelBesideOthers:
    def test_what_a_branch_never_touched_stays_as_the_others_made_it(self):
        both = threading.Barrier(2)
        with workflow("f", channel={"a": 0, "b": 0, "gone": 1}) as flow:

            @task(inject_context=True)
            def left(context):
                both.wait(WAIT)
                context.get_channel().set("a", 1)
                context.get_channel().delete("gone")

            @task(inject_context=True)
            def right(context):
                both.wait(WAIT)
                context.get_channel().set("b", 2)

            _ = (left | right) >> Task("end", lambda: None)
        _, context = flow.execute(return_context=True)
        assert context.get_channel().snapshot() == {"a": 1, "b": 2}, "nor is anything deleted revived"

    def test_no_atomic_add_is_lost(self):
        with workflow("f") as flow:

            @task
            def add(_number):
                for _ in range(100):
                    running_context.get_channel().atomic_add("count", 1)

            add.map(range(32))
        _, context = flow.execute(return_context=True)
        assert context.get_channel().get("count") == 3_200


def test_next_iteration_lets_successors_run_once_with_the_last_value(ran):
    with workflow("f") as flow:

        @task(inject_context=True, max_cycles=5)
        def step(context, n=0):
            ran.append((n, context.cycle_count))
            if context.can_iterate():
                context.next_iteration(n + 10)
            return n

        Task("after", lambda step: ran.append(step))
        flow.execute()  # inside the `with`
        inside = ran[:]
        ran.clear()
    flow.execute()  # outside
    assert ran == inside == [(0, 1), (10, 2), (20, 3), (30, 4), (40, 5), 40]


def test_jumping_to_an_existing_task_skips_the_successors_and_a_new_one_does_not(ran):
    for is_new, expected in ((True, ["start", "new", "end", "last"]), (False, ["start", "last"])):
        ran.clear()
        with workflow("f") as flow:

            @task
            def start(is_new=is_new):
                ran.append("start")
                running_context.next_task(TaskWrapper("new", lambda: ran.append("new")) if is_new else "last")

            end, last = ran.tasks(["end", "last"])
            _ = start >> end >> last
        flow.execute()
        assert ran == expected


@pytest.mark.parametrize("in_a_group", [False, True])
def test_terminate_ends_well_and_cancel_is_cancelled_in_groups_too(ran, in_a_group):
    for ask, ends_well in (("terminate_workflow", True), ("cancel_workflow", False)):
        with workflow("f") as flow:
            first = Task("first", lambda ask=ask: getattr(running_context, ask)("enough"))
            whole = (first | Task("beside", lambda: 1)) if in_a_group else first
            _ = whole >> ran.tasks(["after"])[0]
        if ends_well:
            flow.execute()
            assert flow.last_run.ok
            assert "enough" in flow.last_run.ended
        else:
            with pytest.raises(WorkflowCancelled, match="enough"):
                flow.execute()
        assert ran == []


def test_retries_never_block_others():
    waits = threading.Event()
    attempts = []
    with workflow("f") as flow:

        @task(
            retry=RetryPolicy(max_retries=1, initial_interval=0.2, backoff_factor=2, max_interval=1, jitter=False)
        )
        def flaky():
            attempts.append(waits.is_set())
            if len(attempts) == 1:
                raise ValueError

        Task("other", waits.set)
    flow.run(workers=1)
    assert attempts == [False, True], "the other one ran meanwhile, on the only worker"
