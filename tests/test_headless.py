"""`graflow-nb run`: what a terminal, a log and a CI job get to see."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import nbformat
import pytest

GOOD = (
    "%load_ext graflow_nb",
    "%%task load\nprint('loading')\n21",
    "%%task double\nimport time\ntime.sleep(0.6)\n2 * load",
    "%flow run",
    "double.result",
)
BAD = (
    "%load_ext graflow_nb",
    "%%task load\nprint('loading')\n21",
    "%%task double\nunknown * load",
    "%%task last\ndouble",
    "%flow run",
    "print('not reached')",
)
ENDLESS = (
    "%load_ext graflow_nb",
    "%%task first\n1",
    "%%task endless\nfirst\nwhile True: pass",
    "%flow run",
)
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
COMMAND = (sys.executable, "-m", "graflow_nb.cli")


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    def write(name, cells):
        path = tmp_path_factory.mktemp("headless") / f"{name}.ipynb"
        cells = [nbformat.v4.new_code_cell(source) for source in cells]
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), path)
        return path

    return write


def run(*arguments):
    """Run the command as from a notebook's cell, where colours are asked for although there is no terminal."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "FORCE_COLOR": "1"},
    )


@pytest.fixture(scope="module")
def good(write):
    path = write("numbers", GOOD)
    files = ["--html", path.with_suffix(".html"), "--output", path.parent / "new" / "ran.ipynb"]
    done = run("run", path, "--all", *files)
    return path, done


@pytest.fixture(scope="module")
def bad(write):
    path = write("broken", BAD)
    files = ["--html", path.with_suffix(".html"), "--output", path.with_name("ran.ipynb")]
    done = run("run", path, "--all", *files)
    return path, done


def test_a_log_gets_a_line_for_each_task_and_what_it_came_to(good):
    _, done = good
    assert done.returncode == 0, done.stderr
    load, double, summary = done.stdout.splitlines()[:3]
    assert re.fullmatch(r"  ✓ load +succeeded +\S+ m?s", load)
    assert re.fullmatch(r"  ✓ double +succeeded +\S+ m?s  ← load", double)
    assert re.fullmatch(r"numbers · 2 tasks: 2 succeeded in \S+ m?s", summary)
    assert "\x1b" not in done.stdout


def test_the_report_and_the_notebook_are_written(good):
    path, done = good
    assert f"report: {path.with_suffix('.html')}" in done.stdout
    report = path.with_suffix(".html").read_text("utf-8")
    assert "<title>numbers</title>" in report
    assert "loading" in report
    ran = nbformat.read(path.parent / "new" / "ran.ipynb", as_version=4)
    assert [cell.source for cell in ran.cells] == list(GOOD)
    assert ran.cells[-1].outputs[0].data["text/plain"] == "42"


def test_nothing_is_left_beside_the_notebook(good):
    path, _ = good
    assert {file.name for file in path.parent.iterdir()} == {"numbers.ipynb", "numbers.html", "new"}
    assert nbformat.read(path, as_version=4).cells[-1].outputs == []


def test_a_failed_task_fails_the_command_and_says_where(bad):
    _, done = bad
    assert done.returncode == 1
    assert "✗ double" in done.stdout
    assert "1 succeeded, 1 failed, 1 skipped" in done.stdout
    assert re.search(r"Cell In\[3\], line 2", done.stdout)
    assert "NameError: name 'unknown' is not defined" in done.stdout
    assert "cell 5 of 6 failed" in done.stdout


def test_report_and_notebook_are_written_although_a_task_failed(bad):
    path, _ = bad
    report = path.with_suffix(".html").read_text("utf-8")
    assert "NameError" in report
    assert "✗ failed" in report
    ran = nbformat.read(path.with_name("ran.ipynb"), as_version=4)
    assert ran.cells[-1].outputs == []


def test_without_a_flow_there_is_no_report(write):
    path = write("plain", ["1 + 1"])
    done = run("run", path, "--all", "--html", path.with_suffix(".html"))
    assert done.returncode == 0, done.stderr
    assert "no report" in done.stdout
    assert not path.with_suffix(".html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "COMMAND"),
        (("rum",), "rum"),
        (("run",), "NOTEBOOK"),
        (("run", "missing.ipynb"), "there is no file missing.ipynb"),
        (("run", __file__), "there is no flow in it"),
        (("run", "README.md"), "neither a notebook"),
        (("run", "missing.ipynb", "--htm", "x"), "--htm"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_reason(arguments, message):
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_terminal_shows_progress_while_it_runs(write):
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    command = [*COMMAND, "run", str(write("numbers", GOOD))]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # the terminal's other end was closed
            pass
        os.close(ours)
        assert process.wait(timeout=60) == 0, shown.decode()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "cell 3" in text
    assert re.search(r"▶ double +running", text)
    assert re.search(r"✓ double +succeeded", text)
    assert "\x1b[32m" in shown.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_ctrl_c_ends_it_with_130(write):
    command = [*COMMAND, "run", str(write("endless", ENDLESS))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert "✓ first" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
