from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb.core.scheduler import Scheduler


@st.composite
def dags(draw):
    """A random graph as parents by name: each node has some of those before it, in an order of its own."""
    count = draw(st.integers(1, 9))
    names = draw(st.permutations([f"t{n}" for n in range(count)]))
    parents = {}
    for place, name in enumerate(names):
        parents[name] = draw(st.lists(st.sampled_from(names[:place]), max_size=4)) if place else []
    return {name: parents[name] for name in sorted(names)}


def drain(scheduler: Scheduler, fails=frozenset(), limit=None, log=None):
    """Run to the end; return what ran, in order, and what each failure dropped."""
    ran, dropped, out = [], {}, []
    while scheduler.is_active():
        out += scheduler.get_ready(limit)
        name = out.pop(0)
        ran.append(name)
        if name in fails:
            dropped[name] = scheduler.fail(name)
        else:
            scheduler.done(name)
    return ran, dropped


def descendants(parents, names) -> set[str]:
    graph = nx.DiGraph([(before, after) for after, befores in parents.items() for before in befores])
    return set().union(*(nx.descendants(graph, name) for name in names if name in graph))


@given(dags(), st.sets(st.integers(0, 8)), st.sampled_from([None, 1, 2]))
def test_every_task_runs_once_after_all_before_it_and_failures_drop_what_is_after(parents, failing, limit):
    fails = {f"t{n}" for n in failing} & parents.keys()
    ran, dropped = drain(Scheduler(parents), fails, limit)
    gone = [name for names in dropped.values() for name in names]
    assert sorted(ran + gone) == sorted(parents), "each task ends once, and all do"
    assert set(gone) == descendants(parents, set(ran) & fails)
    place = {name: at for at, name in enumerate(ran)}
    assert all(place[before] < place[name] for name in ran for before in parents[name])


@given(dags())
def test_the_order_is_stable_and_ties_go_by_definition(parents):
    ran, _ = drain(Scheduler(parents), limit=1)
    rank = list(parents)
    expected, left = [], set(parents)
    while left:
        first = min((n for n in left if not set(parents[n]) & left), key=rank.index)
        expected.append(first)
        left.remove(first)
    assert ran == expected


@given(dags())
def test_all_that_can_start_is_handed_out_at_once(parents):
    scheduler, done, out = Scheduler(parents), set(), set()
    while scheduler.is_active():
        out |= set(scheduler.get_ready())
        assert out == {n for n in parents if set(parents[n]) <= done} - done
        name = max(out)
        out.remove(name)
        done.add(name)
        scheduler.done(name)
    assert done == set(parents)


@given(dags(), st.data())
def test_tasks_that_are_added_while_it_runs_run_between(parents, data):
    scheduler = Scheduler(parents)
    ran, born = [], {}
    while scheduler.is_active():
        (name,) = scheduler.get_ready(1)
        ran.append(name)
        if name not in born and data.draw(st.booleans()):
            new = f"new of {name}"
            born[new] = scheduler.waiting_children(name)
            scheduler.add(new, [name], born[new])
        scheduler.done(name)
    assert sorted(ran) == sorted([*parents, *born])
    place = {name: at for at, name in enumerate(ran)}
    assert all(place[before] < place[name] for name in parents for before in parents[name])
    for new, children in born.items():
        assert place[new.removeprefix("new of ")] < place[new] < min((place[c] for c in children), default=99)


def test_a_new_task_after_done_ones_is_ready():
    scheduler = Scheduler({"a": []})
    scheduler.get_ready()
    scheduler.done("a")
    assert not scheduler.is_active()
    scheduler.add("b", ["a"])
    assert scheduler.get_ready() == ["b"]


def test_what_runs_already_does_not_wait_for_a_new_task():
    scheduler = Scheduler({"a": [], "b": []})
    scheduler.get_ready()
    scheduler.add("new", [], ["b"])
    assert scheduler.get_ready() == ["new"]
    assert scheduler.waiting_children("new") == []


def test_a_failed_new_task_drops_the_children_it_was_given():
    scheduler = Scheduler({"a": [], "b": ["a"], "c": ["b"]})
    scheduler.get_ready()
    scheduler.add("new", ["a"], scheduler.waiting_children("a"))
    scheduler.done("a")
    assert scheduler.get_ready() == ["new"]
    assert scheduler.fail("new") == ["b", "c"]
    assert not scheduler.is_active()


def test_what_another_failure_dropped_is_not_dropped_again():
    scheduler = Scheduler({"a": [], "b": [], "c": ["a", "b"], "d": ["c"]})
    scheduler.get_ready()
    assert scheduler.fail("a") == ["c", "d"]
    assert scheduler.fail("b") == []


def test_a_finished_parent_does_not_revive_what_was_dropped():
    scheduler = Scheduler({"a": [], "b": [], "c": ["a", "b"]})
    scheduler.get_ready()
    scheduler.fail("a")
    scheduler.done("b")
    assert scheduler.get_ready() == []
    assert not scheduler.is_active()


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_no_more_is_handed_out_than_asked_for(limit):
    scheduler = Scheduler({"a": [], "b": [], "c": []})
    assert scheduler.get_ready(limit) == ["a", "b", "c"][:limit]


def test_an_empty_graph_is_done():
    assert not Scheduler({}).is_active()


@given(dags(), st.data())
def test_what_is_reopened_runs_again_after_what_it_waits_for(parents, data):
    """At any time any finished task may be asked for again: everything still ends, in order."""
    scheduler = Scheduler(parents)
    finished, runs = set(), []
    again = data.draw(st.lists(st.sampled_from(sorted(parents)), max_size=4))
    while scheduler.is_active():
        for name in scheduler.get_ready():
            assert finished >= set(parents[name]), name
            runs.append(name)
            scheduler.done(name)
            finished.add(name)
        if again and again[0] in finished:
            name = again.pop(0)
            finished -= set(scheduler.reopen([name], lambda _: True))
    assert finished == set(parents)
    assert set(runs) == set(parents)


def test_reopening_leaves_alone_what_need_not_wait():
    scheduler = Scheduler({"a": [], "b": ["a"], "c": ["b"]})
    for name in "ab":
        scheduler.get_ready()
        scheduler.done(name)
    assert scheduler.reopen("a", lambda _: False) == ["a"]
    assert scheduler.get_ready() == ["a", "c"]


def test_one_that_was_handed_out_can_be_taken_back():
    scheduler = Scheduler({"a": [], "b": ["a"]})
    scheduler.get_ready()
    scheduler.done("a")
    assert scheduler.get_ready() == ["b"]
    assert scheduler.reopen("a", lambda name: name == "b") == ["a", "b"]
    assert scheduler.get_ready() == ["a"]
    assert scheduler.get_ready() == []
    scheduler.done("a")
    assert scheduler.get_ready() == ["b"]
    scheduler.done("b")
    assert not scheduler.is_active()


def test_two_that_are_reopened_for_one_reader():
    scheduler = Scheduler({"a": [], "b": ["a"], "c": ["a", "b"]})
    for name in "ab":
        assert scheduler.get_ready() == [name]
        scheduler.done(name)
    assert scheduler.get_ready() == ["c"]
    assert scheduler.reopen(["a", "b"], lambda name: name in {"b", "c"}) == ["a", "b", "c"]
    assert scheduler.reopen(["b"], lambda _: True) == []
    order = []
    while scheduler.is_active():
        order += scheduler.get_ready()
        scheduler.done(order[-1])
    assert order == ["a", "b", "c"]
