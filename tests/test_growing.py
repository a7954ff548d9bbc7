"""What a running task asks for: other tasks, jumps, another call, an end."""

from __future__ import annotations

import asyncio

import pytest
from again import again, channel_of, on_disk, ran, same, shown

from graflow_nb import (
    CycleLimitError,
    Task,
    TaskDefinitionError,
    TaskError,
    TaskWrapper,
    UnknownTaskError,
    WorkflowCancelled,
    chain,
    context,
    parallel,
    task,
    workflow,
)


def started_by(ask, **options):
    """Return a flow: start, which asks for something, and end after it."""
    with workflow("f", **options) as flow:

        @task(inject_context=True)
        def start(ctx):
            ask(ctx)
            return "start"

        @task
        def end(start):
            ctx = context.get_channel()
            return start, ctx.get("seen", [])

    return flow


def note(value, **options):
    return Task(value, lambda: context.get_channel().append("seen", value), **options)


class TestNextTask:
    @pytest.mark.parametrize(
        ("tasks", "seen"),
        [
            (lambda: note("new"), [["new"]]),
            (lambda: TaskWrapper("w", lambda start: context.get_channel().append("seen", start)), [["start"]]),
            (lambda: note("a") >> note("b"), [["a", "b"]]),
            (lambda: note("a") | note("b"), [["a", "b"], ["b", "a"]]),
            (lambda: [note("a"), note("b")], [["a", "b"], ["b", "a"]]),
            (lambda: chain(note("a"), parallel(note("b")), note("c")), [["a", "b", "c"]]),
            (lambda: (note("a") | note("b")).with_policy("best_effort"), [["a", "b"], ["b", "a"]]),
        ],
    )
    @pytest.mark.parametrize("way", ["run", "execute", "arun"])
    def test_new_ones_run_between_this_one_and_what_follows(self, tasks, seen, way):
        flow = started_by(lambda ctx: ctx.next_task(tasks()))
        if way == "execute":
            result = flow.execute()
        else:
            result = (flow.run(workers=1) if way == "run" else asyncio.run(flow.arun())).results["end"]
        assert result[0] == "start"
        assert result[1] in seen
        assert list(flow.graph.nodes) == ["start", "end"], "a run does not change the graph"
        assert flow.execute()[1] in seen, "and the next run is as the first"

    def test_reused_in_memory(self):
        first = again(started_by(lambda ctx: ctx.next_task(note("a") >> note("b"))))
        assert first.results["end"] == ("start", ["a", "b"])
        assert first.born == {"a", "b"}

    def test_from_disk_what_cannot_be_pickled_runs_again_and_gives_the_same(self):
        def make():
            return started_by(lambda ctx: ctx.next_task(note("a")), cache="disk")

        first, second = make().run(), make().run()
        assert second.ok
        assert dict(first.results) == dict(second.results)
        assert channel_of(first) == channel_of(second)

    def test_an_edit_of_a_new_ones_code_is_noticed(self):
        space = {"factor": 2}
        exec("def new(start): return factor", space)
        with workflow("f") as flow:

            @task(inject_context=True)
            def start(ctx):
                ctx.next_task(TaskWrapper("new", space["new"]))

            Task("end", lambda start: context.get_result("new"))
        again(flow)
        space["factor"] = 3
        run = flow.run()
        assert run.results["end"] == 3
        assert "new" in ran(run)

    def test_several_calls_add_up(self):
        def ask(ctx):
            for name in "abc":
                ctx.next_task(note(name))

        assert sorted(again(started_by(ask), workers=1).results["end"][1]) == ["a", "b", "c"]

    def test_new_ones_may_ask_for_more(self):
        def ask(ctx, depth=0):
            ctx.get_channel().append("seen", depth)
            if depth < 4:
                ctx.next_task(Task(f"t{depth}", lambda: ask(context, depth + 1)))

        assert again(started_by(ask)).results["end"][1] == [0, 1, 2, 3, 4]

    def test_a_map_and_a_workflow(self):
        with workflow("inner") as inner:
            note("inside")

        def ask(ctx):
            ctx.next_task(Task("t", lambda x: context.get_channel().append("seen", x)).map([1, 2], name="m"))
            ctx.next_task(inner)

        result = started_by(ask).run(workers=1).results["end"]
        assert sorted(result[1], key=str) == [1, 2, "inside"]

    def test_options_of_new_ones_count(self):
        attempts = []

        def flaky():
            attempts.append(1)
            if len(attempts) == 1:
                raise ValueError

        def ask(ctx):
            ctx.next_task(TaskWrapper("flaky", flaky, retries=1, retry_delay=0))
            ctx.next_task(TaskWrapper("never", print, when=lambda: False))

        run = started_by(ask).run()
        assert run.ok
        assert (run.records["flaky"].attempts, shown(run)["never"]) == (2, "skipped")

    def test_the_failure_of_a_new_one_holds_back_what_follows(self):
        run = started_by(lambda ctx: ctx.next_task(Task("bad", lambda: 1 / 0))).run()
        assert shown(run) == {"start": "succeeded", "end": "skipped", "bad": "failed"}

    def test_one_of_a_name_that_is_there_is_left_out_and_that_is_said(self):
        def ask(ctx):
            ctx.next_task(note("same"))
            ctx.next_task(note("same"))

        run = started_by(ask).run()
        assert run.results["end"][1] == ["same"]
        assert any("'same', and this run has one already" in text for text in run.notes)

    @pytest.mark.parametrize("wrong", [5, None, print, [print], {"a": 1}])
    def test_what_is_no_task_is_a_clear_error(self, wrong):
        run = started_by(lambda ctx: ctx.next_task(wrong)).run()
        assert isinstance(run.errors["start"], TaskDefinitionError)
        assert "task 'start' called next_task() with" in str(run.errors["start"])
        assert 'TaskWrapper("name", function)' in str(run.errors["start"])

    def test_a_name_that_is_not_there_gets_the_nearest(self):
        run = started_by(lambda ctx: ctx.next_task("edn")).run()
        assert isinstance(run.errors["start"], UnknownTaskError)
        assert "Did you mean 'end'" in str(run.errors["start"])

    def test_a_chain_takes_new_ones_only(self):
        with workflow("f") as flow:
            Task("start", lambda: context.next_task(note("new") >> flow["other"]))
            Task("end", lambda start: 1)
            Task("other", lambda: 2)
        assert "Jump to 'other' by itself" in str(flow.run().errors["start"])

    def test_a_new_one_that_nothing_fills_fails_alone(self):
        def ask(ctx):
            ctx.next_task(TaskWrapper("lacks", lambda this, that: 1))
            ctx.next_task(Task("t", lambda this, that, x: 1).map(x=[1], name="m"))

        run = started_by(ask).run()
        assert list(run.errors) == ["lacks", "m"]
        assert "needs arguments for 'this', 'that'" in str(run.errors["m"])


