"""Values that stay where they were made: handed on as they are, fetched by who looks, never wrong."""

from __future__ import annotations

import pytest
from vault import register

from graflow_nb import LostError, Task, best_effort, task, workflow
from graflow_nb.core.away import Away, described
from graflow_nb.core.status import Status

NUMBERS = list(range(100))


@pytest.fixture
def vault():
    return register()


def chain(factor=2, numbers=lambda: list(range(100)), sign=1, like=None, **settings):
    with workflow("w", backend="vault", **settings) as flow:
        Task("numbers", numbers)

        @task
        def twice(numbers):
            return [factor * n for n in numbers]

        @task
        def total(twice):
            return sign * sum(twice)

    if like is not None:  # the same notebook, after an edit
        flow.services.cache = like.services.cache
    return flow


class TestHandedOn:
    def test_nothing_is_fetched_until_somebody_looks(self, vault):
        run = chain().run()
        assert run.results["total"] == 9900
        assert vault.fetched == []
        assert sorted(vault.handed) == [("numbers", 0), ("total", 1), ("twice", 1)]
        assert run.results["twice"] == [2 * n for n in NUMBERS]
        assert vault.fetched == ["result"]
        assert run.results["twice"] is run.results["twice"]

    def test_execute(self, vault):
        flow = chain()
        assert flow.execute() == 9900
        assert vault.fetched == []
        assert flow["numbers"].result == NUMBERS

    def test_a_result_in_short_is_not_fetched(self, vault):
        run = chain().run()
        assert "'numbers': <elsewhere: list, 100 items>" in repr(run.results)
        assert vault.fetched == []

    @pytest.mark.parametrize("other", ["threads", "processes"])
    def test_other_backends_get_a_copy(self, vault, other):
        with workflow("w", backend="vault") as flow:

            @task
            def numbers():
                return list(range(100))

            @task(backend=other)
            def here(numbers):
                return numbers[::-1]

            @task
            def there(numbers, here):
                return [a + b for a, b in zip(numbers, here, strict=True)]

        run = flow.run()
        assert run.results["here"] == NUMBERS[::-1]
        assert vault.fetched == ["result"]
        assert ("there", 1) in vault.handed  # the one that is at hand in a copy is not sent back
        assert run.results["there"] == [99] * 100

    def test_several_in_a_list(self, vault):
        with workflow("w", backend="vault") as flow:

            @task
            def a():
                return list(range(20))

            @task
            def b():
                return list(range(30))

            @task
            def join(parts):
                return [len(part) for part in parts]

            _ = (a | b) >> join

        assert flow.run().results["join"] == [20, 30]
        assert vault.fetched == []

    def test_members_of_a_group_and_of_a_map(self, vault):
        with workflow("w", backend="vault") as flow:

            @task
            def make(n):
                return [n] * 50

            _ = make.map([1, 2, 3], name="made")

            @task
            def total(made):
                return sum(map(sum, made))

            @task
            def other():
                return [4] * 50

            @task
            def both(parts):
                return len(parts), sum(parts[1])

            _ = (make.bind(n=5, name="five") | other).with_policy(best_effort) >> both

        run = flow.run()
        assert run.results["total"] == 300
        assert run.results["both"] == (2, 200)
        assert vault.fetched == []
        assert run.results["made"] == [[1] * 50, [2] * 50, [3] * 50]
        run = flow.run()
        assert set(run.statuses.values()) == {Status.CACHED}
        assert run.results["total"] == 300

    def test_conditions_and_jumps_see_the_value(self, vault):
        with workflow("w", backend="vault") as flow:

            @task
            def numbers():
                return list(range(100))

            @task(when=lambda numbers: [n for n in numbers if n > 1000])
            def never(numbers):
                return len(numbers)

            @task(when=lambda numbers: numbers)
            def always(numbers):
                return len(numbers)

        run = flow.run()
        assert run.statuses["never"] is Status.SKIPPED
        assert run.results["always"] == 100

    def test_what_another_task_asks_for(self, vault):
        with workflow("w", backend="vault") as flow:

            @task
            def numbers():
                return list(range(100))

            @task(inject_context=True)
            def ask(context):
                return len(context.get_result("numbers"))

            _ = numbers >> ask

        assert flow.run().results["ask"] == 100


