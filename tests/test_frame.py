"""The repository's own promises."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "graflow_nb").rglob("*.py"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = PYPROJECT["project"]

MAX_MODULE = 400
MAX_FUNCTION = 50
# Written so that no pattern matches its own text here.
HERE_ONLY = re.compile(
    r"(?<![\w.-])/(?:work|root|home|Users)/|(?<![\w.-])/opt/(?:pypi|wheels)\b|\b[A-Z]:\\+Users\\"
    r"|\bpypi[.]org\b|\bpythonhosted[.]org\b|\bnpmjs[.]org\b|\b(?:deb|security|snapshot)[.]debian[.]org\b"
    r"|\barchive[.]ubuntu[.]com\b|\bconda[.]anaconda[.]org\b|--(?:extra-)?index-ur[l]\b|--find-link[s]\b"
)


def files_of_the_repository() -> list[Path]:
    """What git tracks, and what it would take with the next `git add`."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("NOT CHECKED: this is no git clone, or git is missing")
    # A clone made by another user, as in a container, is still ours to read.
    listing = "git -c safe.directory=* ls-files -z --cached --others --exclude-standard"
    names = subprocess.run(listing.split(), cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def places(text: str) -> list[str]:
    return [match.group() for match in HERE_ONLY.finditer(text)]


def shell_commands(markdown: str) -> list[str]:
    """Return the commands of the fenced shell blocks, without prompts and comments."""
    blocks = re.findall(r"(?ms)^ *```(?:sh|bash|shell|console)\b[^\n]*\n(.*?)^ *```", markdown)
    lines = (re.sub(r"^\s*\$ |\s*#.*", "", line).strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line]


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text("utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_no_file_names_a_place_that_only_one_machine_has():
    found = {}
    for path in files_of_the_repository():
        if named := places(path.read_text("utf-8", errors="ignore")):
            found[str(path.relative_to(ROOT))] = named
    assert not found, "machine paths or registry hosts"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("see /wor" + "k/main", 1),
        ('File "/hom' + 'e/ann/x.py"', 1),
        ("/roo" + "t/.cache", 1),
        ("https://pypi" + ".org/simple", 1),
        ("pip install --index-" + "url X", 1),
        ("https://example.org/wor" + "k/hom" + "e/x", 0),
        ("data/wor" + "k/x and ./roo" + "t/y", 0),
    ],
)
def test_what_counts_as_such_a_place(text, count):
    assert len(places(text)) == count


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_is_documented_and_small(path):
    source = path.read_text("utf-8")
    assert ast.get_docstring(ast.parse(source)), f"{path} has no docstring"
    assert len(source.splitlines()) <= MAX_MODULE, f"{path}: two things share a room"
    sizes = {f.name: (f.end_lineno or f.lineno) - f.lineno + 1 for f in functions(path)}
    assert not {name: size for name, size in sizes.items() if size > MAX_FUNCTION}, f"{path}: too long"


def test_the_readme_starts_with_the_two_commands():
    commands = shell_commands((ROOT / "README.md").read_text("utf-8"))
    assert commands[:2] == ["make demo", "make test"]


def test_shell_commands_are_read_as_a_person_reads_them():
    text = "```python\nmake_lunch()\n```\n\n```sh\n$ make demo   # the tour\n\nmake test\n```\n"
    assert shell_commands(text) == ["make demo", "make test"]


def test_make_has_every_command_that_is_promised():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    promised = {"demo", "test", "lab", "lint", "bench", "traps", "screenshots", "fuzz", "help", "clean"}
    assert set(re.findall(r"^([a-z]+):.*## \w", makefile, re.MULTILINE)) == promised


def test_binder_installs_the_package_with_extras_that_exist():
    lines = (ROOT / "binder" / "requirements.txt").read_text("utf-8").split("\n")
    editable = [m for line in lines if (m := re.fullmatch(r"-e \.\[([\w,-]+)\]", line.strip()))]
    assert len(editable) == 1, "one line `-e .[EXTRAS]`"
    assert set(editable[0][1].split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_makefile_installs_extras_and_groups_that_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert set(re.findall(r"'\.\[(\w+)\]'", makefile)) <= set(PROJECT["optional-dependencies"])
    assert set(re.findall(r"--group (\w+)$", makefile, re.MULTILINE)) <= set(PYPROJECT["dependency-groups"])


def test_binder_has_a_python_that_is_new_enough():
    runtime = (ROOT / "binder" / "runtime.txt").read_text("utf-8").strip()
    assert re.fullmatch(r"python-3\.\d+", runtime)
    assert f"Programming Language :: Python :: {runtime.removeprefix('python-')}" in PROJECT["classifiers"]


@pytest.mark.parametrize("name", ["binder/postBuild", ".ci/run"])
def test_scripts_can_be_executed(name):
    path = ROOT / name
    assert os.access(path, os.X_OK), f"chmod +x {name}"
    assert path.read_text("utf-8").startswith("#!/usr/bin/env bash\n")


def test_the_changelog_is_about_this_version():
    newest = re.search(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest and newest[1] in {"Unreleased", PROJECT["version"]}


def test_the_licence_is_the_one_that_is_declared():
    assert PROJECT["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text and "END OF TERMS AND CONDITIONS" in text
