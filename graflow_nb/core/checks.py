"""What looks wrong in a workflow although it can be run: for `WorkflowContext.check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from graflow_nb.core.arguments import READS_NOTHING, Names, needs, open_parameters
from graflow_nb.core.errors import did_you_mean
from graflow_nb.core.param import Param
from graflow_nb.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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
        of the workflow; "missing", "condition": nothing fills a parameter of a task, or of its condition;
        "alone": tasks that use nothing and that nothing uses; "template": a template from which nothing is made.
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
    """What the checks look at.

    Attributes
    ----------
    plan : Plan
    names : Names
    taken : mapping of str
        What each task takes from others by name.
    live : list of str
        The tasks that are no mere templates.
    """

    plan: Plan
    names: Names
    taken: Mapping[str, Mapping[str, Upstream]]
    live: Sequence[str]

    def alike(self, seen: Iterable[tuple[str, str, Upstream]]) -> list[tuple[list[str], str, Upstream]]:
        """Put together what is so of tasks of one function: they were bound from one template."""
        groups: dict[tuple[int, str, Upstream], list[str]] = {}
        for name, read, source in seen:
            groups.setdefault((id(self.plan.tasks[name].fn), read, source), []).append(name)
        return [(names, read, source) for (_, read, source), names in groups.items()]


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
    runs = set(plan.default_targets)
    live = [name for name, task in plan.tasks.items() if name in runs or not task.is_template]
    taken = {
        name: needs(plan.tasks[name], names, scope.reads(plan.tasks[name]) if scope else READS_NOTHING)
        for name in live
    }
    flow = _Flow(plan, names, taken, live)
    checks = (_against_operators, _defaults, _hidden, _unused, _missing, _alone, _templates)
    return [finding for check in checks for finding in check(flow)]


def _against_operators(flow: _Flow) -> Iterator[Finding]:
    """Find names of tasks that run after their reader: no edge could be made of them."""
    after = {name: flow.plan.descendants([name]) for name, sources in flow.taken.items() if sources}
    seen = (
        (name, read, source)
        for name in after
        for read, source in flow.taken[name].items()
        if source.task in after[name]
    )
    for names, read, source in flow.alike(seen):
        text = (
            f"{_who(names)} takes {read!r}, but not from task {_whose(read, source)}, which runs after it. "
            f"Rename one of the two, or turn the operator round."
        )
        yield Finding("order", (*names, source.task), text)


def _defaults(flow: _Flow) -> Iterator[Finding]:
    """Find parameters that take their default, although a task has their name."""
    seen = (
        (name, parameter.name, source)
        for name in flow.live
        for parameter in open_parameters(flow.plan.tasks[name])
        if not parameter.is_required and (source := flow.names.find(parameter.name, name))
        if source.task not in flow.plan.ancestors([name]) and not _is_unused(flow, source.task)
    )
    for names, read, source in flow.alike(seen):
        if source.task in flow.plan.descendants(names[:1]):
            what = f"which runs after it: rename one of the two if {read!r} is something else"
        else:
            what = f"which does not run before it: {source.task} >> {names[0]} makes it take the result"
        text = f"{_who(names)} has a default for {read!r} and takes that, not what task"
        yield Finding("default", (*names, source.task), f"{text} {_whose(read, source)} makes, {what}.")


def _hidden(flow: _Flow) -> Iterator[Finding]:
    """Find bound values that hide a task."""
    tasks = flow.plan.tasks
    seen = (
        (name, parameter, source)
        for name in flow.live
        if not (isinstance(tasks[name], Param) or tasks[name].is_composite)
        for parameter, value in tasks[name].options.bound.items()
        if not isinstance(value, Task) and (source := flow.names.find(parameter, name))
    )
    for names, parameter, source in flow.alike(seen):
        text = (
            f"{_who(names)} has {parameter!r} bound to a value, so it does not take it from task "
            f"{_whose(parameter, source)}. Bind something else, or rename one of the two."
        )
        yield Finding("hidden", (*names, source.task), text)


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
            said = missing.message.replace(f"task {f'{name}?'!r}", f"the condition of task {name!r}")
            yield Finding("missing" if said == missing.message else "condition", (name,), f"{said}{out}")


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
        if name not in flow.live and not is_used:
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


def _who(names: Sequence[str]) -> str:
    """Name tasks of one function."""
    more = f" (and {len(names) - 1} more of its function)" if len(names) > 1 else ""
    return f"task {names[0]!r}{more}"


def _whose(read: str, source: Upstream) -> str:
    """Name a task, and what it defines if that is what is read."""
    return f"{source.task!r} (where {read!r} is defined)" if source.variable is not None else repr(source.task)
