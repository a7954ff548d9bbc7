from __future__ import annotations

import array
import collections
import copy
import datetime as dt
import enum
import functools
import io
import itertools
import pathlib
import pickle
import sqlite3
import subprocess
import sys
import threading
import types
import weakref
import zoneinfo
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from uuid import UUID, SafeUUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb.incremental.fingerprint import Hasher, Opaque, fingerprint, measured
from graflow_nb.incremental.values import builtin
from graflow_nb.incremental.values.builtin import feed_items


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Forgetful(Plain):
    def __getstate__(self):
        return {name: item for name, item in self.__dict__.items() if name != "secret"}


class ForgetfulReduce(Plain):
    def __reduce__(self):
        return ForgetfulReduce, ()


class ForgetfulSlots:
    __slots__ = ("__private", "secret")

    def __init__(self, secret=None, private=None):
        self.secret, self.__private = secret, private

    def __getstate__(self):
        return None


class ForgetfulChild(ForgetfulSlots):
    __slots__ = ("other",)


class ForgetfulDict(dict):
    def items(self):
        return iter(())

    def __iter__(self):
        return iter(())

    def __reduce__(self):
        return ForgetfulDict, ()


class ForgetfulList(list):
    def __iter__(self):
        return iter(())


class ForgetfulSet(set):
    def __iter__(self):
        return iter(())


class ForgetfulInt(int):
    def __getnewargs__(self):
        return (0,)

    def __reduce__(self):
        return ForgetfulInt, ()


class ForgetfulText(str):
    __slots__ = ()

    def __reduce__(self):
        return ForgetfulText, ()


class ForgetfulTuple(tuple):
    __slots__ = ()

    def __reduce__(self):
        return ForgetfulTuple, ()


class ForgetfulBytes(bytearray):
    def __reduce__(self):
        return ForgetfulBytes, ()


class Problem(Exception):
    def __init__(self, code):
        super().__init__("always the same")
        self.code = code

    def __reduce__(self):
        return Problem, (0,)


class MySet(set): ...


class MyFrozenSet(frozenset): ...


class MyDate(dt.date): ...


class MyArray(array.array): ...


class Made:
    def __init__(self, unit):
        self.unit = unit

    def __reduce__(self):
        return made, ()


class OtherMade(Made): ...


def made():
    return Made(None)


class Planet(enum.Enum):
    EARTH = 1


@dataclass(frozen=True)
class Frozen:
    x: int
    tags: tuple = ()


@dataclass(slots=True)
class Slotted:
    x: int
    tags: list = field(default_factory=list)


def with_attribute(value, **attributes):
    for name, item in attributes.items():
        setattr(value, name, item)
    return value


def raised(error, cause=None, context=None):
    error.__cause__, error.__context__ = cause, context
    return error


# Two of each: what a class does not tell pickle counts all the same.
HIDDEN = {
    "__getstate__": [Forgetful(a=1, secret=1), Forgetful(a=1, secret=2), Forgetful(a=1)],
    "__reduce__": [ForgetfulReduce(a=1), ForgetfulReduce(a=2)],
    "slots": [ForgetfulSlots(1), ForgetfulSlots(2), ForgetfulSlots(1, 2)],
    "slots of a base": [with_attribute(ForgetfulChild(1), other=i) for i in range(2)] + [ForgetfulChild(2)],
    "a dict": [ForgetfulDict(a=1), ForgetfulDict(a=2), ForgetfulDict()],
    "a list": [ForgetfulList([1]), ForgetfulList([2])],
    "a set": [ForgetfulSet([1]), ForgetfulSet([2])],
    "an int": [ForgetfulInt(1), ForgetfulInt(2)],
    "a text": [ForgetfulText("a"), ForgetfulText("b")],
    "a tuple": [ForgetfulTuple("a"), ForgetfulTuple("b")],
    "a bytearray": [ForgetfulBytes(b"a"), ForgetfulBytes(b"b")],
    "an attribute of a dict": [with_attribute(ForgetfulDict(), note=i) for i in range(2)],
    "an attribute of an array": [with_attribute(MyArray("i", [1]), note=i) for i in range(2)],
    "the class": [Made(1), OtherMade(1)],
    "an attribute of a date": [with_attribute(MyDate(2020, 1, 1), note=i) for i in range(2)],
    "an attribute of a set": [with_attribute(MySet([1]), note=i) for i in range(2)],
    "an attribute of an exception": [Problem(1), Problem(2)],
    "an attribute of an attribute": [Plain(a=Forgetful(secret=i)) for i in range(2)],
}


@pytest.mark.parametrize("values", HIDDEN.values(), ids=HIDDEN)
def test_nothing_of_ones_own_is_hidden(values):
    prints = [fingerprint(value) for value in values]
    assert len(set(prints)) == len(values)
    assert [fingerprint(value) for value in values] == prints


def test_what_one_leaves_out_may_make_an_object_opaque():
    with pytest.raises(Opaque, match="generator"):
        fingerprint(Forgetful(secret=(n for n in [1])))


