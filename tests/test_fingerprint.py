from __future__ import annotations

import array
import collections
import datetime as dt
import decimal
import enum
import fractions
import functools
import io
import operator
import os
import pathlib
import random
import re
import sqlite3
import subprocess
import sys
import threading
import types
import uuid
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb.incremental.fingerprint import Opaque, fingerprint, measured


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1


class Bits(enum.Flag):
    A = 1
    B = 2


@dataclass
class Point:
    x: int
    tags: list = field(default_factory=list)


class Slots:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)

    def method(self): ...

    def other(self): ...

    @classmethod
    def of_class(cls): ...

    @functools.cached_property
    def total(self):
        return 42


class SlotsAndDict(Slots, Plain):
    __slots__ = ()


class Pair(collections.namedtuple("PairBase", "a b")):  # noqa: PYI024, SLOT002
    pass


class MyDict(dict):
    pass


class MyInt(int):
    pass


def nothing():
    yield


def one(x=1):
    return x


def two(x=1):
    return x + 1


def closure(value):
    return lambda: value


def recursive(items):
    items.append(items)
    return items


def shared(a, b):
    return [a, b]


# Each pair: two ways to the same content.
EQUAL = [
    (lambda: None, lambda: None),
    (lambda: float("nan"), lambda: float("nan")),
    (lambda: "a" * 3, lambda: "aaa"),
    (lambda: 10**40, lambda: 10**39 * 10),
    (lambda: [1, "a", (2.0, None)], lambda: [1, "a", (2.0, None)]),
    (lambda: {3, 1, 2}, lambda: {2, 3, 1}),
    (lambda: set(range(0, 2000, 7)), lambda: set(range(1995, -1, -7))),
    (lambda: frozenset("abc"), lambda: frozenset("cba")),
    (lambda: {frozenset({1, 2}), (3, "x")}, lambda: {(3, "x"), frozenset({2, 1})}),
    (lambda: {"a": [1]}, lambda: {"a": [1]} | {}),
    (lambda: recursive([1]), lambda: recursive([1])),
    (lambda: Point(1, [2]), lambda: Point(1, [2])),
    (lambda: Slots(1), lambda: Slots(1)),
    (lambda: Plain(a=1), lambda: Plain(a=1)),
    (lambda: Pair(1, 2), lambda: Pair(1, 2)),
    (lambda: Colour.RED, lambda: Colour(1)),
    (lambda: Bits.A | Bits.B, lambda: Bits(3)),
    (lambda: functools.partial(one, 1), lambda: functools.partial(one, 1)),
    (lambda: lambda x: x + 1, lambda: lambda x: x + 1),
    (lambda: closure([1]), lambda: closure([1])),
    (lambda: Plain(a=1).method, lambda: Plain(a=1).method),
    (lambda: operator.itemgetter(1), lambda: operator.itemgetter(1)),
    (lambda: re.compile("a+", re.IGNORECASE), lambda: re.compile("a+", re.IGNORECASE)),
    (lambda: pathlib.Path("a/b"), lambda: pathlib.Path("a") / "b"),
    (lambda: dt.date(2020, 1, 2), lambda: dt.date(2020, 1, 1) + dt.timedelta(1)),
    (lambda: decimal.Decimal("1.5"), lambda: decimal.Decimal("1.5")),
    (lambda: random.Random(1), lambda: random.Random(1)),
    (lambda: types.MappingProxyType({"a": 1}), lambda: types.MappingProxyType({"a": 1})),
    (lambda: memoryview(b"abc"), lambda: memoryview(b"xabc")[1:]),
    (lambda: np.arange(4), lambda: np.array([0, 1, 2, 3])),
    (lambda: np.arange(8)[::2], lambda: np.array([0, 2, 4, 6])),
    (lambda: np.arange(4)[::-1], lambda: np.array([3, 2, 1, 0])),
    (lambda: np.array([1, "a", None], object), lambda: np.array([1, "a", None], object)),
    (lambda: np.array(["x", None, "yy"], object)[::-1], lambda: np.array(["yy", None, "x"], object)),
    (lambda: np.float64(1), lambda: np.array([1.0])[0]),
    (lambda: np.random.default_rng(1), lambda: np.random.default_rng(1)),
    (lambda: pd.DataFrame({"a": [1, 2]}), lambda: pd.DataFrame([[1], [2]], columns=["a"])),
    (lambda: pd.DataFrame({"a": [1, 2, 3]})[1:].reset_index(drop=True), lambda: pd.DataFrame({"a": [2, 3]})),
    (lambda: pd.Series([1, 2], name="s"), lambda: pd.DataFrame({"s": [1, 2]})["s"]),
    (lambda: pd.Series(["a", None]), lambda: pd.Series(["a", None])),
    (lambda: pd.Timestamp("2020-01-01"), lambda: pd.Timestamp(2020, 1, 1)),
]

