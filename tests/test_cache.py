"""Reuse: `run` gives what running everything would give, and runs nothing that is up to date."""

from __future__ import annotations

import textwrap
import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graflow_nb import Task, TaskWrapper, context, fingerprint, task, workflow
from graflow_nb.core.events import TaskFinished
from graflow_nb.core.plan import Plan
from graflow_nb.core.task import Defined
from graflow_nb.incremental.entry import Entry
from graflow_nb.incremental.prints import print_of
from graflow_nb.incremental.store.disk import DiskStore
from graflow_nb.incremental.store.store import Kept, Store

WAIT = 10


def nothing():
    yield


class Notebook:
    """A namespace that is edited as a notebook is, and a workflow of the functions that it marks as tasks.

    Defining a task again takes the place of the old one, as re-running its cell does.
    """

    def __init__(self, source: str = "") -> None:
        self.flow = workflow("f")
        self.space = {"__name__": "__main__", "task": self.task, "pd": pd, "np": np, "context": context}
        self.edit(source)

    def task(self, fn=None, **options):
        if fn is None:
            return lambda fn: self.task(fn, **options)
        if fn.__name__ in self.flow.graph:
            self.flow.graph.remove(fn.__name__)
        with self.flow:
            return Task(fn.__name__, fn, **options)

    def edit(self, source: str) -> None:
        exec(textwrap.dedent(source), self.space)

    def run(self, *targets, **options):
        return self.flow.run(*targets, **options)

    def ran(self, **options) -> set[str]:
        """Run, and return what was not reused."""
        return {name for name, status in self.run(**options).statuses.items() if str(status) != "cached"}

    def why(self, name: str) -> list[str]:
        """Run, and return the reasons of one task."""
        return [str(reason) for reason in self.run().records[name].reasons]


ROWS = """
RATE = 2
def helper(x):
    return x * RATE
def source_data():
    return [1, 2, 3]

@task
def load():
    return source_data()

@task
def scaled(load):
    return [helper(x) for x in load]

@task
def total(scaled):
    return sum(scaled)

@task
def size(load):
    return len(load)
"""

# An edit, and what has to run after it.
EDITS = {
    "nothing": ("", set()),
    "formatting": ("@task\ndef total(scaled):\n    # a comment\n    'a docstring'\n    return sum(\n        scaled)", set()),
    "its code": ("@task\ndef total(scaled): return max(scaled)", {"total"}),
    "a helper": ("def helper(x): return x + RATE", {"scaled", "total"}),
    "a helper's text": ("def helper(x):\n    # why\n    return x * RATE", set()),
    "a global of a helper": ("RATE = 3", {"scaled", "total"}),
    "a global with an equal value": ("RATE = 1 + 1", set()),
    "the type of a global": ("RATE = 2.0", {"scaled", "total"}),
    "a name nobody reads": ("OTHER = 1", set()),
    "the first task": ("def source_data(): return [1, 2]", {"load", "scaled", "total", "size"}),
    "early cut-off": ("def source_data(): return sorted([3, 2, 1])", {"load"}),
    "half a cut-off": ("def source_data(): return [3, 2, 1]", {"load", "scaled", "total", "size"}),
    "cut-off further down": ("@task\ndef scaled(load): return [6, 4, 2][::-1]", {"scaled"}),
    "a new task": ("@task\ndef mean(total, size): return total / size", {"mean"}),
}  # fmt: skip


@pytest.mark.parametrize("case", EDITS)
def test_what_an_edit_makes_out_of_date(case):
    edit, expected = EDITS[case]
    notebook = Notebook(ROWS)
    assert notebook.ran() == {"load", "scaled", "total", "size"}
    assert notebook.ran() == set()
    notebook.edit(edit)
    assert notebook.ran() == expected
    assert notebook.run().results == fresh(notebook)


def fresh(notebook: Notebook) -> dict:
    """Return what running everything from scratch gives."""
    with workflow("fresh") as flow:
        for one in notebook.flow.graph.nodes.values():
            flow.graph.add(one)
        for after in notebook.flow.graph.nodes:
            for join in notebook.flow.graph.joins(after):
                flow.graph.restore((after, join))
    flow.execute()
    return flow.last_run.results


