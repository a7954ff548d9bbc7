"""A flow as a tree of lines."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb import Task, workflow
from graflow_nb.core.status import Status
from graflow_nb.views.model import EdgeView, FlowView, NodeView
from graflow_nb.views.tree import to_tree


def drawn(*edges, nodes="abcdef"):
    named = dict.fromkeys(name for edge in edges for name in edge)
    views = tuple(NodeView(name) for name in sorted(named)) or tuple(map(NodeView, nodes))
    return to_tree(FlowView("", views, tuple(EdgeView(*edge) for edge in edges))).splitlines()[1:]


def test_below_each_task_is_what_waits_for_it():
    assert drawn("ab", "bc", "ad") == ["· a", "├── · b", "│   └── · c", "└── · d"]


def test_what_is_drawn_already_is_not_drawn_again_in_full():
    assert drawn("ac", "bc", "cd") == ["· a", "└── · c", "    └── · d", "· b", "└── · c (see above)"]


def test_a_task_that_nothing_waits_for_is_just_named_again():
    assert drawn("ac", "bc") == ["· a", "└── · c", "· b", "└── · c"]


def test_tasks_that_wait_for_nothing_stand_below_each_other():
    assert drawn(nodes="abc") == ["· a", "· b", "· c"]


def test_an_empty_flow_has_no_tasks():
    assert to_tree(FlowView("")) == "no tasks"


def test_names_stay_on_their_line():
    view = FlowView("f\ng", (NodeView("a\nb\x1b[31m", Status.FAILED),))
    head, line = to_tree(view).splitlines()
    assert head.startswith("f g · 1 task: 1 failed")
    assert line == "✗ a b\N{REPLACEMENT CHARACTER}[31m"


@pytest.mark.parametrize("length", [3, 100, 3_000])
def test_a_long_chain_stays_narrow_and_complete(length):
    names = [f"t{n}" for n in range(length)]
    edges = list(pairwise(names))
    text = to_tree(FlowView("", tuple(map(NodeView, names)), tuple(EdgeView(*edge) for edge in edges)))
    assert max(map(len, text.splitlines())) < 120
    assert {line.split("· ")[-1].split()[0] for line in text.splitlines()[1:]} == set(names)


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))
    )
)
def test_every_task_and_every_edge_is_there(drawing):
    count, pairs = drawing
    edges = [(f"t{a}", f"t{b}") for a, b in sorted(pairs) if a < b]
    view = FlowView("", tuple(NodeView(f"t{n}") for n in range(count)), tuple(EdgeView(*edge) for edge in edges))
    seen, stack, found = set(), [], set()
    for line in to_tree(view).splitlines()[1:]:
        margin, _, rest = line.partition("· ")
        depth, name = len(margin) // 4, rest.split()[0]
        del stack[depth:]
        if stack:
            found.add((stack[-1], name))
        stack.append(name)
        seen.add(name)
    assert seen == {node.name for node in view.nodes}
    assert found == set(edges)


def test_a_flow_draws_itself():
    with workflow("f") as flow:
        a, b = Task("a", lambda: 1), Task("b", lambda a: a)
        a >> b
    flow.run()
    assert flow.to_tree().splitlines()[1:] == ["✓ a", "└── ✓ b"]