# Groups of values that must all differ from one another.
DIFFERENT = {
    "ones": [1, True, 1.0, 1 + 0j, "1", b"1", bytearray(b"1"), MyInt(1), Level.LOW, decimal.Decimal(1),
             fractions.Fraction(1), np.int64(1), np.int32(1), np.float64(1), np.bool_(1), np.array(1), np.array([1])],
    "nothings": [None, 0, False, 0.0, -0.0, "", b"", (), [], {}, set(), frozenset(), ..., NotImplemented,
                 collections.OrderedDict(), MyDict(), range(0), np.array([]), float("nan"), pd.NaT, pd.NA, object()],
    "containers": [[1, 2], (1, 2), {1, 2}, frozenset({1, 2}), {1: 2}, [[1, 2]], [1, [2]], [1, 2, None], [2, 1],
                   Pair(1, 2), array.array("i", [1, 2]), array.array("d", [1, 2]), collections.deque([1, 2]),
                   collections.deque([1, 2], 2), np.array([1, 2]), range(1, 3), "12", {"1": 2}, [1, 2.0], iter([1, 2])],
    "dicts": [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1}, {"a": 1, "b": 3}, {"a": 2, "b": 1}, MyDict(a=1, b=2),
              collections.OrderedDict(a=1, b=2), types.MappingProxyType({"a": 1, "b": 2}),
              collections.defaultdict(int, a=1, b=2), collections.defaultdict(list, a=1, b=2)],
    "boundaries": [["ab", "c"], ["a", "bc"], ["abc"], ["a", "b", "c"], "abc", [b"ab", b"c"], [["ab"], "c"], "a\0b"],
    "texts": ["\ud800", "?", "é", "e\N{COMBINING ACUTE ACCENT}", "É"],
    "cycles": [recursive([]), [recursive([])], recursive([1]), [], [[]]],
    "sharing": [shared(*[[]] * 2), shared([], [])],
    "enums": [Colour.RED, Colour.BLUE, Level.LOW, Bits.A, Bits.A | Bits.B, Bits(0), Colour, Level, "RED"],
    "objects": [Plain(a=1), Plain(a=2), Plain(b=1), Plain(a=1, b=1), Slots(1), Slots(2), SlotsAndDict(1), Point(1),
                Point(1, [1]), Point(2), Plain(), {"a": 1}],
    "functions": [one, two, lambda x=1: x + 2, lambda x=2: x + 2, closure(1), closure(2), closure([1]), closure(one),
                  closure(two), functools.partial(one), functools.partial(two), functools.partial(one, 1),
                  functools.partial(one, x=1), len, max, [].append, [1].append, Plain(a=1).method, Plain(a=2).method,
                  Plain(a=1).other, Plain.method, Plain.of_class, "one", operator.itemgetter(1), operator.itemgetter(2),
                  functools.lru_cache(one), functools.lru_cache(two), os.path.join, pathlib.Path.exists],
    "types": [int, bool, Plain, Slots, Point, Pair, list, list[int], list[str], int | str, type(None), type],
    "modules": [os, sys, np, pd],
    "texts of libraries": [re.compile("a"), re.compile("a", re.IGNORECASE), re.compile("b"), re.compile(b"a"), uuid.UUID(int=1),
                           uuid.UUID(int=2), pathlib.Path("a"), pathlib.Path("b"), pathlib.PurePosixPath("a")],
    "times": [dt.date(2020, 1, 1), dt.datetime(2020, 1, 1), dt.timedelta(1), dt.time(1),
              dt.datetime(2020, 1, 1, tzinfo=dt.UTC), np.datetime64("2020-01-01"),
              np.datetime64("2020-01-01", "s"), pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-01", tz="UTC")],
    "dtypes": [np.zeros(4, kind) for kind in ("i1", "u1", "?", "i4", "u4", "f4", ">i4", ">f4", "S1", "S4", "U1", "V1",
                                              "V4", "M8[s]", "M8[ms]", "m8[s]", "c8", object)],
    "shapes": [np.arange(6), np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2), np.arange(6).reshape(1, 6),
               np.arange(6).reshape(2, 3).T, np.asfortranarray(np.arange(6).reshape(2, 3)), np.arange(6).tolist(),
               np.zeros((0, 3)), np.zeros((3, 0)), np.zeros(0), np.ma.array(np.arange(6)),
               np.ma.array(np.arange(6), mask=[1, 0, 0, 0, 0, 0]), np.arange(6).view(np.recarray)],
    "views of objects": [np.array([[1, 0, 2, 0], [3, 0, 4, 0]], object)[:, ::2],
                         np.array([[1, 0, 2, 0], [3, 0, 4, 0]], object)[:, ::2].T,
                         np.array([[1, 2], [3, 4]], object).T, np.array([[1, 2], [4, 3]], object)],
    "structured": [np.array([(1, 2)], kind) for kind in ([("a", "i4"), ("b", "i4")], [("a", "i4"), ("c", "i4")],
                                                        [("a", "i4"), ("b", "f4")], [("b", "i4"), ("a", "i4")])],
    "texts of numpy": [np.array(["a", "bb"]), np.array(["a", "bc"]), np.array(["a", "bb"], object),
                       np.array(["ab", "b"], object), np.array(["a", "bb"], "U5"),
                       np.array(["x" * 50], np.dtypes.StringDType()), np.array(["y" * 50], np.dtypes.StringDType())],
    "generators": [np.random.default_rng(1), np.random.default_rng(2), np.random.RandomState(1), random.Random(1)],
    "frames": [
        pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"b": [1, 2]}), pd.DataFrame({"a": [1, 3]}),
        pd.DataFrame({"a": [1.0, 2.0]}), pd.DataFrame({"a": [1, 2]}, index=[1, 2]),
        pd.DataFrame({"a": [1, 2]}, index=["x", "y"]), pd.DataFrame({"a": [1, 2]}).rename_axis("i"),
        pd.DataFrame({"a": [1, 2]}).rename_axis("i", axis=1), pd.DataFrame({"a": ["1", "2"]}),
        pd.DataFrame({"a": [1, 2]}, dtype="Int64"), pd.DataFrame({"a": [1, 2]}, dtype="category"),
        pd.DataFrame({"a": [1, 2]}, dtype=object), pd.DataFrame({"a": [1, 2], "b": [1, 2]}), pd.DataFrame(),
        pd.DataFrame({"a": [2, 1]}), pd.DataFrame([[1, 1]], columns=["a", "a"]), pd.DataFrame({"a": [None, 2]}),
        pd.Series([1, 2]), pd.Series([1, 2], name="a"), pd.Index([1, 2]), pd.Index([1, 2], name="a"),
        pd.RangeIndex(1, 3), pd.MultiIndex.from_tuples([(1, 2)]), pd.DataFrame({1: [1, 2]}),
    ],
    "categories": [pd.Series(["a"], dtype=pd.CategoricalDtype(kinds, ordered))
                   for kinds in (["a"], ["a", "b"], ["b", "a"]) for ordered in (False, True)],
}  # fmt: skip