def test_going_back_to_what_was_runs_nothing():
    notebook = Notebook(ROWS)
    notebook.run()
    notebook.edit("RATE = 3")
    notebook.run()
    notebook.edit("RATE = 2")
    assert notebook.ran() == set()
    assert notebook.run().results["total"] == 12


class TestArguments:
    def test_a_bound_value(self):
        def build(value):
            notebook.flow.graph.remove("b") if "b" in notebook.flow.graph else None
            with notebook.flow:
                template.bind(x=value, name="b")

        notebook, template = Notebook(), Task("t", lambda x: x)
        build([1])
        assert notebook.ran() == {"b"}
        build([1])
        assert notebook.ran() == set()
        for value in ([2], (2,), [2.0], [True], {"a": 1}, {"b": 1}):
            build(value)
            assert notebook.ran() == {"b"}, value
            assert notebook.run().results["b"] == value

    def test_a_bound_value_that_changes_in_place(self):
        values = [1]
        notebook, template = Notebook(), Task("t", lambda x: list(x))
        with notebook.flow:
            template.bind(x=values, name="b")
        notebook.run()
        values.append(2)
        assert notebook.run().results["b"] == [1, 2]

    def test_a_bound_value_without_content_is_never_a_hit(self):
        notebook, template = Notebook(), Task("t", lambda x: 1)
        with notebook.flow:
            template.bind(x=nothing(), name="b")
        assert [notebook.ran(), notebook.ran()] == [{"b"}, {"b"}]
        assert notebook.why("b") == ["argument 'x' (generator) cannot be compared"]

    def test_a_default(self):
        notebook = Notebook("@task\ndef a(x=1, *, y=2): return x + y")
        notebook.run()
        notebook.edit("@task\ndef a(x=1, *, y=2): return x + y")
        assert notebook.ran() == set()
        notebook.edit("@task\ndef a(x=1, *, y=3): return x + y")
        assert notebook.ran() == {"a"}


class TestWiring:
    def flow(self, fn):
        notebook = Notebook("@task\ndef a(): return 'a'\n@task\ndef b(): return 'b'")
        with notebook.flow:
            Task("r", fn)
        return notebook

    def rewire(self, notebook, befores, old=None):
        graph = notebook.flow.graph
        if old is not None:
            graph.unwire(("r", tuple(old)))
        if befores:
            with notebook.flow:
                [graph[name] for name in befores] >> graph["r"]

    @pytest.mark.parametrize("fn", [lambda x: x, lambda *x: list(x), lambda x, y: [x, y], lambda x, *y: [x, *y]])
    def test_the_order_of_inputs_counts(self, fn):
        notebook = self.flow(fn)
        self.rewire(notebook, "ab")
        assert notebook.run().results["r"] == ["a", "b"]
        self.rewire(notebook, "ba", "ab")
        assert notebook.run().results["r"] == ["b", "a"]

    def test_one_input_and_a_list_of_one_differ(self):
        notebook = self.flow(lambda x="default": x)
        assert notebook.run().results["r"] == "default"
        notebook.edit("@task\ndef r(*x): return list(x)")
        self.rewire(notebook, "a")
        assert notebook.run().results["r"] == ["a"]
        notebook.edit("@task\ndef r(x): return x")
        assert notebook.run().results["r"] == "a"

    def test_another_predecessor_with_the_same_result_is_no_reason_to_lie(self):
        notebook = self.flow(lambda x: x)
        self.rewire(notebook, "a")
        notebook.run()
        notebook.edit("@task\ndef b(): return 'a'")
        self.rewire(notebook, "b", "a")
        assert notebook.run().results["r"] == "a"

    def test_an_edge_that_carries_nothing_is_no_input(self):
        notebook = self.flow(lambda: "r")
        notebook.run()
        self.rewire(notebook, "ab")
        assert notebook.ran() == set()

    def test_a_default_that_an_ancestor_fills_from_now_on(self):
        notebook = self.flow(lambda a="default": a)
        assert notebook.run().results["r"] == "default"
        self.rewire(notebook, "a")
        assert notebook.run().results["r"] == "a"
        self.rewire(notebook, "", "a")
        assert notebook.run().results["r"] == "default"

    def test_injection_counts(self):
        notebook = Notebook("@task\ndef a(ctx=None): return ctx is None")
        assert notebook.run().results["a"] is True
        notebook.edit("@task(inject_context=True)\ndef a(ctx=None): return ctx is None")
        assert notebook.run().results["a"] is False


