"""A flow as a fragment of HTML, for the output of a notebook's cell.

All styles are inline and simple: a notebook that is not trusted keeps only those, and code hosts even fewer.
Text takes Jupyter's own colour, and what has a colour brings its own background, so all themes look right.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from graflow_nb.core.status import Status
from graflow_nb.views.outputs import LIMIT, outputs_html
from graflow_nb.views.text import badge, details, escaped, human_seconds, in_order, summary, tally

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graflow_nb.views.boxes import Direction
    from graflow_nb.views.model import FlowView, NodeView
    from graflow_nb.views.text import Badge

HINT = "{name}.outputs has all of it"
SMALLEST = 0.6  # a picture shrinks to fit down to this scale; below, it scrolls
NAMES_SHOWN = 3
FRAME = "border:1px solid rgba(128,128,128,.3);border-radius:6px"
CHIP = "display:inline-block;border-radius:10px;padding:0 8px;margin:0 2px;font-size:12px;line-height:20px"
FAINT = "opacity:.75;font-size:90%"


def flow_html(view: FlowView, *, direction: Direction = "LR", limit: int = LIMIT, hint: str = HINT) -> str:
    """Show a flow after a run: counts, picture, and what each task printed and displayed.

    Parameters
    ----------
    view : FlowView
        What to show.
    direction : {"LR", "TB"}
        Whether edges point right or down.
    limit, hint : int, str
        As in `outputs.output_html`; ``{name}`` in the hint stands for the task's name.
    """
    opened = _opened(view)
    blocks = (_outputs(node, limit, hint, opened=node.name in opened) for node in in_order(view) if node.outputs)
    return f'<div style="margin:4px 0">{_heading(view)}{_picture(view, direction)}{"".join(blocks)}</div>'


def static_html(html: str) -> str:
    """Mark what a live widget beside it hides for as long as it is alive."""
    return f'<div class="graflow-static">{html}</div>'


def notes_html(notes: Iterable[str]) -> str:
    """Show what the reader should be told, a line each."""
    return "".join(f'<div style="font-size:90%;opacity:.85">{escaped(note)}</div>' for note in notes)


def live_html(view: FlowView, *, direction: Direction = "LR", picture: bool = True) -> str:
    """Show a run in progress: a bar, a line about what runs now, and the picture unless it would be too big."""
    line = f"{_name(view)}<span>{escaped(progress(view))}</span>"
    shown = _picture(view, direction) if picture else ""
    return f'<div style="margin:4px 0">{line}{_bar(view)}{shown}</div>'


def progress(view: FlowView) -> str:
    """Say in one line how far a run is, and which tasks have been running longest.

    >>> from graflow_nb.views.model import FlowView, NodeView
    >>> progress(FlowView("f", (NodeView("load", Status.SUCCEEDED), NodeView("fit", Status.RUNNING, 2.1))))
    '1 running · 1/2 done · fit 2.1 s'
    """
    tasks = [node for node in view.nodes if not node.is_param]
    running = [node for node in tasks if node.status in (Status.RUNNING, Status.RETRYING)]
    done = sum(node.status is not None and node.status.is_final for node in tasks)
    longest = sorted(running, key=lambda node: -(node.seconds or 0))[:NAMES_SHOWN]
    return " · ".join(
        [f"{len(running)} running"] * bool(running)
        + [f"{done}/{len(tasks)} done"]
        + [f"{node.name} {human_seconds(node.seconds)}" for node in longest if node.seconds is not None]
    )


def chip_html(look: Badge, label: str) -> str:
    """Show a few words in a status's colour, on a pale background of their own."""
    from graflow_nb.views.svg import tint  # drawing is imported with the first drawing

    colours = f"color:{look.colour};background-color:{tint(look.colour, 0.12)}"
    return f'<span style="{CHIP};{colours}">{label}</span>'


def chips_html(view: FlowView) -> str:
    """Show how many tasks there are of each status."""
    return "".join(chip_html(look, f"{look.symbol} {count} {look.word}") for look, count in tally(view))


def narrowest(view: FlowView, direction: Direction) -> int:
    """Give the width in pixels below which the picture of a flow could not be read."""
    from graflow_nb.views.svg import place

    return round(place(view, direction).width * SMALLEST)


def _heading(view: FlowView) -> str:
    took = "" if view.seconds is None else f'<span style="{FAINT}"> in {human_seconds(view.seconds)}</span>'
    return f'<div style="margin:2px 0">{_name(view)}{chips_html(view) or "no tasks"}{took}</div>'


def _name(view: FlowView) -> str:
    return f'<strong style="margin-right:8px">{escaped(view.name)}</strong>' if view.name else ""


def _picture(view: FlowView, direction: Direction) -> str:
    """Show the picture as an image, since an inline SVG is taken out of notebooks that are not trusted."""
    from graflow_nb.views.svg import data_uri, to_svg

    if not view.nodes:
        return ""
    return (
        '<div style="overflow-x:auto;margin:6px 0">'
        f'<img src="{data_uri(to_svg(view, direction=direction))}" alt="{escaped(summary(view))}" '
        f'style="max-width:100%;min-width:{narrowest(view, direction)}px;height:auto;display:block"></div>'
    )


def _opened(view: FlowView) -> set[str]:
    """Choose what the reader sees at once: what failed; if nothing did, the end of the flow, if it has one."""
    failed = {node.name for node in view.nodes if node.status is Status.FAILED}
    ends = {node.name for node in view.nodes} - {edge.source for edge in view.edges}
    return failed or (ends if len(ends) == 1 else set())


def _outputs(node: NodeView, limit: int, hint: str, *, opened: bool) -> str:
    look = badge(node.status)
    title = f"{chip_html(look, look.symbol)} <strong>{escaped(node.name)}</strong> "
    about = f'<span style="{FAINT}">{escaped(details(node))}</span>'
    shown = outputs_html(node.outputs, limit=limit, hint=hint.replace("{name}", node.name))
    return (
        f'<details{" open" * opened} style="{FRAME};margin:4px 0;padding:2px 10px">'
        f'<summary style="cursor:pointer">{title}{about}</summary>'
        f'<div style="margin:4px 0">{shown}</div></details>'
    )


def _bar(view: FlowView) -> str:
    """Draw a bar of what is finished, in the colours of how it finished."""
    counts = Counter(node.status for node in view.nodes if not node.is_param)
    parts = "".join(
        f'<div style="float:left;height:6px;width:{100 * counts[status] / counts.total():.2f}%;'
        f'background-color:{status.colour}"></div>'
        for status in Status
        if status.is_final and counts[status]
    )
    frame = "height:6px;margin:6px 0;border-radius:3px;overflow:hidden;background-color:rgba(128,128,128,.25)"
    return f'<div style="{frame}">{parts}</div>'
