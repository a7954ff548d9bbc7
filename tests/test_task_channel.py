"""What a task's side of the channel keeps: reads of what others wrote, and its own writes, to be done again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb.core.channel import Channel, Command
from graflow_nb.core.task_channel import KEYS, TaskChannel

WAIT = 10


def opened(**held):
    channel = Channel(held)
    return channel, TaskChannel(channel)


def test_the_first_read_of_each_key_is_kept():
    _, mine = opened(rate=0.1)
    assert (mine.get("rate"), mine.get("rate"), mine.get("step", 7), mine.exists("gone")) == (0.1, 0.1, 7, False)
    assert mine.reads == {"rate": ("value", 0.1), "step": ("absent", None), "gone": ("absent", None)}
    assert (mine.writes, mine.volatile) == ([], {})


def test_what_is_there_counts_more_than_that_it_is_there():
    _, mine = opened(rate=0.1, other=2)
    assert mine.exists("rate")
    assert mine.exists("other")
    assert mine.reads == {"rate": ("exists", True), "other": ("exists", True)}
    mine.get("rate")
    mine.exists("rate")
    assert mine.reads == {"rate": ("value", 0.1), "other": ("exists", True)}
    assert not mine.volatile


def test_none_is_not_nothing():
    _, mine = opened(nothing=None)
    mine.get("nothing")
    mine.get("absent")
    assert mine.reads == {"nothing": ("value", None), "absent": ("absent", None)}


def test_the_keys_are_a_read_too():
    _, mine = opened(a=1, b=2)
    assert mine.keys() == ["a", "b"]
    assert mine.reads == {KEYS: ("keys", ["a", "b"])}
    assert not mine.volatile


def test_writes_are_kept_in_order_with_their_values():
    channel, mine = opened(old=1)
    mine.set("rate", 0.1)
    mine.append("rows", 2, ttl=60)
    mine.prepend("rows", 1)
    mine.clear()
    mine.set("token", "x", ttl=5)
    assert mine.writes == [
        Command("set", "rate", 0.1),
        Command("append", "rows", 2, 60),
        Command("prepend", "rows", 1),
        Command("clear"),
        Command("set", "token", "x", 5),
    ]
    assert channel.snapshot() == {"token": "x"}
    assert mine.reads == {"rows": ("list", True)}


def test_what_it_wrote_itself_is_no_read():
    _, mine = opened(rate=0.1)
    mine.set("rate", 0.2)
    assert (mine.get("rate"), mine.exists("rate"), mine.delete("rate"), mine.get("rate")) == (
        0.2,
        True,
        True,
        None,
    )
    assert (mine.reads, mine.volatile) == ({}, {})


def test_deleting_sees_whether_it_was_there():
    _, mine = opened(rate=0.1)
    assert (mine.delete("rate"), mine.delete("step")) == (True, False)
    assert mine.reads == {"rate": ("exists", True), "step": ("absent", None)}
    assert mine.writes == [Command("delete", "rate"), Command("delete", "step")]
    assert not mine.volatile


def test_after_clearing_nothing_is_a_read():
    _, mine = opened(rate=0.1)
    mine.clear()
    assert (mine.get("rate"), mine.exists("other")) == (None, False)
    assert (mine.reads, mine.volatile) == ({}, {})


@pytest.mark.parametrize("held", [None, [], [1]])
def test_adding_reads_that_it_can_be_done_and_looking_afterwards_reads_what_was_there_before(held):
    channel = Channel({} if held is None else {"rows": held})
    mine = TaskChannel(channel)
    mine.append("rows", 2)
    mine.prepend("rows", 0)
    assert mine.reads == {"rows": ("list", True)}
    assert mine.get("rows") == [0, *(held or []), 2]
    assert mine.reads == {"rows": ("absent", None) if held is None else ("value", held)}
    assert not mine.volatile


def test_reading_and_then_adding_reads_it_once():
    _, mine = opened(rows=[1])
    mine.get("rows")
    mine.append("rows", 2)
    assert mine.get("rows") == [1, 2]
    assert mine.reads == {"rows": ("value", [1])}
    assert not mine.volatile


def test_adding_to_a_list_of_its_own_is_its_own():
    _, mine = opened(rows=[1])
    mine.set("rows", [])
    mine.append("rows", 2)
    assert mine.get("rows") == [2]
    assert (mine.reads, mine.volatile) == ({}, {})


@pytest.mark.parametrize(
    ("before", "meanwhile", "after"),
    [
        (lambda mine: mine.get("a"), lambda ch: ch.set("a", 2), lambda mine: mine.get("a")),
        (lambda mine: mine.get("a"), lambda ch: ch.delete("a"), lambda mine: mine.get("a")),
        (lambda mine: mine.get("a"), lambda ch: ch.delete("a"), lambda mine: mine.exists("a")),
        (lambda mine: mine.exists("a"), lambda ch: ch.delete("a"), lambda mine: mine.get("a")),
        (lambda mine: mine.get("x"), lambda ch: ch.set("x", 1), lambda mine: mine.exists("x")),
        (lambda mine: mine.exists("x"), lambda ch: ch.set("x", 1), lambda mine: mine.get("x")),
        (lambda mine: mine.set("a", 5), lambda ch: ch.set("a", 6), lambda mine: mine.get("a")),
        (lambda mine: mine.set("a", 5), lambda ch: ch.delete("a"), lambda mine: mine.exists("a")),
        (lambda mine: mine.delete("a"), lambda ch: ch.set("a", 6), lambda mine: mine.get("a")),
        (lambda mine: mine.clear(), lambda ch: ch.set("b", 6), lambda mine: mine.get("b")),
        (lambda mine: mine.append("l", 1), lambda ch: ch.append("l", 2), lambda mine: mine.get("l")),
        (lambda mine: mine.append("l", 1), lambda ch: ch.set("l", []), lambda mine: add_and_get(mine, "l")),
        (lambda mine: mine.set("l", []), lambda ch: ch.append("l", 2), lambda mine: add_and_get(mine, "l")),
        (lambda mine: mine.get("l"), lambda ch: ch.set("l", [3]), lambda mine: add_and_get(mine, "l")),
        (lambda mine: mine.keys(), lambda ch: ch.set("x", 1), lambda mine: mine.keys()),
        (lambda mine: mine.set("x", 1), lambda ch: None, lambda mine: mine.keys()),
        (lambda mine: mine.clear(), lambda ch: None, lambda mine: mine.keys()),
    ],
)
def test_what_others_change_meanwhile_is_no_trace_that_could_hold_again(before, meanwhile, after):
    channel, mine = opened(a=1, l=[0])
    before(mine)
    assert not mine.volatile
    meanwhile(channel)
    after(mine)
    assert len(mine.volatile) == 1
    assert "chang" in next(iter(mine.volatile))


def add_and_get(mine, key):
    mine.append(key, 9)
    return mine.get(key)


def test_what_ended_by_itself_is_a_change_too():
    now = [0.0]
    mine = TaskChannel(Channel(clock=lambda: now[0]))
    mine.set("token", "x", ttl=5)
    assert mine.get("token") == "x"
    assert not mine.volatile
    now[0] = 5
    assert mine.get("token") is None
    assert list(mine.volatile) == ["channel.get('token') (it changed while the task ran)"]


def test_locks_and_numbers_are_no_trace():
    volatile = {"run_id": None}
    channel = Channel()
    mine = TaskChannel(channel, volatile)
    assert (mine.atomic_add("n", 2), mine.atomic_add("n")) == (2, 3)
    with mine.lock("n", timeout=0), mine.lock("n"):
        pass
    assert list(volatile) == ["run_id", "channel.atomic_add", "channel.lock"]
    assert mine.volatile is volatile


@pytest.mark.parametrize(
    "work", [lambda c: c.append("a", 1), lambda c: c.set("", 1), lambda c: c.set("a", 1, ttl=0)]
)
def test_what_was_refused_is_not_kept_but_why_it_was(work):
    _, mine = opened(a=1)
    with pytest.raises((TypeError, KeyError, ValueError)):
        work(mine)
    assert mine.writes == []
    assert mine.get("a") == 1
    assert mine.reads == {"a": ("value", 1)}


@pytest.mark.parametrize("add", ["append", "prepend"])
def test_whether_a_key_can_be_added_to_is_a_read(add):
    _, mine = opened(a=1, l=[], there=[3])
    with pytest.raises(TypeError, match="holds no list"):
        getattr(mine, add)("a", 1)
    getattr(mine, add)("l", 1)
    getattr(mine, add)("new", 1)
    mine.exists("there")
    getattr(mine, add)("there", 1)
    assert mine.reads == {
        "a": ("value", 1),
        "l": ("list", True),
        "new": ("list", True),
        "there": ("value", [3]),
    }
    assert not mine.volatile


class TestInPlace:
    """What a task reads and changes in place is not what others wrote any more."""

    def test_it_is_noticed_at_the_end(self):
        mine = TaskChannel(Channel({"rows": [1], "other": [2], "n": 3}), look=repr)
        mine.get("other")
        mine.get("n")
        mine.get("rows").append(2)
        mine.close()
        assert list(mine.volatile) == ["channel.get('rows') (changed in place: set() a copy)"]

    def test_what_it_wrote_itself_may_be_changed(self):
        mine = TaskChannel(Channel({"rows": [1]}), look=repr)
        mine.set("rows", [5])
        mine.get("rows").append(6)
        mine.append("new", [])
        mine.get("new")[0].append(7)
        mine.close()
        assert not mine.volatile

    def test_what_stays_as_it_is_is_not_looked_at(self):
        def look(_):
            raise AssertionError

        mine = TaskChannel(Channel({"a": 1, "b": "text", "c": None}), look=look)
        for key in "abcd":
            mine.get(key)
        mine.close()
        assert not mine.volatile

    def test_what_cannot_be_looked_at_is_no_trace(self):
        def look(_):
            raise RuntimeError("it changes all the time")

        mine = TaskChannel(Channel({"rows": [1]}), look=look)
        assert mine.get("rows") == [1]
        mine.close()
        assert len(mine.volatile) == 1

    def test_without_a_look_nothing_is_said(self):
        mine = TaskChannel(Channel({"rows": [1]}))
        mine.get("rows").append(2)
        mine.close()
        assert not mine.volatile


def test_of_two_tasks_that_delete_one_has_deleted():
    channel = Channel()
    for _ in range(50):
        channel.set("token", 1)
        gate = threading.Barrier(8)

        def work(gate=gate):
            mine = TaskChannel(channel)
            gate.wait(WAIT)
            return mine.delete("token"), mine.reads["token"][0]

        with ThreadPoolExecutor(8) as pool:
            seen = [future.result(WAIT) for future in [pool.submit(work) for _ in range(8)]]
        assert sorted(seen) == [(False, "absent")] * 7 + [(True, "exists")]


def test_threads_of_one_task_keep_the_order_in_which_their_writes_were_done():
    channel = Channel()
    mine = TaskChannel(channel)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: mine.append("rows", n), range(500)))
    again = Channel()
    again.apply(mine.writes)
    assert again.get("rows") == channel.get("rows") == mine.get("rows")
    assert not mine.volatile


# Programs of one task: whatever it does, doing it again where its reads hold gives the same.
KEYS_ = st.sampled_from("ab")
STEPS = st.one_of(
    st.tuples(st.just("get"), KEYS_),
    st.tuples(st.just("exists"), KEYS_),
    st.tuples(st.just("keys")),
    st.tuples(st.just("set"), KEYS_, st.sampled_from([1, [], [5]])),
    st.tuples(st.sampled_from(["append", "prepend"]), KEYS_, st.integers(0, 3)),
    st.tuples(st.just("delete"), KEYS_),
    st.tuples(st.just("clear")),
)
STATES = st.dictionaries(KEYS_, st.sampled_from([0, [], [1], [1, 2]]), max_size=2)


def play(channel, program):
    mine, answers = TaskChannel(channel), []
    for name, *rest in program:
        try:
            answers.append(getattr(mine, name)(*rest))
        except TypeError as error:
            answers.append(str(error))
    return mine, answers


def holds(reads, channel):
    for key, (kind, seen) in reads.items():
        if kind == "keys":
            same = channel.keys() == seen
        elif kind == "list":
            same = isinstance(channel.get(key, []), list)
        elif kind == "value":
            same = channel.exists(key) and channel.get(key) == seen
        else:
            same = channel.exists(key) is (kind == "exists")
        if not same:
            return False
    return True


@given(STATES, STATES, st.lists(STEPS, max_size=8))
def test_where_the_reads_hold_the_task_sees_and_does_the_same(first, second, program):
    mine, answers = play(Channel(first), program)
    replayed, other = Channel(second), Channel(second)
    assert holds(mine.reads, Channel(first)) or mine.volatile
    if mine.volatile or not holds(mine.reads, replayed):
        return
    _, again = play(other, program)
    replayed.apply(mine.writes)
    assert again == answers
    assert replayed.snapshot() == other.snapshot()
