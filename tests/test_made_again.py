"""What is made again in a run, and what must not be kept, because somebody else changed it."""

from __future__ import annotations

import threading

import pytest

from graflow_nb import NoResultError, task, workflow
from graflow_nb.incremental.cache import open_cache
from graflow_nb.incremental.reuse import Reuse

WAIT = 10


class Hidden:
    """Holds what tasks read and what is no part of their keys."""

    def __init__(self, value):
        self.value = value

    def __graflow_fingerprint__(self):
        return "hidden"


def words(run):
    return {name: str(status) for name, status in run.statuses.items()}


@pytest.fixture
def count():
    return Counted()


class Counted:
    """Counts calls."""

    def __init__(self):
        self.calls = []

    def __call__(self, name):
        self.calls.append(name)

    def taken(self):
        calls, self.calls[:] = list(self.calls), []
        return calls

    def __graflow_fingerprint__(self):
        return "what counts is not counted"


class Wiped:
    """Removes the values in a cache folder, from inside a task."""

    def __init__(self, folder):
        self._folder = folder

    def wipe(self):
        for path in self._folder.rglob("values/*"):
            path.unlink()

    def __graflow_fingerprint__(self):
        return "the folder"


class TestMadeAgain:
    def test_all_that_is_decided_at_once_takes_part_in_what_is_made_again(self):
        made = Hidden(iter(range(1, 100)))

        def source():
            return next(made.value)

        def first(source):
            return source

        def other(source):
            return -source

        def second(source):
            return source

        flow = workflow("f")
        for function in (first, other):
            for name in list(flow.graph.nodes):
                flow.graph.remove(name)
            with flow:
                task("source", keep=False)(source)
                task("first")(function)
                task("second")(second)
            results = flow.run().results
        assert results["first"] == -results["second"]

    def test_what_is_lost_while_its_reader_waits_for_a_worker_is_made_again(self, count, tmp_path):
        wiped = Wiped(tmp_path / "c")
        with workflow("f", cache=tmp_path / "c") as flow:

            @task
            def source():
                count("source")
                return bytearray(2_000_000)

            @task
            def changes(source):
                source.append(1)
                wiped.wipe()

            @task
            def reader(source):
                return len(source)

        flow.run("source")
        run = flow.run(workers=1)
        assert (words(run)["reader"], run.results["reader"]) == ("succeeded", 2_000_000)

    @pytest.mark.parametrize("make", ["iter", "zip", "map"])
    def test_the_reader_of_an_iterator_is_reused_as_any_other(self, count, make):
        made = {
            "iter": lambda: iter([1, 2]),
            "zip": lambda: zip([1], [2], strict=True),
            "map": lambda: map(abs, [1]),
        }
        with workflow("f") as flow:

            @task
            def items():
                count("items")
                return made[make]()

            @task
            def reader(items):
                count("reader")
                return list(items)

        first = flow.run()
        assert (count.taken(), first.records["reader"].note) == (["items", "reader"], "")
        assert words(flow.run()) == {"items": "cached", "reader": "cached"}
        again = flow.run(force=["reader"])
        assert (count.taken(), again.results["reader"]) == (["items", "reader"], first.results["reader"])

    def test_one_worker_never_hands_on_what_the_task_before_changed(self):
        with workflow("f") as flow:

            @task
            def source():
                return [1, 2]

            @task
            def changes(source):
                source.append(100)

            for name in ("a", "b", "c"):

                @task(name)
                def reader(source):
                    return sum(source)

        run = flow.run(workers=1)
        assert [run.results[name] for name in ("a", "b", "c")] == [3, 3, 3]
        assert [name for name, record in run.records.items() if record.note] == ["changes"]
        assert "a race" not in run.records["changes"].note

    def test_after_a_failure_that_ends_the_run_it_is_said_why_a_result_is_gone(self):
        with workflow("f") as flow:

            @task
            def source():
                return [1]

            @task
            def changes(source):
                source.append(2)
                raise ValueError("later")

        run = flow.run(fail_fast=True)
        assert repr(run.results) == "{'source': <not there any more: it was changed in place>}"

    def test_results_show_what_was_let_go_of(self):
        with workflow("f") as flow:

            @task(keep=False)
            def source():
                return 1

            @task
            def reader(source):
                return source + 1

        assert repr(flow.run().results) == "{'source': <not there any more: it was let go of>, 'reader': 2}"


