"""The ways to run a workflow."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from graflow_nb.core.backend import Backends, Here
from graflow_nb.core.drive import adrive, drive
from graflow_nb.core.events import RunFinished
from graflow_nb.core.execution_context import ExecutionContext
from graflow_nb.core.inquiry import Inquiry
from graflow_nb.core.known_backends import THREADS, backend_named, backend_of
from graflow_nb.core.limits import EVERY, check_needs
from graflow_nb.core.run import Run
from graflow_nb.core.runner import Runner
from graflow_nb.core.selection import from_start, needed_for
from graflow_nb.core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence

    from graflow_nb.core.backend import Backend
    from graflow_nb.core.call import Produced
    from graflow_nb.core.events import Event
    from graflow_nb.core.known_backends import QueueBackend
    from graflow_nb.core.plan import Plan
    from graflow_nb.core.settings import Cache
    from graflow_nb.core.task import Task
    from graflow_nb.core.workflow import WorkflowContext


class Executing(Inquiry):
    """The part of `graflow_nb.core.workflow.WorkflowContext` that runs it."""

    backend: Any

    def execute(
        self,
        start_task: str | Task | None = None,
        max_steps: int | None = None,
        *,
        channel: Mapping[str, Any] | None = None,
        return_context: bool = False,
        backend: Any = None,
        queue_backend: QueueBackend | str | None = None,
    ) -> Any:
        """Run everything, reusing nothing; return the result of the last task that succeeded, in stable order.

        Parameters
        ----------
        start_task : str or Task, optional
            Run it and everything after it. What they need from outside is a task's last result; if it has none and
            is not upstream of the start, it runs first.
        max_steps : int, optional
            How many tasks may run; then the run stops and warns.
        channel : mapping of str, optional
            As in `run`.
        return_context : bool
            Return an `ExecutionContext` beside the result: what is left of the run.
        backend : str or object, optional
            Where tasks run that say nothing (see `workflow`); by default where the workflow says.
        queue_backend : QueueBackend, optional
            The same in Graflow's words.

        Raises
        ------
        TaskError, WorkflowCancelled
            If a task failed (nothing new was started then; its cause is what the task raised), or cancelled.
        EmptyWorkflowError, UnknownTaskError, MissingArgumentError, BackendError
            Before anything runs.

        Examples
        --------
        >>> from graflow_nb import Task, workflow
        >>> with workflow("sum") as flow:
        ...     total = Task("total", lambda: sum([1, 2, 3]))
        >>> flow.execute()
        6
        """
        plan, run = self._execute(start_task, max_steps, channel or {}, backend or backend_of(queue_backend))
        if run.stopped:
            warnings.warn(f"workflow {self.name!r}: {run.stopped}", stacklevel=2)
        result = _last_result(plan, run.raise_first_error())
        if return_context and run.surroundings is not None:
            return result, ExecutionContext(run.id, run.elapsed(), run.surroundings)
        return result

    def _execute(
        self, start: str | Task | None, max_steps: int | None, channel: Mapping[str, Any], backend: Any
    ) -> tuple[Plan, Run]:
        plan = self.plan(channel={**self.channel, **channel})
        given: dict[str, Produced] = {}
        if start is None:
            names = needed_for(plan, self.name, ())
        else:
            names, given = from_start(plan, self.named(start))
        settings = Settings(
            listeners=self.services.listeners,
            scope=self.services.scope,
            seed=self.seed,
            channel=self._with_inner("channel", channel),
            resources=self._limits(plan, names),
            fail_fast=True,
            max_steps=max_steps,
            backend=backend or self.backend or THREADS,
        )
        return plan, self._run(plan, names, settings, given, None)

    def run(
        self,
        *targets: str | Task,
        from_: str | Task | None = None,
        force: bool | Collection[str] = False,
        set: Mapping[str, Any] | None = None,  # noqa: A002 - as on the command line
        channel: Mapping[str, Any] | None = None,
        workers: int | None = None,
        max_parallel: int | None = None,
        fail_fast: bool = False,
        raise_errors: bool = False,
        background: bool = False,
        backend: Any = None,
    ) -> Run:
        """Make the targets up to date: run what is out of date, reuse the rest. Failures are in `Run.errors`.

        Parameters
        ----------
        *targets : str or Task
            By default everything.
        from_ : str or Task, optional
            Run this task and everything after it again, whether or not they are up to date.
        force : bool or collection of str
            Run everything again, or these tasks.
        set : mapping of str, optional
            Values of parameters, for this run only.
        channel : mapping of str, optional
            What the channel holds at first, beside what the workflow was given.
        workers : int, optional
            How many workers call tasks; by default ``min(32, cores + 4)`` threads, or a process a core.
        max_parallel : int, optional
            How many tasks run at once, wherever: coroutines are not bound by `workers`.
        fail_fast, raise_errors : bool
            After a failure start nothing new (else only what is after it is skipped); raise the first at the end.
        background : bool
            Return at once; the run goes on in a thread (`Run.wait`, `Run.cancel`).
        backend : str or object, optional
            As in `execute`.

        Raises
        ------
        EmptyWorkflowError, UnknownTaskError, MissingArgumentError
            Before anything runs.
        """
        how: dict[str, Any] = {"max_parallel": max_parallel, "fail_fast": fail_fast, "backend": backend}
        plan, names, settings = self._prepare(targets, from_, force, set, channel=channel, **how)
        if background:
            return self._run_in_background(plan, names, settings, workers)
        run = self._run(plan, names, settings, {}, workers)
        return run.raise_first_error() if raise_errors else run

    def trial(self, plan: Plan, names: Iterable[str], cache: Cache) -> Run:
        """Run with another cache, and leave no trace: what the tasks made before stays their last result."""
        services = self.services
        around: Sequence[Any] = services.around
        capturing = [listener for listener in services.listeners if listener in around]  # not the display
        names = [*names]
        settings = Settings(
            around,
            capturing,
            cache=cache,
            scope=services.scope,
            seed=self.seed,
            channel=self._with_inner("channel"),
            resources=self._limits(plan, names),
            backend=self.backend or THREADS,
        )
        backends = self._backends(plan, names, settings, None)
        run = self._new_run(plan, names)
        run.is_trial = True
        drive(Runner(run, plan, {}, backends, settings), backends)
        return run

    async def arun(self, *targets: str | Task, workers: int | None = None, **options: Any) -> Run:
        """Do as `run` does, on the running event loop: coroutine tasks run on it, the others on workers.

        Parameters
        ----------
        *targets, workers
            As in `run`.
        **options
            `from_`, `force`, `set`, `channel`, `max_parallel`, `fail_fast`, `raise_errors`, `backend`, as in
            `run`.
        """
        raise_errors = options.pop("raise_errors", False)
        plan, names, settings = self._prepare(targets, **options)
        run = await self._arun(plan, names, settings, workers)
        return run.raise_first_error() if raise_errors else run

    async def stream(
        self, *targets: str | Task, workers: int | None = None, **options: Any
    ) -> AsyncIterator[Event]:
        """Do as `arun` does, and give each event as it happens; closing it early cancels the run.

        Examples
        --------
        >>> import asyncio
        >>> from graflow_nb import task, workflow
        >>> with workflow("example") as flow:
        ...     @task
        ...     def one(): return 1
        >>> async def watch():
        ...     return [type(event).__name__ async for event in flow.stream()]
        >>> asyncio.run(watch())
        ['RunStarted', 'TaskStarted', 'TaskFinished', 'RunFinished']
        """
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        plan, names, settings = self._prepare(targets, **options)
        settings = replace(settings, listeners=[*settings.listeners, events.put_nowait])
        running = asyncio.ensure_future(self._arun(plan, names, settings, workers))
        running.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while True:
                event = await events.get()
                if event is not None:
                    yield event
                if event is None or isinstance(event, RunFinished):
                    break
            await running  # if it broke, that is raised here
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    def _prepare(
        self,
        targets: Iterable[str | Task],
        from_: str | Task | None = None,
        force: bool | Collection[str] = False,
        set: Mapping[str, Any] | None = None,  # noqa: A002 - as in `run`
        *,
        channel: Mapping[str, Any] | None = None,
        max_parallel: int | None = None,
        fail_fast: bool = False,
        backend: Any = None,
    ) -> tuple[Plan, list[str], Settings]:
        channel = channel or {}
        plan = self.plan(set, channel={**self.channel, **channel})
        names = needed_for(plan, self.name, [self.named(target) for target in targets])
        forced = {*names} if force is True else self.all_named(force or ())
        accepted = frozenset(forced)
        if from_ is not None:
            start = self.named(from_)
            forced |= {start, *plan.descendants([start])}
            after = [name for name in plan.tasks if name in forced and (name in names or not targets)]
            names = needed_for(plan, self.name, after) if after else names
        services = self.services
        settings = Settings(
            around=services.around,
            listeners=services.listeners,
            cache=services.cache,
            scope=services.scope,
            force=forced,
            accepted=accepted,
            fail_fast=fail_fast,
            seed=self.seed,
            channel=self._with_inner("channel", channel),
            resources=self._limits(plan, names, max_parallel),
            backend=backend or self.backend or THREADS,
        )
        return plan, names, settings

    def _limits(self, plan: Plan, names: Iterable[str], max_parallel: int | None = None) -> Mapping[Any, int]:
        """Return how much there is of each resource, when it is sure to be enough for each task."""
        tasks = [plan.tasks[name] for name in names]
        amounts = self._with_inner("resources")
        if any(task.is_composite for task in tasks):
            from graflow_nb.core.subflow import flows_in

            tasks += [task for flow in flows_in(tasks) for task in flow.graph.nodes.values()]
        check_needs(self.name, tasks, amounts)
        if max_parallel is None:
            return amounts
        if type(max_parallel) is not int or max_parallel < 1:
            raise ValueError(f"a run needs at least one task at once, not max_parallel={max_parallel!r}")
        return {**amounts, EVERY: max_parallel}

    def _backends(
        self,
        plan: Plan,
        names: Iterable[str],
        settings: Settings,
        workers: int | None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> Backends:
        """Return a run's backends; those that are named are there, so that a wrong name is said at once."""

        def make(name: Any) -> Backend:
            if name == "here":
                return Here()
            if name == "loop":
                return self.services.loop(loop)
            number = workers if name == settings.backend else None
            return self.services.workers(number) if name == THREADS else backend_named(name)(number)

        backends = Backends(make)
        options = (plan.tasks[name].options for name in names)
        for name in dict.fromkeys((settings.backend, *(o.backend for o in options if o.backend))):
            _ = backends[name]
        return backends

    def _run(
        self,
        plan: Plan,
        names: Iterable[str],
        settings: Settings,
        given: dict[str, Produced],
        workers: int | None,
    ) -> Run:
        backends = self._backends(plan, names, settings, workers)
        run = self._new_run(plan, names)
        drive(Runner(run, plan, given, backends, settings), backends)
        if run.was_cancelled and not run.cancelled and threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return run

    async def _arun(self, plan: Plan, names: Iterable[str], settings: Settings, workers: int | None) -> Run:
        backends = self._backends(plan, names, settings, workers, asyncio.get_running_loop())
        run = self._new_run(plan, names)
        await adrive(Runner(run, plan, {}, backends, settings), backends)
        return run

    def _run_in_background(self, plan: Plan, names: Iterable[str], settings: Settings, workers: int | None) -> Run:
        backends = self._backends(plan, names, settings, workers)
        run = self._new_run(plan, names)
        variables = contextvars.copy_context()
        runner = variables.run(Runner, run, plan, {}, backends, settings)

        failure: list[BaseException] = []

        def drive_it() -> None:
            try:
                variables.run(drive, runner, backends)
            except BaseException as error:
                if run.begun.is_set():
                    raise
                failure.append(error)
            finally:
                run.begun.set()

        threading.Thread(target=drive_it, name=f"graflow-run-{self.name}", daemon=True).start()
        run.begun.wait()
        if failure:
            raise failure[0]
        return run

    def _new_run(self, plan: Plan, names: Iterable[str]) -> Run:
        run = Run(cast("WorkflowContext", self), [plan.tasks[name] for name in names])
        run.notes += plan.notes
        return run


def _last_result(plan: Plan, run: Run) -> Any:
    """Return the result of the last task, in stable order, that succeeded; None if none did."""
    last = next(reversed(run.records.values()))
    if last.produced is not None and not plan.children.get(last.task.name, True):
        return last.produced.value  # defined last and nothing after it: it is the last in any order
    done = [name for name in plan.order(run.records) if run.records[name].produced is not None]
    return run.results[done[-1]] if done else None
