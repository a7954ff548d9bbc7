"""Who runs workflows of steps: on the one engine there is, as tasks."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graflow_nb.core.status import Status
from graflow_nb.steps.calls import Ended
from graflow_nb.steps.registry import as_mapping
from graflow_nb.steps.results import WorkflowResult
from graflow_nb.steps.setting import Setting
from graflow_nb.steps.state import Variables, as_context
from graflow_nb.steps.status import WorkflowStatus
from graflow_nb.steps.task import TRAIL, StepTask
from graflow_nb.steps.watching import Watch
from graflow_nb.steps.workflow import Workflow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from os import PathLike

    from graflow_nb.core.run import Run
    from graflow_nb.core.workflow import WorkflowContext as Flow
    from graflow_nb.steps.logger import WorkflowLogger
    from graflow_nb.steps.results import StepResult
    from graflow_nb.steps.state import WorkflowContext


class WorkflowEngine:
    """Runs workflows of steps.

    Parameters
    ----------
    tools, agents : mapping or iterable, optional
        What steps name: by name, or things that have names of their own.
    model : str or object, optional
        The model of agents that have none of their own; as pydantic-ai takes it.
    loggers : iterable of WorkflowLogger
    callbacks : iterable of callable
        Get the result of each step when it has ended.
    cache : str or path, optional
        Where the results of idempotent steps, and those with ``cache=True``, are kept, as in
        `graflow_nb.workflow`: by default on disk, if there are such steps.
    workers : int, optional
        How many threads call tools that are functions.

    Attributes
    ----------
    last_result : WorkflowResult or None
        What came of the workflow that ended last; also if it was cancelled.
    """

    def __init__(
        self,
        *,
        tools: Mapping[str, Any] | Iterable[Any] | None = None,
        agents: Mapping[str, Any] | Iterable[Any] | None = None,
        model: Any = None,
        loggers: Iterable[WorkflowLogger] = (),
        callbacks: Iterable[Callable[[StepResult], Any]] = (),
        cache: str | PathLike[str] | None = None,
        workers: int | None = None,
    ) -> None:
        self._known = Setting(
            tools=as_mapping(tools, "tools"),
            agents=as_mapping(agents, "agents"),
            model=model,
            loggers=[*loggers],
            callbacks=[*callbacks],
        )
        self._cache = cache
        self._workers = workers
        self.last_result: WorkflowResult | None = None

    async def execute_workflow(
        self,
        workflow: Workflow,
        context: WorkflowContext | Mapping[str, Any] | None = None,
        *,
        resume: bool = False,
    ) -> WorkflowResult:
        """Run a workflow, and return what came of it. A step's failure is in the result, and not raised.

        Parameters
        ----------
        workflow : Workflow
        context : WorkflowContext or mapping, optional
            What it begins with; it is not changed.
        resume : bool
            Carry on where an earlier run of it ended: idempotent steps (`Step.idempotent`) that have finished with
            the same state do not run again.

        Raises
        ------
        asyncio.CancelledError
            If what awaits it is cancelled; `last_result` says how far it came.
        """
        return await self._execute(workflow, context, resume, None)

    async def execute_workflow_stream(
        self,
        workflow: Workflow,
        context: WorkflowContext | Mapping[str, Any] | None = None,
        *,
        resume: bool = False,
    ) -> AsyncIterator[StepResult]:
        """Run a workflow, and give each step's result as it ends, that of a step in another one too.

        Closing it early cancels what runs. `last_result` says what came of the whole.
        """
        results: asyncio.Queue[StepResult | None] = asyncio.Queue()
        running = asyncio.ensure_future(self._execute(workflow, context, resume, results.put_nowait))
        running.add_done_callback(lambda _: results.put_nowait(None))
        try:
            while (result := await results.get()) is not None:
                yield result
            await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _execute(
        self,
        workflow: Workflow,
        context: WorkflowContext | Mapping[str, Any] | None,
        resume: bool,
        tell: Callable[[StepResult], Any] | None,
    ) -> WorkflowResult:
        if not isinstance(workflow, Workflow):
            raise TypeError(f"an engine runs a Workflow, not {workflow!r}: WorkflowBuilder(…).build() returns one")
        setting = workflow.setting(replace(self._known, resume=resume))
        begins = as_context(context, workflow.workflow_id)
        watch = Watch(setting, tell)
        started = time.perf_counter()
        try:
            if workflow.steps:
                await self._run(workflow, begins, setting, watch)
        finally:
            result = _result(workflow, begins, setting, watch, time.perf_counter() - started)
            self.last_result = workflow.last_result = result
        return result

    async def _run(self, workflow: Workflow, begins: WorkflowContext, setting: Setting, watch: Watch) -> None:
        flow = workflow.flow(begins, cache=self._cache_for(workflow), setting=setting)
        if watch.is_told:
            flow.services.listeners = [*flow.services.listeners, watch]
        try:
            await flow.arun(force=_forced(flow, setting), workers=self._workers)
        finally:
            watch.run = flow.last_run

    def _cache_for(self, workflow: Workflow) -> str | PathLike[str]:
        if any(step.is_leaf and (step.is_idempotent or step.cache) for step in workflow.all_steps()):
            return self._cache if self._cache is not None else "disk"
        return "off"


async def execute_workflow_stream(
    workflow: Workflow,
    context: WorkflowContext | Mapping[str, Any] | None = None,
    *,
    engine: WorkflowEngine | None = None,
) -> AsyncIterator[StepResult]:
    """Run a workflow, and give each step's result as it ends; as `WorkflowEngine.execute_workflow_stream`."""
    results = (engine or WorkflowEngine()).execute_workflow_stream(workflow, context)
    try:
        async for result in results:
            yield result
    finally:
        await results.aclose()  # type: ignore[attr-defined]


def _forced(flow: Flow, setting: Setting) -> list[str]:
    """Return the steps that run even if their results could be reused."""
    tasks = [task for task in flow.graph.nodes.values() if isinstance(task, StepTask)]
    return [task.name for task in tasks if not (setting.resume or task.step.cache)]


def _status(workflow: Workflow, run: Run | None, statuses: list[Status]) -> WorkflowStatus:
    good = {Status.SUCCEEDED, Status.CACHED, Status.SKIPPED}
    if good.issuperset(statuses) and len(statuses) == len(workflow.steps):
        return WorkflowStatus.COMPLETED
    if run is not None and Status.FAILED in statuses and not run.was_cancelled:
        return WorkflowStatus.FAILED
    return WorkflowStatus.CANCELLED


def _result(
    workflow: Workflow, begins: WorkflowContext, setting: Setting, watch: Watch, seconds: float
) -> WorkflowResult:
    run = watch.run
    records = [run.records[step.step_id] for step in workflow.steps] if run is not None else []
    failed = next((record for record in records if record.status is Status.FAILED), None)
    status = _status(workflow, run, [record.status for record in records])
    state = begins.branch()
    for record in reversed(records):
        if record.produced is not None:
            state.variables = Variables(record.produced.get(TRAIL)["state"])
            break
    metadata = {**workflow.metadata, **begins.metadata}
    if setting.escalations:
        metadata["escalations"] = setting.escalations
    return WorkflowResult(
        workflow_id=begins.workflow_id,
        status=status,
        context=state,
        steps=watch.results(),
        error=None if failed is None else str(Ended(failed, failed.task.name).error),
        exception=None if failed is None else failed.error,
        total_execution_time_ms=round(seconds * 1000, 3),
        total_steps=len(workflow.steps),
        metadata=metadata,
    )
