"""A notebook's flow in a test: tasks run with their inputs replaced."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from graflow_nb import GraflowError, TaskDefinitionError, TaskError, UnknownTaskError, load_flow, task, workflow
from graflow_nb.notebook.document.convert import to_notebook
from graflow_nb.notebook.document.source import RawCell

CELLS = (
    "%load_ext graflow_nb\n%flow cache disk",
    "from pathlib import Path\nimport helper\nRATE = 2\nprint('a plain cell')",
    "%%task load\nraw = Path('numbers.txt').read_text().split()\nprint('loading')\nlen(raw)",
    "%%task clean\nnumbers = [int(n) for n in raw]",
    "%%task bounds\nlow, high = min(numbers), max(numbers)",
    "%%task\ndef model(clean, bounds):\n    return helper.scaled(high - low, RATE)",
    "%flow param shift 1",
    "%%task shifted\nmodel + shift",
    "%flow run",
    "middle = (low + high) / 2",
    "%%task report\nf'{middle}: {model}'",
    "%%task broken\n1 / 0",
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "numbers.txt").write_text("3 4 9")
    (tmp_path / "helper.py").write_text("def scaled(x, by):\n    return x * by\n")
    write(tmp_path / "prices.ipynb", *CELLS)
    yield tmp_path
    sys.modules.pop("helper", None)


def write(path, *cells):
    path.write_text(to_notebook(RawCell("code", cell) for cell in cells))
    return path


@pytest.fixture
def flow(folder):
    return load_flow(folder / "prices.ipynb")


def test_tasks_run_as_in_the_notebook(flow):
    run = flow.run("model")
    assert flow["model"].result == 12
    assert [*run.records] == ["load", "clean", "bounds", "model"]
    assert flow.value("numbers") == [3, 4, 9]
    assert flow["load"].outputs[0]["text"] == "loading\n"


def test_loading_runs_no_task_and_shows_nothing(folder, capsys):
    flow = load_flow(folder / "prices.ipynb")
    assert flow.tasks[:3] == ["load", "clean", "bounds"]
    flow.run("load")
    assert capsys.readouterr() == ("", "")
    assert repr(flow) == "<flow of prices.ipynb: 8 tasks>"


def test_the_flow_has_the_notebooks_name_and_writes_no_cache(flow, folder):
    flow.run("model")
    assert flow.workflow.name == "prices"
    assert not (folder / ".graflow_nb").exists()


def test_an_overridden_task_is_not_run_and_nothing_before_it_is(flow):
    run = flow.run("model", overrides={"clean": [0, 5]})
    assert flow["model"].result == 10
    assert "load" not in run.records


@pytest.mark.parametrize(
    ("overrides", "result"),
    [
        ({"load": ["1", "2"]}, 2),
        ({"load": {"raw": ["1", "2"]}}, 2),
        ({"raw": ["1", "2"]}, 2),
        ({"numbers": [1, 4]}, 6),
        ({"bounds": {"low": 0, "high": 1}}, 2),
        ({"RATE": 100}, 600),
        ({"RATE": 100, "numbers": [1, 2]}, 100),
    ],
)
def test_tasks_variables_and_names_of_the_notebook_can_be_overridden(flow, overrides, result):
    flow.run("model", overrides=overrides)
    assert flow["model"].result == result


def test_an_override_is_for_one_run(flow):
    flow.run("model", overrides={"raw": ["1", "2"], "RATE": 7})
    flow.run("model")
    assert flow["model"].result == 12
    flow.run("model", overrides={"numbers": [1, 2]})
    assert flow["model"].result == 2


def test_wiring_is_as_before_after_an_override(folder):
    path = write(
        folder / "wired.ipynb",
        "%%task a\n1",
        "%%task b\n2",
        "%%task\ndef c(x):\n    return x + 1",
        "%%task\ndef d(xs):\n    return sum(xs)",
        "a >> c\n(b | c) >> d",
    )
    flow = load_flow(path)
    edges = flow.workflow.graph.edges
    run = flow.run("d", overrides={"c": 40})
    assert flow["d"].result == 42
    assert "a" not in run.records
    assert sorted(flow.workflow.graph.edges) == sorted(edges)
    flow.run("d")
    assert flow["d"].result == 4


def test_plain_cells_between_tasks_run_when_a_task_needs_them(flow):
    flow.run("report")
    assert flow["report"].result == "6.0: 12"
    flow.run("report", overrides={"bounds": {"low": 0, "high": 1}})
    assert flow["report"].result == "0.5: 2"
    flow.run("report")
    assert flow["report"].result == "6.0: 12"


def test_parameters_are_set_or_overridden(flow):
    flow.run("shifted", set={"shift": 10})
    assert flow["shifted"].result == 22
    flow.run("shifted", overrides={"shift": 20})
    assert flow["shifted"].result == 32
    flow.run("shifted")
    assert flow["shifted"].result == 13


def test_a_failed_task_raises_what_it_raised(flow):
    with pytest.raises(TaskError) as raised:
        flow.run("broken")
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert "broken" in flow.run("broken", raise_errors=False).errors


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        ({"cleen": 1}, UnknownTaskError, "nothing named 'cleen' to override. Did you mean 'clean'?"),
        ({"low": 1}, TaskDefinitionError, "'low' is one of 2 variables of task 'bounds'"),
        ({"bounds": 1}, TaskDefinitionError, "overrides={'bounds': {'low': …, 'high': …}}"),
    ],
)
def test_a_wrong_override_is_answered_before_anything_runs(flow, overrides, error, message):
    with pytest.raises(error) as raised:
        flow.run("model", overrides=overrides)
    assert message in str(raised.value)
    assert flow.workflow.last_run is None
    flow.run("model")


def test_an_unknown_value_and_an_unknown_target_are_answered(flow):
    flow.run("model")
    with pytest.raises(UnknownTaskError, match="Did you mean 'numbers'"):
        flow.value("nunbers")
    with pytest.raises(UnknownTaskError, match="Did you mean 'model'"):
        flow.run("modle")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["x = 1"], "there is no flow in it"),
        (["x = 1 / 0", "%%task a\nx"], "cell 1 of bad.ipynb failed: ZeroDivisionError"),
        (["%%task a\nx ="], "cell 1 is no Python, at its line 1"),
        (["with workflow('one') as one:\n    @task\n    def a(): pass",
          "with workflow('two') as two:\n    @task\n    def b(): pass"], "has 2 flows"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_is_named(tmp_path, cells, message):
    with pytest.raises(GraflowError) as raised:
        load_flow(write(tmp_path / "bad.ipynb", *cells))
    assert message in str(raised.value)


def test_one_of_several_flows_is_chosen(tmp_path):
    cells = [f"with workflow('{n}') as {n}:\n    @task\n    def a(): return '{n}'" for n in ("one", "two")]
    flow = load_flow(write(tmp_path / "both.ipynb", *cells), flow="two")
    flow.run("a")
    assert flow["a"].result == "two"


def test_a_script_is_loaded_without_what_runs_it(tmp_path):
    path = tmp_path / "flow.py"
    path.write_text(
        "from graflow_nb import task, workflow\n\nwith workflow('script') as flow:\n\n    @task\n    def one():\n"
        "        return 1\n\nif __name__ == '__main__':\n    raise SystemExit('run')\n"
    )
    loaded = load_flow(path)
    loaded.run("one")
    assert loaded["one"].result == 1


def test_the_process_is_as_it_was(folder):
    before = Path.cwd(), sys.path[:], sys.modules["__main__"], InteractiveShell._instance, sys.stdout
    flow = load_flow(folder / "prices.ipynb")
    flow.run("model")
    assert (Path.cwd(), sys.path, sys.modules["__main__"], InteractiveShell._instance, sys.stdout) == before
    with workflow("mine") as mine:

        @task
        def one():
            return 1

    assert mine.services.around == ()
    assert "_render_traceback_" not in vars(GraflowError)


def test_two_notebooks_do_not_meet(folder):
    one, two = load_flow(folder / "prices.ipynb"), load_flow(folder / "prices.ipynb")
    one.run("model", overrides={"RATE": 0})
    two.run("model")
    assert (one["model"].result, two["model"].result) == (0, 12)


def test_a_notebook_can_load_another(nb, folder):
    nb(f"from graflow_nb import load_flow\nother = load_flow({str(folder / 'prices.ipynb')!r})")
    nb("other.run('model')\ntwelve = other['model'].result")
    nb("%%task mine\ntwelve + 1")
    nb("%flow run")
    assert nb["mine"].result == 13
    assert [*nb.flow.graph.nodes] == ["mine"]