class TestInPlace:
    """What a task does to things that are not its own."""

    def test_an_input_that_a_task_changes_is_named_and_nothing_wrong_is_kept(self):
        notebook = Notebook("""
            @task
            def data(): return [3, 1, 2]
            @task
            def ordered(data):
                data.sort()
                return data[0]
        """)
        first = notebook.run()
        assert first.results["ordered"] == 1
        assert "its input 'data' (of task 'data') was changed in place" in first.records["ordered"].note
        assert notebook.ran() == {"data", "ordered"}
        assert notebook.run().results["data"] == [3, 1, 2], "it was made again, unharmed"
        assert notebook.run().results["ordered"] == 1

    @pytest.mark.parametrize("change", [False, True])
    def test_what_is_passed_on_has_the_fingerprint_that_it_has_now(self, change):
        def passed_on(data):
            if change:
                data.append(1)
            return data

        with workflow("f") as flow:
            _ = Task("data", lambda: [0]) >> Task("passed_on", passed_on)
        made = flow.run().records["passed_on"].produced
        assert made.prints[None] == fingerprint(made.value) == fingerprint([0, 1] if change else [0])

    @pytest.mark.parametrize("also", ["a", "b"])
    def test_an_input_that_stands_in_two_results_and_changes_is_hashed_anew(self, also):
        shared = [0]
        with workflow("f") as flow:
            Task("a", lambda: shared)
            Task("b", lambda: (shared, 1)[0] if also == "b" else [5])
            Task("both", lambda a, b: a.append(1) or a)
        made = flow.run().records["both"].produced
        assert made.prints[None] == fingerprint([0, 1])

    def test_what_has_no_content_and_is_passed_on_stands_for_the_new_run(self):
        with workflow("f") as flow:
            _ = Task("data", nothing) >> Task("passed_on", lambda data: data)
        records = flow.run().records
        assert records["data"].produced.prints != records["passed_on"].produced.prints

    def test_who_holds_an_input_when_it_is_changed_is_told(self):
        held, changed = threading.Event(), threading.Event()
        with workflow("f") as flow:
            Task("data", lambda: [0])
            Task("reader", lambda data: held.set() or (changed.wait(WAIT) and None))
            Task("changer", lambda data: held.wait(WAIT) and data.append(1))
        flow.services.listeners.append(
            lambda event: changed.set() if isinstance(event, TaskFinished) and event.task == "changer" else None
        )
        assert "a race" in (note := flow.run().records["changer"].note)
        assert "'reader'" in note

    def test_who_held_it_before_is_not(self):
        with workflow("f") as flow:
            Task("data", lambda: [0])
            Task("reader", lambda data: None)
            Task("changer", lambda data, reader: data.append(1))
        assert "a race" not in (note := flow.run().records["changer"].note)
        assert "was changed in place while it ran" in note

    def test_the_other_readers_see_that_too(self):
        notebook = Notebook("""
            @task
            def data(): return [3, 1, 2]
            @task
            def a(data): return data[0]
            @task
            def b(data): data.sort()
        """)
        notebook.run(workers=1)
        notebook.edit("@task\ndef b(data): sorted(data)")
        run = notebook.run(workers=1)
        assert run.results == {"data": [3, 1, 2], "a": 3, "b": None}
        assert notebook.ran() == set()

    @pytest.mark.parametrize("reader", ["data", "same"])
    def test_a_race_names_all_that_held_the_object(self, reader):
        notebook = Notebook(f"""
            @task
            def data(): return [3, 1]
            @task
            def same(data): return data
            @task
            def sorts(data):
                begun.wait(WAIT)
                data.sort()
                changed.set()
            @task
            def reads({reader}):
                begun.set()
                changed.wait(WAIT)
                return {reader}[0]
        """)
        notebook.space |= {"WAIT": WAIT, "begun": threading.Event(), "changed": threading.Event()}
        records = notebook.run(workers=2).records
        for name in ("sorts", "reads"):
            assert "a race: " in records[name].note, name
            assert "'sorts'" in records[name].note and "'reads'" in records[name].note

    @pytest.mark.parametrize(
        ("make", "change"),
        [
            ("{'a': [1]}", "x['a'].append(2)"),
            ("np.arange(3)", "x[0] = 9"),
            ("pd.DataFrame({'a': [1]})", "x['b'] = 1"),
            ("pd.DataFrame({'a': [1, 2]})", "x.loc[0, 'a'] = 9"),
            ("{1, 2}", "x.add(3)"),
            ("bytearray(b'a')", "x.append(1)"),
            ("[iter([1, 2])]", "next(x[0])"),
            ("[np.arange(3)]", "x[0][0] = 9"),
        ],
    )
    def test_all_kinds_of_changes_are_seen(self, make, change):
        notebook = Notebook(
            f"@task\ndef data(): return {make}\n@task\ndef reads(data):\n    x = data\n    {change}"
        )
        assert "changed in place" in notebook.run().records["reads"].note
        assert notebook.ran() == {"data", "reads"}

    def test_inputs_in_a_list_are_watched_too(self):
        notebook = Notebook("@task\ndef a(): return [1]\n@task\ndef b(): return [2]")
        with notebook.flow:
            [notebook.flow["a"], notebook.flow["b"]] >> Task("r", lambda both: both[1].append(3))
        assert "(of task 'b') was changed in place" in notebook.run().records["r"].note

    def test_star_inputs_are_watched_too(self):
        notebook = Notebook("@task\ndef a(): return [1]")
        with notebook.flow:
            notebook.flow["a"] >> Task("r", lambda *all_of: all_of[0].append(3))
        assert "(of task 'a') was changed in place" in notebook.run().records["r"].note

    def test_a_result_that_was_changed_afterwards_is_made_again(self):
        notebook = Notebook(ROWS)
        notebook.run()
        notebook.flow["load"].result.append(99)
        assert notebook.why("load") == ["its stored result was changed in place"]
        assert notebook.run().results["total"] == 12

    def test_a_result_that_is_another_tasks_input_and_changes(self):
        notebook = Notebook("""
            @task
            def a(): return [1]
            @task
            def b(a): return a
            @task
            def c(b): b.append(2)
        """)
        notebook.run()
        notebook.edit("@task\ndef c(b): return len(b)")
        assert notebook.run().results == {"a": [1], "b": [1], "c": 1}

    def test_a_global_that_a_task_changes_prevents_reuse(self):
        notebook = Notebook("SEEN = []\n@task\ndef a():\n    SEEN.append(1)\n    return len(SEEN)")
        assert [notebook.run().results["a"] for _ in range(3)] == [1, 2, 3]
        assert "SEEN" in notebook.why("a")[0]

    def test_a_global_that_a_task_assigns_prevents_reuse(self):
        notebook = Notebook("COUNT = 0\n@task\ndef a():\n    global COUNT\n    COUNT += 1\n    return COUNT")
        assert [notebook.run().results["a"] for _ in range(3)] == [1, 2, 3]

    def test_a_default_that_a_task_changes_prevents_reuse(self):
        notebook = Notebook("@task\ndef a(seen=[]):\n    seen.append(1)\n    return len(seen)")
        assert [notebook.run().results["a"] for _ in range(3)] == [1, 2, 3]

    def test_code_that_is_edited_while_it_runs_is_not_kept(self):
        notebook = Notebook("def helper(): return 1\n@task\ndef a():\n    swap()\n    return helper()")
        notebook.space["swap"] = Quiet(lambda: notebook.edit("def helper(): return 2"))
        notebook.run()
        assert "helper" in notebook.flow.last_run.records["a"].note
        notebook.space["swap"] = Quiet(lambda: None)
        assert notebook.ran() == {"a"}
        assert notebook.ran() == set()


