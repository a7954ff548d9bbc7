"""What every view draws: a flow's nodes with their statuses, and its edges. Plain data, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graflow_nb.core.status import Status

EdgeKind = Literal["plain", "inferred", "conditional", "dynamic"]


@dataclass(frozen=True, slots=True)
class NodeView:
    """One task as it is shown.

    Attributes
    ----------
    name : str
        The task's name, unique in its flow. Any text: views escape it.
    status : Status or None
        None before the task's first run.
    seconds : float or None
        How long its last run took; while it runs, how long it has been running.
    note : str
        A few words beside the status ("out of date", "stopped: upstream 'load' failed"), or "".
    started : float or None
        When it started, in seconds after the run's start; None if it did not run.
    worker : str
        Which worker ran it, or "".
    outputs : sequence of dict
        What it printed and displayed, as nbformat 4 outputs.
    source : str
        Its code.
    progress : tuple of (float or None, str), or None
        How far a running task says it is, between 0 and 1, and a few words.
    ready : float or None
        When it had to wait for nothing but a worker, in seconds after the run's start.
    is_stale : bool
        Whether it would run now, though it has a result.
    is_param : bool
        Whether it is a parameter.
    """

    name: str
    status: Status | None = None
    seconds: float | None = None
    note: str = ""
    started: float | None = None
    worker: str = ""
    outputs: Sequence[dict[str, Any]] = field(default=(), repr=False)
    source: str = field(default="", repr=False)
    progress: tuple[float | None, str] | None = None
    ready: float | None = None
    is_stale: bool = False
    is_param: bool = False


@dataclass(frozen=True, slots=True)
class EdgeView:
    """One dependency: `source` runs before `target`.

    Attributes
    ----------
    source, target : str
    kind : {"plain", "inferred", "conditional", "dynamic"}
        Written with an operator; made by a name; taken or not as a task decides; born in a run.
    """

    source: str
    target: str
    kind: EdgeKind = "plain"


@dataclass(frozen=True, slots=True)
class GroupView:
    """Tasks that belong together: a named group, or a workflow in a workflow.

    Attributes
    ----------
    name : str
    members : tuple of int
        The indices of its nodes. All of them may lie in another group.
    """

    name: str
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FlowView:
    """A whole flow, in stable order.

    Attributes
    ----------
    name : str
        The flow's name.
    nodes : tuple of NodeView
        In the order in which the tasks were defined.
    edges : tuple of EdgeView
        Each between two of the nodes; the graph is acyclic.
    seconds : float or None
        How long the last run took.
    groups : tuple of GroupView
        What is drawn in a frame.
    """

    name: str
    nodes: tuple[NodeView, ...] = ()
    edges: tuple[EdgeView, ...] = ()
    seconds: float | None = None
    groups: tuple[GroupView, ...] = ()