@pytest.mark.parametrize("kind", [set, frozenset, MySet, MyFrozenSet, ForgetfulSet])
def test_the_order_of_a_set_of_ones_own_does_not_count(kind):
    assert fingerprint(kind(["a", "b", 8, 16, 0])) == fingerprint(kind([0, 16, 8, "b", "a"]))
    assert fingerprint(kind(["a"])) != fingerprint(kind(["b"]))


PARIS, BERLIN = zoneinfo.ZoneInfo("Europe/Paris"), zoneinfo.ZoneInfo("Europe/Berlin")
NOON = dt.datetime(2020, 1, 1, 12)
DIFFERENT = {
    "zones": [NOON, *(NOON.replace(tzinfo=zone) for zone in (PARIS, BERLIN, dt.timezone(dt.timedelta(hours=1)),
              dt.timezone(dt.timedelta(hours=1), "CET"))), PARIS, BERLIN, dt.UTC, NOON.replace(fold=1), NOON.time(),
              NOON.time().replace(fold=1), NOON.time().replace(tzinfo=PARIS), NOON.date(), MyDate(2020, 1, 1)],
    "numbers": [Decimal("1.0"), Decimal("1.00"), Decimal("-0"), Decimal("0"), Decimal("NaN"), Decimal("sNaN"),
                Fraction(1), Fraction(1, 2), 1.0, 0.5, UUID(int=1), UUID(int=1, is_safe=SafeUUID.safe)],
    "ranges": [range(3), range(0, 3, 2), range(1, 3), slice(3), slice(0, 3), slice(0, 3, 1), slice(None), (None, 3, None)],
    "paths": [pathlib.Path("a"), pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("a"), pathlib.Path("a/b"), "a",
              pathlib.Path("A")],
    "collections": [collections.deque([1]), collections.deque([1], 5), collections.OrderedDict(a=1, b=2),
                    collections.OrderedDict(b=2, a=1), collections.Counter("ab"), collections.Counter("aab"),
                    collections.defaultdict(int), collections.defaultdict(list), collections.ChainMap({}, {"a": 1}),
                    collections.ChainMap({"a": 1}), types.SimpleNamespace(a=1), types.SimpleNamespace(a=2), {"a": 1},
                    collections.UserDict(a=1), collections.UserList([1])],
    "classes": [Frozen(1), Frozen(2), Frozen(1, (1,)), Slotted(1), Slotted(1, [1]), Plain(x=1), Plain(x=1, tags=[])],
    "arrays": [array.array("i", [1]), array.array("i", [2]), array.array("l", [1]), array.array("d", [1])],
    "exceptions": [ValueError("a"), ValueError("b"), KeyError("a"), ValueError("a", 1), OSError(1, "a"), OSError(2, "a"),
                   OSError(1, "a", "file"), Problem(1), raised(ValueError("a"), cause=KeyError()), raised(ValueError("a"), context=KeyError()),
                   ExceptionGroup("a", [ValueError()]), ExceptionGroup("a", [KeyError()]),
                   AttributeError("a", name="n"), AttributeError("a", name="m"), StopIteration(1), StopIteration(2),
                   with_attribute(ValueError("a"), __notes__=["n"])],
    "enums": [Planet.EARTH, Planet, 1, "EARTH"],
    "tuples": [(1,), (1, 1), ((1,), 1), ([1],), (1.0,), ("1",), (True,)],
}  # fmt: skip


@pytest.mark.parametrize("group", DIFFERENT)
def test_different_content_has_a_different_fingerprint(group):
    prints = {}
    for value in DIFFERENT[group]:
        same = prints.setdefault(fingerprint(value), value)
        assert same is value, f"{value!r} and {same!r}"


@pytest.mark.parametrize(
    "value", [value for group in DIFFERENT.values() for value in group], ids=lambda value: type(value).__name__
)
def test_a_deep_copy_is_equal(value):
    if not isinstance(value, BaseException):  # a copy loses where it came from
        assert fingerprint(copy.deepcopy(value)) == fingerprint(value) == fingerprint(value)


VALUES = [dt.date(2020, 1, 1), NOON.replace(tzinfo=PARIS), Decimal("1.5"), Fraction(1, 3), UUID(int=5), (1, "a"), 2**70,
          pathlib.Path("a"), "text", range(3)]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_of_what_cannot_change_it_does_not_matter_which_one_it_is(value):
    assert fingerprint([value, value]) == fingerprint([value, pickle.loads(pickle.dumps(value))])


@pytest.mark.parametrize("make", [list, dict, set, Plain, lambda: ([],), lambda: bytearray(b"a")])
def test_of_what_can_change_it_does(make):
    value = make()
    assert fingerprint([value, value]) != fingerprint([make(), make()])


def nothing():
    yield


