"""A flow as a bitmap, for those who show no SVG: the same drawing as `graflow_nb.views.svg`, made by Pillow.

Pillow draws shapes without smooth edges. So lines are drawn larger and reduced, and boxes are put together from
corners that are; both are masks through which a colour is laid on the picture.
"""

from __future__ import annotations

import io
from base64 import b64encode
from functools import lru_cache
from importlib.util import find_spec
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graflow_nb.views.palette import FRAME_FILL, FRAME_STROKE, UNLIKE, WHITE, paint, palette
from graflow_nb.views.strokes import DASHES, arrow, dashed, flattened
from graflow_nb.views.svg import (
    CARD_HEIGHT,
    INK,
    KINDS,
    LABEL,
    LEGEND_HEIGHT,
    LINE,
    MARGIN,
    QUIET,
    TEXT_LEFT,
    TEXT_RIGHT,
    place,
    state_line,
)
from graflow_nb.views.text import badge, clean, display_width, short_path, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image as Picture
    from PIL.ImageFont import FreeTypeFont

    from graflow_nb.core.status import Status
    from graflow_nb.views.boxes import Box, Direction, Layout, Point
    from graflow_nb.views.model import FlowView, NodeView

INCH = 96.0
"""Pixels of the layout that are an inch."""
MOST_BOXES = 100
"""A picture of more boxes is not kept beside the SVG in a notebook: it would be large, and hardly readable."""
_MOST_PIXELS = 4e6  # of a kept one, which is drawn at twice the layout's size if that is no more
_FINE, _COARSE, _LARGE = 4, 2, 6e5  # how often pixels are divided before they are reduced: less if they are many
_STROKE, _DOT = 1.5, 2.2
_MONO_UNTIL = "\u0530"  # DejaVu's monospaced face has the letters up to here; the other has more scripts


def to_png(view: FlowView, *, direction: Direction = "LR", dpi: float = 192) -> bytes:
    """Draw a flow as a PNG on white. Scripts that the DejaVu fonts do not have are drawn as empty boxes.

    Parameters
    ----------
    view : FlowView
        What to draw, as for `graflow_nb.views.svg.to_svg`.
    direction : {"LR", "TB"}
        Whether edges point right or down.
    dpi : float
        At 96 the picture has as many pixels as the SVG has units.
    """
    from PIL import Image

    channels = bytes.fromhex("".join(palette(view)).replace("#", ""))
    finder = Image.new("P", (1, 1))
    finder.putpalette(bytes(channel >> UNLIKE << UNLIKE for channel in channels))
    picture = _Canvas(view, direction, dpi / INCH).drawn().quantize(palette=finder, dither=Image.Dither.NONE)
    picture.putpalette(channels)
    file = io.BytesIO()
    picture.save(file, format="PNG", dpi=(dpi, dpi))
    return file.getvalue()


def png_output(view: FlowView) -> tuple[dict[str, str], dict[str, Any]]:
    """Give a flow's picture as data and metadata of a notebook's output; nothing if it is empty or too large."""
    if not 0 < len(view.nodes) <= MOST_BOXES:
        return {}, {}
    drawing = place(view)
    area = (drawing.width + 2 * MARGIN) * (drawing.height + LEGEND_HEIGHT + 2 * MARGIN)
    scale = min(2.0, max(0.5, sqrt(_MOST_PIXELS / area)))
    data = to_png(view, dpi=INCH * scale)
    width, height = (int.from_bytes(data[start : start + 4]) for start in (16, 20))
    shown = {"width": round(width / scale), "height": round(height / scale)}
    return {"image/png": b64encode(data).decode()}, {"image/png": shown}


