"""What a run knows: a record for each task, and the whole as mappings by name."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import (
    LostError,
    TaskError,
    UnknownTaskError,
    WorkflowCancelled,
    describe,
    did_you_mean,
)
from graflow_nb.core.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from graflow_nb.core.call import Produced
    from graflow_nb.core.surroundings import Surroundings
    from graflow_nb.core.task import Task
    from graflow_nb.core.workflow import WorkflowContext


_GOOD = frozenset({Status.SUCCEEDED, Status.CACHED, Status.SKIPPED})
_WAITING = Status.WAITING  # Python 3.11 takes ten times as long to look it up in its enum


class TaskRecord:
    """What became of one task in one run.

    Attributes
    ----------
    task : Task
    status : Status
    produced : Produced or None
        Its result, if it succeeded or was reused.
    error : BaseException or None
        What it raised.
    outputs : sequence of dict
        nbformat outputs.
    ready : float or None
        When nothing was left to wait for but a worker, in seconds after the run's start.
    started : float or None
        Seconds after the run's start.
    seconds : float or None
        How long it took; for a reused result, how long making it took.
    worker : str
    note : str
        Why it was skipped or cancelled, or what else should be said of it.
    reasons : sequence
        Why it ran or was reused, as the cache explains it.
    attempts : int
        How often it was tried.
    progress : tuple of (float or None, str), or None
        How far it says it is, between 0 and 1, and a few words.
    """

    __slots__ = (
        "attempts", "error", "note", "outputs", "produced", "progress", "ready", "reasons", "seconds", "started",
        "status", "task", "worker",
    )  # fmt: skip

    def __init__(self, task: Task) -> None:
        self.task = task
        self.status = _WAITING
        self.produced: Produced | None = None
        self.error: BaseException | None = None
        self.outputs: Sequence[dict[str, Any]] = ()
        self.ready: float | None = None
        self.started: float | None = None
        self.seconds: float | None = None
        self.progress: tuple[float | None, str] | None = None
        self.worker = ""
        self.note = ""
        self.attempts = 1
        self.reasons: Sequence[Any] = ()


class Results(Mapping[str, Any]):
    """The results of a run by task name; each is fetched when it is asked for."""

    def __init__(self, produced: dict[str, Produced]) -> None:
        self._produced = produced

    def __getitem__(self, name: str) -> Any:
        return self._produced[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self._produced)

    def __len__(self) -> int:
        return len(self._produced)

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: {self._shown(name)}' for name in self)}}}"

    def _shown(self, name: str) -> str:
        try:
            return repr(self._produced[name].unfetched(None))
        except LostError as error:
            return f"<not there any more: {error.why}>"


class Run:
    """A run of a workflow, while it goes on and afterwards.

    Attributes
    ----------
    workflow : WorkflowContext
    name : str
        The workflow's.
    id : str
    records : dict of str to TaskRecord
        In stable order; tasks born in the run are added.
    parents : dict of str to sequence of str
        What each task waits for in this run.
    inferred : set of (str, str)
        Those of the edges that names made.
    notes : list of str
        What the reader should be told.
    begun : threading.Event
        Set when the listeners have been told that the run started.
    is_captured : bool
        Whether its tasks' outputs are kept apart; else prints go through.
    is_trial : bool
        Whether it leaves no trace: what its tasks made before stays their last result.
    members : dict of str to tuple of str
        What groups, maps and nested workflows stand for, in order.
    frames : dict of str to sequence of str
        The groups that have a name or a policy, maps and nested workflows, with their tasks.
    conditional : set of str
        Tasks that have a condition.
    born : set of str
        Tasks that others asked for, or that were made for a map or a nested workflow, while the run went on.
    tolerated : set of str
        Tasks that a group went on without: their failure is not the run's.
    stopped : str
        Why it ended before everything was done, if `max_steps` was too few.
    ended : str or None
        Which task ended it, if one did, and the message.
    cancelled, cancelled_by : str
        Likewise, if one cancelled it.
    surroundings : Surroundings
        What its tasks shared.
    stuck : list of str
        Tasks that did not stop when they were cancelled: they are still in a call that cannot be broken.
    """

    def __init__(self, workflow: WorkflowContext, tasks: Iterable[Task]) -> None:
        self.workflow = workflow
        self.name = workflow.name
        self.id = uuid.uuid4().hex
        self.records = {task.name: TaskRecord(task) for task in tasks}
        self.parents: dict[str, Sequence[str]] = {}
        self.inferred: set[tuple[str, str]] = set()
        self.notes: list[str] = []
        self.members: dict[str, tuple[str, ...]] = {}
        self.frames: dict[str, Sequence[str]] = {}
        self.conditional: set[str] = set()
        self.born: set[str] = set()
        self.tolerated: set[str] = set()
        self.stopped = ""
        self.ended: str | None = None
        self.cancelled = self.cancelled_by = ""
        self.surroundings: Surroundings | None = None
        self.stuck: list[str] = []
        self.is_captured = False
        self.is_trial = False
        self.was_cancelled = False
        self.started_at = time.time()
        self.started = time.perf_counter()
        self.seconds: float | None = None
        self.begun = threading.Event()
        self._finished = threading.Event()
        self.canceller: Callable[[str | None], None] = _nothing

    @property
    def edges(self) -> list[tuple[str, str]]:
        """What waited for what, as (before, after)."""
        return [(before, after) for after, befores in list(self.parents.items()) for before in befores]

    @property
    def statuses(self) -> dict[str, Status]:
        """The status of each task."""
        return {name: record.status for name, record in self.records.items()}

    @property
    def results(self) -> Mapping[str, Any]:
        """The results there are; one that comes from disk is loaded when it is asked for."""
        return Results({n: r.produced for n, r in self.records.items() if r.produced is not None})

    @property
    def errors(self) -> dict[str, BaseException]:
        """What failed tasks raised, with its traceback."""
        return {n: r.error for n, r in self.records.items() if r.error is not None}

    @property
    def failures(self) -> dict[str, BaseException]:
        """The errors that no group went on without; and `WorkflowCancelled`, by the task that cancelled it."""
        found = {name: error for name, error in self.errors.items() if name not in self.tolerated}
        return found | ({self.cancelled_by: WorkflowCancelled(self.cancelled)} if self.cancelled else {})

    @property
    def timings(self) -> dict[str, float]:
        """How long each task took, in seconds; a reused one is not there."""
        ran = {Status.SUCCEEDED, Status.FAILED}
        return {n: r.seconds for n, r in self.records.items() if r.seconds is not None and r.status in ran}

    @property
    def ok(self) -> bool:
        """Whether nothing failed, was cancelled or was left: what a condition skips is as it should be."""
        return self.is_finished and all(r.status in _GOOD or n in self.tolerated for n, r in self.records.items())

    @property
    def is_finished(self) -> bool:
        """Whether the run is over."""
        return self._finished.is_set()

    def elapsed(self) -> float:
        """Return how long the run took, or has been going on, in seconds."""
        return self.seconds if self.seconds is not None else time.perf_counter() - self.started

    def wait(self, timeout: float | None = None) -> Run:
        """Wait until the run is over.

        Parameters
        ----------
        timeout : float, optional
            In seconds.

        Raises
        ------
        TimeoutError
            If it is not over by then; it goes on.
        """
        if not self._finished.wait(timeout):
            raise TimeoutError(f"the run of {self.name!r} is still going on after {timeout} s")
        return self

    def cancel(self, task: str | Task | None = None) -> None:
        """Start nothing more, and stop what runs. Returns at once; `wait` waits for the end.

        Parameters
        ----------
        task : str or Task, optional
            Stop this task alone, if it runs or has not begun: what comes after it is skipped, and the rest
            goes on.

        Raises
        ------
        UnknownTaskError
            If it does not take part in the run.
        """
        name = None if task is None else getattr(task, "name", task)
        if name is not None and name not in self.records:
            hint = did_you_mean(str(name), self.records)
            raise UnknownTaskError(f"the run of {self.name!r} has no task {name!r}. {hint}")
        self.canceller(name)

    def raise_first_error(self) -> Run:
        """Raise the first failed task's error, if one failed; else return the run itself.

        Raises
        ------
        TaskError
            Its cause is what the task raised.
        WorkflowCancelled
            If a task cancelled the workflow.
        """
        failed = [self.records[name] for name in self.failures]
        if self.cancelled:
            raise WorkflowCancelled(self.cancelled)
        for record in sorted(failed, key=lambda r: (r.started or 0.0) + (r.seconds or 0.0))[:1]:
            assert record.error is not None
            raise TaskError(record.task.name, record.error)
        return self

    def finish(self) -> None:
        """Close the run: what finished is each task's last result from now on."""
        self.seconds = time.perf_counter() - self.started
        self.canceller = _nothing  # which holds on to the whole engine of the run
        if self.surroundings is not None:
            self.surroundings.disconnect()
        if self.is_trial:
            self._finished.set()
            return
        for record in self.records.values():
            if record.status.is_final:
                record.task.record = record
                if (origin := record.task.origin) is not None:
                    origin.record = record
        self.workflow.last_run = self
        self._finished.set()

    def summary(self) -> str:
        """Return what came of it, in a line."""
        counts: dict[Status, int] = {}
        for record in self.records.values():
            counts[record.status] = counts.get(record.status, 0) + 1
        parts = [f"{count} {status}" for status, count in counts.items()]
        state = "" if self.is_finished else "running: "
        return f"{state}{', '.join(parts) or 'no tasks'} in {self.elapsed():.2f} s"

    def __repr__(self) -> str:
        lines = [f"<Run of {self.name!r}: {self.summary()}>"]
        lines += [f"  {name}: {describe(error)}" for name, error in self.errors.items()]
        return "\n".join(lines + [f"  {note}" for note in self.notes])


def _nothing(_: str | None) -> None:
    """Cancel nothing: the run is over, or has not begun."""
