"""`graflow-nb cache`: what is kept in a folder, from the command line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from graflow_nb import task, workflow
from graflow_nb.cli import DONE, USAGE, main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project with two tasks' results kept in it."""
    monkeypatch.chdir(tmp_path)
    with workflow("kept", cache="disk") as flow:

        @task
        def one():
            return 1

        @task
        def two(one):
            return 2 * one

    flow.run()
    flow.services.cache.close()
    return tmp_path


def test_info_counts_what_each_task_has(folder, capsys):
    assert main(["cache", "info"]) == DONE
    said = capsys.readouterr().out
    assert said.startswith("2 results in .graflow_nb: ")
    assert "  one: 1 result\n  two: 1 result\n" in said


@pytest.mark.parametrize("given", ["", ".graflow_nb"])
def test_the_folder_or_the_one_round_it(folder, capsys, given, monkeypatch):
    monkeypatch.chdir("/")
    assert main(["cache", "info", str(folder / given)]) == DONE
    assert "2 results" in capsys.readouterr().out


def test_clear_lets_go_of_results_and_of_nothing_else(folder, capsys):
    other = folder / ".graflow_nb" / "notes.txt"
    other.write_text("mine")
    assert main(["cache", "clear", "."]) == DONE
    assert "let go of 2 results" in capsys.readouterr().out
    assert main(["cache", "info"]) == DONE
    assert capsys.readouterr().out.startswith("0 results")
    assert other.read_text() == "mine"


def test_gc_removes_what_is_left_over(folder, capsys):
    assert main(["cache", "gc"]) == DONE
    assert "removed 0 results and 0 left-over files; 2 results stay" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["info", "clear", "gc"])
def test_a_folder_without_a_cache_is_left_alone(tmp_path, capsys, what):
    assert main(["cache", what, str(tmp_path)]) == USAGE
    assert f"there is no cache in {tmp_path}" in capsys.readouterr().err
    assert main(["cache", what, str(tmp_path / "nowhere")]) == USAGE
    assert list(tmp_path.iterdir()) == []


def test_a_cache_of_another_version_is_named_and_left_alone(folder, capsys):
    (marker,) = (folder / ".graflow_nb").glob("graflow_nb-store-*")
    marker.rename(marker.with_name("graflow_nb-store-999"))
    assert main(["cache", "clear"]) == USAGE
    assert "graflow_nb" in capsys.readouterr().err
    assert (folder / ".graflow_nb" / "graflow_nb-store-999").exists()


@pytest.mark.parametrize(
    "words", [["cache"], ["cache", "wipe"], ["cache", "info", "a", "b"], ["cache", "info", "--deep"]]
)
def test_what_is_wrong_is_answered(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == USAGE
    assert "usage: graflow-nb" in capsys.readouterr().err


def test_help_from_a_shell():
    command = [sys.executable, "-m", "graflow_nb.cli", "cache", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for word in ("info", "clear", "gc"):
        assert word in done.stdout
