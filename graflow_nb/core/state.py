"""What a run has to keep in mind; the parts of `graflow_nb.core.runner.Runner` share it.

One thread at a time drives a run (see `graflow_nb.core.drive`) and owns all of this. So there are no locks.
"""

from __future__ import annotations

import contextvars
import heapq
import logging
import time
from itertools import count
from typing import TYPE_CHECKING, Any

from graflow_nb.core.events import TaskAdded
from graflow_nb.core.limits import EVERY, Limits
from graflow_nb.core.options import DEFAULTS
from graflow_nb.core.param import given as copy_of
from graflow_nb.core.place import Place
from graflow_nb.core.run import TaskRecord
from graflow_nb.core.scheduler import Scheduler
from graflow_nb.core.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from graflow_nb.core.arguments import Binding, Missing
    from graflow_nb.core.asking import Ask
    from graflow_nb.core.backend import Backends
    from graflow_nb.core.call import Call, Produced
    from graflow_nb.core.commands import Next
    from graflow_nb.core.composites import Expansion
    from graflow_nb.core.condition import Condition
    from graflow_nb.core.events import Event
    from graflow_nb.core.plan import Plan
    from graflow_nb.core.run import Run
    from graflow_nb.core.settings import Settings
    from graflow_nb.core.status import Status
    from graflow_nb.core.task import Task

_log = logging.getLogger("graflow_nb")


