"""Flows of a notebook, and its namespace: what is published when, and what stays the reader's own."""

from __future__ import annotations

import threading

import pytest
from shells import Notebook

from graflow_nb import workflow

GATE = "import threading\nstarted, go_on = threading.Event(), threading.Event()\n"
WAIT = "started.set()\nassert go_on.wait(60)\n"


def in_background(nb: Notebook, line: str = "") -> None:
    """Start a run whose tasks use the gate, and come back when one waits there."""
    nb.ns["started"].clear()
    nb.ns["go_on"].clear()
    nb(f"%flow run --background {line}")
    assert nb.ns["started"].wait(60)


def end(nb: Notebook) -> None:
    """Let the run in the background end."""
    (run,) = nb.session.going
    nb.ns["go_on"].set()
    run.wait(60)


def test_variables_are_published_when_the_run_ends(nb: Notebook):
    nb("%%task a\nx = [1]\ny = 2")
    assert not {"x", "y"} & nb.ns.keys()
    nb.run()
    nb("assert x == [1] and y == 2 and a.result is None")


def test_what_a_plain_cell_assigned_since_is_left_and_that_is_said(nb: Notebook):
    nb("%%task a\nx = 1\ny = 1", cell="a")
    nb.run()
    nb("x = 'mine'")
    nb("K = 1")
    said = nb("%flow run --force")
    assert "x (of task a) was assigned in a plain cell since: left as it is" in said
    assert nb.ns["x"] == "mine"
    assert nb.ns["y"] == 1


def test_readers_get_the_tasks_variable_whatever_a_plain_cell_assigned(nb: Notebook):
    nb("%%task a\nx = 1", cell="a")
    nb("%%task b\nx + 1", cell="b")
    nb.run()
    nb("x = 100")
    assert nb.run() == []
    assert nb["b"].result == 2
    assert nb.run("--force") == ["a", "b"]
    assert nb["b"].result == 2


def test_defining_the_task_again_takes_the_name_back(nb: Notebook):
    nb("x = 'old'")
    nb("%%task a\nx = 1", cell="a")
    nb.run()
    assert nb.ns["x"] == 1


def test_variables_of_failed_and_skipped_tasks_are_withdrawn(nb: Notebook):
    nb("fail = False")
    nb("%%task a\nx = 1\nif fail: 1 / 0")
    nb("%%task b\ny = x")
    nb("%%task c\nz = 3")
    nb.run()
    assert {"x", "y", "z"} <= nb.ns.keys()
    nb("fail = True")
    nb.refused("%flow run")
    assert nb.statuses == {"a": "failed", "b": "skipped", "c": "cached"}
    assert {"x", "y", "z"} & nb.ns.keys() == {"z"}
    nb("fail = False")
    nb.run()
    assert {"x", "y", "z"} <= nb.ns.keys()


def test_variables_of_removed_tasks_are_withdrawn(nb: Notebook):
    nb("%%task a\nx = 1")
    nb("%%task b\ny = 1")
    nb("%%task c\nz = 1")
    nb.run()
    nb("%flow remove a")
    assert {"a", "x", "b", "y"} & nb.ns.keys() == {"b", "y"}
    nb("y = 5")
    nb("%flow reset")
    assert {"b", "c", "y", "z"} & nb.ns.keys() == {"y"}
    assert nb.ns["y"] == 5


def test_a_variable_that_is_no_longer_assigned_is_withdrawn(nb: Notebook):
    nb("%%task a\nx = 1\ny = 1", cell="a")
    nb.run()
    nb("%%task a\ny = 2", cell="a")
    nb.run()
    assert "x" not in nb.ns
    assert nb.ns["y"] == 2


def test_a_conditional_variable_that_is_not_assigned_this_time_is_withdrawn(nb: Notebook):
    nb("flag = True")
    nb("%%task a\nif flag: x = 1\ny = 1")
    nb.run()
    nb("flag = False")
    nb.run()
    assert "x" not in nb.ns


def test_a_run_of_some_targets_leaves_the_others_alone(nb: Notebook):
    nb("%%task a\nx = 1")
    nb("%%task b\ny = 1")
    nb.run()
    nb("%flow run a --force")
    assert nb.ns["y"] == 1
    assert nb.ns["x"] == 1


@pytest.mark.parametrize("order", ["first", "second"])
def test_a_variable_of_two_tasks_is_an_error_that_names_both(nb: Notebook, order: str):
    first, second = ("a", "b") if order == "first" else ("b", "a")
    nb(f"%%task {first}\nx = 1")
    said = nb.refused(f"%%task {second}\nx = 2")
    assert "'x' is defined by two tasks" in said
    assert f"{first!r}" in said
    assert f"{second!r}" in said
    assert list(nb.flow.graph.nodes) == [first]
    assert second not in nb.ns


