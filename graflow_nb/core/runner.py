"""A run: the scheduler's state, the calls that are out, and what their outcomes mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.core.arguments import Binding, Upstream, upstreams
from graflow_nb.core.asking import Asking
from graflow_nb.core.commands import Skip
from graflow_nb.core.composing import Composing
from graflow_nb.core.conditions import Conditions
from graflow_nb.core.errors import LostError, TaskCancelled, TaskDefinitionError, describe
from graflow_nb.core.events import RunFinished, RunStarted, TaskFinished, TaskStarted
from graflow_nb.core.growing import Growing
from graflow_nb.core.handing import Handing
from graflow_nb.core.iterators import torn
from graflow_nb.core.rescuing import Rescuing
from graflow_nb.core.settings import Recorded, Withdrawn
from graflow_nb.core.status import Status
from graflow_nb.core.stopping import Stopping
from graflow_nb.core.timing import Timing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from graflow_nb.core.call import Outcome, Produced
    from graflow_nb.core.limits import Limits
    from graflow_nb.core.place import Place
    from graflow_nb.core.run import TaskRecord
    from graflow_nb.core.task import Task

# Python 3.11 takes ten times as long to look a member up in its enum.
_READY, _RUNNING, _SUCCEEDED, _CACHED = Status.READY, Status.RUNNING, Status.SUCCEEDED, Status.CACHED


class Runner(Stopping, Timing, Growing, Composing, Conditions, Asking, Rescuing, Handing):
    """The state machine of one run: `start`, then `handle` each outcome while `is_active`, then `finish`."""

    def start(self) -> None:
        """Hand out everything that waits for nothing."""
        self._tell(RunStarted(self.run))
        self.run.begun.set()
        self._advance()

    def handle(self, outcomes: Iterable[Outcome]) -> None:
        """Take outcomes that came back, and hand out what they made ready."""
        for outcome in outcomes:
            call = self._calls.get(outcome.name)
            if call is None or call.number != outcome.number:  # it was given up before it came
                continue
            del self._calls[outcome.name]
            if self._settles:
                self._leave(outcome.name)
            self._running.pop(outcome.name).came_back(outcome.ended - outcome.started)
            self._give_back(outcome.name)
            if outcome.name in self._outrun:
                self._came_too_late(outcome)
            else:
                self._take(outcome)
        self._advance()

    def finish(self) -> None:
        """Close the run; what never started is cancelled, or waiting if the steps ran out."""
        for record in self.run.records.values():
            if record.status.is_pending or (record.status is _RUNNING and record.task.is_composite):
                if self.run.ended is not None and not self.is_cancelled:
                    self._end(record, Status.SKIPPED, f"not started: {self._stopped}")
                elif self.run.stopped and not self.is_cancelled:
                    record.status = Status.WAITING
                else:
                    self._end(record, Status.CANCELLED, f"not started: {self._stopped}")
        if self._reuse is not None:
            self.run.notes += self._reuse.close()
        self.run.finish()
        self._tell(RunFinished(self.run))

    def abandon(self) -> None:
        """Close a run that could not begin: everything is as it was before."""
        if self._reuse is not None:
            self._reuse.close()
        self.run.is_trial = True
        self.run.finish()

    def _advance(self) -> None:
        while not self._stopped:
            went_on = self._decide_all()
            if self._limits is not None:
                self._wake(self._limits)
            for place in self._places.values():
                while place.is_wanted and place.has_room and not self._stopped:
                    name = place.next()
                    if self._limits is not None and not self._limits.take(name, self._needs.get(name, {})):
                        continue
                    if self._reuse is not None and self._reopens(name, place):
                        went_on = True
                    else:
                        self._submit(name, place)
            if not went_on and (self._limits is None or not self._limits.is_stirred):
                return

    def _decide_all(self) -> bool:
        """Decide on everything that is ready; return whether that made other tasks ready."""
        if not (ready := self._scheduler.get_ready()):
            return False
        self._undecided = dict.fromkeys(ready)
        went_on = False
        while self._undecided:
            name = next(iter(self._undecided))
            del self._undecided[name]
            went_on |= self._decide(name)
        return went_on

    def _decide(self, name: str) -> bool:
        """Reuse a task's result, or queue it; return whether that made other tasks ready."""
        record = self.run.records[name]
        if self._is_special and (done := self._decide_special(record)) is not None:
            return done
        binding = self._bindings[name]
        if isinstance(binding, Binding) and binding.behind and not self._is_current(record, binding):
            return False
        if self._reuse is not None and isinstance(binding, Binding):
            try:
                force = self._force.get(name)
                decision = self._reuse.decide(record.task, binding, self._made, force=force)
                made = decision.produced
                if made is not None and made.has_commands and not self._may_repeat(record, made):
                    decision = self._reuse.decide(record.task, binding, self._made, force=True)
            except Exception as error:
                self._fail(record, error)
                return False
            record.reasons, self._keys[name] = decision.reasons, decision.key
            if decision.produced is not None:
                record.outputs, record.seconds = decision.outputs, decision.seconds
                self._settle(record, decision.produced, _CACHED)
                return True
        record.status, record.ready = _READY, self.run.elapsed()
        try:
            place = self._place(self._place_of(record.task))
        except Exception as error:  # only for a task that was born in the run
            self._fail(record, error)
        else:
            place.put(name, record.task.options.priority)
        return False

    def _decide_special(self, record: TaskRecord) -> bool | None:
        """Do what has to be done with a task before it may be called; return None if it may be now."""
        name = record.task.name
        if record.status.is_final:  # it was cancelled while it waited
            return False
        if name in self._outrun:  # its call before has to end first
            self._held_up.add(name)
            return False
        if why := self._bind_again(name):
            self._skip(record, why)
            return True
        if name in self._conditions and name not in self._answers:
            return self._ask(record)
        return self._open(record) if record.task.is_composite else None

    def _reopens(self, name: str, place: Place) -> bool:
        """Let a task that must run wait until what it reads is made again; return whether that is needed."""
        binding = self._bindings[name]
        lost = self._lost(name, binding, place) if isinstance(binding, Binding) else {}
        if lost:
            self._make_again(lost, self._visible(name))
        return bool(lost)

    def _lost(self, reader: str, binding: Binding, place: Place) -> dict[str, Any]:
        """Return the tasks whose results a task that must run would read and cannot have, with the reasons."""
        assert self._reuse is not None
        lost = {}
        read = [upstream for _, source in binding.sources() for upstream in upstreams(source)]
        for task, variable in read:  # grows as it goes
            if task in self._expanded:
                read += [Upstream(member) for member in self._expanded[task].members if member in self._made]
            elif reason := self._reuse.missing(self._made[task], variable, reader, place.takes):
                lost[task] = reason
        return lost

    def _make_again(self, lost: Mapping[str, Any], reader: str | None = None) -> None:
        """Run tasks again; what was reused after them, or waits for a worker, is decided again, and the reader."""
        queued = {self._visible(name) for place in self._places.values() for name in place.waiting}

        def waits_again(name: str) -> bool:
            if name in {reader, *lost} or name in queued or name in self._undecided:
                return True
            record = self.run.records[name]
            return record.status is _CACHED or (record.task.is_composite and record.status is _SUCCEEDED)

        self._force |= lost
        for name in self._scheduler.reopen(lost, waits_again):
            record = self.run.records[name]
            record.status, record.produced = Status.WAITING, None
            self._undecided.pop(name, None)
            self._answers.discard(name)
        self._drop_waiting(lambda name: self.run.records[self._visible(name)].status is not _READY)

    def _is_current(self, record: TaskRecord, binding: Binding) -> bool:
        """Fail a task that would read what plain code made from an older result; return whether it may go on."""
        name, scope = record.task.name, self._settings.scope
        try:
            if scope is not None:
                scope.check(record.task, binding.behind, self._made, accept=name in self._settings.accepted)
        except Exception as error:
            self._fail(record, error)
            return False
        return True

    def _submit(self, name: str, place: Place) -> None:
        if self._settings.max_steps is not None and self._steps >= self._settings.max_steps:
            self._stopped = self.run.stopped = f"stopped after {self._steps} steps (max_steps)"
            self.run.notes.append(self._stopped)
            return
        record = self._record(name)
        record.status, record.started = _RUNNING, self.run.elapsed()
        self._running[name] = place
        place.out += 1
        if name in self.run.records:
            self._steps += 1
            if self._settings.listeners:
                self._tell(TaskStarted(self.run, name))
        try:
            call = self._call(record.task, place.takes)
        except Exception as error:
            del self._running[name]
            place.out -= 1
            self._give_back(name)
            self._fail(self.run.records[self._visible(name)], error)
        else:
            self._calls[name] = call
            if record.task.options.timeout is not None:
                self._watch(call, record.task.options.timeout)
            place.backend.submit(call)

    def _take(self, outcome: Outcome) -> None:
        name = outcome.name
        if name in self._asking:
            self._rescued(outcome) if name in self._rescuers else self._answered(outcome)
            return
        record = self.run.records[name]
        if isinstance(outcome.error, Withdrawn):
            record.status = Status.WAITING
            if not self._stopped:
                self._decide(name)
            return
        record.started = outcome.started - self.run.started
        record.seconds = outcome.ended - outcome.started
        record.outputs, record.worker = outcome.outputs, outcome.worker
        if self._earlier_outputs:
            record.outputs = [*self._earlier_outputs.get(name, ()), *outcome.outputs]
        if self._timed_out:
            self._name_timeout(outcome, record.task)
        if outcome.error is None and (message := torn(outcome, self._bindings, self.run.records)):
            outcome.error = TaskDefinitionError(message)
        if self._reuse is not None:
            kept = self._reuse.record(outcome, self._keys.get(name), self._made)
        else:
            kept = Recorded(outcome.produced())
        record.note = "; ".join(kept.said)
        self._judge(record, outcome, kept)
        if kept.again and not self._stopped:
            self._make_again(kept.again)

    def _came_too_late(self, outcome: Outcome) -> None:
        """Let go of what a call made whose task runs again anyway, as something before it does."""
        name = outcome.name
        self._outrun.discard(name)
        if self._reuse is not None:
            self._reuse.record(outcome, self._keys.get(name), self._made)
        if name in self._held_up:
            self._held_up.discard(name)
            self._decide(name)

    def _judge(self, record: TaskRecord, outcome: Outcome, kept: Recorded) -> None:
        if outcome.error is None:
            self._settle(record, kept.produced, _SUCCEEDED)
        elif isinstance(outcome.error, TaskCancelled) and self.is_cancelled:
            self._end(record, Status.CANCELLED, "cancelled while it ran")
        elif isinstance(outcome.error, TaskCancelled) and outcome.name in self._stopped_tasks:
            self._cancel_alone(record, "cancelled while it ran")
        elif not (
            self._tries_again(record, outcome.error, is_tidy=not outcome.commands)
            or self._is_rescued(record, outcome.error)
        ):
            self._fail(record, outcome.error)

    def _settle(self, record: TaskRecord, produced: Produced, status: Status) -> None:
        """Do what a task asked for, and let it be done, unless it asked to be called again."""
        if produced.has_commands:
            commands = produced.commands
            if commands and self._obey(record, produced, commands, status):
                return
            for command in commands:
                if isinstance(command, Skip):
                    status, record.note = Status.SKIPPED, command.note
        self._succeed(record, produced, status)

    def _may_repeat(self, record: TaskRecord, produced: Produced) -> bool:
        """Whether what a kept result asked for is there, and may be done again."""
        try:
            return self._is_allowed(record, produced.commands)
        except LostError:
            return False

    def _succeed(self, record: TaskRecord, produced: Produced, status: Status) -> None:
        name = record.task.name
        record.produced = self._made[name] = produced
        record.error = None
        self._scheduler.done(name)
        self._end(record, status, record.note)
        if self._member_of and name in self._member_of:
            self._member_ended(name)

    def _fail(self, record: TaskRecord, error: BaseException) -> None:
        record.error = error
        name = record.task.name
        self._end(record, Status.FAILED, describe(error))
        self._drop(self._scheduler.fail(name), f"task {name!r} failed")
        if self._member_of and name in self._member_of:
            self._member_ended(name)
        if self._settings.fail_fast and not self._stopped and not self._is_tolerated(name):
            self._stop(f"task {name!r} failed")

    def _skip(self, record: TaskRecord, note: str) -> None:
        name = record.task.name
        self._skipped.add(name)
        self._scheduler.done(name)
        self._end(record, Status.SKIPPED, note)
        if name in self._member_of:
            self._member_ended(name)

    def _drop(self, names: Iterable[str], why: str) -> None:
        """Skip what waited for the success of something that had none."""
        for name in names:
            self._end(self.run.records[name], Status.SKIPPED, why)
            if name in self._member_of:
                self._member_ended(name)

    def _end(self, record: TaskRecord, status: Status, note: str) -> None:
        record.status, record.note = status, note
        if self._settings.listeners:
            self._tell(TaskFinished(self.run, record.task.name, status))
        if self._settles or self._asks_later:
            self._told(record.task.name)

    def _wake(self, limits: Limits) -> None:
        """Let those who waited for a resource, of which there may be enough now, wait for a slot again."""
        for name in reversed(limits.woken()):
            task = self._record(name).task
            self._place(self._place_of(task)).put_first(name, task.options.priority)

    def _place_of(self, task: Task) -> Any:
        if task.options.backend:
            return task.options.backend
        if task.is_coroutine:
            return "loop"
        return "here" if task.options.main_thread else self._settings.backend
