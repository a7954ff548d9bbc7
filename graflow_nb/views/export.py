"""A flow in other forms: SVG, PNG, a matplotlib plot, Mermaid and DOT; those with places share one layout."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import did_you_mean
from graflow_nb.views.raster import INCH, to_png
from graflow_nb.views.snapshot import flow_view
from graflow_nb.views.svg import INK, LINE, MARGIN, QUIET, place, state_line, tint, to_svg
from graflow_nb.views.text import badge, clean, short_path, shorten, to_text
from graflow_nb.views.tree import to_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

    from graflow_nb.core.workflow import WorkflowContext
    from graflow_nb.views.boxes import Box, Direction, Point
    from graflow_nb.views.model import FlowView, NodeView

_ARROWS = {"plain": "-->", "inferred": "-.->", "conditional": "-.->", "dynamic": "-.->"}
_STYLES = {"inferred": "dashed", "conditional": "dashdot", "dynamic": "dotted"}  # in words that are matplotlib's


def picture(flow: WorkflowContext, form: str, **options: Any) -> Any:
    """Show a flow as it stands now.

    Parameters
    ----------
    flow : WorkflowContext
    form : {"svg", "png", "plot", "mermaid", "dot", "text", "tree"}
    **options
        Those of the form's function.

    Raises
    ------
    ValueError
        If there is no such form.
    """
    if form not in _FORMS:
        raise ValueError(f"a flow has no form {form!r}. {did_you_mean(form, _FORMS)}")
    plan = flow.plan()
    return _FORMS[form](flow_view(flow.name, plan, flow.stale(plan)), **options)


def to_mermaid(view: FlowView, *, direction: Direction = "LR") -> str:
    """Write a flow as a Mermaid flowchart, as code hosts draw it in Markdown.

    >>> from graflow_nb.views.model import EdgeView, FlowView, NodeView
    >>> print(to_mermaid(FlowView("f", (NodeView("a"), NodeView("b")), (EdgeView("a", "b"),))))
    flowchart LR
        n0["a<br/>not run"]:::not_run
        n1["b<br/>not run"]:::not_run
        n0 --> n1
        classDef not_run fill:#f8f8f9,stroke:#6b7280,color:#1f2328
    """
    number = {node.name: f"n{n}" for n, node in enumerate(view.nodes)}
    looks = {_class(node): badge(node.status) for node in view.nodes}
    lines = [f"flowchart {direction}"]
    for node in view.nodes:
        label = f"{_mermaid(node.name)}<br/>{_mermaid(state_line(node))}"
        lines.append(f'    {number[node.name]}["{label}"]:::{_class(node)}')
    lines += [f"    {number[e.source]} {_ARROWS[e.kind]} {number[e.target]}" for e in view.edges]
    for name, look in looks.items():
        lines.append(f"    classDef {name} fill:{tint(look.colour, 0.05)},stroke:{look.colour},color:{INK}")
    return "\n".join(lines)


def to_dot(view: FlowView, *, direction: Direction = "LR") -> str:
    r"""Write a flow as a graph in DOT, for Graphviz.

    >>> from graflow_nb.views.model import EdgeView, FlowView, NodeView
    >>> print(to_dot(FlowView("f", (NodeView("a"), NodeView("b")), (EdgeView("a", "b", "inferred"),))))
    digraph "f" {
        rankdir=LR
        node [shape=box, style="rounded,filled", fontname="sans-serif"]
        "a" [label="a\nnot run", color="#6b7280", fillcolor="#f8f8f9"]
        "b" [label="b\nnot run", color="#6b7280", fillcolor="#f8f8f9"]
        "a" -> "b" [style=dashed]
    }
    """
    lines = [
        f"digraph {_dot(view.name)} {{",
        f"    rankdir={direction}",
        '    node [shape=box, style="rounded,filled", fontname="sans-serif"]',
    ]
    for node in view.nodes:
        colour = badge(node.status).colour
        label = f"{_dot(node.name)[:-1]}\\n{_dot(state_line(node))[1:]}"
        paint = f'color="{colour}", fillcolor="{tint(colour, 0.05)}"'
        lines.append(f"    {_dot(node.name)} [label={label}, {paint}]")
    for edge in view.edges:
        style = f" [style={_STYLES[edge.kind].replace('dashdot', 'dashed')}]" if edge.kind in _STYLES else ""
        lines.append(f"    {_dot(edge.source)} -> {_dot(edge.target)}{style}")
    return "\n".join([*lines, "}"])


def draw(view: FlowView, *, direction: Direction = "LR", ax: Axes | None = None) -> Axes:
    """Draw a flow with matplotlib.

    Parameters
    ----------
    view : FlowView
    direction : {"LR", "TB"}
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default pyplot's new figure, as large as the picture.
    """
    drawing = place(view, direction)
    width, height = drawing.width + 2 * MARGIN, drawing.height + 2 * MARGIN
    if ax is None:
        from matplotlib import pyplot as plt

        _, ax = plt.subplots(figsize=(width / INCH, height / INCH), layout="constrained")
    ax.set_xlim(-MARGIN, drawing.width + MARGIN)
    ax.set_ylim(drawing.height + MARGIN, -MARGIN)
    ax.set_aspect("equal")
    ax.axis("off")
    for group, box in drawing.frames.items():
        _draw_frame(ax, box, view.groups[group].name)
    for edge in view.edges:
        _draw_edge(ax, drawing.routes[edge.source, edge.target], direction, _STYLES.get(edge.kind, "solid"))
    for node in view.nodes:
        _draw_card(ax, drawing.boxes[node.name], node)
    return ax


def _draw_frame(ax: Axes, box: Box, name: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    place = (box.x + 12, box.y + 12), box.width - 24, box.height - 24
    style = "round,pad=12,rounding_size=12"
    ax.add_patch(
        FancyBboxPatch(*place, boxstyle=style, facecolor=f"{LINE}14", edgecolor=f"{LINE}73", linewidth=0.8)
    )
    text = shorten(" ".join(name.split()), max(4, int((box.width - 20) / 5.6)))
    _write(ax, box.x + 12, box.y + 17, text, color=QUIET, fontsize=7.2, fontweight="bold")


def _draw_edge(ax: Axes, points: Sequence[Point], direction: Direction, style: str) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    vertices, codes = [points[0]], [Path.MOVETO]
    for (x, y), (u, v) in pairwise(points):
        if x == u or y == v:
            vertices.append((u, v))
            codes.append(Path.LINETO)
        else:
            middle = (x + u) / 2, (y + v) / 2
            turns = [(middle[0], y), (middle[0], v)] if direction == "LR" else [(x, middle[1]), (u, middle[1])]
            vertices += [*turns, (u, v)]
            codes += [Path.CURVE4] * 3
    look: dict[str, Any] = {"color": LINE, "linewidth": 1.1, "linestyle": style, "shrinkA": 0, "shrinkB": 0}
    ax.add_patch(FancyArrowPatch(path=Path(vertices, codes), arrowstyle="-|>", mutation_scale=7, **look))


def _draw_card(ax: Axes, box: Box, node: NodeView) -> None:
    from matplotlib.patches import Circle, FancyBboxPatch

    look = badge(node.status)
    ax.add_patch(
        FancyBboxPatch(
            (box.x + 8, box.y + 8),
            box.width - 16,
            box.height - 16,
            boxstyle="round,pad=8,rounding_size=8",
            facecolor=tint(look.colour, 0.05),
            edgecolor=tint(look.colour, 0.45),
            linewidth=0.8,
        )
    )
    ax.add_patch(Circle((box.x + 21, box.y + 24), 10.5, facecolor=tint(look.colour, 0.16), edgecolor="none"))
    _write(ax, box.x + 21, box.y + 24, look.symbol, color=look.colour, fontsize=8.5, ha="center", va="center")
    name = shorten(short_path(" ".join(node.name.split())), int((box.width - 48) / 8))
    _write(ax, box.x + 40, box.y + 20.5, name, color=INK, fontsize=8.5, family="monospace", fontweight="bold")
    _write(
        ax,
        box.x + 40,
        box.y + 37,
        shorten(state_line(node), int((box.width - 48) / 5.6)),
        color=QUIET,
        fontsize=7.2,
    )


def _write(ax: Axes, x: float, y: float, text: str, **look: Any) -> None:
    """Write text as it is: a dollar sign in a name is no formula."""
    ax.text(x, y, clean(text), parse_math=False, **look)


def _class(node: NodeView) -> str:
    return badge(node.status).word.replace(" ", "_")


def _mermaid(text: str) -> str:
    """Write any text so that Mermaid shows it as it is."""
    flat = " ".join(clean(text).split())
    return "".join(c if c.isalnum() or c in " _-.,·←/" else f"#{ord(c)};" for c in flat)


def _dot(text: str) -> str:
    flat = " ".join(clean(text).split())
    return '"' + flat.replace("\\", "\\\\").replace('"', '\\"') + '"'


_FORMS: dict[str, Callable[..., Any]] = {
    "svg": to_svg,
    "png": to_png,
    "plot": draw,
    "mermaid": to_mermaid,
    "dot": to_dot,
    "text": to_text,
    "tree": to_tree,
}
