"""Values against type hints: generated ones fit, and what does not is found where it is."""

from __future__ import annotations

import collections
import subprocess
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NewType,
    NotRequired,
    Optional,
    Protocol,
    Required,
    TypedDict,
    TypeVar,
    Union,
    runtime_checkable,
)

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graflow_nb.core.hints import Mismatch, bare, fields_of, item_types, mismatch, shown

T = TypeVar("T")
B = TypeVar("B", bound=int)
UserId = NewType("UserId", int)
OPTIONAL = Optional[list[int]]  # noqa: UP045 - the older spelling
EITHER = Union[int, str]  # noqa: UP007 - the same


class Rates(TypedDict):
    low: float
    high: NotRequired[float]


class Loose(TypedDict, total=False):
    low: Required[Annotated[int, "metres"]]
    high: int


@dataclass
class Point:
    x: float
    y: float = 0.0
    tags: list[str] = field(default_factory=list)


@dataclass
class Node:
    value: int
    then: Node | None = None


class Box(Generic[T]):
    pass


@runtime_checkable
class Closable(Protocol):
    def close(self) -> None: ...


class Silent(Protocol):
    def speak(self) -> None: ...


LEAVES = [
    (int, st.integers(-5, 5)),
    (float, st.one_of(st.floats(allow_nan=False), st.integers(-5, 5))),
    (str, st.text(max_size=3)),
    (bool, st.booleans()),
    (None, st.none()),
    (bytes, st.binary(max_size=2)),
    (Literal["a", 1], st.sampled_from(["a", 1])),
    (Any, st.one_of(st.integers(), st.text(max_size=2))),
    (Rates, st.fixed_dictionaries({"low": st.floats(allow_nan=False)}, optional={"high": st.integers(0, 3)})),
    (Point, st.builds(Point, st.floats(allow_nan=False), tags=st.lists(st.text(max_size=2), max_size=2))),
]


def _nested(inner):
    """Return pairs of a hint made of such hints, and values of it."""
    keys = st.sampled_from([(str, st.text(max_size=2)), (int, st.integers(0, 3))])
    return st.one_of(
        inner.map(lambda p: (list[p[0]], st.lists(p[1], max_size=3))),
        inner.map(lambda p: (Sequence[p[0]], st.lists(p[1], max_size=3).map(tuple))),
        inner.map(lambda p: (tuple[p[0], ...], st.lists(p[1], max_size=3).map(tuple))),
        st.tuples(inner, inner).map(lambda ps: (tuple[ps[0][0], ps[1][0]], st.tuples(ps[0][1], ps[1][1]))),
        inner.map(lambda p: (Optional[p[0]], st.one_of(st.none(), p[1]))),  # noqa: UP045
        st.tuples(inner, inner).map(lambda ps: (Union[ps[0][0], ps[1][0]], st.one_of(ps[0][1], ps[1][1]))),  # noqa: UP007
        inner.map(lambda p: (Annotated[p[0], "of note"], p[1])),
        st.tuples(keys, inner).map(
            lambda ps: (dict[ps[0][0], ps[1][0]], st.dictionaries(ps[0][1], ps[1][1], max_size=3))
        ),
        st.tuples(keys, inner).map(
            lambda ps: (Mapping[ps[0][0], ps[1][0]], st.dictionaries(ps[0][1], ps[1][1], max_size=3))
        ),
    )


TYPED = st.recursive(st.sampled_from(LEAVES), _nested, max_leaves=5)


class Foreign:
    """What is of no type that is generated."""

    def __repr__(self):
        return "Foreign"


@given(TYPED, st.data())
def test_what_is_of_a_type_fits_it(pair, data):
    hint, values = pair
    assert mismatch(data.draw(values), hint) is None


def places(value, path=()):
    """Return every place in lists, tuples and dictionaries of a value, as keys from outside."""
    yield path
    items = (
        enumerate(value) if isinstance(value, list | tuple) else value.items() if isinstance(value, dict) else ()
    )
    for key, item in items:
        yield from places(item, (*path, key))


def put(value, path, new):
    if not path:
        return new
    key, *rest = path
    if isinstance(value, dict):
        return {**value, key: put(value[key], rest, new)}
    return type(value)(put(item, rest, new) if n == key else item for n, item in enumerate(value))


def has_any(hint):
    return hint is Any or any(map(has_any, getattr(hint, "__args__", ())))


@given(TYPED, st.data())
def test_what_is_put_in_somewhere_is_found_there(pair, data):
    hint, values = pair
    assume(not has_any(hint))
    value = data.draw(values)
    path = data.draw(st.sampled_from(list(places(value))))
    found = mismatch(put(value, path, Foreign()), hint)
    assert found is not None
    whole = "".join(f"[{key!r}]" for key in path)
    assert whole.startswith(found.path)
    assert ("found Foreign" in found.text) is (found.path == whole)


