"""The books on what plain cells made: a namespace, results that change, and cells that are run on it by hand."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graflow_nb.core.call import Produced
from graflow_nb.core.graph import TaskGraph
from graflow_nb.notebook.derived import Derived
from graflow_nb.notebook.origins import Source


class Book:
    """A namespace with one result, `df` of task `load`, and what follows its cells.

    Attributes
    ----------
    number : int
        Of the last cell.
    """

    def __init__(self):
        self.graph, self.number = TaskGraph(), 0
        self.ns = {}
        self.published = {}
        self.derived = Derived(self.ns, self.sources, lambda _: (), lambda: bool(self.published))

    def publish(self, value, variable="df"):
        produced = Produced("load", {variable: value}, {variable: b"%r" % (value,)})
        self.published[variable] = Source(self.graph, "load", variable, produced)
        self.ns[variable] = value

    def sources(self):
        return {n: s for n, s in self.published.items() if self.ns.get(n) is s.produced.get(n)}

    def __call__(self, source):
        self.number += 1
        self.derived.begin(self.number, source)
        success = True
        try:
            exec(compile(source, "<cell>", "exec"), self.ns)
        except ZeroDivisionError:
            success = False
        self.derived.end(success=success)

    def behind(self, name="X"):
        return [(b.task, b.variable, b.seen, tuple(b.where)) for b in self.derived.behind([name], self.graph)]


@pytest.fixture
def book():
    book = Book()
    book("early = []")
    book.publish([1])
    return book


def test_what_is_recorded(book):
    book("X = sum(df)")
    assert book.behind() == [("load", "df", b"[1]", (2,))]
    assert book.derived


def test_nothing_is_recorded_where_nothing_is_read(book):
    book("X = 1")
    assert book.behind() == []
    assert not book.derived


def test_the_cells_on_the_way(book):
    book("A = df")
    book("B = [A]")
    book("X = [B]")
    assert book.behind() == [("load", "df", b"[1]", (2, 3, 4))]
    book("A = df")
    assert book.behind() == [("load", "df", b"[1]", (3, 4))]


def test_a_cell_of_before_the_first_result_counts_as_where_it_began(book):
    book("early.append(df)")
    assert book.behind("early") == [("load", "df", b"[1]", (1, 2))]


def test_results_of_several_times(book):
    book("X = [df]")
    book.publish([2])
    book("X.append(df)")
    assert [seen for _, _, seen, _ in book.behind()] == [b"[1]", b"[2]"]


def test_another_graphs_results_are_not_behind_it(book):
    book("X = df")
    assert book.derived.behind(["X"], TaskGraph()) == []


def test_what_stands_there_from_elsewhere_was_made_by_no_cell(book):
    book("X = [df]")
    book.ns["X"] = [5]
    assert book.behind() == []
    book("pass")
    assert not book.derived


@pytest.mark.parametrize("cell", ["1 / 0\nX = [df]", "1 / 0\nX = [7]", "if False: X = [7]", "Y = 1"])
def test_what_a_cell_may_not_have_reached_stays(book, cell):
    book("X = [df]")
    book.publish([2])
    book(cell)
    assert (b"[1]", (2,)) in [(seen, where) for _, _, seen, where in book.behind()]


@pytest.mark.parametrize("cell", ["X = [df]\n1 / 0", "if True: X = [df]", "for _ in 'ab': X = [df]"])
def test_what_it_did_reach_is_new(book, cell):
    book("X = ['old', df]")
    book.publish([2])
    book(cell)
    assert book.behind() == [("load", "df", b"[2]", (3,))]


@pytest.mark.parametrize("cell", ["if False: X['a'] = 1", "1 / 0\nX['a'] = 1", "X['b'] = 1"])
def test_an_item_that_was_not_assigned_is_what_it_was(book, cell):
    book("X = {}\nX['a'] = df")
    book(cell)
    assert book.behind() == [("load", "df", b"[1]", (2,))]


def test_a_new_object_of_equal_content_is_new(book):
    book("X = [1]")
    book("X = []\nX.append(df[0])")
    assert book.ns["X"] == [1]
    assert [seen for _, _, seen, _ in book.behind()] == [b"[1]"]


def test_a_run_in_the_middle(book):
    def run():
        book.derived.pause(2)
        book.publish([2])
        book.ns["df"] = [2]
        book.published["df"] = book.published["df"]._replace(
            produced=Produced("load", {"df": book.ns["df"]}, {"df": b"[2]"})
        )
        book.derived.resume()

    book.ns["run"] = run
    book("A = df\nrun()\nB = df")
    assert [seen for _, _, seen, _ in book.behind("A")] == [b"[1]"]
    assert [seen for _, _, seen, _ in book.behind("B")] == [b"[2]"]


def test_a_cell_in_a_cell(book):
    def inner():
        book.derived.begin(99, "X = df")
        book.ns["X"] = book.ns["df"]
        book.derived.end(success=True)

    book.ns["inner"] = inner
    book("inner()")
    assert book.behind() == [("load", "df", b"[1]", (2,))]


def test_what_never_started_did_nothing(book):
    book("X = [df]")
    book.derived.begin(3, "X = 1")
    book.derived.end(success=False, started=False)
    assert book.behind() == [("load", "df", b"[1]", (2,))]


def test_ends_and_runs_without_a_cell_are_nobodys(book):
    book.derived.end(success=True)
    book.derived.pause(1)
    book.derived.resume()
    assert not book.derived


def test_names_that_plain_cells_assigned(book):
    book("X = Y = df\nZ = 1")
    assert {"X", "Y", "Z"} <= book.derived.taken
    book("del Y")
    assert "Y" not in book.derived.taken
    assert book.derived.names_of(book.ns["X"]) == ["X"]


NAMES = st.sampled_from(["A", "B", "C"])
READS = st.sampled_from(["A", "B", "C", "df", "df", "()"])
BINDS = st.sampled_from([
    "{0} = {1} + {2}",
    "{0}, other = {1} + {2}, 1",
    "if nothing: {0} = {2} + ()",
    "if (): {0} = {1}\nelse: {0} = {2}",
    "for _ in 'ab': {0} = (*{1}, *{2})",
    "with nothing: {0} = {1} + {2}",
    "globals()['{0}'] = {1} + {2}",
    "exec('{0} = {1} + {2}')",
    "def f(): return {1}\n{0} = f() + {2}",
    "def f():\n    global {0}\n    {0} = {1} + {2}\nf()",
    "_t = {1}\n{0} = _t + {2}\ndel _t",
    "{0} = tuple(v for v in {1} + {2})",
    "{0} += {1}",
    "try: {0} = {1} + {2}\nexcept ValueError: pass",
    "{0} = tuple(map(lambda v: v, {1} + {2}))",
    "1 / 0\n{0} = {1}",
    "{0} = {1} + {2}\n1 / 0",
    "if (): {0} = {1} + {2}",
    "import contextlib",
])  # fmt: skip
CELLS = st.builds(str.format, BINDS, NAMES, READS, READS)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(CELLS, st.just("publish")), max_size=15))
def test_what_holds_something_old_is_known_for_any_cells(cells):
    """Every value says itself what it was made from: it is the tuple of the results that went into it."""
    book = Book()
    book.ns.update(A=(), B=(), C=(), nothing=contextlib.nullcontext())
    book.publish((100_000,))
    now = 100_000
    for cell in cells:
        if cell == "publish":
            now += 1
            book.publish((now,))
        else:
            book(cell)
        for name in "ABC":
            made_from = {seen for _, _, seen, _ in book.behind(name)}
            assert {b"(%d,)" % version for version in book.ns[name]} <= made_from


@settings(max_examples=300, deadline=None)
@given(st.lists(CELLS.filter(lambda cell: "1 / 0" not in cell), max_size=10))
def test_running_all_cells_again_makes_everything_new_for_any_cells(cells):
    book = Book()
    book.publish((1,))
    for version in (1, 2):
        book.publish((version,))
        for cell in ("import contextlib\nnothing = contextlib.nullcontext()\nA = B = C = ()", *cells):
            book(cell)
    assert {seen for name in "ABC" for _, _, seen, _ in book.behind(name)} <= {b"(2,)"}
