"""What each statement of a plain cell reads, binds and may change."""

from __future__ import annotations

import pytest

from graflow_nb.notebook.statements import statements, words

MAGIC = "get_ipython().run_cell_magic({!r}, {!r}, {!r})"
LINE = "get_ipython().run_line_magic({!r}, {!r})"


@pytest.mark.parametrize(
    ("source", "reads", "binds"),
    [
        ("X = df.mean()", "df", "X"),
        ("X += df", "X df", "X"),
        ("a, *b = c = df", "df", "a b c"),
        ("for i in df: X = i", "df", "i X"),
        ("for i in df: pass\nelse: X = i", "df", "i X"),
        ("with f(df) as g: X = 1", "f df", "g X"),
        ("if a: X = 1\nelse: Y = X", "a X", "X Y"),
        ("[x for x in rows if x in df]", "rows df", ""),
        ("(y := df)", "df", "y"),
        ("def f(a=df): return X", "df", "f"),
        ("f = lambda: X", "", "f"),
        ("g(lambda: X)", "g X", ""),
        ("class C(B):\n    z = df\n    def f(self): return X", "B df", "C"),
        ("import a.b, c as d", "", "a d"),
        ("from a import b", "", "b"),
        ("X: int", "int", ""),
        ("X: int = df", "int df", "X"),
        ("df.query('a > @X')", "df X", ""),
        ("exec('X = df')", "exec df", "X"),
        ("globals()['X'] = df", "globals df", "X"),
        ("shell.user_ns['X'] = df", "shell df", "X"),
        ("vars(X)['Y'] = df", "vars X df Y", ""),
        ("f'{df}'", "df", ""),
        ("X = await f(df)", "f df", "X"),
    ],
)
def test_reads_and_binds(source, reads, binds):
    (part,) = statements(source)
    assert part.reads == set(reads.split())
    assert part.binds == set(binds.split())


@pytest.mark.parametrize(
    ("source", "surely"),
    [
        ("X = 1", "X"),
        ("if a: X = 1", ""),
        ("if a: X = 1\nelse: X = 2", "X"),
        ("if a: X = 1\nelif b: X = 3\nelse: X = 2", "X"),
        ("if a: X = 1\nelif b: X = 3", ""),
        ("for i in a: X = 1", ""),
        ("while a: X = 1", ""),
        ("with a as b: X = 1", "b X"),
        ("try: X = 1\nexcept E: pass", ""),
        ("try: X = 1\nexcept E: X = 2", "X"),
        ("try: a\nfinally: X = 1", "X"),
        ("match a:\n    case X: pass", ""),
        ("exec('X = 1')", "X"),
        ("if a: exec('X = 1')", ""),
    ],
)
def test_what_is_bound_whichever_way_it_goes(source, surely):
    (part,) = statements(source)
    assert part.surely == set(surely.split())


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("X.append(df)", {"X": ("", False), "df": ("", False)}),
        ("X['a'] = df", {"X": ("X['a']", True)}),
        ("X.a.b = df", {"X": ("X.a.b", True)}),
        ("X[i] = df", {"X": ("", True)}),
        ("X['a'] = X['b'] + df", {"X": ("", True)}),
        ("X['a'] += df", {"X": ("", True)}),
        ("del X['a']", {"X": ("", True)}),
        ("X += df", {"X": ("", False)}),
        ("X.a().b(df)", {"X": ("", False), "df": ("", False)}),
        ("f(X, key=[Y])", {"X": ("", False), "Y": ("", False)}),
        ("f(*X, **Y)", {"X": ("", False), "Y": ("", False)}),
        ("print(X, len(Y))", {}),
        ("Y = X + 1", {}),
        ("for X[0] in df: pass", {"X": ("X[0]", True)}),
    ],
)
def test_changes(source, changes):
    (part,) = statements(source)
    assert {change.name: (change.place, change.is_sure) for change in part.changes} == changes


@pytest.mark.parametrize(
    ("source", "reads_all"),
    [
        ("exec(code)", False),
        ("exec(code())", True),
        ("exec('a = 1')", False),
        ("shell.run_cell(text())", True),
        ("frame.eval(text())", False),
        (LINE.format("run", "-i a.py"), True),
        (LINE.format("run", "a.py"), False),
    ],
)
def test_code_that_is_not_known(source, reads_all):
    assert any(part.reads_all for part in statements(source)) == reads_all


@pytest.mark.parametrize(
    ("source", "bound", "surely"),
    [
        (MAGIC.format("time", "", "X = df\nY = X\n"), {"X", "Y"}, {"X", "Y"}),
        (MAGIC.format("capture", "out --no-stderr", "X = df"), {"X", "out"}, {"X", "out"}),
        (MAGIC.format("timeit", "-n1", "X = df"), set(), set()),
        (LINE.format("time", "X = df"), {"X"}, {"X"}),
        (LINE.format("timeit", "-n 1 -r1 X = df"), set(), set()),
        (LINE.format("prun", "X = df"), {"X"}, {"X"}),
    ],
)
def test_what_a_magic_runs(source, bound, surely):
    parts = statements(source)
    assert "df" in set().union(*(part.reads for part in parts))
    assert set().union(*(part.binds for part in parts)) == bound
    assert set().union(*(part.surely for part in parts)) == surely


@pytest.mark.parametrize("name", ["task", "flow", "graflow"])
def test_our_own_magics_are_no_plain_code(name):
    assert statements(MAGIC.format(name, "a", "X = df")) == ()
    assert statements(LINE.format(name, "run")) == ()


def test_a_text_that_a_magic_runs_is_transformed_too():
    source = MAGIC.format("time", "", "X = %magic df\n")
    (_, part) = statements(source, lambda text: text.replace("%magic df", "magic(df)"))
    assert part.binds == {"X"}


def test_what_is_no_python_has_no_statements():
    assert statements("X = 1 1") == ()
    assert statements("X = '\0'") == ()


def test_words():
    assert words("select a1 from {df} where é > 1") == {"select", "a1", "from", "df", "where", "é"}
