"""Which tasks take part in a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_nb.core.arguments import upstreams
from graflow_nb.core.errors import EmptyWorkflowError, NoResultError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from graflow_nb.core.call import Produced
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
            record = plan.tasks[before].record
            if before in runs or before in given:
                continue
            if record is not None and record.produced is not None:
                given[before] = record.produced
            elif before not in upstream:
                runs.add(before)
                unseen.append(before)
    names = [name for name in plan.tasks if name in runs]
    plan.check(names)
    _check_given(plan, names, {*runs, *given}, start)
    return names, given


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
