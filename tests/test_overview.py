"""A graph in words."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from graflow_nb import Task, workflow
from graflow_nb.core.overview import longest_path, overview


def test_what_is_said_of_a_graph():
    with workflow("f") as flow:
        a, b, c, d = (Task(name, lambda: 1) for name in ("extract", "left", "right", "load"))
        a >> (b | c) >> d
    assert overview({name: flow.graph.predecessors(name) for name in flow.graph.nodes}).splitlines() == [
        "4 tasks, 4 edges",
        "roots: extract",
        "leaves: load",
        "longest path: extract >> left >> load (3 tasks)",
        "  extract",
        "  left     <- extract",
        "  right    <- extract",
        "  load     <- left, right",
    ]


def test_names_make_edges_too(capsys):
    with workflow("f") as flow:
        Task("fit", lambda load: load)
        Task("load", lambda: 1)
    flow.graph.show_info()
    assert capsys.readouterr().out.splitlines() == [
        "2 tasks, 1 edge",
        "roots: load",
        "leaves: fit",
        "longest path: load >> fit (2 tasks)",
        "  load",
        "  fit   <- load",
    ]


def test_a_graph_whose_workflow_is_gone_knows_what_operators_wrote(capsys):
    with workflow("f") as flow:
        Task("a", lambda: 1) >> Task("b", lambda: 1)
    graph = flow.graph
    del flow
    graph.planned = None
    graph.show_info()
    assert "longest path: a >> b (2 tasks)" in capsys.readouterr().out


def test_a_workflow_is_let_go_of_without_the_collector():
    import gc
    import weakref

    gc.disable()
    try:
        flow = workflow("f")
        seen = weakref.ref(flow)
        del flow
        assert seen() is None
    finally:
        gc.enable()


def test_nothing_and_one(capsys):
    assert overview({}) == "no tasks"
    assert overview({"a": []}).splitlines() == [
        "1 task, 0 edges",
        "roots: a",
        "leaves: a",
        "longest path: a (1 task)",
        "  a",
    ]


def test_a_large_graph_is_cut():
    lines = overview({f"t{n}": [f"t{n - 1}"] if n else [] for n in range(300)}).splitlines()
    assert lines[3].endswith("t8 >> t9 >> … 290 more (300 tasks)")
    assert len(lines) == 4 + 200 + 1
    assert lines[-1] == "  … and 100 more"


@given(
    st.integers(1, 8).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))
    )
)
def test_the_longest_path_is_one_and_none_is_longer(drawing):
    count, pairs = drawing
    edges = {(a, b) for a, b in pairs if a < b}
    parents = {f"t{n}": [f"t{a}" for a, b in sorted(edges) if b == n] for n in range(count)}

    def longest(name):
        return 1 + max(map(longest, parents[name]), default=0)

    path = longest_path(parents, list(parents))
    assert all(one in parents[other] for one, other in pairwise(path))
    assert len(path) == max(map(longest, parents))
