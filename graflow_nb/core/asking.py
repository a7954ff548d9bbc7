"""Tasks that a running coroutine asks for and awaits: nodes of the run like all others.

What has asked decides what their failure means; none of them outlives it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from graflow_nb.core.errors import TaskDefinitionError
from graflow_nb.core.run import TaskRecord
from graflow_nb.core.state import RunState
from graflow_nb.core.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graflow_nb.core.arguments import Binding
    from graflow_nb.core.surroundings import Surroundings
    from graflow_nb.core.task import Task


@dataclass(frozen=True, slots=True)
class Ask:
    """The message by which a running task asks for another one.

    Attributes
    ----------
    by : str
        The task that asks.
    task : Task
        Made for it, and in no workflow. A name that this run knows is taken once more when its task has ended.
    binding : Binding
        Its arguments, known.
    settle : callable
        Is told the record when it has ended.
    after : sequence of str
        What it is drawn after; by default what the one that asks comes after.
    skip : str
        Why it does not run, if it is only to be seen.
    force : bool
        Run it even if its result could be reused.
    """

    by: str
    task: Task
    binding: Binding
    settle: Callable[[TaskRecord], None]
    after: Sequence[str] = ()
    skip: str = ""
    force: bool = False


class Asking(RunState):
    """The part of `graflow_nb.core.runner.Runner` that runs what running tasks ask for."""

    def ask(self, ask: Ask) -> None:
        """Let a task that was asked for take part, or tell at once that it cannot."""
        name = ask.task.name
        there = self.run.records.get(name)
        if there is not None and name not in self._asked_by:
            record = TaskRecord(ask.task)
            record.status = Status.FAILED
            record.error = TaskDefinitionError(
                f"task {ask.by!r} asked for a task {name!r}, and this run has one already: give it another name"
            )
            ask.settle(record)
        elif there is not None and not there.status.is_final:
            self._asks_later.setdefault(name, []).append(ask)  # its last call has still to end
        elif self._stopped or ask.by not in self._running:
            record = TaskRecord(ask.task)
            record.status, record.note = Status.CANCELLED, f"not started: {self._stopped or 'nobody waits for it'}"
            ask.settle(record)
        else:
            self._begin_asked(ask, there)

    def _begin_asked(self, ask: Ask, there: TaskRecord | None) -> None:
        name, by = ask.task.name, ask.by
        owner = self._visible(by)
        if by not in self._own_parents:
            own = self._own_parents[by] = list(self.run.parents[owner])
            self.run.parents[owner] = self._drawn_after[owner] = [*own]
        self._is_special = True
        self._asked_by[name] = by
        self._force[name] = ask.force
        self._admit(ask.task, ask.binding, [*(ask.after or self._own_parents[by])], waits_for=())
        if there is not None:
            self._earlier_outputs[name] = [*there.outputs]
            self._attempts.pop(name, None)
        else:
            self._drawn_after[owner].append(name)
            self.run.members[owner] = (*self.run.members.get(owner, ()), name)
            self.run.born.add(name)
            self._frame(owner, name)
        if ask.skip:
            self._scheduler.fail(name)
            self._end(self.run.records[name], Status.SKIPPED, ask.skip)
            ask.settle(self.run.records[name])
            return
        self._settles[name] = ask.settle
        if self._waits.get(by, 0) == 0:  # while it waits it takes no room that what it waits for might need
            self._running[by].out -= 1
            if self._limits is not None:
                self._give_back(by)
        self._waits[by] = self._waits.get(by, 0) + 1

    def _frame(self, owner: str, name: str) -> None:
        """Draw a task in the frame of the one that asked for it, and in those round that."""
        frames: str | None = owner
        while frames is not None:
            self._framed.setdefault(frames, []).append(name)
            self.run.frames[frames] = self._framed[frames]
            frames = self._asked_by.get(frames)
            frames = None if frames is None else self._visible(frames)

    def _told(self, name: str) -> None:
        """Tell who asked for a task that it has ended; end what a task that has ended has asked for."""
        if (settle := self._settles.pop(name, None)) is not None:
            by, record = self._asked_by[name], self.run.records[name]
            self.run.tolerated.add(name)  # who asked decides what its failure means
            self._goes_on(by)
            settle(record)
        for ask in self._asks_later.pop(name, ()):
            self.ask(ask)

    def _goes_on(self, by: str) -> None:
        if self._waits.get(by):
            self._waits[by] -= 1
            if not self._waits[by] and by in self._running:
                self._running[by].out += 1

    def _leave(self, by: str) -> None:
        """End what a call that is over has asked for."""
        if self._waits.pop(by, 0) and by in self._running:
            self._running[by].out += 1
        for name in [name for name in self._settles if self._asked_by[name] == by]:
            self._stop_asked(name, f"nobody waits for it: {self._visible(by)!r} has ended")

    def _stop_asked(self, name: str, why: str) -> None:
        if self.run.records[name].status is Status.RUNNING or self._settling(name):
            self.run.canceller(name)
        else:
            self._cancel_waiting({name}, why)

    def _stop_asking(self, why: str) -> None:
        """Let nobody wait for what will not be started."""
        for name in list(self._settles):
            if name not in self._running and name in self._settles and not self._settling(name):
                self._cancel_waiting({name}, f"not started: {why}")

    def _settling(self, name: str) -> bool:
        """Whether a call for a task, such as its condition, is still to come back."""
        return any(owner == name and asked in self._running for asked, (owner, _) in self._asking.items())


async def ask(
    surroundings: Surroundings,
    by: str,
    task: Task,
    binding: Binding,
    *,
    after: Sequence[str] = (),
    skip: str = "",
    force: bool = False,
) -> TaskRecord:
    """Let another task run, and return its record when it has ended, however it ended.

    Cancelling this cancels the task.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[TaskRecord] = loop.create_future()

    def settle(record: TaskRecord) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(partial(_settle, ended, record))

    surroundings.post(Ask(by, task, binding, settle, after, skip, force))
    try:
        return await ended
    except asyncio.CancelledError:
        surroundings.cancel(task.name)
        raise


def _settle(ended: asyncio.Future[TaskRecord], record: TaskRecord) -> None:
    if not ended.done():
        ended.set_result(record)