def branches(choose, **options):
    with workflow("f", **options) as flow:
        router = Task("router", lambda: choose())
        left, right = Task("left", lambda: "left"), Task("right", lambda: "right")
        join = Task("join", lambda left=None, right=None: (left, right))
        _ = router >> (left | right) >> join
    return flow


class TestJumps:
    @pytest.mark.parametrize("by", ["name", "task"])
    @pytest.mark.parametrize("way", ["run", "execute", "arun"])
    def test_to_one_that_is_wired_after_it_leaves_the_others_aside(self, by, way):
        flow = branches(lambda: context.next_task("right" if by == "name" else flow["right"]))
        if way == "execute":
            assert flow.execute() == (None, "right")
        else:
            run = flow.run() if way == "run" else asyncio.run(flow.arun())
            assert run.results["join"] == (None, "right")
            assert shown(run)["left"] == "skipped"
            assert run.ok

    def test_and_is_reused(self):
        again(branches(lambda: context.next_task("right")))
        on_disk(lambda: branches(lambda: context.next_task("right"), cache="disk"))

    def test_goto_a_new_one_leaves_all_aside(self):
        flow = branches(lambda: context.next_task(note("new"), goto=True))
        run = again(flow)
        assert {n: s for n, s in shown(run).items() if n != "router"} == {
            "left": "skipped", "right": "skipped", "join": "skipped", "new": "succeeded",
        }  # fmt: skip

    def test_to_one_far_ahead(self):
        with workflow("f") as flow:
            a = Task("a", lambda: context.next_task("d") or "a")
            b, c = Task("b", lambda a: a), Task("c", lambda b: b)
            _ = a >> b >> c >> Task("d", lambda c=None: c)
        run = again(flow)
        assert shown(run) == {"a": "succeeded", "b": "skipped", "c": "skipped", "d": "succeeded"}
        assert run.results["d"] is None

    @pytest.mark.parametrize("target", ["m", "g"])
    def test_to_what_stands_for_several(self, target):
        with workflow("f") as flow:
            a, x = Task("a", lambda target=target: context.next_task(target)), Task("x", lambda a: 1)
            m = Task("t", lambda i: i).map([1, 2], name="m")
            g = (Task("p", lambda: 1) | Task("q", lambda: 2)).with_policy("strict", name="g")
            _ = a >> x >> m
            _ = x >> g
        run = again(flow)
        assert run.results[target] == [1, 2]
        assert shown(run)["x"] == "skipped"
        assert shown(run)["g" if target == "m" else "m"] == "skipped"

    @pytest.mark.parametrize("target", ["m", "g"])
    def test_back_to_what_stands_for_several(self, target):
        def count():
            context.get_channel().append("calls", 1)
            return len(context.get_channel().get("calls"))

        with workflow("f") as flow:
            m = Task("t", lambda i: count()).map([1], name="m")
            g = (Task("p", count) | Task("q", lambda: 2)).with_policy("strict", name="g")
            end = Task("end", lambda ns: context.next_task(target) if ns[0] < 3 else ns[0])
            _ = (m if target == "m" else g) >> end
            flow.graph.discard(flow["g" if target == "m" else "m"])
            for name in "pq" if target == "m" else "":
                flow.graph.discard(flow[name])
        assert flow.run(workers=1).results["end"] == 3

    def loop(self, least, **options):
        with workflow("f") as flow:

            @task
            def start():
                context.get_channel().append("starts", 1)

            @task
            def middle(start):
                return len(context.get_channel().get("starts"))

            @task(inject_context=True)
            def check(ctx, middle):
                if middle < least:
                    ctx.next_task("start")
                return middle

            Task("end", lambda check: check)
        start.options = Task("x", print, **options).options
        return flow

    def test_back_to_an_earlier_one_runs_it_and_all_after_it_once_more(self):
        flow = self.loop(4)
        assert flow.execute() == 4
        run = flow.run()
        assert run.results["end"] == 4
        assert channel_of(run) == {"starts": [1] * 4}
        again(flow)

    @pytest.mark.parametrize("way", ["run", "execute"])
    def test_back_what_runs_beside_it_runs_again_with_the_new_value(self, way):
        import threading

        inside, second = threading.Event(), threading.Event()
        with workflow("f") as flow:

            @task(inject_context=True, cache=False)
            def start(ctx):
                ctx.get_channel().append("starts", 1)
                if len(ctx.get_channel().get("starts")) == 2:
                    second.set()
                return len(ctx.get_channel().get("starts"))

            @task
            def slow(start):
                inside.set()
                assert second.wait(10)
                return start

            @task
            def check(start):
                assert inside.wait(10)
                if start == 1:
                    context.next_task("start")

            Task("end", lambda slow, check: slow)
        assert (flow.execute() if way == "execute" else flow.run(workers=3).results["end"]) == 2

    def test_back_to_one_that_iterates_goes_on_counting(self):
        with workflow("f") as flow:

            @task(max_cycles=8)
            def step(n=0):
                if n < 2:
                    context.next_iteration(n + 1)
                return context.cycle_count

            Task("back", lambda step: context.next_task("step") if step < 6 else step)
        assert again(flow).results["back"] == 6

    @pytest.mark.parametrize("workers", [1, 4])
    def test_back_a_group_that_was_about_to_be_gathered_waits_again(self, workers):
        with workflow("f") as flow:

            @task
            def start():
                context.get_channel().append("starts", 1)
                return len(context.get_channel().get("starts"))

            one = Task("one", lambda start: start)
            Task("back", lambda start, one: context.next_task("start") if start < 3 else None)
            _ = (start | one).with_policy("best_effort", name="g") >> Task("end", lambda g: g)
        for _ in range(3):
            assert flow.run(workers=workers).results["end"] == [3, 3]

    def test_without_an_end_it_is_an_error(self):
        run = self.loop(1_000).run()
        assert isinstance(run.errors["check"], CycleLimitError)
        assert "jumps back to 'start', which has been called 10 times" in str(run.errors["check"])
        assert self.loop(12, max_cycles=20).run().results["end"] == 12