class Quiet:
    """A function that counts as the same whatever it does."""

    def __init__(self, fn):
        self.fn = fn

    def __call__(self):
        return self.fn()

    def __reduce__(self):
        return Quiet, (None,)


def test_what_was_written_after_somebody_changed_it_is_let_go(tmp_path):
    made = [3, 1]
    entry = Entry("a", b"k" * 16, (), (), {None: print_of(made)[0]}, (), 0.0, 1.0)
    for changed, expected in ((False, True), (True, False)):
        store = Store(DiskStore(tmp_path))
        kept = Kept(entry, {None: sorted(made) if changed else made}, 0, None)
        store.put(kept)
        assert store.spoil(kept) is expected
        assert bool(list(store.find("a", entry.key))) is expected
        store.clear()


def test_what_was_taken_from_disk_stays_when_the_disk_lets_go_of_it(tmp_path):
    made = [3, 1]
    entry = Entry("a", b"k" * 16, (), (), {None: print_of(made)[0]}, (), 0.0, 1.0)
    store = Store(DiskStore(tmp_path))
    kept = Kept(entry, {None: made}, 0, None)
    store.put(kept)
    made.sort()
    assert store.spoil(kept)
    store.disk.clear()
    assert store.value(kept, None) == [3, 1]


class TestOpaque:
    def test_an_opaque_global_is_never_a_hit(self):
        notebook = Notebook("LINES = (n for n in ())\n@task\ndef a(): return list(LINES)")
        assert [notebook.ran(), notebook.ran()] == [{"a"}, {"a"}]
        assert notebook.why("a") == ["variable 'LINES' (generator) cannot be compared"]

    @pytest.mark.parametrize("value", ["eval(f'{X}')", "globals()['X']", "__import__(f'o{X}'[:1] + 's').sep"])
    def test_names_that_are_not_in_the_code_are_never_a_hit(self, value):
        notebook = Notebook(f"X = 1\n@task\ndef a(): return {value}")
        assert [notebook.ran(), notebook.ran()] == [{"a"}, {"a"}]

    def test_an_opaque_result_stands_for_its_run(self):
        notebook = Notebook("""
            import sqlite3
            @task
            def connection():
                made = sqlite3.connect(":memory:", check_same_thread=False)
                made.executescript("create table t(x); insert into t values (7)")
                return made
            @task
            def value(connection): return connection.execute("select x from t").fetchall()
        """)
        assert notebook.ran() == {"connection", "value"}
        assert notebook.ran() == set(), "the readers are reusable while it stands"
        assert notebook.ran(force=["connection"]) == {"connection", "value"}
        assert notebook.ran() == set()
        for made in notebook.run().results.values():
            getattr(made, "close", lambda: None)()

    def test_an_iterator_is_made_again_for_a_reader_that_has_to_run_again(self):
        notebook = Notebook("""
            @task
            def lines(): return (n for n in [1, 2])
            @task
            def rows(lines): return [*lines]
            @task
            def spoils(rows): rows.clear()
        """)
        run = notebook.run()
        assert run.results["rows"] == [1, 2]
        assert notebook.run().results["rows"] == [1, 2]

    def test_an_opaque_variable_spoils_only_its_readers(self):
        notebook = Notebook()
        with notebook.flow:
            Task("cell", lambda: Defined(1, {"plain": 2, "lines": nothing()}), defines=["plain", "lines"])
            Task("of_plain", lambda plain: plain)
            Task("of_lines", lambda lines: lines.gi_running)
        notebook.run()
        assert notebook.ran() == set()
        assert notebook.ran(force=["cell"]) == {"cell", "of_lines"}

    @pytest.mark.parametrize("make", ["(n for n in range(3))", "open", "W()"])
    def test_a_result_that_cannot_be_hashed_is_no_failure(self, make):
        notebook = Notebook(f"""
            class W:
                def __reduce_ex__(self, protocol): raise ValueError
            @task
            def a(): return {make}
            @task
            def b(a): return 1
        """)
        assert notebook.run().ok
        assert notebook.ran() == set()


