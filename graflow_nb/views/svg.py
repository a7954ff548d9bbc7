"""A flow as a picture: one SVG without script, font or style sheet, at home on light and dark pages."""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

from graflow_nb.core.status import Status
from graflow_nb.views.frames import lay_out_framed
from graflow_nb.views.text import badge, details, display_width, escaped, short_path, shorten, summary, took

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from graflow_nb.views.boxes import Box, Direction, Edge, Layout, Point
    from graflow_nb.views.model import FlowView, NodeView

MARGIN = 10.0
CARD_HEIGHT = 48.0
CARD_WIDTHS = (164.0, 240.0)  # the narrowest still holds "succeeded · 12.3 s"
TEXT_LEFT, TEXT_RIGHT = 40.0, 8.0
NAME_COLUMN = 7.9  # px a column of 13 px monospace, in the widest of the usual fonts
STATE_COLUMN = 6.2  # px a column of 11 px sans-serif, on average
LEGEND_HEIGHT, LEGEND_COLUMN = 26.0, 5.5

MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"
INK, QUIET = "#1f2328", "#57606a"
LINE, LABEL = "#8b949e", "#757d87"  # outside the cards: seen on white and on black alike
KINDS: dict[str, tuple[str, str]] = {
    "plain": ("explicit", ""),
    "inferred": ("inferred from names", ' stroke-dasharray="5 4"'),
    "conditional": ("conditional", ' stroke-dasharray="10 3 2 3"'),
    "dynamic": ("made while running", ' stroke-dasharray="0.1 4.5" stroke-linecap="round" stroke-width="2.2"'),
}
"""How each kind of edge is named and drawn."""
ARROW = (
    '<defs><marker id="graflow-arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" '
    'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
    f'<path d="M0.5 0.5L7.5 4L0.5 7.5z" fill="{LINE}"/></marker></defs>'
)
PALE = (None, Status.WAITING, Status.READY, Status.SKIPPED, Status.CACHED)  # what did not run now


def to_svg(view: FlowView, *, direction: Direction = "LR", links: Mapping[str, str] | None = None) -> str:
    """Draw a flow as a self-contained SVG.

    Parameters
    ----------
    view : FlowView
        What to draw. Places depend on names and edges alone, so the picture keeps still during a run.
    direction : {"LR", "TB"}
        Whether edges point right or down.
    links : mapping of str to str, optional
        Where a click on a task leads, such as ``"#task-1"``; for an SVG in a page, not in an ``<img>``.
    """
    drawing = place(view, direction)
    kinds = {edge.kind for edge in view.edges}
    legend, room = _legend(kinds, drawing.height + LEGEND_HEIGHT - 6) if len(kinds) > 1 else ("", 0.0)
    width = max(drawing.width, room) + 2 * MARGIN
    height = drawing.height + LEGEND_HEIGHT * bool(legend) + 2 * MARGIN
    size = f'width="{_n(width)}" height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}"'
    parts = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escaped(view.name or 'flow')}</title><desc>{escaped(summary(view))}</desc>{ARROW}",
        f'<g transform="translate({_n(MARGIN)} {_n(MARGIN)})">',
        *_frames(view, drawing.frames),
        *_edges(view, drawing.routes, direction),
        f'<g font-family="{SANS}" font-size="11" fill="{QUIET}">',
        *(_card(node, drawing.boxes[node.name], (links or {}).get(node.name)) for node in view.nodes),
        "</g>",
        f"{legend}</g></svg>",
    )
    return "".join(parts)


def data_uri(svg: str) -> str:
    """Give an SVG as a URI, for the ``src`` of an ``<img>``.

    >>> data_uri("<svg/>")
    'data:image/svg+xml;base64,PHN2Zy8+'
    """
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


def place(view: FlowView, direction: Direction = "LR") -> Layout:
    """Lay out a flow's cards; while it is remembered, the same flow gives the same object."""
    names = tuple(node.name for node in view.nodes)
    groups = tuple(tuple(names[n] for n in group.members) for group in view.groups)
    return _place(names, tuple((edge.source, edge.target) for edge in view.edges), direction, groups)


@lru_cache(maxsize=16)
def _place(
    names: tuple[str, ...], edges: tuple[Edge, ...], direction: Direction, groups: tuple[tuple[str, ...], ...]
) -> Layout:
    """Give all cards one width: the eye then follows columns and not ragged edges."""
    narrowest, widest = CARD_WIDTHS
    wanted = TEXT_LEFT + TEXT_RIGHT + NAME_COLUMN * max(map(display_width, names), default=0)
    width = ceil(min(max(wanted, narrowest), widest))
    return lay_out_framed(dict.fromkeys(names, (width, CARD_HEIGHT)), edges, direction, groups)


def tint(colour: str, strength: float) -> str:
    """Mix a hex colour into white.

    >>> tint("#000000", 0.2)
    '#cccccc'
    """
    channels = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - channel) * strength):02x}" for channel in channels)


