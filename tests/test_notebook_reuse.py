"""What runs again after an edit in a notebook: what depends on it, nothing else, and never too little."""

from __future__ import annotations

import pytest
from shells import Notebook

FLOW = {
    "setup": "K = 1\nUNUSED = 1\ndef inner(v): return v + K\ndef helper(v): return inner(v)",
    "load": "%%task load\nrows = [1, 2, 3]\nextra = 'x'\nrows",
    "clean": "%%task clean\nkept = [r for r in rows if r > 1]\nkept",
    "left": "%%task left\n[helper(r) for r in clean]",
    "right": "%%task right\nlen(clean)",
    "names": "%%task names\nextra + '!'",
    "report": "@task\ndef report(left, right, scale=1): return (left, right * scale)",
}


@pytest.fixture
def flow(nb: Notebook) -> Notebook:
    for cell, source in FLOW.items():
        nb(source, cell=cell)
    assert nb.run() == sorted(FLOW.keys() - {"setup"})
    assert nb.run() == []
    return nb


def edit(nb: Notebook, cell: str, old: str, new: str) -> None:
    assert old in FLOW[cell]
    nb(FLOW[cell].replace(old, new), cell=cell)


@pytest.mark.parametrize(
    ("cell", "old", "new", "ran"),
    [
        ("load", "rows = [1, 2, 3]", "rows = [1, 2, 4]", ["clean", "left", "load", "report", "right"]),
        ("load", "rows = [1, 2, 3]", "rows = [9, 9, 9]", ["clean", "left", "load", "report", "right"]),
        ("load", "rows = [1, 2, 3]", "rows = [0, 2, 3]", ["clean", "load"]),  # what is kept is the same
        ("load", "extra = 'x'", "extra = 'y'", ["load", "names"]),
        ("load", "extra = 'x'", "extra = 'x' ", []),
        ("clean", "r > 1", "r > 2", ["clean", "left", "report", "right"]),
        ("left", "helper(r)", "helper(r) + 1", ["left", "report"]),
        ("left", "helper(r) for r", "helper(q) for q", ["left"]),
        ("setup", "K = 1", "K = 2", ["left", "report"]),
        ("setup", "K = 1", "K = 1.0", ["left", "report"]),
        ("setup", "K = 1", "K = 2 - 1", []),
        ("setup", "UNUSED = 1", "UNUSED = 2", []),
        ("setup", "v + K", "v - K", ["left", "report"]),
        ("setup", "v + K", "K + v", ["left"]),
        ("setup", "return inner(v)", "return inner(v) * 2", ["left", "report"]),
        ("report", "right * scale", "right * scale + 1", ["report"]),
        ("report", "scale=1", "scale=2", ["report"]),
        ("report", "scale=1", "scale=1, other=None", ["report"]),
    ],
)
def test_an_edit(flow: Notebook, cell: str, old: str, new: str, ran: list[str]):
    edit(flow, cell, old, new)
    assert flow.run() == ran
    fresh = {name: flow[name].result for name in flow.flow.graph.nodes}
    assert flow.run() == []
    flow.run("--force")
    assert {name: flow[name].result for name in flow.flow.graph.nodes} == fresh


@pytest.mark.parametrize(
    ("cell", "source"),
    [
        (
            "clean",
            "%%task clean\n\n# a comment\nkept = [\n    r\n    for r in rows\n    if r > 1  # why\n]\n\nkept",
        ),
        ("clean", "#| task: clean\nkept = [r for r in rows if r > 1]\nkept"),
        ("clean", "%%task   clean\nkept = ([r for r in rows if (r > 1)])\nkept\n\n"),
        ("setup", FLOW["setup"].replace("def inner(v):", "def inner(v):\n    'Say what it does.'\n   ")),
        ("setup", "# moved\n\n" + FLOW["setup"]),
        ("setup", FLOW["setup"].replace("K = 1\n", "K = 0\nK += 1\n")),
        (
            "report",
            "# a comment\n\n@task\ndef report(left, right, scale=1):\n    # why\n    return left, right * scale",
        ),
    ],
)
def test_comments_and_formatting_run_nothing(flow: Notebook, cell: str, source: str):
    flow(source, cell=cell)
    assert flow.run() == []


def test_a_helper_redefined_as_it_was_runs_nothing(flow: Notebook):
    flow(FLOW["setup"], cell="setup")
    flow("import math, os")
    assert flow.run() == []


def test_back_to_what_it_was_gives_what_was(flow: Notebook):
    before = flow["report"].result
    edit(flow, "clean", "r > 1", "r > 2")
    flow.run()
    flow(FLOW["clean"], cell="clean")
    flow.run()
    assert flow["report"].result == before


def test_a_new_edge_alone_runs_nothing_that_need_not(flow: Notebook):
    flow("names >> right")
    assert flow.run() == []


def test_a_failed_task_and_what_follows_run_again(flow: Notebook):
    edit(flow, "clean", "r > 1", "r > None")
    flow.refused("%flow run")
    assert flow.statuses["load"] == "cached"
    assert flow.statuses["report"] == "skipped"
    edit(flow, "clean", "r > 1", "r > 2")
    assert flow.run() == ["clean", "left", "report", "right"]
    assert flow.run() == []


def test_a_result_changed_in_place_by_a_plain_cell_is_made_again(flow: Notebook):
    flow("rows.append(100)")
    assert "load" in flow.run()
    assert flow.ns["rows"] == [1, 2, 3]
    assert flow["right"].result == 2
    flow("load.result.append(100)")
    flow.run()
    assert flow["load"].result == [1, 2, 3]