class TestReuse:
    def test_all_is_reused_and_nothing_fetched(self, vault):
        flow = chain()
        flow.run()
        run = flow.run()
        assert set(run.statuses.values()) == {Status.CACHED}
        assert vault.fetched == []
        assert run.results["numbers"] == NUMBERS

    def test_after_an_edit_only_what_follows_runs(self, vault):
        flow = chain()
        flow.run()
        run = chain(sign=-1, like=flow).run()
        assert run.results["total"] == -9900
        assert [name for name, status in run.statuses.items() if status is Status.SUCCEEDED] == ["total"]
        assert vault.fetched == []

    def test_equal_content_stops_what_follows(self, vault):
        flow = chain()
        flow.run()
        run = chain(numbers=lambda: [*range(100)], like=flow).run()
        assert run.statuses["numbers"] is Status.SUCCEEDED
        assert run.statuses["twice"] is run.statuses["total"] is Status.CACHED

    def test_on_another_backend(self, vault):
        flow = chain()
        flow.run()
        run = flow.run(backend="threads")
        assert set(run.statuses.values()) == {Status.CACHED}
        run = flow.run(backend="threads", force=["total"])
        assert run.results["total"] == 9900
        assert vault.fetched == ["result"]

    def test_what_was_made_here_is_sent(self, vault):
        flow = chain()
        flow.run(backend="threads")
        run = flow.run(force=["total"])
        assert run.results["total"] == 9900
        assert vault.fetched == []

    def test_what_is_lost_is_made_again_for_who_reads_it(self, vault):
        flow = chain()
        flow.run()
        vault.burn()
        assert set(flow.run().statuses.values()) == {Status.CACHED}
        with pytest.raises(LostError, match="the vault burnt down"):
            _ = flow["twice"].result
        run = flow.run(force=["total"])
        assert run.results["total"] == 9900
        assert run.statuses["twice"] is Status.SUCCEEDED

    def test_what_is_lost_is_made_again_for_a_reader_here(self, vault):
        flow = chain()
        flow.run()
        vault.burn()
        run = flow.run(backend="threads", force=["total"])
        assert run.results["total"] == 9900
        assert run.statuses["numbers"] is run.statuses["twice"] is Status.SUCCEEDED

    def test_on_disk(self, vault, tmp_path):
        flow = chain(cache=tmp_path / "store")
        flow.run()
        vault.burn()
        run = flow.run()
        assert run.results["twice"] == [2 * n for n in NUMBERS]
        again = chain(cache=tmp_path / "store").run(backend="threads")
        assert set(again.statuses.values()) == {Status.CACHED}
        assert again.results["numbers"] == NUMBERS

    def test_what_is_too_large_to_be_fetched_for_the_disk(self, vault, tmp_path, monkeypatch):
        monkeypatch.setattr("graflow_nb.incremental.store.store.MOST_FETCHED", 100)
        run = chain(cache=tmp_path / "store").run()
        assert vault.fetched == []
        assert "stays where it was made, and is not kept on disk" in run.records["numbers"].note
        assert run.results["total"] == 9900
        again = chain(cache=tmp_path / "store").run()
        assert set(again.statuses.values()) == {Status.CACHED}
        assert again.results["total"] == 9900

    def test_one_that_need_not_be_kept(self, vault):
        with workflow("w", backend="vault") as flow:

            @task(keep=False)
            def numbers():
                return list(range(100))

            @task
            def total(numbers):
                return sum(numbers)

        assert flow.run().results["total"] == 4950
        with pytest.raises(LostError):
            _ = flow["numbers"].result

    def test_verify(self, vault):
        flow = chain()
        flow.run()
        assert flow.verify() == {"numbers": [], "twice": [], "total": []}

    def test_a_path_in_it_is_looked_at(self, vault, tmp_path):
        (tmp_path / "data.txt").write_text("old")
        with workflow("w", backend="vault") as flow:

            @task
            def names():
                return [str(tmp_path / "data.txt"), *map(str, range(50))]

            @task
            def read(names):
                return len(names)

        flow.run()
        assert flow.run().statuses["read"] is Status.CACHED
        (tmp_path / "data.txt").write_text("another text")
        assert flow.run().statuses["read"] is Status.SUCCEEDED


