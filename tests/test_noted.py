"""What a task uses of its run counts as its input: channel, results, seed, the cycle."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from again import again, channel_of, on_disk, ran

from graflow_nb import Task, context, workflow


def pair(write, read, **options):
    with workflow("f", **options) as flow:
        flow.param("value", 1)
        Task("first", lambda value: write(context.get_channel(), value))
        Task("second", lambda first: read(context.get_channel()))
    return flow


WRITES = {
    "set": lambda channel, value: channel.set("key", value),
    "append": lambda channel, value: channel.append("key", value),
    "prepend": lambda channel, value: channel.prepend("key", value),
    "delete": lambda channel, value: channel.set("key", value) or (channel.delete("key") and None),
    "clear": lambda channel, value: channel.set("key", value) or channel.clear(),
    "several": lambda channel, value: (
        channel.set("key", 0) or channel.append("list", value) or channel.set("key", value)
    ),
}
READS = {
    "get": lambda channel: channel.get("key", "none"),
    "exists": lambda channel: channel.exists("key"),
    "keys": lambda channel: channel.keys(),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("cache", [None, "disk"])
def test_what_is_written_is_written_again_and_what_is_read_is_looked_at(write, read, cache):
    def make():
        return pair(WRITES[write], READS[read], cache=cache)

    on_disk(make) if cache else again(make())
    flow = make()
    flow.run()
    flow.param("value", 2)
    incremental, scratch = flow.run(), make()
    scratch.param("value", 2)
    fresh = scratch.run(force=True)
    assert dict(incremental.results) == dict(fresh.results)
    assert channel_of(incremental) == channel_of(fresh)
    changed = read == "get" and write in {"set", "append", "prepend", "several"}
    assert ("second" in ran(incremental)) is (changed and cache is None) or changed


def test_a_reader_that_no_edge_joins_to_the_writer():
    with workflow("f") as flow:
        flow.param("value", 1)
        a = Task("a", lambda value: context.get_channel().set("key", value))
        b = Task("b", lambda: context.get_channel().get("key"))
        _ = a >> b
    again(flow)
    flow.param("value", 2)
    assert "b" in flow.stale(flow.plan())
    assert flow.run().results["b"] == 2


def test_initial_values_count():
    with workflow("f", channel={"rate": 1}) as flow:
        Task("by_name", lambda rate: rate)
        Task("by_key", lambda: context.get_channel().get("rate"))
        Task("neither", lambda: 1)
    again(flow)
    run = flow.run(channel={"rate": 2})
    assert (run.results["by_name"], run.results["by_key"]) == (2, 2)
    assert ran(run) == ["by_key", "by_name"]
    flow.channel["rate"] = 3
    flow.channel["more"] = 4
    with flow:
        Task("more_by_name", lambda more: more)
    assert flow.run().results["by_key"] == 3
    assert flow.execute() == 4


def test_what_was_asked_of_other_results():
    with workflow("f") as flow:
        flow.param("value", 1)
        a = Task("a", lambda value: value % 2)
        _ = a >> Task("b", lambda: context.get_result("a"))
        Task("c", lambda: context.get_result("nobody", "default"))
    again(flow)
    flow.param("value", 3)
    assert ran(flow.run()) == ["a", "value"], "an equal result"
    flow.param("value", 2)
    run = flow.run()
    assert run.results["b"] == 0
    assert ran(run) == ["a", "b", "value"]


@pytest.mark.parametrize(
    "use",
    [
        lambda: context.run_id,
        lambda: context.session_id,
        lambda: context.elapsed_time,
        lambda: context.get_channel().atomic_add("n", 1),
        lambda: context.get_channel().lock("n").__enter__() and None,
        lambda: context.set_local_data("a", 1),
    ],
)
def test_what_differs_in_each_run_prevents_reuse(use):
    with workflow("f") as flow:
        Task("a", use)
    flow.run()
    run = flow.run()
    assert ran(run) == ["a"]
    assert "differs in each run" in str(run.records["a"].reasons[0])


@pytest.mark.parametrize(
    "use", [lambda: context.progress(0.5), lambda: context.cancelled, lambda: context.task_name]
)
def test_what_does_not_matter_does_not(use):
    with workflow("f") as flow:
        Task("a", lambda: use() and None)
    again(flow)


def test_what_readers_change_in_place_is_made_again():
    def change():
        rows = context.get_channel().get("rows")
        rows.append(5)
        return list(rows)

    with workflow("f") as flow:
        Task("a", lambda: context.get_channel().set("rows", [1]))
        _ = flow["a"] >> Task("b", change) >> Task("c", lambda: list(context.get_channel().get("rows")))
    for _ in range(3):
        run = flow.run()
        assert run.results["b"] == run.results["c"] == [1, 5]
        assert channel_of(run) == {"rows": [1, 5]}


def test_an_iterator_is_never_a_spent_one():
    with workflow("f") as flow:
        Task("a", lambda: context.get_channel().set("key", iter([1, 2])))
        Task("b", lambda a: next(context.get_channel().get("key")))
    assert [flow.run().results["b"] for _ in range(3)] == [1, 1, 1]


PROGRAM = """
from graflow_nb import Task, context, task, workflow

with workflow("f", cache="disk", seed=1) as flow:
    flow.param("n", 3)

    @task
    def loop(k=0):
        context.get_channel().append("seen", k)
        if k < 2:
            context.next_iteration(k + 1)
        return k

    @task
    def each(x):
        context.get_channel().append("items", x)
        return x + float(context.rng.random())

    each.map(Task("items", lambda n, loop: list(range(n))), name="m")

    @task(when=lambda m: len(m) > 5)
    def many(m):
        return m

    @task
    def end(m, many=None):
        context.next_task("last")
        return [context.get_channel().get("seen"), context.get_result("loop"), m]

    _ = many >> end >> Task("between", lambda: 1) >> Task("last", lambda end=None: end)

run = flow.run(workers=1)
print({name: str(status) for name, status in run.statuses.items()})
print(dict(run.results), run.surroundings.channel.snapshot())
"""


def test_in_a_new_process_all_is_found_again(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)

    def play():
        command = [sys.executable, "program.py"]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True, env={**os.environ}
        )
        return done.stdout.splitlines()

    (statuses, came), (again_statuses, came_again) = play(), play()
    assert came_again == came
    assert "succeeded" in statuses
    assert "succeeded" not in again_statuses, again_statuses
