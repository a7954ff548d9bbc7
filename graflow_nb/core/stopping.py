"""How a run, or one task of it, is stopped: ask, then break off, then give up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_nb.core.state import RunState
from graflow_nb.core.status import Status

if TYPE_CHECKING:
    from collections.abc import Collection

    from graflow_nb.core.call import Call
    from graflow_nb.core.run import TaskRecord


class Stopping(RunState):
    """The part of `graflow_nb.core.runner.Runner` that stops what runs."""

    def cancel(self) -> None:
        """Start nothing more, and ask what runs to stop."""
        self.run.was_cancelled = True
        self._around_it.cancelled.set()
        self._stop(self.run.cancelled or "the run was cancelled")
        if "loop" in self._places:
            self._places["loop"].backend.interrupt()
        for record in list(self.run.records.values()):  # at once: what runs may take its time to stop
            if record.status.is_pending:
                self._end(record, Status.CANCELLED, f"not started: {self._stopped}")

    def cancel_task(self, name: str) -> Call | None:
        """Cancel a task that has not begun, or ask one that runs to stop; return the call to wait for."""
        if name not in self.run.records:  # it was asked for when nothing more was begun
            return None
        self._stopped_tasks.add(name)
        for called in [name, *(asked for asked, (task, _) in self._asking.items() if task == name)]:
            if (call := self._calls.get(called)) is not None:
                call.context.is_stopped = True
                return call
        record = self.run.records[name]
        if record.task.is_composite and name in self._expanded:
            for member in self._expanded[name].members:
                if not self.run.records[member].status.is_final:
                    self.run.canceller(member)
        elif record.status.is_pending:
            self._cancel_waiting({name}, "cancelled before it ran")
        return None

    def _cancel_waiting(self, names: Collection[str], note: str) -> None:
        """Cancel tasks that are not running."""
        self._drop_waiting(lambda name: self._visible(name) in names)
        for name in names:
            record = self.run.records[name]
            if not record.status.is_final:
                self._delayed.discard(name)
                self._undecided.pop(name, None)
                self._cancel_alone(record, note)

    def interrupt(self, call: Call | None = None) -> None:
        """Break off a call that did not stop by itself, or all."""
        if call is None or self._calls.get(call.task.name) is call:
            for place in self._places.values():
                place.backend.interrupt(call)

    def give_up(self, call: Call | None = None) -> None:
        """Wait no longer for what cannot be broken off; what it returns will be ignored."""
        note = "still in a call that cannot be broken off"
        for name in list(self._running):
            if call is None or self._calls.get(name) is call:
                self._leave(name)
                self._let_go(name)
                record = self.run.records[self._visible(name)]
                if call is None:
                    self._end(record, Status.CANCELLED, note)
                else:
                    self._cancel_alone(record, note)

    def _let_go(self, name: str) -> None:
        """Wait no longer for a call: what it took is free for others, and what it does now is done to nothing."""
        call = self._calls.pop(name)
        self._running.pop(name).give_up(call)
        self._give_back(name)
        call.context.abandon()
        self.run.stuck.append(self._visible(name))

    def _stop(self, why: str) -> None:
        """Start nothing more; what runs goes on."""
        self._stopped = self._stopped or why
        self._delayed.clear()
        self._withdraw()
        if self._settles:
            self._stop_asking(self._stopped)

    def _withdraw(self) -> None:
        """Take back the calls that no worker has begun."""
        for place in self._places.values():
            for call in place.backend.withdraw():
                name = call.task.name
                del self._running[name]
                self._calls.pop(name, None)
                place.out -= 1
                self._record(name).status = Status.WAITING
                self.run.records[self._visible(name)].status = Status.WAITING

    def _cancel_alone(self, record: TaskRecord, note: str) -> None:
        """End one task as cancelled, and skip what waits for it."""
        name = record.task.name
        self._end(record, Status.CANCELLED, note)
        self._drop(self._scheduler.fail(name), f"task {name!r} was cancelled")
        if name in self._member_of:
            self._member_ended(name)
