"""What code says of itself: decoded as `dis` does, only faster; and nothing of its text."""

from __future__ import annotations

import argparse
import asyncio.base_events
import dataclasses
import dis
import enum
import heapq
import json.decoder
import os
import statistics
import subprocess
import sys
import textwrap
import types
import typing
from itertools import pairwise

import pytest

from graflow_nb.incremental.code.bytecode import Import, code_info
from graflow_nb.incremental.code.decode import JUMPS, LOCALS, NAMES, SHIFTS, handlers, steps, variables

FILLERS = {"NOP", "CACHE", "EXTENDED_ARG"}
READ = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
MODULES = [argparse, asyncio.base_events, dataclasses, enum, heapq, json.decoder, statistics, typing]


def codes_in(code: types.CodeType) -> list[types.CodeType]:
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return [code, *(deeper for one in inner for deeper in codes_in(one))]


def codes_of(module: types.ModuleType) -> list[types.CodeType]:
    source = compile(module.__loader__.get_source(module.__name__), "", "exec")
    return codes_in(source)


def compiled(source: str) -> types.CodeType:
    """Return the code of the last function in a source."""
    found = codes_in(compile(textwrap.dedent(source), "", "exec"))
    return next(code for code in found if code.co_name == "t")


# -- decoding


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_decoding_gives_what_dis_gives(module):
    for code in codes_of(module):
        expected = [i for i in dis.get_instructions(code) if i.opname not in FILLERS]
        found = steps(code)
        at = {i.offset // 2: i for i in expected}
        assert sorted(set(found.units)) == sorted(at)
        for index, (op, arg, unit) in enumerate(zip(found.ops, found.args, found.units, strict=True)):
            instruction = at[unit]
            if op != instruction.opcode:
                assert dis.opname[op] in instruction.opname, "one of two in one"
            elif op in JUMPS:
                assert found.target(index) * 2 == instruction.argval
            elif op in NAMES:
                assert code.co_names[arg >> SHIFTS.get(op, 0)] == instruction.argval
            elif op in LOCALS:
                assert variables(code)[arg] == instruction.argval
            else:
                assert arg == (instruction.arg or 0)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_exception_table_is_read_as_dis_reads_it(module):
    for code in codes_of(module):
        expected = [
            (entry.start // 2, entry.end // 2, entry.target // 2, entry.depth << 1 | entry.lasti)
            for entry in (dis.Bytecode(code).exception_entries if code.co_exceptiontable else ())
        ]
        assert list(handlers(code)) == expected


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_names_and_what_is_passed_on_are_those_that_dis_shows(module):
    for code in codes_of(module):
        if any("__module__" in inner.co_names for inner in codes_in(code)):
            continue  # of the body of a class some names are left out
        names, passed_on = set(), set()
        for inner in codes_in(code):
            instructions = [i for i in dis.get_instructions(inner) if i.opname not in FILLERS]
            for instruction, following in pairwise(instructions):
                if instruction.opname in READ:
                    names.add(instruction.argval)
                    if following.opname not in {"LOAD_ATTR", "LOAD_METHOD"}:
                        passed_on.add(instruction.argval)
        info = code_info(code)
        assert passed_on <= info.passed_on
        assert set(info.names) == names or info.reads_texts


# -- what it says


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("import a", [Import("a")]),
        ("import a.b", [Import("a.b")]),
        ("import a.b as c", [Import("a.b")]),
        ("from a import b, c", [Import("a", 0, ("b", "c"))]),
        ("from . import m", [Import("", 1, ("m",))]),
        ("from ..u import g", [Import("u", 2, ("g",))]),
        ("x = importlib.import_module('m')", [Import("m")]),
        ("x = import_module('m.n')", [Import("m.n")]),
        ("x = __import__('m')", [Import("m")]),
        ("x = sys.modules['m']", [Import("m")]),
        ("x = sys.modules['m'].f()", [Import("m")]),
        ("return lambda: __import__('m')", [Import("m")]),
        ("x = importlib.import_module(m)", []),
        ("x = importlib.import_module('m' + x)", []),
        ("x = importlib.import_module('.m', 'p')", []),
        ("x = sys.modules['m' + x]", []),
        ("exec('import m')", [Import("m")]),
    ],
)
def test_imports(body, expected):
    assert list(code_info(compiled(f"def t():\n  {body}")).imports) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("import a; a.f()", set()),
        ("import a.b as c; c.f()", set()),
        ("import a; f(a)", {"a"}),
        ("import a as b; f(b)", {"a", "b"}),
        ("import a.b as c; f(c)", {"b"}),
        ("from a import b; b.f()", set()),
        ("from a import b as c; f(c)", {"b"}),
        ("import a; return lambda: f(a)", {"a"}),
        ("import a; return lambda: a.f", set()),
        ("global a; import a; f(a)", {"a"}),
        ("x = import_module('m'); x.f()", set()),
        ("x = import_module('m'); f(x)", {"m"}),
        ("f(import_module('m'))", {"m"}),
        ("sys.modules['m'].f()", set()),
        ("f(sys.modules['m'])", {"m"}),
        ("g.h.f()", set()),
        ("f(g.h)", {"h"}),
    ],
)
def test_what_is_passed_on(body, expected):
    assert code_info(compiled(f"def t():\n  {body}")).passed_on & {"a", "b", "m", "g", "h"} == expected


