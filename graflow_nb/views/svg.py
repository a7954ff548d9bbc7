"""A flow as a picture: one SVG without script, font or style sheet, at home on light and dark pages."""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING

from graflow_nb.core.status import Status
from graflow_nb.views.layout import lay_out
from graflow_nb.views.text import badge, details, display_width, escaped, shorten, summary, took

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from graflow_nb.views.layout import Box, Direction, Edge, Layout, Point
    from graflow_nb.views.model import FlowView, NodeView

MARGIN = 10.0
CARD_HEIGHT = 48.0
CARD_WIDTHS = (164.0, 240.0)  # the narrowest still holds "succeeded · 12.3 s"
TEXT_LEFT, TEXT_RIGHT = 40.0, 8.0
NAME_COLUMN = 7.9  # px a column of 13 px monospace, in the widest of the usual fonts
STATE_COLUMN = 6.2  # px a column of 11 px sans-serif, on average
LEGEND_WIDTH, LEGEND_HEIGHT = 270.0, 26.0

MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"
INK, QUIET = "#1f2328", "#57606a"
LINE, LABEL = "#8b949e", "#757d87"  # outside the cards: seen on white and on black alike
DASHES = ' stroke-dasharray="5 4"'
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
    legend = len({edge.inferred for edge in view.edges}) > 1
    width = max(drawing.width, LEGEND_WIDTH * legend) + 2 * MARGIN
    height = drawing.height + LEGEND_HEIGHT * legend + 2 * MARGIN
    size = f'width="{_n(width)}" height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}"'
    parts = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escaped(view.name or 'flow')}</title><desc>{escaped(summary(view))}</desc>{ARROW}",
        f'<g transform="translate({_n(MARGIN)} {_n(MARGIN)})">',
        *_edges(view, drawing.routes, direction),
        f'<g font-family="{SANS}" font-size="11" fill="{QUIET}">',
        *(_card(node, drawing.boxes[node.name], (links or {}).get(node.name)) for node in view.nodes),
        "</g>",
        f"{_legend(drawing.height + LEGEND_HEIGHT - 6) if legend else ''}</g></svg>",
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
    return _place(names, tuple((edge.source, edge.target) for edge in view.edges), direction)


@lru_cache(maxsize=16)
def _place(names: tuple[str, ...], edges: tuple[Edge, ...], direction: Direction) -> Layout:
    """Give all cards one width: the eye then follows columns and not ragged edges."""
    narrowest, widest = CARD_WIDTHS
    wanted = TEXT_LEFT + TEXT_RIGHT + NAME_COLUMN * max(map(display_width, names), default=0)
    width = ceil(min(max(wanted, narrowest), widest))
    return lay_out(dict.fromkeys(names, (width, CARD_HEIGHT)), edges, direction)


def tint(colour: str, strength: float) -> str:
    """Mix a hex colour into white.

    >>> tint("#000000", 0.2)
    '#cccccc'
    """
    channels = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - channel) * strength):02x}" for channel in channels)


def _edges(view: FlowView, routes: Mapping[Edge, Sequence[Point]], direction: Direction) -> Iterator[str]:
    yield f'<g fill="none" stroke="{LINE}" stroke-width="1.5">'
    for edge in view.edges:
        curve = _curve(routes[edge.source, edge.target], direction)
        dashes = DASHES if edge.inferred else ""
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
        f"{_line(node.name, 20.5, box.width, NAME_COLUMN)}</g>",
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


def _legend(y: float) -> str:
    return (
        f'<g transform="translate(0 {_n(y)})" font-family="{SANS}" font-size="11" fill="{LABEL}">'
        f'<path d="M2 0H30" stroke="{LINE}" stroke-width="1.5"/><text x="37" y="4">explicit</text>'
        f'<path d="M100 0H128" stroke="{LINE}" stroke-width="1.5"{DASHES}/>'
        '<text x="135" y="4">inferred from names</text></g>'
    )


def _pair(x: float, y: float) -> str:
    return f"{_n(x)} {_n(y)}"


def _n(number: float) -> str:
    """Write a number with one decimal at most."""
    return f"{number:.1f}".removesuffix(".0")
