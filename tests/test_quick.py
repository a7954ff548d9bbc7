"""What was walked once is not walked again while all it looked at is the same."""

from __future__ import annotations

import gc
import weakref

import pytest
from reading import space

from graflow_nb import Task
from graflow_nb.incremental.code.reads import cell_reads, function_reads

REMEMBERED = {
    "nothing read": ("def t(x): return x", "y = 1"),
    "plain values": ("X = 1\nS = 'a'\nT = (1, 'a')\ndef t(x): return X, S, T", "Y = 2"),
    "a helper of a helper": ("X = 1\ndef g(): return X\ndef h(): return g()\ndef t(): return h()", "def other(): return 1"),
    "short lists and dicts": ("L = [1, 'a']\nD = {'a': 1}\nS = {1, 2}\ndef t(): return L, D, S", "L = [1, 'a']; D = {'a': 1}"),
    "libraries": ("import numpy as np, json\nfrom json import dumps\ndef t(x): return np.sin(x), json.loads(dumps(x)), len(x)", "import os"),
    "a default": ("def t(x=1): return x", ""),
    "recursion": ("def t(n): return n and t(n - 1)", ""),
    "an absent name": ("def t(): return missing", "other = 1"),
    "a closure over plain values": (
        "import json\ndef make(a, b, c):\n    def t(): return a, b, c\n    return t\nt = make(1, ('a', 2), json)", "",
    ),
    "a helper that is a closure": (
        "def make(a):\n    def h(): return a\n    return h\nh = make(1)\ndef t(): return h()", "other = 1",
    ),
    "methods": ("def t(df): return df.a.b().c", ""),
}  # fmt: skip


CLOSURE = "def make(a):\n    def t(): return a\n    return t\nt = make({})"


@pytest.mark.parametrize("case", REMEMBERED)
def test_it_is_remembered_while_nothing_changes(case):
    source, unrelated = REMEMBERED[case]
    namespace = space(source)
    first = function_reads(namespace["t"])
    exec(unrelated, namespace)
    assert function_reads(namespace["t"]) is first


@pytest.mark.parametrize(
    ("source", "edit"),
    [
        ("X = 1\ndef t(): return X", "X = 2"),
        ("X = 1\ndef t(): return X", "X = True"),
        ("X = 1\ndef t(): return X", "del X"),
        ("def t(): return X", "X = 1"),
        ("def h(): return 1\ndef t(): return h()", "def h(): return 2"),
        ("def h(): return 1\ndef t(): return h()", "h.__code__ = (lambda: 2).__code__"),
        ("def h(x=1): return 1\ndef t(): return h()", "h.__defaults__ = (2,)"),
        ("def h(): return 1\ndef t(): return h()", "h.rate = 2"),
        ("def h(x=1): return 1\ndef t(): return h()", "h.__kwdefaults__ = {'y': 1}"),
        ("def h(*, x=1): return 1\ndef t(): return h()", "h.__kwdefaults__['x'] = 2"),
        ("X = 1\ndef g(): return X\ndef h(): return g()\ndef t(): return h()", "X = 2"),
        ("def g(): return 1\nX = 1\ndef t(): return g, X", "g, X = X, g"),
        ("def t(x): return len(x)", "def len(x): return 0"),
        ("T = ([1],)\ndef t(): return T", "T[0].append(2)"),
        ("X = [1]\ndef t(): return X", "X.append(2)"),
        ("X = {'a': 1}\ndef t(): return X", "X['a'] = True"),
        ("X = {'a': 1, 'b': 2}\ndef t(): return X", "X['a'] = X.pop('a')"),
        ("X = {'a': 1}\ndef t(): return X", "X['a'] = lambda: 1"),
        ("X = {1}\ndef t(): return X", "X.add(2)"),
        ("X = [1]\ndef t(): return X", "X.append([])"),
        ("X = [1]\ndef t(): return X", "X = (1,)"),
        ("X = [1]\ndef t(): return X", "X = (n for n in ())"),
        ("class A: x = 1\ndef t(): return A", "A.x = 2"),
        ("def t(x=[1]): return x", "t.__defaults__[0].append(2)"),
        ("def t(): return 1", "t.__code__ = (lambda: 2).__code__"),
        (CLOSURE.format("1"), "t.__closure__[0].cell_contents = 2"),
        (CLOSURE.format("1"), "t.__closure__[0].cell_contents = True"),
        (CLOSURE.format("1"), "t.__closure__[0].cell_contents = [1]"),
        (CLOSURE.format("1"), "del t.__closure__[0].cell_contents"),
        (CLOSURE.format("[1]"), "t.__closure__[0].cell_contents.append(2)"),
        (CLOSURE.format("([1],)"), "t.__closure__[0].cell_contents[0].append(2)"),
        (CLOSURE.format("lambda: 1"), "t.__closure__[0].cell_contents = lambda: 2"),
        (f"{CLOSURE.format('1')}\nh = t\ndef t(): return h()", "h.__closure__[0].cell_contents = 2"),
        (f"{CLOSURE.format('1')}\nh = t\ndef t(): return h()", "h = make(2)"),
    ],
)
def test_it_is_not_taken_for_what_it_was(source, edit):
    namespace = space(source)
    first = function_reads(namespace["t"])
    assert function_reads(namespace["t"]).parts == first.parts
    exec(edit, namespace)
    assert function_reads(namespace["t"]).parts != first.parts


