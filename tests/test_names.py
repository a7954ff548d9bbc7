"""Which names a cell reads and assigns: by tables, and compared with what Python does when it runs the cell."""

from __future__ import annotations

import builtins
import contextlib
import symtable
from textwrap import dedent, indent

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from graflow_nb.notebook.names import CellNames, cell_names

PLAIN = set(dir(builtins))


def names_of(source: str) -> CellNames:
    return cell_names(dedent(source))


def reads(source: str) -> str:
    return " ".join(sorted(names_of(source).reads - PLAIN))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a", "a"),
        ("x = a; x + b", "a b"),
        ("a.b.c", "a"),
        ("a[i]", "a i"),
        ("a[i] = v", "a i v"),
        ("a.b = v", "a v"),
        ("a[i] += v", "a i v"),
        ("del a[i]", "a i"),
        ("x = 1; del x", ""),
        ("x, *y = a", "a"),
        ("[x, (y, a.b[i])] = v", "a i v"),
        ("x = y = a", "a"),
        ("x: T = a", "T a"),
        ("x: T", "T"),
        ("(x := a) + x", "a"),
        ("f'{a!r:>{w}}'", "a w"),
        ("f(*a, **k)", "a f k"),
        ("lambda x, y=d: x + y + g", "d g"),
        ("[x + s for x in data if x > lo]", "data lo s"),
        ("[x for x in x]", "x"),
        ("[y for x in data for y in x]", "data"),
        ("{k: v for k, v in pairs.items()}", "pairs"),
        ("sum(x * w for x in data)", "data w"),
        ("[[x for x in y] for y in data]", "data"),
        ("any((last := n) > 3 for n in data); last", "data"),
        ("[lambda: i for i in data]", "data"),
        ("for x in data: x", "data"),
        ("for x, y in data:\n pass\nelse:\n z", "data z"),
        ("for a.b in data: pass", "a data"),
        ("with open(p) as f: f.read()", "p"),
        ("with lock, open(p) as (f, g): f, g", "lock p"),
        ("try: a\nexcept E as e: e\nelse: b\nfinally: c", "E a b c"),
        ("try: a\nexcept* E as e: e", "E a"),
        ("while (n := n + s) < 3: pass", "n s"),
        ("match v:\n case {'k': x, **rest}: x, rest\n case [p, *q]: p, q", "v"),
        ("match v:\n case Point(x=px) as w if px > lo: w\n case mod.K: 1\n case _: 2", "Point lo mod v"),
        ("import a.b; a", ""),
        ("import a.b as c; a, c", "a"),
        ("from a import b as c; b, c", "b"),
        ("from m import *; loaded", "loaded"),
        ("def f(x: T, *y: U, z: V = d, **k: W) -> R: return x + g", "R T U V W d g"),
        ("async def f(x): return await g(x)", "g"),
        ("@deco(k)\ndef f(): pass", "deco k"),
        ("def f():\n x = a\n def g(): return x + b\n return g", "a b"),
        ("def f(): return f", ""),
        ("def f():\n import m\n return m.x", ""),
        ("def f():\n global n\n n += 1", "n"),
        ("n = 0\ndef f():\n global n\n n += 1", ""),
        ("def f(n):\n def g():\n  nonlocal n\n  n += s\n return g", "s"),
        ("@deco\nclass C(B, metaclass=M):\n x = d\n y = x + e\n def m(self): return x", "B M d deco e x"),
        ("class C:\n x = x", "x"),
        ("class C:\n x = 1\n y = [x for _ in data]", "data x"),
        ("class C:\n for i in data: i\n try: pass\n except E as e: e", "E data"),
        ("await a", "a"),
        ("async for x in a: x", "a"),
        ("async with a as x: x", "a"),
        ("[x async for x in a]", "a"),
        ("if c: x = 1\nelse: x = b\nx", "b c"),
        ("x = x_raw\nx = x * k", "k x_raw"),
        ("df.query('size > @limit and @other')", "df limit other"),
        ("def f(d): return d.eval('a + @b')", "b"),
        ("'' 'no names'", ""),
    ],
)
def test_reads(source: str, expected: str):
    assert reads(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1; y, *z = v", "x y z"),
        ("_x = 1; x = _x", "x"),
        ("x: int = 1; y: int", "x"),
        ("x = 0; x += 1", "x"),
        ("(x := 1)", "x"),
        ("if c: x = 1\nelse: y = 2", "x y"),
        ("any((last := n) for n in data)", "last"),
        ("[(x, y := x) for x in data for z in [1]]", "y"),
        ("def f(): x = 1", "f"),
        ("async def f(): pass", "f"),
        ("class C: x = 1", "C"),
        ("def f():\n global n, _m\n n = _m = 1\nf()", "f n"),
        ("x = 1; del x", ""),
        ("x = 1; del x; x = 2", "x"),
        ("for i in v: x = i", "x"),
        ("with v as f: x = f", "x"),
        ("try: x = 1\nexcept E as e: y = e", "x y"),
        ("match v:\n case [p, *q] as w: x = p\n case {**rest}: pass", "x"),
        ("import a, b.c; from d import e", ""),
        ("x.y = 1; z[0] = 2", ""),
        ("[x for x in v]", ""),
        ("lambda: (x := 1)", ""),
    ],
)
def test_assigns(source: str, expected: str):
    assert " ".join(names_of(source).assigns) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a.b, c as d; from e import f as g", "a d g"),
        ("from m import *", ""),
        ("if c:\n import a\nelse:\n a = None", "a"),
        ("def f(): import a", ""),
        ("class C: import a", ""),
    ],
)
def test_imports(source: str, expected: str):
    assert " ".join(names_of(source).imports) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = x + 1", "x"),
        ("x += 1", "x"),
        ("(x := x + 1)", "x"),
        ("y = x; x = 2", "x"),
        ("x = 1; x = x + 1", ""),
        ("x = [x for x in x]", "x"),
        ("x = [x for x in y]", ""),
        ("x[0] = 1", ""),
        ("for x in x: pass", "x"),
        ("with x as x: pass", "x"),
        ("def x(): return x", ""),
        ("x = lambda: x", ""),
        ("class x(x): pass", "x"),
        ("def f():\n global n\n n += 1\nf()", "n"),
        ("def f():\n global n\n n = n + 1\nf()", "n"),
        ("n = 0\ndef f():\n global n\n n += 1\nf()", ""),
    ],
)
def test_what_is_read_and_assigned(source: str, expected: str):
    assert " ".join(names_of(source).rebinds) == expected


