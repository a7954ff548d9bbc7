"""A finished drawing: rectangles and lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Direction = Literal["LR", "TB"]
Point = tuple[float, float]
Edge = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, from its top-left corner."""

    x: float
    y: float
    width: float
    height: float

    def transposed(self) -> Box:
        """Give it with x and y exchanged."""
        return Box(self.y, self.x, self.height, self.width)

    def moved(self, dx: float, dy: float) -> Box:
        """Give it further right and down."""
        return Box(self.x + dx, self.y + dy, self.width, self.height)


@dataclass(frozen=True, slots=True)
class Layout:
    """A finished drawing: all of it lies between (0, 0) and (width, height).

    Attributes
    ----------
    boxes : mapping of str to Box
        One for each node, in the order of the nodes within each connected piece.
    routes : mapping of (str, str) to tuple of Point
        The line of each edge, from the source's side to the target's. It runs straight along a layer, and
        changes its lane only between two layers, where there are no boxes.
    width, height : float
        The size of the whole.
    frames : mapping of int to Box
        The frame of each group that has one, by its index (`graflow_nb.views.frames`).
    """

    boxes: Mapping[str, Box] = field(default_factory=dict)
    routes: Mapping[Edge, tuple[Point, ...]] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0
    frames: Mapping[int, Box] = field(default_factory=dict)

    def transposed(self) -> Layout:
        """Give the same drawing with x and y exchanged."""
        boxes = {name: box.transposed() for name, box in self.boxes.items()}
        frames = {group: box.transposed() for group, box in self.frames.items()}
        routes = {edge: tuple((y, x) for x, y in points) for edge, points in self.routes.items()}
        return Layout(boxes, routes, self.height, self.width, frames)

    def moved(self, dx: float, dy: float) -> Layout:
        """Give the same drawing further right and down; its size grows by as much."""
        boxes = {name: box.moved(dx, dy) for name, box in self.boxes.items()}
        frames = {group: box.moved(dx, dy) for group, box in self.frames.items()}
        routes = {edge: tuple((x + dx, y + dy) for x, y in points) for edge, points in self.routes.items()}
        return Layout(boxes, routes, self.width + dx, self.height + dy, frames)


def straight(source: Box, target: Box, direction: Direction) -> tuple[Point, Point]:
    """Return the line from the middle of one box's side to that of the next: the route of most edges."""
    if direction == "TB":
        start, end = (
            (source.x + source.width / 2, source.y + source.height),
            (target.x + target.width / 2, target.y),
        )
    else:
        start, end = (
            (source.x + source.width, source.y + source.height / 2),
            (target.x, target.y + target.height / 2),
        )
    return start, end
