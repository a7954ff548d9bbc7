"""A flow as the data of the live widget: pure, without a browser."""

from __future__ import annotations

import json
import math
import struct
import threading
from dataclasses import replace

from graflow_nb import Status, context, task, workflow
from graflow_nb.core.task import TaskWrapper
from graflow_nb.views.live import (
    FROM_CACHE,
    HAS_OUTPUTS,
    STALE,
    WARNED,
    graph_data,
    progress_data,
    run_data,
    states_data,
    statuses_data,
    timeline_data,
    times_data,
)
from graflow_nb.views.model import EdgeView, FlowView, GroupView, NodeView
from graflow_nb.views.packed import packed
from graflow_nb.views.snapshot import live_view

PATIENCE = 20
WORDS = [row["word"] for row in statuses_data()]


def words(view):
    return [WORDS[byte & 15] for byte in states_data(view)]


def chain_of(*nodes):
    names = [node.name for node in nodes]
    return FlowView("f", nodes, tuple(map(EdgeView, names, names[1:])))


def test_the_table_has_every_status_and_colours_for_both_themes():
    assert ["not run", *(status.word for status in Status)] == WORDS
    assert all({"name", "symbol", "word", "color", "dark"} == row.keys() for row in statuses_data())
    assert len(WORDS) <= 16


def test_the_graph_is_json_and_speaks_of_nodes_by_index():
    view = chain_of(NodeView("a"), NodeView("<img src=x>"), NodeView("p", is_param=True))
    graph = json.loads(json.dumps(graph_data(view)))
    assert [node["name"] for node in graph["nodes"]] == ["a", "<img src=x>", "p"]
    assert [(edge["a"], edge["b"], edge.get("kind")) for edge in graph["edges"]] == [(0, 1, None), (1, 2, None)]
    assert [node.get("kind") for node in graph["nodes"]] == [None, None, "param"]
    assert graph["nodes"][1]["x"] > graph["nodes"][0]["x"]
    down = graph_data(view, "TB")
    assert down["nodes"][1]["y"] > down["nodes"][0]["y"]
    assert down["direction"] == "TB"


def test_a_thousand_nodes_fit_in_little():
    nodes = tuple(NodeView(f"task_{n}", Status.SUCCEEDED, 1.0, started=1.0) for n in range(1000))
    edges = tuple(EdgeView(f"task_{n // 2}", f"task_{n}") for n in range(1, 1000))
    view = FlowView("big", nodes, edges)
    assert len(states_data(view)) == 1000
    assert len(times_data(view)) == 8000
    assert len(packed(graph_data(view))) < 45_000


def test_groups_come_with_their_places():
    view = replace(chain_of(NodeView("a"), NodeView("b")), groups=(GroupView("g", (1,)),))
    graph = graph_data(view)
    (group,), node = graph["groups"], graph["nodes"][1]
    assert group["name"] == "g"
    assert group["x"] < node["x"]
    assert group["y"] < node["y"]
    assert json.loads(packed(graph))["groups"] == [group]


def test_an_edge_that_goes_straight_needs_no_points():
    names = ["a", "b", "c", "d"]
    links = [("a", "b"), ("b", "c"), ("a", "c"), ("a", "d")]
    view = FlowView("f", tuple(map(NodeView, names)), tuple(EdgeView(*link) for link in links))
    for direction in ("LR", "TB"):
        edges = graph_data(view, direction)["edges"]
        assert ["points" in edge for edge in edges] == [False, False, True, False]


def test_a_byte_has_the_status_and_the_marks():
    stderr = {"output_type": "stream", "name": "stderr", "text": "careful"}
    view = chain_of(
        NodeView("a", Status.CACHED),
        NodeView("b", Status.SUCCEEDED, is_stale=True),
        NodeView("c", Status.FAILED, outputs=[stderr]),
        NodeView("d"),
    )
    assert words(view) == ["cached", "succeeded", "failed", "not run"]
    assert [byte & 0xF0 for byte in states_data(view)] == [FROM_CACHE, STALE, WARNED | HAS_OUTPUTS, 0]


def test_times_are_start_and_length_and_unknown_is_nan():
    view = chain_of(
        NodeView("a", Status.SUCCEEDED, 0.5, started=1.0), NodeView("b", Status.RUNNING, 9.0, started=2.0)
    )
    start, took, start_b, took_b = struct.unpack("<4f", times_data(view))
    assert (start, took, start_b) == (1.0, 0.5, 2.0)
    assert math.isnan(took_b)