def test_no_python():
    with pytest.raises(SyntaxError):
        cell_names("x = (")


class World(dict):
    """A namespace that notes what Python takes from outside, and what it binds; a cell's globals."""

    def __init__(self) -> None:
        super().__init__({"__builtins__": builtins, "contextlib": contextlib, **OUTSIDE})
        self.read: set[str] = set()
        self._stored: set[str] = set()

    def __getitem__(self, name):
        value = super().__getitem__(name)
        if name not in self._stored and value is OUTSIDE.get(name):
            self.read.add(name)
        return value

    def __setitem__(self, name, value):
        self._stored.add(name)
        super().__setitem__(name, value)

    @property
    def bound(self) -> set[str]:
        """What was bound; `global` in a function and := in a comprehension go past `__setitem__`."""
        return self._stored | {name for name, value in OUTSIDE.items() if self.get(name) is not value}


NAMES = st.sampled_from("abcd")
OUTSIDE = {name: 1_000 + ord(name) for name in "abcd"}


@st.composite
def expressions(draw: st.DrawFn, depth: int = 2) -> str:
    """Expressions all of whose parts run at once, in the order in which they stand."""
    name, other = draw(NAMES), draw(NAMES)
    if depth == 0:
        return draw(st.sampled_from([name, "1", f"{name} + {other}", f"len(f'{{{name}}}')"]))
    inner, more = draw(expressions(depth - 1)), draw(expressions(0))
    return draw(
        st.sampled_from(
            [
                f"({inner}) + ({more})",
                f"({name} := {inner})",
                f"sum([{name} for {name} in [{inner}]])",
                f"sum({name} + {other} for {name} in [{inner}] for {other} in [{name}] if {name} + {more})",
                f"max([({name} := _i + ({more})) for _i in [1, 2]])",
                f"(lambda {name}={inner}: {name})()",
                f"next(iter({{{name}: {name} for {name} in [{more}]}}.values()))",
            ]
        )
    )


