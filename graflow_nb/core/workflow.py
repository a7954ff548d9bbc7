"""A workflow: a graph, and the ways to run it."""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakMethod

from graflow_nb.core.compose import Composable
from graflow_nb.core.executing import Executing
from graflow_nb.core.graph import TaskGraph
from graflow_nb.core.options import read_amounts
from graflow_nb.core.pictures import Pictures
from graflow_nb.core.plan import Plan
from graflow_nb.core.scope import opened
from graflow_nb.core.services import services_for

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from os import PathLike

    from graflow_nb.core.run import Run
    from graflow_nb.core.subflow import Subflow
    from graflow_nb.core.task import Task


_outer: contextvars.ContextVar[tuple[WorkflowContext | None, ...]] = contextvars.ContextVar("outer", default=())
"""What was open before each ``with`` that this code is in."""


class WorkflowContext(Composable, Executing, Pictures):
    """A workflow: tasks, what comes before what, and the ways to run it. Made by `workflow`.

    Inside ``with``, tasks that are made and expressions that are written belong to it.

    Attributes
    ----------
    name : str
    cache : str or path or None
        Where its results are kept, as `workflow` was told.
    seed : int or None
        What its tasks' random numbers (`TaskContext.rng`) are made from.
    channel : mapping of str
        What the channel of each run holds at first.
    resources : mapping of str to int
        How much there is of what tasks take while they run.
    backend : str, object or None
        Where tasks run of which nothing else is said.
    graph : TaskGraph
    last_run : Run or None
        The run that finished last.
    services : Services
    """

    def __init__(
        self,
        name: str,
        *,
        cache: str | PathLike[str] | None = None,
        seed: int | None = None,
        channel: Mapping[str, Any] | None = None,
        resources: Mapping[str, int] | None = None,
        backend: Any = None,
    ) -> None:
        self.name = name
        self.backend = backend
        self.cache = cache
        self.seed = seed
        self.channel = dict(channel or {})
        self.resources = read_amounts(f"workflow {name!r}: resources", resources or {})
        self.graph = TaskGraph()
        self.graph.planned = WeakMethod(self.plan)
        self.last_run: Run | None = None
        self._plan: Plan | None = None
        self.services = services_for(self)

    def __enter__(self) -> Self:
        _outer.set((*_outer.get(), opened.get()))
        opened.set(self)
        return self

    def __exit__(self, *exc: object) -> None:
        *outer, before = _outer.get()
        _outer.set(tuple(outer))
        opened.set(before)

    def __repr__(self) -> str:
        return f"<workflow {self.name!r}: {len(self.graph)} tasks, {len(self.graph.edges)} edges>"

    def __getitem__(self, name: str) -> Task:
        return self.graph[name]

    @property
    def roots(self) -> tuple[Task, ...]:
        return (self.as_task(),)

    leaves = roots
    tasks = roots

    def as_task(self, name: str | None = None, **values: Any) -> Subflow:
        """Return a task that runs this whole workflow, in the workflow that is open.

        In an expression the workflow itself stands for it: ``prepare >> train_flow >> report``. What its own tasks
        lack are the task's parameters, and so are its parameters; its result is that of its last task. It shares
        the run's channel and resources, to which its own are added, and the outer workflow's seed and cache.

        Parameters
        ----------
        name : str, optional
            By default the workflow's.
        **values
            Arguments that are fixed, as with `Task.bind`.

        Examples
        --------
        >>> from graflow_nb import task, workflow
        >>> with workflow("double") as double:
        ...     @task
        ...     def twice(number): return 2 * number
        >>> with workflow("outer") as outer:
        ...     @task
        ...     def number(): return 21
        ...     _ = number >> double
        >>> outer.execute()
        42
        """
        from graflow_nb.core.subflow import subflow_task

        return subflow_task(self, name, values)

    def copy(self, name: str) -> WorkflowContext:
        """Return a new workflow with the same tasks and edges; changing one does not change the other."""
        new = WorkflowContext(
            name,
            cache=self.cache,
            seed=self.seed,
            channel=self.channel,
            resources=self.resources,
            backend=self.backend,
        )
        new.graph.copy_from(self.graph)
        return new

    def plan(self, given: Mapping[str, Any] | None = None, *, channel: Collection[str] | None = None) -> Plan:
        """Return what depends on what now, and where every argument comes from.

        Parameters
        ----------
        given : mapping of str, optional
            Values of parameters for one run.
        channel : collection of str, optional
            The keys that the channel has at first; by default those that the workflow was given.

        Raises
        ------
        CycleError
            If tasks that came back closed one.
        UnknownTaskError
            If nothing takes what is given.
        """
        if self.graph.journal is not None:
            self.graph.journal.settle()
            self.graph.remake()
        keys = self.channel if channel is None else channel
        if given or self.services.scope is not None or len(keys) != len(self.channel):
            return Plan(self.graph, self.services.scope, given, channel=keys)
        plan = self._plan
        if plan is not None and plan.keys != [*keys]:
            plan = None
        if plan is None or not plan.holds(self.graph):
            plan = self._plan = Plan(self.graph, channel=keys, earlier=plan)
        return plan


def workflow(
    name: str,
    *,
    cache: str | PathLike[str] | None = None,
    seed: int | None = None,
    channel: Mapping[str, Any] | None = None,
    resources: Mapping[str, int] | None = None,
    backend: Any = None,
) -> WorkflowContext:
    """Make a new workflow.

    Parameters
    ----------
    name : str
        For people; two workflows may have the same.
    cache : str or path, optional
        Where results are kept: ``"memory"`` (the default: for this process), ``"disk"`` (in the folder
        ``.graflow_nb`` beside the notebook, or here), ``"off"``, or another folder.
    seed : int, optional
        What the tasks' random numbers (`TaskContext.rng`) are made from.
    channel : mapping of str, optional
        What the channel (`TaskContext.get_channel`) of each run holds at first. A task takes such a value as a
        parameter of that name, too.
    resources : mapping of str to int, optional
        How much there is of what tasks take while they run: with ``resources={"db": 2}``, at most two tasks with
        ``@task(resources={"db": 1})`` run at once.
    backend : str or object, optional
        Where tasks run of which nothing else is said: ``"threads"`` (the default), ``"processes"``, an address or
        a client, or one that was registered (`register_backend`).

    Examples
    --------
    >>> from graflow_nb import task
    >>> with workflow("pipeline") as flow:
    ...     @task
    ...     def extract():
    ...         return "data"
    ...     @task
    ...     def load(data):
    ...         return data.upper()
    ...     _ = extract >> load
    ...     flow.execute()
    'DATA'
    """
    return WorkflowContext(name, cache=cache, seed=seed, channel=channel, resources=resources, backend=backend)
