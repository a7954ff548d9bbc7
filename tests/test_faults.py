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

from graflow_nb import Task, TaskWrapper, task, workflow
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