@st.composite
def statements(draw: st.DrawFn, depth: int = 2) -> str:
    """Statements all of whose parts run at once, in the order in which they stand."""
    name, other = draw(NAMES), draw(NAMES)
    value = draw(expressions())
    simple = [
        f"{name} = {value}",
        f"{name} = {other} = {value}",
        f"{name} += {value}",
        f"{name}: int = {value}",
        f"({name}, *_rest) = [{value}, 1]",
        f"import math as {name}\n{name} = 2",
        value,
    ]
    if depth == 0:
        return draw(st.sampled_from(simple))
    body = indent(draw(blocks(depth - 1)), " ")
    compound = [
        f"for {name} in [{value}]:\n{body}",
        f"while True:\n{body}\n break",
        f"with contextlib.nullcontext({value}) as {name}:\n{body}",
        f"match [{value}, 1]:\n case [{name}, *_rest]:\n{indent(body, ' ')}",
    ]
    return draw(st.sampled_from([*simple, *compound]))


@st.composite
def branching(draw: st.DrawFn) -> str:
    """Statements of which some may not run, or later."""
    name, other = draw(NAMES), draw(NAMES)
    value, body, rest = draw(expressions()), indent(draw(blocks()), " "), indent(draw(blocks(0)), " ")
    return draw(
        st.sampled_from(
            [
                f"if {value} > 3:\n{body}\nelse:\n{rest}",
                f"for {name} in [{value}]:\n{body}\nelse:\n{rest}",
                f"try:\n{body}\nexcept ZeroDivisionError as {name}:\n{rest}\nelse:\n{rest}\n{name} = 1",
                f"def _f({other}={value}):\n{body}\n_f()",
                f"def _f(_x: {other} = 1):\n global {name}\n{body}\n_f()",
                f"class {name}:\n{body}\n{name} = 1",
                f"{name} = (lambda: {value})()",
                f"{name} = {value} if {other} else 1",
                f"{name} = 1\ndel {name}",
            ]
        )
    )


@st.composite
def blocks(draw: st.DrawFn, depth: int = 2, *, branches: bool = False) -> str:
    some = st.one_of(statements(depth), branching()) if branches else statements(depth)
    return "\n".join(draw(st.lists(some, min_size=1, max_size=3)))


def run(source: str) -> World:
    """Run a cell as Python does, as far as it goes."""
    world = World()
    try:
        code = compile(source, "<cell>", "exec")
    except SyntaxError:  # := where it may not stand, a parameter that is global
        reject()
    with contextlib.suppress(NameError, TypeError):
        exec(code, world)  # it is no plain dict, so Python asks it
    return world


@settings(max_examples=60)
@given(blocks())
def test_what_runs_in_order_reads_what_python_reads(source: str):
    world, names = run(source), cell_names(source)
    assert world.read == names.reads & OUTSIDE.keys()
    assert world.read & world.bound == set(names.rebinds)


@settings(max_examples=60)
@given(blocks(branches=True))
def test_a_read_is_missed_only_of_a_name_that_the_cell_binds_somewhere(source: str):
    # Then the name is absent in the cell's namespace: a NameError, never another cell's value unnoticed.
    world = run(source)
    assert world.read - cell_names(source).reads <= bound_in(source)


def bound_in(source: str) -> set[str]:
    """Every name that a cell binds, in any scope of it."""

    def of(table: symtable.SymbolTable) -> set[str]:
        own = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
        return own.union(*map(of, table.get_children()))

    return of(symtable.symtable(source, "<cell>", "exec"))
