from __future__ import annotations

import re
from base64 import b64decode
from html.parser import HTMLParser

from graflow_nb.core.status import Status
from graflow_nb.views.model import EdgeView, FlowView, NodeView
from graflow_nb.views.page import flow_html, live_html, notes_html, progress
from graflow_nb.views.svg import to_svg


def printed(text):
    return [{"output_type": "stream", "name": "stdout", "text": text}]


VIEW = FlowView(
    "etl",
    (
        NodeView("fit", Status.FAILED, 1.0, outputs=printed("loss\n")),
        NodeView("load", Status.SUCCEEDED, 0.2, outputs=printed("rows\n")),
        NodeView("idle", Status.SKIPPED),
    ),
    (EdgeView("load", "fit"), EdgeView("fit", "idle")),
    seconds=1.2,
)


class Tags(HTMLParser):
    """Collect the tags of a page, and check that they are balanced."""

    def __init__(self, html):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_picture_is_an_image_with_a_text_alternative():
    (img,) = [attrs for tag, attrs in Tags(flow_html(VIEW)).seen if tag == "img"]
    assert b64decode(img["src"].split(",")[1]).decode() == to_svg(VIEW)
    assert img["alt"] == "3 tasks: 1 succeeded, 1 failed, 1 skipped in 1.2 s"


def test_counts_stand_above_it():
    html = flow_html(VIEW)
    assert [word in html.split("<img")[0] for word in ("✓ 1 succeeded", "✗ 1 failed", "in 1.2 s")] == [True] * 3


def test_outputs_come_in_order_and_failures_are_open():
    html = flow_html(VIEW)
    opened = ["open" in attrs for tag, attrs in Tags(html).seen if tag == "details"]
    assert opened == [False, True]
    assert html.index("rows") < html.index("loss")
    assert "failed · 1.0 s" in html


def test_only_inline_styles_are_used():
    seen = Tags(flow_html(VIEW) + live_html(VIEW)).seen
    assert not {"style", "script", "svg", "link"} & {tag for tag, _ in seen}
    assert not any(key.startswith("on") or key == "class" for _, attrs in seen for key in attrs)


def test_names_are_escaped_everywhere():
    evil = "<img src=x onerror=alert(1)>"
    view = FlowView(evil, (NodeView(evil, Status.RUNNING, 1, note=evil, outputs=printed(evil)),))
    for html in (flow_html(view, limit=5), live_html(view)):
        assert [attrs["src"][:5] for tag, attrs in Tags(html).seen if tag == "img"] == ["data:"]


def test_a_cut_output_names_its_task():
    view = FlowView("f", (NodeView("load", Status.SUCCEEDED, outputs=printed("x" * 1000)),))
    assert "not shown: load.outputs has all of it" in flow_html(view, limit=100)
    assert "not shown: see load" in flow_html(view, limit=100, hint="see {name}")


def test_an_empty_flow_has_no_picture():
    assert "no tasks" in flow_html(FlowView("f"))
    assert "<img" not in flow_html(FlowView("f")) + live_html(FlowView("f"))


def test_progress_names_the_tasks_that_run_longest():
    nodes = [NodeView(f"t{n}", Status.RUNNING, float(n)) for n in range(5)]
    nodes += [
        NodeView("done", Status.CACHED),
        NodeView("next", Status.READY),
        NodeView("again", Status.RETRYING),
    ]
    assert progress(FlowView("f", tuple(nodes))) == "6 running · 1/8 done · t4 4.0 s · t3 3.0 s · t2 2.0 s"
    assert progress(FlowView("f")) == "0/0 done"


def test_the_bar_shows_what_is_finished_and_how():
    bar = live_html(VIEW).split("<img")[0]
    widths = re.findall(r"width:([\d.]+)%;background-color:(#\w+)", bar)
    expected = [Status.SUCCEEDED, Status.FAILED, Status.SKIPPED]
    assert widths == [("33.33", status.colour) for status in expected]


def test_notes_are_shown_as_text():
    assert notes_html(["a < b"]).count("<div") == 1
    assert "a &lt; b" in notes_html(["a < b"])
