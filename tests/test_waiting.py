"""Variables that stay on disk until a plain cell names them."""

from __future__ import annotations

import pytest
from IPython.core.completer import provisionalcompleter
from shells import Notebook, new_notebook

FLOW = (
    "%flow cache {folder}",
    "%%task load\nrows, unused = [1, 2, 3], {{'big': 1}}\ndef scaled(v): return [v * r for r in rows]\nlen(rows)",
    "%%task total\nsum(rows)",
)


def fill(nb: Notebook, folder):
    for cell in FLOW:
        nb(cell.format(folder=folder))
    nb.run()


@pytest.fixture
def restarted(tmp_path):
    """A notebook in a new kernel whose tasks were all reused from disk."""
    with new_notebook() as before:
        fill(before, tmp_path / "kept")
    with new_notebook() as nb:
        fill(nb, tmp_path / "kept")
        assert nb.ran == []
        yield nb


def test_nothing_is_loaded_before_it_is_named(restarted: Notebook):
    assert not {"rows", "unused", "scaled"} & restarted.ns.keys()
    restarted("n = len(rows)")
    assert restarted.ns["n"] == 3
    assert "unused" not in restarted.ns
    restarted("1 + 1")
    restarted("%load_ext graflow_nb")
    assert "unused" not in restarted.ns


@pytest.mark.parametrize(
    "cell",
    [
        "assert unused == {'big': 1}",
        "assert [unused for _ in range(1)]",
        "def read(): return unused\nassert read()",
        "assert (lambda: unused)()",
        "assert globals()['unused']",
        "import __main__\nassert __main__.unused",
        "assert get_ipython().user_ns['unused']",
        "assert eval('unused')",
        "%who_ls\nassert 'unused' in globals()",
        "%time assert unused",
        "%%time\nassert unused",
        "%%capture shown\nassert unused",
        "said = !echo $unused\nassert 'big' in said[0]",
        "del unused",
        "unused['more'] = 1",
        "if True:\n    for _ in range(1): unused",
        "async def read(): return unused\nassert await read()",
        "with open('/dev/null'): assert unused",
    ],
)
def test_ways_to_name_a_variable(restarted: Notebook, cell: str):
    restarted(cell)


@pytest.mark.parametrize(
    "helper",
    [
        "def helper(): return unused",
        "def inner(): return unused\ndef helper(): return inner()",
        "class Reader:\n    def get(self): return unused\nhelper = Reader().get",
        "import functools\ndef get(k): return unused\nhelper = functools.partial(get, 1)",
        "helper = [lambda: unused][0]",
    ],
)
def test_what_a_helper_reads_is_loaded_when_the_helper_is_named(restarted: Notebook, helper: str):
    restarted(helper)
    restarted("assert helper() == {'big': 1}")


def test_a_variable_that_a_cell_assigns_is_the_cells(restarted: Notebook):
    restarted("unused = 5")
    assert restarted.ns["unused"] == 5
    restarted.run()
    assert "unused (of task load) was assigned in a plain cell since: left as it is" in restarted.last_run.notes
    assert restarted.ns["unused"] == 5


def test_a_loaded_variable_is_followed_like_any_other(restarted: Notebook):
    restarted("half = rows[:1]")
    restarted("%%task reader\nlen(half)")
    assert restarted.run() == ["reader"]
    restarted("%%task load\nrows, unused = [7, 8, 9], 0\nscaled = None\n3")
    said = restarted.refused("%flow run")
    assert "'half', which Cell In[" in said


def test_a_variable_changed_in_place_is_noticed_all_the_same(restarted: Notebook):
    restarted("rows.append(4)")
    restarted.run()
    assert restarted.ns["rows"] == [1, 2, 3]


def test_a_run_in_the_middle_of_a_cell(tmp_path):
    with new_notebook() as before:
        fill(before, tmp_path / "kept")
    with new_notebook() as nb:
        for cell in FLOW:
            nb(cell.format(folder=tmp_path / "kept"))
        nb("%flow run\nassert rows == [1, 2, 3]")
        assert nb.ran == []
        assert "unused" not in nb.ns
        nb("def later(): return unused")
        nb("later()")
        nb("%flow run")
        nb("assert later()")


def test_what_was_named_once_is_loaded_with_each_run_from_then_on(tmp_path):
    with new_notebook() as before:
        fill(before, tmp_path / "kept")
    with new_notebook() as nb:
        for cell in FLOW:
            nb(cell.format(folder=tmp_path / "kept"))
        nb.refused("def callback(): return rows\ncallback()")
        nb.run()
        assert nb.ns["callback"]() == [1, 2, 3]
        assert "unused" not in nb.ns


def test_a_lost_value_is_a_line(restarted: Notebook):
    said = restarted.refused("scaled(2)")
    assert "scaled (of task load) is not there: it could not be kept on disk. Make it again: " in said
    assert isinstance(restarted.error, NameError)
    assert restarted.run(said.partition("%flow run ")[2].splitlines()[0]) == ["load"]
    restarted("assert scaled(2) == [2, 4, 6]")


@pytest.mark.parametrize(("line", "found"), [("unu", True), ("len(unu", True), ("rows.unu", False)])
def test_its_name_is_completed(restarted: Notebook, line: str, found: bool):
    with provisionalcompleter():
        given = {completion.text for completion in restarted.shell.Completer.completions(line, len(line))}
    assert ("unused" in given) is found
    assert "unused" not in restarted.ns


def test_what_is_taken_away_is_not_loaded(restarted: Notebook):
    restarted("%flow remove load")
    assert isinstance((restarted.refused("unused"), restarted.error)[1], NameError)


def test_a_background_run(tmp_path):
    with new_notebook() as before:
        fill(before, tmp_path / "kept")
    with new_notebook() as nb:
        for cell in FLOW:
            nb(cell.format(folder=tmp_path / "kept"))
        nb("%flow run --background")
        for run in list(nb.session.going):
            run.wait()
        nb("1")
        assert "unused" not in nb.ns
        nb("assert unused == {'big': 1}")


def test_another_place_for_results_loads_what_waits(restarted: Notebook):
    restarted("%flow cache memory")
    assert restarted.ns["unused"] == {"big": 1}


def test_another_flow_finds_them_in_the_namespace(restarted: Notebook):
    restarted("with workflow('other') as other:\n    @task\n    def reads(): return unused['big']")
    restarted("assert other.run().results['reads'] == 1")
    restarted("%flow use other")


def test_unloading_leaves_the_variables(tmp_path):
    with new_notebook() as before:
        fill(before, tmp_path / "kept")
    with new_notebook() as nb:
        fill(nb, tmp_path / "kept")
        assert "unused" not in nb.ns
        nb("%unload_ext graflow_nb")
        assert nb.ns["unused"] == {"big": 1}
