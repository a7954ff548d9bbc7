"""What looks wrong in a workflow although it can be run: for `WorkflowContext.check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from graflow_nb.core.arguments import READS_NOTHING, Names, needs, open_parameters
from graflow_nb.core.errors import did_you_mean
from graflow_nb.core.param import Param
from graflow_nb.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from graflow_nb.core.arguments import Scope, Upstream
    from graflow_nb.core.graph import TaskGraph
    from graflow_nb.core.plan import Plan


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that looks wrong; as text, a sentence that says what to do.

    Attributes
    ----------
    kind : str
        "order": a name and an operator disagree on what comes first; "default": a parameter takes its default
        although a task has its name; "hidden": a bound value hides a task; "unused": nothing takes a parameter
        of the workflow; "missing": nothing fills a task's parameter; "alone": tasks that use nothing and that
        nothing uses; "template": a template from which nothing is made.
    tasks : tuple of str
        Whom it is about.
    text : str
    """

    kind: str
    tasks: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return self.text


class _Flow(NamedTuple):
    """What the checks look at."""

    plan: Plan
    names: Names
    taken: Mapping[str, Mapping[str, Upstream]]


def findings(plan: Plan, graph: TaskGraph, scope: Scope | None = None) -> list[Finding]:
    """Return what looks wrong, each thing once, in the order of the kinds and of the tasks.

    Parameters
    ----------
    plan : Plan
        Of the graph as it is.
    graph : TaskGraph
    scope : Scope, optional
        Where names that are no parameters come from.
    """
    names = Names(graph)
    taken = {
        name: needs(task, names, scope.reads(task) if scope else READS_NOTHING)
        for name, task in plan.tasks.items()
    }
    flow = _Flow(plan, names, taken)
    checks = (_against_operators, _defaults, _hidden, _unused, _missing, _alone, _templates)
    return [finding for check in checks for finding in check(flow)]


def _against_operators(flow: _Flow) -> Iterator[Finding]:
    """Find names of tasks that run after their reader: no edge could be made of them."""
    for name, sources in flow.taken.items():
        after = flow.plan.descendants([name]) if sources else ()
        for read, source in sources.items():
            if source.task in after:
                yield Finding(
                    "order",
                    (name, source.task),
                    f"task {name!r} takes {read!r}, but not from task {_whose(read, source)}, which runs "
                    f"after it. Rename one of the two, or turn the operator round.",
                )


def _defaults(flow: _Flow) -> Iterator[Finding]:
    """Find parameters that take their default, although a task has their name."""
    for name, task in flow.plan.tasks.items():
        for parameter in open_parameters(task):
            source = None if parameter.is_required else flow.names.find(parameter.name, name)
            if source is None or source.task in flow.plan.ancestors([name]) or _is_unused(flow, source.task):
                continue
            read, whose = parameter.name, _whose(parameter.name, source)
            if source.task in flow.plan.descendants([name]):
                what = f"which runs after it: rename one of the two if {read!r} is something else"
            else:
                what = f"which does not run before it: {source.task} >> {name} makes it take the result"
            text = f"task {name!r} has a default for {read!r} and takes that, not what task {whose} makes, {what}."
            yield Finding("default", (name, source.task), text)


def _hidden(flow: _Flow) -> Iterator[Finding]:
    """Find bound values that hide a task."""
    for name, task in flow.plan.tasks.items():
        if isinstance(task, Param) or task.is_composite:
            continue
        for parameter, value in task.options.bound.items():
            source = flow.names.find(parameter, name)
            if source is not None and not isinstance(value, Task):
                yield Finding(
                    "hidden",
                    (name, source.task),
                    f"task {name!r} has {parameter!r} bound to a value, so it does not take it from task "
                    f"{_whose(parameter, source)}. Bind something else, or rename one of the two.",
                )


def _unused(flow: _Flow) -> Iterator[Finding]:
    """Find parameters of the workflow that no task takes."""
    for name in flow.plan.tasks:
        if not _is_unused(flow, name):
            continue
        defaults = [
            task.name
            for task in flow.plan.tasks.values()
            for p in open_parameters(task)
            if p.name == name and not p.is_required
        ]
        if defaults:
            cure = f"Task {defaults[0]!r} has a default for it and takes that: leave the default out."
        else:
            near = did_you_mean(name, _parameters(flow))
            cure = near if near.startswith("Did") else "Name a task's parameter like it, or take it away."
        yield Finding("unused", (name, *defaults), f"no task takes parameter {name!r}. {cure}")


def _missing(flow: _Flow) -> Iterator[Finding]:
    """Find tasks that cannot run."""
    for name, missing in flow.plan.missing.items():
        if not flow.plan.tasks[name].is_template:
            out = " It is left out of runs." if name in flow.plan.unwired else ""
            yield Finding("missing", (name,), f"{missing.message}{out}")


def _alone(flow: _Flow) -> Iterator[Finding]:
    """Find tasks that use nothing and that nothing uses, beside others that do."""
    plan = flow.plan
    gathered = {member for task in plan.tasks.values() for member in task.members}
    alone = [
        name
        for name, task in plan.tasks.items()
        if not (plan.parents[name] or plan.children[name] or task.members or name in gathered)
        if not (task.is_template or name in plan.missing or isinstance(task, Param))
    ]
    if alone and plan.edges:
        which = f"task {alone[0]!r} uses" if len(alone) == 1 else f"tasks {', '.join(map(repr, alone))} use"
        no_other = "no other task, and none uses " + ("it" if len(alone) == 1 else "them")
        yield Finding("alone", tuple(alone), f"{which} {no_other}. Wire what belongs together with >>.")


def _templates(flow: _Flow) -> Iterator[Finding]:
    """Find templates that nothing is made from, and that do not run themselves."""
    tasks = flow.plan.tasks
    for name, task in tasks.items():
        is_used = any(other is not task and other.fn is task.fn for other in tasks.values())
        if task.is_template and not is_used and name not in flow.plan.default_targets:
            yield Finding(
                "template",
                (name,),
                f"task {name!r} is a template, and no task made from it is in this workflow, so it never runs. "
                f"Wire it, or take it away.",
            )


def _is_unused(flow: _Flow, name: str) -> bool:
    return isinstance(flow.plan.tasks[name], Param) and not flow.plan.children[name]


def _parameters(flow: _Flow) -> Sequence[str]:
    """Return the names of parameters that no other task fills by its name."""
    open_ones = (p.name for task in flow.plan.tasks.values() for p in open_parameters(task))
    return [name for name in dict.fromkeys(open_ones) if name not in flow.plan.tasks]


def _whose(read: str, source: Upstream) -> str:
    """Name a task, and what it defines if that is what is read."""
    return f"{source.task!r} (where {read!r} is defined)" if source.variable is not None else repr(source.task)
