from __future__ import annotations

from graphlib import CycleError
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb.views.boxes import Box, Layout
from graflow_nb.views.layout import lay_out

SLACK = 1e-6


@st.composite
def flows(draw):
    """Nodes of many sizes, and edges that lead from earlier to later ones."""
    side = st.integers(10, 200)
    sizes = draw(st.lists(st.tuples(side, side), max_size=18))
    names = [f"n{i}" for i in range(len(sizes))]
    pairs = list(combinations(names, 2))
    edges = draw(st.lists(st.sampled_from(pairs), max_size=40)) if pairs else []
    return dict(zip(names, sizes, strict=True)), edges


directions = st.sampled_from(["LR", "TB"])


def overlap(a: Box, b: Box) -> bool:
    return (
        a.x < b.x + b.width - SLACK
        and b.x < a.x + a.width - SLACK
        and a.y < b.y + b.height - SLACK
        and b.y < a.y + a.height - SLACK
    )


def crosses(p, q, box: Box) -> bool:
    """Clip the line from p to q to the inside of the box (Liang and Barsky); see whether anything is left."""
    enter, leave = 0.0, 1.0
    for start, end, low, size in ((p[0], q[0], box.x, box.width), (p[1], q[1], box.y, box.height)):
        step, inner = end - start, (low + SLACK, low + size - SLACK)
        if abs(step) > SLACK:
            near, far = sorted((bound - start) / step for bound in inner)
            enter, leave = max(enter, near), min(leave, far)
        elif not inner[0] < start < inner[1]:
            return False
    return enter < leave


def on_side(point, box: Box) -> bool:
    x, y = point
    return min(abs(x - box.x), abs(x - box.x - box.width), abs(y - box.y), abs(y - box.y - box.height)) < SLACK


@given(flows(), directions)
def test_every_node_keeps_its_size_and_every_edge_is_drawn(flow, direction):
    sizes, edges = flow
    drawing = lay_out(sizes, edges, direction)
    assert {name: (box.width, box.height) for name, box in drawing.boxes.items()} == sizes
    assert drawing.routes.keys() == set(edges)


@given(flows(), directions)
def test_boxes_do_not_overlap(flow, direction):
    boxes = lay_out(*flow, direction).boxes.values()
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))


@given(flows(), directions)
def test_edges_lead_from_side_to_side_and_cross_no_box(flow, direction):
    drawing = lay_out(*flow, direction)
    for (source, target), points in drawing.routes.items():
        assert on_side(points[0], drawing.boxes[source])
        assert on_side(points[-1], drawing.boxes[target])
        for p, q in pairwise(points):
            assert not any(crosses(p, q, box) for box in drawing.boxes.values())


@given(flows(), directions)
def test_edges_never_turn_back(flow, direction):
    axis = ["LR", "TB"].index(direction)
    for points in lay_out(*flow, direction).routes.values():
        assert all(p[axis] <= q[axis] + SLACK for p, q in pairwise(points))


@given(flows(), directions)
def test_everything_is_inside_the_bounds(flow, direction):
    drawing = lay_out(*flow, direction)
    corners = [
        (b.x + dx * b.width, b.y + dy * b.height) for b in drawing.boxes.values() for dx in (0, 1) for dy in (0, 1)
    ]
    points = [*corners, *(point for points in drawing.routes.values() for point in points)]
    assert all(-SLACK <= x <= drawing.width + SLACK and -SLACK <= y <= drawing.height + SLACK for x, y in points)


@given(flows(), directions)
def test_the_same_flow_gives_the_same_drawing(flow, direction):
    sizes, edges = flow
    assert lay_out(sizes, edges, direction) == lay_out(dict(sizes), edges + edges, direction)


def cards(*names: str):
    return dict.fromkeys(names, (100, 40))


def test_nothing_is_an_empty_drawing():
    assert lay_out({}, []) == Layout()


def test_a_chain_is_a_straight_line():
    drawing = lay_out(cards("a", "b", "c"), [("a", "b"), ("b", "c")])
    assert drawing.height == 40
    assert [box.x for box in drawing.boxes.values()] == sorted(box.x for box in drawing.boxes.values())


def test_going_down_is_going_right_on_its_side():
    edges = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]
    sizes = {"a": (100, 40), "b": (90, 30), "c": (80, 50), "d": (10, 10)}
    turned = {name: (height, width) for name, (width, height) in sizes.items()}
    assert lay_out(sizes, edges, "TB") == lay_out(turned, edges, "LR").transposed()


def test_a_parent_stands_in_the_middle_of_its_children():
    boxes = lay_out(cards("a", "b", "c", "d"), [("a", "b"), ("a", "c"), ("a", "d")]).boxes
    assert boxes["a"].y == pytest.approx(boxes["c"].y)


def test_crossings_that_can_be_avoided_are():
    boxes = lay_out(cards("a", "b", "x", "y", "z"), [("a", "y"), ("b", "x"), ("a", "z"), ("b", "z")]).boxes
    assert (boxes["a"].y < boxes["b"].y) == (boxes["y"].y < boxes["x"].y)


def test_a_long_edge_goes_round_the_boxes_between():
    drawing = lay_out(cards("a", "b", "c"), [("a", "b"), ("b", "c"), ("a", "c")])
    middle = drawing.boxes["b"]
    lane = [y for x, y in drawing.routes["a", "c"] if middle.x <= x <= middle.x + middle.width]
    assert lane
    assert all(not middle.y < y < middle.y + middle.height for y in lane)


def test_long_edges_of_one_source_share_a_lane():
    edges = [("a", "b"), ("b", "c"), ("c", "d"), ("a", "c"), ("a", "d")]
    routes = lay_out(cards("a", "b", "c", "d"), edges).routes
    assert routes["a", "c"][:3] == routes["a", "d"][:3]


def test_a_source_stands_beside_its_reader():
    boxes = lay_out(cards("a", "b", "c", "late"), [("a", "b"), ("b", "c"), ("late", "c")]).boxes
    assert boxes["late"].x == boxes["b"].x


def test_pieces_lie_apart_and_many_lone_nodes_form_a_grid():
    names = [f"n{i}" for i in range(300)]
    drawing = lay_out(cards(*names), [("n0", "n1")])
    columns = {box.x for name, box in drawing.boxes.items() if name not in ("n0", "n1")}
    assert 5 <= len(columns) <= 10
    assert drawing.width < 1000
    assert all(drawing.boxes[name].y > drawing.boxes["n0"].y for name in names[2:])


def test_a_cycle_is_an_error():
    with pytest.raises(CycleError):
        lay_out(cards("a", "b"), [("a", "b"), ("b", "a")])
