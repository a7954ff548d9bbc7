from __future__ import annotations

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb import Task, TaskGraph, chain, workflow
from graflow_nb.core.errors import CycleError, DuplicateTaskError, UnknownTaskError


def make(*names: str) -> list[Task]:
    return [Task(name, print) for name in names]


def graph_of(*edges: str) -> tuple[TaskGraph, dict[str, Task]]:
    """Return a graph with edges like "ab", each written by an operator of its own."""
    tasks = {name: Task(name, print) for name in sorted(set("".join(edges)))}
    graph = TaskGraph()
    for before, after in edges:
        graph.wire([tasks[before]], [tasks[after]])
    return graph, tasks


@pytest.mark.parametrize(
    ("edges", "last", "path"),
    [
        ([], "aa", "a >> a"),
        (["ab"], "ba", "a >> b >> a"),
        (["ab", "bc"], "ca", "a >> b >> c >> a"),
        (["ab", "bc", "xy", "by"], "cb", "b >> c >> b"),
        (["ab", "ac", "bd", "cd", "de"], "ec", "c >> d >> e >> c"),
    ],
)
def test_a_cycle_is_refused_where_it_is_written(edges, last, path):
    graph, tasks = graph_of(*edges)
    before, after = last
    tasks.setdefault("a", Task("a", print))
    known, nodes = graph.edges, list(graph.nodes)
    with pytest.raises(CycleError, match=f"^{path} is a cycle"):
        graph.wire([tasks[before]], [tasks[after]])
    assert (graph.edges, list(graph.nodes)) == (known, nodes), "something was changed"


def test_a_cycle_by_a_group_changes_nothing_at_all():
    with workflow("f") as flow:
        a, b, c, d = make("a", "b", "c", "d")
        a >> b >> c
        with pytest.raises(CycleError, match="a >> b >> c >> a"):
            (d | c) >> (a | d)
    assert flow.graph.edges == [("a", "b"), ("b", "c")]


def test_a_graph_can_be_written_on_after_a_cycle_was_refused():
    graph, tasks = graph_of("ab")
    with pytest.raises(CycleError):
        graph.wire([tasks["b"]], [tasks["a"]])
    (c,) = make("c")
    graph.wire([tasks["b"]], [c])
    assert graph.edges == [("a", "b"), ("b", "c")]


def test_adding_a_task_again_changes_nothing():
    graph, (a, b) = TaskGraph(), make("a", "b")
    for task in (a, b, a):
        graph.add(task)
    assert list(graph.nodes) == ["a", "b"]


def test_another_task_of_the_same_name_is_refused():
    graph = TaskGraph()
    one, two = make("a", "a")
    graph.add(one)
    with pytest.raises(DuplicateTaskError, match=r"two tasks named 'a'.*bind\(name="):
        graph.add(two)
    assert graph["a"] is one


def test_what_is_not_there_is_named_with_the_nearest():
    graph, _ = graph_of("ab")
    with pytest.raises(UnknownTaskError, match=r"no task 'aa'\. Did you mean 'a'"):
        graph["aa"]
    with pytest.raises(UnknownTaskError, match=r"no task 'x'\. There are: 'a', 'b'"):
        graph.remove("x")


def test_an_edge_written_twice_is_one_edge():
    graph, _ = graph_of("ab", "ab", "ab")
    assert graph.edges == [("a", "b")]
    assert graph.joins("b") == (("a",),)


def test_joins_keep_what_one_operator_wired():
    graph, (a, b, c, d) = TaskGraph(), make("a", "b", "c", "d")
    graph.wire([a, b], [d])
    graph.wire([b, c], [d])
    assert graph.joins("d") == (("a", "b"), ("b", "c"))
    assert graph.predecessors("d") == ("a", "b", "c")


def test_an_edge_lives_while_a_join_has_it():
    graph, (a, b, c) = TaskGraph(), make("a", "b", "c")
    graph.wire([a, b], [c])
    graph.wire([a], [c])
    graph.unwire(("c", ("a", "b")))
    assert graph.edges == [("a", "c")]
    graph.unwire(("c", ("a",)))
    assert graph.edges == []
    graph.wire([c], [a])  # no memory of what was taken away
    assert graph.edges == [("c", "a")]


def test_taking_away_what_was_never_there_is_no_error():
    graph, _ = graph_of("ab")
    graph.unwire(("b", ("x",)))
    assert graph.edges == [("a", "b")]


def test_a_removed_task_takes_its_edges_and_brings_them_back():
    graph, tasks = graph_of("ab", "bc")
    assert graph.remove("b") is tasks["b"]
    assert (list(graph.nodes), graph.edges) == (["a", "c"], [])
    (new,) = make("b")
    graph.add(new)
    assert graph["b"] is new
    assert set(graph.edges) == {("a", "b"), ("b", "c")}


def test_a_removed_task_does_not_stand_in_the_way():
    graph, tasks = graph_of("ab", "bc")
    graph.remove("b")
    graph.wire([tasks["c"]], [tasks["a"]])
    assert graph.edges == [("c", "a")]


def test_a_task_that_comes_back_into_a_cycle_is_refused_before_anything_runs():
    with workflow("f") as flow:
        a, b, c = make("a", "b", "c")
        a >> b >> c
        flow.graph.remove("b")
        c >> a
        flow.graph.add(b)
    with pytest.raises(CycleError, match=r"(\w >> ){3}\w is a cycle"):
        flow.run()


def test_nx_graph_is_a_copy_with_the_tasks():
    graph, tasks = graph_of("ab", "ac")
    drawn = graph.nx_graph
    assert isinstance(drawn, nx.DiGraph)
    assert list(drawn.edges) == graph.edges
    assert {name: data["task"] for name, data in drawn.nodes(data=True)} == tasks
    drawn.remove_node("a")
    assert "a" in graph


def test_nodes_cannot_be_written_to():
    graph, _ = graph_of("ab")
    with pytest.raises(TypeError):
        graph.nodes["x"] = None
    assert ("a" in graph, "x" in graph, len(graph)) == (True, False, 2)


EDGES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=25)


@given(EDGES)
def test_a_graph_stays_acyclic_and_refuses_only_cycles(pairs):
    graph, tasks = TaskGraph(), make(*map(str, range(7)))
    expected = nx.DiGraph()
    for before, after in pairs:
        closes = before == after or (
            expected.has_node(after) and expected.has_node(before) and nx.has_path(expected, after, before)
        )
        if closes:
            with pytest.raises(CycleError):
                graph.wire([tasks[before]], [tasks[after]])
        else:
            graph.wire([tasks[before]], [tasks[after]])
            expected.add_edge(before, after)
    assert {(int(a), int(b)) for a, b in graph.edges} == set(expected.edges)


@given(st.permutations("abcdef"))
def test_the_order_is_that_of_writing(names):
    with workflow("f") as flow:
        tasks = make(*names)
        chain(*reversed(tasks))
    assert list(flow.graph.nodes) == list(names)
    assert [after for _, after in flow.graph.edges] == list(names[:-1])


def test_what_came_back_may_close_a_cycle_and_need_not():
    graph, tasks = graph_of("ab", "bc")
    graph.add(graph.remove("b"))
    assert not graph.may_be_cyclic
    b = graph.remove("b")
    graph.wire([tasks["c"]], [tasks["a"]])
    graph.add(b)
    assert graph.may_be_cyclic
