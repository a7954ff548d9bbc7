"""What happens in one run beside reuse: values that are lost, spoiled or handed out, options, seeds, questions."""

from __future__ import annotations

import threading
import time

import numpy as np
import pandas as pd
import pytest

from graflow_nb import (
    File,
    LostError,
    NoResultError,
    NoWorkflowError,
    Task,
    TaskDefinitionError,
    UnknownTaskError,
    context,
    task,
    workflow,
)

WAIT = 10


class Counted:
    """Counts the calls of the functions that it is put round."""

    def __init__(self):
        self.calls = []

    def __call__(self, name):
        self.calls.append(name)

    def taken(self):
        calls, self.calls[:] = list(self.calls), []
        return calls

    def __graflow_fingerprint__(self):
        return "what counts is not counted"


@pytest.fixture
def count():
    return Counted()


def two_tasks(count, folder, factor=1, made=None):
    """Make the same flow as an earlier process would have, with results kept in a folder."""
    with workflow("f", cache=folder) as flow:

        @task
        def source():
            count("source")
            return [1, 2] if made is None else made()

        @task
        def reader(source):
            count("reader")
            return [x * factor for x in source]

    return flow


def words(run):
    return {name: str(status) for name, status in run.statuses.items()}


class TestOnDisk:
    def test_what_another_process_made_is_reused(self, count, tmp_path):
        two_tasks(count, tmp_path / "c").run()
        assert count.taken() == ["source", "reader"]
        run = two_tasks(count, tmp_path / "c").run()
        assert (count.taken(), words(run)) == ([], {"source": "cached", "reader": "cached"})
        assert run.results == {"source": [1, 2], "reader": [1, 2]}

    def test_a_reader_that_runs_gets_the_value_from_disk(self, count, tmp_path):
        two_tasks(count, tmp_path / "c").run()
        count.taken()
        run = two_tasks(count, tmp_path / "c", factor=3).run()
        assert (count.taken(), run.results["reader"]) == (["reader"], [3, 6])

    def test_what_cannot_be_pickled_is_made_again_only_for_a_reader_that_runs(self, count, tmp_path):
        def build(factor):
            with workflow("f", cache=tmp_path / "c") as flow:

                @task
                def source():
                    count("source")
                    return {"n": 5, "lock": threading.Lock()}

                @task
                def reader(source):
                    count("reader")
                    return source["n"] * factor

            return flow

        build(1).run()
        count.taken()
        run = build(1).run()
        assert (count.taken(), run.results["reader"]) == ([], 5)
        with pytest.raises(LostError, match="'source' is not there any more"):
            _ = run.results["source"]
        run = build(2).run()
        assert (count.taken(), run.results["reader"]) == (["source", "reader"], 10)
        assert "it is not there any more" in str(run.records["source"].reasons[0])

    def test_a_damaged_value_is_made_again_for_its_reader(self, count, tmp_path):
        def made():
            return list(range(100_000))

        two_tasks(count, tmp_path / "c", made=made).run()
        count.taken()
        damaged = 0
        for file in (tmp_path / "c").rglob("*"):
            if file.is_file() and file.stat().st_size > 50_000 and "sqlite" not in file.name:
                file.write_bytes(b"damaged" + file.read_bytes()[7:])
                damaged += 1
        assert damaged
        run = two_tasks(count, tmp_path / "c", factor=2, made=made).run()
        assert count.taken() == ["source", "reader"]
        assert run.results["reader"][-1] == 2 * 99_999

    def test_places(self, count, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        two_tasks(count, "disk").run()
        assert (tmp_path / ".graflow_nb").is_dir()
        count.taken()
        two_tasks(count, "off").run()
        assert count.taken() == ["source", "reader"]
        two_tasks(count, "memory").run()
        assert count.taken() == ["source", "reader"]
        two_tasks(count, "disk").run()
        assert count.taken() == []

    def test_the_folder_stays_the_same_in_another_current_folder(self, count, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        flow = two_tasks(count, "disk")
        flow.run()
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        flow.run(force=True)
        assert not list((tmp_path / "elsewhere").iterdir())

    def test_a_folder_at_home(self, count, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        two_tasks(count, "~/results").run()
        assert (tmp_path / "results").is_dir()

    def test_what_is_loaded_takes_room(self, tmp_path):
        def build():
            with workflow("f", cache=tmp_path / "c") as flow:
                flow.param("n", 0)

                @task
                def t(n):
                    return bytes(100_000 + n)

            return flow

        for number in range(3):
            build().run(set={"n": number})
        flow = build()
        for number in range(3):
            assert len(flow.run(set={"n": number}).results["t"]) == 100_000 + number
        assert flow.services.cache.store.size > 300_000


class TestOptions:
    def build(self, count, **options):
        with workflow("f") as flow:

            @task(**options)
            def t():
                count("t")
                return 1

        return flow

    def test_a_result_can_be_too_old(self, count, monkeypatch):
        flow = self.build(count, max_age=60)
        flow.run()
        assert count.taken() == ["t"]
        flow.run()
        assert count.taken() == []
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 61)
        assert "older than 60 s" in str(flow.run().records["t"].reasons[0])
        assert count.taken() == ["t"]

    @pytest.mark.parametrize("age", [-1, "1"])
    def test_an_age_is_a_number_of_seconds(self, age):
        with pytest.raises(TaskDefinitionError, match="max_age is a number of seconds"):
            Task("t", print, max_age=age)

    def test_another_version_runs_again(self, count, tmp_path):
        def build(version):
            with workflow("f", cache=tmp_path / "c") as flow:

                @task(version=version)
                def t():
                    count("t")

            return flow

        build(1).run()
        build(1).run()
        assert count.taken() == ["t"]
        assert "version changed: 1 → 2" in str(build(2).run().records["t"].reasons[0])

    def test_an_argument_that_does_not_matter(self, count):
        with workflow("f") as flow:

            @task(ignore="verbose")
            def t(verbose, x):
                count("t")
                return x

            flow.param("verbose", True)
            flow.param("x", 1)
        flow.run()
        flow.run(set={"verbose": False})
        assert count.taken() == ["t"]
        flow.run(set={"x": 2})
        assert count.taken() == ["t"]

    def test_texts_are_asked_for(self):
        with pytest.raises(TaskDefinitionError, match="inputs takes texts"):
            Task("t", print, inputs=3)

    def test_a_value_that_is_not_kept_is_made_again_when_somebody_needs_it(self, count):
        with workflow("f") as flow:

            @task(keep=False)
            def large():
                count("large")
                return [0] * 10

            @task
            def size(large, add):
                count("size")
                return len(large) + add

            flow.param("add", 0)
        run = flow.run()
        assert (count.taken(), run.results["size"]) == (["large", "size"], 10)
        with pytest.raises(LostError, match="let go"):
            _ = flow["large"].result
        flow.run()
        assert count.taken() == []
        assert flow.run(set={"add": 1}).results["size"] == 11
        assert count.taken() == ["large", "size"]


class TestSeeds:
    def build(self, seed, **options):
        with workflow("f", seed=seed, **options) as flow:

            @task
            def a():
                return context.rng.random()

            @task
            def b():
                return context.rng.integers(10**9)

        return flow

    def test_the_same_in_any_run(self):
        assert self.build(1).run().results == self.build(1).run(workers=1).results
        assert self.build(1).run().results != self.build(2).run().results

    def test_each_task_has_its_own(self):
        with workflow("f", seed=1) as flow:
            first, second = (Task(name, lambda: context.rng.random()) for name in "ab")
        flow.run()
        assert first.result != second.result

    def test_another_seed_is_a_reason(self):
        flow = self.build(1)
        before = dict(flow.run().results)
        assert set(words(flow.run()).values()) == {"cached"}
        flow.seed = 2
        run = flow.run()
        assert "seed changed: 1 → 2" in str(run.records["a"].reasons[0])
        assert run.results != before
        flow.seed = 1
        run = flow.run()
        assert (set(words(run).values()), dict(run.results)) == ({"cached"}, before)

    def test_without_a_seed_nothing_is_reused(self):
        flow = self.build(None)
        before = dict(flow.run().results)
        assert flow.run().results != before
        assert "the workflow has no seed" in flow.last_run.records["a"].note

    def test_who_draws_nothing_does_not_mind(self, count):
        with workflow("f", seed=1) as flow:
            Task("a", lambda: count("a"))
        flow.run()
        flow.seed = 2
        flow.run()
        assert count.taken() == ["a"]


class TestParameters:
    @pytest.fixture
    def flow(self, count):
        with workflow("f") as flow:

            @task
            def data():
                count("data")
                return [1, 2, 3]

            @task
            def scaled(data, factor):
                count("scaled")
                return [x * factor for x in data]

            flow.param("factor", 2)
        return flow

    def test_it_is_a_node(self, flow):
        assert flow.plan().parents["scaled"] == ["data", "factor"]
        assert flow.run().results["factor"] == 2

    def test_only_what_depends_on_it_runs(self, flow, count):
        flow.run()
        count.taken()
        flow.param("factor", 3)
        assert flow.run().results["scaled"] == [3, 6, 9]
        assert count.taken() == ["scaled"]

    def test_coming_back_runs_nothing(self, flow, count):
        flow.run()
        flow.run(set={"factor": 3})
        count.taken()
        assert flow.run().results["scaled"] == [2, 4, 6]
        assert flow.run(set={"factor": 3}).results["scaled"] == [3, 6, 9]
        assert count.taken() == []

    def test_a_run_can_set_any_parameter_of_a_task(self):
        with workflow("f") as flow:

            @task
            def power(base, exponent=2):
                return base**exponent

        assert flow.run(set={"base": 3}).results == {"power": 9}
        assert flow.run(set={"base": 3, "exponent": 3}).results == {"power": 27}

    def test_what_nothing_takes(self, flow):
        with pytest.raises(UnknownTaskError, match=r"nothing takes a parameter 'facto'\. Did you mean 'factor'"):
            flow.run(set={"facto": 1})

    def test_a_task_is_no_parameter(self, flow):
        with pytest.raises(TaskDefinitionError, match="'data' is a task, and no parameter"):
            flow.param("data", 1)
        with pytest.raises(UnknownTaskError, match=r"no parameter 'factr'\. Did you mean 'factor'"):
            flow.param("factr")

    def test_their_values(self, flow):
        assert flow.params == {"factor": 2}
        assert flow.param("factor").value == 2


class TestRaces:
    def test_all_who_held_what_one_changed_are_named_and_none_is_kept(self):
        both, changed = threading.Barrier(2), threading.Event()
        with workflow("f") as flow:

            @task
            def data():
                return [3, 1, 2]

            @task
            def sorts(data):
                both.wait(WAIT)
                data.sort()
                changed.set()

            @task
            def looks(data):
                both.wait(WAIT)
                assert changed.wait(WAIT)
                return data[0]

        run = flow.run()
        notes = {name: record.note for name, record in run.records.items()}
        assert "a race" in notes["sorts"] + notes["looks"]
        for name in ("sorts", "looks"):
            assert "changed in place" in notes[name]
        assert run.results["data"] == [3, 1, 2]
        assert "'looks' and 'sorts'" in "".join(notes.values()) or "'sorts' and 'looks'" in "".join(notes.values())

    def test_what_comes_after_a_change_gets_the_value_as_it_was_made(self):
        with workflow("f") as flow:

            @task
            def data():
                return [3, 1, 2]

            @task
            def sorts(data):
                data.sort()
                return data[0]

            @task
            def later(data, sorts):
                return data[0]

        assert flow.run().results == {"data": [3, 1, 2], "sorts": 1, "later": 3}

    def test_one_object_in_two_results(self):
        with workflow("f") as flow:

            @task
            def made():
                return {"rows": [3, 1, 2]}

            @task
            def passed_on(made):
                return made["rows"]

            @task
            def sorts(passed_on):
                passed_on.sort()

            @task
            def later(made, sorts):
                return made["rows"][0]

        run = flow.run()
        assert run.results["later"] == 3
        assert run.results["made"] == {"rows": [3, 1, 2]}

    def test_results_that_share_come_back_sharing(self, tmp_path):
        def build(add):
            with workflow("f", cache=tmp_path / "c") as flow:

                @task
                def model():
                    weights = [1, 2]
                    return {"model": weights, "optimizer": [weights]}

                @task
                def step(model):
                    return model["model"] is model["optimizer"][0], add

            return flow

        build(1).run()
        assert build(2).run().results["step"] == (True, 2)


class TestAsking:
    @pytest.fixture
    def flow(self):
        with workflow("f") as flow:
            flow.space = {"task": task, "RATE": 1}
            exec("def helper(x):\n    return x * RATE\n", flow.space)
            exec("@task\ndef load(): return 2\n@task\ndef model(load): return helper(load)\n", flow.space)
        return flow

    def edit(self, flow, source):
        exec(source, flow.space)

    def test_why(self, flow):
        assert [str(reason) for reason in flow.why("model")] == ["'load' before it is out of date"]
        flow.run()
        assert [str(reason) for reason in flow.why("model")] == ["nothing it depends on changed"]
        self.edit(flow, "RATE = 5")
        (reason,) = flow.why("model")
        assert (reason.kind, reason.part, reason.name, reason.old, reason.new) == (
            "changed", "global", "RATE", "1", "5",
        )  # fmt: skip

    def test_an_edit_that_is_accepted(self, flow):
        before = flow.run().results["model"]
        self.edit(flow, "def helper(x):\n    y = x * RATE\n    return y\n")
        assert "function 'helper' changed" in str(flow.why("model")[0])
        flow.accept("model")
        run = flow.run()
        assert (words(run)["model"], run.results["model"]) == ("cached", before)
        assert "accepted" in str(run.records["model"].reasons[0])
        self.edit(flow, "RATE = 7")
        assert words(flow.run())["model"] == "succeeded"

    def test_there_must_be_something_to_accept(self, flow):
        with pytest.raises(NoResultError, match="run or accept 'load' first"):
            flow.accept("model")
        with pytest.raises(NoResultError, match="no result that could be accepted"):
            flow.accept("load")
        with pytest.raises(UnknownTaskError, match="Did you mean 'load'"):
            flow.accept("laod")

    def test_an_accepted_file_is_accepted_as_it_is_now(self, tmp_path):
        path = tmp_path / "data.txt"
        path.write_text("1")
        with workflow("f") as flow:
            Task("t", lambda: path.read_text())
        flow.run()
        path.write_text("2")
        assert words(flow.run(force=False))["t"] == "succeeded"
        path.write_text("3")
        flow.accept("t")
        assert flow.run().results["t"] == "2"
        path.write_text("4")
        assert flow.run().results["t"] == "4"

    def test_impact(self, flow):
        flow.run()
        assert list(flow.impact("load")) == ["load", "model"]
        assert list(flow.impact("model")) == ["model"]
        assert all(seconds >= 0 for seconds in flow.impact("load").values())

    def test_verify_says_where_results_differ(self):
        hidden = iter(range(10))
        with workflow("f") as flow:
            flow.space = {"task": task, "pd": pd, "count": Hidden(hidden)}
            exec("@task\ndef same(): return 1\n", flow.space)
            exec("@task\ndef frame(): return pd.DataFrame({'a': [1], 'b': [count()]})\n", flow.space)
            exec("@task\ndef size(frame): return len(frame)\n", flow.space)
        run = flow.run()
        found = flow.verify()
        assert found["same"] == []
        assert found["size"] == []
        assert "column 'b'" in found["frame"][0]
        assert flow.last_run is run
        assert run.results["frame"]["b"][0] == 0
        assert set(words(flow.run()).values()) == {"cached"}

    def test_what_is_out_of_date_is_not_verified(self, flow):
        found = flow.verify("load")
        assert "out of date" in found["load"][0]


class Hidden:
    """Gives other numbers each time, and does not let on."""

    def __init__(self, numbers):
        self.numbers = numbers

    def __call__(self):
        return next(self.numbers)

    def __graflow_fingerprint__(self):
        return 0


class TestFiles:
    def test_a_file_as_a_result(self, tmp_path, count):
        with workflow("f") as flow:
            flow.param("text", "one")

            @task
            def written(text):
                count("written")
                path = tmp_path / "out.txt"
                path.write_text(text)
                return File(path)

            @task
            def read(written):
                count("read")
                return written.path.read_text()

        assert flow.run().results["read"] == "one"
        count.taken()
        flow.run()
        assert count.taken() == []
        (tmp_path / "out.txt").unlink()
        assert flow.run().results["read"] == "one"
        assert count.taken() == ["written"]
        assert flow.run(set={"text": "two"}).results["read"] == "two"

    def test_an_array_passes_through_uncopied(self):
        with workflow("f") as flow:

            @task
            def made():
                return np.arange(10)

            @task
            def same(made):
                return made

        run = flow.run()
        assert run.results["same"] is run.results["made"]


class TestOneShot:
    def test_an_iterator_has_one_reader(self):
        with workflow("f") as flow:

            @task
            def numbers():
                return (n for n in range(3))

            @task
            def total(numbers):
                return sum(numbers)

        assert flow.run().results["total"] == 3
        with flow:

            @task
            def largest(numbers):
                return max(numbers)

        run = flow.run(force=True)
        assert words(run) == {"numbers": "failed", "total": "skipped", "largest": "skipped"}
        assert "'total' and 'largest' read it" in str(run.errors["numbers"])


class TestSecrets:
    def test_they_are_neither_shown_nor_stored(self, tmp_path):
        space = {"task": task}
        with workflow("f", cache=tmp_path / "c") as flow:
            exec("API_KEY = 'sesame-1'\nRATE = 3\n@task\ndef t(): return len(API_KEY) * RATE", space)
            flow.param("password", "sesame-2")

            @task
            def u(password):
                return 1

        flow.run()
        everything = b"".join(p.read_bytes() for p in (tmp_path / "c").rglob("*") if p.is_file())
        assert b"sesame-1" not in everything
        space["API_KEY"] = "sesame-other"
        (reason,) = flow.why("t")
        assert "sesame" not in f"{reason!r}{reason}"
        assert reason.name == "API_KEY"

    def test_their_digest_is_another_for_another_user(self, monkeypatch):
        from graflow_nb.incremental.code.parts import value_part
        from graflow_nb.incremental.trace import secret

        before = value_part("global", "API_KEY", "x"), value_part("global", "RATE", "x")
        monkeypatch.setattr(secret, "_key", b"another")
        after = value_part("global", "API_KEY", "x"), value_part("global", "RATE", "x")
        assert (before[0] != after[0], before[1] == after[1]) == (True, True)


def test_a_task_can_be_asked_itself():
    with workflow("f"):
        t = Task("t", lambda: 1)
    assert str(t.why()[0]) == "there is no result of it yet"
    with pytest.raises(NoWorkflowError, match="belongs to no workflow"):
        Task("alone", print).why()


class TestWhatIsGiven:
    """Arguments that a task changes in place."""

    def test_a_parameter_stays_as_it_is(self):
        with workflow("f") as flow:
            flow.param("x", [1])

            @task
            def adds(x):
                x.append(2)
                return sum(x)

            @task
            def total(x, adds):
                return sum(x) + adds

        for _ in range(3):
            assert flow.run().results["total"] == 4
        assert flow.params == {"x": [1]}

    def test_a_parameter_is_no_iterator(self):
        with workflow("f") as flow, pytest.raises(TaskDefinitionError, match="give it a list"):
            flow.param("x", iter([1]))

    def test_a_fixed_argument_that_is_changed(self):
        with workflow("f") as flow:
            t = Task("t", lambda x: x.append(2)).bind(x=[1], name="bound")
        run = flow.run()
        assert "its argument 'x' was changed in place" in run.records["bound"].note
        assert t.name == "bound"

    @pytest.mark.parametrize(
        "given",
        [
            "[f, g]",
            "{'a': f, 'b': g, 'c': f}",
            "C()",
            "[C(), C()]",
            "C",
            "{f, g}",
            "[1, 'a']",
            "f",
            "lambda: g(1)",
        ],
    )
    def test_an_argument_that_is_left_alone_is_not_blamed(self, given):
        space = {}
        exec("def h(x): return x\ndef f(x): return h(x)\ndef g(x): return h(x) + 1\n", space)
        exec("class C:\n    def __init__(self): self.all = [f, g]\n    def m(self): return f(1)\n", space)
        with workflow("f") as flow:
            Task("t", lambda x: None).bind(x=eval(given, space), name="bound")
        assert flow.run().records["bound"].note == ""
        assert words(flow.run()) == {"bound": "cached"}


def test_what_was_made_of_something_without_content_holds_in_its_session_only(count, tmp_path):
    def build():
        with workflow("f", cache=tmp_path / "c") as flow:

            @task
            def numbers():
                count("numbers")
                return (n for n in range(3))

            @task
            def total(numbers):
                count("total")
                return sum(numbers)

        return flow

    flow = build()
    flow.run()
    flow.run()
    assert count.taken() == ["numbers", "total"]
    run = build().run()
    assert (count.taken(), run.results["total"]) == (["numbers", "total"], 3)
    flow = build()
    assert "made in another session" in str(flow.why("total")[0])


def test_a_run_says_that_what_comes_after_a_race_may_be_wrong():
    both = threading.Barrier(2)
    with workflow("f") as flow:

        @task
        def data():
            return [3, 1, 2]

        @task
        def first(data):
            both.wait(WAIT)
            data.append(4)

        @task
        def second(data):
            both.wait(WAIT)
            data.append(5)

    (said,) = [note for note in flow.run().notes if "side by side" in note]
    assert "first" in said
    assert "second" in said


class TestResultsThatTasksAskFor:
    """`context.get_result` hands out a result as a parameter does."""

    def flow(self):
        with workflow("f") as flow:

            @task
            def source(x):
                return [x]

            @task(inject_context=True)
            def adder(context):
                rows = context.get_result("source")
                rows.append(1)
                return list(rows)

            @task(inject_context=True)
            def asker(context):
                return list(context.get_result("source"))

            @task
            def reader(source, adder):
                return list(source)

            source >> adder >> asker
        return flow

    def test_who_changes_it_in_place_is_named_and_the_others_have_it_as_it_was_made(self):
        flow = self.flow()
        for x in (1, 1, 2, 1):
            flow.param("x", x)
            run = flow.run()
            assert dict(run.results) == {"x": x, "source": [x], "adder": [x, 1], "asker": [x], "reader": [x]}
            assert run.records["adder"].note.startswith(
                "its input 'source' (of task 'source') was changed in place"
            )
            assert (run.records["asker"].note, run.records["reader"].note) == ("", "")
            assert str(run.statuses["adder"]) == "succeeded"
        assert str(run.statuses["asker"]) == str(run.statuses["reader"]) == "cached"
