"""Edges as straight pieces, for what draws no curves, dashes or arrows by itself."""

from __future__ import annotations

from itertools import pairwise
from math import hypot
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from graflow_nb.views.boxes import Direction, Point

STEPS = 20  # the straight pieces of a curve
ARROW = 7.0
DASHES: dict[str, tuple[float, ...]] = {"inferred": (5, 4), "conditional": (10, 3, 2, 3), "dynamic": (0.1, 4.5)}
"""The lengths of dashes and gaps, by the kind of edge, as in `graflow_nb.views.svg.KINDS`."""


def flattened(points: Sequence[Point], direction: Direction) -> Iterator[Point]:
    """Turn a route into short straight pieces: the curves are those of the SVG."""
    yield points[0]
    for (x, y), (u, v) in pairwise(points):
        if x == u or y == v:
            yield u, v
            continue
        for step in range(1, STEPS + 1):
            t = step / STEPS
            along = t * (1.5 - 1.5 * t + t * t)  # Bézier's, with both turns in the middle
            across = t * t * (3 - 2 * t)
            a, b = (along, across) if direction == "LR" else (across, along)
            yield x + (u - x) * a, y + (v - y) * b


def dashed(line: Sequence[Point], pattern: Sequence[float]) -> Iterable[list[Point]]:
    """Cut a line into its dashes."""
    if not pattern:
        return [list(line)]
    dashes, piece, turn, left = [], [line[0]], 0, pattern[0]
    for (x, y), (u, v) in pairwise(line):
        length, done = hypot(u - x, v - y), 0.0
        while length - done > left:
            done += left
            corner = x + (u - x) * done / length, y + (v - y) * done / length
            if turn % 2 == 0:
                dashes.append([*piece, corner])
            piece, turn = [corner], turn + 1
            left = pattern[turn % len(pattern)]
        left -= length - done
        piece.append((u, v))
    return dashes + [piece] * (turn % 2 == 0)


def arrow(tip: Point, direction: Direction) -> list[Point]:
    """Return the head of an edge: all of them end level, or upright if edges point down."""
    (x, y), half = tip, ARROW / 2
    if direction == "LR":
        return [(x, y), (x - ARROW, y - half), (x - ARROW, y + half)]
    return [(x, y), (x - half, y - ARROW), (x + half, y - ARROW)]
