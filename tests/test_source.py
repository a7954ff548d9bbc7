"""The source of functions as it was when they were loaded."""

from __future__ import annotations

import functools
import linecache

import pytest
from reading import space

from graflow_nb.incremental.code.modules import note
from graflow_nb.incremental.code.source import source_of

FUNCTION = "def f(x):\n    # why\n    return x\n"


def cell(source: str, name: str) -> dict:
    """Run source as IPython does: `linecache` knows it under a name of its own."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), namespace)
    return namespace


def test_a_function_of_a_cell():
    namespace = cell(f"x = 1\n{FUNCTION}y = 2\n", "<cell a>")
    assert source_of(namespace["f"]) == FUNCTION
    assert source_of(namespace["f"].__code__) == FUNCTION


def test_the_whole_of_a_cell():
    source = "x = 1\ny = 2\n"
    linecache.cache["<cell b>"] = (len(source), None, source.splitlines(keepends=True), "<cell b>")
    assert source_of(compile(source, "<cell b>", "exec")) == source


def test_methods_and_wrapped_functions():
    namespace = cell("class A:\n    def m(self):\n        return 1\n", "<cell c>")
    assert source_of(namespace["A"]().m) == "def m(self):\n    return 1\n"
    assert source_of(functools.lru_cache(namespace["A"].m)) == "def m(self):\n    return 1\n"


def test_a_file_that_is_edited_later(project):
    module = project("own_helpers", FUNCTION)
    note(module)
    project("own_helpers", FUNCTION.replace("return x", "return -x"), load=False)
    linecache.clearcache()
    assert source_of(module.f) == FUNCTION
    old = module.f
    module = project("own_helpers", FUNCTION.replace("return x", "return x + 1"))
    note(module)
    assert source_of(module.f) == FUNCTION.replace("return x", "return x + 1")
    assert source_of(old) == FUNCTION


@pytest.mark.parametrize("thing", [len, 1, None, space("f = lambda: 1")["f"], compile("1", "<gone>", "eval")])
def test_what_has_no_source(thing):
    assert source_of(thing) == ""