def _frames(view: FlowView, frames: Mapping[int, Box]) -> Iterator[str]:
    """Draw groups behind everything: the outer ones first."""
    for group, box in sorted(frames.items(), key=lambda item: -item[1].width * item[1].height):
        name = " ".join(view.groups[group].name.split())
        room = max(4, int((box.width - 20) / STATE_COLUMN))
        yield (
            f'<rect x="{_n(box.x)}" y="{_n(box.y)}" width="{_n(box.width)}" height="{_n(box.height)}" rx="12" '
            f'fill="{LINE}" fill-opacity="0.08" stroke="{LINE}" stroke-opacity="0.45"/>'
            f'<text x="{_n(box.x + 12)}" y="{_n(box.y + 17)}" font-family="{SANS}" font-size="11" '
            f'font-weight="600" fill="{LABEL}">{escaped(shorten(name, room))}</text>'
        )


def _edges(view: FlowView, routes: Mapping[Edge, Sequence[Point]], direction: Direction) -> Iterator[str]:
    yield f'<g fill="none" stroke="{LINE}" stroke-width="1.5">'
    for edge in view.edges:
        curve = _curve(routes[edge.source, edge.target], direction)
        dashes = KINDS[edge.kind][1]
        title = f"<title>{escaped(edge.source)} → {escaped(edge.target)}</title>"
        yield f'<path d="{curve}" marker-end="url(#graflow-arrow)"{dashes}>{title}</path>'
    yield "</g>"


def _curve(points: Sequence[Point], direction: Direction) -> str:
    """Turn a route into a path: level parts stay straight, and a change of lane becomes an S."""
    path = f"M{_pair(*points[0])}"
    for (x, y), (u, v) in pairwise(points):
        middle = (x + u) / 2, (y + v) / 2
        if x == u or y == v:
            path += f"L{_pair(u, v)}"
        elif direction == "LR":
            path += f"C{_pair(middle[0], y)} {_pair(middle[0], v)} {_pair(u, v)}"
        else:
            path += f"C{_pair(x, middle[1])} {_pair(u, middle[1])} {_pair(u, v)}"
    return path


def _card(node: NodeView, box: Box, link: str | None) -> str:
    colour = badge(node.status).colour
    paint = f'fill="{tint(colour, 0.05)}" stroke="{tint(colour, 0.45)}"'
    parts = (
        f'<g transform="translate({_pair(box.x, box.y)})">',
        f"<title>{escaped(node.name)}: {escaped(details(node))}</title>",
        f'<rect width="{_n(box.width)}" height="{_n(box.height)}" rx="8" {paint}/>',
        _disc(node),
        f'<g font-family="{MONO}" font-size="13" font-weight="600" fill="{INK}">',
        f"{_line(short_path(node.name), 20.5, box.width, NAME_COLUMN)}</g>",
        f"{_line(state_line(node), 37, box.width, STATE_COLUMN)}</g>",
    )
    card = "".join(parts)
    return f'<a href="{escaped(link)}">{card}</a>' if link else card


def _disc(node: NodeView) -> str:
    look = badge(node.status)
    pale = node.status in PALE
    fill, ink = (tint(look.colour, 0.16), look.colour) if pale else (look.colour, "#ffffff")
    return (
        f'<circle cx="21" cy="24" r="10.5" fill="{fill}"/><text x="21" y="28.5" '
        f'font-size="13" font-weight="700" text-anchor="middle" fill="{ink}">{look.symbol}</text>'
    )


def _line(text: str, y: float, width: float, column: float) -> str:
    room = int((width - TEXT_LEFT - TEXT_RIGHT) / column)
    return f'<text x="{_n(TEXT_LEFT)}" y="{_n(y)}">{escaped(shorten(" ".join(text.split()), room))}</text>'


def state_line(node: NodeView) -> str:
    """Give the card's second line: the note if there is one, else status and time, as far as there is room."""
    note = "" if node.status is Status.CANCELLED else node.note
    if note or node.seconds is None:
        return note or badge(node.status).word
    if node.status is Status.CACHED:
        return took(node)
    return f"{badge(node.status).word} · {took(node)}"


def _legend(kinds: Collection[str], y: float) -> tuple[str, float]:
    """Explain the kinds of edges there are; return it with the width it takes."""
    parts, x = [], 0.0
    for kind, (text, dashes) in KINDS.items():
        if kind in kinds:
            line = f'<path d="M{_n(x + 2)} 0H{_n(x + 30)}" stroke="{LINE}"{dashes}/>'
            parts.append(f'{line}<text x="{_n(x + 37)}" y="4">{text}</text>')
            x += 37 + LEGEND_COLUMN * len(text) + 20
    font = f'font-family="{SANS}" font-size="11" fill="{LABEL}" stroke-width="1.5"'
    return f'<g transform="translate(0 {_n(y)})" {font}>{"".join(parts)}</g>', x


def _pair(x: float, y: float) -> str:
    return f"{_n(x)} {_n(y)}"


def _n(number: float) -> str:
    """Write a number with one decimal at most."""
    return f"{number:.1f}".removesuffix(".0")
