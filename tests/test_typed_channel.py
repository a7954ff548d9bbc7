"""Channels whose keys and types are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

import pytest

from graflow_nb.core.channel import Channel, Command
from graflow_nb.core.task_channel import TaskChannel
from graflow_nb.core.typed_channel import TypedChannel


class Metrics(TypedDict):
    rate: float
    scores: list[int]
    by_class: dict[str, list[float]]
    steps: int
    mode: NotRequired[Literal["fast", "slow"]]
    extra: Any


@dataclass
class Best:
    rate: float
    name: str | None = None


@dataclass
class Search:
    best: Best
    seen: list[Best]


def opened(schema=Metrics, **held):
    channel = Channel(held)
    return channel, TypedChannel(channel, schema)


def test_what_fits_goes_through():
    channel, typed = opened()
    typed.set("rate", 1)
    typed.append("scores", 2)
    typed.prepend("scores", 1)
    typed.set("mode", "fast")
    typed.append("extra", object)
    assert (typed.get("rate"), typed.get("scores"), typed.atomic_add("steps", 2)) == (1, [1, 2], 2)
    assert typed.get("by_class") is None
    assert typed.get("by_class", "none of its type") == "none of its type"
    assert (typed.exists("mode"), typed.delete("mode"), typed.exists("mode")) == (True, True, False)
    with typed.lock("rate", timeout=0):
        assert channel.snapshot() == {"rate": 1, "scores": [1, 2], "extra": [object], "steps": 2}


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (lambda c: c.set("rate", "fast"), "'rate' of Metrics: expected float, found str"),
        (lambda c: c.set("rate", True), "'rate' of Metrics: expected float, found bool"),
        (lambda c: c.set("scores", [1, 2, "3"]), "'scores' of Metrics: scores[2]: expected int, found str"),
        (lambda c: c.set("by_class", {"a": [0.5, None]}), "by_class['a'][1]: expected float, found None"),
        (lambda c: c.append("scores", "3"), "'scores' of Metrics: scores[...]: expected int, found str"),
        (lambda c: c.prepend("scores", 0.5), "scores[...]: expected int, found float"),
        (lambda c: c.append("rate", 1), "'rate' of Metrics is no list but float: set it instead"),
        (lambda c: c.append("by_class", 1), "is no list but dict[str, list[float]]"),
        (lambda c: c.atomic_add("steps", 0.5), "'steps' of Metrics: expected int, found float"),
        (lambda c: c.atomic_add("mode", 1), "expected one of 'fast', 'slow', found 1"),
        (lambda c: c.set("mode", "medium"), "expected one of 'fast', 'slow', found 'medium'"),
    ],
)
def test_another_type_is_refused_and_nothing_changes(work, said):
    channel, typed = opened(rate=0.5)
    with pytest.raises(TypeError) as caught:
        work(typed)
    assert str(caught.value).startswith("channel key ")
    assert said in str(caught.value)
    assert channel.snapshot() == {"rate": 0.5}


@pytest.mark.parametrize(
    "work",
    [
        lambda c: c.get("raet"),
        lambda c: c.set("raet", 1),
        lambda c: c.append("raet", 1),
        lambda c: c.prepend("raet", 1),
        lambda c: c.delete("raet"),
        lambda c: c.exists("raet"),
        lambda c: c.atomic_add("raet"),
        lambda c: c.lock("raet"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(work):
    channel, typed = opened(raet=1)
    with pytest.raises(KeyError, match=r"Metrics has no key 'raet'\. Did you mean 'rate'"):
        work(typed)
    assert channel.snapshot() == {"raet": 1}


def test_what_others_wrote_is_checked_when_it_is_read():
    _, typed = opened(scores=[1, None])
    with pytest.raises(TypeError, match=r"'scores' of Metrics: scores\[1\]: expected int, found None"):
        typed.get("scores")


def test_a_value_that_ends_in_a_while():
    now = [0]
    channel = Channel(clock=lambda: now[0])
    typed = TypedChannel(channel, Metrics)
    typed.set("rate", 1, ttl=5)
    typed.append("scores", 1, ttl=3)
    now[0] = 3
    assert (typed.get("rate"), typed.get("scores")) == (1, None)
    with pytest.raises(ValueError, match=r"set\('rate'\): ttl"):
        typed.set("rate", 1, ttl=-5)


def test_its_keys_are_those_of_the_schema():
    channel, typed = opened(other=1)
    typed.set("steps", 1)
    typed.set("rate", 1)
    assert typed.keys() == ["steps", "rate"]
    typed.clear()
    assert (typed.keys(), channel.keys()) == ([], ["other"])


def test_a_dataclass_is_a_schema_and_a_value():
    _, typed = opened(Search)
    typed.set("best", Best(0.5))
    typed.append("seen", Best(0.5, "a"))
    with pytest.raises(TypeError, match=r"'best' of Search: best\.rate: expected float, found str"):
        typed.set("best", Best("0.5"))
    with pytest.raises(
        TypeError, match=r"'seen' of Search: seen\[\.\.\.\]\.name: expected str \| None, found int"
    ):
        typed.append("seen", Best(0.5, 7))


def test_it_stands_before_a_tasks_channel_as_well():
    mine = TaskChannel(Channel({"rate": 0.5, "other": 1}))
    typed = TypedChannel(mine, Metrics)
    typed.get("rate")
    typed.set("steps", 1)
    with pytest.raises(TypeError):
        typed.set("steps", "1")
    assert (mine.reads, mine.writes) == ({"rate": ("value", 0.5)}, [Command("set", "steps", 1)])


@pytest.mark.parametrize(
    ("schema", "named"), [(dict, "not dict"), (int, "not int"), ({"rate": float}, "not {'rate'")]
)
def test_what_is_no_schema_is_refused(schema, named):
    with pytest.raises(TypeError, match=f"takes a TypedDict, a dataclass or a pydantic model, {named}"):
        TypedChannel(Channel(), schema)


def test_it_shows_its_keys():
    assert repr(opened(Best)[1]) == "<typed channel Best: rate, name>"
