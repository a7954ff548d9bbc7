"""Which objects can change, and whether one did."""

from __future__ import annotations

import math
import threading

import numpy as np
import pandas as pd
import pytest

from graflow_nb.notebook.watch import MOST_BYTES, MOST_ITEMS, can_change, content


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "a", b"a", range(3), math, len, can_change, int, "".join])
def test_what_cannot_change(value):
    assert not can_change(value)


@pytest.mark.parametrize("value", [[], {}, set(), (1, []), np.zeros(1), pd.DataFrame(), object(), Exception()])
def test_what_can(value):
    assert can_change(value)


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ([1], lambda v: v.append(2)),
        ({"a": [1]}, lambda v: v["a"].append(2)),
        (np.zeros(3), lambda v: v.fill(1)),
        (pd.DataFrame({"a": [1]}), lambda v: v.insert(1, "b", [2])),
        (bytearray(b"a"), lambda v: v.append(1)),
    ],
    ids=["list", "dict", "array", "frame", "bytes"],
)
def test_a_change_is_seen(value, change):
    before = content(value)
    assert before is not None
    assert content(value) == before
    change(value)
    assert content(value) != before


class Odd:
    @property
    def nbytes(self):
        raise RuntimeError


@pytest.mark.parametrize(
    "value",
    [
        bytearray(MOST_BYTES + 1),
        [0] * (MOST_ITEMS + 1),
        {n: [0] * 1000 for n in range(MOST_ITEMS // 500)},
        np.zeros(MOST_BYTES // 8 + 1),
        np.full(MOST_ITEMS + 1, "a", dtype=object),
        pd.DataFrame({"a": np.full(MOST_ITEMS + 1, "a", dtype=object)}),
        (n for n in "ab"),
        threading.Thread(),
        Odd(),
    ],
    ids=["bytes", "list", "deep", "array", "objects", "frame", "generator", "thread", "odd"],
)
def test_of_what_is_large_or_has_no_content_nothing_is_known(value):
    assert content(value) is None
