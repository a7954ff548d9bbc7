"""Reuse beside a channel: whatever tasks do with it, a run gives what a run from scratch gives."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graflow_nb import Task, task, workflow

KEYS = st.sampled_from("ab")
VALUES = st.sampled_from([0, 1, [], [5]])
STEPS = st.one_of(
    st.tuples(st.just("get"), KEYS),
    st.tuples(st.just("exists"), KEYS),
    st.tuples(st.just("keys")),
    st.tuples(st.just("set"), KEYS, VALUES),
    st.tuples(st.sampled_from(["append", "prepend"]), KEYS, st.integers(0, 2)),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("clear")),
    st.tuples(st.just("atomic_add"), KEYS),
)
PROGRAMS = st.lists(STEPS, max_size=4)
STATES = st.dictionaries(KEYS, VALUES, max_size=2)
ROUNDS = st.lists(st.tuples(STATES, st.lists(PROGRAMS, min_size=3, max_size=3)), min_size=2, max_size=4)


def play(context, program):
    """Do what a program says; return all answers."""
    answers = []
    for name, *rest in program:
        try:
            answers.append(deepcopy(getattr(context.channel, name)(*rest)))
        except TypeError as error:
            answers.append(str(error))
    return answers


def made(programs):
    """Return a workflow of tasks that play programs one after the other; the programs are parameters."""
    with workflow("f") as flow:
        tasks = [
            Task(f"t{n}", eval(f"lambda context, p{n}: play(context, p{n})", globals()), inject_context=True)
            for n in range(3)
        ]
        tasks[0] >> tasks[1] >> tasks[2]
    give(flow, programs)
    return flow


def give(flow, programs):
    for n, program in enumerate(programs):
        flow.param(f"p{n}", program)


def outcome(flow, state, **options):
    flow.channel = deepcopy(state)
    run = flow.run(**options)
    return {n: run.results[f"t{n}"] for n in range(3)}, run.surroundings.channel.snapshot(), run


@settings(max_examples=150)
@given(ROUNDS)
def test_a_run_gives_what_a_run_from_scratch_gives(rounds):
    flow = made(rounds[0][1])
    for state, programs in rounds:
        give(flow, programs)
        *reused, _ = outcome(flow, state)
        *fresh, _ = outcome(made(programs), state)
        assert reused == fresh


@settings(max_examples=60)
@given(STATES, st.lists(PROGRAMS, min_size=3, max_size=3))
def test_what_is_the_same_is_not_done_again(state, programs):
    flow = made(programs)
    *first, _ = outcome(flow, state)
    *second, run = outcome(flow, state)
    assert first == second
    for n, program in enumerate(programs):
        counts = any(step[0] == "atomic_add" for step in program)
        looks = [step[0] for step in program]
        changes = {"set", "append", "prepend", "delete", "clear"}.intersection(looks)
        if not counts and not ("keys" in looks and changes):
            assert str(run.statuses[f"t{n}"]) == "cached", program


@pytest.mark.parametrize("states", [({"a": 0}, {"a": []}), ({"a": []}, {"a": 0}), ({}, {"a": 0}), ({"a": 0}, {})])
def test_whether_a_list_can_be_added_to_counts(states):
    programs = [[("append", "a", 1)], [], []]
    flow = made(programs)
    for state in states:
        *reused, _ = outcome(flow, state)
        *fresh, _ = outcome(made(programs), state)
        assert reused == fresh


def test_a_value_that_its_reader_changes_in_place_is_no_trace():
    with workflow("f") as flow:

        @task(inject_context=True)
        def write(context, x):
            context.channel.set("d", {"x": x})

        @task(inject_context=True)
        def change(context):
            context.channel.get("d")["x"] += 1
            return context.channel.get("d")["x"]

        @task(inject_context=True)
        def look(context):
            return context.channel.get("d")["x"]

        write >> change >> look
    for x in (1, 2, 3, 1, 2, 2):
        flow.param("x", x)
        run = flow.run()
        assert (run.results["change"], run.results["look"]) == (x + 1, x + 1)
    assert "channel.get('d') (changed in place" in run.records["change"].note


def test_a_run_leaves_the_initial_values_as_they_are():
    initial = {"rows": [0]}
    with workflow("f", channel=initial) as flow:

        @task(inject_context=True)
        def add(context):
            context.channel.get("rows").append(1)
            return list(context.channel.get("rows"))

    assert [flow.execute() for _ in range(3)] == [[0, 1]] * 3
    assert [flow.run().results["add"] for _ in range(3)] == [[0, 1]] * 3
    assert (initial, flow.channel) == ({"rows": [0]}, {"rows": [0]})


def test_every_thread_of_a_task_has_the_same_channel():
    def all_at_once(context):
        gate = threading.Barrier(16)

        def look(_):
            gate.wait(10)
            return context.get_channel()

        with ThreadPoolExecutor(16) as pool:
            return len(set(map(id, pool.map(look, range(16)))))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            with workflow("f") as flow:
                Task("all_at_once", all_at_once, inject_context=True)
            assert flow.execute() == 1
    finally:
        sys.setswitchinterval(before)
