"""``%%task`` and ``%flow`` in a shell of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from shells import Notebook

from graflow_nb.notebook.arguments import flow_parsers

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def flow(nb: Notebook) -> Notebook:
    nb("%%task load\nprint('reading')\nrows = [1, 2]\nrows")
    nb("%%task total\nsum(rows)")
    nb("%%task mean\ntotal / len(rows)")
    return nb


def one_line(said: str) -> str:
    """Return an error that must be one line, without a traceback."""
    (line,) = said.strip().splitlines()
    assert "Traceback" not in said
    return line


def test_defining_a_task_says_what_it_is_in_a_line(nb: Notebook):
    said = nb("%%task load\nrows = [1, 2]")
    assert one_line(said) == "task load: defines rows · out of date: load"
    said = nb("%%task total\nsum(rows) + len(load or '')")
    assert said.strip().startswith("task total: ")
    for fact in ("rows", "load", "out of date: load, total"):
        assert fact in one_line(said)
    nb.run()
    assert "nothing is out of date" in nb("%%task load\nrows = [1, 2]")
    assert "out of date: load, total" in nb("%%task load\nrows = [1, 3]")


def test_an_expression_at_the_end_of_a_cell_draws_the_flow(flow: Notebook):
    said = flow("load >> (total | mean)")
    assert "← load" in said
    flow("load")
    flow("(load | total)")
    flow("%flow")
    flow("%flow show")


def test_run_shows_and_returns_nothing(flow: Notebook):
    said = flow("%flow run")
    assert "3 succeeded" in said
    assert flow.statuses == dict.fromkeys(["load", "total", "mean"], "succeeded")
    said = flow("%flow run")
    assert "3 cached" in said


def test_a_failed_run_shows_everything_and_ends_the_cell_in_error(flow: Notebook):
    flow("%%task bad\nprint('so far')\n1 / 0")
    flow("%%task after\nbad")
    said = flow.refused("%flow run\nnever = 1")
    assert type(flow.error).__name__ == "RunFailed"
    for shown in (
        "3 succeeded, 1 failed, 1 skipped",
        "bad: ZeroDivisionError: division by zero",
        "%flow debug bad",
    ):
        assert shown in said
    assert "so far" in flow.displays[-1]["data"]["text/html"]
    assert "never" not in flow.ns


def test_fail_fast_and_keep_going(nb: Notebook):
    nb("%%task bad\n1 / 0")
    nb("%%task good\n1")
    nb.refused("%flow run --workers 1 --fail-fast")
    assert nb.statuses == {"bad": "failed", "good": "cancelled"}
    nb.refused("%flow run --workers 1 --keep-going")
    assert nb.statuses == {"bad": "failed", "good": "succeeded"}
    assert "opposites" in one_line(nb.refused("%flow run --keep-going --fail-fast"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%flow runn", "%flow has no sub-command 'runn'. Did you mean 'run'?"),
        ("%flow xyz", "There are: 'show'"),
        ("%flow run laod", "Did you mean 'load'?"),
        ("%flow run --from laod", "Did you mean 'load'?"),
        ("%flow run --form load", "Did you mean '--from'?"),
        ("%flow why laod", "Did you mean 'load'?"),
        ("%flow show laod", "Did you mean 'load'?"),
        ("%flow debug laod", "Did you mean 'load'?"),
        ("%flow debug load", "task 'load' did not fail in its last run"),
        ("%flow remove load laod", "Did you mean 'load'?"),
        ("%flow use notebok", "Did you mean 'notebook'?"),
        ("%flow report", "FILE"),
        ("%flow report out.html", "nothing to report before the first %flow run"),
        ("%flow run 'load", "No closing quotation"),
        ("%%task load --rnu\n1", "Did you mean '--run'?"),
        ("%%task a-b\n1", "'a-b' cannot name a task"),
        ("%%task class\n1", "'class' is a word of Python's own"),
        ("%%task list\n1", "'list' is a builtin"),
        ("#| task: a b\n1", "too much: b"),
    ],
)
def test_bad_input_is_answered_in_a_line_and_changes_nothing(flow: Notebook, line: str, said: str):
    before = list(flow.flow.graph.nodes), dict(flow.ns)
    assert said in one_line(flow.refused(line))
    assert list(flow.flow.graph.nodes) == before[0]
    assert {"load", "total", "mean"} <= flow.ns.keys()
    assert "list" not in flow.ns


def test_an_empty_flow(nb: Notebook):
    assert "has no task to run" in one_line(nb.refused("%flow run"))
    for command in ("", "show", "status", "list", "cancel", "reset"):
        nb(f"%flow {command}")


def test_a_missing_argument_is_named_before_anything_runs(nb: Notebook):
    nb("%%task load\n1")
    nb("%%task\ndef fit(data, alpha):\n    return data")
    nb("load >> fit")
    said = nb.refused("%flow run fit")
    assert "task 'fit' needs arguments for 'data', 'alpha'" in said
    assert nb.flow.last_run is None
    nb("%flow status")
    nb("%flow why fit")


def test_a_cycle_names_its_path(flow: Notebook):
    said = flow.refused("load >> total >> load")
    assert "load >> total >> load is a cycle" in said
    assert "graflow_nb" not in said
    flow("%%task a\nb_ = 1")
    assert flow.run()


def test_an_inferred_cycle_is_left_out_and_said(nb: Notebook):
    nb("%%task a\nb if False else 1")
    nb("%%task b\na")
    said = nb.try_("%flow run")
    assert "cycle" in said + nb("%flow status")


@pytest.mark.parametrize("magic", ["%flow", "%graflow"])
@pytest.mark.parametrize("command", list(flow_parsers()))
def test_each_sub_command_has_help(nb: Notebook, magic: str, command: str):
    said = nb(f"{magic} {command} --help")
    assert command in said


def test_help(nb: Notebook):
    for ask in ("%flow help", "%flow --help", "%flow -h", "%graflow help"):
        said = nb(ask)
        assert all(f"%flow {command}" in said for command in flow_parsers())
    assert "the task's name" in nb("%%task --help")
    assert "the task's name" in nb("%%task --help\nx = 1")
    assert "the task's name" in nb("%%task -h")
    assert len(nb.flow.graph) == 0


def test_status(flow: Notebook):
    said = flow("%flow status")
    assert "3 of 3 out of date" in said
    assert "there is no result of it yet" in said
    flow.run()
    assert "0 of 3 out of date" in flow("%flow status")
    flow("%%task total\nsum(rows) + 1")
    said = flow("%flow status")
    assert "2 of 3 out of date" in said
    assert "its code changed" in said
    assert "'total' before it: its code changed" in said


def test_why(flow: Notebook):
    flow("RATE = 0.1\ndef scale(x): return x * RATE")
    flow("%%task scaled\nscale(total)")
    assert "there is no result of it yet" in flow("%flow why load")
    assert "'total' before it is out of date" in flow("%flow why scaled")
    flow.run()
    assert "nothing it depends on changed" in flow("%flow why scaled")
    flow("RATE = 0.2")
    said = flow("%flow why scaled")
    assert "'RATE'" in said
    assert "0.1 → 0.2" in said
    flow("def scale(x): return -x")
    assert "function 'scale' changed" in flow("%flow why scaled")
    flow.run()
    said = flow("%flow why scaled")
    assert "function 'scale' changed" in said  # of the last run
    assert "is reused" in said


def test_why_a_failed_task_runs(nb: Notebook):
    nb("%%task bad\n1 / 0")
    nb.refused("%flow run")
    said = nb("%flow why bad")
    assert "ZeroDivisionError: division by zero" in said


def test_show_gives_all_outputs_of_a_task(flow: Notebook):
    assert "load has no outputs" in flow("%flow show load")
    flow.run()
    said = flow("%flow show load")
    assert "── load ─" in said
    assert "reading" in said
    assert "[1, 2]" in said


def test_list_use_remove_reset(flow: Notebook):
    assert "* notebook: 3 tasks" in flow("%flow list")
    flow.run()
    assert "last run: 3 succeeded" in flow("%flow list")
    assert flow("%flow remove mean total").strip() == "removed: mean, total"
    assert list(flow.flow.graph.nodes) == ["load"]
    assert "removed all 1 tasks of 'notebook'" in flow("%flow reset")
    assert len(flow.flow.graph) == 0
    assert not {"load", "rows", "total"} & flow.ns.keys()


def test_a_task_that_was_removed_comes_back_with_its_cell(flow: Notebook):
    flow("load >> mean", cell="e")
    flow("%flow remove mean")
    flow("%%task mean\ntotal / len(rows)")
    assert flow.run() == ["load", "mean", "total"]
    assert ("load", "mean") in flow.flow.plan().edges


def test_report(flow: Notebook, tmp_path: Path):
    flow.run()
    path = tmp_path / "reports" / "out.html"
    assert flow(f"%flow report '{path}'").strip() == f"wrote {path}"
    page = path.read_text("utf-8")
    assert "reading" in page
    assert "exists. --force overwrites it" in one_line(flow.refused(f"%flow report '{path}'"))
    assert flow(f"%flow report '{path}' --force")


def test_debug_stands_where_the_task_failed(nb: Notebook, monkeypatch: pytest.MonkeyPatch):
    nb("%%task bad\nx = 41\ndef deep(y):\n    return y / 0\ndeep(x + 1)")
    nb.refused("%flow run")
    asked = iter(["p y", "up", "p x", "q"])
    monkeypatch.setattr("builtins.input", lambda _="": next(asked))
    said = nb("%flow debug bad")
    assert "42" in said.splitlines()
    assert "41" in said.splitlines()
    assert "return y / 0" in said


def test_the_header_is_the_magics_equal(nb: Notebook):
    nb("#| task: load --cache off\nrows = [1]\nrows")
    assert nb["load"].defines == ("rows",)
    assert nb.run() == nb.run() == ["load"]
    nb("#|task:load\nrows = [2]\nrows")
    nb.run()
    assert nb["load"].result == [2]
    nb("# | task: other\nx = 1")
    nb("x = 1\n#| task: other")
    assert list(nb.flow.graph.nodes) == ["load"]


def test_variables_in_braces_are_left_alone(nb: Notebook):
    nb("name = 'other'")
    nb("%%task t\nf'{name} $name'")
    nb.run()
    assert nb["t"].result == "other $name"
    assert "{name}" in nb.refused("%flow run {name}")


def test_main_thread(nb: Notebook):
    nb("import threading")
    nb("%%task t --main-thread\nthreading.current_thread() is threading.main_thread()")
    nb("%%task u\nthreading.current_thread() is threading.main_thread()")
    nb.run()
    assert (nb["t"].result, nb["u"].result) == (True, False)


def test_questions_on_the_main_thread_are_asked(nb: Notebook, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("builtins.input", lambda prompt="": f"answer to {prompt}")
    nb("%%task t --main-thread\ninput('name?')")
    nb("%%task u\ninput('name?')")
    assert "task 'u' asks for input()" in nb.refused("%flow run")
    assert nb["t"].result == "answer to name?"


def test_the_context_of_a_running_task(nb: Notebook):
    nb("from graflow_nb import context")
    nb("%%task t\ncontext.task_name, context.cancelled")
    nb("def helper(): return context.task_name")
    nb("%%task u\nhelper()")
    nb.run()
    assert (nb["t"].result, nb["u"].result) == (("t", False), "u")
    assert "no task is running" in nb.refused("context.task_name")


def test_tasks_born_in_a_run(nb: Notebook):
    nb("from graflow_nb import context, TaskWrapper")
    nb("%%task t\ncontext.next_task(TaskWrapper('born', lambda x: print('born with', x) or x + 1))\n1")
    nb("%%task after\nt")
    nb("%flow run")
    assert nb.statuses == dict.fromkeys(["t", "after", "born"], "succeeded")
    assert list(nb.flow.graph.nodes) == ["t", "after"]
    assert "born with 1" in nb.displays[-1]["data"]["text/html"]


def test_a_task_that_reads_what_a_plain_cell_made_from_an_older_result_is_out_of_date(flow: Notebook):
    flow.run()
    flow("double = [2 * row for row in rows]")
    flow("%%task doubled\nsum(double)")
    flow.run()
    flow("%%task load\nrows = [1, 5]\nrows")
    flow.refused("%flow run")
    for command in ("status", "why doubled"):
        said = flow(f"%flow {command}")
        assert "reads 'double', which Cell In[" in said
        assert "✗ cannot run" in said
    flow("double = [2 * row for row in rows]")
    assert flow.run() == ["doubled"]
    assert "0 of 4 out of date" in flow("%flow status")


CHAIN = """
report
  now: ↻ out of date it runs, because
    'model' before it is out of date
      'clean' before it is out of date
        its code changed
            - kept = [r for r in raw if r > 1]
            + kept = [r for r in raw if r > 2]
"""


def test_why_follows_what_is_before_a_task_to_the_root(nb: Notebook):
    nb("%%task load\nraw = [1, 2, 3]")
    nb("%%task clean\nkept = [r for r in raw if r > 1]", cell="clean")
    nb("%%task model\nsize = len(kept)")
    nb("%%task report\nprint(size)")
    nb.run()
    nb("%%task clean\nkept = [r for r in raw if r > 2]", cell="clean")
    said = nb("%flow why report")
    assert CHAIN.strip() in said
    html = nb.displays[-1]["data"]["text/html"]
    assert 'display:block;background-color:rgba(220,38,38,.18)">- kept = [r for r in raw if r &gt; 1]' in html
    nb.run()
    said = nb("%flow why report")
    assert "the result of 'model.size' changed" in said
    assert "the result of 'clean.kept' changed" in said
    assert "+ kept = [r for r in raw if r > 2]" in said


def test_why_and_status_say_that_a_result_was_accepted(flow: Notebook):
    flow.run()
    flow("%%task total\nsum(rows) + 0")
    said = flow("%flow accept total")
    assert "its code changed" in said
    assert "its result was accepted as it is" in flow("%flow why total")
    assert "✓ accepted" in flow("%flow status")
