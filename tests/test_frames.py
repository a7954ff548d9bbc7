"""Groups as frames, beside what must hold of every layout."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st
from test_layout import SLACK, cards, crosses, directions, flows, overlap

from graflow_nb.views.frames import PAD, TITLE, lay_out_framed
from graflow_nb.views.layout import lay_out


@st.composite
def grouped(draw):
    """A flow with groups, of which some lie in each other, share members, or cannot have a frame."""
    sizes, edges = draw(flows())
    names = st.sampled_from(sorted(sizes)) if sizes else st.nothing()
    groups = draw(st.lists(st.sets(names, min_size=1, max_size=8), max_size=4)) if sizes else []
    return sizes, edges, groups


def inside(box, frame):
    return (
        frame.x - SLACK <= box.x
        and frame.y - SLACK <= box.y
        and box.x + box.width <= frame.x + frame.width + SLACK
        and box.y + box.height <= frame.y + frame.height + SLACK
    )


@given(grouped(), directions)
def test_a_frame_holds_its_members_and_nothing_else(flow, direction):
    sizes, edges, groups = flow
    drawing = lay_out_framed(sizes, edges, direction, groups)
    for group, frame in drawing.frames.items():
        for name, box in drawing.boxes.items():
            assert inside(box, frame) if name in groups[group] else not overlap(box, frame)


@given(grouped(), directions)
def test_frames_lie_in_each_other_or_apart(flow, direction):
    drawing = lay_out_framed(flow[0], flow[1], direction, flow[2])
    for one, other in combinations(drawing.frames.values(), 2):
        assert not overlap(one, other) or inside(one, other) or inside(other, one)


@given(grouped(), directions)
def test_what_holds_of_every_layout_holds_with_frames(flow, direction):
    sizes, edges, groups = flow
    drawing = lay_out_framed(sizes, edges, direction, groups)
    assert {name: (box.width, box.height) for name, box in drawing.boxes.items()} == sizes
    assert not any(overlap(a, b) for a, b in combinations(drawing.boxes.values(), 2))
    assert drawing.routes.keys() == set(edges)
    axis = ["LR", "TB"].index(direction)
    for (source, target), points in drawing.routes.items():
        for p, q in pairwise(points):
            assert not any(crosses(p, q, box) for box in drawing.boxes.values())
            assert p[axis] <= q[axis] + SLACK
        for point, name in ((points[0], source), (points[-1], target)):
            box = drawing.boxes[name]
            assert box.x - SLACK <= point[0] <= box.x + box.width + SLACK
            assert box.y - SLACK <= point[1] <= box.y + box.height + SLACK
    everything = [*drawing.boxes.values(), *drawing.frames.values()]
    assert all(box.x >= -SLACK and box.x + box.width <= drawing.width + SLACK for box in everything)
    assert all(box.y >= -SLACK and box.y + box.height <= drawing.height + SLACK for box in everything)


@given(flows(), directions)
def test_without_groups_it_is_the_plain_layout(flow, direction):
    assert lay_out_framed(*flow, direction, []) == lay_out(*flow, direction)


def test_the_name_has_its_room():
    for direction in ("LR", "TB"):
        drawing = lay_out_framed(cards("a", "b", "c"), [("a", "b"), ("b", "c")], direction, [{"b"}])
        frame, box = drawing.frames[0], drawing.boxes["b"]
        assert box.y - frame.y >= TITLE
        assert frame.x + frame.width - box.x - box.width >= PAD


def test_groups_that_are_apart_all_have_frames_and_so_has_one_in_another():
    edges = [("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")]
    drawing = lay_out_framed(cards("a", "b", "c", "d"), edges, "LR", [{"b"}, {"b", "c"}, {"a"}, {"d"}])
    assert sorted(drawing.frames) == [0, 1, 2, 3]
    assert inside(drawing.frames[0], drawing.frames[1])


def test_a_group_round_somebody_else_has_no_frame():
    drawing = lay_out_framed(cards("a", "b", "c"), [("a", "b"), ("b", "c")], "LR", [{"a", "c"}, {"b"}])
    assert sorted(drawing.frames) == [1]


def test_two_groups_that_wait_for_each_other_have_one_frame():
    edges = [("a", "b"), ("c", "d")]
    drawing = lay_out_framed(cards("a", "b", "c", "d"), edges, "LR", [{"a", "d"}, {"b", "c"}])
    assert sorted(drawing.frames) == [0]
