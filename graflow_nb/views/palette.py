"""The colours of a flow's bitmap: few, so that it is small."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_nb.views.svg import INK, LABEL, LINE, PALE, QUIET, tint
from graflow_nb.views.text import badge

if TYPE_CHECKING:
    from graflow_nb.core.status import Status
    from graflow_nb.views.model import FlowView

WHITE = "#ffffff"
FRAME_FILL, FRAME_STROKE = 0.08, 0.45  # how much of the lines' colour
_SHADES, _FEW = 12, 5  # of each mixture that there is at edges of letters and shapes
_DEEPEST = 4  # frames in frames up to here have a colour of their own
UNLIKE = 2
"""The lowest bit by which colours are told apart: Pillow clears those below before it finds the nearest."""


def palette(view: FlowView) -> list[str]:
    """Return the colours of a picture, worked out: to look for them there would take longer than to draw it.

    Those of areas come first, and there is none beside them that is nearly the same.
    """
    mixtures = [(WHITE, ink, _SHADES) for ink in (INK, QUIET, LINE, LABEL)]
    ground = WHITE
    for _ in range(_DEEPEST * bool(view.groups)):
        ground = mixed(ground, LINE, FRAME_FILL)
        mixtures += [(ground, LINE, _FEW), (ground, LABEL, _FEW)]
    for status in dict.fromkeys(node.status for node in view.nodes):
        fill, stroke, disc, ink = paint(status)
        mixtures += [(fill, stroke, _FEW), (fill, disc, _FEW), (disc, ink, _FEW)]
    ends = [colour for start, end, _ in mixtures for colour in (start, end)]
    shades = [mixed(start, end, n / count) for start, end, count in mixtures for n in range(1, count)]
    found: dict[tuple[int, ...], str] = {}
    for colour in (*ends, *shades):
        found.setdefault(tuple(channel >> UNLIKE for channel in bytes.fromhex(colour[1:])), colour)
    return list(found.values())


def paint(status: Status | None) -> tuple[str, str, str, str]:
    """Give the colours of a card's ground, its border, its disc, and the symbol on that."""
    colour = badge(status).colour
    disc, ink = (tint(colour, 0.16), colour) if status in PALE else (colour, WHITE)
    return tint(colour, 0.05), tint(colour, 0.45), disc, ink


def mixed(start: str, end: str, share: float) -> str:
    """Mix two hex colours.

    >>> mixed("#000000", "#ff8000", 0.5)
    '#804000'
    """
    pairs = zip(bytes.fromhex(start[1:]), bytes.fromhex(end[1:]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)
