"""`graflow-nb run`, `show`, `why` and `export` with a kernel: what is run, what is said, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from graflow_nb import load_flow
from graflow_nb.cli import DONE, FAILED, INTERRUPTED, USAGE, main
from graflow_nb.cli.program import _left_out
from graflow_nb.notebook.document.convert import to_notebook
from graflow_nb.notebook.document.source import RawCell

COMMAND = (sys.executable, "-m", "graflow_nb.cli")
ROOT = Path(__file__).parent.parent

FLOW = (
    "%load_ext graflow_nb\nfrom pathlib import Path",
    "FACTOR = 2",
    "raise SystemError('only looked at')",
    "%flow param shift 1 --min 0 --max 9",
    "%%task load\nprint('loading')\nnumbers = [1, 2, 3]",
    "%%task total\nFACTOR * sum(numbers) + shift",
    "%flow run",
    "Path('plain.txt').write_text('a plain cell that nobody needs')",
    "half = total.result / 2",
    "%%task report\nprint('half is', half)\nhalf",
)
BROKEN = (
    "%%task good\n1",
    "%%task bad\nprint('before')\ngood / 0",
    "%%task after\nbad",
    "%%task beside\n3",
)


def graflow_nb(*words, cwd=None, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        capture_output=True, text=True, encoding="utf-8", check=False, cwd=cwd, env=environment, **options,
    )  # fmt: skip


def write(path, *cells):
    path.write_text(to_notebook(RawCell("code", cell) for cell in cells))
    return path


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder with a notebook whose flow was run, and what was said."""
    folder = tmp_path_factory.mktemp("ran")
    path = write(folder / "numbers.ipynb", *FLOW)
    files = ["--html", "r.html", "--junit", "r.xml", "--cache", "disk"]
    return folder, graflow_nb("run", path.name, *files, "--json", cwd=folder)


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken")
    path = write(folder / "broken.ipynb", *BROKEN)
    return folder, graflow_nb("run", path, "--json", "--html", folder / "r.html", "--junit", folder / "r.xml")


def test_only_the_flow_and_what_it_needs_is_run(ran):
    folder, done = ran
    assert done.returncode == DONE, done.stderr
    assert not (folder / "plain.txt").exists()
    facts = json.loads(done.stdout)
    assert facts["ok"] is True
    assert facts["flow"] == "numbers"
    assert {task["name"]: task["status"] for task in facts["tasks"]} == {
        "shift": "cached",
        "load": "cached",
        "total": "cached",
        "report": "succeeded",
    }
    assert facts["tasks"][-1]["stdout"] == "half is 6.5\n"
    assert facts["error"] is None


def test_progress_goes_to_stderr_beside_json(ran):
    _, done = ran
    assert "✓ load" in done.stderr
    assert "report: r.html" in done.stderr


def test_the_reports_are_written(ran):
    folder, _ = ran
    page = (folder / "r.html").read_text("utf-8")
    assert "<title>numbers</title>" in page
    assert "half is 6.5" in page
    assert "<script" not in page
    suite = ET.parse(folder / "r.xml").getroot()[0]
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("numbers", "4", "0")
    assert [case.get("name") for case in suite] == ["shift", "load", "total", "report"]


def test_the_cache_is_where_it_was_said_and_is_used_by_the_next_run(ran):
    folder, _ = ran
    assert (folder / ".graflow_nb").is_dir()
    done = graflow_nb("run", "numbers.ipynb", "total", "--cache", "disk", cwd=folder)
    assert done.returncode == DONE
    assert "≡ total" in done.stdout
    assert "report" not in done.stdout.replace("numbers · 3 tasks", "")


