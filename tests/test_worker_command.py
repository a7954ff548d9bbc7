"""``graflow-nb worker``: it says what it does, and ends when it is told to."""

from __future__ import annotations

import os
import signal
import time

import pytest
from redis_servers import SECRET, Server, Workers

from graflow_nb import task, workflow
from graflow_nb.cli import USAGE, main

pytestmark = pytest.mark.timeout(120)
WAIT = 60


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("GRAFLOW_NB_SECRET", SECRET)
    server = Server(tmp_path)
    yield server
    server.stop()


def until(is_so):
    end = time.monotonic() + WAIT
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def a_flow(url, fn=os.getpid):
    with workflow("w", backend=url) as flow:
        task("a")(fn)
    return flow


def test_it_says_where_it_takes_tasks_from_and_ends_at_once_when_it_has_none(server, tmp_path):
    workers = Workers(server.url, tmp_path, 1)
    try:
        until(lambda: f"takes tasks from graflow at {server.url} (key " in workers.said())
        assert workers.end() == [0]
        assert workers.said().strip().endswith("graflow-nb worker: ended")
        assert not server.client.keys("graflow:worker:*")
    finally:
        workers.stop()


def test_it_ends_after_the_task_that_runs(server, tmp_path):
    workers = Workers(server.url, tmp_path, 1)
    begun, go = tmp_path / "begun", tmp_path / "go"

    def waits():
        begun.touch()
        while not go.exists():
            time.sleep(0.01)
        return "done"

    try:
        run = a_flow(server.url, waits).run(background=True)
        until(begun.exists)
        workers.processes[0].send_signal(signal.SIGINT)
        until(lambda: "ending after the task that runs" in workers.said())
        go.touch()
        assert run.wait().results["a"] == "done"
        assert workers.processes[0].wait(WAIT) == 0
    finally:
        workers.stop()


def test_several_end_together_and_one_that_crashes_is_replaced(server, tmp_path):
    workers = Workers(server.url, tmp_path, 1, options=["--workers", "2"])
    client = server.client

    def there():
        return {key.decode() for key in client.keys("graflow:worker:*")}

    try:
        until(lambda: len(there()) == 2)
        first = there()
        import json

        places = [json.loads(client.get(key))["place"] for key in first]
        os.kill(int(places[0].split(":")[1]), signal.SIGKILL)
        until(lambda: there() - first)
        assert a_flow(server.url).run().results["a"] != os.getpid()
        assert workers.end() == [0]
        assert "another one takes its place" in workers.said()
    finally:
        workers.stop()


def test_with_burst_it_ends_when_nothing_waits(server, tmp_path):
    workers = Workers(server.url, tmp_path, 1, options=["--burst"])
    try:
        assert workers.processes[0].wait(WAIT) == 0
    finally:
        workers.stop()


@pytest.mark.parametrize(
    "words", [["--url", "nowhere"], ["--url", "unix:///none.sock"], ["--url", "redis://:hidden@none.invalid"]]
)
def test_what_is_wrong_is_said(words, capsys):
    assert main(["worker", *words]) == USAGE
    said = capsys.readouterr().err
    assert "Redis" in said
    assert "hidden" not in said


def test_the_extra_that_it_needs(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "rq", None)
    assert main(["worker"]) == USAGE
    assert "pip install graflow-nb[redis]" in capsys.readouterr().err
