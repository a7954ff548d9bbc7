"""What is done when a task has failed for good: it may be called again, or something else stands in for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graflow_nb.core.arguments import Binding, Constant
from graflow_nb.core.call import Produced
from graflow_nb.core.errors import TaskCancelled, describe
from graflow_nb.core.known_backends import THREADS
from graflow_nb.core.run import TaskRecord
from graflow_nb.core.state import RunState
from graflow_nb.core.status import Status
from graflow_nb.core.task import Task

if TYPE_CHECKING:
    from graflow_nb.core.call import Outcome


class _CallAgain:
    def __repr__(self) -> str:
        return "CALL_AGAIN"


CALL_AGAIN: Final = _CallAgain()
"""What a rescue returns to have its task called again, with all its attempts."""


class Rescuing(RunState):
    """The part of `graflow_nb.core.runner.Runner` that asks a task's rescue.

    A rescue (`Task.rescue`) is a task that nobody sees. It gets the error, how often it was asked before in this
    run, and the task's own arguments; what it returns is the task's result, what it raises its error.
    """

    def _is_rescued(self, record: TaskRecord, error: BaseException) -> bool:
        """Ask the rescue of a task that failed, if it has one."""
        task, binding = record.task, self._bindings[record.task.name]
        rescue = task.rescue
        if rescue is None or self._stopped or not isinstance(binding, Binding):
            return False
        name = task.name
        asked = f"{name}!"
        rescue = Task.apart(asked, rescue.fn, rescue.options)
        tries = self._rescues.get(name, 0)
        self._rescues[name] = tries + 1
        given = (("error", Constant(error)), ("tries", Constant(tries)))
        self._bindings[asked] = binding = binding._replace(positional=(*given, *binding.positional))
        if self._reuse is not None:
            try:
                self._keys[asked] = self._reuse.decide(rescue, binding, self._made, force=True).key
            except Exception as own:
                error.add_note(f"Its rescue could not be asked: {describe(own)}")
                return False
        self._asking[asked] = name, TaskRecord(rescue)
        self._rescuers[asked] = error
        self._earlier_outputs[name] = [*record.outputs]
        record.status = Status.RETRYING
        self._place("loop" if rescue.is_coroutine else THREADS).put(asked, task.options.priority)
        return True

    def _rescued(self, outcome: Outcome) -> None:
        """Take what came of a rescue."""
        name, _ = self._asking[outcome.name]
        failed = self._rescuers[outcome.name]
        self._leave(outcome.name)
        made, error = outcome.produced(), outcome.error
        if self._reuse is not None:
            made = self._reuse.record(outcome, self._keys.get(outcome.name), self._made).produced
        record = self.run.records[name]
        if record.status.is_final:
            return
        own = [o for o in outcome.outputs if error is not failed or o["output_type"] != "error"]
        record.outputs = [*self._earlier_outputs.get(name, ()), *own]
        self._earlier_outputs[name] = [*record.outputs]
        if error is None and outcome.value is CALL_AGAIN and not self._stopped:
            self._attempts.pop(name, None)
            record.attempts += 1
            self._decide(name)
        elif error is None and outcome.value is not CALL_AGAIN:
            self._settle(record, Produced(name, made.at_hand, made.prints), Status.SUCCEEDED)
        elif isinstance(error, TaskCancelled) or error is None:
            self._cancel_alone(record, "cancelled while it ran")
        else:
            self._fail(record, error)