class TestChangedBeforeItIsKept:
    """A value that somebody changed must never reach the disk as the one that was made."""

    def flow_of(self, folder, body):
        with workflow("f", cache=folder) as flow:
            task("source")(body)

            @task
            def total(source):
                return sum(source)

        return flow

    @staticmethod
    def old():
        return [1, 2]

    @staticmethod
    def new():
        return [1, *[2]]

    def test_not_by_accepting_it(self, tmp_path):
        flow = self.flow_of(tmp_path / "c", self.old)
        flow.run()
        flow["source"].result.append(100)
        flow.graph.remove("source")
        with flow:
            task("source")(self.new)
        flow.accept("source")
        assert flow.run(force=["total"]).results["total"] == 3
        later = self.flow_of(tmp_path / "c", self.new).run(force=["total"])
        assert (words(later)["source"], later.results["total"]) == ("cached", 3)

    def test_in_memory_it_cannot_be_accepted(self):
        flow = self.flow_of(None, self.old)
        flow.run()
        flow["source"].result.append(100)
        flow.graph.remove("source")
        with flow:
            task("source")(self.new)
        with pytest.raises(NoResultError, match="'source' was changed in place since: run 'source' again"):
            flow.accept("source")

    def test_one_that_was_let_go_of_can_be_accepted(self, count):
        def old():
            return [1]

        def new():
            return [*[1]]

        flow = workflow("f")
        with flow:
            task("source", keep=False)(old)
        flow.run()
        flow.graph.remove("source")
        with flow:
            task("source", keep=False)(new)
        flow.accept("source")
        assert words(flow.run()) == {"source": "cached"}

    def test_not_by_keeping_it_elsewhere(self, tmp_path):
        before = self.flow_of(None, self.old)
        before.run()
        before["source"].result.append(100)
        after = open_cache(tmp_path / "c")
        after.adopt(before.services.cache)
        after.close()
        run = self.flow_of(tmp_path / "c", self.old).run(force=["total"])
        assert (words(run)["source"], run.results["total"]) == ("succeeded", 3)

    def test_not_by_a_race_before_it_is_written(self, tmp_path, monkeypatch):
        passed, changed = Hidden(threading.Event()), Hidden(threading.Event())
        record = Reuse.record

        def late(self, outcome, key, made):
            if outcome.name == "same":
                passed.value.set()
                assert changed.value.wait(WAIT)
            return record(self, outcome, key, made)

        monkeypatch.setattr(Reuse, "record", late)

        def flow_of(*, with_race):
            with workflow("f", cache=tmp_path / "c") as flow:

                @task
                def source():
                    return [1, 2]

                @task
                def same(source):
                    return source

                if with_race:

                    @task
                    def changes(source):
                        assert passed.value.wait(WAIT)
                        source.append(3)
                        changed.value.set()

            return flow

        run = flow_of(with_race=True).run()
        assert (words(run)["same"], run.results["same"]) == ("succeeded", [1, 2])
        changed.value.set()
        assert flow_of(with_race=False).run().results["same"] == [1, 2]


class TestVerifying:
    @pytest.mark.parametrize("named", [(), ("reader",)], ids=["all", "the reader"])
    @pytest.mark.parametrize("kind", ["generator", "not kept"])
    def test_what_cannot_be_handed_out_again_is_made_again(self, count, kind, named):
        with workflow("f") as flow:

            @task(keep=kind != "not kept")
            def source():
                count("source")
                return (x for x in range(3)) if kind == "generator" else range(3)

            @task
            def reader(source):
                count("reader")
                return sum(source)

        flow.run()
        count.taken()
        assert flow.verify(*named) == {name: [] for name in named or ("source", "reader")}
        assert count.taken() == ["source", "reader"]
        assert words(flow.run()) == {"source": "cached", "reader": "cached"}

    def test_a_task_that_changes_its_input_is_named_and_others_get_it_as_it_was(self):
        changes = Hidden([])
        with workflow("f") as flow:

            @task
            def source():
                return [1, 2]

            @task
            def reader(source):
                source.extend(changes.value)
                return 1

            @task
            def after(source, reader):
                return len(source)

        flow.run()
        changes.value.append(3)
        found = flow.verify()
        assert (found["source"], found["after"]) == ([], [])
        assert "its input 'source' (of task 'source') was changed in place" in found["reader"][0]
        assert flow.run().results["source"] == [1, 2]


class TestGivenUp:
    def test_a_call_that_goes_on_may_change_what_it_was_handed_at_any_time(self):
        state = Hidden((threading.Event(), threading.Event(), threading.Event()))
        cache = open_cache(now=lambda: 0)  # as in a notebook in which no cell runs
        flow = workflow("f")
        flow.services.cache = cache
        with flow:

            @task
            def source():
                return [1, 2]

            @task
            def stuck(source):
                began, go, done = state.value
                began.set()
                while not go.is_set():
                    try:
                        go.wait(WAIT)
                    except BaseException:
                        continue
                source.append(100)
                done.set()

            @task
            def reader(source):
                return sum(source)

        flow.run("source")
        run = flow.run("stuck", background=True)
        began, go, done = state.value
        assert began.wait(WAIT)
        run.cancel()
        run.cancel()
        assert run.wait(WAIT).stuck == ["stuck"]
        go.set()
        assert done.wait(WAIT)
        assert flow.run("reader").results == {"source": [1, 2], "reader": 3}
