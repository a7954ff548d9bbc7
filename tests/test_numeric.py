"""Numeric libraries' own threads: shared while several calls run, and as before when they do not."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from threadpoolctl import ThreadpoolController, threadpool_limits

from graflow_nb import task, workflow
from graflow_nb.backends.numeric import (
    NumericThreads,
    cores_of_this_process,
    is_shared,
    libraries_of_this_process,
    set_threads,
)

WAIT = 10
LOADED = {"numpy.linalg._umath_linalg": None}


class Fake:
    """A library; some have a number for each thread."""

    def __init__(self, number=8, by_thread=False):
        self.by_thread = by_thread
        self.first = number
        self.numbers = {}
        self.changes = 0

    def place(self):
        return threading.get_ident() if self.by_thread else None

    def get_num_threads(self):
        return self.numbers.get(self.place(), self.first)

    def set_num_threads(self, num_threads):
        self.changes += 1
        self.numbers[self.place()] = num_threads

    @property
    def number(self):
        return self.numbers.get(self.place(), self.first)


DRIVER = -1


def opened(*libraries, cores=8, modules=LOADED):
    searches = []

    def find():
        searches.append(1)
        return libraries

    return NumericThreads(cores, find, modules), searches


def enter(numeric, *workers, driver=DRIVER):
    for worker in workers:
        numeric.enter(worker, driver)


def leave(numeric, *workers):
    for worker in workers:
        numeric.leave(worker)


class TestSharing:
    def test_each_has_its_part_of_the_cores_and_at_the_end_what_it_had(self):
        blas = Fake(8)
        numeric, _ = opened(blas)
        seen = []
        for worker in range(9):
            enter(numeric, worker)
            seen.append(blas.number)
        assert seen == [8, 4, 2, 2, 1, 1, 1, 1, 1]
        for worker in range(9):
            leave(numeric, worker)
            seen.append(blas.number)
        assert seen[9:] == [1, 1, 1, 1, 2, 2, 4, 8, 8]

    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_a_lower_number_of_the_users_is_never_raised(self, number):
        blas = Fake(number)
        numeric, _ = opened(blas)
        for n in range(1, 9):
            enter(numeric, n)
            assert blas.number == min(number, 8 // n)
        leave(numeric, *range(1, 9))
        assert blas.number == number

    def test_a_worker_alone_looks_for_nothing(self):
        blas = Fake()
        numeric, searches = opened(blas)
        for _ in range(5):
            numeric.begin()
            enter(numeric, 1, 1)
            leave(numeric, 1, 1)
        assert (searches, blas.changes) == ([], 0)

    def test_where_no_library_is_loaded_nothing_is_looked_for(self):
        numeric, searches = opened(Fake(), modules={"json": None})
        enter(numeric, 1, 2, 3, 1, 2, 3)
        leave(numeric, 1, 2, 3)
        assert searches == []

    @pytest.mark.parametrize("by_thread", [True, False])
    def test_libraries_are_looked_for_once_and_again_when_another_was_loaded(self, by_thread):
        first, second, found = Fake(), Fake(by_thread=by_thread), []
        modules = dict(LOADED)
        numeric = NumericThreads(8, lambda: found.append(1) or [first, second][: len(modules)], modules)
        enter(numeric, 1, 2)
        leave(numeric, 2)
        enter(numeric, 2, 1, 2)
        assert (len(found), first.number, second.number) == (1, 4, 8)
        modules["scipy.linalg._fblas"] = None
        enter(numeric, 1)  # which is busy already: a library came with its last call
        assert (len(found), first.number, second.number) == (2, 4, 4)
        leave(numeric, 1, 2)
        assert (first.number, second.number) == (8, 8)

    def test_a_worker_that_goes_on_changes_nothing(self):
        blas, openmp = Fake(), Fake(by_thread=True)
        numeric, _ = opened(blas, openmp)
        enter(numeric, 1, 2, 3)
        enter(numeric, 1, 2, 3)
        blas.changes = openmp.changes = 0
        enter(numeric, 1, 2, 3)
        assert (blas.changes, openmp.changes) == (0, 0)

    def test_where_the_share_is_the_same_nothing_is_set_again(self):
        blas = Fake()
        numeric, _ = opened(blas, cores=2)
        enter(numeric, 1, 2, 3)
        blas.changes = 0
        enter(numeric, 4, 5, 6)
        assert (blas.number, blas.changes) == (1, 0)

    def test_a_worker_that_waits_for_a_run_of_its_own_does_not_count(self):
        blas = Fake()
        numeric, _ = opened(blas)
        enter(numeric, 1)
        enter(numeric, 2, driver=1)
        assert blas.number == 8
        enter(numeric, 3, driver=1)
        assert blas.number == 4
        leave(numeric, 2)
        assert blas.number == 8
        leave(numeric, 3)
        enter(numeric, 4)
        assert blas.number == 4
        leave(numeric, 1, 4)
        assert blas.number == 8

    def test_what_goes_wrong_is_logged_once_and_costs_no_task(self, caplog):
        def find():
            raise OSError("no libraries here")

        numeric = NumericThreads(8, find, LOADED)
        with caplog.at_level(logging.ERROR, "graflow_nb"):
            enter(numeric, 1, 2, 3, 1, 2, 3)
            leave(numeric, 1, 2, 3)
        assert [record.message for record in caplog.records] == [
            "the threads of numeric libraries could not be shared; they are left as they are"
        ]


class TestNumbersOfThreads:
    """OpenMP has a number for each thread."""

    def test_it_is_held_back_on_the_workers_own_thread(self):
        openmp = Fake(by_thread=True)
        numeric, _ = opened(openmp)
        first, second = Hand(numeric), Hand(numeric)
        with first, second:
            seen = [first.enter(openmp), second.enter(openmp), first.look(openmp)]
            seen += [first.enter(openmp), second.leave(openmp), first.look(openmp)]
            seen += [first.enter(openmp), first.leave(openmp)]
        assert seen == [8, 4, 8, 4, 8, 4, 8, 8]

    def test_the_last_to_leave_puts_its_own_back(self):
        openmp = Fake(by_thread=True)
        numeric, _ = opened(openmp)
        first, second = Hand(numeric), Hand(numeric)
        with first, second:
            assert [first.enter(openmp), second.enter(openmp)] == [8, 4]
            assert [first.leave(openmp), second.look(openmp), second.leave(openmp)] == [8, 4, 8]


class Hand:
    """A worker's thread, which does what it is told."""

    def __init__(self, numeric):
        self.numeric = numeric
        self.pool = ThreadPoolExecutor(1)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.pool.shutdown()

    def does(self, work, library):
        return self.pool.submit(lambda: (work(threading.get_ident()), library.number)[1]).result(WAIT)

    def enter(self, library):
        return self.does(lambda ident: self.numeric.enter(ident, DRIVER), library)

    def leave(self, library):
        return self.does(self.numeric.leave, library)

    def look(self, library):
        return self.does(bool, library)


