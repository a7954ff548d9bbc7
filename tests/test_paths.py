"""The files that a value names."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path, PurePosixPath

import pytest

from graflow_nb.incremental.code.paths import paths_in


@dataclasses.dataclass
class Config:
    path: str = "data/a.csv"
    more: tuple = ()


class Slotted:
    __slots__ = ("path",)

    def __init__(self):
        self.path = "slot.csv"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a.csv", ["a.csv"]),
        ("data/a", ["data/a"]),
        (Path("a"), ["a"]),
        (PurePosixPath("a.csv"), ["a.csv"]),
        ("~/a.csv", [str(Path("~/a.csv").expanduser())]),
        (Path("~/a.csv"), [str(Path("~/a.csv").expanduser())]),
        (["a.csv", {"b.csv": Path("c")}, {"d.csv"}], ["a.csv", "b.csv", "c", "d.csv"]),
        (Config(), ["data/a.csv"]),
        (Config("b.csv", (Path("c"),)), ["b.csv", "c"]),
        (Slotted(), ["slot.csv"]),
        (functools.partial(open, "a.csv", file="b.csv"), ["a.csv", "b.csv"]),
        ([[["a.csv"]]], ["a.csv"]),
        ([[[["a.csv"]]]], []),
        (["a.csv"] * 1_000, ["a.csv"]),
        (["a.csv"] * 1_001, []),
        ("there", ["there"]),
        ("not there", []),
        ("", []),
        ("a.csv\nb.csv", []),
        ("x/" * 600, []),
        ("https://example.org/a.csv", []),
        ("bad\0name.csv", []),
        (b"a.csv", []),
        (None, []),
        (3.5, []),
    ],
)  # fmt: skip
def test_paths_in(value, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("there").write_text("1")
    assert list(paths_in(value)) == expected


def test_a_value_that_holds_itself_ends():
    value = ["a.csv"]
    value.append(value)
    assert paths_in(value) == ("a.csv",)
