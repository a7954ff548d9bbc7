"""Reasons as a tree of lines, as text and as HTML."""

from __future__ import annotations

import pytest

from graflow_nb.incremental.explain import Reason
from graflow_nb.views.table import table_html, table_text
from graflow_nb.views.text import Badge
from graflow_nb.views.why import LONGEST, MOST_LINES, Line, roots, why_html, why_lines, why_text

CODE = Reason("changed", "function", "f", diff="- return 1\n+ return <2>")
STALE = {
    "load": [CODE],
    "left": [Reason("upstream", "", "load")],
    "right": [Reason("upstream", "", "load"), Reason("changed", "global", "RATE", "1", "2")],
    "end": [Reason("upstream", "", "left"), Reason("upstream", "", "right")],
}


def test_each_task_before_is_told_once():
    assert [(line.depth, line.text) for line in why_lines(STALE["end"], STALE)] == [
        (0, "'left' before it is out of date"),
        (1, "'load' before it is out of date"),
        (2, "function 'f' changed"),
        (0, "'right' before it is out of date"),
        (1, "'load' before it is out of date (see above)"),
        (1, "variable 'RATE' changed: 1 → 2"),
    ]


def test_the_same_lines_of_code_are_shown_once():
    stale = {"a": [CODE], "b": [CODE]}
    lines = why_lines([Reason("upstream", "", "a"), Reason("upstream", "", "b")], stale)
    assert [bool(line.diff) for line in lines] == [False, True, False, False]
    assert lines[-1].text == "function 'f' changed (see above)"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("end", ["'load' before it: function 'f' changed", "'right' before it: variable 'RATE' changed: 1 → 2"]),
        ("load", ["function 'f' changed"]),
        ("left", ["'load' before it: function 'f' changed"]),
    ],
)
def test_roots(name, found):
    assert roots(STALE[name], STALE) == found


def test_roots_name_all_whose_reason_it_is():
    stale = {name: [Reason("changed", "code")] for name in "abcde"}
    reasons = [Reason("upstream", "", name) for name in stale]
    assert roots(reasons, stale) == ["'a', 'b', 'c' and 2 more before it: its code changed"]
    assert roots(reasons[:2], stale) == ["'a' and 'b' before it: its code changed"]
    assert roots([*reasons, Reason("changed", "code")], stale) == ["its code changed"]


@pytest.mark.parametrize(
    ("label", "is_followed"),
    [("fit", True), ("fit.model", True), ("fitted", False), ("other", False)],
)
def test_an_input_that_changed_leads_to_the_task_that_made_it(label, is_followed):
    lines = why_lines([Reason("changed", "input", label)], {"fit": [CODE]})
    assert [line.text for line in lines[1:]] == ["function 'f' changed"] * is_followed


def test_a_task_whose_reasons_are_not_known_is_named():
    assert why_lines([Reason("upstream", "", "fit")], {}) == [Line(0, "'fit' before it is out of date")]


def test_long_values_stand_below_each_other():
    old, new = "a" * LONGEST, "b"
    (line,) = why_lines([Reason("changed", "global", "X", old, new)], {})
    assert line == Line(0, "variable 'X' changed", [f"- {old}", "+ b"])


def test_many_lines_are_cut():
    diff = "\n".join(f"+ {n}" for n in range(MOST_LINES + 5))
    (line,) = why_lines([Reason("changed", "code", diff=diff)], {})
    assert len(line.diff) == MOST_LINES + 1
    assert line.diff[-1].strip() == "… and 5 lines more"


def test_as_text():
    assert why_text(why_lines([Reason("upstream", "", "load")], STALE)) == (
        "'load' before it is out of date\n  function 'f' changed\n      - return 1\n      + return <2>"
    )


def test_as_html_everything_is_escaped_and_the_changed_lines_are_painted():
    html = why_html(why_lines([CODE, Reason("marked", name="<b>")], {}))
    assert "return &lt;2&gt;" in html
    assert "&lt;b&gt;" in html
    assert html.count("background-color:rgba(220,38,38") == 1
    assert html.count("background-color:rgba(22,163,74") == 1


def test_a_table():
    rows = [("load", Badge("✓", "fine", "#15803d")), ("<b>\n", "読")]
    assert table_text(("task", "state"), rows) == "task  state\nload  ✓ fine\n<b>   読"
    html = table_html(("task", "state"), rows)
    assert "&lt;b&gt;" in html
    assert "✓ fine" in html
    assert "#15803d" in html
