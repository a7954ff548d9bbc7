"""Ordinary notebooks become flows: the new notebook runs, and ends with the values of the old one."""

from __future__ import annotations

import json
import types

import pytest
from messy import NOTEBOOKS, SHOP, TEXT
from shells import new_notebook, new_shell

from graflow_nb import fingerprint
from graflow_nb.cli import DONE, USAGE, main
from graflow_nb.notebook.adopt.suggest import propose
from graflow_nb.notebook.adopt.text import proposal_text
from graflow_nb.notebook.document.convert import to_notebook
from graflow_nb.notebook.document.source import Document, RawCell, read_document
from graflow_nb.notebook.names import cell_names


def document(cells, name="messy", seconds=()):
    found, number = [], 0
    for cell in cells:
        is_text = cell.startswith(TEXT)
        number += not is_text
        took = dict(enumerate(seconds, 1)).get(number)
        found.append(
            RawCell("markdown", cell.removeprefix(TEXT))
            if is_text
            else RawCell("code", cell, number, seconds=took)
        )
    return Document(name, tuple(found))


def suggestion(*cells, seconds=()):
    return propose(document(cells, seconds=seconds))


def names(*cells):
    return [task.name for task in suggestion(*cells).tasks]


def values(namespace, cells):
    """The data that the cells assigned: without modules and functions."""
    code = [cell.replace("%precision", "#") for cell in cells if not cell.startswith((TEXT, "!"))]
    assigned = {name for cell in code for name in cell_names(cell).assigns}
    there = {name: namespace[name] for name in sorted(assigned) if name in namespace}
    return {n: v for n, v in there.items() if not isinstance(v, types.FunctionType | types.ModuleType)}


def same(one, other):
    """Whether two values are the same; what has no content to compare, by what it says of itself."""
    if type(one).__module__.startswith("matplotlib"):
        return type(one) is type(other)
    if type(one).__name__ in {"LinearRegression", "Basket"}:
        return str(vars(one)) == str(vars(other))
    return fingerprint(one) == fingerprint(other)


def run_plainly(cells):
    with new_shell() as shell:
        for cell in cells:
            if not cell.startswith(TEXT):
                shell.run_cell(cell, store_history=True).raise_error()
        return values(dict(shell.user_ns), cells)


def run_new(proposal, cells):
    with new_notebook() as notebook:
        for cell in proposal.cells:
            if cell.kind == "code":
                notebook(cell.source)
        assert set(notebook.statuses.values()) == {"succeeded"}
        notes = [note for note in notebook.last_run.notes if "changed" in note]
        return values(dict(notebook.ns), cells), notes


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.csv").write_text(SHOP)
    return tmp_path


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_new_notebook_ends_with_the_same_values(name, shop):
    cells = NOTEBOOKS[name]
    before = run_plainly(cells)
    proposal = propose(document(cells))
    after, changed_in_place = run_new(proposal, cells)
    assert before.keys() == after.keys()
    assert [n for n in before if not same(before[n], after[n])] == []
    assert changed_in_place == []


def test_cells_become_tasks_and_definitions_stay_above_them():
    proposal = suggestion(*NOTEBOOKS["exploring a table"])
    assert [cell.source.split("\n")[0] for cell in proposal.cells if cell.kind == "code"] == [
        "%load_ext graflow_nb",
        "import pandas as pd",
        "%%task load_df",
        "%%task show_df",
        "%%task show_df_2",
        "%%task clean_df",
        "%%task summarise_by_item",
        "%%task plot_by_item",
        "%%task make_best",
        "%flow run",
    ]
    assert [cell.source for cell in proposal.cells if cell.kind == "markdown"] == ["# Sales of a shop", "## Clean"]


def test_a_name_that_is_bound_again_has_a_number_until_its_last_value():
    proposal = suggestion("df = list('ab')", "df = sorted(df)", "print(df)")
    assert [task.source for task in proposal.tasks] == ["df_1 = list('ab')", "df = sorted(df_1)", "print(df)"]
    assert proposal.held_back == [
        "cells 1 and 2 each bind 'df': renamed, df_1 in cell 1 (or make those cells one)"
    ]


