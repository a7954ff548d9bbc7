"""The thread that sends to the front end."""

from __future__ import annotations

import threading

import pytest

from graflow_nb.notebook.publisher import Publisher

PATIENCE = 20


@pytest.fixture
def published():
    """Publishers that are closed in the end."""
    made = []

    def make(publish, interval=0.0):
        made.append(Publisher(publish, interval))
        return made[-1]

    yield make
    for publisher in made:
        publisher.close()


def test_a_job_is_done_and_then_published_on_another_thread(published):
    did, done = [], threading.Event()

    def publish():
        did.append("published")
        done.set()
        return True, False

    def job():
        did.append(threading.current_thread() is not threading.main_thread())

    published(publish).do(job)
    assert done.wait(PATIENCE)
    assert did == [True, "published"]


def test_it_goes_on_while_there_is_more_to_come_and_then_its_thread_ends(published):
    left, threads = [3], []

    def publish():
        threads.append(threading.current_thread())
        left[0] -= 1
        return True, left[0] > 0

    published(publish).poke()
    while left[0]:
        pass
    threads[0].join(PATIENCE)
    assert len(set(threads)) == 1
    assert left == [0]


def test_many_pokes_are_one_round(published):
    rounds, first, go_on = [], threading.Event(), threading.Event()

    def publish():
        rounds.append(None)
        first.set()
        assert go_on.wait(PATIENCE)
        return True, False

    publisher = published(publish)
    publisher.poke()
    assert first.wait(PATIENCE)
    thread = publisher._thread
    for _ in range(1000):
        publisher.poke()
    go_on.set()
    thread.join(PATIENCE)
    assert len(rounds) == 2


def test_after_a_round_that_sent_nothing_a_change_is_published_at_once(published):
    rounds = [threading.Event() for _ in range(3)]
    count = iter(range(9))

    def publish():
        rounds[next(count)].set()
        return False, True

    publisher = published(publish, interval=10_000)
    publisher.poke()
    assert rounds[0].wait(PATIENCE)
    publisher.poke()
    assert rounds[1].wait(PATIENCE)
    assert not rounds[2].is_set()


def test_after_a_round_that_sent_something_a_change_waits_for_its_turn(published):
    first, more = threading.Event(), []

    def publish():
        more.append(None)
        first.set()
        return True, True

    publisher = published(publish, interval=10_000)
    publisher.poke()
    assert first.wait(PATIENCE)
    publisher.poke()
    publisher.close()
    assert len(more) == 1


def test_what_fails_is_logged_and_the_next_round_works(published, caplog):
    done = threading.Event()

    def fail():
        raise ValueError("no")

    publisher = published(lambda: (done.set() is None, False))
    publisher.do(fail)
    thread = publisher._thread
    if thread is not None:
        thread.join(PATIENCE)
    assert "could not be brought up to date" in caplog.text
    publisher.poke()
    assert done.wait(PATIENCE)


def test_after_it_is_closed_nothing_starts(published):
    publisher = published(lambda: (True, True))
    publisher.poke()
    publisher.close()
    publisher.poke()
    assert publisher._thread is None