def test_an_input_changed_in_place_by_a_task_is_said_and_not_reused(nb: Notebook):
    nb("%%task load\nrows = [1]")
    nb("%%task spoil\nrows.append(2)\nlen(rows)")
    nb.run()
    assert "its input 'rows' (of task 'load') was changed in place" in nb.last_run.records["spoil"].note
    nb.run()
    assert nb["spoil"].result == 2
    assert nb.run() == ["load", "spoil"]


def test_a_global_changed_in_place_counts(nb: Notebook):
    nb("settings = {'k': 1}")
    nb("%%task t\nsettings['k']")
    nb.run()
    nb("settings['k'] = 2")
    assert nb.run() == ["t"]
    assert nb["t"].result == 2


def test_a_task_that_changes_a_global_in_place_is_not_reused(nb: Notebook):
    nb("seen = []")
    nb("%%task t\nseen.append(1)\nlen(seen)")
    nb.run()
    assert nb.run() == ["t"]


def test_a_class_of_the_notebook_counts_by_its_code(nb: Notebook):
    source = "class Model:\n    rate = {}\n    def get(self): return self.rate"
    nb(source.format(1))
    nb("%%task t\nModel().get()")
    nb.run()
    nb(source.format(1))
    assert nb.run() == []
    nb(source.format(2))
    assert nb.run() == ["t"]
    assert nb["t"].result == 2


def test_a_function_defined_in_a_cell_counts_for_its_readers(nb: Notebook):
    source = "%%task tools\nK = {}\ndef scale(v): return v * K"
    nb(source.format(2), cell="tools")
    nb("%%task use\nscale(10)")
    nb.run()
    nb(source.format(3), cell="tools")
    nb.run()
    assert nb["use"].result == 30
    nb(source.format(3), cell="tools")
    assert nb.run() == []


def test_targets_and_force_and_from(flow: Notebook):
    edit(flow, "load", "rows = [1, 2, 3]", "rows = [5, 6, 7]")
    assert flow.run("right") == ["clean", "load", "right"]
    assert sorted(flow.statuses) == ["clean", "load", "right"]
    assert flow.run() == ["left", "report"]
    assert flow.run("--from clean") == ["clean", "left", "report", "right"]
    assert flow.run("--force right") == ["clean", "load", "right"]
    assert flow.run("right --from clean") == ["clean", "right"]


def test_cache_off(nb: Notebook):
    nb("%%task a --cache off\n1")
    nb("%%task b\na + 1")
    nb.run()
    assert nb.run() == ["a"]  # what it made is what it was, so b need not run
    assert "its option cache is off" in nb("%flow why a")


def test_run_of_one_task_at_its_definition(nb: Notebook):
    nb("%%task a\nprint('made a')\n1")
    nb("%%task other\n2")
    nb("%%task b --run\na + 1")
    assert nb.statuses == {"a": "succeeded", "b": "succeeded"}
    nb("%%task b --run\na + 1")
    assert nb.ran == []
    said = nb.refused("%%task c --run\n1 / 0")
    assert "ZeroDivisionError" in said


def test_outputs_are_replayed_when_a_result_is_reused(nb: Notebook):
    nb("%%task a\nprint('said once')\n[1]")
    nb.run()
    outputs = nb["a"].outputs
    assert nb.run() == []
    assert nb["a"].outputs == outputs
    assert "said once" in nb.displays[-1]["data"]["text/html"]


@pytest.mark.parametrize(
    "helper",
    [
        "def helper(): return eval('K')",
        "def helper(): return globals()['K']",
        "import pandas as pd\ndef helper(): return len(pd.DataFrame({'a': [1, 5, 9]}).query('a > @K'))",
        "def helper(): return __import__('__main__').K",
        "def helper(): return get_ipython().user_ns['K']",
        "import sys\ndef helper(): return sys.modules['__main__'].K",
        "import sys\ndef helper(name='__main__'): return sys.modules[name].K",
        "box = [lambda: K]\ndef helper(): return box[0]()",
        "class Box:\n    def get(self): return K\nbox = Box()\ndef helper(): return box.get()",
        "import functools\ndef get(k=None): return K\nhelper = functools.partial(get, k=1)",
        "import functools\n@functools.lru_cache\ndef get(k): return k\ndef helper(): return get(K)",
        "import functools\n@functools.lru_cache\ndef helper(): return K",
        "import operator\nget = operator.itemgetter('K')\ndef helper(): return get(globals())",
        "import os\nos.environ['GRAFLOW_K'] = str(K)\ndef helper(): return os.environ['GRAFLOW_K']",
    ],
)
def test_ways_to_read_round_the_key(nb: Notebook, helper: str):
    nb("K = 1")
    nb("@task\ndef source(given): return given")
    nb("%%task given\nK")
    nb(helper)
    nb("%%task t\nhelper()")
    nb("source >> t")
    nb.run()
    nb("K = 6")
    if "cache" in helper or "environ" in helper:
        nb(helper)
    nb.run()
    seen = nb["t"].result
    nb.run("--force")
    assert seen == nb["t"].result


def test_what_a_run_has_to_say_is_seen_in_jupyter_too(nb: Notebook):
    nb("%%task a\nx = [1]")
    nb.run()
    nb("x = 5")
    nb.run("--force")
    assert "x (of task a) was assigned in a plain cell since" in nb.displays[-1]["data"]["text/html"]


def test_a_plain_cell_that_assigns_over_a_task_is_told_so(nb: Notebook):
    nb("%%task a\n5")
    nb("%%task b\na + 1")
    nb.run()
    assert "plain cell" not in nb.displays[-1]["data"]["text/plain"]
    nb("a = 100")
    nb.run()
    assert nb["b"].result == 6
    assert (
        "a was assigned in a plain cell: tasks that read a get the result of task a"
        in nb.displays[-1]["data"]["text/plain"]
    )
