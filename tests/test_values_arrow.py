from __future__ import annotations

import copy
import decimal
import pickle

import numpy as np
import pytest

from graflow_nb.incremental.fingerprint import Opaque, fingerprint, measured

pa = pytest.importorskip("pyarrow")

ARRAYS = {
    "int": pa.array([1, None, 3]),
    "bool": pa.array([True, None, False]),
    "float": pa.array([1.5, None, -0.0]),
    "text": pa.array(["a", None, "", "bcd"]),
    "large text": pa.array(["a", None, "bcd"], pa.large_string()),
    "bytes": pa.array([b"a", None, b"\0"]),
    "text view": pa.array(["a", None, "a longer text than fits"], pa.string_view()),
    "bytes view": pa.array([b"a", None], pa.binary_view()),
    "fixed bytes": pa.array([b"ab", None], pa.binary(2)),
    "lists": pa.array([[1], None, [], [2, None]]),
    "fixed lists": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int32(), 2)),
    "lists of lists": pa.array([[["a"], None], None, [[]]]),
    "structs": pa.array([{"x": 1, "y": "a"}, None, {"x": None, "y": "b"}]),
    "maps": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int32())),
    "categories": pa.array(["a", "b", None, "a"]).dictionary_encode(),
    "nothing": pa.array([None, None]),
    "times": pa.array([0, None, 5], pa.timestamp("us", "UTC")),
    "decimals": pa.array([decimal.Decimal("1.50"), None]),
    "runs": pa.RunEndEncodedArray.from_arrays([2, 3], [1, 2]),
}


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_how_it_is_cut_does_not_count(array):
    before = fingerprint(array)
    middle = pa.concat_arrays([array, array, array]).slice(len(array), len(array))
    assert fingerprint(middle) == before == fingerprint(pickle.loads(pickle.dumps(array)))
    whole, twice = pa.chunked_array([pa.concat_arrays([array, array])]), pa.chunked_array([array, array])
    empty = pa.chunked_array([array, array.slice(0, 0), array])
    assert fingerprint(whole) == fingerprint(twice) == fingerprint(empty) != fingerprint(pa.chunked_array([array]))


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_each_item_counts(array):
    prints = {
        fingerprint(array.slice(start, length))
        for start in range(len(array))
        for length in range(1, len(array) + 1 - start)
    }
    contents = {
        repr(array.slice(start, length).to_pylist())
        for start in range(len(array))
        for length in range(1, len(array) + 1 - start)
    }
    assert len(prints) == len(contents)
    assert len({fingerprint(item) for item in array}) == len({repr(item.as_py()) for item in array})


def test_types_differ():
    assert len({fingerprint(array) for array in ARRAYS.values()}) == len(ARRAYS)
    assert len({fingerprint(array.type) for array in ARRAYS.values()}) == len(ARRAYS)
    assert len({fingerprint(array.slice(0, 0)) for array in ARRAYS.values()}) == len(ARRAYS)


def test_what_lies_under_a_null_does_not_count():
    one, other = (pa.array(items, mask=np.array([0, 1, 0], bool)) for items in ([1, 2, 3], [1, 9, 3]))
    assert fingerprint(one) == fingerprint(other)


def test_how_categories_are_numbered_does_not_count():
    one = pa.DictionaryArray.from_arrays([0, 1], ["a", "b"])
    other = pa.DictionaryArray.from_arrays([1, 0], ["b", "a"])
    assert (
        fingerprint(one) == fingerprint(other) != fingerprint(pa.DictionaryArray.from_arrays([1, 1], ["b", "a"]))
    )


TABLE = pa.table({"a": [1, 2], "b": ["x", None]})
TABLES = {
    "as it is": TABLE,
    "another name": TABLE.rename_columns(["a", "c"]),
    "another order": TABLE.select(["b", "a"]),
    "a row less": TABLE.slice(1),
    "metadata": TABLE.replace_schema_metadata({"unit": "kg"}),
    "another type": TABLE.cast(pa.schema([("a", pa.int32()), ("b", pa.string())])),
    "a batch": TABLE.to_batches()[0],
    "a schema": TABLE.schema,
    "a field": TABLE.schema.field(0),
    "a type": TABLE.schema.field(0).type,
    "a column": TABLE["a"],
    "a chunk": TABLE["a"].chunk(0),
    "an item": TABLE["a"][0],
    "values": TABLE.to_pydict(),
    "no columns": pa.table({}),
    "a buffer": pa.py_buffer(b"a"),
}


def test_everything_of_a_table_counts():
    assert len({fingerprint(value) for value in TABLES.values()}) == len(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_a_copy_is_equal(name):
    value = TABLES[name]
    assert fingerprint(pickle.loads(pickle.dumps(value))) == fingerprint(value) == fingerprint(copy.copy(value))


def test_reading_a_table_changes_nothing():
    before = fingerprint(TABLE)
    assert TABLE.to_pydict()
    assert repr(TABLE)
    assert TABLE.sort_by("a").num_rows == 2
    assert fingerprint(TABLE) == before


def test_a_large_array_is_looked_at_in_pieces():
    items = np.arange(300_000)
    array = pa.array(items)
    assert fingerprint(array) != fingerprint(pa.array(np.where(items == 299_999, 0, items)))
    assert fingerprint(pa.chunked_array([array[:7], array[7:]])) == fingerprint(pa.chunked_array([array]))
    assert measured(array)[1] == pytest.approx(2_400_000, rel=0.01)


def test_a_dataset_stands_for_its_files(tmp_path):
    dataset = pytest.importorskip("pyarrow.dataset")
    path = tmp_path / "part.arrow"

    def written(table):
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        return fingerprint(dataset.dataset(tmp_path, format="ipc"))

    before = written(TABLE)
    assert written(TABLE) == before
    assert written(TABLE.slice(1)) != before
    path.rename(tmp_path / "other.arrow")
    assert fingerprint(dataset.dataset(tmp_path, format="ipc")) != before
    with pytest.raises(Opaque):
        fingerprint(dataset.dataset(TABLE))


def test_what_is_read_once_is_opaque():
    with pytest.raises(Opaque):
        fingerprint(TABLE.to_reader())