OPAQUE = {
    "generator": lambda: nothing(),
    "file": lambda: io.TextIOWrapper(io.BytesIO()),
    "connection": lambda: sqlite3.connect(":memory:"),
    "thread": lambda: threading.Thread(target=print),
    "frame": sys._getframe,
    "deep": lambda: functools.reduce(lambda inner, _: [inner], range(100_000), []),
    "in a list": lambda: [1, nothing()],
    "in a dict": lambda: {"key": nothing()},
    "in an object": lambda: Plain(lock=nothing()),
    "in a closure": lambda: closure(nothing()),
    "in a partial": lambda: functools.partial(one, nothing()),
    "in an array": lambda: np.array([nothing()], object),
    "in a frame": lambda: pd.DataFrame({"a": [nothing()]}),
    "in attrs": lambda: with_attrs(lock=nothing()),
    "a method of": lambda: nothing().send,
    "a set of": lambda: {nothing()},
    "not reducible": lambda: Unreducible(ValueError()),
    "wrongly reduced": lambda: Unreducible((Plain, (), None, 5)),
    "reduced to its name": lambda: Unreducible("NAME"),
}


class Unreducible:
    def __init__(self, answer):
        self.answer = answer

    def __reduce_ex__(self, protocol):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def with_attrs(**attrs) -> pd.DataFrame:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs.update(attrs)
    return frame


