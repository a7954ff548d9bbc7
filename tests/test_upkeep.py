"""``%flow param``, ``seed``, ``accept``, ``verify``, ``impact`` and ``cache``."""

from __future__ import annotations

import pytest
from shells import Notebook


@pytest.fixture
def flow(nb: Notebook) -> Notebook:
    nb("%flow param rate 0.5")
    nb("%%task load\nrows = [1, 2]\nrows", cell="load")
    nb("%%task priced\n[rate * row for row in rows]")
    nb("%%task other\nlen(rows)")
    return nb


def test_a_parameter_is_a_node_and_only_what_depends_on_it_runs_again(flow: Notebook):
    assert flow.run() == ["load", "other", "priced", "rate"]
    assert flow("%flow param rate 2").strip() == "rate = 2 · out of date: rate, priced"
    said = flow("%flow why priced")
    assert "0.5 → 2" in said
    assert flow.run() == ["priced", "rate"]
    assert flow["priced"].result == [2, 4]
    flow("%flow param rate 0.5")
    assert flow.run() == []  # that result is there still
    assert flow["priced"].result == [0.5, 1.0]


def test_set_gives_a_parameter_a_value_for_one_run(flow: Notebook):
    flow.run("--set rate=3")
    assert flow["priced"].result == [3, 6]
    assert flow("%flow param").strip() == "rate = 0.5"
    assert flow("%flow param rate").strip() == "rate = 0.5"
    flow.run()
    assert flow["priced"].result == [0.5, 1.0]


def test_a_variable_that_a_parameter_replaces_is_kept(nb: Notebook):
    nb("limit = 9")
    assert "the variable it replaces is kept as limit_before" in nb("%flow param limit 3")
    assert nb.ns["limit_before"] == 9


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("param 3x 4", "'3x' cannot be a name"),
        ("param if 4", "'if' cannot be a name"),
        ("param load 4", "'load' is a task"),
        ("param lood", "no parameter 'lood'"),
        ("run --set rat=1", "Did you mean 'rate'?"),
        ("run --set rate", "--set takes NAME=VALUE, not 'rate'"),
        ("accept laod", "Did you mean 'load'?"),
        ("accept priced", "what 'priced' reads is out of date"),
        ("impact laod", "Did you mean 'load'?"),
        ("verify laod", "Did you mean 'load'?"),
        ("cache dsik", "Did you mean 'disk'?"),
        ("seed many", "a whole number, or off"),
    ],
)
def test_what_is_wrong_is_answered_in_a_line(flow: Notebook, line: str, said: str):
    answer = flow.refused(f"%flow {line}")
    assert said in answer
    assert "Traceback" not in answer
    assert len(answer.strip().splitlines()) == 1


def test_a_flow_without_parameters_says_how_to_make_one(nb: Notebook):
    assert "%flow param NAME VALUE makes one" in nb("%flow param")


def test_seed(nb: Notebook):
    nb("from graflow_nb import task\n@task(inject_context=True)\ndef draw(context): return context.rng.random()")
    assert "no seed" in nb("%flow seed")
    assert nb("%flow seed 7").strip() == "seed = 7"
    assert nb.run() == ["draw"]
    first = nb["draw"].result
    assert nb.run() == []
    nb("%flow seed 8")
    assert "the workflow's seed changed: 7 → 8" in nb("%flow why draw")
    assert nb.run() == ["draw"]
    assert nb["draw"].result != first
    nb("%flow seed 7")
    nb.run()
    assert nb["draw"].result == first
    assert "no seed" in nb("%flow seed off")


def test_accept_keeps_a_result_after_an_edit(flow: Notebook):
    flow.run()
    assert flow("%flow accept other").strip() == "other: there is nothing to accept, it is up to date"
    flow("%%task other\nlen(list(rows))")
    assert "its result is kept as it is, although its code changed" in flow("%flow accept other")
    assert flow.run() == []


def test_what_a_stale_plain_cell_made_cannot_be_accepted(flow: Notebook):
    flow.run()
    flow("half = rows[:1]")
    flow("%%task halves\nsum(half)")
    flow.run()
    flow("%%task load\nrows = [8, 9]\nrows", cell="load")
    flow.refused("%flow run")
    assert "which Cell In[" in flow.refused("%flow accept halves")


def test_verify_names_what_differs(nb: Notebook):
    nb("import random")
    nb("%%task steady\n1")
    nb("%%task drawn\n{'a': random.random()}")
    nb.run()
    said = nb("%flow verify")
    assert "2 run again and compared: 1 not as they were" in said
    assert "✓ as it was" in said
    assert "its result: ['a']: " in said
    assert "all as they were" in nb("%flow verify steady")


def test_verify_leaves_out_what_is_out_of_date(flow: Notebook):
    assert "nothing here is up to date" in flow("%flow verify")
    flow.run()
    flow("%flow param rate 2")
    said = flow("%flow verify")
    assert "2 run again and compared: all as they were" in said
    assert "priced" not in said
    said = flow("%flow verify priced other")
    assert "1 run again and compared" in said
    assert "↻ out of date  it is out of date: verify it after a run" in said


def test_verify_shows_nothing_of_what_the_tasks_show(nb: Notebook):
    nb("%%task loud\nprint('so loud')\ndisplay('so bright')\n1")
    nb.run()
    said = nb("%flow verify")
    assert "so loud" not in said
    assert "so bright" not in said
    assert "so loud" in nb.texts("loud")


def test_impact(flow: Notebook):
    flow.run()
    assert "an edit of load runs 3 of 4 tasks" in flow("%flow impact load")


def test_cache(flow: Notebook, tmp_path):
    assert "0 results in memory" in flow("%flow cache")
    flow.run()
    assert "4 results in memory" in flow("%flow cache info")
    said = flow(f"%flow cache {tmp_path / 'kept'}")
    assert f"4 results on disk in {tmp_path / 'kept'}" in said
    assert "4 results on disk" in flow("%flow cache gc")
    assert flow.run() == []
    assert "0 results on disk" in flow("%flow cache clear")
    assert len(flow.run()) == 4
    assert "results are not kept" in flow("%flow cache off")
    assert len(flow.run()) == 4


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("PASSWORD", ("'hunter2'", "'hunter3'")),
        ("PIN", ("1234", "1235")),
        ("URL", ("'ftp://me:hunter2@h'", "'ftp://me:hunter3@h'")),
    ],
)
def test_a_secret_counts_and_is_never_shown(nb: Notebook, name: str, values: tuple[str, str]):
    nb(f"{name} = {values[0]}")
    nb(f"%%task login\nlen(str({name}))")
    nb.run()
    nb(f"{name} = {values[0]}")
    assert nb.run() == []
    nb(f"{name} = {values[1]}")
    said = nb("%flow why login") + nb("%flow status")
    assert f"variable '{name}' changed" in said
    for value in values:
        assert value not in said
    assert nb.run() == ["login"]
    parts = nb.flow.services.cache.store.latest("login").parts
    assert [part.shown for part in parts if part.name == name] == ["(secret)"]
    assert "hunter" not in repr(parts)