class TestLimitsThatTasksSetThemselves:
    """As scikit-learn does: a limit for a while, and then what it saw before, which may have been ours."""

    def test_begun_while_held_back_and_ended_later(self):
        blas = Fake()
        numeric, _ = opened(blas)
        enter(numeric, 1, 2)
        saved = blas.number
        blas.set_num_threads(1)
        leave(numeric, 2)
        assert blas.number == 1  # it is the task's own, and stays
        blas.set_num_threads(saved)
        assert blas.number == 4
        leave(numeric, 1)
        assert blas.number == 8

    def test_begun_before_and_ended_while_held_back(self):
        blas = Fake()
        numeric, _ = opened(blas)
        enter(numeric, 1)
        blas.set_num_threads(1)
        enter(numeric, 2)
        assert blas.number == 1
        blas.set_num_threads(8)
        enter(numeric, 3)
        assert blas.number == 2
        leave(numeric, 2, 3, 1)
        assert blas.number == 8

    def test_two_that_overlap_and_would_leave_it_too_low(self):
        blas = Fake()
        numeric, searches = opened(blas, modules={**LOADED, "threadpoolctl": None})
        numeric.begin()
        assert len(searches) == 1
        enter(numeric, 1)
        blas.set_num_threads(1)  # the first begins its limit, and saw 8
        enter(numeric, 2)  # the second begins its own, and saw 1
        blas.set_num_threads(8)
        leave(numeric, 1)
        blas.set_num_threads(1)
        leave(numeric, 2)
        assert blas.number == 8

    def test_a_lower_number_that_is_set_between_two_runs_stays(self):
        blas = Fake()
        numeric, _ = opened(blas)
        for number in (8, 3):
            blas.set_num_threads(number)
            numeric.begin()
            enter(numeric, 1, 2)
            assert blas.number == min(number, 4)
            numeric.begin()  # another run, while the first goes on
            leave(numeric, 1, 2)
            assert blas.number == number