class TestIterations:
    def counting(self, last=4, inject=True, **options):
        with workflow("f", cache=options.pop("store", None)) as flow:

            @task(inject_context=True, **options)
            def step(ctx, n=0):
                ctx.get_channel().append("seen", n)
                if n < last:
                    ctx.next_iteration(n + 1)
                return n

            Task("end", lambda step: (step, context.get_channel().get("seen")))
        return flow

    def test_what_follows_runs_once_with_the_last_value(self):
        run = again(self.counting())
        assert run.results["end"] == (4, [0, 1, 2, 3, 4])
        assert channel_of(run) == {"seen": [0, 1, 2, 3, 4]}
        assert self.counting().execute() == (4, [0, 1, 2, 3, 4])
        assert asyncio.run(self.counting().arun()).results["end"][0] == 4
        on_disk(lambda: self.counting(store="disk"))

    @pytest.mark.parametrize("last", [2, 6])
    def test_an_edit_runs_what_it_must(self, last):
        space = {"last": 4, "context": context}
        exec("def step(n=0):\n if n < last: context.next_iteration(n + 1)\n return n", space)
        with workflow("f") as flow:
            Task("step", space["step"])
            Task("end", lambda step: step)
        again(flow)
        space["last"] = last
        assert flow.run().results["end"] == last
        space["last"] = 4
        assert ran(flow.run()) == []

    def test_the_limit_is_ten_calls_in_all(self):
        assert self.counting(9).execute()[0] == 9
        with pytest.raises(
            TaskError, match=r"'step' has been called 10 times .* end the loop .*max_cycles"
        ) as caught:
            self.counting(10).execute()
        assert isinstance(caught.value.__cause__, CycleLimitError)
        assert self.counting(20, max_cycles=21).execute()[0] == 20
        with pytest.raises(TaskError, match="called 1 times"):
            self.counting(1, max_cycles=1).execute()

    def test_a_lower_limit_is_no_reason_to_repeat_what_is_not_allowed_now(self):
        flow = self.counting(4)
        flow.run()
        flow["step"].options = Task("x", lambda c: 1, inject_context=True, max_cycles=2).options
        assert isinstance(flow.run().errors["step"], CycleLimitError)

    def test_cycles_are_counted_from_one_and_told_apart(self):
        with workflow("f") as flow:

            @task(inject_context=True, max_cycles=4)
            def step(ctx):
                ctx.get_channel().append("seen", (ctx.cycle_count, ctx.can_iterate()))
                if ctx.can_iterate():
                    ctx.next_iteration()

        assert channel_of(again(flow)) == {"seen": [(1, True), (2, True), (3, True), (4, False)]}

    def test_random_numbers_differ_from_cycle_to_cycle_and_not_from_run_to_run(self):
        with workflow("f", seed=1) as flow:

            @task(inject_context=True)
            def step(ctx, so_far=()):
                so_far = (*so_far, float(ctx.rng.random()))
                if len(so_far) < 3:
                    ctx.next_iteration(so_far)
                return so_far

        numbers = again(flow).results["step"]
        assert len(set(numbers)) == 3
        assert flow.execute() == numbers

    @pytest.mark.parametrize(
        "fn",
        [
            lambda *, n=0: context.next_iteration(n + 1) if n < 3 else n,
            lambda *ns: context.next_iteration(1) if not ns else 3,
            lambda n=0, m=9: context.next_iteration(n + 1) if n < 3 else n,
        ],
    )
    def test_the_data_fills_the_first_parameter(self, fn):
        with workflow("f") as flow:
            Task("step", fn)
        assert again(flow).results["step"] == 3

    def test_the_last_request_of_a_call_counts(self):
        with workflow("f") as flow:

            @task
            def step(n=0):
                if n == 0:
                    context.next_iteration("wrong")
                    context.next_iteration(1)
                return n

        assert flow.execute() == 1

    def test_next_tasks_of_all_cycles_come_after_the_last(self):
        with workflow("f") as flow:

            @task
            def step(n=0):
                context.next_task(note(f"t{n}"))
                if n < 2:
                    context.next_iteration(n + 1)

            Task("end", lambda step: sorted(context.get_channel().get("seen")))
        assert again(flow, workers=1).results["end"] == ["t0", "t1", "t2"]

    def test_retries_are_within_a_cycle(self):
        attempts = []
        with workflow("f") as flow:

            @task(retries=1, retry_delay=0)
            def step(n=0):
                attempts.append(n)
                if attempts.count(n) == 1:
                    raise ValueError
                if n < 2:
                    context.next_iteration(n + 1)
                return n

        assert flow.execute() == 2
        assert attempts == [0, 0, 1, 1, 2, 2]

    def test_what_is_kept_between_calls(self):
        with workflow("f") as flow:

            @task(inject_context=True)
            def step(ctx, n=0):
                ctx.set_local_data("sum", ctx.get_local_data("sum", 0) + n)
                if n < 3:
                    ctx.next_iteration(n + 1)
                return ctx.get_local_data("sum")

        assert flow.execute() == 6
        assert flow.run().results["step"] == 6
        assert flow.run().results["step"] == 6

    def test_coroutines(self):
        with workflow("f") as flow:

            @task
            async def step(n=0):
                if n < 3:
                    context.next_iteration(n + 1)
                return n

        assert again(flow).results["step"] == 3