@pytest.mark.parametrize("make", EQUAL)
def test_equal_content_has_an_equal_fingerprint(make):
    one, other = (way() for way in make)
    assert fingerprint(one) == fingerprint(other) == fingerprint(one)
    assert len(fingerprint(one)) == 16


@pytest.mark.parametrize("group", DIFFERENT)
def test_different_content_has_a_different_fingerprint(group):
    prints = {}
    for value in DIFFERENT[group]:
        same = prints.setdefault(fingerprint(value), value)
        assert same is value, f"{value!r} and {same!r}"


@pytest.mark.parametrize("name", OPAQUE)
def test_what_has_no_content_has_no_fingerprint(name):
    with pytest.raises(Opaque):
        fingerprint(OPAQUE[name]())


def test_a_lock_holds_no_data():
    assert fingerprint(threading.Lock()) == fingerprint(threading.Lock()) != fingerprint(threading.RLock())


def test_opaque_names_what_it_is():
    with pytest.raises(Opaque, match=r"^generator$"):
        fingerprint([1, {"a": nothing()}])


# -- types of one's own


class Model:
    def __init__(self, weights, content=None):
        self.weights, self.content, self.log = weights, content, nothing()

    def __graflow_fingerprint__(self):
        if isinstance(self.content, Exception):
            raise self.content
        return self.weights if self.content is None else self.content


class OtherModel(Model):
    pass


class ModelDict(dict):
    def __graflow_fingerprint__(self):
        return self["weights"]


def test_a_class_says_what_stands_for_its_content():
    assert fingerprint(Model([1])) == fingerprint(Model([1]))
    values = [Model([1]), Model([2]), Model((1,)), [1], OtherModel([1]), Model([[1]]), Model([Model([1])])]
    assert len({fingerprint(value) for value in values}) == len(values)
    assert fingerprint(ModelDict(weights=1, log=nothing())) == fingerprint(ModelDict(weights=1))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (ZeroDivisionError("by zero"), r"^.*Model \(its fingerprint failed: ZeroDivisionError: by zero\)$"),
        (Opaque("a secret"), "^a secret$"),
        (nothing(), "^generator$"),
    ],
    ids=["raises", "opaque", "without content"],
)
def test_what_stands_for_nothing_is_opaque(content, reason):
    with pytest.raises(Opaque, match=reason):
        fingerprint([Model([1], content)])


