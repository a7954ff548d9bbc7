"""Helpers for tests of reuse: a second run, the same flow on another day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_nb.core.run import Run
    from graflow_nb.core.workflow import WorkflowContext


def channel_of(run: Run) -> dict[str, Any]:
    """Return what a run left in its channel."""
    assert run.surroundings is not None
    return dict(run.surroundings.channel.snapshot())


def ran(run: Run) -> list[str]:
    """Return the tasks that were called, sorted; what stands for several is not called."""
    return sorted(
        n for n, r in run.records.items() if str(r.status) in {"succeeded", "failed"} and not r.task.is_composite
    )


def shown(run: Run) -> dict[str, str]:
    """Return the statuses, as texts."""
    return {name: str(status) for name, status in run.statuses.items()}


def again(flow: WorkflowContext, **options: Any) -> Run:
    """Run twice: the second time nothing is called, and all is as it was. Return the first run."""
    first = flow.run(**options)
    assert first.ok, first
    same(first, flow.run(**options))
    assert not flow.stale(flow.plan()), "a preview says so, too"
    return first


def same(first: Run, second: Run) -> None:
    """Check that a run reused everything of another one."""
    assert ran(second) == [], [(name, *map(str, second.records[name].reasons)) for name in ran(second)]
    assert dict(second.results) == dict(first.results)
    assert channel_of(second) == channel_of(first)
    assert list(second.records) == list(first.records)


def on_disk(make: Callable[[], WorkflowContext]) -> Run:
    """Do the same as `again`, with two flow objects that share a folder. Return the first run."""
    first = make().run()
    assert first.ok, first
    same(first, make().run())
    return first
