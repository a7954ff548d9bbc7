"""A flow as a tree of lines: below each task what waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_nb.views.text import badge, clean, in_order, summary, upstream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graflow_nb.views.model import FlowView

_DEEPEST = 20  # levels: more are wider than a terminal
_ABOVE, _BELOW = "(see above)", "(see below)"


def to_tree(view: FlowView) -> str:
    """Draw a flow as a tree; a task that waits for several stands below each, and in full below the first.

    >>> from graflow_nb.views.model import EdgeView, FlowView, NodeView
    >>> edges = [EdgeView(*pair.split()) for pair in ("load clean", "clean fit", "load plot", "fit plot")]
    >>> print(to_tree(FlowView("etl", tuple(map(NodeView, ("load", "clean", "fit", "plot"))), tuple(edges))))
    etl · 4 tasks: 4 not run
    · load
    ├── · clean
    │   └── · fit
    │       └── · plot
    └── · plot
    """
    lines = [f"{_flat(view.name)} · {summary(view)}" if view.name else summary(view)]
    return "\n".join([*lines, *_lines(view)])


def _lines(view: FlowView) -> Iterator[str]:
    nodes = in_order(view)
    label = {node.name: f"{badge(node.status).symbol} {_flat(node.name)}" for node in nodes}
    children: dict[str, list[str]] = {name: [] for name in label}
    before = upstream(view)
    for name in label:
        for parent in before[name]:
            children[parent].append(name)
    drawn: set[str] = set()
    tops = [name for name in label if not before[name]]
    while tops:  # not by recursion: chains get long
        stack = [(name, "", "", 0) for name in reversed(tops) if name not in drawn]
        tops = []
        while stack:
            name, branch, margin, depth = stack.pop()
            below = children[name]
            if below and name in drawn:
                yield f"{branch}{label[name]} {_ABOVE}"
            elif below and depth >= _DEEPEST:
                yield f"{branch}{label[name]} {_BELOW}"
                tops.append(name)
            else:
                yield f"{branch}{label[name]}"
                drawn.add(name)
                stack += reversed([*_branches(below, margin, depth + 1)])


def _branches(names: Sequence[str], margin: str, depth: int) -> Iterator[tuple[str, str, str, int]]:
    """Give names with what stands before them, and before what is below them."""
    for n, name in enumerate(names, 1):
        is_last = n == len(names)
        yield name, margin + ("└── " if is_last else "├── "), margin + ("    " if is_last else "│   "), depth


def _flat(text: str) -> str:
    """Keep a text on one line, and its escape sequences out of the terminal."""
    return clean(" ".join(text.split()))
