"""Whether a task runs: its condition, asked as a call of its own, and what of its inputs is there at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_nb.core.absence import adapted, with_data
from graflow_nb.core.arguments import Missing
from graflow_nb.core.commands import writes_in
from graflow_nb.core.errors import ConditionError, LostError, TaskCancelled, describe
from graflow_nb.core.known_backends import THREADS
from graflow_nb.core.run import TaskRecord
from graflow_nb.core.settings import Recorded, Withdrawn
from graflow_nb.core.state import RunState
from graflow_nb.core.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graflow_nb.core.arguments import Binding
    from graflow_nb.core.call import Outcome, Produced
    from graflow_nb.core.task import Task


class Conditions(RunState):
    """The part of `graflow_nb.core.runner.Runner` that decides whether a task has reason and means to run.

    A task whose condition is false, and one all of whose inputs were skipped, is skipped in turn. A join with
    some inputs left runs: a parameter whose input was skipped takes its default, a list leaves it out.
    """

    def _ask(self, record: TaskRecord) -> bool:
        """Ask a task's condition; return whether that made other tasks ready."""
        name = record.task.name
        condition = self._conditions[name]
        asked = condition.task.name
        if asked in self._running:
            return False
        binding = self._adapted(condition.task, condition.binding, name)
        if isinstance(binding, str):
            self._skip(record, binding)
            return True
        self._bindings[asked] = binding
        self._asking[asked] = name, TaskRecord(condition.task)
        if self._reuse is not None:
            try:
                decision = self._reuse.decide(condition.task, binding, self._made, force=self._force.get(name))
                if decision.produced is not None:
                    self._around_it.channel.apply(writes_in(decision.produced.commands))
                    return self._hear(record, decision.produced)
            except LostError:
                decision = self._reuse.decide(condition.task, binding, self._made, force=True)
            except Exception as error:
                self._fail(record, error)
                return False
            self._keys[asked] = decision.key
        record.status, record.ready = Status.READY, self.run.elapsed()
        place = "loop" if condition.task.is_coroutine else THREADS  # it is short, and need not travel
        self._place(place).put(asked, record.task.options.priority)
        return False

    def _answered(self, outcome: Outcome) -> None:
        """Take the outcome of a condition."""
        name, _ = self._asking[outcome.name]
        record = self.run.records[name]
        if isinstance(outcome.error, Withdrawn):
            self._ask(record)
            return
        kept = Recorded(outcome.produced())
        if self._reuse is not None:
            kept = self._reuse.record(outcome, self._keys.get(outcome.name), self._made)
        if record.status.is_final:
            pass  # it was cancelled meanwhile
        elif self._stopped:
            record.status = Status.WAITING
        elif outcome.error is None:
            self._hear(record, outcome.produced())
        elif isinstance(outcome.error, TaskCancelled) and name in self._stopped_tasks:
            self._cancel_alone(record, "cancelled before it ran")
        else:
            self._fail(record, _failed(name, outcome.error))
        if kept.again and not self._stopped:
            self._make_again(kept.again)

    def _hear(self, record: TaskRecord, answer: Produced) -> bool:
        name = record.task.name
        try:
            is_true = bool(answer.value)
        except Exception as error:
            self._fail(record, _failed(name, error))
            return False
        if is_true:
            self._answers.add(name)
            return self._decide(name)
        self._skip(record, "its condition is false")
        return True

    def _bind_again(self, name: str) -> str:
        """Let a task's binding be of what is there; return why it is skipped, if so."""
        record = self.run.records[name]
        planned = self._planned.get(name) or self._bindings[name]
        if isinstance(planned, Missing):
            return ""
        befores = self.run.parents[name]
        if befores and name not in self._jumped and all(self._is_gone(before, name) for before in befores):
            return f"{_listed(befores)} skipped"
        binding = self._adapted(record.task, planned, name)
        if isinstance(binding, str):
            return binding
        if name in self._data:
            binding = with_data(record.task, binding, self._data[name])
        if binding is not planned or name in self._planned:
            self._planned[name], self._bindings[name] = planned, binding
        return ""

    def _is_gone(self, before: str, after: str) -> bool:
        """Whether there is nothing of one task for another, although nothing failed."""
        if after in self._jumped:
            return before not in self._made
        return before in self._skipped or (before, after) in self._cut

    def _adapted(self, task: Task, binding: Binding, at: str) -> Binding | str:
        """Return a binding of what is there; the same if all is; or why the task cannot be called."""
        if not (self._skipped or self._cut or self._jumped):
            return binding
        return adapted(task, binding, lambda before: self._is_gone(before, at), self._jumped.get(at))


def _failed(name: str, error: BaseException) -> ConditionError:
    failed = ConditionError(f"the condition of task {name!r} (when) raised {describe(error)}")
    failed.__cause__ = error
    return failed


def _listed(names: Sequence[str]) -> str:
    quoted = ", ".join(map(repr, names[:3]))
    return f"{quoted}{', …' if len(names) > 3 else ''} {'was' if len(names) == 1 else 'were'}"  # noqa: PLR2004