FITS = [
    (int, [0, -1, 2**80], [True, 1.0, "1", None, np.int64(1)]),
    (float, [0.5, 1, np.float64(1)], [True, "1", None, 1j, np.float32(1)]),
    (complex, [1j, 1.0, 1], [True, "1"]),
    (bool, [True, False], [0, 1, None]),
    (str, ["", "a"], [b"a", None, 1]),
    (None, [None], [0, False, ""]),
    (object, [None, 1, object()], []),
    (Any, [None, 1], []),
    (list, [[], [1, "a"]], [(), None]),
    (list[int], [[], [1]], [(1,), [True], ["1"]]),
    (tuple[int, str], [(1, "a")], [(1,), (1, "a", 2), (1, 2), [1, "a"]]),
    (tuple[()], [()], [(1,)]),
    (tuple[int, ...], [(), (1, 2)], [(1, "2"), [1]]),
    (set[int], [set(), {1}], [{"a"}, [1]]),
    (frozenset[str], [frozenset("ab")], [{"a"}, frozenset([1])]),
    (collections.deque[int], [collections.deque([1])], [collections.deque("a"), [1]]),
    (dict[str, int], [{}, {"a": 1}], [{"a": "1"}, {1: 1}, []]),
    (collections.Counter[str], [collections.Counter("ab")], [collections.Counter([1]), {"a": 1}]),
    (collections.defaultdict[str, list[int]], [collections.defaultdict(list, a=[1])], [{"a": [1]}]),
    (int | str, [1, "a"], [1.5, None, True]),
    (OPTIONAL, [None, [1]], [["a"], (1,)]),
    (Literal[1, "a"], [1, "a"], [True, 1.0, "b", None]),
    (Callable[[int], str], [str, lambda n: "a"], ["a", 1]),
    (type[int], [int, bool], [str, 1]),
    (type[int | str], [int, str], [float]),
    (type[Any], [int], [1]),
    (UserId, [1], ["a", True]),
    (B, [1], ["a"]),
    (T, [1, "a"], []),
    (Box[int], [Box()], [1]),
    (Closable, [open], []),
    (Silent, [1, "a"], []),
    (Iterable[int], [[1], (1,), iter("abc")], [["a"], 1]),
    (Iterator[int], [iter([1])], [[1]]),
    (np.ndarray, [np.zeros(2)], [[0.0]]),
    (np.ndarray[Any, np.dtype[np.float64]], [np.zeros(2)], [[0.0]]),
    (Rates, [{"low": 1}, {"low": 1.0, "high": 2}], [{}, {"high": 1.0}, {"low": "1"}, {"low": 1, "more": 1}, 1]),
    (Loose, [{"low": 1}, {"low": 1, "high": 2}], [{}, {"high": 1}, {"low": 1.5}]),
    (Point, [Point(1, 2), Point(0.5)], [Point("1"), Point(1, tags=[1]), {"x": 1}]),
    (list[Point | Rates], [[Point(1), {"low": 1}]], [[Point("1")], [{"low": "1"}]]),
    ("a form that is not known", [1, "a"], []),
]
CASES = [(hint, value, True) for hint, good, _ in FITS for value in good]
CASES += [(hint, value, False) for hint, _, bad in FITS for value in bad]


@pytest.mark.parametrize(("hint", "value", "fits"), [case for case in CASES if case[1] is not open])
def test_each_form(hint, value, fits):
    assert (mismatch(value, hint) is None) is fits


def test_a_protocol_that_can_be_checked_is(tmp_path):
    with (tmp_path / "f").open("w") as file:
        assert mismatch(file, Closable) is None
    assert mismatch(1, Closable) == ("", "expected Closable, found int")


@pytest.mark.parametrize(
    ("value", "hint", "path", "text"),
    [
        ([1, 2, "3"], list[int], "[2]", "expected int, found str"),
        ({"a": [1, None]}, dict[str, list[float]], "['a'][1]", "expected float, found None"),
        ({1: 2}, dict[str, int], " key 1", "expected str, found int"),
        ({"x"}, set[int], " item 'x'", "expected int, found str"),
        ((1, 2, 3), tuple[int, int], "", "expected a tuple of 2, found one of 3"),
        ({"low": "1"}, Rates, "['low']", "expected float, found str"),
        ({}, Rates, "['low']", "expected float, found nothing"),
        ({"low": 1, "hihg": 2}, Rates, "['hihg']", "Rates has no such key. Did you mean 'high'?"),
        ([Point(1), Point(1, tags=["a", 2])], list[Point], "[1].tags[1]", "expected str, found int"),
        ([1, "a"], OPTIONAL, "[1]", "expected int, found str"),
        ("a", OPTIONAL, "", "expected Optional[list[int]], found str"),
        ("a", int | float, "", "expected int | float, found str"),
        ("c", Literal["a", 1], "", "expected one of 'a', 1, found 'c'"),
        (True, int, "", "expected int, found bool"),
        (np.int64(3), int, "", "expected int, found int64: int(value) makes one"),
        (np.float32(3), float, "", "expected float, found float32: float(value) makes one"),
        (np.float32(3), int, "", "expected int, found float32"),
        (1.5, int, "", "expected int, found float"),
        (Node(1, Node(2, Node("3"))), Node, ".then.then.value", "expected int, found str"),
    ],
)
def test_it_says_where_and_what(value, hint, path, text):
    assert mismatch(value, hint) == Mismatch(path, text)


