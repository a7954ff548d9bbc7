"""A proposal as text: the picture, each task, what holds cells back, what is slow, and the cells to paste."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_nb.views.model import EdgeView, FlowView, NodeView
from graflow_nb.views.text import human_seconds, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graflow_nb.notebook.adopt.suggest import Proposal, Proposed

_SLOW = 1.0  # seconds: below, running again does not hurt
_MOST_SLOW = 3


def proposal_text(proposal: Proposal, *, cells: bool = True) -> str:
    """Write a proposal for a reader.

    Parameters
    ----------
    proposal : Proposal
    cells : bool
        Whether the cells to paste are in it.
    """
    number = len({cell for task in proposal.tasks for cell in task.cells})
    count = len(proposal.tasks)
    head = f"{count} task{'s' * (count > 1)}, made of {number} of the {proposal.count} code cells"
    lines = [head, "", *_picture(proposal), ""]
    lines += [line for task in proposal.tasks for line in _task(task)]
    if proposal.wiring:
        lines += ["", "Files join these, which no name tells:", *(f"  {line}" for line in proposal.wiring)]
    if proposal.held_back:
        lines += ["", "What held cells back:", *(f"  {line}" for line in proposal.held_back)]
    lines += _slow(proposal)
    if cells:
        lines += ["", "The cells:"]
        for task in proposal.tasks:
            lines += ["", *task.text.splitlines()]
    return "\n".join(lines)


def _picture(proposal: Proposal) -> list[str]:
    nodes = tuple(NodeView(task.name, seconds=task.seconds) for task in proposal.tasks)
    edges = tuple(EdgeView(before, task.name) for task in proposal.tasks for before in task.after)
    _, *rows = to_text(FlowView(proposal.name, nodes, edges)).splitlines()
    return rows


def _task(task: Proposed) -> Iterator[str]:
    where = f"cell{'s' * (len(task.cells) > 1)} {', '.join(map(str, task.cells))}"
    took = "" if task.seconds is None else f", {human_seconds(task.seconds)}"
    yield f"{task.name} ({where}{took})"
    if task.reads:
        yield f"  reads    {', '.join(task.reads)}"
    if task.defines:
        yield f"  defines  {', '.join(task.defines)}"


def _slow(proposal: Proposal) -> list[str]:
    timed = sorted(
        (t for t in proposal.tasks if t.seconds and t.seconds >= _SLOW), key=lambda t: -(t.seconds or 0)
    )
    if not timed:
        return []
    rows = [f"  {task.name}: {human_seconds(task.seconds or 0)}" for task in timed[:_MOST_SLOW]]
    return ["", "Slow, so most is saved where these are reused:", *rows]