def test_a_task_named_like_a_variable_is_an_error(nb: Notebook):
    nb("%%task a\nx = 1")
    assert "'x' is a task, and a variable of task 'a'" in nb.refused("%%task x\n1")
    assert "'a' is a task, and a variable of task 'b'" in nb.refused("%%task b\na = 1")


def test_flows_side_by_side(nb: Notebook):
    nb("%%task a\n1")
    nb("with workflow('other') as other:\n    @task\n    def a(): return 2\n    @task\n    def b(a): return a")
    nb.run()
    assert list(nb.flow.graph.nodes) == ["a"]
    listed = nb("%flow list")
    assert "* notebook: 1 tasks" in listed
    assert "  other: 2 tasks" in listed
    nb("%flow use other")
    nb.run()
    assert nb["b"].result == 2
    nb("%%task c\nb + 1")
    nb.run()
    assert nb["c"].result == 3
    nb("%flow use notebook")
    assert list(nb.flow.graph.nodes) == ["a"]
    assert "there is no flow 'othr'. Did you mean 'other'?" in nb.refused("%flow use othr")


def test_a_flow_in_use_without_tasks_says_which_has_some(nb: Notebook):
    nb("with workflow('other') as other:\n    @task\n    def a(): return 2")
    assert "%flow use other" in nb.refused("%flow run")


def test_a_workflow_in_a_task_is_the_tasks_own_affair(nb: Notebook):
    nb(
        "%%task t\n"
        "with workflow('inner') as inner:\n"
        "    @task\n    def one(): print('from inside'); return 1\n"
        "    @task\n    def two(one): return one + 1\n"
        "inner.run().results['two']"
    )
    nb.run()
    assert nb["t"].result == 2
    assert "from inside" in nb.texts("t")
    assert list(nb.session.flows) == ["notebook"]
    assert nb.flow["t"].record.status.is_success


def test_the_variables_of_a_background_run_come_with_the_next_cell(nb: Notebook):
    nb(GATE)
    nb(f"%%task a\n{WAIT}x = 1")
    in_background(nb)
    assert "x" not in nb.ns
    end(nb)
    assert "x" not in nb.ns  # only ever on the main thread, between cells
    nb("assert x == 1")


def test_what_is_said_of_a_background_run_is_said_in_the_next_cell(nb: Notebook):
    nb(GATE)
    nb(f"%%task a\n{WAIT}x = 1")
    in_background(nb)
    nb("x = 'mine'")
    end(nb)
    assert "x (of task a) was assigned in a plain cell since" in nb("x")
    assert nb.ns["x"] == "mine"


def test_a_background_run_can_be_cancelled(nb: Notebook):
    nb(GATE)
    nb("%%task a\nx = 1", cell="a")
    nb(f"%%task b\n{WAIT}x", cell="b")
    nb("%%task c\nb")
    in_background(nb)
    (run,) = nb.session.going
    assert "cancelling 1 run(s)" in nb("%flow cancel")
    nb.ns["go_on"].set()
    run.wait(60)
    assert run.was_cancelled
    assert str(run.statuses["c"]) == "cancelled"
    assert "no run is going on" in nb("%flow cancel")
    nb("assert x == 1")
    assert nb.run() == ["b", "c"]


def test_a_plain_cell_prints_as_ever_while_a_run_goes_on(nb: Notebook):
    nb(GATE)
    nb(f"%%task a\nprint('from a')\n{WAIT}print('and more')")
    in_background(nb)
    nb("print('plain')")  # the run's own display may be updated meanwhile, in the cell that started it
    assert nb.text.strip() == "plain"
    nb.ns["wait"] = nb.session.going[0].wait
    nb("go_on.set()\nwait(60);")  # within a cell: here each has a stdout of its own, unlike in a kernel
    assert nb.texts("a") == "from a\nand more\n"


def test_two_runs_at_once(nb: Notebook):
    nb(GATE)
    nb(f"%%task a\n{WAIT}1")
    nb("with workflow('other') as other:\n    @task\n    def b(): print('b'); return 2")
    in_background(nb)
    nb("%flow use other")
    nb.run()
    assert nb["b"].result == 2
    nb("%flow use notebook")
    end(nb)
    assert nb["a"].result == 1


def test_closing_the_notebook_cancels_what_runs(nb: Notebook):
    nb(GATE)
    nb(f"%%task a\n{WAIT}1")
    nb("%%task b\na")
    in_background(nb)
    (run,) = nb.session.going
    nb.session.close()
    nb.ns["go_on"].set()
    run.wait(60)
    assert run.was_cancelled
    assert str(run.statuses["b"]) == "cancelled"


