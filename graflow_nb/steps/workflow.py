"""A workflow of steps, and the ways to write one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from graflow_nb.core.errors import did_you_mean
from graflow_nb.core.workflow import WorkflowContext as Flow
from graflow_nb.steps.agent_step import AgentStep
from graflow_nb.steps.logger import WorkflowLogger, log
from graflow_nb.steps.parallel import ParallelStep
from graflow_nb.steps.setting import Setting
from graflow_nb.steps.state import WorkflowContext, as_context
from graflow_nb.steps.step import Step, check
from graflow_nb.steps.task import StepTask
from graflow_nb.steps.tool_step import ToolStep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from os import PathLike

    from graflow_nb.steps.results import StepResult, WorkflowResult


class Workflow:
    """Steps, one after the other. Every method that adds something returns the workflow itself.

    Parameters
    ----------
    workflow_id : str
    name : str, optional
        For people; by default the id.
    description : str
    metadata : mapping, optional

    Attributes
    ----------
    steps : list of Step
    last_result : WorkflowResult or None
        What came of it last; also if it was cancelled.

    Examples
    --------
    >>> import asyncio
    >>> from graflow_nb.steps import ToolStep, Workflow
    >>> workflow = Workflow("greeting")
    >>> _ = workflow.add_step(ToolStep("greet", lambda name: f"hello {name}"))
    >>> result = asyncio.run(workflow.execute({"name": "Ada"}))
    >>> print(result.status, result.steps[0].output)
    completed hello Ada
    """

    def __init__(
        self,
        workflow_id: str,
        name: str | None = None,
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(workflow_id, str) or not workflow_id:
            raise ValueError(f"a workflow's id is a text that is not empty, not {workflow_id!r}")
        self.workflow_id = workflow_id
        self.name = name or workflow_id
        self.description = description
        self.metadata = dict(metadata or {})
        self.steps: list[Step] = []
        self.last_result: WorkflowResult | None = None
        self._handlers: dict[str, list[Callable[..., Any]]] = {}
        self._general_handlers: list[Callable[..., Any]] = []
        self._loggers: list[WorkflowLogger] = []
        self._callbacks: list[Callable[[StepResult], Any]] = []

    def add_step(self, step: Step) -> Self:
        """Add a step after the others.

        Raises
        ------
        TypeError
            If it is none.
        ValueError
            If there is one with its id.
        """
        check(step, beside=self.steps)
        self.steps.append(step)
        return self

    def add_error_handler(self, step_id: str, handler: Callable[..., Any]) -> Self:
        """Say who is asked when a step fails, with its result and the state: as `with_error_handler` says."""
        _check_callable(self, handler, "an error handler")
        self._handlers.setdefault(step_id, []).append(handler)
        return self

    def with_error_handler(self, handler: Callable[..., Any]) -> Self:
        """Say who is asked when any step fails, with the error, the step and the state.

        A handler returns None (it fails), a step to run instead, or a dict with an action: ``{"action": "retry"}``
        (with all its attempts, at most three times), "fail", "skip", or "fallback" with a "step"; and "escalate"
        or "notify_team", which end up in the result's metadata, and the log.
        """
        _check_callable(self, handler, "an error handler")
        self._general_handlers.append(handler)
        return self

    def add_callback(self, callback: Callable[[StepResult], Any]) -> Self:
        """Let something be called with the result of each step when it has ended."""
        _check_callable(self, callback, "a callback")
        self._callbacks.append(callback)
        return self

    def with_logger(self, logger: WorkflowLogger) -> Self:
        """Let a logger be told what the steps do."""
        if not isinstance(logger, WorkflowLogger):
            raise TypeError(f"workflow {self.workflow_id!r}: a logger is a WorkflowLogger, not {logger!r}")
        self._loggers.append(logger)
        return self

    async def execute(self, context: WorkflowContext | Mapping[str, Any] | None = None) -> WorkflowResult:
        """Run it with an engine of its own; as `WorkflowEngine.execute_workflow`."""
        from graflow_nb.steps.engine import WorkflowEngine

        return await WorkflowEngine().execute_workflow(self, context)

    def flow(
        self,
        context: WorkflowContext | Mapping[str, Any] | None = None,
        *,
        cache: str | PathLike[str] | None = None,
        setting: Setting | None = None,
    ) -> Flow:
        """Return the same as tasks of the engine: what is drawn, and what ``%flow use`` can use.

        Parameters
        ----------
        context : WorkflowContext or mapping, optional
            What it begins with.
        cache : str or path, optional
            Where results are kept, as in `graflow_nb.workflow`.
        setting : Setting, optional
            As `setting` returns it.
        """
        check(*self.steps)
        if self._handlers:
            self._check_handlers()
        begins = as_context(context, self.workflow_id)
        setting = setting if setting is not None else self.setting()
        about = {
            "workflow_id": begins.workflow_id,
            "user_context": begins.user_context,
            "metadata": begins.metadata,
            "initial_data": begins.initial_data,
        }
        initial = {"state": dict(begins.variables), "versions": None}
        flow = Flow(self.workflow_id, cache=cache)
        before: list[StepTask] = []
        for step in self.steps:
            task = StepTask(step, setting, step.step_id, about=about, initial=initial)
            flow.graph.add(task)
            flow.graph.wire(before, [task])
            before = [task]
        return flow

    def setting(self, engine: Setting | None = None) -> Setting:
        """Return what its steps share, beside the state."""
        known = engine or Setting()
        return Setting(
            tools=known.tools,
            agents=known.agents,
            model=known.model,
            handlers=self._handlers,
            general_handlers=self._general_handlers,
            loggers=[*known.loggers, *self._loggers],
            callbacks=[*known.callbacks, *self._callbacks],
            resume=known.resume,
        )

    def all_steps(self) -> Iterator[Step]:
        """Give every step, each before those in it."""
        stack = [*reversed(self.steps)]
        while stack:
            step = stack.pop()
            yield step
            stack += reversed(step.steps)

    def _check_handlers(self) -> None:
        known = {step.step_id for step in self.all_steps()}
        for step_id in self._handlers:
            if step_id not in known:
                log.warning(
                    "workflow %s has an error handler for a step %r, which it does not have. %s",
                    self.workflow_id,
                    step_id,
                    did_you_mean(step_id, known),
                )

    def __repr__(self) -> str:
        return f"<Workflow {self.workflow_id!r}: {len(self.steps)} steps>"


class WorkflowBuilder:
    """Writes a workflow; `build` returns it.

    Parameters
    ----------
    workflow_id : str
    name : str, optional
    """

    def __init__(self, workflow_id: str, name: str | None = None) -> None:
        Workflow(workflow_id, name)
        self._id = workflow_id
        self._name = name
        self._description = ""
        self._metadata: dict[str, Any] = {}
        self._does: list[tuple[str, tuple[Any, ...]]] = []
        self._steps: list[Step] = []

    def description(self, text: str) -> Self:
        """Say what it is for."""
        self._description = text
        return self

    with_description = description

    def with_metadata(self, **metadata: Any) -> Self:
        """Say what else should be known of it."""
        self._metadata.update(metadata)
        return self

    def add_step(self, step: Step) -> Self:
        """Add a step after the others; raises as `Workflow.add_step`."""
        check(step, beside=self._steps)
        self._steps.append(step)
        return self

    def add_agent_step(self, step_id: str, agent: Any = None, message: Any = None) -> Self:
        """Add an `AgentStep`."""
        return self.add_step(AgentStep(step_id, agent, message))

    def add_tool_step(self, step_id: str, tool: Any = None, args: Mapping[str, Any] | None = None) -> Self:
        """Add a `ToolStep`."""
        return self.add_step(ToolStep(step_id, tool, args))

    def with_logger(self, logger: WorkflowLogger) -> Self:
        """As `Workflow.with_logger`."""
        return self._do("with_logger", logger)

    def with_callback(self, callback: Callable[[StepResult], Any]) -> Self:
        """As `Workflow.add_callback`."""
        return self._do("add_callback", callback)

    def with_error_handler(self, handler: Callable[..., Any]) -> Self:
        """As `Workflow.with_error_handler`."""
        return self._do("with_error_handler", handler)

    def add_error_handler(self, step_id: str, handler: Callable[..., Any]) -> Self:
        """As `Workflow.add_error_handler`."""
        return self._do("add_error_handler", step_id, handler)

    def build(self) -> Workflow:
        """Return a new workflow with these steps."""
        workflow = Workflow(self._id, self._name, self._description, self._metadata)
        for step in self._steps:
            workflow.add_step(step)
        for method, args in self._does:
            getattr(workflow, method)(*args)
        return workflow

    def _do(self, method: str, *args: Any) -> Self:
        getattr(Workflow(self._id), method)(*args)  # so that what is wrong is said here
        self._does.append((method, args))
        return self


def create_workflow(
    workflow_id: str, name: str | None = None, steps: Iterable[Step] = (), description: str = ""
) -> Workflow:
    """Return a workflow with these steps, one after the other."""
    workflow = Workflow(workflow_id, name, description)
    for step in steps:
        workflow.add_step(step)
    return workflow


def create_sequential_workflow(workflow_id: str, steps: Iterable[Step], name: str | None = None) -> Workflow:
    """Return a workflow with these steps, one after the other."""
    return create_workflow(workflow_id, name, steps)


def create_parallel_workflow(
    workflow_id: str, steps: Iterable[Step], name: str | None = None, wait_for_all: bool = True
) -> Workflow:
    """Return a workflow with these steps side by side: one `ParallelStep`, named ``<id>_parallel``."""
    return create_workflow(workflow_id, name, [ParallelStep(f"{workflow_id}_parallel", [*steps], wait_for_all)])


def _check_callable(workflow: Workflow, given: Any, what: str) -> None:
    if not callable(given):
        raise TypeError(f"workflow {workflow.workflow_id!r}: {what} is a function, not {given!r}")
