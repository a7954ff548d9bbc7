"""A workflow, or a run of one, as the views show it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from graflow_nb.core.status import Status
from graflow_nb.views.model import EdgeView, FlowView, NodeView

if TYPE_CHECKING:
    from collections.abc import Collection

    from graflow_nb.core.plan import Plan
    from graflow_nb.core.run import Run, TaskRecord
    from graflow_nb.core.task import Task


def run_view(run: Run) -> FlowView:
    """Return a run as it is now."""
    nodes = tuple(_node(record.task, record, _running_for(run, record)) for record in list(run.records.values()))
    known = {node.name for node in nodes}
    edges = tuple(
        EdgeView(before, after, (before, after) in run.inferred)
        for before, after in list(run.edges)
        if before in known and after in known
    )
    return FlowView(run.name, nodes, edges, run.elapsed())


def flow_view(name: str, plan: Plan, stale: Collection[str] = ()) -> FlowView:
    """Return a workflow with what became of its tasks in their last runs, marking what is out of date.

    Parameters
    ----------
    name : str
        The workflow's.
    plan : Plan
    stale : collection of str
        The tasks that would run now.
    """
    unwired = set(plan.unwired)
    nodes = tuple(
        _node(task, task.record, stale=task.name in stale, unwired=task.name in unwired)
        for task in plan.tasks.values()
    )
    edges = tuple(EdgeView(before, after, (before, after) in plan.inferred) for before, after in plan.edges)
    return FlowView(name, nodes, edges)


def _running_for(run: Run, record: TaskRecord) -> float | None:
    if record.status is Status.RUNNING and record.started is not None:
        return max(0.0, run.elapsed() - record.started)
    return None


def _node(
    task: Task,
    record: TaskRecord | None,
    running_for: float | None = None,
    *,
    stale: bool = False,
    unwired: bool = False,
) -> NodeView:
    note = "unwired" if unwired else ""
    if record is None:
        return NodeView(task.name, note=note, source=source_of(task))
    if stale and record.status.is_success:
        note = "out of date"
    return NodeView(
        task.name,
        record.status,
        record.seconds if running_for is None else running_for,
        note or record.note,
        record.started,
        record.worker,
        record.outputs,
        source_of(task),
    )


def source_of(task: Task) -> str:
    """Return a task's code as it was written, or "" if it cannot be had."""
    source = getattr(task.fn, "source", None)
    if isinstance(source, str):
        return source
    try:
        return inspect.getsource(inspect.unwrap(task.fn))
    except (OSError, TypeError):
        return ""