def test_a_class_that_stands_for_itself_is_opaque():
    value = Model([1])
    value.content = value
    with pytest.raises(Opaque, match="itself"):
        fingerprint(value)


def test_registering_says_what_stands_for_the_content():
    class Money:
        def __init__(self, cents):
            self.cents, self.counted = cents, nothing()

    class Dollars(Money):
        pass

    with pytest.raises(Opaque):
        fingerprint(Money(1))

    @fingerprint.register(Money)
    def content(money):
        return {"cents": 100 // money.cents}

    assert content(Money(50)) == {"cents": 2}
    assert fingerprint(Money(50)) == fingerprint(Money(49)) != fingerprint(Money(20))
    assert len({fingerprint(value) for value in (Money(1), Dollars(1), {"cents": 100}, Money(2))}) == 4
    with pytest.raises(Opaque, match="Money \\(its fingerprint failed: ZeroDivisionError"):
        fingerprint([Money(0)])


def test_registering_goes_before_what_the_package_does():
    code = """
import datetime, pandas as pd
from graflow_nb import fingerprint
@fingerprint.register(pd.DataFrame, datetime.date)
def nothing(value):
    return None
print(fingerprint(pd.DataFrame({"a": [1]})) == fingerprint(pd.DataFrame()), end=" ")
print(fingerprint(datetime.date(2020, 1, 1)) == fingerprint(datetime.date.today()))
"""
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout == "True True\n"


def test_the_size_is_counted():
    digest, size = measured({"a": np.zeros(1000), "b": "x" * 1000})
    assert digest == fingerprint({"a": np.zeros(1000), "b": "x" * 1000})
    assert 9000 < size < 9200


def test_threads_agree():
    code = """
import threading, numpy as np, pandas as pd
from graflow_nb import fingerprint
found, together = [], threading.Barrier(8)
def work():
    frame = pd.DataFrame({"a": [1, 2], "s": ["x", "y"]})
    together.wait()
    found.append(fingerprint(frame))
threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(set(found)), len(found))
"""
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout == "1 8\n"


# -- any value


ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
KEYS = st.text(max_size=3) | st.integers() | st.booleans()
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=3)
        | st.sets(ATOMS, max_size=3)
    ),
    max_leaves=8,
)


def typed(value):
    """Return a value's content as text in which everything is tagged: an oracle, slow and plain."""
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({','.join(map(typed, value))})"
    if isinstance(value, dict):
        return f"dict({','.join(f'{typed(key)}:{typed(item)}' for key, item in value.items())})"
    if isinstance(value, set):
        return f"set({','.join(sorted(map(typed, value)))})"
    return f"{type(value).__name__}:{value!r}"


@given(VALUES, VALUES)
def test_fingerprints_agree_exactly_where_the_content_does(one, other):
    assert (fingerprint(one) == fingerprint(other)) == (typed(one) == typed(other))


@given(VALUES)
def test_a_copy_has_the_same_fingerprint(value):
    assert fingerprint(rebuilt(value)) == fingerprint(value)


def rebuilt(value):
    if isinstance(value, list | tuple):
        return type(value)([rebuilt(item) for item in value])
    if isinstance(value, dict):
        return {key: rebuilt(item) for key, item in value.items()}
    return set(reversed(list(value))) if isinstance(value, set) else value


@given(st.lists(st.integers(), unique=True, max_size=30), st.randoms())
def test_the_order_of_a_set_does_not_count(items, rng):
    shuffled = list(items)
    rng.shuffle(shuffled)
    assert fingerprint(set(items)) == fingerprint(set(shuffled))


# -- across processes


