"""What was made from another result than there is now, and how that is said."""

from __future__ import annotations

import pytest

from graflow_nb.core.arguments import Behind
from graflow_nb.core.call import Produced
from graflow_nb.incremental.fingerprint import fingerprint
from graflow_nb.incremental.staleness import Itself, outdated, print_of, stale_input


def produced(value=1, prints=None, **variables):
    return Produced("load", {None: value, **variables}, prints or {})


def behind(seen, variable=None, task="load"):
    return Behind("X", task, variable, seen, [7])


def test_the_caches_fingerprint_counts_where_there_is_one():
    assert print_of(produced(prints={None: b"kept"}), None) == b"kept"


def test_without_one_the_content_is_looked_at():
    assert print_of(produced(x=[1]), "x") == fingerprint([1])


def test_a_value_without_content_stands_for_itself():
    value, other = (n for n in "ab"), (n for n in "ab")
    assert print_of(produced(value), None) == print_of(produced(value), None) == Itself(value)
    assert print_of(produced(value), None) != print_of(produced(other), None)
    assert hash(Itself(value)) == hash(Itself(value))


@pytest.mark.parametrize(
    ("item", "is_outdated"),
    [
        (behind(fingerprint(1)), False),
        (behind(fingerprint(2)), True),
        (behind(fingerprint([3]), "x"), False),
        (behind(fingerprint([4]), "x"), True),
        (behind(fingerprint([4]), "no_longer_assigned"), True),
        (behind(b"", task="not in this run"), False),
    ],
)
def test_outdated(item, is_outdated):
    assert outdated([item], {"load": produced(1, x=[3])}) == ([item] if is_outdated else [])


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([Behind("X", "load", "df", b"", [7])], "'X', which Cell In[7] made from an older 'df' of task 'load'"),
        ([Behind("X", "load", None, b"", [7])], "an older result of task 'load'. Run cell 7 again"),
        ([Behind("X", "load", None, b"", [3, 7, 9])], "Run cells 3, 7 and 9 again, or make them tasks"),
        (
            [Behind("X", "load", "a", b"", [3]), Behind("X", "load", "b", b"", [3])],
            "an older 'a' of task 'load' and an older 'b' of task 'load'. Run cell 3",
        ),
        (
            [Behind("X", "load", None, b"", [3]), Behind("Y", "load", None, b"", [4])],
            "It reads 'Y', which Cell In[4]",
        ),
        ([Behind("X", "load", None, b"", [3])], "To use 'X' as it is: %flow run fit --force"),
        (
            [Behind("X", "load", None, b"", [3]), Behind("Y", "load", None, b"", [4])],
            "To use 'X', 'Y' as they are: %flow run fit --force",
        ),
    ],
)
def test_the_message(items, said):
    assert said in str(stale_input("fit", items))