OPAQUE = {
    "generator": nothing,
    "coroutine-like": lambda: nothing().send,
    "a file": lambda: open(__file__, "rb"),  # noqa: SIM115, PTH123
    "a file in memory": lambda: io.TextIOWrapper(io.BytesIO()),
    "a connection": lambda: sqlite3.connect(":memory:"),
    "a thread": lambda: threading.Thread(target=print),
    "thread-local": threading.local,
    "a weak reference": lambda: weakref.ref(Plain),
    "weak keys": lambda: weakref.WeakKeyDictionary({Plain: 1}),
    "frame": sys._getframe,
    "code that runs": lambda: sys._getframe().f_code.co_positions(),
    "zip of generators": lambda: zip(nothing(), [1], strict=False),
    "a count": lambda: itertools.count(1),
    "a chain": lambda: itertools.chain([1], [2]),
    "a property": lambda: property(lambda self: 1),
    "a zone from a file": lambda: dt.datetime(2020, 1, 1, tzinfo=zone_from_file()),
}


def zone_from_file():
    import importlib.resources as resources

    for root in zoneinfo.TZPATH:
        path = pathlib.Path(root, "Europe/Paris")
        if path.exists():
            with path.open("rb") as file:
                return zoneinfo.ZoneInfo.from_file(file)
    with resources.files("tzdata").joinpath("zoneinfo/Europe/Paris").open("rb") as file:
        return zoneinfo.ZoneInfo.from_file(file)


@pytest.mark.parametrize("make", OPAQUE.values(), ids=OPAQUE)
def test_what_has_no_content_has_no_fingerprint(make):
    value = make()
    with pytest.raises(Opaque):
        fingerprint(value)
    with pytest.raises(Opaque):
        fingerprint({"in": [Plain(a=value)]})
    getattr(value, "close", lambda: None)()


DEEP = {
    "list": lambda inner: [inner],
    "tuple": lambda inner: (inner,),
    "dict": lambda inner: {"a": inner},
    "object": lambda inner: Plain(a=inner),
    "frozenset": lambda inner: frozenset([inner]),
    "partial": lambda inner: functools.partial(print, inner),
}


@pytest.mark.parametrize("wrap", DEEP.values(), ids=DEEP)
def test_what_is_nested_too_deep_is_opaque(wrap):
    depth = 100 if wrap is DEEP["frozenset"] else 100_000  # a set's hash is deep itself
    value = functools.reduce(lambda inner, _: wrap(inner), range(depth), 1)
    try:
        first = fingerprint(value)
    except Opaque as opaque:
        first = str(opaque)
    assert first
    while depth and (depth := depth - 1):  # let go of it layer by layer: Python's own way down is recursive
        value = next(iter(vars(value).values())) if isinstance(value, Plain) else inside(value)


def inside(value):
    return (
        value.args[0]
        if isinstance(value, functools.partial)
        else next(iter(value.values() if isinstance(value, dict) else value))
    )


def test_a_deep_value_is_hashed_where_there_is_room():
    value = functools.reduce(lambda inner, _: [inner], range(150), 1)
    assert fingerprint(value) == fingerprint(copy.deepcopy(value)) != fingerprint([value])


def test_tuples_that_share_tuples_do_not_blow_up():
    value = functools.reduce(lambda inner, _: (inner, inner), range(100), [])
    assert fingerprint(value) == fingerprint(value)


ITEMS = (
    st.text(st.sampled_from("ab\0\ud800"), max_size=3)
    | st.none()
    | st.floats()
    | st.booleans()
    | st.binary(max_size=2)
)


def typed(items):
    return [(type(item).__name__, repr(item)) for item in items]


@given(st.lists(ITEMS, max_size=8), st.lists(ITEMS, max_size=8))
def test_items_agree_exactly_where_their_content_does(one, other):
    def digest(items):
        hasher = Hasher()
        feed_items(hasher, items)
        return hasher.digest()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtin, "_AT_ONCE", 3)
        assert (digest(one) == digest(other)) == (typed(one) == typed(other))
        assert digest(one) == digest(list(one))
        assert digest([*one, *other]) != digest([*one, "", *other])


def test_the_size_is_about_that_of_the_content():
    assert measured("x" * 10_000)[1] == pytest.approx(10_000, rel=0.01)
    assert measured(["x" * 100_000, b"y" * 100_000])[1] == pytest.approx(200_000, rel=0.01)
    assert measured(list(range(1000)))[1] > 1000
    assert measured([1])[0] == fingerprint([1])


TBLIB = """
from graflow_nb import fingerprint
class Own(ValueError): pass
def raised(error):
    try: raise error
    except Exception as caught: return caught
errors = [raised(ValueError("a")), raised(Own("b")), OSError(1, "c"), ExceptionGroup("d", [raised(KeyError("e"))])]
before = [fingerprint(error) for error in errors]
import tblib.pickling_support
tblib.pickling_support.install()
assert [fingerprint(error) for error in errors] == before
"""


def test_an_error_is_the_same_when_tracebacks_can_be_pickled():
    pytest.importorskip("tblib")
    subprocess.run([sys.executable, "-c", TBLIB], check=True)