ACROSS = """
import collections, datetime, decimal, enum, functools, pathlib, re, types, uuid, zoneinfo
import numpy as np, pandas as pd
from graflow_nb.incremental.fingerprint import fingerprint
class Colour(enum.Enum):
    RED = 1
class Plain:
    def __init__(self): self.a = {"x", "y", "z"}
    def method(self): return self.a in ({"p", "q"}, "r")
class MySet(set): pass
class Cached:
    @functools.cached_property
    def total(self): return {"x", "y"}
def helper(x, *, y={"k", "l"}): return x in {"a", "b", "c"}
def other(x): return helper(x) and re.compile("a")
values = [
    {"a", "b", "c", "d"}, frozenset("efgh"), {"k": {"l", "m"}}, {("a", 1), ("b", 2)}, Colour, Colour.RED, {Colour.RED},
    Plain, Plain(), Plain().method, helper, other, {helper, other}, functools.partial(other, x={"s", "t"}), {int, str},
    np.arange(3), np.array(["a", None], object), pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
    pd.Series(["a", "b"], dtype="category"), datetime.datetime(2020, 1, 1), collections.Counter("abca"), np.sin, len,
    MySet(["x", "y", "z"]), MySet([frozenset("abc"), ("b", 2)]), decimal.Decimal("1.5"), uuid.UUID(int=1), pathlib.Path("a"),
    zoneinfo.ZoneInfo("UTC"), np.random.default_rng(1), ValueError({"p", "q"}), pd.MultiIndex.from_product([["a"], [1]]),
    np.array(["a", 1, None, "b"], object), pd.Series([{"s", "t"}, "x"]), Cached(), types.SimpleNamespace(a={"u", "v"}),
]
values[-2].total
print(*[fingerprint(value).hex() for value in values])
"""


def test_fingerprints_are_the_same_in_every_process():
    printed = set()
    for seed in ("0", "1", "12345"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run([sys.executable, "-c", ACROSS], check=True, capture_output=True, text=True, env=env)
        printed.add(run.stdout)
    assert len(printed) == 1
    prints = printed.pop().split()
    assert len(prints) == len(set(prints)) == 36


FIRST = """
import datetime, fractions, pathlib, networkx, numpy as np, pandas as pd
from graflow_nb import fingerprint
shared = [1]
values = [
    lambda: [np.float64(1), shared, shared], lambda: [(np.int8(1), "a"), shared, shared], lambda: [pd.Timestamp("2020"), shared, shared],
    lambda: [(pd.NaT, (np.dtype("f4"),)), shared, shared], lambda: [pd.Index([1, 2]), shared, shared], lambda: [np.arange(3), shared, shared],
    lambda: [pd.DataFrame({"a": [1, 2]}), shared, shared], lambda: [(fractions.Fraction(1), pathlib.Path("a")), shared, shared],
    lambda: [networkx.path_graph(3), shared, shared], lambda: [[1], (datetime.date(2020, 1, 1), [2]), shared, shared],
]
made = VALUE
print(fingerprint(values[made]()) == fingerprint(values[made]()))
"""


@pytest.mark.parametrize("value", range(10))
def test_the_first_value_of_a_library_is_like_the_next(value):
    code = FIRST.replace("VALUE", str(value))
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout == "True\n"


# -- looking is no change


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {"n": [1, 2, 3], "f": [0.5, None, 2.0], "s": ["a", "b", None], "b": [True, False, True]},
        index=pd.Index(["x", "y", "z"], name="i"),
    ).assign(c=lambda f: f["s"].astype("category"), t=pd.date_range("2020", periods=3))


READS = {
    "a column": lambda f: f["n"].sum(),
    "rows": lambda f: (f.loc["x"], f.iloc[1], f[f["n"] > 1], f.query("n > 1")),
    "values": lambda f: (f.to_numpy(), f[["n", "f"]].to_numpy(), f["n"].array),
    "statistics": lambda f: (f.describe(), f.mean(numeric_only=True), f["n"].std()),
    "groups": lambda f: f.groupby("b")["n"].agg(["sum", "max"]),
    "its repr": lambda f: (repr(f), f._repr_html_(), f.info(buf=io.StringIO())),
    "its index": lambda f: (f.index.is_unique, f.index.get_loc("y"), f.columns.get_indexer(["n"]), "x" in f.index),
    "a join": lambda f: (f.merge(f, on="n"), pd.concat([f, f])),
    "sorting": lambda f: (f.sort_values("f"), f.sort_index(), f["n"].rank()),
    "dates": lambda f: (f["t"].dt.year, f.set_index("t").resample("D").first()),
    "texts": lambda f: (f["s"].str.upper(), f["c"].cat.codes),
    "iteration": lambda f: (list(f.itertuples()), list(f.items()), [*f]),
    "a copy": lambda f: (f.copy(), f.T, f.astype(str), f.isna(), f.dtypes, f.memory_usage(deep=True)),
    "its hash": pd.util.hash_pandas_object,
    "fingerprint": fingerprint,
}