class _Canvas:
    """A picture while it is drawn: positions are the layout's, times a scale."""

    def __init__(self, view: FlowView, direction: Direction, scale: float) -> None:
        from PIL import Image, ImageDraw

        self._view, self._direction, self._scale = view, direction, scale
        self._layout: Layout = place(view, direction)
        self._name, self._other = _font("DejaVuSansMono-Bold", 13 * scale), _font("DejaVuSans-Bold", 13 * scale)
        self._small, self._title = _font("DejaVuSans", 10.5 * scale), _font("DejaVuSans-Bold", 10.5 * scale)
        self._legend = self._laid_legend()
        width, height = self._layout.width, self._layout.height + LEGEND_HEIGHT * bool(self._legend)
        if self._legend:
            kind, x = self._legend[-1]
            width = max(width, x + 37 + self._small.getlength(KINDS[kind][0]) / scale)
        self._size = self._px(width + 2 * MARGIN), self._px(height + 2 * MARGIN)
        self._image = Image.new("RGB", self._size, WHITE)
        self._draw = ImageDraw.Draw(self._image)
        self._cards: dict[Status | None, tuple[Picture, Picture]] = {}

    def drawn(self) -> Picture:
        """Draw all of it, what lies behind first."""
        frames = self._layout.frames.items()
        for group, box in sorted(frames, key=lambda item: -item[1].width * item[1].height):
            self._frame(box, self._view.groups[group].name)
        self._lines()
        for node in self._view.nodes:
            self._card(node, self._layout.boxes[node.name])
        for kind, x in self._legend:
            self._write(x + 37, self._layout.height + LEGEND_HEIGHT - 2, KINDS[kind][0], self._small, LABEL)
        return self._image

    def _px(self, length: float) -> int:
        return max(1, round(length * self._scale))

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return round((x + MARGIN) * self._scale), round((y + MARGIN) * self._scale)

    def _write(self, x: float, y: float, text: str, font: FreeTypeFont, ink: str) -> None:
        self._draw.text(self._at(x, y), text, ink, font, anchor="ls")

    def _fitting(self, text: str, room: float, font: FreeTypeFont) -> str:
        """Shorten a text by what its letters really take."""
        flat = shown = clean(" ".join(text.split()))
        columns = display_width(flat)
        while columns > 1 and (width := font.getlength(shown) / self._scale) > room:
            columns = max(1, min(columns - 1, int(columns * room / width)))
            shown = shorten(flat, columns)
        return shown

    def _frame(self, box: Box, name: str) -> None:
        stroke = self._px(1)
        size = self._px(box.width), self._px(box.height)
        mask = _rounded(size, self._px(12)).point([round(value * FRAME_STROKE) for value in range(256)])
        inside = _rounded((size[0] - 2 * stroke, size[1] - 2 * stroke), self._px(11))
        mask.paste(round(255 * FRAME_FILL), (stroke, stroke), inside)
        self._image.paste(LINE, self._at(box.x, box.y), mask)
        title = self._fitting(name, box.width - 20, self._title)
        self._write(box.x + 12, box.y + 17, title, self._title, LABEL)

    def _lines(self) -> None:
        """Draw edges and the legend's lines."""
        from PIL import Image, ImageDraw

        over = _FINE if self._size[0] * self._size[1] <= _LARGE else _COARSE
        mask = Image.new("L", (self._size[0] * over, self._size[1] * over))
        draw, zoom = ImageDraw.Draw(mask), self._scale * over

        def lay(line: Sequence[Point], kind: str) -> None:
            for piece in dashed(line, DASHES.get(kind, ())):
                points = [((x + MARGIN) * zoom, (y + MARGIN) * zoom) for x, y in piece]
                if kind == "dynamic":
                    draw.circle(points[0], _DOT / 2 * zoom, 255)
                else:
                    draw.line(points, 255, max(1, round(_STROKE * zoom)))

        for edge in self._view.edges:
            line = list(flattened(self._layout.routes[edge.source, edge.target], self._direction))
            lay(line, edge.kind)
            draw.polygon(
                [((x + MARGIN) * zoom, (y + MARGIN) * zoom) for x, y in arrow(line[-1], self._direction)], 255
            )
        for kind, x in self._legend:
            y = self._layout.height + LEGEND_HEIGHT - 6
            lay([(x + 2, y), (x + 30, y)], kind)
        self._image.paste(LINE, mask=mask.reduce(over))

    def _card(self, node: NodeView, box: Box) -> None:
        if node.status not in self._cards:
            self._cards[node.status] = self._blank(node.status, box.width)
        blank, mask = self._cards[node.status]
        self._image.paste(blank, self._at(box.x, box.y), mask)
        room = box.width - TEXT_LEFT - TEXT_RIGHT
        name = short_path(node.name)
        font = self._name if max(name, default="") < _MONO_UNTIL else self._other
        self._write(box.x + TEXT_LEFT, box.y + 20.5, self._fitting(name, room, font), font, INK)
        state = self._fitting(state_line(node), room, self._small)
        self._write(box.x + TEXT_LEFT, box.y + 37, state, self._small, QUIET)

    def _blank(self, status: Status | None, width: float) -> tuple[Picture, Picture]:
        """Draw a card without its texts: all cards of a status look alike; with the mask of its shape."""
        from PIL import Image, ImageDraw

        fill, stroked, disc, ink = paint(status)
        size, stroke, across = (self._px(width), self._px(CARD_HEIGHT)), self._px(1), self._px(21)
        card = Image.new("RGB", size, stroked)
        inside = _rounded((size[0] - 2 * stroke, size[1] - 2 * stroke), self._px(7))
        card.paste(fill, (stroke, stroke), inside)
        card.paste(disc, (self._px(10.5), self._px(13.5)), _rounded((across, across), across // 2))
        at = 21 * self._scale, 24 * self._scale
        ImageDraw.Draw(card).text(at, badge(status).symbol, ink, self._other, anchor="mm")
        return card, _rounded(size, self._px(8))

    def _laid_legend(self) -> list[tuple[str, float]]:
        """Place the kinds of edges there are in a row, if there are several."""
        kinds = {edge.kind for edge in self._view.edges}
        placed: list[tuple[str, float]] = []
        x = 0.0
        for kind, (text, _) in KINDS.items():
            if kind in kinds:
                placed.append((kind, x))
                x += 37 + self._small.getlength(text) / self._scale + 20
        return placed if len(placed) > 1 else []


@lru_cache(maxsize=32)
def _font(name: str, size: float) -> FreeTypeFont:
    """Load a font that comes with matplotlib, if possible without importing that."""
    from PIL import ImageFont

    spec = find_spec("matplotlib")
    folder = Path(spec.origin).parent / "mpl-data" if spec and spec.origin else Path()
    if not (folder / "fonts" / "ttf").is_dir():
        import matplotlib as mpl

        folder = Path(mpl.get_data_path())
    return ImageFont.truetype(folder / "fonts" / "ttf" / f"{name}.ttf", max(1.0, size))


def _rounded(size: tuple[int, int], radius: int) -> Picture:
    """Return the mask of a box with round corners."""
    from PIL import Image, ImageDraw
    from PIL.Image import Transpose

    size, radius = (max(1, size[0]), max(1, size[1])), max(1, radius)
    mask = Image.new("L", size, 255)
    corner = Image.new("L", (radius * _FINE, radius * _FINE))
    ImageDraw.Draw(corner).circle((radius * _FINE, radius * _FINE), radius * _FINE, 255)
    top = corner.reduce(_FINE)
    bottom = top.transpose(Transpose.FLIP_TOP_BOTTOM)
    for left, y in ((top, 0), (bottom, size[1] - radius)):
        mask.paste(left, (0, y))
        mask.paste(left.transpose(Transpose.FLIP_LEFT_RIGHT), (size[0] - radius, y))
    return mask
