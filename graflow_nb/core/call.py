"""One call of a task, what comes back from it, and who may stand round it."""

from __future__ import annotations

import threading
import time
from asyncio import CancelledError
from typing import TYPE_CHECKING, Any, Protocol

from graflow_nb.core.errors import NoResultError, TaskCancelled
from graflow_nb.core.scope import opened, running
from graflow_nb.core.task import Defined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextvars import Context

    from graflow_nb.core.arguments import Binding
    from graflow_nb.core.context import TaskContext
    from graflow_nb.core.task import Task


class Produced:
    """What a task made.

    Attributes
    ----------
    task_name : str
    value : object
        Its result.
    variables : mapping of str to object
        The variables it defines.
    prints : mapping of (str or None) to object
        The fingerprint of each variable, and under None of the value; the cache's own.
    """

    __slots__ = ("prints", "task_name", "value", "variables")

    def __init__(
        self, task_name: str, value: Any, variables: Mapping[str, Any], prints: Mapping[str | None, Any]
    ) -> None:
        self.task_name = task_name
        self.value = value
        self.variables = variables
        self.prints = prints

    def get(self, variable: str | None) -> Any:
        """Return a variable, or the value for None.

        Raises
        ------
        NoResultError
            If the task did not assign the variable.
        """
        if variable is None:
            return self.value
        self._check(variable)
        return self.variables[variable]

    def print_of(self, variable: str | None) -> Any:
        """Return the fingerprint of a variable, or of the value for None; raises as `get` does."""
        self._check(variable)
        return self.prints[variable]

    def _check(self, variable: str | None) -> None:
        if variable is not None and variable not in self.variables:
            raise NoResultError(f"task {self.task_name!r} did not assign {variable!r} in its last run")


class Outcome:
    """What came of a call: never raised, always returned.

    Attributes
    ----------
    name : str
    value, variables
        As in `Produced`.
    error : BaseException or None
    outputs : sequence of dict
        What it printed and displayed, as nbformat outputs.
    next_tasks : sequence of Task
        What it asked to run next.
    started, ended : float
        `time.perf_counter`, seconds.
    worker : str
    prints : mapping
        As in `Produced`.
    spoiled : sequence of str
        Why the result must not be reused, if so.
    """

    __slots__ = (
        "ended", "error", "name", "next_tasks", "outputs", "prints", "spoiled", "started", "value",
        "variables", "worker",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.value: Any = None
        self.variables: Mapping[str, Any] = {}
        self.error: BaseException | None = None
        self.outputs: Sequence[dict[str, Any]] = ()
        self.next_tasks: Sequence[Task] = ()
        self.prints: dict[str | None, Any] = {}
        self.spoiled: Sequence[str] = ()
        self.worker = ""
        self.started = self.ended = time.perf_counter()

    def produced(self) -> Produced:
        """Return what the call made, without how."""
        return Produced(self.name, self.value, self.variables, self.prints)


class Around(Protocol):
    """Something that happens round every call, where the call happens: capture, fingerprints."""

    def before(self, call: Call) -> None:
        """Prepare; what it raises is the call's error."""

    def after(self, call: Call, outcome: Outcome) -> None:
        """Look at the outcome, and add to it."""


class Call:
    """A task's function with its arguments, ready to run anywhere.

    Parameters
    ----------
    task : Task
    fn : callable
    args, kwargs
        The arguments.
    context : TaskContext
    variables : contextvars.Context
        In which the call runs.
    around : sequence of Around
        The first is the outermost.
    binding, inputs
        Where the arguments came from, and what those tasks produced.
    key
        What the cache decided on; its own.
    """

    __slots__ = ("args", "around", "binding", "context", "fn", "inputs", "key", "kwargs", "task", "variables")

    def __init__(
        self,
        task: Task,
        fn: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        context: TaskContext,
        variables: Context,
        around: Sequence[Around] = (),
        binding: Binding | None = None,
        inputs: Mapping[str, Produced] | None = None,
        key: Any = None,
    ) -> None:
        self.task = task
        self.fn = fn
        self.args = args
        self.kwargs = kwargs
        self.context = context
        self.variables = variables
        self.around = around
        self.binding = binding
        self.inputs = inputs or {}
        self.key = key

    def run(self) -> Outcome:
        """Make the call here and now."""
        return self.variables.run(self._run)

    def _run(self) -> Outcome:
        outcome, entered = self._begin(), 0
        try:
            for around in self.around:
                around.before(self)
                entered += 1
            _take(outcome, self.fn(*self.args, **self.kwargs))
        except BaseException as error:
            outcome.error = error
        return self._end(outcome, entered)

    async def arun(self) -> Outcome:
        """Make the call of a coroutine function on the loop that awaits this, in `variables`."""
        outcome, entered = self._begin(), 0
        try:
            for around in self.around:
                around.before(self)
                entered += 1
            _take(outcome, await self.fn(*self.args, **self.kwargs))
        except CancelledError as error:
            outcome.error = TaskCancelled() if self.context.cancelled else error
        except BaseException as error:
            outcome.error = error
        return self._end(outcome, entered)

    def _begin(self) -> Outcome:
        running.set(self.context)
        opened.set(None)
        return Outcome(self.task.name)

    def _end(self, outcome: Outcome, entered: int) -> Outcome:
        for around in reversed(self.around[:entered]):
            try:
                around.after(self, outcome)
            except BaseException as error:
                outcome.error = outcome.error or error
        outcome.ended = time.perf_counter()  # figures are drawn when the call is over, and that is its time too
        outcome.next_tasks = self.context.next_tasks
        outcome.worker = threading.current_thread().name
        return outcome


def _take(outcome: Outcome, value: Any) -> None:
    if type(value) is Defined:
        outcome.value, outcome.variables = value
    else:
        outcome.value = value