class TestPrevents:
    """What prevents reuse by itself."""

    @pytest.mark.parametrize("use", ["run_id", "session_id"])
    def test_what_differs_in_each_run(self, use):
        notebook = Notebook(f"@task\ndef a(): return context.{use}")
        assert notebook.run().results["a"] != notebook.run().results["a"]
        assert notebook.why("a") == [
            "its last result was not kept: it used context.run_id, which differs in each run"
        ]

    @pytest.mark.parametrize("use", ["task_name", "cancelled", "cycle_count"])
    def test_what_does_not(self, use):
        notebook = Notebook(f"@task\ndef a(): return context.{use}")
        notebook.run()
        assert notebook.ran() == set()

    def test_asking_for_other_tasks(self):
        notebook = Notebook()
        with notebook.flow:

            @task(inject_context=True)
            def a(ctx):
                ctx.next_task(TaskWrapper("new", lambda: "made"))

        assert notebook.run().results == {"a": None, "new": "made"}
        again = notebook.run()
        assert again.results == {"a": None, "new": "made"}
        assert {str(status) for status in again.statuses.values()} == {"cached"}
        assert notebook.why("a") == ["nothing it depends on changed"]

    def test_a_born_task_that_changes_what_it_was_made_with(self):
        notebook = Notebook()
        with notebook.flow:

            @task(inject_context=True)
            def a(ctx):
                rows = [1]

                def born():
                    rows.append(2)
                    return [*rows]

                ctx.next_task(TaskWrapper("born", born))

        assert [notebook.run().results["born"] for _ in range(3)] == [[1, 2]] * 3

    def test_failing(self):
        notebook = Notebook(
            "FAILS = [1]\n@task\ndef a():\n    if FAILS: raise ValueError('no rows')\n    return 1"
        )
        assert [notebook.ran(), notebook.ran()] == [{"a"}, {"a"}]
        assert notebook.why("a") == ["its last run failed: ValueError: no rows"]
        notebook.edit("FAILS.clear()")
        assert notebook.run().results == {"a": 1}
        assert notebook.ran() == set()

    def test_a_failure_does_not_take_away_what_was_kept(self):
        notebook = Notebook("X = 1\n@task\ndef a(): return 1 / X")
        notebook.run()
        notebook.edit("X = 0")
        assert not notebook.run().ok
        notebook.edit("X = 1")
        assert notebook.run().results == {"a": 1.0}

    def test_the_option(self):
        notebook = Notebook("@task(cache=False)\ndef a(): return [1]\n@task\ndef b(a): return a")
        assert notebook.ran() == {"a", "b"}
        assert notebook.ran() == {"a"}, "b is reused: its input is the same"
        assert notebook.why("a") == ["its option cache is off"]

    def test_being_asked_for(self):
        notebook = Notebook(ROWS)
        notebook.run()
        run = notebook.run(force=["load"])
        assert [str(reason) for reason in run.records["load"].reasons] == ["it was asked for"]
        assert [str(reason) for reason in run.records["total"].reasons] == ["nothing it depends on changed"]

    def test_forgetting(self):
        notebook = Notebook(ROWS)
        notebook.run()
        notebook.flow.services.cache.forget("load")
        assert notebook.ran() == {"load"}
        notebook.run(force=["load"])
        notebook.flow.services.cache.clear()
        assert notebook.why("total") == ["there is no result of it yet"]
        assert notebook.ran() == set()
        assert notebook.flow.services.cache.forget("never heard of") is None


