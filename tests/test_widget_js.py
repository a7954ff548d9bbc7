"""The widget's own logic, tested by Node where it is installed, and what must hold of its files."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from graflow_nb.notebook.widget import shipped

ROOT = Path(__file__).parent.parent
STATIC = ROOT / "graflow_nb" / "notebook" / "static"
TESTS = sorted((ROOT / "tests" / "js").glob("*.test.mjs"))


@pytest.fixture
def node():
    path = shutil.which("node")
    if path is None:
        pytest.skip(
            "NOT TESTED: the widget's JavaScript, since node is not installed (Debian: apt-get install nodejs)"
        )
    return path


def test_logic(node):
    done = subprocess.run([node, "--test", *map(str, TESTS)], capture_output=True, text=True, check=False)
    assert TESTS
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_rule_makes_the_browser_look_through_the_whole_page():
    style = re.sub(r"/\*.*?\*/", "", (STATIC / "widget.css").read_text("utf-8"), flags=re.DOTALL)
    assert ":has(" in style
    assert not re.search(r"(?:^|[\s>+~,(]):has\(", style, re.MULTILINE), "of what is asked by every element?"


def test_nothing_is_fetched():
    script, style = ((STATIC / f"widget.{kind}").read_text("utf-8") for kind in ("js", "css"))
    assert set(re.findall(r"https?://[^\s\"'`)]+", script + style)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|@import|^import ", script + style, re.MULTILINE)


def test_only_the_panes_own_markup_becomes_html():
    script = (STATIC / "widget.js").read_text("utf-8")
    assert len(re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", script)) == 1


def test_what_is_shipped_is_the_same_code_without_comments_and_indentation(node, tmp_path):
    """The logic's tests hold for it, and no text in it goes over several lines."""
    static = tmp_path / "graflow_nb" / "notebook" / "static"
    static.mkdir(parents=True)
    (static / "widget.js").write_text(shipped("widget.js"), "utf-8")
    folder = tmp_path / "tests" / "js"
    folder.mkdir(parents=True)
    copies = [shutil.copy(test, folder) for test in TESTS]
    done = subprocess.run([node, "--test", *copies], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    script, style = shipped("widget.js"), shipped("widget.css")
    assert not re.search(r"^(\s|//|/\*)", script + style, re.MULTILINE)
    whole = (STATIC / "widget.js").read_text("utf-8")
    assert all(line.count("`") % 2 == 0 for line in whole.splitlines())
    assert len(script) < 0.9 * len(whole)
