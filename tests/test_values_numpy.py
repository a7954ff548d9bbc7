from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from graflow_nb.incremental.fingerprint import Opaque, fingerprint, measured


class Tagged(np.ndarray):
    """An array with an attribute, which pickle does not keep."""


class Metres(np.float64): ...


class Seconds(np.float64): ...


class Slotted(np.ndarray):
    __slots__ = ("unit",)


def slotted(unit):
    made = np.arange(3).view(Slotted)
    made.unit = unit
    return made


def tagged(unit):
    made = np.arange(3).view(Tagged)
    made.unit = unit
    return made


def padded(junk):
    kind = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    made = np.frombuffer(bytes([junk]) * kind.itemsize * 2, kind).copy()
    made["a"], made["b"] = 1, 2.0
    return made


def long_double(junk):
    made = np.frombuffer(bytes([junk]) * 32, np.longdouble).copy()
    made[:] = 1.5
    return made


def nested(value):
    inner = np.dtype([("x", "i4", (2,)), ("y", object)])
    made = np.zeros(2, [("a", "S2"), ("b", inner)])
    made["b"]["y"][1] = value
    return made


CUBE = np.arange(60).reshape(3, 4, 5)
EQUAL = {
    "a view backwards": (CUBE[::-1, :, ::2], np.ascontiguousarray(CUBE[::-1, :, ::2])),
    "a view of an inner axis": (CUBE[:, 1], CUBE[:, 1].copy()),
    "axes exchanged": (CUBE.transpose(1, 0, 2), CUBE.transpose(1, 0, 2).copy("C")),
    "broadcast": (np.broadcast_to(np.arange(3), (2, 3)), np.tile(np.arange(3), (2, 1))),
    "what lies between fields": (padded(0), padded(255)),
    "what lies behind a long double": (long_double(0), long_double(255)),
    "read-only": (np.frombuffer(b"abcd", "u1"), np.array([97, 98, 99, 100], "u1")),
    "a mask of nothing": (np.ma.array([1, 2]), np.ma.array([1, 2], mask=[0, 0])),
    "nested fields": (nested([1]), nested([1])),
    "0-d": (np.array(5), np.array([5])[0, ...]),
    "empty": (np.zeros((0, 3)), np.ones((0, 3))),
    "void": (np.void(b"ab"), np.void(b"ab")),
    "a large view": (np.arange(600_000)[::2], np.arange(0, 600_000, 2)),
}


@pytest.mark.parametrize("pair", EQUAL.values(), ids=EQUAL)
def test_equal_content_has_an_equal_fingerprint(pair):
    one, other = pair
    assert fingerprint(one) == fingerprint(other)


DIFFERENT = {
    "subclasses": [np.arange(3), np.arange(3).view(Tagged), tagged("kg"), tagged("g"), slotted("kg"), slotted("g"), np.arange(3).view(np.recarray),
                   np.arange(3).view(np.matrix), np.ma.array(np.arange(3)), np.ma.array(np.arange(3), mask=[0, 0, 1]),
                   np.ma.array(np.arange(3), fill_value=7), np.ma.array(np.arange(3), hard_mask=True), np.ma.masked,
                   np.ma.array([(1, 2)], "i4,i4", mask=[(0, 1)]), np.ma.array([(1, 2)], "i4,i4", mask=[(1, 0)])],
    "nested": [nested([1]), nested([2]), nested(None)],
    "dtypes": [np.dtype(kind) for kind in ("i4", ">i4", "i8", "f8", "M8[s]", "M8[ms]", "U3", "U4", "S3", "V3", "O")]
              + [np.dtype([("a", "i4")]), np.dtype([("b", "i4")]), np.dtype([("a", "i4"), ("b", "i1")]),
                 np.dtype([("a", "i4"), ("b", "i1")], align=True), np.dtype(("i4", (2,))), np.dtype("i4", metadata={"a": 1}),
                 np.dtype([(("title", "a"), "i4")])],
    "dtypes of empty arrays": [np.zeros(0, kind) for kind in ("i4", "i8", "M8[s]", "U3", "O", "f2")],
    "values": [np.array(values) for values in ([0.0], [-0.0], [1.0], [[1.0]], [np.nan], [1 + 0j], [True], ["1"], [b"1"])],
    "times": [np.array(["2020-01-01"], "M8[D]"), np.array(["2020-01-01"], "M8[s]"), np.array(["NaT"], "M8[D]"),
              np.array([0], "m8[s]"), np.datetime64("2020"), np.timedelta64(1, "s"), np.timedelta64(1, "D")],
    "objects": [np.array(items, object) for items in (["a", "b"], ["ab", ""], ["a\0b", ""], ["a", None], [None, "a"],
                ["a", np.nan], ["a", b"b"], ["a", np.str_("b")], [1, 2], [1, True], [[1], [2]], ["\ud800", "b"], ["a", "b", "c"])],
    "sharing": [np.array([[1], [1], None], object), np.array([*[[1]] * 2, None], object)],
    "texts": [np.array(["a", "b"], np.dtypes.StringDType()), np.array(["a", "c"], np.dtypes.StringDType()),
              np.array(["a", None], np.dtypes.StringDType(na_object=None)), np.array(["a", "b"], np.dtypes.StringDType(coerce=False))],
    "random": [np.random.default_rng(1), np.random.default_rng(2), np.random.RandomState(1), np.random.RandomState(2),
               np.random.Generator(np.random.MT19937(1)), np.random.SeedSequence(1), np.random.PCG64(1)],
    "scalars of ones own": [Metres(1), Seconds(1), Metres(2), np.float64(1)],
    "scalars": [np.float32(1), np.float64(1), np.longdouble(1), np.int8(1), np.uint8(1), np.bool_(1), np.str_("1"), np.bytes_(b"1"),
                np.complex64(1), np.array(1.0), 1.0, np.void(b"1")],
    "functions": [np.sin, np.cos, np.add, np.mean],
}  # fmt: skip