@pytest.mark.parametrize(
    ("body", "names", "unknown"),
    [
        ("eval('K + 1')", {"eval", "K"}, set()),
        ("exec('x = K')", {"exec", "K"}, set()),
        ("eval('K', {'K': 1})", {"eval"}, {"eval"}),
        ("eval(x)", {"eval", "x"}, {"eval"}),
        ("eval('K' + x)", {"eval", "x"}, {"eval"}),
        ("eval('lambda: f(K)')", {"eval", "f", "K"}, set()),
        ("eval('(')", {"eval"}, {"eval"}),
        ("[*map(eval, x)]", {"map", "eval", "x"}, {"eval"}),
    ],
)
def test_text_that_is_run_as_code(body, names, unknown):
    info = code_info(compiled(f"def t():\n  {body}"))
    assert names <= set(info.names)
    assert info.unknown == unknown


def test_attributes_are_not_globals():
    info = code_info(compiled("def t(a):\n  a.x = b.y\n  del a.z\n  return c"))
    assert info.attributes == {"x", "y", "z"}
    assert info.names == ("b", "c")


def test_a_name_in_the_body_of_a_class_is_no_part_of_its_text():
    assert code_info(compiled("def t():\n  class A: pass\n  return A")).names == ()


# -- what does not count


def digest(source: str, flags: int = 0) -> bytes:
    code = compile(textwrap.dedent(source), "", "exec", flags=flags, dont_inherit=True)
    return code_info(next(one for one in codes_in(code) if one.co_name == "t")).digest


LONG = "\n".join(f"  x = f{i}({i})" for i in range(200))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def t(a, b): return f(a, b, a)", "def t(a, b):\n  return f(\n    a,\n    b,\n    a)"),
        ("def t(a, b):\n  x = a; y = b\n  return x, y", "def t(a, b):\n  x = a\n  y = b\n  return x, y"),
        (f"def t(x):\n  while x:\n{LONG.replace('  x', '    x')}\n", f"def t(x):\n  while x:\n\n{LONG.replace('  x', '    x')}"),
        ("def t(x):\n  for i in x: pass", "def t(x):\n  for i in x:\n    pass"),
        ("def t(x):\n  with x: pass", "def t(x):\n  with x:\n    pass"),
        ("def t(x): return x if x else (x, 1)", "def t(x):\n  return (x\n    if x\n    else (x, 1))"),
        ("def t():\n  class A:\n    'one'\n    x = 1", "def t():\n\n  class A:\n    x = 1"),
        ("async def t(x):\n  async with x: await x", "async def t(x):\n  async with x:\n    await x"),
    ],
)  # fmt: skip
def test_layout_does_not_count(one, other):
    assert digest(one) == digest(other)


def test_what_is_imported_from_the_future_does_not_count():
    import __future__

    assert digest("def t(x): return x", __future__.annotations.compiler_flag) == digest("def t(x): return x")


def test_more_instructions_than_a_jump_can_skip():
    assert digest(f"def t(x):\n  if x:\n{LONG.replace('  x', '    x')}\n  return 1") != digest(
        f"def t(x):\n  if x:\n{LONG.replace('  x', '    x')}\n    return 1"
    )


def test_constants_that_cannot_be_written_in_decimals_count():
    assert digest("def t(): return 0x1" + "0" * 5000) != digest("def t(): return 0x1" + "0" * 4999)


PROGRAM = """
from graflow_nb.incremental.code.reads import function_reads
space = {"__name__": "__main__"}
exec('''
import enum, dataclasses, functools, json
NAMES = {"a", "b", "c"}
class Color(enum.Flag): RED = 1; BLUE = 2
@dataclasses.dataclass(frozen=True)
class Point: x: int = 0
POINTS = frozenset({Point(1), Point(2)})
@functools.singledispatch
def size(x): return 0
@size.register
def _(x: int): return x
@size.register
def _(x: str): return len(x)
def t(df):
    import decimal, statistics
    return df.query("x > @NAMES"), NAMES, Color, POINTS, size(1), 1 in {"p", "q", "r"}, json.dumps, t.__doc__
''', space)
found = function_reads(space["t"])
print((found.encoded or b"").hex(), [(part.kind, part.name, part.digest) for part in found.parts], found.paths, found.modules)
"""


def test_hash_randomisation_does_not_count():
    said = set()
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, env=environment
        )
        said.add(run.stdout)
    assert len(said) == 1
    assert not said.pop().startswith(" "), "all of it has a digest"
