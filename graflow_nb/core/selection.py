"""Which tasks take part in a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_nb.core.arguments import upstreams
from graflow_nb.core.call import Produced
from graflow_nb.core.errors import EmptyWorkflowError, NoResultError
from graflow_nb.core.policy import Failure

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from graflow_nb.core.plan import Plan


def needed_for(plan: Plan, workflow: str, targets: Sequence[str]) -> list[str]:
    """Return the targets (all that can run, if there are none) and everything before them.

    Raises
    ------
    EmptyWorkflowError
        If nothing can run.
    MissingArgumentError
        If one of them has a parameter that nothing fills.
    """
    chosen = targets or plan.default_targets
    if not chosen:
        unwired = f" (unwired: {', '.join(plan.unwired)})" if plan.unwired else ""
        raise EmptyWorkflowError(f"workflow {workflow!r} has no task to run{unwired}")
    if len(chosen) == len(plan.tasks) and not targets:
        names = list(plan.tasks)
    else:
        everything = {*chosen, *plan.ancestors(chosen)}
        names = [name for name in plan.tasks if name in everything]
    plan.check(names)
    return names


def from_start(plan: Plan, start: str) -> tuple[list[str], dict[str, Produced]]:
    """Return what runs with a start, and the last results that stand in for what does not.

    The start and everything after it run. What they need from outside is its last result; if it has none
    it runs too, unless it comes before the start.

    Raises
    ------
    MissingArgumentError
        If one of them has a parameter that nothing fills.
    NoResultError
        If one needs what comes before the start, and that has no result.
    """
    runs = {start, *plan.descendants([start])}
    upstream = plan.ancestors([start])
    given: dict[str, Produced] = {}
    unseen = list(runs)
    while unseen:
        for before in _befores(plan, unseen.pop()):
            if before in runs or before in given:
                continue
            if (last := _last(plan, before)) is not None:
                given[before] = last
            elif before not in upstream:
                runs.add(before)
                unseen.append(before)
    names = [name for name in plan.tasks if name in runs]
    plan.check(names)
    _check_given(plan, names, {*runs, *given}, start)
    return names, given


def _last(plan: Plan, name: str) -> Produced | None:
    """Return a task's last result; its `Failure` if it failed, and a group went on without it."""
    record = plan.tasks[name].record
    if record is None or record.produced is not None or record.error is None:
        return record.produced if record is not None else None
    groups = [group.record for group in plan.tasks.values() if name in group.members]
    if any(group is not None and group.produced is not None for group in groups):
        return Produced(name, {None: Failure(name, record.error)})
    return None


def _check_given(plan: Plan, names: Sequence[str], there: Collection[str], start: str) -> None:
    for name in names:
        for parameter, source in plan.bindings[name].sources():
            for before, _ in upstreams(source):
                if before not in there:
                    raise NoResultError(
                        f"task {name!r} needs {parameter!r} from task {before!r}, which has no result yet "
                        f"and does not run when the start is {start!r}. Start earlier, or run it first."
                    )


def _befores(plan: Plan, name: str) -> list[str]:
    """Return what a task waits for, and what it takes from further up (for a parameter with a default)."""
    sources = plan.bindings[name].sources() if name in plan.bindings else ()
    taken = [before for _, source in sources for before, _ in upstreams(source)]
    return list(dict.fromkeys((*plan.parents[name], *taken)))