def test_the_critical_path_goes_back_by_who_ended_last():
    nodes = (
        NodeView("a", Status.SUCCEEDED, 1.0, started=0.0),
        NodeView("b", Status.SUCCEEDED, 5.0, started=0.0, worker="w2"),
        NodeView("c", Status.SUCCEEDED, 1.0, started=5.0, ready=4.5),
        NodeView("d", Status.SUCCEEDED, 0.5, started=1.0),
        NodeView("e"),
    )
    edges = tuple(EdgeView(*pair) for pair in (("a", "c"), ("b", "c"), ("a", "d"), ("e", "c")))
    timeline = timeline_data(FlowView("f", nodes, edges, seconds=6.0))
    assert timeline["critical"] == [1, 2]
    assert timeline["end"] == 6.0
    assert [(r["index"], r["ready"], r["start"], r["end"]) for r in timeline["rows"]] == [
        (0, 0.0, 0.0, 1.0),
        (1, 0.0, 0.0, 5.0),
        (2, 4.5, 5.0, 6.0),
        (3, 1.0, 1.0, 1.5),
    ]
    assert timeline["rows"][1]["worker"] == "w2"


def test_an_empty_flow():
    view = FlowView("empty")
    assert graph_data(view)["nodes"] == []
    assert states_data(view) == times_data(view) == b""
    assert timeline_data(view) == {"rows": [], "critical": [], "end": 0.0}
    assert run_data(view, None)["line"] == "no tasks"


def test_a_run_is_seen_as_it_goes_on_within_the_whole_flow():
    reached, go_on = threading.Event(), threading.Event()
    with workflow("live") as flow:

        @task
        def first():
            return 1

        @task
        def second(first):
            context.progress(0.25, "half of the half")
            reached.set()
            assert go_on.wait(PATIENCE)

        @task
        def other():
            return 2

    before = live_view("live", flow.plan(), None)
    assert words(before) == ["not run"] * 3
    run = flow.run("second", background=True)
    assert reached.wait(PATIENCE)
    view = live_view("live", flow.plan(), run)
    assert words(view) == ["succeeded", "running", "not run"]
    assert progress_data(view) == {"1": [0.25, "half of the half"]}
    assert run_data(view, run)["active"]
    assert run_data(view, run)["done"] == 1
    assert run_data(view, run)["total"] == 2
    go_on.set()
    run.wait(PATIENCE)
    after = live_view("live", flow.plan(), run, stale=["second"])
    assert words(after) == ["succeeded", "succeeded", "not run"]
    assert states_data(after)[1] & STALE
    assert not run_data(after, run)["active"]
    assert progress_data(after) == {}


def test_tasks_born_in_a_run_are_there_with_their_edges():
    with workflow("born") as flow:

        @task
        def parent():
            context.next_task(TaskWrapper("child", lambda: 1))

        @task
        def last(parent):
            return 2

    run = flow.run()
    view = live_view("born", flow.plan(), run)
    assert [node.name for node in view.nodes] == ["parent", "last", "child"]
    kinds = {(e["a"], e["b"]): e["kind"] for e in graph_data(view)["edges"]}
    assert kinds == {(0, 1): "inferred", (0, 2): "dynamic", (2, 1): "dynamic"}


def test_a_task_has_been_ready_before_it_starts():
    with workflow("queue") as flow:

        @task
        def one():
            return 1

        @task
        def two():
            return 2

    run = flow.run(workers=1)
    for row in timeline_data(live_view("queue", flow.plan(), run))["rows"]:
        assert 0 <= row["ready"] <= row["start"] <= row["end"]


def test_a_template_is_drawn_when_it_has_run_itself():
    with workflow("templates") as flow:

        @task
        def double(x=1):
            return 2 * x

        double.map([1, 2], name="doubles")

    assert [node.name for node in live_view("templates", flow.plan(), None).nodes] == ["doubles"]
    run = flow.run("double")
    assert [node.name for node in live_view("templates", flow.plan(), run).nodes] == ["double", "doubles"]


def test_many_items_of_a_map_are_told_by_the_map_alone():
    with workflow("many") as flow:

        @task
        def double(x):
            return 2 * x

        double.map(range(100), name="doubles")

    run = flow.run()
    (node,) = live_view("many", flow.plan(), run).nodes
    assert (node.name, len(run.records)) == ("doubles", 101)
    assert run.records["doubles"].progress == (1.0, "100/100")