def test_what_is_reused_is_the_very_result_with_the_time_that_it_took():
    notebook = Notebook("@task\ndef a(): return [1]")
    first, second = notebook.run(), notebook.run()
    assert second.results["a"] is first.results["a"]
    assert second.records["a"].seconds == first.records["a"].seconds > 0


def test_clearing_forgets_why_something_was_not_kept():
    notebook = Notebook("@task\ndef a(): raise ValueError")
    notebook.run()
    notebook.flow.services.cache.clear()
    assert notebook.why("a") == ["there is no result of it yet"]


def test_two_workflows_share_nothing():
    shared = Task("a", lambda: 1)
    ran = []
    for name in ("one", "two"):
        with workflow(name) as flow:
            flow.graph.add(shared)
        ran.append(str(flow.run().statuses["a"]))
    assert ran == ["succeeded", "succeeded"]


def test_a_callable_object_counts_by_its_content():
    notebook = Notebook("class C:\n    def __init__(self, x): self.x = x\n    def __call__(self): return self.x")
    for value in (1, 1, 2):
        if "c" in notebook.flow.graph:
            notebook.flow.graph.remove("c")
        with notebook.flow:
            Task("c", notebook.space["C"](value))
        assert notebook.run().results == {"c": value}
    assert notebook.ran() == set()