@pytest.mark.parametrize("read", READS)
def test_reading_a_frame_changes_nothing(read):
    read_frame = frame()
    before = fingerprint(read_frame)
    READS[read](read_frame)
    assert fingerprint(read_frame) == before == fingerprint(frame())


WRITES = {
    "a cell": lambda f: f.loc.__setitem__(("x", "n"), 9),
    "a column": lambda f: f.__setitem__("new", 1),
    "a column gone": lambda f: f.pop("n"),
    "a name": lambda f: setattr(f, "columns", [*"mfsbct"]),
    "the index": lambda f: setattr(f, "index", [1, 2, 3]),
    "the order": lambda f: f.insert(0, "n", f.pop("n")) or f.insert(1, "s", f.pop("s")),
    "attrs": lambda f: f.attrs.update(unit="kg"),
    "a flag": lambda f: setattr(f.flags, "allows_duplicate_labels", False),
    "a gap": lambda f: f.loc.__setitem__(("y", "f"), 0.0),
    "the name of the index": lambda f: setattr(f.index, "name", "j"),
}


@pytest.mark.parametrize("write", WRITES)
def test_writing_to_a_frame_is_seen(write):
    written = frame()
    WRITES[write](written)
    assert fingerprint(written) != fingerprint(frame())


def test_a_subclass_of_a_frame_counts_with_what_it_holds_beside():
    class Measured(pd.DataFrame):
        _metadata = ["unit"]  # noqa: RUF012

    def measured(unit):
        made = Measured({"a": [1]})
        made.unit = unit
        return made

    assert fingerprint(measured("kg")) == fingerprint(measured("kg"))
    assert len({*map(fingerprint, (measured("kg"), measured("g"), pd.DataFrame({"a": [1]})))}) == 3


@pytest.mark.parametrize("make", [lambda: Plain(a=1), lambda: SlotsAndDict(1)], ids=["dict", "dict and slots"])
def test_reading_a_cached_property_changes_nothing(make):
    value = make()
    before = fingerprint(value)
    assert value.total == 42
    assert fingerprint(value) == before


def test_writing_where_no_cache_is_counts():
    value = Plain(a=1)
    before = fingerprint(value)
    value.other_total = 42
    assert fingerprint(value) != before


@pytest.mark.parametrize("make", [lambda: iter([1, 2]), lambda: map(str, [1, 2])])
def test_an_iterator_that_was_used_is_another(make):
    value = make()
    before = fingerprint(value)
    next(value)
    assert fingerprint(value) != before


def test_hashing_a_view_does_not_hash_what_it_does_not_show():
    base = np.arange(10)
    view = base[::2]
    before = fingerprint(view)
    base[1] = 99
    assert fingerprint(view) == before
    base[2] = 99
    assert fingerprint(view) != before


def test_figures_change_by_being_looked_at_so_they_are_opaque():
    from matplotlib.figure import Figure

    with pytest.raises(Opaque, match=r"matplotlib\.figure\.Figure"):
        fingerprint(Figure())


def test_a_large_array_is_hashed_whole():
    one, other = np.zeros(1_000_000, "u1"), np.zeros(1_000_000, "u1")
    other[777_777] = 1
    assert fingerprint(one) != fingerprint(other)
