"""Groups drawn as frames: their members stand together, and nothing else stands in between.

Each group is drawn by itself, from the inside out, and is then one box in the drawing around it. An edge that
leads out of a group goes to a *port* on the frame's far side, and one that leads in comes from one on its near
side; its parts, inside and outside, are joined at last.

A group has no frame where it could only have one with others inside: if something outside comes after one of
its members and before another, or if it shares a part of its members with another group.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from graflow_nb.views.boxes import Box, Layout
from graflow_nb.views.layout import draw, lay_out

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from graflow_nb.views.boxes import Direction, Edge, Point
    from graflow_nb.views.layout import Drawing

PAD, TITLE = 10.0, 26.0
"""The room in a frame beside its cards, and above them, where its name stands."""
_IN, _OUT = "\0in ", "\0out "
"""What ports are called: no task has such a name."""
_DIRECT = 4  # points of an edge from one layer to the next


def lay_out_framed(
    sizes: Mapping[str, Point],
    edges: Iterable[Edge],
    direction: Direction,
    groups: Sequence[Collection[str]],
) -> Layout:
    """Do as `graflow_nb.views.layout.lay_out` does, and keep the members of each group together.

    Parameters
    ----------
    sizes, edges, direction
        As there.
    groups : sequence of collection of str
        The members of each. A group may lie in another one.

    Returns
    -------
    Layout
        With `frames`, by the groups' indices.
    """
    distinct = list(dict.fromkeys(edges))
    members = _nested(groups, sizes)
    if not members:
        return lay_out(sizes, distinct, direction)
    down = direction == "TB"
    turned = {name: (height, width) if down else (width, height) for name, (width, height) in sizes.items()}
    whole = _Level(turned, distinct, members, down=down)
    top = whole.units(None, list(sizes))
    blocks = {key: whole.block(group) for key, group in top.groups.items()}
    units = {key: blocks[key].size if key in blocks else turned[top.node[key]] for key in top.keys}
    if down:
        units = {key: (height, width) for key, (width, height) in units.items()}

    def finish(drawing: Drawing) -> Layout:
        return _joined(drawing, top, blocks, top.links).layout

    return lay_out(units, top.links.values(), direction, finish=finish)


@dataclass(slots=True)
class _Units:
    """What is drawn as a box on one level: nodes, and groups as wholes."""

    keys: list[str]
    node: dict[str, str]
    groups: dict[str, int]
    of: dict[str, str]  # the unit that a node stands in
    links: dict[Edge, Edge] = field(default_factory=dict)  # from nodes to units


@dataclass(slots=True)
class _Block:
    """A group that is drawn: where edges enter and leave it, and how they go on inside."""

    layout: Layout
    size: Point = (0.0, 0.0)
    heads: dict[str, tuple[Point, ...]] = field(default_factory=dict)  # from the near side to a node
    tails: dict[str, tuple[Point, ...]] = field(default_factory=dict)  # from a node to the far side


class _Level:
    """The groups of one flow, drawn from the inside out.

    Parameters
    ----------
    sizes : mapping of str to Point
    edges : sequence of (str, str)
    members : dict of int to set of str
        Of each group; a group comes after those that it lies in.
    down : bool
        Whether the drawing is turned at last, so that a frame's name stands at its near side.
    """

    def __init__(
        self, sizes: Mapping[str, Point], edges: Sequence[Edge], members: dict[int, set[str]], *, down: bool
    ) -> None:
        self._sizes = sizes
        self._edges = edges
        self._members = members
        self._before, self._above = (TITLE, PAD) if down else (PAD, TITLE)

    def units(self, group: int | None, names: Sequence[str]) -> _Units:
        """Return what stands directly in a group, or in none; groups that cannot have a frame are left out."""
        inside = [name for name in names if group is None or name in self._members[group]]
        within = set(inside)
        edges = [edge for edge in self._edges if edge[0] in within and edge[1] in within]
        order = list(self._members)
        below = order[order.index(group) + 1 :] if group is not None else order
        owner = self._owners(edges, [other for other in below if self._members[other] <= within])
        of = {name: f"group {owner[name]}" if name in owner else f"node {name}" for name in inside}
        groups = {f"group {other}": other for other in owner.values()}
        found = _Units(list(dict.fromkeys(of.values())), {key: name for name, key in of.items()}, groups, of)
        found.links = {(a, b): (of[a], of[b]) for a, b in edges if of[a] != of[b]}
        return found

    def _owners(self, edges: Sequence[Edge], groups: Sequence[int]) -> dict[str, int]:
        """Map nodes to the outermost groups that they stand in; a group that cannot have a frame is dropped."""
        found: dict[str, int] = {}
        for group in groups:
            if not found.keys() & self._members[group]:
                found |= dict.fromkeys(self._members[group], group)
        if _is_acyclic(edges, found):  # as a rule: then one look is enough
            return found
        found = {}
        for group in groups:
            members = self._members[group]
            if found.keys() & members:
                continue
            if _is_acyclic(edges, found | dict.fromkeys(members, group)):
                found |= dict.fromkeys(members, group)
            else:
                del self._members[group]
        return found

    def block(self, group: int) -> _Block:
        """Draw a group, with ports for the edges that enter and leave it."""
        units = self.units(group, list(self._sizes))
        blocks = {key: self.block(other) for key, other in units.groups.items()}
        entered = dict.fromkeys(b for a, b in self._edges if b in units.of and a not in units.of)
        left = dict.fromkeys(a for a, b in self._edges if a in units.of and b not in units.of)
        heads = {(_IN + name, name): (_IN + name, units.of[name]) for name in entered}
        tails = {(name, _OUT + name): (units.of[name], _OUT + name) for name in left}
        sizes = {key: blocks[key].size if key in blocks else self._sizes[units.node[key]] for key in units.keys}
        first, last = [a for a, _ in heads], [b for _, b in tails]
        sizes |= dict.fromkeys([*first, *last], (0.0, 0.0))
        links = {**units.links, **heads, **tails}
        drawing = draw(sizes, list(sizes), list(dict.fromkeys(links.values())), first, last)
        made = _joined(drawing, units, blocks, links)
        dx = 0.0 if first else self._before
        width, height = drawing.width + dx + (0.0 if last else PAD), drawing.height + self._above + PAD
        layout = made.layout.moved(dx, self._above)
        routes = {edge: route for edge, route in layout.routes.items() if edge in units.links or edge not in links}
        return _Block(
            Layout(layout.boxes, routes, width, height, layout.frames),
            (width, height),
            {name: layout.routes[_IN + name, name] for name in entered},
            {name: layout.routes[name, _OUT + name] for name in left},
        )


def _joined(drawing: Drawing, units: _Units, blocks: Mapping[str, _Block], links: Mapping[Edge, Edge]) -> _Block:
    """Put what stands in the groups into the boxes of the groups, and join the parts of each edge."""
    boxes: dict[str, Box] = {}
    routes: dict[Edge, tuple[Point, ...]] = {}
    frames: dict[int, Box] = {}
    for key, box in drawing.boxes.items():
        if key in blocks:
            inner = blocks[key].layout.moved(box.x, box.y)
            boxes.update(inner.boxes)
            routes.update(inner.routes)
            frames.update(inner.frames)
            frames[units.groups[key]] = box
        elif key in units.node:
            boxes[units.node[key]] = box
    for (a, b), link in links.items():
        if link not in drawing.lanes:
            continue  # in another piece
        tail = _part(drawing, blocks, link[0], a, is_tail=True)
        head = _part(drawing, blocks, link[1], b, is_tail=False)
        start, end = tail[-1][1] if tail else None, head[0][1] if head else None
        if len(drawing.lanes[link]) == _DIRECT:  # a port beside a group may stand where the group's own port is
            start = end if link[0].startswith(_IN) else start
            end = start if link[1].startswith(_OUT) else end
        routes[a, b] = tuple(dict.fromkeys((*tail, *drawing.route(link, start, end), *head)))
    return _Block(Layout(boxes, routes, drawing.width, drawing.height, frames))


def _part(
    drawing: Drawing, blocks: Mapping[str, _Block], key: str, name: str, *, is_tail: bool
) -> tuple[Point, ...]:
    """Return the part of an edge that lies in a group."""
    if key not in blocks:
        return ()
    box, parts = drawing.boxes[key], blocks[key].tails if is_tail else blocks[key].heads
    return tuple((x + box.x, y + box.y) for x, y in parts[name])


def _nested(groups: Sequence[Collection[str]], names: Collection[str]) -> dict[int, set[str]]:
    """Return the groups that lie in each other or apart, the larger ones first."""
    known = {n: {name for name in group if name in names} for n, group in enumerate(groups)}
    kept: dict[int, set[str]] = {}
    for n in sorted(known, key=lambda n: -len(known[n])):
        if known[n] and all(known[n] <= other or not known[n] & other for other in kept.values()):
            kept[n] = known[n]
    return kept


def _is_acyclic(edges: Iterable[Edge], owner: Mapping[str, int]) -> bool:
    """Whether no edges lead round in a circle when each group is one."""
    before: dict[object, set[object]] = {}
    for a, b in edges:
        one, other = owner.get(a, a), owner.get(b, b)
        if one != other:
            before.setdefault(other, set()).add(one)
    try:
        TopologicalSorter(before).prepare()
    except CycleError:
        return False
    return True