class Sharing(RuleBasedStateMachine):
    """Workers that become busy and idle, inside of each other's calls or not, in any order."""

    def __init__(self):
        super().__init__()
        self.blas = Fake(16)
        self.numeric, _ = opened(self.blas, cores=16)
        self.drivers = {}

    @rule(n=st.integers(0, 20), worker=st.integers(0, 12), is_inner=st.booleans())
    def one_makes_a_call(self, n, worker, is_inner):
        others = [other for other in self.drivers if other != worker]
        driver = others[n % len(others)] if others and is_inner else DRIVER
        self.numeric.enter(worker, driver)
        self.drivers.setdefault(worker, driver)

    @rule(worker=st.integers(0, 12))
    def one_has_nothing_to_do(self, worker):
        if worker not in self.drivers.values():
            self.drivers.pop(worker, None)
            self.numeric.leave(worker)

    @invariant()
    def the_number_is_right(self):
        count = sum(worker not in self.drivers.values() for worker in self.drivers)
        assert self.blas.number == (max(1, 16 // count) if count > 1 else 16)


TestSharingModel = Sharing.TestCase
TestSharingModel.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)


def test_many_threads_leave_it_as_it_was():
    blas, openmp = Fake(), Fake(by_thread=True)
    numeric, _ = opened(blas, openmp)
    gate = threading.Barrier(16)
    wrong = []

    def work():
        gate.wait(WAIT)
        ident = threading.get_ident()
        for _ in range(200):
            numeric.enter(ident, DRIVER)
            numeric.enter(ident, DRIVER)
            if not 1 <= blas.number <= 8:
                wrong.append(blas.number)
            numeric.leave(ident)
        if openmp.number != 8:
            wrong.append(openmp.number)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (wrong, blas.number) == ([], 8)


# The real thing: numpy's own OpenBLAS, in runs.


def blas_threads():
    """Return how many threads numpy's own library may use."""
    return next(one["num_threads"] for one in ThreadpoolController().info() if "numpy" in one["filepath"])


@pytest.fixture
def two_threads():
    np.ones((2, 2)) @ np.ones((2, 2))
    with threadpool_limits(2):
        yield


@pytest.mark.usefixtures("two_threads")
class TestRuns:
    def test_two_tasks_at_once_have_a_share_and_one_alone_has_all(self):
        gate = threading.Barrier(2)
        cores = cores_of_this_process()
        with workflow("f") as flow:

            @task
            def before():
                return blas_threads()

            @task
            def left(before):
                gate.wait(WAIT)
                seen = blas_threads()
                gate.wait(WAIT)
                return seen

            @task
            def right(before):
                gate.wait(WAIT)
                seen = blas_threads()
                gate.wait(WAIT)
                return seen

            @task
            def after(left, right):
                return blas_threads()

        for results in (flow.run(workers=2).results, flow.run(workers=2, force=True).results):
            assert dict(results) == {
                "before": 2,
                "left": min(2, max(1, cores // 2)),
                "right": min(2, max(1, cores // 2)),
                "after": 2,
            }
            assert blas_threads() == 2

    def test_what_is_executed_is_held_back_too_and_a_failure_gives_it_back(self):
        gate = threading.Barrier(2)
        seen = []
        with workflow("f") as flow:

            @task
            def left():
                gate.wait(WAIT)
                seen.append(blas_threads())
                gate.wait(WAIT)
                raise ValueError

            @task
            def right():
                gate.wait(WAIT)
                seen.append(blas_threads())
                gate.wait(WAIT)

        with pytest.raises(Exception, match="left"):
            flow.execute()
        assert seen == [min(2, max(1, cores_of_this_process() // 2))] * 2
        assert blas_threads() == 2

    def test_runs_at_once_share_as_well(self):
        gate = threading.Barrier(2)

        def one_run(name):
            with workflow(name) as flow:

                @task
                def look():
                    gate.wait(WAIT)
                    seen = blas_threads()
                    gate.wait(WAIT)
                    return seen

            return flow.run(background=True)

        runs = [one_run(name) for name in "ab"]
        assert [run.wait(WAIT).results["look"] for run in runs] == [
            min(2, max(1, cores_of_this_process() // 2))
        ] * 2
        assert blas_threads() == 2

    def test_a_run_inside_a_task_has_what_the_task_had(self):
        with workflow("outer") as outer:

            @task
            def whole():
                with workflow("inner") as inner:

                    @task
                    def part():
                        return blas_threads()

                return inner.run().results["part"]

        assert outer.run().results["whole"] == 2
        assert blas_threads() == 2

    def test_the_libraries_are_found(self):
        assert "blas" in {library.user_api for library in libraries_of_this_process()}

    def test_openblas_has_one_number_and_trying_leaves_it(self):
        library = next(one for one in libraries_of_this_process() if "numpy" in one.filepath)
        assert is_shared(library)
        assert blas_threads() == 2


class TestWhoSaysTheNumber:
    @pytest.mark.parametrize("by_thread", [True, False])
    @pytest.mark.parametrize("number", [2, 8])
    def test_it_is_found_by_trying_and_left_as_it_was(self, by_thread, number):
        library = Fake(number, by_thread)
        assert is_shared(library) is not by_thread
        assert library.number == number

    def test_who_changed_it_first_does_not_keep_it(self):
        class Kept(Fake):
            """As threadpoolctl has OpenBLAS: the first thread that changes it keeps it."""

            owner = None

            def clear_controlling_thread(self, force=False):
                self.owner = None

            def set_num_threads(self, num_threads):
                self.owner = self.owner or threading.get_ident()
                if self.owner == threading.get_ident():
                    super().set_num_threads(num_threads)

        library = Kept()
        thread = threading.Thread(target=library.set_num_threads, args=[6])
        thread.start()
        thread.join(WAIT)
        set_threads(library, 3)
        assert (library.number, library.owner) == (3, None)
