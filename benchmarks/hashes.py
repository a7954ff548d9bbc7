"""Hashes of values, each time from nothing: a large array, a large table, and small things by the thousand."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from harness import Contender, Table, compare

if TYPE_CHECKING:
    from collections.abc import Callable

    Digest = Callable[[Any], object]

ROWS = 1_000_000
TIMES = 2_000
SMALL = {
    "an int": 12345,
    "a text": "some text",
    "a dict of 3": {"a": 1, "b": 2.0, "c": "x"},
    "a date": dt.date(2020, 1, 1),
    "an array of 3": np.arange(3),
}


def ours() -> Digest:
    from graflow_nb.incremental.fingerprint import fingerprint

    return fingerprint


def raw_xxh3() -> Digest:
    """Hash the bytes alone: no faster is possible."""
    import xxhash

    return xxhash.xxh3_128_digest


def dask_tokenize() -> Digest:
    from dask.tokenize import tokenize

    return tokenize


def joblib_hash() -> Digest:
    import joblib

    return joblib.hash


def pickle_xxh3() -> Digest:
    """Hash the pickle: its content depends on which objects are shared."""
    import pickle

    import xxhash

    return lambda value: xxhash.xxh3_128_digest(pickle.dumps(value, 5))


def hashing(name: str, load: Callable[[], Digest], value: Any, times: int = 1) -> Callable[[], Contender]:
    """Return what makes a contender that hashes a value, some times over."""

    def make() -> Contender:
        digest = load()

        def run(_: object) -> None:
            for _ in range(times):
                digest(value)

        return Contender(name, run, times)

    make.__name__ = name
    return make


def table(strings: str) -> pd.DataFrame:
    """Return a table of numbers and of texts, in one of the ways in which pandas keeps them."""
    rng = np.random.default_rng(0)
    texts = {
        "name": [f"name {n % 5000}" for n in range(ROWS)],
        "mail": [f"user{n}@example.com" for n in range(ROWS)],
    }
    columns = {name: pd.Series(items, dtype=strings) for name, items in texts.items()}
    return pd.DataFrame({"i": np.arange(ROWS), "f": rng.random(ROWS), **columns})


def large(title: str, value: Any, goal: float, *others: tuple[str, Callable[[], Digest]]) -> Table:
    """Compare on one large value."""
    peers = (("dask.tokenize", dask_tokenize), *others)
    makers = [hashing(name, load, value) for name, load in (("graflow_nb", ours), *peers)]
    measured = compare(title, makers, unit="ms", scale=1e3)
    measured.expect(title, goal, "graflow_nb")
    return measured.show()


def small() -> Table:
    """Compare on small values, one row for each."""
    makers = [
        hashing(f"{who}: {name}", load, value, TIMES)
        for name, value in SMALL.items()
        for who, load in (("graflow_nb", ours), ("dask.tokenize", dask_tokenize))
    ]
    measured = compare("Hashes of small values", makers, unit="us", scale=1e6)
    measured.expect("hash of an int", 1, "graflow_nb: an int")
    measured.expect("hash of a dict of 3", 5, "graflow_nb: a dict of 3")
    return measured.show()


def main() -> list[Table]:
    """Measure, and print."""
    array = np.random.default_rng(0).random(12_500_000)
    others = (("joblib.hash", joblib_hash), ("pickle and xxh3", pickle_xxh3))
    tables = [large("Hash of a 100 MB float array", array, 12, ("the bytes alone", raw_xxh3), *others)]
    kinds = {"str": "pandas' str", "object": "object"}
    tables += [large(f"Hash of {ROWS:,} rows, texts as {kinds[k]}", table(k), 80, *others) for k in kinds]
    return [*tables, small()]


if __name__ == "__main__":
    main()
