"""Completion in the shell: commands, options, and a notebook's tasks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from graflow_nb.cli import DONE, main
from graflow_nb.cli.completion import candidates, tasks_in
from graflow_nb.cli.parser import make_parser
from graflow_nb.notebook.document.convert import to_notebook
from graflow_nb.notebook.document.source import RawCell

CELLS = (
    "%%task load\n1",
    "#| task: clean --run\n2",
    "%%task\ndef report(x): ...",
    "@task\ndef model(): ...\n\n@task(cache=False)\nasync def score(): ...",
)


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "n.ipynb").write_text(to_notebook(RawCell("code", cell) for cell in CELLS))
    return "n.ipynb"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["s"], ["show", "suggest"]),
        (["r"], ["run"]),
        (["_"], []),
        (["run", "n.ipynb", ""], ["clean", "load", "model", "report", "score"]),
        (["run", "n.ipynb", "load", "m"], ["model"]),
        (["run", "n.ipynb", "--set", "a=1", "l"], ["load"]),
        (["run", "n.ipynb", "--ht"], ["--html"]),
        (["run", "n.ipynb", "--cache", "m"], ["memory"]),
        (["run", "n.ipynb", "--html", "m"], []),
        (["run", "n.ipynb", "--backend", "d"], ["dask"]),
        (["run", ""], []),
        (["why", "n.ipynb", "cl"], ["clean"]),
        (["cache", ""], ["clear", "gc", "info"]),
        (["completion", "z"], ["zsh"]),
        (["run", "missing.ipynb", ""], []),
    ],
)
def test_what_a_word_may_become(notebook, words, found):
    assert candidates(words, make_parser()) == found


def test_the_tasks_of_a_script(tmp_path):
    path = tmp_path / "s.py"
    path.write_text("with workflow('w'):\n    @task\n    def a(): ...\n\n    @task('b')\n    def b(): ...\n")
    assert tasks_in(path) == ["a", "b"]
    path.write_bytes(b"\xff")
    assert tasks_in(path) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_told_to_ask_the_command(capsys, shell):
    assert main(["completion", shell]) == DONE
    assert "graflow-nb _complete" in capsys.readouterr().out


@pytest.fixture
def command(tmp_path):
    """The folder of a command as it is installed."""
    command = tmp_path / "graflow-nb"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m graflow_nb.cli "$@"\n')
    command.chmod(0o755)
    return tmp_path


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish_completes_the_tasks_of_a_notebook(notebook, command, monkeypatch):
    monkeypatch.setenv("PATH", str(command), prepend=os.pathsep)
    script = f"graflow-nb completion fish | source; complete -C 'graflow-nb run {notebook} mo'"
    done = subprocess.run(["fish", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "model\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_the_tasks_of_a_notebook(notebook, command):
    """As bash does it: the function is called with the words, and fills COMPREPLY."""
    words = f'COMP_WORDS=(graflow-nb run {notebook} mo); COMP_CWORD=3; _graflow_nb; echo "${{COMPREPLY[@]}}"'
    script = f'PATH="{command}:$PATH"; eval "$(graflow-nb completion bash)"; {words}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "model\n"
