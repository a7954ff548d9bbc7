"""How a run, or one task of it, is stopped: ask, then break off, then give up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_nb.core.status import Status

if TYPE_CHECKING:
    import threading

    from graflow_nb.core.call import Call
    from graflow_nb.core.place import Place
    from graflow_nb.core.run import Run, TaskRecord
    from graflow_nb.core.scheduler import Scheduler


class Stopping:
    """The part of `graflow_nb.core.runner.Runner` that stops what runs."""

    run: Run
    _cancelled: threading.Event
    _calls: dict[str, Call]
    _places: dict[str, Place]
    _running: dict[str, Place]
    _scheduler: Scheduler
    _stopped: str
    _stopped_tasks: set[str]

    @property
    def is_cancelled(self) -> bool:
        """Whether the run was cancelled."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Start nothing more, and ask what runs to stop."""
        self._stopped = "the run was cancelled"
        self.run.was_cancelled = True
        self._cancelled.set()
        self._withdraw()
        if "loop" in self._places:
            self._places["loop"].backend.interrupt()

    def cancel_task(self, name: str) -> Call | None:
        """Cancel a task that waits for a worker, or ask one that runs to stop; return the call to wait for."""
        self._stopped_tasks.add(name)
        for place in self._places.values():
            if name in place.queue:
                place.queue.remove(name)
                self._cancel_alone(self.run.records[name], "cancelled before it ran")
                return None
        call = self._calls.get(name)
        if call is not None:
            call.context.is_stopped = True
        return call

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
                del self._running[name]
                self._calls.pop(name, None)
                self.run.stuck.append(name)
                if call is None:
                    self._end(self.run.records[name], Status.CANCELLED, note)
                else:
                    self._cancel_alone(self.run.records[name], note)

    def _withdraw(self) -> None:
        """Take back the calls that no worker has begun."""
        for place in self._places.values():
            for call in place.backend.withdraw():
                name = call.task.name
                del self._running[name]
                self._calls.pop(name, None)
                place.out -= 1
                self.run.records[name].status = Status.WAITING

    def _cancel_alone(self, record: TaskRecord, note: str) -> None:
        """End one task as cancelled, and skip what waits for it."""
        name = record.task.name
        self._end(record, Status.CANCELLED, note)
        for child in self._scheduler.fail(name):
            self._end(self.run.records[child], Status.SKIPPED, f"task {name!r} was cancelled")

    def _end(self, record: TaskRecord, status: Status, note: str) -> None:
        raise NotImplementedError