class TestTheEnd:
    @pytest.mark.parametrize("way", ["run", "execute", "arun"])
    def test_terminate_ends_well(self, way):
        flow = started_by(lambda ctx: ctx.terminate_workflow("enough"))
        with flow:
            Task("after", lambda end: end)
        if way == "execute":
            assert flow.execute() == "start"
            run = flow.last_run
        else:
            run = flow.run() if way == "run" else asyncio.run(flow.arun())
        assert run.ok
        assert run.ended == "task 'start' ended the workflow: enough"
        assert shown(run) == {"start": "succeeded", "end": "skipped", "after": "skipped"}
        assert run.ended in str(run)
        again_run = flow.run()
        if way == "run":
            assert ran(again_run) == []
            assert again_run.ended == run.ended

    def test_what_runs_now_finishes(self):
        import threading

        both = threading.Barrier(2)
        with workflow("f") as flow:
            Task("a", lambda: (both.wait(10) and None) or context.terminate_workflow())
            Task("b", lambda: (both.wait(10) and None) or "b")
            Task("c", lambda b: b)
        run = flow.run(workers=2)
        assert shown(run)["b"] == "succeeded"
        assert run.ok

    def test_in_a_map_it_ends_well_too(self):
        with workflow("f") as flow:
            Task("t", lambda x: context.terminate_workflow("enough") if x == 1 else x).map(range(9), name="m")
            Task("end", lambda m: m)
        run = flow.run(workers=1)
        assert run.ok
        assert shown(run)["m"] == shown(run)["end"] == "skipped"

    @pytest.mark.parametrize("inside", [False, True])
    def test_cancel_is_an_error_of_its_own(self, inside):
        with workflow("f") as flow:
            a = Task("a", lambda: context.cancel_workflow("bad data"))
            group = (a | Task("b", lambda: 1)) if inside else a
            _ = group >> Task("end", lambda: 1)
        with pytest.raises(WorkflowCancelled, match="task 'a' cancelled the workflow: bad data"):
            flow.execute()
        run = flow.run()
        assert not run.ok
        assert shown(run)["end"] == "cancelled"
        with pytest.raises(WorkflowCancelled):
            flow.run(raise_errors=True)

    def test_max_steps_counts_calls_and_leaves_composites_waiting(self):
        with workflow("f") as flow:
            Task("t", lambda x: x).map(range(4), name="m")
            Task("end", lambda m: m)
        with pytest.warns(UserWarning, match="stopped after 2 steps"):
            flow.execute(max_steps=2)
        assert shown(flow.last_run) == {
            "m": "waiting", "end": "waiting",
            "m[0]": "succeeded", "m[1]": "succeeded", "m[2]": "waiting", "m[3]": "waiting",
        }  # fmt: skip


def test_the_context_that_is_left():
    flow = started_by(lambda ctx: ctx.get_channel().set("x", ctx.get_channel().get("first") + 1))
    result, left = flow.execute(return_context=True, channel={"first": 1})
    assert result == ("start", [])
    assert left.get_channel().get("x") == 2
    assert left.get_result("start") == "start"
    assert left.get_result("none", "default") == "default"
    assert left.run_id == left.session_id == flow.last_run.id
    assert left.elapsed_time > 0


def test_same_is_not_vacuous():
    flow = started_by(lambda ctx: ctx.run_id)
    with pytest.raises(AssertionError):
        same(flow.run(), flow.run())
