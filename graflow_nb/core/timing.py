"""What happens to a task after a time: another attempt, or an end because it took too long."""

from __future__ import annotations

import heapq
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from graflow_nb.core.errors import TaskCancelled, TaskTimeout, describe
from graflow_nb.core.events import TaskRetrying
from graflow_nb.core.state import RunState
from graflow_nb.core.status import Status

if TYPE_CHECKING:
    from graflow_nb.core.call import Call, Outcome
    from graflow_nb.core.run import TaskRecord
    from graflow_nb.core.task import Task

PATIENCE: Final = 0.65
"""Seconds that a call which took too long has to end when it is broken off, before it is given up."""

SOON: Final = 0.01
"""Seconds after which a call that waits for a worker is looked at again, at the earliest."""


class Timing(RunState):
    """The part of `graflow_nb.core.runner.Runner` that keeps time."""

    def tick(self) -> None:
        """Do what is due."""
        while self._timers and self._timers[0][0] <= time.perf_counter():
            heapq.heappop(self._timers)[2]()
        self._advance()

    def _tries_again(self, record: TaskRecord, error: BaseException, *, is_tidy: bool) -> bool:
        """Let a task that failed wait for its next attempt, if it has one.

        Parameters
        ----------
        is_tidy : bool
            Whether the attempt left nothing in the channel.
        """
        name, retry = record.task.name, record.task.options.retry
        attempt = self._attempts.get(name, 1)
        if retry is None or self._stopped or not retry.retries_after(error, attempt):
            return False
        delay = retry.delay(attempt)
        self._attempts[name] = attempt + 1
        record.attempts += 1
        self._earlier_outputs[name] = [*record.outputs]
        of = retry.max_retries + 1
        record.status = Status.RETRYING
        record.note = f"attempt {attempt} of {of}: {describe(error)}"
        record.progress = None, f"{attempt + 1}/{of}"
        if not is_tidy:
            self._untidy.add(name)
        self._delayed.add(name)
        self._tell(TaskRetrying(self.run, name, attempt + 1, of, delay, error))
        self._at(time.perf_counter() + delay, partial(self._retry, name, attempt + 1))
        return True

    def _retry(self, name: str, attempt: int) -> None:
        if name in self._delayed and self._attempts.get(name) == attempt and not self._stopped:
            self._delayed.discard(name)
            self._decide(name)

    def _watch(self, call: Call, seconds: float) -> None:
        """Break a call off when it has taken too long, counted from when it began."""
        self._at(time.perf_counter() + seconds, partial(self._look_at, call.task.name, call.number, seconds))

    def _look_at(self, name: str, number: int, seconds: float) -> None:
        call = self._calls.get(name)
        if call is None or call.number != number:
            return
        begun = call.context.begun
        left = seconds if begun is None else begun + seconds - time.perf_counter()
        if left > 0:
            self._at(time.perf_counter() + max(left, SOON), partial(self._look_at, name, number, seconds))
            return
        self._timed_out.add(number)
        call.context.is_stopped = True
        self.interrupt(call)
        self._at(time.perf_counter() + PATIENCE, partial(self._abandon, name, number))

    def _abandon(self, name: str, number: int) -> None:
        """Go on without a call that took too long and cannot be broken off; what it returns is ignored."""
        call = self._calls.get(name)
        if call is not None and call.number == number:
            self._leave(name)
            self._let_go(name)
            record = self.run.records[name]
            error = _timeout(call.task)
            if not (self._tries_again(record, error, is_tidy=False) or self._is_rescued(record, error)):
                self._fail(record, error)

    def _name_timeout(self, outcome: Outcome, task: Task) -> None:
        """Say that a call took too long, if it did, however it ended when it was broken off."""
        if outcome.number in self._timed_out:
            self._timed_out.discard(outcome.number)
            how = outcome.error
            outcome.error = _timeout(task)
            outcome.error.__cause__ = None if isinstance(how, TaskCancelled) else how

    def interrupt(self, call: Call | None = None) -> None:
        """Break off a call, or all."""
        raise NotImplementedError


def _timeout(task: Task) -> TaskTimeout:
    return TaskTimeout(f"task {task.name!r} took longer than its timeout of {task.options.timeout:g} seconds")
