"""A whole workflow as one task of another."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.core.arguments import Binding, Constant, Gathered, Upstream
from graflow_nb.core.composites import Composite, Expansion
from graflow_nb.core.condition import Condition
from graflow_nb.core.errors import TaskDefinitionError, did_you_mean
from graflow_nb.core.param import Param
from graflow_nb.core.policy import strict
from graflow_nb.core.scope import current_workflow
from graflow_nb.core.selection import needed_for
from graflow_nb.core.task import Parameter, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from graflow_nb.core.arguments import Source
    from graflow_nb.core.call import Produced
    from graflow_nb.core.graph import TaskGraph
    from graflow_nb.core.plan import Plan
    from graflow_nb.core.workflow import WorkflowContext


class Inner(Task):
    """A task of a nested workflow, in a run of the outer one."""

    __slots__ = ("_origin", "prefix")

    _origin: Task
    prefix: str

    @classmethod
    def of(cls, task: Task, name: str, prefix: str) -> Inner:
        """Make one that stands for a task."""
        self = cls.apart(name, task.fn, task.options)
        self.prefix = prefix
        self.defines = task.defines
        self._origin = task
        return self

    @property
    def origin(self) -> Task:
        return self._origin

    @property
    def rescue(self) -> Task | None:
        return self._origin.rescue

    @property
    def written(self) -> Callable[..., Any] | None:
        return self._origin.written


class _Slot(NamedTuple):
    """Stands, in a nested workflow's plan, for what the outer one gives it under a name."""

    name: str


class Subflow(Composite):
    """A task that runs a whole workflow; made by `WorkflowContext.as_task`.

    Attributes
    ----------
    flow : WorkflowContext
    """

    __slots__ = ("flow",)

    def __init__(self, flow: WorkflowContext, name: str) -> None:
        super().__init__(name, _nothing)
        self.flow = flow
        self.policy = strict
        self.max_parallel = None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What its own tasks lack, and its parameters."""
        plan = self.flow.plan()
        wanted = {*plan.default_targets}
        lacking = [m for name, m in plan.missing.items() if name in wanted or not plan.tasks[name].is_template]
        names = dict.fromkeys(name for missing in lacking for name in missing.parameters)
        required = [Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        params = {name: task.value for name, task in plan.tasks.items() if isinstance(task, Param)}
        return (*required, *(Parameter(n, inspect.Parameter.KEYWORD_ONLY, value) for n, value in params.items()))

    @property
    def inner(self) -> Plan:
        return self.flow.plan()

    def expand(self, binding: Binding, made: Mapping[str, Produced]) -> Expansion:  # noqa: ARG002 - as for all
        given = dict(binding.sources())
        plan = self.flow.plan({name: _Slot(name) for name in given})
        names = needed_for(plan, self.flow.name, ())
        born: dict[str, tuple[Task, Binding]] = {}
        conditions = {}
        for name in names:
            inside = self._path(name)
            born[inside] = self._inner(plan.tasks[name], inside), self._inside(plan.bindings[name], given)
            if (condition := plan.conditions.get(name)) is not None:
                asked = Task.apart(f"{inside}?", condition.task.fn, condition.task.options)
                conditions[inside] = Condition(asked, self._inside(condition.binding, given))
        parents = {self._path(n): [self._path(b) for b in plan.parents[n] if b in names] for n in names}
        members = tuple(self._path(name) for name in plan.order(names))
        return Expansion(members, born, parents, conditions, is_one=True)

    def _path(self, name: str) -> str:
        return f"{self.name}/{name}"

    def _inner(self, task: Task, name: str) -> Task:
        if isinstance(task, Composite):
            return task.renamed(name, self._path)
        new, options, backend = Inner.of(task, name, self._path("")), task.options, self.flow.backend
        if backend and not (options.backend or options.main_thread or task.is_coroutine):
            new.options = replace(options, backend=backend)
        return new

    def _inside(self, binding: Binding, given: Mapping[str, Source]) -> Binding:
        """Return a binding in which the workflow's own tasks have their long names."""

        def source_of(source: Source) -> Source:
            if type(source) is Upstream:
                return Upstream(self._path(source.task), source.variable)
            if type(source) is Gathered:
                return Gathered(tuple(map(self._path, source.tasks)), source.name)
            is_slot = type(source) is Constant and type(source.value) is _Slot
            return given[source.value.name] if is_slot else source  # type: ignore[union-attr]

        return binding._replace(
            positional=tuple((name, source_of(source)) for name, source in binding.positional),
            keyword=tuple((name, source_of(source)) for name, source in binding.keyword),
            free={name: Upstream(self._path(s.task), s.variable) for name, s in binding.free.items()},
        )


def flows_in(tasks: Iterable[Task]) -> list[WorkflowContext]:
    """Return the workflows that are tasks, or tasks of these, and so on; the innermost first."""
    found: dict[WorkflowContext, None] = {}
    for task in tasks:
        if isinstance(task, Subflow) and task.flow not in found:
            found |= dict.fromkeys(flows_in(task.flow.graph.nodes.values()))
            found[task.flow] = None
    return list(found)


def subflow_task(flow: WorkflowContext, name: str | None, values: Mapping[str, Any]) -> Subflow:
    """Return the task that stands for a workflow in the one that is open; as `WorkflowContext.as_task`."""
    outer = current_workflow()
    if outer is flow:
        raise TaskDefinitionError(f"workflow {flow.name!r} cannot be a task of itself: open another one first")
    if outer is not None and outer in flows_in(flow.graph.nodes.values()):
        raise TaskDefinitionError(
            f"workflow {flow.name!r} has workflow {outer.name!r} as a task, and so cannot be a task of it"
        )
    name = name or flow.name
    there = outer.graph.nodes.get(name) if outer is not None else None
    if isinstance(there, Subflow) and there.flow is flow and not values:
        return there
    new = Subflow(flow, name)
    free = [parameter.name for parameter in new.parameters]
    for value in values:
        if value not in free:
            hint = did_you_mean(value, free)
            raise TaskDefinitionError(f"workflow {flow.name!r} has no parameter {value!r} to bind. {hint}")
    if values:
        new.options = replace(new.options, bound=dict(values))
    return new


def _nothing() -> None:
    """Stand for the function of what is not called."""


def use_in_place(graph: TaskGraph, old: WorkflowContext, new: WorkflowContext) -> None:
    """Let a workflow stand in a graph where another one stood, which it was written in place of."""
    for task in graph.nodes.values():
        if isinstance(task, Subflow) and task.flow is old:
            task.flow = new
