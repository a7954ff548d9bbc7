"""What code reads, asked of small namespaces and of modules written for a test."""

from __future__ import annotations

import importlib
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graflow_nb.incremental.code import modules
from graflow_nb.incremental.code.libraries import is_library
from graflow_nb.incremental.code.reads import function_parts


def space(source: str, /, **names) -> dict:
    """Run source as a notebook would, in a namespace of its own."""
    found = {"__name__": "__main__", **names}
    exec(textwrap.dedent(source), found)
    return found


def parts(namespace: dict, name: str = "t"):
    return function_parts(namespace[name])


def digests(source: str, **names) -> list:
    return [(part.kind, part.name, part.digest) for part in parts(space(source, **names))]


def is_same(one: str, other: str, **names) -> bool:
    return digests(one, **names) == digests(other, **names)


def edited(source: str, edit: str) -> tuple[list, list]:
    """Return what `t` reads before and after something is run in its namespace."""
    namespace = space(source)
    before = parts(namespace)
    exec(textwrap.dedent(edit), namespace)
    return before, parts(namespace)


Write = Callable[..., types.ModuleType]


def new_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Give a folder with modules of one's own; call it to write and import, or to write and reload."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def write(name: str, source: str, load: bool = True) -> types.ModuleType | None:
        path = tmp_path / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        importlib.invalidate_caches()
        name = name.removesuffix(".__init__")
        if not load:
            return None
        return importlib.reload(sys.modules[name]) if name in sys.modules else importlib.import_module(name)

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]
        modules._loaded.pop(name, None)
    is_library.cache_clear()
