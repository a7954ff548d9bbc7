from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

from graflow_nb.incremental.fingerprint import Opaque, fingerprint, measured


class Measured(pd.DataFrame):
    _metadata = ["unit"]  # noqa: RUF012

    @property
    def _constructor(self):
        return Measured


def with_attribute(value, **attributes):
    for name, item in attributes.items():
        object.__setattr__(value, name, item)
    return value


def hidden(under):
    made = pd.array([1, 2, 3], dtype="Int64")
    made._data[1] = under
    made._mask[1] = True
    return pd.Series(made)


COLUMNS = {
    "int": [1, 2, 3],
    "float": [0.5, None, 2.0],
    "bool": [True, False, True],
    "text": ["a", "b", None],
    "string": pd.array(["a", None, "c"], dtype="string"),
    "object": [[1], {"a": 1}, None],
    "category": pd.Categorical(["x", "y", "x"]),
    "Int64": pd.array([1, None, 3], dtype="Int64"),
    "Float64": pd.array([1.5, None, 3], dtype="Float64"),
    "boolean": pd.array([True, None, False], dtype="boolean"),
    "time": pd.date_range("2020", periods=3),
    "zoned": pd.date_range("2020", periods=3, tz="Europe/Paris"),
    "period": pd.period_range("2020", periods=3, freq="D"),
    "delta": pd.to_timedelta([1, 2, 3], unit="s"),
    "interval": pd.interval_range(0, 3),
    "sparse": pd.arrays.SparseArray([2, 0, 1]),
}
READ = {
    "its repr": repr,
    "its dtype": lambda s: (s.dtype, getattr(s.dtype, "numpy_dtype", None), hash(s.dtype)),
    "values": lambda s: (s.to_numpy(), s.array, s.tolist(), np.asarray(s)),
    "statistics": lambda s: (s.isna(), s.count(), s.memory_usage(deep=True)),
    "items": lambda s: (s.iloc[0], s.loc[1], s[s.notna()], s.head(2)),
    "copies": lambda s: (s.copy(), s.astype(object), s.rename("n"), s.reset_index()),
    "accessors": lambda s: [getattr(s, name, None) for name in ("str", "dt", "cat", "sparse", "plot")],
}


@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("name", COLUMNS)
def test_reading_changes_nothing(name, read):
    series, frame = pd.Series(COLUMNS[name]), pd.DataFrame({"c": COLUMNS[name], "n": 1})
    before, before_frame = fingerprint(series), fingerprint(frame)
    READ[read](series)
    READ[read](frame["c"])
    assert fingerprint(series) == before == fingerprint(pd.Series(COLUMNS[name]))
    assert fingerprint(frame) == before_frame


@pytest.mark.parametrize("name", COLUMNS)
def test_a_copy_is_equal(name):
    frame = pd.DataFrame({"c": COLUMNS[name], "n": 1, "again": COLUMNS[name]})
    for value in (frame, frame["c"], pd.Index(frame["c"]), frame["c"].array, frame["c"].dtype):
        assert (
            fingerprint(pickle.loads(pickle.dumps(value)))
            == fingerprint(copy.deepcopy(value))
            == fingerprint(value)
        )


@pytest.mark.parametrize("name", COLUMNS)
def test_each_item_counts(name):
    series = pd.Series(COLUMNS[name])
    prints = [
        fingerprint(series.iloc[order].reset_index(drop=True))
        for order in ([0, 1, 2], [1, 0, 2], [0, 2, 1], [0, 1])
    ]
    assert len(set(prints)) == 4
    assert fingerprint(series[::-1][::-1]) == prints[0]


def test_each_kind_of_column_counts():
    assert len({fingerprint(pd.Series(column)) for column in COLUMNS.values()}) == len(COLUMNS)
    assert len({fingerprint(pd.Series(column).dtype) for column in COLUMNS.values()}) == len(COLUMNS)


EQUAL = {
    "grouped otherwise in memory": (pd.DataFrame({"a": [1, 2], "b": [3, 4]}), pd.DataFrame(np.array([[1, 3], [2, 4]]), columns=["a", "b"])),
    "what lies under a gap": (hidden(5), hidden(7)),
    "concatenated": (pd.concat([pd.Series(["a", "b"]), pd.Series(["c"])], ignore_index=True), pd.Series(["a", "b", "c"])),
    "a slice": (pd.Series(["a", "b", "c"])[1:].reset_index(drop=True), pd.Series(["b", "c"])),
    "indices shared": ([pd.Series([1, 2], index=(i := pd.Index(["x", "y"]))), pd.Series([1, 2], index=i)],
                       [pd.Series([1, 2], index=["x", "y"]), pd.Series([1, 2], index=["x", "y"])]),
}  # fmt: skip


