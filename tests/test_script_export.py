"""A notebook's flow as a script: it runs without Jupyter, and its results are the notebook's."""

from __future__ import annotations

import ast
import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

from graflow_nb import fingerprint, load_flow
from graflow_nb.notebook.document import layout
from graflow_nb.notebook.document.export import exported
from graflow_nb.notebook.document.script import to_script
from graflow_nb.notebook.document.source import Document, DocumentError, RawCell, read_document

TUTORIALS = Path(__file__).parent.parent / "notebooks"


def notebook(*cells, name="flow"):
    return Document(name, tuple(RawCell("code", cell, n) for n, cell in enumerate(cells, 1)))


def script(*cells):
    return to_script(notebook(*cells))


def run(source):
    """Run a script as a module; return its flow's results."""
    names = {"__name__": "exported"}
    exec(compile(source, "exported.py", "exec"), names)
    return names["flow"].run(raise_errors=True)


def results(*cells):
    return dict(run(script(*cells)).results)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the tutorials' folder."""
    shutil.copytree(TUTORIALS / "data", tmp_path / "data")
    for path in TUTORIALS.glob("*.ipynb"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    mpl.use("agg")
    return tmp_path


def everything(run):
    """The results and variables of a run's tasks, by what is in them."""
    return {
        (name, variable): fingerprint(record.produced.get(variable))
        for name, record in run.records.items()
        if record.produced is not None
        for variable in (None, *record.produced.variables)
    }


@pytest.mark.parametrize("name", ["01_quickstart", "02_incremental", "04_composition"])
def test_the_tutorials_as_scripts_have_the_notebooks_results(folder, name):
    path = folder / f"{name}.ipynb"
    (folder / "exported.py").write_text(exported(read_document(path), folder / "exported.py"))
    there = everything(runpy.run_path("exported.py", run_name="exported")["flow"].run(raise_errors=True))
    here = everything(load_flow(path).run())
    assert here.items() <= there.items()
    assert {task for task, _ in there} - {task for task, _ in here} <= {"heaviest"}  # a plain cell between tasks


@pytest.mark.parametrize("name", ["02_incremental", "04_composition"])
def test_the_tutorials_as_scripts_run_without_jupyter(folder, name):
    (folder / "exported.py").write_text(exported(read_document(folder / f"{name}.ipynb"), folder / "exported.py"))
    watch = (
        "import sys, runpy; runpy.run_path('exported.py', run_name='__main__'); print('ipykernel' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(TUTORIALS.parent)}
    done = subprocess.run(
        [sys.executable, "-c", watch], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"<Run of '{name}': " in done.stdout
    assert done.stdout.endswith("False\n")


def test_cells_are_functions_of_what_they_read():
    source = script(
        "%load_ext graflow_nb\nimport math\nK = 2",
        "%%task load\nraw = [1, 4]\nprint('loading')\nlen(raw)",
        "%%task roots\nfound = [K * math.sqrt(n) for n in raw]",
        "%%task\ndef total(roots, load):\n    return sum(found) + load",
        "%flow run",
        "total.result",
    )
    assert source == (
        '"""flow."""\n\nimport math\n\nfrom graflow_nb import Defined, task, workflow\n\nK = 2\n\n\n'
        'with workflow("flow") as flow:\n'
        "    @task(defines=[\"raw\"])\n    def load():\n        raw = [1, 4]\n        print('loading')\n"
        '        return Defined(len(raw), {"raw": raw})\n\n'
        '    @task(defines=["found"])\n    def roots(raw):\n        found = [K * math.sqrt(n) for n in raw]\n'
        '        return Defined(None, {"found": found})\n\n'
        "    @task\n    def total(roots, load, found):\n        return sum(found) + load\n\n\n"
        'if __name__ == "__main__":\n    print(flow.run(raise_errors=True))\n'
    )
    assert run(source).results["total"] == 8.0


def test_operators_options_parameters_and_settings_are_kept():
    source = script(
        "%flow seed 3\n%flow cache off",
        "%flow param size 4 --min 1 --max 9",
        "%%task a --max-age 60 --version 2 --inputs x.csv\nsize",
        "%%task b --cache off\n2",
        "%%task\ndef c(xs):\n    return sum(xs)",
        "(a | b) >> c",
    )
    assert 'with workflow("flow", cache="off", seed=3) as flow:' in source
    assert 'flow.param("size", 4, min=1, max=9)' in source
    assert '@task(max_age=60.0, version="2", inputs=["x.csv"])' in source
    assert "@task(cache=False)" in source
    assert "    (a | b) >> c\n" in source
    assert run(source).results["c"] == 6


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["%%task a\na = 1\nb = 2", "%%task c\na + b"], {"a": 1, "c": 3}),
        (["%%task a\nif True:\n    x = 1\n    y = 2", "%%task b\nx + y"], {"a": None, "b": 3}),
        (["%%task a\nt = '''one\n  two'''\nt", "%%task b\nt"], {"a": "one\n  two", "b": "one\n  two"}),
        (["%%task a\nimport asyncio\nawait asyncio.sleep(0)\n7"], {"a": 7}),
        (["@task\ndef a():\n    return 1", "@task\ndef b(a, k=2):\n    return a + k"], {"a": 1, "b": 3}),
        (["%%task a\nx = 1", "@task\ndef b(k=2):\n    return x + k"], {"a": None, "b": 3}),
        (["%%task a\nx = 1", "@task\ndef b(*rest): return x"], {"a": None, "b": 1}),
        (["%%task a\nx = 1; y = 2\nx", "%%task b\nx + y"], {"a": 1, "b": 3}),
        (["%%task a\nx = [1]", "m = max(x)", "%%task b\nm + 1"], {"a": None, "m": 1, "b": 2}),
        (["%%task a\n5", "five = a.result", "%%task b\nfive + 1"], {"a": 5, "five": 5, "b": 6}),
        (["def f():\n    return 1", "def f():\n    return 2", "%%task a\nf()"], {"a": 2}),
        (["%%task a\n1", "%%task a\n2"], {"a": 2}),
        (["rows = []", "rows.append(3)", "print(rows)", "%%task a\nlen(rows)"], {"a": 1}),
        (["%%task a\nclass Point:\n    x = 1\nPoint().x"], {"a": 1}),
        (["%%task a\nfor i in range(3):\n    s = i\ns", "%%task b\ns"], {"a": 2, "b": 2}),
    ],
)
def test_the_script_gives_what_the_notebook_gives(cells, expected):
    assert results(*cells) == expected


