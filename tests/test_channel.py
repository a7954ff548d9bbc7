"""The channel of a run: a dictionary with lists, numbers and lives, whatever thread asks."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from graflow_nb.core.channel import ABSENT, Change, Channel, Command

WAIT = 10
THREADS = 32


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def at_once(count, work):
    """Run `work(n)` in so many threads that all begin together; return what came, in order."""
    gate = threading.Barrier(count)

    def begin(n):
        gate.wait(WAIT)
        return work(n)

    with ThreadPoolExecutor(count) as pool:
        return [future.result(WAIT) for future in [pool.submit(begin, n) for n in range(count)]]


# What a channel must do one after the other, in plain dictionaries.
KEYS = st.sampled_from("abc")
VALUES = st.one_of(st.integers(-3, 3), st.lists(st.integers(0, 3), max_size=2), st.none(), st.just("text"))
TTLS = st.one_of(st.none(), st.integers(1, 5))


class ChannelModel(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.channel = Channel({"a": 1}, self.clock)
        self.values = {"a": 1}
        self.ends = {}

    def forget(self):
        for key in [key for key, end in self.ends.items() if end <= self.clock.now]:
            del self.values[key], self.ends[key]

    def hold(self, key, value, ttl, *, anew):
        self.values[key] = value
        if anew:
            self.ends.pop(key, None)
        if ttl is not None:
            self.ends[key] = self.clock.now + ttl

    @rule(seconds=st.integers(1, 4))
    def time_passes(self, seconds):
        self.clock.now += seconds
        self.forget()

    @rule(key=KEYS, value=VALUES, ttl=TTLS)
    def sets(self, key, value, ttl):
        self.channel.set(key, value, ttl=ttl)
        self.hold(key, value, ttl, anew=True)

    @rule(key=KEYS, value=VALUES, ttl=TTLS, at_end=st.booleans())
    def adds_to_a_list(self, key, value, ttl, at_end):
        add = self.channel.append if at_end else self.channel.prepend
        held = self.values.get(key, [])
        if not isinstance(held, list):
            with pytest.raises(TypeError, match=f"{key!r} holds no list but '{type(held).__name__}'"):
                add(key, value, ttl=ttl)
            return
        reader, before = self.channel.get(key), list(held)
        add(key, value, ttl=ttl)
        self.hold(key, [*held, value] if at_end else [value, *held], ttl, anew=False)
        assert reader is None or reader == before

    @rule(key=KEYS)
    def deletes(self, key):
        assert self.channel.delete(key) is (key in self.values)
        self.values.pop(key, None)
        self.ends.pop(key, None)

    @rule()
    def clears(self):
        self.channel.clear()
        self.values.clear()
        self.ends.clear()

    @rule(key=KEYS, amount=st.integers(-2, 2))
    def adds(self, key, amount):
        held = self.values.get(key, 0)
        if not isinstance(held, int):
            with pytest.raises(TypeError, match=f"{key!r} is no number but '{type(held).__name__}'"):
                self.channel.atomic_add(key, amount)
            return
        assert self.channel.atomic_add(key, amount) == held + amount
        self.hold(key, held + amount, None, anew=False)

    @invariant()
    def is_the_same(self):
        assert self.channel.snapshot() == self.values
        assert self.channel.keys() == list(self.values)
        for key in "abc":
            assert self.channel.exists(key) is (key in self.values)
            assert self.channel.get(key, ABSENT) == self.values.get(key, ABSENT)


TestChannelModel = ChannelModel.TestCase
TestChannelModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.fixture(scope="module", autouse=True)
def _threads_take_turns_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=8), min_size=2, max_size=THREADS))
def test_atomic_operations_are_linearisable(amounts):
    """There is one order of all steps, each thread's own order in it, in which every answer is right.

    The amounts are positive, so an answer tells the place of its step in that order.
    """
    channel = Channel()

    def work(n):
        steps = []
        for amount in amounts[n]:
            steps.append((channel.atomic_add("n", amount), amount))
            channel.append("log", (n, amount))
        return steps

    answers = at_once(len(amounts), work)
    total = 0
    for answer, amount in sorted(step for steps in answers for step in steps):
        total += amount
        assert answer == total
    assert channel.get("n") == total
    assert all(steps == sorted(steps) for steps in answers)
    log = channel.get("log")
    assert [[amount for who, amount in log if who == n] for n in range(len(amounts))] == amounts


def test_32_threads_that_count_get_each_number_once():
    channel = Channel()
    seen = at_once(THREADS, lambda _: [channel.atomic_add("n") for _ in range(200)])
    assert sorted(n for some in seen for n in some) == list(range(1, THREADS * 200 + 1))
    assert all(some == sorted(some) for some in seen)


def test_32_threads_that_append_lose_nothing_and_keep_each_its_own_order():
    channel = Channel()

    def add(n):
        for step in range(60):
            (channel.append if n % 2 else channel.prepend)("rows", (n, step))

    at_once(THREADS, add)
    rows = channel.get("rows")
    assert len(rows) == THREADS * 60
    for n in range(THREADS):
        steps = [step for who, step in rows if who == n]
        assert steps == (list(range(60)) if n % 2 else list(range(59, -1, -1)))


def test_of_32_threads_that_delete_one_has_deleted():
    for _ in range(20):
        channel = Channel({"token": 1})
        assert sum(at_once(THREADS, lambda _, channel=channel: channel.delete("token"))) == 1


def test_commands_that_are_done_again_are_done_all_at_once():
    channel = Channel({"x": 0, "y": 0})
    pairs = [[Command("set", "x", n), Command("set", "y", n)] for n in range(THREADS)]
    seen = []

    def work(n):
        for _ in range(20):
            channel.apply(pairs[n])
            seen.append(channel.snapshot())

    at_once(THREADS, work)
    assert all(state["x"] == state["y"] for state in seen)


def test_commands_that_cannot_all_be_done_again_are_not_begun():
    channel = Channel({"a": 1, "b": []})
    with pytest.raises(TypeError, match="'a' holds no list"):
        channel.apply(
            [Command("append", "b", 2), Command("clear"), Command("set", "a", 1), Command("append", "a", 1)]
        )
    assert channel.snapshot() == {"a": 1, "b": []}
    assert channel.keys() == ["a", "b"]


def test_what_was_done_can_be_done_again():
    one, other = Channel(), Channel({"old": 1})
    commands = [
        Command("clear"),
        Command("set", "rate", 0.1),
        Command("append", "rows", 2),
        Command("prepend", "rows", 1),
        Command("set", "gone", None),
        Command("delete", "gone"),
    ]
    for channel in (one, other):
        channel.apply(commands)
    assert one.snapshot() == other.snapshot() == {"rate": 0.1, "rows": [1, 2]}


def test_a_life_begins_when_the_command_is_done():
    clock = Clock()
    channel = Channel(clock=clock)
    command = Command("set", "token", "x", 10)
    clock.now += 1_000
    channel.apply([command])
    clock.now += 9
    assert channel.exists("token")
    clock.now += 1
    assert (channel.exists("token"), channel.get("token", "none"), channel.keys()) == (False, "none", [])


def test_a_key_that_ended_is_a_new_one():
    clock = Clock()
    channel = Channel(clock=clock)
    channel.set("a", 1, ttl=5)
    channel.set("b", 2)
    clock.now += 5
    assert channel.do(Command("append", "a", 1)) == Change(ABSENT, [1])
    assert channel.keys() == ["b", "a"]
    clock.now += 1_000
    assert channel.get("a") == [1]


def test_none_is_a_value():
    channel = Channel({"nothing": None})
    assert channel.exists("nothing")
    assert channel.get("nothing", 5) is None


@pytest.mark.parametrize(
    ("held", "amount", "after"),
    [
        (1, 0.5, 1.5),
        (Decimal("0.1"), Decimal("0.2"), Decimal("0.3")),
        (Fraction(1, 3), Fraction(2, 3), 1),
        (np.int64(3), 4, 7),
        (2, np.float64(0.5), 2.5),
        (1j, 1, 1 + 1j),
    ],
)
def test_every_number_can_be_added_to(held, amount, after):
    channel = Channel({"n": held})
    assert channel.atomic_add("n", amount) == after == channel.get("n")


@pytest.mark.parametrize(
    ("work", "error", "words"),
    [
        (lambda c: c.atomic_add("text"), TypeError, "channel key 'text' is no number but 'str'"),
        (lambda c: c.atomic_add("flag"), TypeError, "channel key 'flag' is no number but 'bool'"),
        (lambda c: c.atomic_add("n", "1"), TypeError, "what is added to 'n' is no number but 'str'"),
        (lambda c: c.atomic_add("n", Decimal(1)), TypeError, "channel key 'n': unsupported operand"),
        (lambda c: c.append("text", 1), TypeError, "channel key 'text' holds no list but 'str': set it"),
        (lambda c: c.prepend("n", 1), TypeError, "channel key 'n' holds no list but 'float'"),
        (
            lambda c: c.set("n", 1, ttl=0),
            ValueError,
            r"set\('n'\): ttl is a number of seconds, more than 0, not 0",
        ),
        (lambda c: c.set("n", 1, ttl=-1), ValueError, "more than 0, not -1"),
        (lambda c: c.append("l", 1, ttl="5"), ValueError, r"append\('l'\): ttl .* not '5'"),
        (lambda c: c.set("n", 1, ttl=float("nan")), ValueError, "not nan"),
        (
            lambda c: c.lock("n", timeout=-1),
            ValueError,
            r"lock\('n'\): timeout is a number of seconds, 0 or more, not -1",
        ),
        (lambda c: c.lock("n", timeout="1"), ValueError, "not '1'"),
        (lambda c: c.do(Command("appand", "n", 1)), ValueError, "no command 'appand'. Did you mean 'append'"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_changes(work, error, words):
    channel = Channel({"text": "t", "flag": True, "n": 0.5})
    with pytest.raises(error, match=words):
        work(channel)
    assert channel.snapshot() == {"text": "t", "flag": True, "n": 0.5}


@pytest.mark.parametrize(
    "work",
    [
        lambda c, key: c.get(key),
        lambda c, key: c.set(key, 1),
        lambda c, key: c.append(key, 1),
        lambda c, key: c.delete(key),
        lambda c, key: c.exists(key),
        lambda c, key: c.atomic_add(key),
        lambda c, key: c.lock(key),
        lambda c, key: Channel({key: 1}),
    ],
)
def test_a_key_is_a_text_that_is_not_empty(work):
    with pytest.raises(TypeError, match=r"a channel's key is a text, not 'int' \(5\): str\(key\)"):
        work(Channel(), 5)
    with pytest.raises(KeyError, match="not empty"):
        work(Channel(), "")


def test_a_value_may_use_the_channel_when_it_goes():
    channel = Channel()

    class Leaver:
        def __del__(self):
            channel.set("left", True)

    channel.set("who", Leaver())
    channel.set("who", None)
    assert channel.get("left") is True


class TestLocks:
    def test_one_at_a_time_is_inside(self):
        channel = Channel({"n": 0})

        def add(_):
            for _ in range(30):
                with channel.lock("n"):
                    channel.set("n", channel.get("n") + 1)

        at_once(THREADS, add)
        assert channel.get("n") == THREADS * 30

    def test_who_has_it_may_take_it_again(self):
        channel = Channel()
        with channel.lock("a"), channel.lock("a", timeout=0):
            assert not at_once(1, lambda _: try_lock(channel, "a"))[0]
        assert at_once(1, lambda _: try_lock(channel, "a"))[0]

    def test_other_names_and_other_channels_have_other_locks(self):
        one, other = Channel(), Channel()
        with one.lock("a"):
            assert at_once(2, lambda n: try_lock(*[(one, "b"), (other, "a")][n])) == [True, True]

    def test_it_is_given_back_when_what_is_inside_fails(self):
        channel = Channel()
        with pytest.raises(KeyError), channel.lock("a"):
            raise KeyError
        assert at_once(1, lambda _: try_lock(channel, "a"))[0]

    def test_who_cannot_wait_any_longer_is_told_for_what(self):
        channel = Channel()
        late = pytest.raises(TimeoutError, match=r"the lock of 'weights' was not free within 0\.01 s")
        with channel.lock("weights"), late:
            at_once(1, lambda _: channel.lock("weights", timeout=0.01).__enter__())

    def test_a_lock_that_becomes_free_is_had_by_who_waits(self):
        channel = Channel()
        inside, order = threading.Event(), []

        def work(n):
            if n == 0:
                with channel.lock("a"):
                    inside.set()
                    order.append("first")
            else:
                inside.wait(WAIT)
                with channel.lock("a", timeout=WAIT):
                    order.append("second")

        at_once(2, work)
        assert order == ["first", "second"]

    def test_coroutines_of_one_loop_exclude_each_other(self):
        channel = Channel()

        async def work(log, name):
            async with channel.lock("a"), channel.lock("a"):
                log.append(f"{name} in")
                await asyncio.sleep(0)
                log.append(f"{name} out")

        async def both():
            log = []
            await asyncio.gather(*(work(log, name) for name in "xyz"))
            return log

        log = asyncio.run(both())
        assert [log[n].split()[0] for n in (0, 2, 4)] == [log[n].split()[0] for n in (1, 3, 5)]

    def test_a_coroutine_that_would_stop_its_own_loop_is_told(self):
        channel = Channel()

        async def work():
            async with channel.lock("a"):
                await asyncio.gather(asyncio.create_task(second()))

        async def second():
            with channel.lock("a"):
                pass

        with pytest.raises(RuntimeError, match=r"lock of 'a' is held by another coroutine .* `async with`"):
            asyncio.run(work())

    def test_a_coroutine_cannot_wait_for_ever_either(self):
        channel = Channel()

        async def work():
            async with channel.lock("a", timeout=0.001):
                pass

        with channel.lock("a"), pytest.raises(TimeoutError, match=r"'a' was not free within 0\.001 s"):
            asyncio.run(work())
        asyncio.run(work())


def try_lock(channel, key):
    try:
        with channel.lock(key, timeout=0):
            return True
    except TimeoutError:
        return False