def test_targets_and_values_of_parameters(ran):
    folder, _ = ran
    done = graflow_nb("run", "numbers.ipynb", "--set", "shift=4", "--cache", "off", "total", "--json", cwd=folder)
    assert done.returncode == DONE, done.stderr
    facts = json.loads(done.stdout)
    assert [task["name"] for task in facts["tasks"]] == ["shift", "load", "total"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "numbers.ipynb", "totl"], "has no task 'totl'. Did you mean 'total'?"),
        (["run", "numbers.ipynb", "--set", "shift=10"], "parameter 'shift' cannot be 10: it is at most 9"),
        (["why", "numbers.ipynb", "totl", "--flow", "other"], "there is no flow 'other'"),
    ],
)
def test_what_the_flow_does_not_have_is_wrong_usage(ran, words, message):
    done = graflow_nb(*words, cwd=ran[0])
    assert done.returncode == USAGE
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "numbers.ipynb", "--set", "shift"], "--set takes NAME=VALUE, not 'shift'"),
        (["run", "numbers.ipynb", "--set", "shift=[1,"], "--set shift: [1, is no value of Python's"),
        (["run", "numbers.ipynb", "--workers", "0"], "invalid number of workers"),
        (["run", "numbers.ipynb", "--output", "x.ipynb"], "it needs --all"),
        (["run", "numbers.ipynb", "--all", "--cache", "disk"], "--cache goes without --all"),
        (["run", "numbers.ipynb", "--html", "numbers.ipynb/x.html"], "cannot be written: "),
        (["run", "numbers.ipynb", "--html", "."], "is a folder"),
        (["run", "number.ipynb"], "there is no file number.ipynb. Did you mean 'numbers.ipynb'?"),
        (["run", "plain.ipynb"], "there is no flow in it"),
        (["run", "new.ipynb"], "new.ipynb is a notebook of format 5"),
        (["run", "bad.ipynb"], "it is not JSON"),
        (["export", "numbers.ipynb", "x.doc"], "a flow cannot be written as 'x.doc'"),
        (["export", "numbers.ipynb", "numbers.ipynb"], "--force overwrites it"),
        (["export", "plain.ipynb", "x.py"], "there is no flow in it"),
    ],
)
def test_wrong_usage_is_answered_before_anything_runs(tmp_path, monkeypatch, capsys, words, message):
    write(tmp_path / "numbers.ipynb", *FLOW)
    write(tmp_path / "plain.ipynb", "x = 1")
    (tmp_path / "new.ipynb").write_text('{"nbformat": 5, "cells": []}')
    (tmp_path / "bad.ipynb").write_text("no JSON")
    before = {path.name for path in tmp_path.iterdir()}
    monkeypatch.chdir(tmp_path)
    try:
        code = main(words)
    except SystemExit as ended:  # argparse's own way
        code = ended.code
    said = capsys.readouterr()
    assert code == USAGE
    assert message in said.err
    assert said.out == ""
    assert {path.name for path in tmp_path.iterdir()} == before


def test_a_failed_task_ends_with_1_and_is_in_every_report(broken):
    folder, done = broken
    assert done.returncode == FAILED
    facts = json.loads(done.stdout)
    assert facts["ok"] is False
    statuses = {task["name"]: task["status"] for task in facts["tasks"]}
    assert statuses == {"good": "succeeded", "bad": "failed", "after": "skipped", "beside": "succeeded"}
    error = facts["tasks"][1]["error"]
    assert error["message"] == "ZeroDivisionError: division by zero"
    assert "\x1b" not in error["traceback"] and "good / 0" in error["traceback"]
    assert "ZeroDivisionError" in (folder / "r.html").read_text("utf-8")
    suite = ET.parse(folder / "r.xml").getroot()[0]
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("1", "0", "1")
    assert "good / 0" in suite.find("testcase/failure").text
    assert suite.find("testcase/system-out").text == "before\n"


def test_a_failed_task_says_where_in_a_log(broken):
    _, done = broken
    assert "✗ bad" in done.stderr
    assert "the run failed" in done.stderr
    assert "%flow debug" not in done.stderr


def test_a_cell_that_fails_before_the_flow_ends_with_1(tmp_path):
    path = write(tmp_path / "n.ipynb", "x = {}", "y = x['key']", "%%task a\ny")
    done = graflow_nb("run", path, "--junit", tmp_path / "r.xml")
    assert done.returncode == FAILED
    assert "cell 2 failed" in done.stdout
    assert "KeyError: 'key'" in done.stdout
    assert ET.parse(tmp_path / "r.xml").getroot()[0].get("errors") == "1"


def test_a_kernel_that_dies_ends_with_1(tmp_path):
    path = write(tmp_path / "n.ipynb", "%%task a\nimport os\nos._exit(3)")
    done = graflow_nb("run", path, "--junit", tmp_path / "r.xml", "--html", tmp_path / "r.html")
    assert done.returncode == FAILED
    assert "Kernel died" in done.stdout
    assert not (tmp_path / "r.html").exists()
    assert ET.parse(tmp_path / "r.xml").getroot()[0].get("errors") == "1"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk to write to")
def test_a_full_disk_ends_with_1_and_says_so(tmp_path):
    done = graflow_nb("run", write(tmp_path / "n.ipynb", "%%task a\n1"), "--html", "/dev/full")
    assert done.returncode == FAILED
    assert "/dev/full cannot be written: No space left on device" in done.stderr


SCRIPT = """\
from graflow_nb import task, workflow

with workflow("squares") as flow:

    @task
    def numbers():
        return [1, 2]

    @task
    def squares(numbers):
        print("squaring")
        return [n * n for n in numbers]


if __name__ == "__main__":
    raise SystemExit("not to be run")
"""


def test_a_script_runs_as_a_notebook_does(tmp_path):
    path = tmp_path / "squares.py"
    path.write_text(SCRIPT)
    done = graflow_nb("run", path, "squares", "--json")
    assert done.returncode == DONE, done.stderr
    facts = json.loads(done.stdout)
    assert facts["flow"] == "squares"
    assert facts["tasks"][1]["stdout"] == "squaring\n"