class TestChanged:
    def test_by_a_reader(self, vault):
        with workflow("w", backend="vault") as flow:

            @task
            def numbers():
                return list(range(100))

            @task
            def bad(numbers):
                numbers.append(1)

            @task
            def total(bad, numbers):
                return sum(numbers)

        run = flow.run()
        assert "'numbers' (of task 'numbers') was changed in place" in run.records["bad"].note
        assert run.results["total"] == 4950
        assert run.results["numbers"] == NUMBERS
        assert flow.run().statuses["bad"] is Status.SUCCEEDED

    def test_through_another_result(self, vault):
        with workflow("w", backend="vault") as flow:

            @task
            def numbers():
                return list(range(100))

            @task
            def same(numbers):
                return numbers

            @task
            def bad(same):
                same.append(1)

            @task
            def total(bad, numbers):
                return sum(numbers)

        run = flow.run()
        assert run.results["total"] == 4950
        assert run.results["numbers"] == NUMBERS

    def test_of_an_earlier_run(self, vault):
        with workflow("w", backend="vault") as flow:

            @task
            def numbers():
                return list(range(100))

            @task
            def same(numbers):
                return numbers

        flow.run()
        with flow:

            @task
            def bad(same):
                same.append(1)

        flow.run("bad")
        assert flow.run("numbers").results["numbers"] == NUMBERS

    def test_a_copy_here(self, vault):
        with workflow("w", backend="vault") as flow:

            @task
            def numbers():
                return list(range(100))

            @task(backend="threads")
            def bad(numbers):
                numbers.append(1)

            @task
            def total(bad, numbers):
                return sum(numbers)

        run = flow.run()
        assert run.results["total"] == 4950
        assert run.statuses["numbers"] is Status.SUCCEEDED
        assert run.results["numbers"] == NUMBERS
        assert flow.run().statuses["numbers"] is Status.CACHED  # what is elsewhere is as it was

    def test_a_copy_that_the_user_has(self, vault):
        flow = chain()
        flow.run().results["numbers"].append(5)
        run = flow.run(force=["twice"])
        assert run.results["total"] == 9900
        assert run.results["numbers"] == NUMBERS


class TestNotebook:
    CELLS = ("%%task load\ndf = [*range(100)]\nsmall = 1\nlen(df)", "%%task fit\nmodel = [n + small for n in df]")

    def start(self, nb):
        nb.flow.backend = "vault"
        for cell in self.CELLS:
            nb(cell)

    def test_a_variable_is_fetched_when_a_cell_names_it(self, vault, nb):
        self.start(nb)
        nb("%flow run")
        nb("small + 1")
        assert vault.fetched == []
        nb("total = sum(model)")
        assert vault.fetched == ["model"]
        assert nb.ns["total"] == sum(range(1, 101))
        nb("%flow run")
        assert nb.statuses == {"load": "cached", "fit": "cached"}

    def test_a_plain_cell_between(self, vault, nb):
        self.start(nb)
        nb("%flow run")
        nb("best = max(model)")
        nb("%%task after\nbest + 1")
        nb("%flow run")
        assert nb["after"].result == 101
        nb("%%task load\ndf = [*range(200)]\nsmall = 1\nlen(df)", "load")
        assert "StaleInputError" in nb.try_("%flow run")

    def test_the_data_pane_shows_what_it_is(self, vault, nb):
        from graflow_nb.notebook.pane import data_html

        self.start(nb)
        nb("%flow run")
        html = data_html(nb.flow.plan(), nb["fit"])
        assert "100 items" in html
        assert "[0, 1, 2" in html
        assert vault.fetched == []

    def test_the_task_in_short(self, vault, nb):
        nb.flow.backend = "vault"
        nb("from graflow_nb import task\n@task\ndef big(): return [*range(100)]")
        nb("%flow run")
        nb("big")
        assert "<elsewhere: list, 100 items>" in nb.said
        assert vault.fetched == []


def test_one_that_was_not_fetched_cannot_be_pickled(vault):
    import pickle

    run = chain().run()
    away = run.records["numbers"].produced.unfetched(None)
    assert type(away) is Away
    with pytest.raises(TypeError, match="result of task 'numbers' is elsewhere"):
        pickle.dumps(away)


def test_what_cannot_be_described_has_its_type():
    class Odd:
        __class__ = property(lambda _: 1 / 0)

    assert described(Odd())
