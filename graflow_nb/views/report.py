"""A run as one HTML document to read, send or print. Nothing in it is fetched, and nothing is executed."""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING

from graflow_nb.core.status import Status
from graflow_nb.views.outputs import outputs_html
from graflow_nb.views.page import chip_html, chips_html, narrowest
from graflow_nb.views.svg import to_svg
from graflow_nb.views.text import badge, details, escaped, human_seconds, in_order, shorten, took, upstream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graflow_nb.views.boxes import Direction
    from graflow_nb.views.model import FlowView, NodeView
    from graflow_nb.views.text import Badge

# What a whole run is called: the first of these that one of its tasks has.
GRAVEST = (
    Status.FAILED,
    Status.CANCELLED,
    Status.RUNNING,
    Status.RETRYING,
    Status.READY,
    Status.WAITING,
    Status.SUCCEEDED,
    Status.CACHED,
    Status.SKIPPED,
)


def to_report(
    view: FlowView,
    *,
    title: str,
    intro_html: str = "",
    created: str = "",
    direction: Direction = "LR",
) -> str:
    """Write the report of a run.

    Parameters
    ----------
    view : FlowView
        The flow, with the sources and outputs of its tasks.
    title : str
        The heading, and the document's title.
    intro_html : str
        HTML that follows the heading; taken as it is.
    created : str
        When and where it was made, in words.
    direction : {"LR", "TB"}
        Whether edges point right or down.
    """
    nodes = in_order(view)
    links = {node.name: f"#task-{number}" for number, node in enumerate(nodes, 1)}
    before = upstream(view)
    body = (
        _header(view, title, created),
        f"<div>{intro_html}</div>" if intro_html else "",
        _section("Flow", _picture(view, direction, links)) if nodes else "",
        _section("Timeline", timeline(nodes)) if any(_ran(node) for node in nodes) else "",
        _section("Tasks", _table(nodes, before, links)) if nodes else "",
        *(_task(node, before[node.name], links) for node in nodes),
    )
    return PAGE.format(title=escaped(title), style=STYLE, body="".join(body))


def _header(view: FlowView, title: str, created: str) -> str:
    look = overall(view)
    took = "" if view.seconds is None else human_seconds(view.seconds)
    facts = " · ".join(filter(None, (view.name if view.name != title else "", took, created)))
    return (
        f"<header><h1>{escaped(title)} {chip_html(look, f'{look.symbol} {look.word}')}</h1>"
        f'<p class="quiet">{escaped(facts)}</p><p>{chips_html(view) or "no tasks"}</p></header>'
    )


def _picture(view: FlowView, direction: Direction, links: Mapping[str, str]) -> str:
    """Show the picture inline, so that its cards are links."""
    svg = to_svg(view, direction=direction, links=links)
    return f'<div class="picture" style="--narrowest:{narrowest(view, direction)}px">{svg}</div>'


def overall(view: FlowView) -> Badge:
    """Give the one status that says most about a run.

    >>> from graflow_nb.views.model import FlowView, NodeView
    >>> overall(FlowView("f", (NodeView("a", Status.SUCCEEDED), NodeView("b", Status.CACHED)))).word
    'succeeded'
    """
    statuses = {node.status for node in view.nodes}
    return badge(next((status for status in GRAVEST if status in statuses), None))


def _section(heading: str, content: str) -> str:
    return f"<section><h2>{heading}</h2>{content}</section>"


def _table(nodes: Iterable[NodeView], before: Mapping[str, Sequence[str]], links: Mapping[str, str]) -> str:
    rows = "".join(
        f"<tr><td>{_chip(node)}</td><td>{_link(node.name, links)}</td>"
        f'<td class="word">{badge(node.status).word}</td>'
        f'<td class="number">{took(node)}</td><td>{_linked(before[node.name], links)}</td>'
        f"<td>{escaped(node.note)}</td></tr>"
        for node in nodes
    )
    heads = '<th colspan="2">Task</th><th>Status</th><th class="number">Time</th><th>After</th><th>Note</th>'
    return f'<table class="tasks"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _task(node: NodeView, before: Sequence[str], links: Mapping[str, str]) -> str:
    code = f"<pre>{escaped(node.source)}</pre>"
    parts = (
        f'<section class="task" id="{links[node.name].removeprefix("#")}">',
        f"<h3>{_chip(node)} <code>{escaped(node.name)}</code> ",
        f'<span class="quiet">{escaped(details(node))}</span></h3>',
        f'<p class="quiet">after {_linked(before, links)}</p>' if before else "",
        f"<details><summary>Code</summary>{code}</details>" if node.source else "",
        f"{outputs_html(node.outputs)}</section>",
    )
    return "".join(parts)


def _chip(node: NodeView) -> str:
    look = badge(node.status)
    return chip_html(look, look.symbol)


def _link(name: str, links: Mapping[str, str]) -> str:
    return f'<a href="{links[name]}"><code>{escaped(name)}</code></a>'


def _linked(names: Iterable[str], links: Mapping[str, str]) -> str:
    return ", ".join(_link(name, links) for name in names)


# The timeline: one row a task, on a canvas of fixed width that the page scales.
CANVAS, LEFT, RIGHT = 1000.0, 210.0, 120.0
ROW, AXIS = 24.0, 26.0
LABEL_COLUMNS = 28
TICKS = 6
SHORTEST = 0.001  # seconds: what took less is drawn against an axis of this length


