from __future__ import annotations

import copy
import datetime as dt
import pickle

import pytest

from graflow_nb.incremental.fingerprint import Opaque, fingerprint

pl = pytest.importorskip("polars")

SERIES = {
    "int": pl.Series("s", [1, None, 3]),
    "small int": pl.Series("s", [1, None, 3], pl.Int8),
    "large int": pl.Series("s", [1, None, 3], pl.Int128),
    "float": pl.Series("s", [1.5, None, float("nan")]),
    "bool": pl.Series("s", [True, None, False]),
    "text": pl.Series("s", ["a", None, "bcd"]),
    "bytes": pl.Series("s", [b"a", None]),
    "lists": pl.Series("s", [[1], None, [2, 3]]),
    "structs": pl.Series("s", [{"x": 1}, {"x": None}]),
    "categories": pl.Series("s", ["a", "b", None], pl.Categorical),
    "enum": pl.Series("s", ["a", "b"], pl.Enum(["a", "b"])),
    "another enum": pl.Series("s", ["a", "b"], pl.Enum(["b", "a"])),
    "times": pl.Series("s", [dt.datetime(2020, 1, 1), None]),
    "zoned": pl.Series("s", [dt.datetime(2020, 1, 1), None]).dt.replace_time_zone("Europe/Paris"),
    "dates": pl.Series("s", [dt.date(2020, 1, 1), None]),
    "objects": pl.Series("s", [{1}, {2}], pl.Object),
    "nothing": pl.Series("s", [None, None]),
    "none": pl.Series("s", []),
}


@pytest.mark.parametrize("series", SERIES.values(), ids=SERIES)
def test_each_item_counts(series):
    frame = pl.DataFrame([series])
    before = fingerprint(series), fingerprint(frame)
    assert (fingerprint(series.clone()), fingerprint(pl.DataFrame([series]))) == before
    assert fingerprint(series.rename("t")) != before[0]
    if len(series):
        assert fingerprint(series[1:]) != before[0]
        assert fingerprint(frame[1:]) != before[1]


@pytest.mark.parametrize("name", SERIES.keys() - {"objects"})
def test_a_copy_is_equal(name):
    for value in (SERIES[name], pl.DataFrame([SERIES[name]]), SERIES[name].dtype):
        assert (
            fingerprint(copy.deepcopy(value))
            == fingerprint(value)
            == fingerprint(pickle.loads(pickle.dumps(value)))
        )


def test_types_differ():
    assert len({fingerprint(series) for series in SERIES.values()}) == len(SERIES)
    assert len({fingerprint(series.dtype) for series in SERIES.values()}) == len(SERIES) - 1  # two hold nothing


def test_how_it_is_cut_does_not_count():
    parts = pl.concat([pl.Series(["a", "b"]), pl.Series(["c"])], rechunk=False)
    assert fingerprint(parts) == fingerprint(pl.Series(["a", "b", "c"]))


def test_reading_changes_nothing():
    frame = pl.DataFrame({"a": [3, 1, None], "s": ["x", None, "y"]})
    before = fingerprint(frame)
    assert repr(frame)
    assert frame.sort("a").height == frame.describe().height - 6
    assert (frame["a"].sum(), frame["a"].is_sorted(), frame.lazy().select("s").collect().height) == (4, False, 3)
    assert fingerprint(frame) == before


def test_everything_of_a_frame_counts():
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", None]})
    others = [frame.rename({"a": "c"}), frame.select("b", "a"), frame[:1], frame.with_columns(pl.col("a").cast(pl.Int32)), frame["a"].to_frame(),
              frame["a"], frame.to_dict(as_series=False), pl.DataFrame(), frame.with_columns(b=None)]  # fmt: skip
    assert len({fingerprint(value) for value in [frame, *others]}) == len(others) + 1


def test_an_expression_counts_by_what_it_says():
    assert fingerprint(pl.col("a") > 5) == fingerprint(pl.col("a") > 5)
    assert (
        len({fingerprint(e) for e in (pl.col("a") > 5, pl.col("a") > 6, pl.col("b") > 5, pl.col("a"), pl.lit(5))})
        == 5
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: pl.DataFrame({"a": [1]}).lazy(),
        lambda: pl.scan_csv("nowhere.csv"),
        lambda: pl.col("a").map_batches(lambda s: s),
        lambda: pl.DataFrame({"a": [1]}).group_by("a"),
        lambda: pl.Series([iter([]), (n for n in [1])], dtype=pl.Object),
    ],
    ids=["a plan", "a plan that reads a file", "a Python function", "groups", "a generator in it"],
)
def test_what_is_not_computed_yet_is_opaque(make):
    with pytest.raises(Opaque):
        fingerprint(make())


class Measured(pl.DataFrame):
    def __init__(self, data, unit):
        super().__init__(data)
        self.unit = unit


def test_a_frame_of_ones_own_counts_with_what_it_holds_beside():
    assert fingerprint(Measured({"a": [1]}, "kg")) == fingerprint(Measured({"a": [1]}, "kg"))
    values = [
        Measured({"a": [1]}, "kg"),
        Measured({"a": [1]}, "g"),
        Measured({"a": [2]}, "g"),
        pl.DataFrame({"a": [1]}),
    ]
    assert len({fingerprint(value) for value in values}) == len(values)
