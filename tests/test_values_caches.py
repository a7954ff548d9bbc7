from __future__ import annotations

import functools
import random

import networkx as nx
import pytest

from graflow_nb.incremental.fingerprint import Opaque, fingerprint
from graflow_nb.incremental.values import caches


class Data:
    def __init__(self, items):
        self.items = items

    @functools.cached_property
    def total(self):
        return sum(self.items)

    @functools.cached_property
    def doubled(self):
        return [2 * self.total, self]

    @functools.cached_property
    def drawn(self):
        return random.random()

    @functools.cached_property
    def stream(self):
        return iter(self.__dict__.get("opened", (n for n in [1])))


class Derived(Data):
    __slots__ = ("unit",)

    def __init__(self, items):
        super().__init__(items)
        self.unit = "kg"

    @functools.cached_property
    def total(self):
        return f"{sum(self.items)} {self.unit}"


class DataDict(dict):
    @functools.cached_property
    def total(self):
        return sum(self.values())


class Forgetful(Data):
    def __getstate__(self):
        return {"items": self.items}


MAKE = [lambda: Data([1, 2]), lambda: Derived([1, 2]), lambda: Forgetful([1, 2]), lambda: {"in": Data([1])}["in"]]


@pytest.mark.parametrize("make", MAKE)
def test_reading_a_cached_property_is_no_change(make):
    value = make()
    before = fingerprint(value)
    assert value.doubled
    assert {"total", "doubled"} <= vars(value).keys()
    assert fingerprint(value) == before == fingerprint(make())


@pytest.mark.parametrize("make", [*MAKE, lambda: DataDict(a=1)])
def test_setting_a_cached_property_is_a_change(make):
    value, other = make(), make()
    before = fingerprint(value)
    value.total, other.total = 99, 100
    assert len({before, fingerprint(value), fingerprint(other)}) == 3
    del value.total
    assert fingerprint(value) == before


def test_setting_it_to_what_it_would_be_is_no_change():
    value = Data([1, 2])
    before = fingerprint(value)
    value.total = 3
    assert fingerprint(value) == before


def test_changing_what_it_keeps_in_place_is_a_change():
    value = Data([1, 2])
    before = fingerprint(value)
    value.doubled.append(3)
    assert fingerprint(value) != before


def test_one_that_is_out_of_date_is_a_change():
    value = Data([1, 2])
    assert value.total == 3
    value.items = [5]
    assert fingerprint(value) != fingerprint(Data([5]))


def test_it_is_computed_once_more_and_not_again(monkeypatch):
    compute, computed = caches._computed, []
    monkeypatch.setattr(caches, "_computed", lambda *args: computed.append(1) or compute(*args))
    value = Data([1, 2, 10**6])
    assert value.total
    prints = {fingerprint(value) for _ in range(3)}
    assert len(prints) == 1
    assert len(computed) == 1


def test_one_that_differs_each_time_is_content():
    value = Data([1])
    before = fingerprint(value)
    assert value.drawn
    assert fingerprint(value) != before


def test_one_without_content_is_opaque():
    value = Data([1])
    value.stream = (n for n in [1])
    with pytest.raises(Opaque, match="generator"):
        fingerprint(value)


def test_those_of_a_library_are_left_out():
    graph = nx.path_graph(3)
    before = fingerprint(graph)
    assert list(graph.nodes) == [0, 1, 2]
    assert graph.adj[0]
    assert fingerprint(graph) == before
