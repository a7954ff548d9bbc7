from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb.core.status import Status
from graflow_nb.views.model import EdgeView, FlowView, NodeView
from graflow_nb.views.text import (
    badge,
    clean,
    details,
    display_width,
    escaped,
    human_seconds,
    in_order,
    shorten,
    summary,
    tally,
    to_text,
    upstream,
)


def flow(names: str, edges: str = "", **more) -> FlowView:
    pairs = (pair.split(">") for pair in edges.split())
    return FlowView(
        "f", tuple(NodeView(name) for name in names.split()), tuple(EdgeView(*pair) for pair in pairs), **more
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0002, "<1 ms"),
        (0.0123, "12 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (1.24, "1.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (123.4, "2 min 3 s"),
        (3599.6, "1 h 0 min"),
        (7325, "2 h 2 min"),
    ],
)
def test_durations_are_rounded_to_what_matters(seconds, text):
    assert human_seconds(seconds) == text


@given(st.text(), st.integers(1, 30))
def test_a_shortened_text_fits(text, columns):
    short = shorten(text, columns)
    assert display_width(short) <= columns
    assert short == text or "…" in short


def test_shortening_keeps_both_ends():
    assert shorten("a_very_long_task_name", 11) == "a_ver…_name"
    assert shorten("訓練模型評価", 7) == "訓…評価"
    assert shorten("short", 5) == "short"


@given(st.text(st.characters()))
def test_cleaned_text_can_be_written(text):
    assert len(clean(text)) == len(text)
    clean(text).encode()


def test_escaping_disarms_markup_and_attributes():
    assert escaped("<a href='\"&\x00") == "&lt;a href=&#x27;&quot;&amp;\N{REPLACEMENT CHARACTER}"


def test_every_status_and_none_has_a_badge():
    badges = {badge(status) for status in (*Status, None)}
    assert len({look.word for look in badges}) == len(Status) + 1
    assert all(len(look.symbol) == 1 for look in badges)


def test_the_tally_counts_in_the_order_of_statuses():
    nodes = [NodeView(str(n), s) for n, s in enumerate([None, Status.FAILED, Status.SUCCEEDED, Status.FAILED])]
    counts = [(look.word, count) for look, count in tally(FlowView("f", tuple(nodes)))]
    assert counts == [("succeeded", 1), ("failed", 2), ("not run", 1)]


def test_summaries():
    assert summary(flow("")) == "no tasks"
    assert summary(flow("a")) == "1 task: 1 not run"
    assert summary(flow("a b", seconds=0.5)) == "2 tasks: 2 not run in 500 ms"


def test_tasks_come_after_their_upstream_and_else_as_defined():
    view = flow("d c b a", "a>b b>d")
    assert [node.name for node in in_order(view)] == ["c", "a", "b", "d"]
    assert [node.name for node in in_order(flow("b a"))] == ["b", "a"]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] > pair[1])))
def test_any_flow_can_be_sorted(pairs):
    edges = " ".join(f"{source}>{target}" for source, target in pairs)
    view = flow("0 1 2 3 4 5 6 7 8 9", edges)
    place = {node.name: position for position, node in enumerate(in_order(view))}
    assert len(place) == 10
    assert all(place[edge.source] < place[edge.target] for edge in view.edges)


def test_upstream_names_each_dependency_once():
    assert upstream(flow("a b c", "a>c b>c a>c")) == {"a": [], "b": [], "c": ["a", "b"]}


def test_details_leave_out_what_is_not_known():
    assert details(NodeView("a")) == "not run"
    assert details(NodeView("a", Status.FAILED, 2, note="KeyError")) == "failed · 2.0 s · KeyError"


def test_lines_are_aligned_whatever_the_width_of_names():
    nodes = NodeView("読む", Status.SUCCEEDED, 1), NodeView("long_name", Status.CACHED, 0.001)
    first, second, third = to_text(FlowView("f", nodes)).splitlines()
    assert first == "f · 2 tasks: 1 succeeded, 1 cached"
    assert second == "  ✓ 読む       succeeded       1.0 s"
    assert third == "  ≡ long_name  cached     saved 1 ms"


def test_many_upstream_names_are_counted():
    view = flow("a b c d e f z", "a>z b>z c>z d>z e>z f>z")
    assert to_text(view).splitlines()[-1].endswith("← a, b, c, d, +2 more")


def test_names_cannot_break_lines_or_control_the_terminal():
    text = to_text(FlowView("f", (NodeView("a\nb\x1b[31m", note="x\r\ny"),)))
    assert len(text.splitlines()) == 2
    assert "\x1b" not in text


def test_an_empty_flow_is_one_line():
    assert to_text(FlowView("")) == "no tasks"