class TestPreview:
    @pytest.mark.parametrize("case", EDITS)
    def test_it_says_what_a_run_does(self, case):
        edit, expected = EDITS[case]
        notebook = Notebook(ROWS)
        assert set(notebook.flow.stale(notebook.flow.plan())) == {"load", "scaled", "total", "size"}
        notebook.run()
        notebook.edit(edit)
        stale = set(notebook.flow.stale(notebook.flow.plan()))
        assert stale >= expected, "all that will run is said"
        if "cut-off" not in case:
            assert stale == expected

    def test_it_names_the_task_before(self):
        notebook = Notebook(ROWS)
        notebook.run()
        notebook.edit("RATE = 3")
        stale = notebook.flow.stale(notebook.flow.plan())
        assert [str(reason) for reason in stale["scaled"]] == ["variable 'RATE' changed: 2 → 3"]
        assert [str(reason) for reason in stale["total"]] == ["'scaled' before it is out of date"]

    def test_some_tasks_only(self):
        notebook = Notebook(ROWS)
        notebook.run()
        notebook.edit("RATE = 3")
        cache, plan = notebook.flow.services.cache, notebook.flow.plan()
        assert set(cache.preview(plan, ["total", "size"])) == {"total"}
        assert set(cache.preview(plan, ["size"])) == set()

    def test_a_result_changed_in_place_is_seen(self):
        notebook = Notebook(ROWS)
        notebook.run()
        notebook.flow["load"].result.append(99)
        stale = notebook.flow.stale(notebook.flow.plan())
        assert [str(reason) for reason in stale["load"]] == ["its stored result was changed in place"]

    def test_it_changes_nothing(self):
        notebook = Notebook(ROWS)
        notebook.flow.stale(notebook.flow.plan())
        notebook.run()
        notebook.edit("RATE = 3")
        notebook.flow.stale(notebook.flow.plan())
        assert notebook.ran() == {"scaled", "total"}


# -- any small notebook, and any edits of it

PIECES = st.fixed_dictionaries({
    "globals": st.fixed_dictionaries({f"G{n}": st.sampled_from([0, 1, True, 2.0, [1], (1,)]) for n in range(2)}),
    "helpers": st.fixed_dictionaries({
        f"h{n}": st.sampled_from(["x", "[x, x]", "(x, G0)", "[G1, x]", "h0(x)" if n else "len(str(x))"]) for n in range(2)
    }),
    "tasks": st.fixed_dictionaries({
        f"t{n}": st.tuples(
            st.lists(st.sampled_from([f"t{m}" for m in range(n)] or ["k=1"]), max_size=2, unique=True),
            st.sampled_from(["0", "G0", "G1", "h0(1)", "h1(2)", "args", "h0(args)", "h1(len(args))", "len(args)"]),
        )
        for n in range(4)
    }),
})  # fmt: skip


def written(pieces) -> str:
    lines = [f"{name} = {value!r}" for name, value in pieces["globals"].items()]
    lines += [f"def {name}(x): return {body}" for name, body in pieces["helpers"].items()]
    for name, (parameters, body) in pieces["tasks"].items():
        names = ", ".join(parameter.partition("=")[0] for parameter in parameters)
        lines.append(f"@task\ndef {name}({', '.join(parameters)}):\n    args = [{names}]\n    return {body}")
    return "\n".join(lines)


def differing(one, other) -> bool:
    return any(one[kind] != other[kind] or repr(one[kind]) != repr(other[kind]) for kind in one)


@given(st.lists(PIECES, min_size=2, max_size=4), st.data())
@settings(max_examples=60)
def test_whatever_is_edited_a_run_gives_what_a_fresh_run_gives(versions, data):
    """Each version takes some pieces of the one before, so that most edits are small."""
    notebook, before = Notebook(), None
    for version in versions:
        if before is not None:
            kept = data.draw(st.sets(st.sampled_from(sorted(version))), label="kept whole")
            version |= {kind: before[kind] for kind in kept}
        notebook.edit(written(version))
        expected = Notebook(written(version)).run()
        run = notebook.run()
        assert repr(run.results) == repr(expected.results)
        if before is not None and not differing(before, version):
            assert not [name for name, status in run.statuses.items() if str(status) != "cached"]
        assert notebook.ran() == set(), "what was just made is not made again"
        before = dict(version)


@given(PIECES)
@settings(max_examples=25)
def test_running_in_parts_gives_the_same(pieces):
    notebook = Notebook(written(pieces))
    for name in ("t1", "t3", "t0", "t2"):
        notebook.run(name)
    assert notebook.ran() == set()
    assert repr(notebook.run().results) == repr(Notebook(written(pieces)).run().results)


