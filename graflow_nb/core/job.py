"""A call that is made elsewhere: what of it travels, what stays, and how the two meet again."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from graflow_nb.core.call import Call, Outcome
from graflow_nb.core.context import TaskContext
from graflow_nb.core.options import Options
from graflow_nb.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graflow_nb.core.call import Around
    from graflow_nb.core.surroundings import Surroundings


class Job(NamedTuple):
    """What of a call travels; nothing in it belongs to the process that it comes from.

    Attributes
    ----------
    name : str
        The task's.
    number : int
        The call's.
    fn : callable
    args, kwargs
        The arguments.
    around : sequence of Around
        Stand round the call where it is made.
    cycle, max_cycles : int
        Which call of the task it is in its run, and how many there may be.
    run_id : str
    seed : int or None
    elapsed : float
        Seconds since the run began.
    round : int or None
        As `Surroundings.rounds` has it.
    is_captured : bool
    content_of : callable or None
        As in `Surroundings`.
    """

    name: str
    number: int
    fn: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    around: Sequence[Around]
    cycle: int
    max_cycles: int
    run_id: str
    seed: int | None
    elapsed: float
    round: int | None
    is_captured: bool
    content_of: Callable[[Any], Any] | None


class _Context:
    """Stands for the running task's context among its arguments."""

    def __reduce__(self) -> str:
        return "_CONTEXT"


_CONTEXT = _Context()


class Sent:
    """A call that is made elsewhere, as it stays here.

    Parameters
    ----------
    call : Call
    """

    def __init__(self, call: Call) -> None:
        self.call = call
        self._entered: list[Around] = []

    def job(self) -> Job:
        """Return what travels; raises what stands round the call, if it must not be made."""
        return cast("Job", self.inside(self._job))

    def inside(self, do: Callable[..., Any], *args: Any) -> Any:
        """Do something as if the call did it here: its output is the call's."""
        return self.call.variables.run(do, *args)

    def taken(self, outcome: Outcome) -> Outcome:
        """Take what came back, or an error in its place; `outcome` is complete then."""
        return cast("Outcome", self.inside(self._taken, outcome))

    def failed(self, error: BaseException) -> Outcome:
        """Take an error in place of an outcome."""
        outcome = Outcome(self.call.task.name, self.call.number)
        outcome.error = error
        outcome.worker = threading.current_thread().name
        if self.call.context.begun is not None:
            outcome.started = self.call.context.begun
        return self.taken(outcome)

    def _job(self) -> Job:
        call = self.call
        around = []
        for one in call.around:
            travelling = one.remote(call)
            self._entered.append(one)
            if travelling is not None:
                around.append(travelling)
        run = call.context.surroundings
        return Job(
            call.task.name,
            call.number,
            call.fn,
            [_CONTEXT if value is call.context else value for value in call.args],
            {name: _CONTEXT if value is call.context else value for name, value in call.kwargs.items()},
            around,
            call.context.cycle,
            call.task.options.max_cycles,
            run.run_id,
            run.seed,
            time.perf_counter() - run.started,
            run.rounds.get(call.task.name),
            run.is_captured,
            run.content_of,
        )

    def _taken(self, outcome: Outcome) -> Outcome:
        while self._entered:
            try:
                self._entered.pop().take(self.call, outcome)
            except BaseException as error:
                outcome.error = outcome.error or error
        return outcome


def make(job: Job, surroundings: Surroundings) -> Outcome:
    """Make a call that came from elsewhere, here and now; `surroundings` stand for those of its run."""
    task = Task.apart(job.name, job.fn, Options(max_cycles=job.max_cycles))
    context = TaskContext(task, surroundings, job.cycle)
    variables = contextvars.copy_context()
    args = [context if value is _CONTEXT else value for value in job.args]
    kwargs = {name: context if value is _CONTEXT else value for name, value in job.kwargs.items()}
    call = Call(task, job.fn, args, kwargs, context, variables, job.around, number=job.number)
    if task.is_coroutine:
        return variables.run(lambda: asyncio.run(call.arun()))
    return call.run()