@pytest.mark.parametrize(
    "act",
    [
        "get_ipython().run_line_magic('flow', 'remove other')",
        "get_ipython().run_line_magic('flow', 'reset')",
        "get_ipython().run_line_magic('flow', 'run')",
        "get_ipython().run_cell_magic('task', 'other', '2')",
    ],
)
def test_a_task_that_changes_the_flow_by_a_magic_while_it_runs_is_refused(nb: Notebook, act: str):
    nb("%%task other\n1")
    nb(f"%%task t\n{act}")
    said = nb.refused("%flow run")
    assert "not for the inside of a running task ('t')" in said
    assert nb["other"].result == 1
    assert list(nb.flow.graph.nodes) == ["other", "t"]


def test_a_task_that_makes_tasks_while_it_runs_leaves_the_flow_alone(nb: Notebook):
    nb("%%task other\n1")
    nb("%%task t\n@task\ndef other_one(): return 2\n@task('other')\ndef again(): return 3\nother_one()")
    nb.run()
    assert nb["t"].result == 2
    assert list(nb.flow.graph.nodes) == ["other", "t"]
    nb.run("--force")
    assert nb["other"].result == 1


def test_deleting_and_redefining_tasks_while_a_run_goes_on_does_not_disturb_it(nb: Notebook):
    nb(GATE)
    nb(f"%%task a\n{WAIT}x = 1\nx", cell="a")
    nb("%%task b\ny = a + 1\ny", cell="b")
    nb("%%task gone\nz = 1", cell="gone")
    in_background(nb)
    (run,) = nb.session.going
    nb("%%task b\ny = a + 100\ny", cell="b")
    nb("1", deleted=("gone",))
    end(nb)
    assert run.results["b"] == 2
    nb("%flow status")
    assert "z" not in nb.ns
    assert nb.run() == ["a", "b"]  # a reads the gate, which cannot be compared
    assert nb["b"].result == 101


def test_300_tasks_at_once(nb: Notebook):
    for i in range(300):
        nb(f"%%task t{i}\nprint({i})\nv{i} = {i}\nv{i}")
    nb("%%task total\n" + " + ".join(f"t{i}" for i in range(300)))
    assert len(nb.run()) == 301
    assert nb["total"].result == sum(range(300))
    assert nb.texts("t123") == "123\n123"
    assert nb.ns["v299"] == 299
    assert nb.run() == []
    nb("%flow")
    nb("%flow status")


def test_a_workflow_outside_a_notebook_knows_nothing_of_it(nb: Notebook):
    nb.session.close()
    with workflow("script") as flow:
        assert flow.services.listeners == []
        assert flow.graph.journal is None


def test_nothing_is_left_running(nb: Notebook):
    before = set(threading.enumerate())
    nb("%%task a\n1")
    nb("%%task b\nimport asyncio\nawait asyncio.sleep(0)")
    nb.run()
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.parametrize("cell", ["x = 1", "x = x", "x, y2 = 1, 2", "def x(): pass"])
def test_what_a_plain_cell_assigned_is_left_even_if_it_is_the_same_object(nb: Notebook, cell: str):
    nb("%%task a\nx = 1", cell="a")
    nb.run()
    nb(cell)
    mine = nb.ns["x"]
    nb("%%task a\ny = 2\nx = 3", cell="a")  # the task's own cell takes the name back
    nb(cell.replace("x = x", "x = 1"))
    mine = nb.ns["x"]
    assert "x (of task a) was assigned in a plain cell since: left as it is" in nb("%flow run")
    assert nb.ns["x"] is mine
    assert nb.ns["y"] == 2


def test_what_a_plain_cell_assigned_stays_when_the_task_goes(nb: Notebook):
    nb("%%task a\nx = 1", cell="a")
    nb.run()
    nb("x = 1")
    nb("%flow remove a")
    assert nb.ns["x"] == 1


def test_a_variable_that_was_deleted_comes_back_with_the_next_run(nb: Notebook):
    nb("%%task a\nx = 1")
    nb.run()
    nb("del x")
    assert nb.run() == []
    assert nb.ns["x"] == 1
    nb("x = 2\ndel x")
    nb.run()
    assert nb.ns["x"] == 1


def test_a_variable_of_the_run_before_is_not_there_after_a_failure(nb: Notebook):
    nb(GATE)
    nb("%%task a\nx = 1", cell="a")
    nb.run()
    nb(f"%%task a\n{WAIT}x = 1 / 0", cell="a")
    in_background(nb)
    end(nb)
    nb("1")
    assert "x" not in nb.ns


def test_a_variable_of_a_skipped_task_that_a_plain_cell_assigned_stays(nb: Notebook):
    nb("%%task a\nx = 1", cell="a")
    nb("%%task b\ny = x", cell="b")
    nb.run()
    nb("y = 'mine'")
    nb("%%task a\nx = 1 / 0", cell="a")
    nb.refused("%flow run")
    assert nb.ns["y"] == "mine"
    assert "x" not in nb.ns