def timeline(nodes: Iterable[NodeView]) -> str:
    """Draw when each task ran, as an SVG for a page that styles it; tasks that did not run are left out."""
    ran = [node for node in nodes if _ran(node)]
    end = max(SHORTEST, *(_start(node) + (node.seconds or 0.0) for node in ran))
    scale = (CANVAS - LEFT - RIGHT) / end
    height = AXIS + ROW * len(ran)
    rows = "".join(_bar(node, AXIS + ROW * row, scale) for row, node in enumerate(sorted(ran, key=_start)))
    return (
        f'<svg class="timeline" viewBox="0 0 {CANVAS:.0f} {height:.0f}" role="img" aria-label="Timeline">'
        f"{_axis(end, scale, height)}{rows}</svg>"
    )


def _axis(end: float, scale: float, height: float) -> str:
    step = nice_step(end / TICKS)
    marks = (
        f'<path class="grid" d="M{x:.1f} {AXIS - 6:.0f}V{height:.0f}"/>'
        f'<text class="tick" x="{x:.1f}" y="12">{human_seconds(time) if time else "0"}</text>'
        for time, x in ((n * step, LEFT + n * step * scale) for n in range(int(end / step) + 1))
    )
    return "".join(marks)


def nice_step(least: float) -> float:
    """Round up to 1, 2 or 5 times a power of ten.

    >>> [nice_step(least) for least in (0.3, 7, 12)]
    [0.5, 10.0, 20.0]
    """
    power = 10.0 ** floor(log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)


def _bar(node: NodeView, y: float, scale: float) -> str:
    x, width = LEFT + _start(node) * scale, max((node.seconds or 0.0) * scale, 2.0)
    beside = " · ".join(filter(None, (took(node), shorten(node.worker, LABEL_COLUMNS // 2))))
    return (
        f"<g><title>{escaped(node.name)}: {escaped(details(node))}</title>"
        f'<text x="{LEFT - 10:.0f}" y="{y + 16:.1f}" text-anchor="end">'
        f"{escaped(shorten(node.name, LABEL_COLUMNS))}</text>"
        f'<rect x="{x:.1f}" y="{y + 4:.1f}" width="{width:.1f}" height="{ROW - 8:.0f}" rx="3" '
        f'fill="{badge(node.status).colour}"/>'
        f'<text class="quiet" x="{x + width + 6:.1f}" y="{y + 16:.1f}">{escaped(beside)}</text></g>'
    )


def _ran(node: NodeView) -> bool:
    return node.started is not None


def _start(node: NodeView) -> float:
    return node.started or 0.0


PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>{body}</main>
</body>
</html>
"""

STYLE = """
:root { --ink: #1f2328; --quiet: #59636e; --page: #ffffff; --card: #f6f8fa; --line: #d1d9e0; --link: #0969da;
  color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --quiet: #9198a1; --page: #0d1117; --card: #151b23; --line: #3d444d;
    --link: #58a6ff; }
}
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; font-size: 15px; }
main { max-width: 1080px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 28px; line-height: 1.25; margin: 0; } h1 > span { vertical-align: middle; }
h2 { font-size: 18px; margin: 40px 0 12px; }
h3 { font-size: 16px; margin: 0; } h3 .quiet { font-weight: normal; font-size: 14px; margin-left: 6px; }
p { margin: 6px 0; } a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 13px; }
.quiet { color: var(--quiet); font-size: 14px; }
.picture { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; padding: 8px; }
.picture svg { display: block; max-width: 100%; min-width: var(--narrowest); height: auto; margin: 0 auto; }
.timeline { display: block; width: 100%; font-size: 12px; }
.timeline text { fill: var(--ink); } .timeline .quiet { fill: var(--quiet); font-size: 11px;
  paint-order: stroke; stroke: var(--page); stroke-width: 4px; }
.timeline .tick { fill: var(--quiet); font-size: 11px; text-anchor: middle; }
.timeline .grid { stroke: var(--line); }
.tasks { border-collapse: collapse; width: 100%; font-size: 14px; }
.tasks th, .tasks td { text-align: left; padding: 6px 10px; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; }
.tasks th { color: var(--quiet); font-weight: 600; }
.tasks .word, .tasks .number { white-space: nowrap; } .tasks .number { text-align: right; }
.tasks td:first-child { padding-right: 0; width: 0; }
.task { margin: 20px 0; border: 1px solid var(--line); border-radius: 8px; padding: 14px 18px;
  scroll-margin-top: 16px; }
.task:target { border-color: var(--link); }
.task summary { cursor: pointer; color: var(--quiet); font-size: 14px; margin: 6px 0; }
.task details pre { background: var(--card); border-radius: 6px; padding: 10px 12px; margin: 6px 0;
  overflow-x: auto; }
.dataframe { border-collapse: collapse; border: none; font-size: 13px; }
.dataframe th, .dataframe td { border: none; padding: 4px 10px; text-align: right; }
.dataframe thead { border-bottom: 1px solid var(--line); }
.dataframe tbody tr:nth-child(odd) { background: var(--card); }
@page { margin: 14mm; }
@media print {
  :root { --ink: #1f2328; --quiet: #59636e; --page: #ffffff; --card: #f6f8fa; --line: #d1d9e0; }
  body { font-size: 12px; } main { max-width: none; padding: 0; } a { color: inherit; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2, h3 { break-after: avoid; } .picture, .task, img, tr { break-inside: avoid; }
  .picture svg { min-width: 0; } .task { box-decoration-break: clone; -webkit-box-decoration-break: clone; }
  .task * { overflow: visible !important; } .task img { max-width: 100%; height: auto; }
  details:not([open]) { display: none; } pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  code, pre, .tasks { font-size: 11px; } .dataframe { font-size: 10px; }
  .dataframe th, .dataframe td { padding: 2px 5px; }
}
"""