def test_a_backend_is_chosen(tmp_path):
    book = write(
        tmp_path / "book.ipynb", "%load_ext graflow_nb", "%%task here\nimport os\nprint('pid', os.getppid())"
    )
    done = graflow_nb("run", book, "--backend", "processes", "--json")
    (there,) = json.loads(done.stdout)["tasks"]
    done = graflow_nb("run", book, "--json", "--force")
    (here,) = json.loads(done.stdout)["tasks"]
    assert there["status"] == here["status"] == "succeeded"
    assert int(there["stdout"].split()[1]) != int(here["stdout"].split()[1])
    wrong = graflow_nb("run", book, "--backend", "proceses")
    assert (wrong.returncode, "Did you mean 'processes'?" in wrong.stdout + wrong.stderr) == (USAGE, True), wrong


def test_a_backend_that_is_not_there_is_said_in_a_line(tmp_path):
    pytest.importorskip("rq")
    book = write(tmp_path / "book.ipynb", "%load_ext graflow_nb", "%%task here\n1")
    done = graflow_nb("run", book, "--backend", "unix://" + str(tmp_path / "no.sock"))
    assert done.returncode == FAILED
    last = (done.stdout + done.stderr).strip().splitlines()[-1]
    assert last.startswith("UsageError: no Redis answers at unix://"), done
    assert "Traceback" not in done.stdout + done.stderr


def test_several_flows_have_to_be_told_apart(tmp_path):
    path = tmp_path / "two.py"
    one = SCRIPT.partition("if __name__")[0]
    path.write_text(one + one.replace('"squares"', '"again"').replace("as flow", "as again"))
    assert "there are several flows, squares, again: say which with --flow" in graflow_nb("run", path).stderr
    done = graflow_nb("run", path, "--flow", "again")
    assert done.returncode == DONE
    assert "again · 2 tasks: 2 succeeded" in done.stdout


def test_show_and_why_run_nothing(ran):
    folder, _ = ran
    write(folder / "kept.ipynb", "%load_ext graflow_nb\n%flow cache disk", "FACTOR = 7", *FLOW[3:6])
    shown = graflow_nb("show", "kept.ipynb", cwd=folder)
    assert shown.returncode == DONE, shown.stderr
    assert shown.stdout.startswith("kept: 1 of 3 tasks out of date\n\ntask   state          after        why\n")
    assert "total  · not run yet  load, shift  variable 'FACTOR' changed: 2 → 7" in shown.stdout
    assert graflow_nb("run", "kept.ipynb", cwd=folder).returncode == DONE
    assert "kept: 0 of 3 tasks out of date" in graflow_nb("show", "kept.ipynb", cwd=folder).stdout
    why = graflow_nb("why", "kept.ipynb", "total", cwd=folder)
    assert why.returncode == DONE
    assert why.stdout.startswith("total\n  now: ✓ up to date it is reused")
    task = graflow_nb("show", "kept.ipynb", "load", cwd=folder).stdout
    assert task == "load\n  before   total\n  defines  numbers\n\n  print('loading')\n  numbers = [1, 2, 3]\n"


def test_a_flow_is_exported_as_a_script_and_a_notebook(ran, capsys, monkeypatch):
    folder, _ = ran
    monkeypatch.chdir(folder)
    for old, new in (("numbers.ipynb", "out.py"), ("numbers.ipynb", "out.ipynb"), ("out.py", "again.ipynb")):
        assert main(["export", old, new]) == DONE
        assert capsys.readouterr().out == f"wrote {new}\n"
        flow = load_flow(folder / new)
        flow.run("report")
        assert flow["report"].result == 6.5
    assert main(["export", "numbers.ipynb", "out.py"]) == USAGE
    assert "--force overwrites it" in capsys.readouterr().err


def test_a_picture_of_a_flow_is_exported(ran):
    folder, _ = ran
    done = graflow_nb("export", "numbers.ipynb", "p.svg", cwd=folder)
    assert (done.returncode, done.stdout) == (DONE, "wrote p.svg\n")
    assert (folder / "p.svg").read_text("utf-8").startswith("<svg")


ENDLESS = (
    "%%task first\nimport os\nfrom pathlib import Path\nPath('pid.txt').write_text(str(os.getpid()))",
    "%%task endless\nfirst\nwhile True: pass",
)


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_an_end_by_a_signal_leaves_no_kernel_and_no_half_file(tmp_path, sent, code):
    path = write(tmp_path / "endless.ipynb", *ENDLESS)
    command = [*COMMAND, "run", str(path), "--html", str(tmp_path / "r.html")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, encoding="utf-8", env=environment
    ) as process:
        assert "✓ first" in process.stdout.readline()
        process.send_signal(sent)
        assert process.wait(timeout=60) == code
    pid = int((tmp_path / "pid.txt").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert {file.name for file in tmp_path.iterdir()} == {"endless.ipynb", "pid.txt"}


def test_a_slow_import_is_left_out_only_while_others_are_imported():
    with _left_out("no_such_grammar"), pytest.raises(ImportError):
        import no_such_grammar  # noqa: F401
    assert "no_such_grammar" not in sys.modules
    with _left_out("json"):
        assert sys.modules["json"] is json
    assert sys.modules["json"] is json