def test_a_name_that_only_its_own_cell_reads_becomes_private():
    proposal = suggestion("x = 2 + 1\ny = x + 1", "x = 3 + 1\nz = x + y")
    assert [task.source for task in proposal.tasks] == ["_x = 2 + 1\ny = _x + 1", "x = 3 + 1\nz = x + y"]


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (["a = [1 + 1]", "a.append(2)"], "cell 2 changes 'a', which cell 1 makes"),
        (
            ["a = [1 + 1]", "b = len(a)", "a += [2]"],
            "they bind 'a'; where it is bound depends on how the cell goes",
        ),
        (["a = 1 + 1", "if a:\n    a = 3"], "they bind 'a'; where it is bound depends on how the cell goes"),
        (["for i in range(3):\n    print(i)", "print(i + 1)"], "'i' is read by other cells than its own"),
        (
            ["import random\nrandom.seed(1)", "a = random.random()", "b = random.random()"],
            "they use one state of random numbers, in this order",
        ),
    ],
)
def test_cells_that_belong_together_are_one_task_and_it_is_said_why(cells, why):
    proposal = suggestion(*cells)
    assert len(proposal.tasks) == 1
    assert any(line.endswith(f"are one task: {why}") for line in proposal.held_back)


def test_fitting_a_model_leaves_its_data_alone():
    assert names(
        "from sklearn.linear_model import LinearRegression",
        "X = [[1.0 + 1]]",
        "model = LinearRegression()",
        "model.fit(X, [1])",
    ) == ["make_X", "train_model"]


def test_the_new_names_are_nobody_elses():
    found = names("load_a = open('f.txt').read()", "a = load_a + 'x'", "b = len(a) + 1", "b", "b")
    assert len(set(found)) == len(found) == 5
    assert not {"load_a", "a", "b"} & set(found)


def test_what_was_slow_is_said():
    text = proposal_text(suggestion("a = sum([1])", "b = a + 1", seconds=(12.0, 0.01)))
    assert "make_a (cell 1, 12.0 s)" in text
    assert text.split("Slow, so most is saved where these are reused:\n")[1].startswith("  make_a: 12.0 s\n\n")


def test_the_times_of_a_saved_notebook_are_read(tmp_path):
    path = tmp_path / "timed.ipynb"
    content = json.loads(to_notebook([RawCell("code", "a = sum([1])")]))
    times = {"iopub.execute_input": "2024-01-01T10:00:00.5Z", "shell.execute_reply": "2024-01-01T10:00:03Z"}
    content["cells"][0]["metadata"]["execution"] = times
    path.write_text(json.dumps(content))
    assert propose(read_document(path)).tasks[0].seconds == 2.5


def test_the_text_has_the_picture_and_the_cells_to_paste():
    text = proposal_text(suggestion("a = sum([1])", "b = a + 1"))
    assert "  · make_b  not run  ← make_a" in text
    assert text.endswith("%%task make_a\na = sum([1])\n\n%%task make_b\nb = a + 1")


def write(path, *cells):
    path.write_text(to_notebook(document(cells).cells))
    return path


def test_the_command_prints_a_proposal_and_writes_nothing(tmp_path, capsys):
    path = write(tmp_path / "old.ipynb", "a = sum([1])", "b = a + 1")
    before = path.read_bytes()
    assert main(["suggest", str(path)]) == DONE
    assert "2 tasks, made of 2 of the 2 code cells" in capsys.readouterr().out
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_command_writes_a_new_notebook_and_no_file_twice(tmp_path, capsys):
    old = write(tmp_path / "old.ipynb", "a = sum([1])", "b = a + 1")
    new = tmp_path / "new.ipynb"
    assert main(["suggest", str(old), "-o", str(new)]) == DONE
    assert [cell.source for cell in read_document(new).code][1:] == [
        "%%task make_a\na = sum([1])",
        "%%task make_b\nb = a + 1",
        "%flow run",
    ]
    assert main(["suggest", str(old), "-o", str(new)]) == USAGE
    assert "--force overwrites it" in capsys.readouterr().err
    assert main(["suggest", str(old), "-o", str(new), "--force"]) == DONE
    assert main(["suggest", str(old), "-o", str(old), "--force"]) == USAGE
    assert "the old notebook, which stays as it is" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["import os"], "nothing in old that would make a task"),
        (["%%task a\n1"], "cell 1 makes a task already"),
    ],
)
def test_where_there_is_nothing_to_propose_that_is_said(tmp_path, capsys, cells, message):
    assert main(["suggest", str(write(tmp_path / "old.ipynb", *cells))]) == USAGE
    assert message in capsys.readouterr().err


def test_a_notebook_proposes_the_cells_that_ran_with_their_times(nb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nb("import time")
    nb("a = sum([1])", cell="a")
    nb("a = sum([2])", cell="a")
    nb.refused("c = a / 0")
    nb("b = a + 1")
    said = nb("%flow suggest")
    assert "%%task make_a\na = sum([2])" in said
    assert "a / 0" not in said
    assert "make_a (cell 2, " in said
    nb("%flow suggest -o new.ipynb")
    assert (tmp_path / "new.ipynb").exists()
    assert "--force overwrites it" in nb.refused("%flow suggest -o new.ipynb")