class TestRememberedKeys:
    """A task that nothing concerned since it was looked at is known at once; anything else is looked at again."""

    SOURCE = """
    RATE = 1
    @task
    def first():
        return RATE
    def other():
        return 5
    @task
    def second(first, n=1):
        return first, n, other()
    """

    @pytest.fixture
    def notebook(self):
        notebook = Notebook(self.SOURCE)
        with notebook.flow:
            Task("bound", lambda x: x, version="1").bind(name="b", x=1)
        for _ in range(3):
            notebook.run("second", "b")
        assert notebook.ran() == set()
        return notebook

    @pytest.mark.parametrize(
        ("change", "runs"),
        [
            (lambda n: n.edit("RATE = 2"), {"first", "second"}),
            (lambda n: n.edit("RATE = True"), {"first", "second"}),
            (lambda n: n.edit("RATE = -1 + 2"), set()),
            (lambda n: n.edit("def other(): return 6"), {"second"}),
            (lambda n: n.edit("other.__code__ = (lambda: 6).__code__"), {"second"}),
            (lambda n: setattr(n.flow["second"], "fn", lambda first, n: 7), {"second"}),
            (lambda n: n.flow["b"].options.bound.update(x=True), {"b"}),
            (lambda n: setattr(n.flow["b"], "options", replace(n.flow["b"].options, version="2")), {"b"}),
            (lambda n: setattr(n.flow["b"], "options", replace(n.flow["b"].options, bound={"x": 1.0})), {"b"}),
            (lambda n: setattr(n.flow["b"], "options", replace(n.flow["b"].options, cache=False)), {"b"}),
            (lambda n: n.flow.services.cache.forget("b"), {"b"}),
            (lambda n: n.flow.services.cache.clear(), {"first", "second", "b"}),
        ],
    )
    def test_what_changes_runs(self, notebook, change, runs):
        change(notebook)
        assert notebook.ran() - {"bound"} == runs

    @pytest.mark.parametrize(
        ("options", "change"),
        [
            ({"version": [1]}, lambda t: t.options.version.append(2)),
            ({}, lambda t: t.options.bound["x"].append(2)),
            ({"ignore": ["other"]}, lambda t: t.options.bound["x"].append(2)),
        ],
    )
    def test_what_can_change_in_place_is_looked_at_each_time(self, options, change):
        with workflow("f") as flow:
            t = Task("t", lambda x: list(x), **options).bind(name="b", x=[1])
        for _ in range(3):
            flow.run("b")
        change(t)
        assert str(flow.run("b").statuses["b"]) == "succeeded"

    def test_the_same_keys_whether_remembered_or_not(self, notebook):
        plan, cache = notebook.flow.plan(), notebook.flow.services.cache
        made = {name: record.produced for name, record in notebook.flow.last_run.records.items()}
        known = [cache.look(plan.tasks[name], plan.bindings[name], made) for name in ("first", "second", "b")]
        plan = Plan(notebook.flow.graph)
        anew = [cache.look(plan.tasks[name], plan.bindings[name], made) for name in ("first", "second", "b")]
        assert [each[:2] for each in known] == [each[:2] for each in anew]
        assert all(one.key is not other.key for one, other in zip(known, anew, strict=True))

    def test_what_a_task_changes_counts_for_the_tasks_after_it_that_share_code(self):
        space = {"RATE": 1}
        exec("def rate(*befores): return RATE", space)
        with workflow("f") as flow:
            first, last = Task("first", space["rate"]), Task("last", space["rate"])
            first >> Task("between", lambda _: space.update(RATE=2), cache=False) >> last
        for _ in range(4):
            space["RATE"] = 1
            run = flow.run()
            assert (run.results["first"], run.results["last"]) == (1, 2)
        assert str(run.statuses["first"]) == str(run.statuses["last"]) == "cached"

    def test_what_changes_between_two_looks_counts_for_all_that_share_code(self):
        space = {"RATE": 1}
        exec("def rate(): return RATE", space)
        with workflow("f") as flow:
            names = [Task(name, space["rate"]).name for name in "abc"]
        for _ in range(3):
            flow.run()
        space["RATE"] = 2
        assert {str(flow.why(name)[0]) for name in names} == {"variable 'RATE' changed: 1 → 2"}
        assert {str(status) for status in flow.run().statuses.values()} == {"succeeded"}
        assert {str(status) for status in flow.run().statuses.values()} == {"cached"}