def test_an_attribute_of_a_module_of_ones_own(project):
    module = project("own_helpers", "RATE = 1\ndef f(): return RATE")
    namespace = space("import own_helpers\ndef t(): return own_helpers.f() + own_helpers.RATE")
    first = function_reads(namespace["t"])
    assert function_reads(namespace["t"]) is first
    module.RATE = 2
    assert function_reads(namespace["t"]).parts != first.parts


def test_names_that_are_left_out_are_told_apart():
    namespace = space("X = 1\ndef t(): return X")
    assert function_reads(namespace["t"], "code", {"X": 1}).parts != function_reads(namespace["t"], "code").parts
    first = function_reads(namespace["t"], "code", {"X": 1})
    namespace["X"] = 2
    assert function_reads(namespace["t"], "code", {"X": 1}) is first


def test_a_task_is_not_remembered_by_identity():
    namespace = space("def t(): return h()", h=Task("h", lambda: 1))
    first = function_reads(namespace["t"])
    namespace["h"].fn = lambda: 2
    assert function_reads(namespace["t"]).parts != first.parts


def test_no_namespace_is_kept_alive():
    class Data:
        pass

    namespace = space("X = 1\ndef h(): return X\ndef t(): return h()", data=Data())
    gone = weakref.ref(namespace["data"])
    function_reads(namespace["t"])
    del namespace
    gc.collect()
    assert gone() is None


def test_a_cell_is_remembered_too():
    class Cell:
        source = "x = h() + K"

        def __init__(self, namespace):
            self.namespace = namespace

    from graflow_nb.incremental.code.bytecode import code_info

    cell = Cell(space("K = 1\ndef h(): return K"))
    info = code_info(compile(cell.source, "", "exec"))
    first = cell_reads(cell, info)
    assert cell_reads(cell, info) is first
    assert cell_reads(cell, info, ["h"]).parts != first.parts
    cell_reads(cell, info)
    cell.namespace["K"] = 2
    assert cell_reads(cell, info).parts != first.parts


def test_the_bytes_stand_for_all_parts():
    def encoded(source):
        return function_reads(space(source)["t"]).encoded

    assert (
        encoded("X = 1\ndef t(): return X")
        == encoded("X = 1\n\ndef t(): return X")
        != encoded("X = 2\ndef t(): return X")
    )
    assert encoded("X = (n for n in ())\ndef t(): return X") is None