def test_a_value_that_holds_itself_has_an_end():
    ring = Node(1)
    ring.then = ring
    assert mismatch(ring, Node) is None
    ring.value = "1"
    assert mismatch(ring, Node) == (".value", "expected int, found str")


def test_in_a_long_list_the_one_is_found():
    values = list(range(100_000))
    assert mismatch(values, list[int]) is None
    assert mismatch(values, list[int | str]) is None
    values[77_777] = None
    assert mismatch(values, list[float]).path == "[77777]"


def test_a_value_without_a_repr_is_named_by_its_type():
    class Mute:
        def __repr__(self):
            raise ValueError

        __hash__ = object.__hash__

    assert mismatch({Mute()}, set[int]).path == " item Mute"


def test_the_types_of_a_schema():
    assert fields_of(Rates) == {"low": float, "high": NotRequired[float]}
    assert fields_of(Point) == {"x": float, "y": float, "tags": list[str]}
    assert [fields_of(other) for other in (dict, int, 5, None, list[int], Point(1))] == [None] * 6


def test_a_schema_that_names_what_is_not_there_is_refused():
    @dataclass
    class Broken:
        x: Missing  # noqa: F821

    with pytest.raises(
        TypeError, match=r"the types of Broken cannot be read .*'Missing'.*: define what they name"
    ):
        fields_of(Broken)
    assert mismatch(Broken(1), list[int]) == ("", "expected list[int], found Broken")
    assert mismatch(Broken(1), Broken) is None


def test_a_new_spelling_of_an_alias_is_seen_through():
    if sys.version_info >= (3, 12):
        space = {}
        exec("type Row = list[Row] | int", space)
        assert mismatch([1, [2]], space["Row"]) is None
        assert mismatch([1, ["2"]], space["Row"]) is not None
    assert bare(NotRequired[Annotated[UserId, "x"]]) is int


def test_what_items_a_list_may_have():
    assert item_types(list[int]) == [int]
    assert item_types(Annotated[list[int] | list[str] | None, "x"]) == [int, str]
    assert item_types(Sequence[Point]) == [Point]
    assert item_types(list) == item_types(Any) == [Any]
    assert item_types(dict[str, int]) == item_types(str) == item_types(tuple[int, ...]) == []


def test_a_hint_reads_as_in_code():
    hints = [int, None, list[int], dict[str, Point], int | None, Literal["a"], EITHER]
    assert [shown(hint) for hint in hints] == [
        "int",
        "None",
        "list[int]",
        f"dict[str, {__name__}.Point]",
        "int | None",
        "Literal['a']",
        "Union[int, str]",
    ]


def test_pydantic_is_not_loaded_for_this():
    code = (
        "import sys; from graflow_nb.core.hints import fields_of; fields_of(int); print('pydantic' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False\n"
    )


def test_a_model_is_told_by_the_library_that_is_loaded(monkeypatch):
    class BaseModel:
        model_fields = MappingProxyType({})

    class Model(BaseModel):
        model_fields = MappingProxyType({"rate": types.SimpleNamespace(annotation=float)})

    monkeypatch.setitem(sys.modules, "pydantic", types.SimpleNamespace(BaseModel=BaseModel))
    assert fields_of(Model) == {"rate": float}
    assert fields_of(int) is None
    monkeypatch.delitem(sys.modules, "pydantic")
    assert fields_of(Model) is None


def test_a_pydantic_model_is_a_schema():
    pydantic = pytest.importorskip("pydantic")

    class Inner(pydantic.BaseModel):
        rate: float = 0.1

    class Model(pydantic.BaseModel):
        inner: Inner
        scores: list[int]
        note: Annotated[str, "x"] | None = None

    assert fields_of(Model)["scores"] == list[int]
    assert mismatch(Inner(), fields_of(Model)["inner"]) is None
    assert mismatch({"rate": 1}, fields_of(Model)["inner"]) == ("", "expected Inner, found dict")
