"""What a workflow can be asked and told beside running it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from graflow_nb.core.checks import Finding, findings
from graflow_nb.core.errors import TaskDefinitionError, UnknownTaskError, did_you_mean
from graflow_nb.core.param import Param, span_of
from graflow_nb.core.selection import needed_for
from graflow_nb.core.surroundings import Surroundings
from graflow_nb.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from graflow_nb.core.graph import TaskGraph
    from graflow_nb.core.plan import Plan
    from graflow_nb.core.run import Run
    from graflow_nb.core.services import Services
    from graflow_nb.core.settings import Cache

_MISSING: Any = object()
_NONE: Mapping[str, Any] = MappingProxyType({})
_LATE = ("it is out of date: verify it after a run",)


class Inquiry:
    """The questions; `graflow_nb.core.workflow.WorkflowContext` is what is asked."""

    name: str
    graph: TaskGraph
    services: Services
    seed: int | None
    channel: Mapping[str, Any]
    resources: Mapping[str, int]

    def plan(self, given: Mapping[str, Any] | None = None, *, channel: Collection[str] | None = None) -> Plan:
        """Return what depends on what now."""
        raise NotImplementedError

    def _surroundings(self) -> Surroundings:
        """Return what a run of now would begin with."""
        return Surroundings(seed=self.seed, channel=self._with_inner("channel"))

    def _with_inner(self, what: str, more: Mapping[str, Any] = _NONE) -> dict[str, Any]:
        """Return the `channel` or the `resources` that a run has: those of workflows that are tasks too."""
        found: dict[str, Any] = {}
        if any(task.is_composite for task in self.graph.nodes.values()):
            from graflow_nb.core.subflow import flows_in

            for flow in flows_in(self.graph.nodes.values()):
                found |= getattr(flow, what)
        return {**found, **getattr(self, what), **more}

    def trial(self, plan: Plan, names: Iterable[str], cache: Cache) -> Run:
        """Run with another cache, and leave no trace."""
        raise NotImplementedError

    def param(
        self,
        name: str,
        value: Any = _MISSING,
        **span: Any,
    ) -> Param:
        """Make a parameter, or give it another value; without a value, return the one there is.

        Parameters
        ----------
        name : str
            Tasks take it by this name, like the result of a task.
        value : object, optional
        **span
            `min`, `max` and `step` of a number, whose control is a slider then; `choices`: the values it may have.

        Raises
        ------
        TaskDefinitionError
            If a task that is no parameter has this name, or the value is none of those it may have.
        UnknownTaskError
            If no value is given, and there is no such parameter.

        Examples
        --------
        >>> from graflow_nb import task, workflow
        >>> with workflow("example") as flow:
        ...     @task
        ...     def double(x): return 2 * x
        >>> flow.param("x", 4)
        x
        >>> flow.run().results["double"], flow.run(set={"x": 5}).results["double"]
        (8, 10)
        """
        present = self.graph.nodes.get(name)
        if present is not None and not isinstance(present, Param):
            raise TaskDefinitionError(f"{name!r} is a task, and no parameter: give the parameter another name")
        if value is _MISSING:
            if present is None:
                hint = did_you_mean(name, self.params)
                raise UnknownTaskError(f"workflow {self.name!r} has no parameter {name!r}. {hint}")
            return present
        if present is None:
            present = Param(name, value, span_of(name, span))
        elif any(part is not None for part in span.values()):
            present.span = span_of(name, span).checked(name, value)
        present.value = value
        self.graph.add(present)
        return present

    @property
    def params(self) -> dict[str, Any]:
        """The values of the parameters, by name."""
        return {name: task.value for name, task in self.graph.nodes.items() if isinstance(task, Param)}

    def stale(self, plan: Plan) -> Mapping[str, Sequence[Any]]:
        """Return the tasks that a run would run now, each with the reasons, as far as they are known."""
        cache = self.services.cache
        if cache is None:
            return dict.fromkeys(plan.default_targets, ())
        return cache.preview(plan, [name for name in plan.tasks if name not in plan.missing], self._surroundings())

    def check(self) -> list[Finding]:
        """Return what looks wrong in the wiring, though it may run; nothing if all is well.

        Returns
        -------
        list of Finding
            Each with `kind`, `tasks` and `text`; as text, a sentence.

        Examples
        --------
        >>> from graflow_nb import task, workflow
        >>> with workflow("example") as flow:
        ...     @task
        ...     def fit(rate=0.1): return rate
        >>> _ = flow.param("rate", 0.5)
        >>> print(*flow.check())
        no task takes parameter 'rate'. Task 'fit' has a default for it and takes that: leave the default out.
        """
        return findings(self.plan(), self.graph, self.services.scope)

    def why(self, task: str | Task) -> Sequence[Any]:
        """Return why a task would run now, or why it need not.

        Parameters
        ----------
        task : str or Task

        Returns
        -------
        sequence of Reason
            Each with `kind`, `part`, `name`, `old`, `new`, `diff`; as text, a sentence.

        Examples
        --------
        >>> from graflow_nb import task, workflow
        >>> with workflow("example") as flow:
        ...     @task
        ...     def one(): return 1
        >>> print(*flow.why("one"))
        there is no result of it yet
        """
        name, plan = self.named(task), self.plan()
        plan.check([name])
        cache = self.services.cache
        return cache.why(plan, name, self._surroundings()) if cache is not None else ()

    def accept(self, task: str | Task) -> None:
        """Say that a task's last result still holds, after an edit that makes no difference.

        Raises
        ------
        NoResultError
            If there is no result to accept, or what the task reads is out of date itself.
        """
        if self.services.cache is not None:
            self.services.cache.accept(self.plan(), self.named(task), self._surroundings())

    def verify(self, *tasks: str | Task) -> dict[str, Sequence[str]]:
        """Run tasks whose results could be reused, and compare; what is kept stays as it is.

        Parameters
        ----------
        *tasks : str or Task
            By default all that are up to date.

        Returns
        -------
        dict of str to sequence of str
            For each task how its new result differs from the kept one, and where; nothing if it does not.

        Examples
        --------
        >>> from graflow_nb import task, workflow
        >>> with workflow("example") as flow:
        ...     @task
        ...     def one(): return 1
        >>> _ = flow.run()
        >>> flow.verify()
        {'one': []}
        """
        plan, cache = self.plan(), self.services.cache
        if cache is None:
            return {}
        wanted = [self.named(task) for task in tasks] or list(needed_for(plan, self.name, []))
        stale = self.stale(plan)
        found: dict[str, Sequence[str]] = {name: _LATE for name in wanted if name in stale and tasks}
        current = [name for name in wanted if name not in stale]
        if current:
            verification = cache.verification(current)
            run = self.trial(plan, needed_for(plan, self.name, current), verification)
            for name in current:
                members = run.members.get(name, ())
                inside = [f"{m}: {said}" for m in members for said in verification.found.get(m, ())]
                found[name] = inside if members else verification.found.get(name, (run.records[name].note,))
        return found

    def impact(self, task: str | Task) -> dict[str, float | None]:
        """Return what an edit of a task would run: it and all after it, each with the seconds it last took."""
        name, plan = self.named(task), self.plan()
        after = {name, *plan.descendants([name])}
        return {n: (r.seconds if (r := plan.tasks[n].record) else None) for n in plan.order(after)}

    def named(self, target: str | Task) -> str:
        """Return a task's name.

        Raises
        ------
        UnknownTaskError
            If there is no such task, with the nearest name.
        """
        name = target.name if isinstance(target, Task) else str(target)
        if name not in self.graph:
            hint = did_you_mean(name, self.graph.nodes)
            raise UnknownTaskError(f"workflow {self.name!r} has no task {name!r}. {hint}")
        return name

    def all_named(self, tasks: str | Iterable[str | Task]) -> set[str]:
        """Return the names of one task or several."""
        return {self.named(task) for task in ([tasks] if isinstance(tasks, str) else tasks)}