@pytest.mark.parametrize("pair", EQUAL.values(), ids=EQUAL)
def test_equal_content_has_an_equal_fingerprint(pair):
    one, other = pair
    assert fingerprint(one) == fingerprint(other)


DIFFERENT = {
    "indices": [pd.Index([1, 2]), pd.Index([1, 2], name="n"), pd.RangeIndex(1, 3), pd.Index([1.0, 2.0]), pd.Index(["1", "2"]),
                pd.Index([1, 2], dtype="Int64"), pd.Index([1, 2], dtype=object), pd.Index([1, 2], dtype="category"),
                pd.date_range("2020", periods=2), pd.DatetimeIndex(["2020-01-01", "2020-01-02"]), pd.date_range("2020", periods=2, tz="UTC"),
                pd.date_range("2020", periods=2, unit="ns"), pd.period_range("2020", periods=2, freq="D"), pd.period_range("2020", periods=2, freq="M"),
                pd.interval_range(0, 2), pd.interval_range(0, 2, closed="left"), pd.Index([])],
    "many levels": [pd.MultiIndex.from_tuples(t, names=n) for t in ([(1, "a"), (2, "b")], [(1, "a"), (1, "b")], [(1, "b"), (2, "a")])
                    for n in (None, ["x", "y"])],
    "zones": [pd.Series(pd.date_range("2020", periods=2, tz=zone)) for zone in (None, "UTC", "Europe/Paris", "Europe/Berlin")],
    "sparse": [pd.Series(pd.arrays.SparseArray(items, fill_value=fill)) for items, fill in (([0, 0, 1], 0), ([0, 1, 0], 0), ([0, 0, 2], 0), ([0, 0, 1], 1), ([0.0, 0, 1], 0))],
    "frames": [pd.DataFrame([[1, 1]], columns=list("aa")), pd.DataFrame([[1, 1]], columns=list("ab")), pd.DataFrame([[1, 1]]),
               pd.DataFrame([[1, 1]], index=[1]), pd.DataFrame([[1, 1]], columns=pd.MultiIndex.from_tuples([(0, 1), (0, 2)])),
               pd.DataFrame([[1, 1]]).set_flags(allows_duplicate_labels=False), Measured([[1, 1]]), with_attribute(Measured([[1, 1]]), unit="kg"),
               with_attribute(Measured([[1, 1]]), unit="g"), with_attribute(Measured([[1, 1]]), other="g"), with_attribute(pd.DataFrame([[1, 1]]), note=1),
               pd.DataFrame(index=[0, 1]), pd.DataFrame(columns=[0, 1]), pd.DataFrame()],
    "attrs": [pd.Series([1]), with_attribute(pd.Series([1]), _attrs={"unit": "kg"}), with_attribute(pd.Series([1]), _attrs={"unit": "g"})],
    "scalars": [pd.NaT, pd.NA, None, np.nan, pd.Timestamp("2020"), pd.Timestamp("2020", tz="UTC"), pd.Timestamp("2020").as_unit("ns"), pd.Timedelta(1, "s"),
                pd.Period("2020"), pd.Period("2020", freq="D"), pd.Interval(0, 1), pd.Interval(0, 1, closed="left"), pd.offsets.Day(1), pd.offsets.Day(2)],
}  # fmt: skip


@pytest.mark.parametrize("group", DIFFERENT)
def test_different_content_has_a_different_fingerprint(group):
    prints = {}
    for value in DIFFERENT[group]:
        same = prints.setdefault(fingerprint(value), value)
        assert same is value, f"{value!r} and {same!r}"


@pytest.mark.parametrize(
    "make",
    [lambda f: f.groupby("a"), lambda f: f.rolling(1), lambda f: f.groupby("a")["b"], lambda f: f.expanding()],
    ids=["groupby", "rolling", "a column of groups", "expanding"],
)
def test_what_is_not_computed_yet_is_opaque(make):
    with pytest.raises(Opaque):
        fingerprint(make(pd.DataFrame({"a": [1], "b": [2]})))


def test_a_styler_is_opaque():
    pytest.importorskip("jinja2")
    with pytest.raises(Opaque):
        fingerprint(pd.DataFrame({"a": [1]}).style)


def test_a_subclass_is_known_though_it_comes_first():
    assert fingerprint(Measured([[1]])) == fingerprint(Measured([[1]]))


def test_the_size_is_about_that_of_the_data():
    frame = pd.DataFrame({"i": np.arange(10_000), "s": ["x" * 10] * 10_000})
    assert 180_000 < measured(frame)[1] < 270_000  # by how texts are stored
