from __future__ import annotations

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb import workflow
from graflow_nb.core.task import Task
from graflow_nb.incremental.code.reads import Part
from graflow_nb.incremental.explain import Kind, Reason, differences, grouped


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason("new"), "there is no result of it yet"),
        (Reason("reused"), "nothing it depends on changed"),
        (Reason("forced"), "it was asked for"),
        (Reason("off"), "its option cache is off"),
        (Reason("cancelled"), "its last run was cancelled"),
        (Reason("failed", name="KeyError: 'x'"), "its last run failed: KeyError: 'x'"),
        (Reason("spoiled"), "its stored result was changed in place"),
        (Reason("upstream", "", "load"), "'load' before it is out of date"),
        (Reason("not kept", name="it asked for other tasks"), "its last result was not kept: it asked for other tasks"),
        (Reason("changed", "code", "code"), "its code changed"),
        (Reason("changed", "function", "clean"), "function 'clean' changed"),
        (Reason("changed", "class", "Model"), "class 'Model' changed"),
        (Reason("changed", "global", "RATE", "1", "2"), "variable 'RATE' changed: 1 → 2"),
        (Reason("changed", "global", "DATA", "list", "list"), "variable 'DATA' changed"),
        (Reason("changed", "default", "clean"), "a default of 'clean' changed"),
        (Reason("changed", "file", "in.csv"), "file 'in.csv' changed"),
        (Reason("changed", "module", "np", "numpy", "numpy"), "package 'np' changed"),
        (Reason("changed", "argument", "alpha", "0.1", "0.2"), "argument 'alpha' changed: 0.1 → 0.2"),
        (Reason("changed", "input", "load"), "the result of 'load' changed"),
        (Reason("changed", "task", "fit"), "the task itself changed"),
        (Reason("added", "function", "clean"), "it now reads function 'clean'"),
        (Reason("removed", "global", "RATE"), "it no longer reads variable 'RATE'"),
        (Reason("unknown", "global", "LOCK", new="_thread.lock"), "variable 'LOCK' (_thread.lock) cannot be compared"),
        (Reason("changed", "a kind of its own", "x"), "a kind of its own changed"),
        (Reason("changed", "global", "{name}", "{", "}"), "variable '{name}' changed: { → }"),
    ],
)  # fmt: skip
def test_a_reason_in_words(reason, text):
    assert str(reason) == text


def test_every_kind_has_words():
    for kind in typing.get_args(Kind):
        assert str(Reason(kind, "global", "x", "1", "2"))


def part(name: str, digest: bytes | None = b"1", kind: str = "global", shown: str = "") -> Part:
    return Part(kind, name, digest, shown)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([part("x")], [part("x")], []),
        ([], [], []),
        ([part("x", shown="1")], [part("x", shown="one")], []),
        ([part("x")], [part("x", b"2")], [("changed", "x")]),
        ([], [part("x")], [("added", "x")]),
        ([part("x")], [], [("removed", "x")]),
        ([part("x")], [part("y")], [("added", "y"), ("removed", "x")]),
        ([part("x")], [part("x", kind="function")], [("added", "x"), ("removed", "x")]),
        ([part("x", None)], [part("x", None)], [("unknown", "x")]),
        ([part("x")], [part("x", None)], [("unknown", "x"), ("changed", "x")]),
        ([part("x", None)], [part("x")], [("changed", "x")]),
        ([part("x", b"1"), part("x", b"2")], [part("x", b"1"), part("x", b"2")], []),
        ([part("x", b"1"), part("x", b"2")], [part("x", b"2"), part("x", b"1")], [("changed", "x")]),
        ([part("x", b"1"), part("x", b"2")], [part("x", b"2")], [("changed", "x")]),
        ([part("x", b"1")], [part("x", b"1"), part("x", b"1")], [("changed", "x")]),
    ],
)
def test_each_part_that_is_not_as_it_was_is_a_reason(old, new, expected):
    assert [(reason.kind, reason.name) for reason in differences(old, new)] == expected


def test_old_and_new_values_are_told():
    (reason,) = differences([part("RATE", b"1", shown="0.1")], [part("RATE", b"2", shown="0.2")])
    assert (reason.old, reason.new) == ("0.1", "0.2")


PARTS = st.lists(st.builds(part, st.sampled_from("xyz"), st.sampled_from([b"1", b"2"])), max_size=6)


@given(PARTS, PARTS)
def test_there_is_a_reason_exactly_if_a_thing_differs(old, new):
    def things(parts):
        return {thing: [p.digest for p in several] for thing, several in grouped(parts).items()}

    assert bool(list(differences(old, new))) == (things(old) != things(new))


@given(PARTS)
def test_nothing_is_lost_by_grouping(parts):
    assert sorted(p for several in grouped(parts).values() for p in several) == sorted(parts)


def test_a_run_tells_the_reasons_of_each_task():
    rate = [1]
    with workflow("f") as flow:
        Task("a", lambda: list(rate))
        Task("b", lambda a: sum(a))

    def reasons():
        return {name: [str(reason) for reason in record.reasons] for name, record in flow.run().records.items()}

    new, same = "there is no result of it yet", "nothing it depends on changed"
    assert reasons() == {"a": [new], "b": [new]}
    assert reasons() == {"a": [same], "b": [same]}
    rate[0] = 2
    changed = reasons()
    assert changed["b"] == ["the result of 'a' changed"]
    assert "rate" in changed["a"][0]
