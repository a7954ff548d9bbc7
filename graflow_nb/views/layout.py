"""Where boxes and arrows go: a layered drawing, computed in plain Python, the same on every machine.

The steps are Sugiyama's. Each node gets a layer, so that edges point forward. An edge that crosses layers
gets a *waypoint* in each, which keeps a lane free for it. The layers are sorted until few edges cross, and
at last every node moves as near to its neighbours as that order allows.

Inside, nodes are numbers, and waypoints are the numbers after them. One axis is *along* the edges and the
other *across* them: x and y, or y and x if the drawing goes down.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import accumulate, pairwise
from math import ceil, sqrt
from statistics import median
from typing import TYPE_CHECKING

from graflow_nb.views.boxes import Box, Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from graflow_nb.views.boxes import Direction, Edge, Point

GAP_ALONG = 54.0
GAP_PORT = 28.0  # before and after a column that is but a line: the side of a frame
GAP_ACROSS = 18.0
GAP_PIECES = 28.0
PAGE_WIDTH = 960.0  # that of a notebook's output
ASPECT = 3.0
SWEEPS = 8
PASSES = 8


def lay_out(
    sizes: Mapping[str, Point],
    edges: Iterable[Edge],
    direction: Direction = "LR",
    *,
    finish: Callable[[Drawing], Layout] | None = None,
) -> Layout:
    """Place nodes so that none overlap and no edge passes through a box.

    Parameters
    ----------
    sizes : mapping of str to (float, float)
        The nodes in stable order, each with its width and height.
    edges : iterable of (str, str)
        Source and target; they form no cycle.
    direction : {"LR", "TB"}
        Whether edges point right or down.
    finish : callable, optional
        Makes the layout of a connected piece from its drawing, which points right.

    Raises
    ------
    graphlib.CycleError
        If the edges form a cycle.

    Examples
    --------
    >>> drawing = lay_out({"load": (80, 40), "model": (80, 40)}, [("load", "model")])
    >>> drawing.boxes["model"]
    Box(x=134.0, y=0.0, width=80, height=40)
    >>> drawing.routes["load", "model"]
    ((80.0, 20.0), (134.0, 20.0))
    """
    down = direction == "TB"
    if down:
        sizes = {name: (height, width) for name, (width, height) in sizes.items()}
    alone: list[Layout] = []
    connected: list[Layout] = []
    for names, links in _pieces(sizes, edges):
        drawing = draw(sizes, names, links)
        piece = finish(drawing) if finish is not None else drawing.layout()
        (connected if links else alone).append(piece.transposed() if down else piece)
    return _rows([_pack(group) for group in (connected, alone) if group], limit=0)


def _pieces(names: Iterable[str], edges: Iterable[Edge]) -> list[tuple[list[str], list[Edge]]]:
    """Split into connected pieces."""
    distinct = list(dict.fromkeys(edges))
    label = _labels(names, distinct)
    nodes_of, edges_of = defaultdict(list), defaultdict(list)
    for name, piece in label.items():
        nodes_of[piece].append(name)
    for edge in distinct:
        edges_of[label[edge[0]]].append(edge)
    return [(nodes, edges_of[piece]) for piece, nodes in nodes_of.items()]


def _labels(names: Iterable[str], edges: Sequence[Edge]) -> dict[str, str]:
    """Map each node to the first node of its connected piece."""
    near: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        near[source].append(target)
        near[target].append(source)
    label: dict[str, str] = {}
    for first in near:
        reached = [] if first in label else [first]
        while reached:
            name = reached.pop()
            if name not in label:
                label[name] = first
                reached += near[name]
    return {name: label[name] for name in near}


def _pack(pieces: Sequence[Layout]) -> Layout:
    """Set pieces in rows that fit a page and, if they are few, make a picture wider than high."""
    area = sum((piece.width + GAP_PIECES) * (piece.height + GAP_PIECES) for piece in pieces)
    return _rows(pieces, min(PAGE_WIDTH, sqrt(ASPECT * area)))


def _rows(pieces: Iterable[Layout], limit: float) -> Layout:
    """Set pieces side by side, in rows no wider than the limit unless one piece alone is."""
    boxes: dict[str, Box] = {}
    routes: dict[Edge, tuple[Point, ...]] = {}
    frames: dict[int, Box] = {}
    x = y = width = height = 0.0
    for piece in pieces:
        if x and x + piece.width > limit:
            x, y = 0.0, height + GAP_PIECES
        moved = piece.moved(x, y)
        boxes |= moved.boxes
        routes |= moved.routes
        frames |= moved.frames
        width, height = max(width, moved.width), max(height, moved.height)
        x = moved.width + GAP_PIECES
    return Layout(boxes, routes, width, height, frames)


@dataclass(frozen=True, slots=True)
class Drawing:
    """One connected piece, its edges pointing right.

    Attributes
    ----------
    boxes : dict of str to Box
    lanes : mapping of (str, str) to sequence of Point
        For each edge where it enters and leaves each column, from the source's to the target's.
    width, height : float
    """

    boxes: dict[str, Box]
    lanes: Mapping[Edge, Sequence[Point]]
    width: float
    height: float

    def layout(self) -> Layout:
        """Give it with the route of each edge."""
        return Layout(self.boxes, {edge: self.route(edge) for edge in self.lanes}, self.width, self.height)

    def route(self, edge: Edge, start: float | None = None, end: float | None = None) -> tuple[Point, ...]:
        """Go from side to side: level inside each column, changing lanes in the gaps between.

        Parameters
        ----------
        edge : (str, str)
        start, end : float, optional
            Where it leaves the source and enters the target, if not in the middle of their sides.
        """
        (source, target), lane = (self.boxes[name] for name in edge), self.lanes[edge]
        first = lane[1] if start is None else (lane[1][0], start)
        last = lane[-2] if end is None else (lane[-2][0], end)
        points = ((source.x + source.width, first[1]), first, *lane[2:-2], last, (target.x, last[1]))
        return tuple(dict.fromkeys(points))


def draw(
    sizes: Mapping[str, Point],
    names: Sequence[str],
    edges: Sequence[Edge],
    first: Collection[str] = (),
    last: Collection[str] = (),
) -> Drawing:
    """Draw nodes and edges, those of `first` alone in the first layer and those of `last` in the last."""
    graph = _layered(names, edges, _ranks(names, edges, first, last))
    _untangle(graph)
    extent = [sizes[name][1] for name in names] + [0.0] * (len(graph.before) - len(names))
    centre = _spread(graph, extent)
    columns = _columns([[sizes[names[n]][0] for n in layer if n < len(names)] for layer in graph.layers])
    sides = [[(x, y) for x in columns[r]] for r, y in zip(graph.layer_of, centre, strict=True)]
    boxes = {}
    for name, ((left, y), (right, _)) in zip(names, sides, strict=False):
        width, height = sizes[name]
        boxes[name] = Box((left + right - width) / 2, y - height / 2, width, height)
    lanes = {edge: [point for n in chain for point in sides[n]] for edge, chain in graph.chains.items()}
    height = max(c + e / 2 for c, e in zip(centre, extent, strict=True))
    return Drawing(boxes, lanes, columns[-1][1], height)


@dataclass(slots=True)
class _Layered:
    """Nodes and waypoints in layers; every link leads from one layer to the next."""

    layers: list[list[int]]
    layer_of: list[int]
    before: list[list[int]]
    after: list[list[int]]
    chains: dict[Edge, list[int]]


def _layered(names: Sequence[str], edges: Sequence[Edge], rank: Mapping[str, int]) -> _Layered:
    index = {name: n for n, name in enumerate(names)}
    layer_of = [rank[name] for name in names]
    chains = {}
    lanes: dict[tuple[object, int], int] = {}
    for edge, lane in zip(edges, _lanes(edges), strict=True):
        chains[edge] = [index[edge[0]], index[edge[1]]]
        for layer in range(rank[edge[0]] + 1, rank[edge[1]]):
            if (lane, layer) not in lanes:
                lanes[lane, layer] = len(layer_of)
                layer_of.append(layer)
            chains[edge].insert(-1, lanes[lane, layer])
    layers: list[list[int]] = [[] for _ in range(max(layer_of) + 1)]
    for n, layer in enumerate(layer_of):
        layers[layer].append(n)
    return _Layered(layers, layer_of, *_links(chains, len(layer_of)), chains)


def _ranks(
    names: Sequence[str], edges: Sequence[Edge], first: Collection[str], last: Collection[str]
) -> dict[str, int]:
    """Give each node the layer after its last predecessor."""
    ends = {*first, *last}
    before: dict[str, list[str]] = {name: [] for name in names if name not in ends}
    after: dict[str, list[str]] = {name: [] for name in before}
    for source, target in edges:
        if source in before and target in before:
            before[target].append(source)
            after[source].append(target)
    rank: dict[str, int] = {}
    for name in TopologicalSorter(before).static_order():
        rank[name] = max((rank[other] + 1 for other in before[name]), default=min(len(first), 1))
    for name, befores in before.items():  # a source stands beside its first reader: short edges
        if not befores and after[name]:
            rank[name] = min(rank[other] for other in after[name]) - 1
    return {**rank, **dict.fromkeys(first, 0), **dict.fromkeys(last, max(rank.values()) + 1)}


def _lanes(edges: Sequence[Edge]) -> Iterator[tuple[bool, str]]:
    """Let the edges of a busy node share one lane; else a source read everywhere would fill the picture."""
    leaving = Counter(source for source, _ in edges)
    entering = Counter(target for _, target in edges)
    for source, target in edges:
        outward = leaving[source] >= entering[target]
        yield outward, source if outward else target


def _links(chains: Mapping[Edge, list[int]], count: int) -> tuple[list[list[int]], list[list[int]]]:
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target in dict.fromkeys(link for chain in chains.values() for link in pairwise(chain)):
        before[target].append(source)
        after[source].append(target)
    return before, after


def _untangle(graph: _Layered) -> None:
    """Sort each layer by the mean place of its neighbours, back and forth; keep the best order seen."""
    place = [0] * len(graph.layer_of)
    for layer in graph.layers:
        _number(layer, place)
    fewest, best = _crossings(graph, place), [layer.copy() for layer in graph.layers]
    for sweep in range(SWEEPS):
        if not fewest:
            break
        _sweep(graph, place, forward=sweep % 2 == 0)
        crossings = _crossings(graph, place)
        if crossings < fewest:
            fewest, best = crossings, [layer.copy() for layer in graph.layers]
    graph.layers = best


def _number(layer: Sequence[int], place: list[int]) -> None:
    for position, n in enumerate(layer):
        place[n] = position


def _sweep(graph: _Layered, place: list[int], *, forward: bool) -> None:
    near = graph.before if forward else graph.after

    def mean_place(n: int) -> float:
        return sum([place[other] for other in near[n]]) / len(near[n]) if near[n] else place[n]

    for layer in graph.layers if forward else reversed(graph.layers):
        layer.sort(key=mean_place)
        _number(layer, place)


def _crossings(graph: _Layered, place: Sequence[int]) -> int:
    """Count the pairs of links that cross: those in the wrong order at their far ends."""
    count = 0
    for layer in graph.layers:
        seen: list[int] = []
        for far in (p for n in layer for p in sorted([place[other] for other in graph.after[n]])):
            position = bisect_right(seen, far)
            count += len(seen) - position
            seen.insert(position, far)
    return count


def _spread(graph: _Layered, extent: Sequence[float]) -> list[float]:
    """Find each node's centre across: near the median of its neighbours, in order, clear of the next."""
    centre = [0.0] * len(extent)
    slots = [_slots([extent[n] for n in layer]) for layer in graph.layers]
    for layer, slot in zip(graph.layers, slots, strict=True):
        for n, offset in zip(layer, slot, strict=True):
            centre[n] = offset - slot[-1] / 2
    rows = list(zip(graph.layers, slots, strict=True))
    for _ in range(PASSES // 2):
        _settle(rows, graph.before, centre)
        _settle(reversed(rows), graph.after, centre)
    top = min(c - e / 2 for c, e in zip(centre, extent, strict=True))
    return [ceil(c - top) for c in centre]  # whole numbers are sharp, and short


def _settle(
    rows: Iterable[tuple[list[int], list[float]]], near: Sequence[Sequence[int]], centre: list[float]
) -> None:
    """Move each layer in turn towards its neighbours on one side."""
    for layer, slot in rows:
        wanted = [median([centre[other] for other in near[n]] or [centre[n]]) for n in layer]
        shifts = _rising([want - offset for want, offset in zip(wanted, slot, strict=True)])
        for n, shift, offset in zip(layer, shifts, slot, strict=True):
            centre[n] = shift + offset


def _slots(extents: Sequence[float]) -> list[float]:
    """Give the centres of a layer packed as tightly as it may be, the first at 0."""
    return list(accumulate(((a + b) / 2 + GAP_ACROSS for a, b in pairwise(extents)), initial=0.0))


def _rising(numbers: Iterable[float]) -> list[float]:
    """Give the nearest numbers that never fall, by pooling neighbours that do.

    >>> _rising([1, 4, 2, 9])
    [1.0, 3.0, 3.0, 9.0]
    """
    pools: list[tuple[float, int]] = []
    for number in numbers:
        total, count = number, 1
        while pools and pools[-1][0] * count > total * pools[-1][1]:
            pool = pools.pop()
            total, count = total + pool[0], count + pool[1]
        pools.append((total, count))
    return [total / count for total, count in pools for _ in range(count)]


def _columns(widths: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Give the left and right side of each layer, as wide as its widest node."""
    columns: list[tuple[float, float]] = []
    for width in map(max, widths):
        gap = GAP_ALONG if width and columns and columns[-1][0] < columns[-1][1] else GAP_PORT
        left = columns[-1][1] + gap if columns else 0.0
        columns.append((left, left + width))
    return columns
