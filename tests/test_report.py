from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb.core.status import Status
from graflow_nb.views.model import EdgeView, FlowView, NodeView
from graflow_nb.views.report import nice_step, overall, timeline, to_report

VIEW = FlowView(
    "etl",
    (
        NodeView("fit", Status.FAILED, 1.0, "KeyError", started=0.5, worker="w1", source="fit(<x>)"),
        NodeView(
            "load",
            Status.SUCCEEDED,
            0.5,
            started=0.0,
            outputs=[{"output_type": "stream", "name": "stdout", "text": "12 rows"}],
        ),
        NodeView("idle", Status.SKIPPED),
    ),
    (EdgeView("load", "fit"), EdgeView("fit", "idle")),
    seconds=1.5,
)


def test_it_is_one_document_that_loads_and_runs_nothing():
    html = to_report(VIEW, title="Nightly")
    assert html.startswith("<!DOCTYPE html>")
    assert html.endswith("</html>\n")
    assert not re.search(r"<script|<link|@import|url\(http|src=\"http", html)


def test_the_header_says_what_and_when_and_how_it_ended():
    header = to_report(VIEW, title="Nightly <1>", created="2025-01-01", intro_html="<em>hi</em>").split("<h2>")[0]
    assert "<title>Nightly &lt;1&gt;</title>" in header
    assert "etl · 1.5 s · 2025-01-01" in header
    assert "✗ failed" in header
    assert "<em>hi</em>" in header


def test_every_link_leads_to_a_section():
    html = to_report(VIEW, title="t")
    targets = set(re.findall(r'href="#([^"]+)"', html))
    assert (
        targets == set(re.findall(r'<section class="task" id="([^"]+)"', html)) == {"task-1", "task-2", "task-3"}
    )


def test_sections_come_in_order_with_code_and_outputs():
    sections = to_report(VIEW, title="t").split('<section class="task"')[1:]
    assert [re.search("<code>(.*?)</code>", section)[1] for section in sections] == ["load", "fit", "idle"]
    assert "12 rows" in sections[0]
    assert "<pre>fit(&lt;x&gt;)</pre>" in sections[1]
    assert "<details>" not in sections[0]
    assert "after" in sections[1]


def test_the_timeline_has_a_row_for_each_task_that_ran():
    svg = timeline(VIEW.nodes)
    bars = [float(x) for x in re.findall(r'<rect x="([\d.]+)"', svg)]
    assert len(bars) == 2
    assert bars == sorted(bars)
    assert "1.0 s · w1" in svg


@given(st.lists(st.tuples(st.floats(0, 1e6), st.none() | st.floats(0, 1e6)), min_size=1))
def test_bars_stay_on_the_canvas(times):
    nodes = [
        NodeView(str(n), Status.SUCCEEDED, seconds, started=started) for n, (started, seconds) in enumerate(times)
    ]
    for x, width in re.findall(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', timeline(nodes)):
        assert 210 <= float(x) <= float(x) + float(width) <= 1000


def test_nothing_run_gives_no_timeline_and_nothing_at_all_no_table():
    assert "Timeline" not in to_report(FlowView("f", (NodeView("a"),)), title="t")
    assert "<h2>" not in to_report(FlowView("f"), title="t")


@given(st.text(st.characters()))
def test_any_text_can_be_written(text):
    view = FlowView(text, (NodeView(text, Status.RUNNING, 1.0, text, 0.0, text, source=text),))
    to_report(view, title=text, created=text).encode()


def test_names_are_never_markup():
    evil = "<img src=x onerror=alert(1)>"
    view = FlowView(evil, (NodeView(evil, Status.FAILED, 1.0, evil, 0.0, evil, source=evil),))
    assert "<img" not in to_report(view, title=evil, created=evil)


@pytest.mark.parametrize(
    ("statuses", "word"),
    [
        ([Status.SUCCEEDED, Status.FAILED, Status.SKIPPED], "failed"),
        ([Status.SUCCEEDED, Status.CANCELLED], "cancelled"),
        ([Status.SUCCEEDED, Status.RUNNING], "running"),
        ([Status.CACHED, Status.SUCCEEDED], "succeeded"),
        ([Status.CACHED, Status.CACHED], "cached"),
        ([None, None], "not run"),
    ],
)
def test_the_gravest_status_names_the_run(statuses, word):
    assert (
        overall(FlowView("f", tuple(NodeView(str(n), status) for n, status in enumerate(statuses)))).word == word
    )


def test_every_status_can_name_a_run():
    for status in Status:
        assert overall(FlowView("f", (NodeView("a", status),))).word == status.word


@given(st.floats(1e-9, 1e9))
def test_steps_are_round_and_near(least):
    assert least <= nice_step(least) <= least * 2.5 * (1 + 1e-9)


def test_it_prints_with_margins_and_without_closed_folds():
    style = to_report(VIEW, title="t").split("<style>")[1].split("</style>")[0]
    assert "@page { margin: " in style
    printed = style.split("@media print {")[1]
    assert "details:not([open]) { display: none; }" in printed
    assert ".picture, .task, img, tr { break-inside: avoid; }" in printed