class RunState:
    """The state of one run.

    Parameters
    ----------
    run : Run
        Filled while the run goes on; its records say which of the plan's tasks take part.
    plan : Plan
    given : mapping of str to Produced
        Results of tasks that do not take part.
    backends : Backends
        By the words that say where a task's calls happen: "threads", "loop", "here", "processes", ….
    settings : Settings
    """

    def __init__(
        self,
        run: Run,
        plan: Plan,
        given: Mapping[str, Produced],
        backends: Backends,
        settings: Settings,
    ) -> None:
        self.run = run
        self._settings = settings
        self._bindings: dict[str, Binding | Missing] = {**plan.bindings, **plan.missing}
        self._made: dict[str, Produced] = dict(given)
        parents = run.parents
        names = [name for name in plan.tasks if name in run.records]
        if len(names) == len(plan.tasks):
            parents.update(plan.parents)
        else:
            parents.update({n: [b for b in plan.parents[n] if b in run.records] for n in names})
        run.inferred = set(plan.inferred)
        run.frames = {**plan.frames}
        run.conditional = set(plan.conditions)
        run.is_captured = bool(settings.around)
        self._scheduler = Scheduler(parents, [name for name in names if plan.tasks[name].members])
        self._backends = backends
        self._places: dict[Any, Place] = {}
        channel = {key: copy_of(value) for key, value in settings.channel.items()}
        run.surroundings = self._around_it = Surroundings(
            run.id, seed=settings.seed, channel=channel, made=self._made, records=run.records
        )
        self._around_it.is_captured = run.is_captured
        self._variables = contextvars.copy_context()
        self._reuse = (
            settings.cache.begin([r.task.stored_as for r in run.records.values()], self._around_it)
            if settings.cache
            else None
        )
        self._around = (*settings.around, self._reuse.around) if self._reuse else settings.around
        self._force: dict[str, Any] = dict.fromkeys(settings.force, True)
        self._keys: dict[str, Any] = {}
        self._steps = 0
        self._stopped = ""
        self._running: dict[str, Place] = {}
        self._calls: dict[str, Call] = {}
        self._numbers = count(1)
        self._stopped_tasks: set[str] = set()
        self._undecided: dict[str, None] = {}  # handed out by the scheduler, and not looked at yet
        self._begin_special(plan, names)

    def _begin_special(self, plan: Plan, names: Sequence[str]) -> None:
        """Make room for what is empty in a run of plain tasks."""
        special = [plan.tasks[name] for name in names if plan.tasks[name].options is not DEFAULTS]
        composites = [plan.tasks[name] for name in names if plan.tasks[name].is_composite]
        self._planned: dict[str, Binding | Missing] = {}  # the bindings as they were, of those that were changed
        self._conditions: dict[str, Condition] = {
            n: c for n, c in plan.conditions.items() if n in self.run.records
        }
        self._answers: set[str] = set()  # the tasks whose conditions were true
        self._asking: dict[str, tuple[str, TaskRecord]] = {}  # of each condition's call, the task and a record
        self._skipped: set[str] = set()  # without a failure: what comes after them may run
        self._cut: set[tuple[str, str]] = set()  # edges that a jump left aside
        self._jumped: dict[str, str] = {}  # what was jumped to, from where
        self._expanded: dict[str, Expansion] = {}
        self._ended: dict[str, int] = {}  # how many members of each composite
        self._resting: set[str] = set()  # the composites that have enough, and whose other members need not go on
        self._member_of: dict[str, str] = {
            member: task.name for task in composites for member in task.members if member in self.run.records
        }
        self._guarded: dict[str, str] = {}  # by which composite; by the innermost, if several
        for task in composites:
            self._guard(task.name, [name for name in task.guarded if name in self.run.records])
        self._data: dict[str, Any] = {}  # of the present cycle, for tasks that were called more than once
        self._asked: dict[str, list[Next]] = {}  # by the cycles before: it comes after the last
        self._cycles = self._around_it.cycles  # likewise, which cycle this is
        self._attempts: dict[str, int] = {}  # which attempt of this cycle
        self._earlier_outputs: dict[str, list[dict[str, Any]]] = {}  # of cycles and attempts before
        self._untidy: set[str] = set()  # whose earlier attempts left something in the channel
        self._outrun: set[str] = set()  # whose present calls do not count, as a jump back lets them run again
        self._held_up: set[str] = set()  # those that could run again, but for that call
        self._delayed: set[str] = set()  # what waits for its next attempt
        self._timed_out: set[int] = set()  # calls that are broken off for it
        self._timers: list[tuple[float, int, Callable[[], None]]] = []  # a heap
        amounts = self._settings.resources
        self._needs: dict[str, Mapping[str, int]] = {
            task.name: task.options.resources for task in special if task.options.resources
        }
        if EVERY in amounts:
            self._needs = {name: {**self._needs.get(name, {}), EVERY: 1} for name in names}
        self._limits: Limits | None = Limits(amounts) if self._needs else None
        self._asked_by: dict[str, str] = {}  # tasks that a running one asked for, and which one
        self._settles: dict[str, Callable[[TaskRecord], None]] = {}  # who is to be told that they have ended
        self._asks_later: dict[str, list[Ask]] = {}  # until the last call of the same name has ended
        self._waits: dict[str, int] = {}  # for how many tasks a running one waits
        self._own_parents: dict[str, list[str]] = {}  # of those that asked
        self._drawn_after: dict[str, list[str]] = {}  # the same, with what they asked for
        self._framed: dict[str, list[str]] = {}  # what stands in their frames
        self._rescues: dict[str, int] = {}  # how often the rescue of a task was asked
        self._rescuers: dict[str, BaseException] = {}  # with what their tasks failed of
        self._is_special = bool(composites or self._conditions)  # is there anything but tasks that simply run?

    @property
    def is_cancelled(self) -> bool:
        """Whether the run was cancelled."""
        return self._around_it.cancelled.is_set()

    @property
    def is_active(self) -> bool:
        """Whether an outcome is still to come, or a task waits for its next attempt."""
        return bool(self._running or self._delayed)

    def left(self) -> float | None:
        """Return the seconds until something is due, or None."""
        return max(0.0, self._timers[0][0] - time.perf_counter()) if self._timers else None

    def _at(self, moment: float, then: Callable[[], None]) -> None:
        """Do something at a time of `time.perf_counter`."""
        heapq.heappush(self._timers, (moment, next(self._numbers), then))

    def _record(self, name: str) -> TaskRecord:
        """Return the record of a task, or of a condition."""
        record = self.run.records.get(name)
        return record if record is not None else self._asking[name][1]

    def _place(self, word: Any) -> Place:
        """Return where calls of a kind wait and happen; the first time its backend is made."""
        place = self._places.get(word)
        if place is None:
            self._places = {
                **self._places,
                word: Place(self._backends[word]),
            }  # somebody may be going through them
            place = self._places[word]
        return place

    def _tell(self, event: Event) -> None:
        for listener in self._settings.listeners:
            try:
                listener(event)
            except Exception:
                _log.exception("a listener failed at %s", type(event).__name__)

    def _admit(
        self,
        task: Task,
        binding: Binding | Missing,
        parents: Sequence[str],
        children: Sequence[str] = (),
        *,
        waits_for: Sequence[str] | None = None,
        needs: Mapping[str, int] | None = None,
    ) -> None:
        """Let a task that was made in the run take part in it.

        Parameters
        ----------
        parents, children : sequence of str
            What it comes after, and what comes after it.
        waits_for : sequence of str, optional
            Those of the parents that are not sure to be done; by default all.
        needs : mapping, optional
            What it takes while it runs, beside what its options say.
        """
        name = task.name
        self._skipped.discard(name)  # after a jump back it may be there once more
        self._answers.discard(name)
        self.run.records[name] = TaskRecord(task)
        self._bindings[name] = binding
        self.run.parents[name] = parents
        for child in children:
            self.run.parents[child] = [*self.run.parents[child], name]
        waits_for = parents if waits_for is None else waits_for
        self._scheduler.add(name, waits_for, children, patient=bool(task.members))
        if task.is_composite:
            self._member_of.update(dict.fromkeys(task.members, name))
            self._guard(name, task.guarded)
        every = {EVERY: 1} if EVERY in self._settings.resources else {}
        if needs or task.options.resources or every:
            self._needs[name] = {**task.options.resources, **every, **(needs or {})}
            self._limits = self._limits or Limits(self._settings.resources)
        self._tell(TaskAdded(self.run, name))

    def _guard(self, composite: str, names: Iterable[str]) -> None:
        for name in names:
            self._guarded.setdefault(name, composite)

    def _give_back(self, name: str) -> None:
        """Give back what a call took of the resources."""
        if self._limits is not None:
            self._limits.give_back(name)

    def _drop_waiting(self, is_gone: Callable[[str], bool]) -> None:
        """Let calls wait no longer: for a slot, or for a resource."""
        for place in self._places.values():
            if gone := {name for name in place.waiting if is_gone(name)}:
                place.drop(gone)
        if self._limits is not None:
            self._limits.forget(is_gone)

    # What the parts ask of each other.

    def _advance(self) -> None:
        raise NotImplementedError

    def _decide(self, name: str) -> bool:
        raise NotImplementedError

    def _succeed(self, record: TaskRecord, produced: Produced, status: Status) -> None:
        raise NotImplementedError

    def _fail(self, record: TaskRecord, error: BaseException) -> None:
        raise NotImplementedError

    def _skip(self, record: TaskRecord, note: str) -> None:
        raise NotImplementedError

    def _end(self, record: TaskRecord, status: Status, note: str) -> None:
        raise NotImplementedError

    def _cancel_alone(self, record: TaskRecord, note: str) -> None:
        raise NotImplementedError

    def _cancel_waiting(self, names: Collection[str], note: str) -> None:
        raise NotImplementedError

    def _stop(self, why: str) -> None:
        raise NotImplementedError

    def _make_again(self, lost: Mapping[str, Any], reader: str | None = None) -> None:
        raise NotImplementedError

    def _let_go(self, name: str) -> None:
        raise NotImplementedError

    def _withdraw(self) -> None:
        raise NotImplementedError

    def _member_ended(self, member: str) -> None:
        raise NotImplementedError

    def _is_rescued(self, record: TaskRecord, error: BaseException) -> bool:
        raise NotImplementedError

    def _settle(self, record: TaskRecord, produced: Produced, status: Status) -> None:
        raise NotImplementedError

    def _leave(self, by: str) -> None:
        raise NotImplementedError

    def _stop_asking(self, why: str) -> None:
        raise NotImplementedError

    def _drop(self, names: Iterable[str], why: str) -> None:
        raise NotImplementedError

    def _visible(self, name: str) -> str:
        """Return the task that a call is for: its own, or that whose condition it is."""
        return self._asking[name][0] if name in self._asking else name
