"""The widget's own logic, tested by Node where it is installed, and what must hold of its files."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STATIC = ROOT / "graflow_nb" / "notebook" / "static"
TESTS = sorted((ROOT / "tests" / "js").glob("*.test.mjs"))


def test_logic():
    node = shutil.which("node")
    if node is None:
        pytest.skip(
            "NOT TESTED: the widget's JavaScript, since node is not installed (Debian: apt-get install nodejs)"
        )
    done = subprocess.run([node, "--test", *map(str, TESTS)], capture_output=True, text=True, check=False)
    assert TESTS
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_fetched():
    script, style = ((STATIC / f"widget.{kind}").read_text("utf-8") for kind in ("js", "css"))
    assert set(re.findall(r"https?://[^\s\"'`)]+", script + style)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|@import|^import ", script + style, re.MULTILINE)


def test_only_the_panes_own_markup_becomes_html():
    script = (STATIC / "widget.js").read_text("utf-8")
    assert len(re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", script)) == 1
