"""Threads that wait for the next who needs one."""

from __future__ import annotations

import multiprocessing
import os
import threading
import weakref
from queue import SimpleQueue

import pytest

from graflow_nb.backends import crew as crew_module
from graflow_nb.backends.crew import Crew

WAIT = 30


def test_a_thread_does_one_thing_after_the_other_and_then_ends():
    crew, told = Crew(), SimpleQueue()
    crew.have(lambda: told.put(threading.current_thread()), "first")
    thread = told.get(timeout=WAIT)
    while thread.is_alive():
        crew.have(lambda: told.put(threading.current_thread().name), "next")
        assert told.get(timeout=WAIT) == "next"
        thread.join(WAIT)


def test_whoever_comes_while_others_are_busy_gets_a_new_thread():
    crew, barrier = Crew(), threading.Barrier(9)
    for number in range(8):
        crew.have(lambda: barrier.wait(WAIT), f"busy-{number}")
    barrier.wait(WAIT)  # all eight are there at once


def test_nothing_is_done_twice_or_forgotten_however_they_come():
    crew, done = Crew(), SimpleQueue()
    for number in range(2_000):
        crew.have(lambda number=number: done.put(number), "busy")
    assert sorted(done.get(timeout=WAIT) for _ in range(2_000)) == list(range(2_000))


def test_a_thread_that_waits_holds_nothing_of_what_it_did(monkeypatch):
    monkeypatch.setattr(crew_module, "LINGER", WAIT)

    class Work:
        def __init__(self, told):
            self.told = told

        def __call__(self):
            self.told.put(threading.current_thread())

    crew, told, gone = Crew(), SimpleQueue(), threading.Event()
    work = Work(told)
    there = weakref.ref(work, lambda _: gone.set())
    crew.have(work, "busy")
    del work
    assert gone.wait(WAIT), there()
    assert told.get(timeout=WAIT).is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    from graflow_nb import task, workflow

    with workflow("w") as flow:

        @task
        def one():
            return os.getpid()

    assert flow.execute() == os.getpid()  # a thread waits now, here only
    there, here = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=lambda: here.send(flow.execute()))
    child.start()
    assert there.poll(WAIT)
    assert there.recv() == child.pid
    child.join(WAIT)
