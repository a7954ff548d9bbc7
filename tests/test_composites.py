"""Maps, and groups with policies."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from again import again, channel_of, on_disk, ran, shown

from graflow_nb import (
    Failure,
    GroupError,
    Task,
    TaskDefinitionError,
    TaskError,
    at_least,
    context,
    critical,
    task,
    workflow,
)

WAIT = 10


def squares(numbers, **options):
    with workflow("f") as flow:
        Task("numbers", numbers)

        @task
        def square(x):
            if x < 0:
                raise ValueError(x)
            return x * x

        square.map(flow["numbers"], name="squares", **options)
        Task("total", lambda squares: squares)
    return flow


class TestMap:
    @pytest.mark.parametrize("items", [[3, 1, 2], (1,), range(4), [], [[1, 2], [3]]])
    def test_of_constants_gives_a_list_in_order(self, items):
        with workflow("f") as flow:
            t = Task("t", lambda x: x * 2)
            t.map(items)
            Task("end", lambda t_map: t_map)
        assert again(flow).results["end"] == [item * 2 for item in items]
        assert flow.execute() == [item * 2 for item in items]
        assert "t" not in flow.last_run.records, "it is a template"

    def test_of_an_upstream_result(self):
        flow = squares(lambda: [1, 2, 3])
        run = flow.run()
        assert run.results["total"] == [1, 4, 9]
        assert run.members == {"squares": ("squares[0]", "squares[1]", "squares[2]")}
        assert list(flow.graph.nodes) == ["numbers", "square", "squares", "total"], (
            "a run does not change the graph"
        )
        assert asyncio.run(flow.arun(force=True)).results["total"] == [1, 4, 9]

    def test_several_collections_go_together(self):
        with workflow("f") as flow:
            Task("left", lambda: [1, 2])
            t = Task("t", lambda x, y, *, z=0: (x, y, z))
            t.map(x=flow["left"], z=[5, 6], name="m")
            Task("y", lambda: "y")
        assert again(flow).results["m"] == [(1, "y", 5), (2, "y", 6)]

    def test_the_context_and_what_is_bound_stay_as_they_are(self):
        with workflow("f", seed=3) as flow:

            @task(inject_context=True)
            def t(ctx, a, b):
                return ctx.task_name, a, b

            t.bind(a=1, name="u").map([7, 8], name="m")
        assert again(flow).results["m"] == [("m[0]", 1, 7), ("m[1]", 1, 8)]

    def test_each_is_reused_by_itself_whatever_its_place(self):
        numbers = [1, 2, 3]
        flow = squares(lambda: list(numbers))
        flow.run()
        numbers[:] = [3, 5, 1, 2]
        run = flow.run()
        assert ran(run) == ["numbers", "squares[1]", "total"]
        assert run.results["total"] == [9, 25, 1, 4]

    def test_from_disk_too(self):
        def make():
            with workflow("f", cache="disk") as flow:
                t = Task("t", lambda x: x * 2)
                t.map(Task("numbers", lambda: [1, 2, 3]), name="m")
                Task("end", lambda m: sum(m))
            return flow

        assert on_disk(make).results["end"] == 12

    def test_an_edit_runs_all_items_and_what_follows_only_if_something_else_came_out(self):
        space = {"factor": 2}
        exec("def t(x): return x * factor\ndef u(x): return x > 0", space)
        with workflow("f") as flow:
            Task("t", space["t"]).map([1, 2], name="m")
            Task("u", space["u"]).map(flow["m"], name="n")
            Task("end", lambda n: n)
        again(flow)
        space["factor"] = 3
        assert ran(flow.run()) == ["m[0]", "m[1]", "n[0]", "n[1]"]
        assert set(flow.stale(flow.plan())) == set()

    def test_one_failing_item_does_not_lose_the_others(self):
        numbers = [1, -2, 3]
        flow = squares(lambda: list(numbers))
        run = flow.run()
        assert shown(run) == {
            "numbers": "succeeded", "squares": "failed", "total": "skipped",
            "squares[0]": "succeeded", "squares[1]": "failed", "squares[2]": "succeeded",
        }  # fmt: skip
        assert isinstance(run.errors["squares"], GroupError)
        assert isinstance(run.errors["squares"].__cause__, ValueError)
        numbers[1] = 2
        run = flow.run()
        assert run.results["total"] == [1, 4, 9]
        assert ran(run) == ["numbers", "squares[1]", "total"]
        numbers[1] = -2
        with pytest.raises(TaskError, match=r"task 'squares\[1\]' failed: ValueError: -2"):
            flow.execute()

    def test_a_policy_goes_on_without_them(self):
        flow = squares(lambda: [1, -2, 3], policy="best_effort")
        run = flow.run()
        assert run.ok
        failure = run.results["total"][1]
        assert isinstance(failure, Failure)
        assert (failure.task_name, failure.error.args) == ("squares[1]", (-2,))
        assert ran(flow.run()) == ["squares[1]"], "failures are never reused; the same failure is the same input"
        assert flow.execute()[::2] == [1, 9]

    def test_retries_timeouts_and_coroutines_count_for_each_item(self):
        attempts = []
        with workflow("f") as flow:

            @task(retries=2, retry_delay=0, timeout=WAIT)
            async def flaky(x):
                attempts.append(x)
                if attempts.count(x) <= x:
                    raise ValueError(x)
                return x

            flaky.map([0, 1, 2], name="m")
        run = flow.run()
        assert run.results["m"] == [0, 1, 2]
        assert [run.records[f"m[{i}]"].attempts for i in range(3)] == [1, 2, 3]

    def test_maps_of_maps(self):
        with workflow("f") as flow:
            a = Task("a", lambda x: [x] * x).map([1, 2], name="rows")
            Task("b", lambda row: sum(row)).map(a, name="sums")
        assert again(flow).results["sums"] == [1, 4]

    def test_channel_writes_of_items_are_done_again(self):
        with workflow("f") as flow:

            @task
            def t(x):
                context.get_channel().set(f"key{x}", x)

            t.map([1, 2])
        assert channel_of(again(flow, workers=1)) == {"key1": 1, "key2": 2}

    def test_the_seed_gives_each_item_its_own_numbers(self):
        with workflow("f", seed=1) as flow:
            Task("t", lambda x: float(context.rng.random())).map([5, 5, 6], name="m")
        numbers = again(flow, workers=1).results["m"]
        assert len(set(numbers)) == 3

    def test_one_item_can_be_cancelled_alone(self):
        begun = threading.Event()
        with workflow("f") as flow:

            @task
            def t(x):
                if x == 1:
                    begun.set()
                    while True:
                        time.sleep(0.001)
                return x

            t.map([0, 1, 2], name="m", policy="best_effort")
            Task("end", lambda m: [bool(r) or r for r in m])
        run = flow.run(background=True)
        assert begun.wait(WAIT)
        run.cancel("m[1]")
        run.wait(WAIT)
        assert [shown(run)[f"m[{i}]"] for i in range(3)] == ["succeeded", "cancelled", "succeeded"]
        assert run.results["end"][2] is True
        assert isinstance(run.results["m"][1], Failure)

    def test_the_whole_can_be_cancelled_and_the_rest_goes_on(self):
        begun = threading.Event()
        with workflow("f") as flow:

            @task
            def t(x):
                begun.set()
                while True:
                    time.sleep(0.001)

            t.map(range(30), name="m")
            Task("end", lambda m: m)
            Task("other", lambda: begun.wait(WAIT))
        run = flow.run(background=True, workers=3)
        assert begun.wait(WAIT)
        run.cancel("m")
        run.wait(WAIT)
        assert shown(run)["other"] == "succeeded"
        assert shown(run)["end"] == "skipped"
        assert {shown(run)[f"m[{i}]"] for i in range(30)} == {"cancelled"}

    def test_progress_is_that_of_the_items(self):
        flow = squares(lambda: [1, 2])
        assert flow.run().records["squares"].progress == (1.0, "2/2")

    def test_many_items(self):
        with workflow("f") as flow:
            Task("t", lambda x: x).map(range(3_000), name="m", max_parallel=3)
            Task("end", lambda m: sum(m))
        assert flow.execute() == sum(range(3_000))

    @pytest.mark.parametrize(
        ("items", "cure"),
        [
            (5, "is of type 'int': it takes a list, say"),
            (None, "is of type 'NoneType'"),
            ("text", r"say what of it: list\(text\)"),
            ({"a": 1}, r"d.items\(\)"),
            ({1, 2}, r"it has no order: sorted"),
            (b"bytes", "say what of it"),
        ],
    )
    def test_over_no_collection_is_a_clear_error(self, items, cure):
        with workflow("f"):
            t = Task("t", lambda x: x)
            with pytest.raises(TaskDefinitionError, match=f"task 't' is to map over 'x', which .*{cure}"):
                t.map(items)
        flow = squares(lambda: items)
        run = flow.run()
        assert isinstance(run.errors["squares"], TaskDefinitionError)
        assert "'squares' is to map over 'x'" in str(run.errors["squares"])
        assert shown(run)["total"] == "skipped"

    def test_other_errors_name_the_task_and_the_cure(self):
        with workflow("f") as flow:
            t = Task("t", lambda x, y=1: x)
            for wrong, message in [
                (lambda: t.map(), r"t.map takes a collection.* t.map\(\[1, 2\]\)"),
                (lambda: t.map([1], x=[1]), "t.map takes a collection"),
                (lambda: t.map(z=[1]), "no parameter 'z' to map over. There are: 'x', 'y'"),
                (lambda: Task("n", lambda: 1).map([1]), "'n' has no parameter that is free"),
                (lambda: Task("a", lambda *xs: 1).map([1]), "'a' has no parameter that is free"),
                (lambda: t.map([1], policy="bestefort"), "Did you mean 'best_effort'"),
            ]:
                with pytest.raises(TaskDefinitionError, match=message):
                    wrong()
        with flow:
            t.map(x=[1, 2], y=[1], name="m")
        assert "different lengths: 2 x, 1 y" in str(flow.run().errors["m"])

    def test_an_item_of_a_name_that_is_there_is_a_clear_error(self):
        with workflow("f") as flow:
            Task("t", lambda x: x).map([1, 2], name="m")
            Task("m[1]", lambda: "mine")
        run = flow.run()
        assert "'m[1]', and there is a task of that name" in str(run.errors["m"])
        assert run.results["m[1]"] == "mine"

    def test_a_policy_that_can_never_hold_is_said_before_the_items_run(self):
        flow = squares(lambda: [1, 2, 3], policy=at_least(5))
        run = flow.run()
        assert "at_least(5) can never hold for a group of 3" in str(run.errors["squares"])
        assert "squares[0]" not in run.records


def group(policy, *, bad=("b",), slow=(), **options):
    """Return a flow: a, b and c side by side, some of which fail, and one after them."""

    def member(name):
        def fn():
            if name in slow:
                while True:
                    time.sleep(0.001)
            if name in bad:
                raise ValueError(name)
            return name.upper()

        return Task(name, fn)

    with workflow("f", **options) as flow:
        a, b, c = map(member, "abc")
        _ = (a | b | c).with_policy(policy, name="abc") >> Task("end", lambda results: results)
    return flow


class TestPolicies:
    @pytest.mark.parametrize(
        ("policy", "bad", "goes_on"),
        [
            ("strict", "", True),
            ("strict", "b", False),
            ("best_effort", "abc", True),
            (at_least(2), "b", True),
            (at_least(2), "bc", False),
            (critical("a"), "bc", True),
            (critical("a", "b"), "b", False),
            ("first_success", "ab", True),
            ("first_success", "abc", False),
            (lambda results: sum(map(bool, results)) == 1, "bc", True),
            (lambda results: sum(map(bool, results)) == 1, "b", False),
        ],
    )
    @pytest.mark.parametrize("way", ["run", "execute", "arun", "one worker"])
    def test_decide_whether_what_follows_runs(self, policy, bad, goes_on, way):
        flow = group(policy, bad=bad)
        if way == "execute":
            if goes_on:
                results = flow.execute()
            else:
                with pytest.raises(TaskError):
                    flow.execute()
                return
        else:
            run = (
                asyncio.run(flow.arun()) if way == "arun" else flow.run(workers=1 if way == "one worker" else None)
            )
            assert run.ok is goes_on
            assert shown(run)["end"] == ("succeeded" if goes_on else "skipped")
            assert shown(run)["abc"] == ("succeeded" if goes_on else "failed")
            if not goes_on:
                assert isinstance(run.errors["abc"], GroupError)
                return
            results = run.results["end"]
        for name, result in zip("abc", results, strict=True):
            if policy != "first_success" and name not in bad:
                assert result == name.upper()
            if name in bad:
                assert isinstance(result, Failure)
                assert result.task_name == name

    def test_members_that_succeeded_are_reused_and_so_is_what_follows(self):
        flow = group("best_effort")
        flow.run()
        run = flow.run()
        assert ran(run) == ["b"], "a failure is never reused"
        assert shown(run)["end"] == "cached", "but the same failure is the same input"

    def test_without_failures_all_is_reused_from_memory_and_from_disk(self):
        again(group("best_effort", bad=""))
        again(group(at_least(2), bad=""))
        on_disk(lambda: group("best_effort", bad="", cache="disk"))

    def test_first_success_stops_the_rest(self):
        flow = group("first_success", bad="", slow="bc")
        run = flow.run()
        assert run.ok
        assert run.results["end"][0] == "A"
        assert all(isinstance(result, Failure) for result in run.results["end"][1:])
        assert {shown(run)[name] for name in "bc"} == {"cancelled"}
        again_run = flow.run()
        assert ran(again_run) == [], "one is there, and that is enough"
        assert shown(again_run)["end"] == "cached"
        assert not flow.stale(flow.plan())

    def test_first_success_of_many(self):
        with workflow("f") as flow:
            Task("t", lambda x: x).map(range(2_000), policy="first_success", name="m")
        run = flow.run(workers=2)
        assert run.ok
        assert 0 < len([one for one in run.results["m"] if not isinstance(one, Failure)]) < 2_000

    def test_a_policy_that_raises_names_itself(self):
        def odd(results):
            raise KeyError("odd")

        run = group(odd, bad="").run()
        assert "odd raised KeyError" in str(run.errors["abc"])
        assert shown(run)["end"] == "skipped"

    def test_at_least_five_of_three_is_refused_where_it_is_written(self):
        with pytest.raises(
            TaskDefinitionError, match=r"at_least\(5\) can never hold for a group of 3 \(a, b, c\)"
        ):
            group(at_least(5))
        with pytest.raises(TaskDefinitionError, match="no member 'd'"):
            group(critical("d"))
        with pytest.raises(TaskDefinitionError, match="Did you mean 'best_effort'"):
            group("best_efort")

    def test_nested_groups(self):
        with workflow("f") as flow:
            bad = Task("bad", lambda: 1 / 0)
            inner = (Task("a", lambda: 1) | bad).with_policy("best_effort", name="inner")
            outer = (inner | Task("c", lambda: 3)).with_policy("strict", name="outer")
            _ = outer >> Task("end", lambda results: results)
        run = flow.run()
        assert run.ok
        (one, failure), three = run.results["end"]
        assert (one, failure.task_name, three) == (1, "bad", 3)
        assert flow.execute()[1] == 3

    def test_a_strict_group_in_one_that_goes_on(self):
        with workflow("f") as flow:
            inner = (Task("a", lambda: 1) | Task("bad", lambda: 1 / 0)).with_policy("strict", name="inner")
            outer = (inner | Task("c", lambda: 3)).with_policy("best_effort", name="outer")
            _ = outer >> Task("end", lambda results: results)
        failure, three = flow.execute()
        assert (failure.task_name, three) == ("inner", 3)

    def test_chains_as_members_count_by_their_ends(self):
        with workflow("f") as flow:
            chain = Task("a", lambda: 1 / 0) >> Task("a2", lambda a: a)
            _ = (chain | Task("b", lambda: 2)).with_policy("best_effort") >> Task("end", lambda results: results)
        failure, two = flow.execute()
        assert (failure.task_name, two) == ("a2", 2)

    def test_a_skipped_member_is_left_out(self):
        with workflow("f") as flow:
            a, b = Task("a", lambda: 1, when=lambda: False), Task("b", lambda: 2)
            _ = (a | b).with_policy("strict") >> Task("end", lambda results: results)
        assert again(flow).results["end"] == [2]

    def test_a_name_is_the_groups_result(self):
        with workflow("f") as flow:
            (Task("a", lambda: 1) | Task("b", lambda: 2)).with_policy("best_effort").named("both")
            Task("end", lambda both: sum(both))
        assert again(flow).results["end"] == 3
        with workflow("g") as flow:
            _ = (Task("a", lambda: 1) | Task("b", lambda: 2)).named("both") >> Task("end", lambda xs: xs)
        assert again(flow).results["end"] == [1, 2]
        assert "both" not in flow.graph, "a plain group is no node"

    def test_a_start_after_it_takes_the_failures_too(self):
        flow = group("best_effort")
        flow.run()
        assert [bool(result) for result in flow.execute("end")] == [True, False, True]
        assert ran(flow.last_run) == ["end"]

    def test_retries_come_first(self):
        attempts = []
        with workflow("f") as flow:

            @task(retries=1, retry_delay=0)
            def flaky():
                attempts.append(1)
                if len(attempts) == 1:
                    raise ValueError
                return "ok"

            _ = (flaky | Task("b", lambda: 2)).with_policy("strict") >> Task("end", lambda results: results)
        assert flow.execute() == ["ok", 2]

    def test_ending_and_cancelling_inside_a_group(self):
        for end, is_good in (("terminate_workflow", True), ("cancel_workflow", False)):
            with workflow("f") as flow:
                a = Task("a", lambda end=end: getattr(context, end)("enough"))
                _ = (a | Task("b", lambda: 2)).with_policy("best_effort", name="ab") >> Task("z", lambda ab: ab)
            run = flow.run(workers=1)
            assert run.ok is is_good
            assert shown(run)["z"] in {"skipped", "cancelled"}
            assert "enough" in (run.ended or run.cancelled)
