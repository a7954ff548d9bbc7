"""A run: the scheduler's state, the calls that are out, and what their outcomes mean.

One thread at a time drives it (see `graflow_nb.core.drive`) and owns all of this. So there are no locks.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from graflow_nb.core.arguments import Binding, Constant, Gathered, Injected, Missing, Upstream, upstreams
from graflow_nb.core.call import Call
from graflow_nb.core.context import TaskContext
from graflow_nb.core.errors import MissingArgumentError, TaskCancelled, TaskDefinitionError, describe
from graflow_nb.core.events import RunFinished, RunStarted, TaskAdded, TaskFinished, TaskStarted
from graflow_nb.core.graph import TaskGraph
from graflow_nb.core.iterators import torn
from graflow_nb.core.place import Place
from graflow_nb.core.plan import Plan
from graflow_nb.core.run import TaskRecord
from graflow_nb.core.scheduler import Scheduler
from graflow_nb.core.settings import Recorded, Withdrawn
from graflow_nb.core.status import Status
from graflow_nb.core.stopping import Stopping

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graflow_nb.core.arguments import Source
    from graflow_nb.core.backend import Backend
    from graflow_nb.core.call import Outcome, Produced
    from graflow_nb.core.events import Event
    from graflow_nb.core.run import Run
    from graflow_nb.core.settings import Settings
    from graflow_nb.core.task import Task

_log = logging.getLogger("graflow_nb")

# Python 3.11 takes ten times as long to look a member up in its enum.
_READY, _RUNNING, _SUCCEEDED, _CACHED = Status.READY, Status.RUNNING, Status.SUCCEEDED, Status.CACHED


class Runner(Stopping):
    """The state machine of one run: `start`, then `handle` each outcome while `is_active`, then `finish`.

    Parameters
    ----------
    run : Run
        Filled while the run goes on; its records say which of the plan's tasks take part.
    plan : Plan
    given : mapping of str to Produced
        Results of tasks that do not take part.
    places : mapping of str to Backend
        By the words that `_place` answers: "workers", "loop", "here".
    settings : Settings
    """

    def __init__(
        self,
        run: Run,
        plan: Plan,
        given: Mapping[str, Produced],
        places: Mapping[str, Backend],
        settings: Settings,
    ) -> None:
        self.run = run
        self._settings = settings
        self._bindings: dict[str, Binding | Missing] = {**plan.bindings, **plan.missing}
        self._made: dict[str, Produced] = dict(given)
        names = [name for name in plan.tasks if name in run.records]
        parents = run.parents
        if len(names) == len(plan.tasks):
            parents.update(plan.parents)
        else:
            parents.update({n: [b for b in plan.parents[n] if b in run.records] for n in names})
        run.inferred = set(plan.inferred)
        run.is_captured = bool(settings.around)
        self._scheduler = Scheduler(parents)
        self._places = {word: Place(backend) for word, backend in places.items()}
        self._cancelled = threading.Event()
        self._variables = contextvars.copy_context()
        self._reuse = settings.cache.begin(run.records, seed=settings.seed) if settings.cache else None
        self._around = (*settings.around, self._reuse.around) if self._reuse else settings.around
        self._force: dict[str, Any] = dict.fromkeys(settings.force, True)
        self._keys: dict[str, Any] = {}
        self._steps = 0
        self._stopped = ""
        self._running: dict[str, Place] = {}
        self._calls: dict[str, Call] = {}
        self._stopped_tasks: set[str] = set()
        self._undecided: dict[str, None] = {}  # handed out by the scheduler, and not looked at yet

    @property
    def is_active(self) -> bool:
        """Whether an outcome is still to come."""
        return bool(self._running)

    def start(self) -> None:
        """Hand out everything that waits for nothing."""
        self._tell(RunStarted(self.run))
        self.run.begun.set()
        self._advance()

    def handle(self, outcomes: Iterable[Outcome]) -> None:
        """Take outcomes that came back, and hand out what they made ready."""
        for outcome in outcomes:
            place = self._running.pop(outcome.name, None)
            self._calls.pop(outcome.name, None)
            if place is not None:  # else it was given up before it came
                place.came_back(outcome.ended - outcome.started)
                self._take(outcome)
        self._advance()

    def finish(self) -> None:
        """Close the run; what never started is cancelled, or waiting if the steps ran out."""
        for record in self.run.records.values():
            if record.status in {Status.WAITING, Status.READY}:
                if self.run.stopped and not self.is_cancelled:
                    record.status = Status.WAITING
                else:
                    self._end(record, Status.CANCELLED, f"not started: {self._stopped}")
        if self._reuse is not None:
            self.run.notes += self._reuse.close()
        self.run.finish()
        self._tell(RunFinished(self.run))

    def _advance(self) -> None:
        while not self._stopped:
            went_on = self._decide_all()
            for place in self._places.values():
                while place.queue and place.has_room and not self._stopped:
                    name = place.queue.popleft()
                    if self._reuse is not None and self._reopens(name):
                        went_on = True
                    else:
                        self._submit(name, place)
            if not went_on:
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
        record, binding = self.run.records[name], self._bindings[name]
        if isinstance(binding, Binding) and binding.behind and not self._is_current(record, binding):
            return False
        if self._reuse is not None and isinstance(binding, Binding):
            try:
                decision = self._reuse.decide(record.task, binding, self._made, force=self._force.get(name))
            except Exception as error:
                self._fail(record, error)
                return False
            record.reasons, self._keys[name] = decision.reasons, decision.key
            if decision.produced is not None:
                record.outputs, record.seconds = decision.outputs, decision.seconds
                self._succeed(record, decision.produced, _CACHED)
                return True
        record.status, record.ready = _READY, self.run.elapsed()
        self._places[_place(record.task)].queue.append(name)
        return False

    def _reopens(self, name: str) -> bool:
        """Let a task that must run wait until what it reads is made again; return whether that is needed."""
        binding = self._bindings[name]
        lost = self._lost(name, binding) if isinstance(binding, Binding) else {}
        if lost:
            self._make_again(lost, name)
        return bool(lost)

    def _lost(self, reader: str, binding: Binding) -> dict[str, Any]:
        """Return the tasks whose results a task that must run would read and cannot have, with the reasons."""
        assert self._reuse is not None
        lost = {}
        for _, source in binding.sources():
            for task, variable in upstreams(source):
                if reason := self._reuse.missing(self._made[task], variable, reader):
                    lost[task] = reason
        return lost

    def _make_again(self, lost: Mapping[str, Any], reader: str | None = None) -> None:
        """Run tasks again; what was reused after them, or waits for a worker, is decided again, and the reader."""
        queued = {name for place in self._places.values() for name in place.queue}

        def waits_again(name: str) -> bool:
            if name in {reader, *lost} or name in queued or name in self._undecided:
                return True
            return self.run.records[name].status is Status.CACHED

        self._force |= lost
        for name in self._scheduler.reopen(lost, waits_again):
            record = self.run.records[name]
            record.status, record.produced = Status.WAITING, None
            self._undecided.pop(name, None)
        for place in self._places.values():
            waiting = [name for name in place.queue if self.run.records[name].status is Status.READY]
            place.queue = deque(waiting)

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
        self._steps += 1
        record = self.run.records[name]
        record.status, record.started = _RUNNING, self.run.elapsed()
        self._running[name] = place
        place.out += 1
        if self._settings.listeners:
            self._tell(TaskStarted(self.run, name))
        try:
            call = self._call(record.task)
        except Exception as error:
            del self._running[name]
            place.out -= 1
            self._fail(record, error)
        else:
            self._calls[name] = call
            place.backend.submit(call)

    def _call(self, task: Task) -> Call:
        binding = self._bindings[task.name]
        if isinstance(binding, Missing):  # only for a task that was born in the run
            raise MissingArgumentError(binding.message)
        context = TaskContext(task.name, self.run.id, self._cancelled, self.run.records, self._settings.seed)
        made = self._made
        args = [
            made[source.task].get(source.variable) if type(source) is Upstream else self._value(source, context)
            for _, source in binding.positional
        ]
        kwargs = {name: self._value(source, context) for name, source in binding.keyword}
        fn = task.fn
        if self._settings.scope is not None:
            free = {name: self._value(source, context) for name, source in binding.free.items()}
            fn = self._settings.scope.enter(task, free)
        variables, key = self._variables.copy(), self._keys.get(task.name)
        if self._reuse is not None:
            self._reuse.hand_out(binding, key, self._made)
        return Call(task, fn, args, kwargs, context, variables, self._around, binding, self._made, key)

    def _value(self, source: Source, context: TaskContext) -> Any:
        if type(source) is Upstream:
            return self._made[source.task].get(source.variable)
        if type(source) is Constant:
            return source.value
        if type(source) is Gathered:
            return [self._made[task].value for task in source.tasks]
        assert type(source) is Injected
        return context

    def _take(self, outcome: Outcome) -> None:
        record = self.run.records[outcome.name]
        if isinstance(outcome.error, Withdrawn):
            record.status = Status.WAITING
            if not self._stopped:
                self._decide(outcome.name)
            return
        record.started = outcome.started - self.run.started
        record.seconds = outcome.ended - outcome.started
        record.outputs, record.worker = outcome.outputs, outcome.worker
        if outcome.error is None and (message := torn(outcome, self._bindings, self.run.records)):
            outcome.error = TaskDefinitionError(message)
        if self._reuse is not None:
            kept = self._reuse.record(outcome, self._keys.get(outcome.name), self._made)
        else:
            kept = Recorded(outcome.produced())
        record.note = "; ".join(kept.said)
        if outcome.error is None:
            if outcome.next_tasks:
                self._born(outcome)
            self._succeed(record, kept.produced, _SUCCEEDED)
        elif isinstance(outcome.error, TaskCancelled) and self.is_cancelled:
            self._end(record, Status.CANCELLED, "cancelled while it ran")
        elif isinstance(outcome.error, TaskCancelled) and outcome.name in self._stopped_tasks:
            self._cancel_alone(record, "cancelled while it ran")
        else:
            self._fail(record, outcome.error)
        if kept.again and not self._stopped:
            self._make_again(kept.again)

    def _succeed(self, record: TaskRecord, produced: Produced, status: Status) -> None:
        name = record.task.name
        record.produced = self._made[name] = produced
        self._scheduler.done(name)
        self._end(record, status, record.note)

    def _fail(self, record: TaskRecord, error: BaseException) -> None:
        record.error = error
        name = record.task.name
        self._end(record, Status.FAILED, describe(error))
        for child in self._scheduler.fail(name):
            self._end(self.run.records[child], Status.SKIPPED, f"task {name!r} failed")
        if self._settings.fail_fast and not self._stopped:
            self._stopped = f"task {name!r} failed"
            self._withdraw()

    def _born(self, outcome: Outcome) -> None:
        """Let the tasks that a task asked for run between it and what waits for it."""
        after = self._scheduler.waiting_children(outcome.name)
        for task in outcome.next_tasks:
            if task.name in self.run.records:
                self.run.notes.append(
                    f"task {outcome.name!r} asked for a task {task.name!r}, and this run has one already: "
                    f"the new one was left out. Give it a name of its own."
                )
            else:
                self._bear(task, self.run.records[outcome.name].task, after)

    def _bear(self, task: Task, parent: Task, after: Sequence[str]) -> None:
        pair = TaskGraph()
        pair.wire([parent], [task])
        plan = Plan(pair, self._settings.scope)
        self._bindings[task.name] = plan.bindings.get(task.name) or plan.missing[task.name]
        self.run.records[task.name] = TaskRecord(task)
        parents = self.run.parents
        parents[task.name] = [parent.name]
        parents |= {child: [*parents[child], task.name] for child in after}
        self._scheduler.add(task.name, [parent.name], after)
        self._tell(TaskAdded(self.run, task.name))

    def _end(self, record: TaskRecord, status: Status, note: str) -> None:
        record.status, record.note = status, note
        if self._settings.listeners:
            self._tell(TaskFinished(self.run, record.task.name, status))

    def _tell(self, event: Event) -> None:
        for listener in self._settings.listeners:
            try:
                listener(event)
            except Exception:
                _log.exception("a listener failed at %s", type(event).__name__)


def _place(task: Task) -> str:
    if task.is_coroutine:
        return "loop"
    return "here" if task.options.main_thread else "workers"