def test_only_what_the_flow_needs_is_in_the_script():
    source = script(
        "import os\nUSED = 1\nUNUSED = 2",
        "ALSO_UNUSED = 3",
        "print('a look at it')",
        "%%task a\nUSED",
        "%flow run",
        "print(a.result)",
    )
    assert "ALSO_UNUSED" not in source
    assert "print('a look" not in source
    assert "a.result" not in source


def test_headings_above_the_cells_are_comments():
    cells = (RawCell("markdown", "# Prices\n\nSome words."), RawCell("code", "%%task a\n1", 1))
    assert "    # Prices\n    @task\n    def a():" in to_script(Document("flow", cells))


def test_what_draws_stays_on_the_main_thread():
    source = script("import matplotlib.pyplot as plt", "%%task a\n_ = plt.figure()\n1")
    assert "@task(main_thread=True)" in source


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["x = 1"], "there is no flow in it"),
        (["%%task a\n!ls\n1"], "cell 1 has '!ls', which means nothing in a script"),
        (["%%task a\nx = 1", "def f():\n    return x", "%%task b\nf()"], "cell 2 defines a function that reads 'x'"),
        (["%%task a\nx = []", "x.append(1)\ny = x", "%%task b\ny"], "cell 2 changes 'x' in place"),
        (["%%task a\nglobals()['x']"], "cell 1 uses globals()"),
        (["%%task a\ndef f():\n    global n\n    n = 1\nf()"], "assigns a global"),
        (["%%task a\n1", "%flow remove a"], "cell 2 removes tasks"),
        (["%%task a\nx = = 1"], "cell 1 is no Python, at its line 1"),
        (["%%task a --no-such\n1"], "cell 1: %%task: unknown option --no-such"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_script_is_named(cells, message):
    with pytest.raises(DocumentError) as raised:
        script(*cells)
    assert message in str(raised.value)


def test_a_workflow_that_a_cell_opens_is_kept_as_it_is():
    source = script(
        "from graflow_nb import task, workflow",
        "with workflow('etl') as etl:\n    @task\n    def one():\n        return 1\n\netl",
    )
    assert "with workflow('etl') as etl:\n    @task" in source
    assert "print(etl.run(raise_errors=True))" in source
    ast.parse(source)


def test_imports_are_sorted_and_each_is_there_once():
    source = script(
        "import sys\nfrom collections import Counter\nimport json",
        "from collections import OrderedDict\nimport json, abc\nfrom numpy import array",
        "%%task a\nimport zlib\njson, sys, Counter, OrderedDict, array, abc",
        "%%task b\nzlib.crc32(b'')",
    )
    assert source.split('"""\n\n')[1].split("\n\n\n")[0] == (
        "import abc\nimport json\nimport sys\nimport zlib\nfrom collections import Counter, OrderedDict\n\n"
        "from graflow_nb import task, workflow\nfrom numpy import array"
    )


def test_a_formatter_that_is_installed_is_used_and_a_broken_one_is_not(tmp_path, monkeypatch):
    bad = tmp_path / "ruff"
    bad.write_text("#!/bin/sh\nexit 1\n")
    bad.chmod(0o755)
    good = tmp_path / "black"
    good.write_text("#!/bin/sh\necho '# formatted'\ncat\n")
    good.chmod(0o755)
    monkeypatch.setattr(layout.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert layout.formatted("x=1\n", tmp_path / "x.py") == "# formatted\nx=1\n"
    good.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert layout.formatted("x=1\n", tmp_path / "x.py") == "x=1\n"


def test_json_is_no_part_of_a_script(tmp_path):
    path = tmp_path / "odd.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}))
    with pytest.raises(DocumentError, match="there is no flow in it"):
        to_script(read_document(path))


def test_conditions_retries_and_resources_are_kept():
    source = script(
        "%%task n --retries 2 --retry-delay 0 --timeout 9 --resources db=1 --priority 3\n5",
        '%%task big --when "n > 9"\nn',
        "def helper():\n    n = 1\n    return n",
        "@task\ndef last(big=None):\n    return (big, helper())",
        "n >> big >> last",
    )
    assert "@task(resources={'db': 1}, timeout=9.0, retries=2, retry_delay=0.0, priority=3)" in source
    assert "@task(when=lambda n: n > 9)" in source
    assert "\n\n\ndef helper():" in source