@pytest.mark.parametrize("group", DIFFERENT)
def test_different_content_has_a_different_fingerprint(group):
    prints = {}
    for value in DIFFERENT[group]:
        same = prints.setdefault(fingerprint(value), value)
        assert same is value, f"{value!r} and {same!r}"


@pytest.mark.parametrize("group", DIFFERENT)
def test_a_deep_copy_is_equal(group):
    for value in DIFFERENT[group]:
        if not isinstance(value, Tagged | Slotted):  # numpy does not copy its attribute
            assert fingerprint(copy.deepcopy(value)) == fingerprint(value)
        if not isinstance(
            value, Tagged | Slotted | Metres | Seconds | np.recarray | np.ma.MaskedArray
        ):  # nor does it pickle all of these
            assert fingerprint(pickle.loads(pickle.dumps(value))) == fingerprint(value)


def test_an_item_anywhere_counts():
    base = np.zeros(300_000)
    before = fingerprint(base), fingerprint(base[::-1]), fingerprint(base.reshape(300, 1000).T)
    for place in (0, 1, 131_072, 299_999):
        base[place] = 1
        assert not set(before) & {
            fingerprint(base),
            fingerprint(base[::-1]),
            fingerprint(base.reshape(300, 1000).T),
        }
        base[place] = 0
    assert (fingerprint(base), fingerprint(base[::-1]), fingerprint(base.reshape(300, 1000).T)) == before


@pytest.mark.parametrize("size", [1, 16_384, 16_385, 40_000])
@pytest.mark.parametrize("change", ["x", None, 1, "a\0b", ["x"]], ids=repr)
def test_a_text_anywhere_counts(size, change):
    texts = np.array([f"text {n}" for n in range(size)], object)
    before = fingerprint(texts)
    assert fingerprint(texts.copy()) == before
    for place in {0, size - 1, size // 2}:
        changed = texts.copy()
        changed[place] = change
        assert fingerprint(changed) != before


def test_a_memory_map_counts_by_its_content(tmp_path):
    maps = []
    for name in ("one", "two"):
        made = np.memmap(tmp_path / name, "f8", "w+", shape=(4,))
        made[:] = 1.5
        maps.append(made)
    one, two = maps
    assert fingerprint(one) == fingerprint(two) == fingerprint(np.memmap(tmp_path / "one", "f8", "r"))
    two[3] = 2
    assert fingerprint(one) != fingerprint(two)


def test_reading_a_masked_array_changes_nothing():
    value = np.ma.array([1.0, 2.0], mask=[0, 1])
    before = fingerprint(value)
    _ = value.fill_value, value.mean(), repr(value), value.filled(0).tolist()
    assert fingerprint(value) == before


def test_drawing_changes_a_generator():
    rng = np.random.default_rng(1)
    before = fingerprint(rng)
    rng.random()
    assert fingerprint(rng) != before


def test_a_function_made_at_run_time_is_opaque():
    with pytest.raises(Opaque):
        fingerprint(np.frompyfunc(lambda x: x, 1, 1))


def test_the_size_is_that_of_the_data():
    assert measured(np.zeros(100_000))[1] == pytest.approx(800_000, rel=0.01)
    assert measured(np.zeros((1000, 100)).T[::2])[1] == pytest.approx(400_000, rel=0.01)
