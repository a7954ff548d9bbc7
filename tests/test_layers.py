"""Imports point down only, and heavy libraries wait until they are used.

Every import counts: at module level, inside a function, and under TYPE_CHECKING.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parent.parent / "graflow_nb"
MODULES = sorted(PACKAGE.rglob("*.py"))

SURFACE = "__init__"  # the public names: below the front end, which may use them, and above what they name
FLOORS = (("cli",), ("notebook",), (SURFACE,), ("views", "steps"), ("backends",), ("incremental",), ("core",))
HEIGHT = {room: -depth for depth, rooms in enumerate(FLOORS) for room in rooms}
SURFACE_NAMES = {"core", "backends", "incremental"}

HEAVY = {
    *(
        "IPython",
        "PIL",
        "anywidget",
        "cloudpickle",
        "dask",
        "distributed",
        "ipykernel",
        "ipywidgets",
        "loky",
        "matplotlib",
        "nbclient",
    ),
    *("nbformat", "networkx", "numpy", "pandas", "pydantic_ai", "redis", "rich", "rq", "sklearn"),
}
MAY_BE_HEAVY = {"notebook", "cli"}
ABOUT = {PACKAGE / "backends" / "redis" / "worker.py"}  # those that are about such a library
VALUES = PACKAGE / "incremental" / "values"  # a module for each library, imported with its first value


@dataclass(frozen=True)
class Import:
    """One imported name, in full."""

    target: str
    line: int
    in_function: bool
    for_types: bool

    @property
    def room(self) -> str | None:
        """The room of our own that it reaches into, or None."""
        package, _, rest = self.target.partition(".")
        if package != "graflow_nb":
            return None
        name = rest.partition(".")[0]
        return name if name in HEIGHT or (PACKAGE / name / "__init__.py").exists() else SURFACE


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> list[Import]:
    package = ("graflow_nb", *path.relative_to(PACKAGE).parent.parts)
    return list(_walk(ast.parse(path.read_text("utf-8")), package))


def _walk(
    node: ast.AST, package: tuple[str, ...], in_function: bool = False, for_types: bool = False
) -> Iterator[Import]:
    for target in _targets(node, package):
        yield Import(target, node.lineno, in_function, for_types)
    in_function |= isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    for_types |= isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, package, in_function, for_types)


def _targets(node: ast.AST, package: tuple[str, ...]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        above = package[: len(package) + 1 - node.level] if node.level else ()
        origin = ".".join((*above, *filter(None, [node.module])))
        return [f"{origin}.{alias.name}" for alias in node.names]
    return []


def is_allowed(room: str, found: Import) -> bool:
    """Whether a module of `room` may have this import."""
    if found.room is None or found.room == room:
        return True
    if room == SURFACE:
        is_late = found.in_function or found.for_types  # a public function is imported when it is called
        return found.room in SURFACE_NAMES or (found.room in {"notebook", "views"} and is_late)
    return HEIGHT[found.room] < HEIGHT[room]


def is_heavy(found: Import) -> bool:
    return found.target.partition(".")[0] in HEAVY and not found.in_function and not found.for_types


def parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> list[Import]:
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    path = tmp_path / "views" / "plot.py"
    path.parent.mkdir()
    path.write_text(source)
    return imports(path)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down_only(path):
    room = room_of(path)
    assert room in HEIGHT, f"{room!r} has no floor: give it one in FLOORS, or move it into a room that has"
    wrong = [f"{path}:{i.line} imports {i.target}" for i in imports(path) if not is_allowed(room, i)]
    assert not wrong, f"{room!r} may import only what is below it"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_are_imported_where_they_are_used(path):
    if room_of(path) not in MAY_BE_HEAVY and path.parent != VALUES and path not in ABOUT:
        assert not [f"{path}:{i.line} imports {i.target}" for i in imports(path) if is_heavy(i)]


def test_importing_the_package_loads_no_heavy_library():
    code = "import sys, graflow_nb; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = run.stdout.split()
    assert "graflow_nb" in loaded
    assert not HEAVY.intersection(loaded)


@pytest.mark.parametrize(
    ("room", "source", "allowed"),
    [
        ("views", "from graflow_nb.core.status import Status", True),
        ("views", "from .model import NodeView", True),
        ("views", "from ..core import status", True),
        ("views", "from graflow_nb import core", True),
        ("views", "import json, graflow_nb.notebook.magics", False),
        ("views", "def f():\n    from graflow_nb import steps", False),
        ("views", "if TYPE_CHECKING:\n    from ..notebook import widget", False),
        ("views", "from graflow_nb import Flow", False),
        ("core", "from graflow_nb.backends.threads import Threads", False),
        ("incremental", "import graflow_nb.core.graph as g", True),
        ("notebook", "from graflow_nb import Flow", True),
        (SURFACE, "from graflow_nb.views import svg", False),
        (SURFACE, "from .notebook import load", False),
        (SURFACE, "def load():\n    from graflow_nb.notebook import load", True),
    ],
)
def test_the_rule_itself(tmp_path, monkeypatch, room, source, allowed):
    assert all(is_allowed(room, found) for found in parse(tmp_path, monkeypatch, source)) is allowed


@pytest.mark.parametrize(
    ("source", "heavy"),
    [
        ("import numpy.linalg", True),
        ("try:\n    from pandas import DataFrame\nexcept ImportError: ...", True),
        ("class A:\n    import dask", True),
        ("def f():\n    import numpy", False),
        ("if TYPE_CHECKING:\n    import numpy", False),
        ("import xxhash", False),
    ],
)
def test_what_counts_as_heavy(tmp_path, monkeypatch, source, heavy):
    assert any(map(is_heavy, parse(tmp_path, monkeypatch, source))) is heavy
