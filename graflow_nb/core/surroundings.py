"""What the tasks of one run share: a channel, a seed, each other's results, and whether the run goes on."""

from __future__ import annotations

import threading
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from graflow_nb.core.channel import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graflow_nb.core.call import Produced
    from graflow_nb.core.run import TaskRecord
    from graflow_nb.core.task import Task


class _Absent:
    def __repr__(self) -> str:
        return "absent"

    def __reduce__(self) -> str:
        return "ABSENT"  # the same one in every process


ABSENT: Final[Any] = _Absent()
"""What there is where nothing is."""


class Surroundings:
    """What a running task finds round it, beside its arguments.

    Parameters
    ----------
    run_id : str
    seed : int or None
        What the tasks' random numbers are made from.
    channel : mapping of str
        What the channel holds when the run begins.
    made : mapping of str to Produced
        The results so far.
    records : mapping of str to TaskRecord
        The tasks that take part.

    Attributes
    ----------
    channel : Channel
    cancelled : threading.Event
        Set when the run is cancelled.
    started : float
        `time.perf_counter`, seconds.
    cycles : dict of str to int
        Which call of a task the present one is, for those that were called more than once.
    rounds : dict of str to int
        How many times a task has been to run, for those that a jump back reached.
    content_of : callable or None
        Returns what tells a value's content, if results are kept.
    local : dict
        What tasks keep for themselves from one call to the next, by task.
    post, cancel : callable
        Take an `Ask`, and the name of a task that need not go on, to whoever drives the run.
    is_captured : bool
        Whether the tasks' outputs are kept apart.
    """

    __slots__ = (
        "cancel", "cancelled", "channel", "content_of", "cycles", "is_captured", "local", "made", "post",
        "records", "rounds", "run_id", "seed", "started",
    )  # fmt: skip

    def __init__(
        self,
        run_id: str = "",
        *,
        seed: int | None = None,
        channel: Mapping[str, Any] = MappingProxyType({}),
        made: Mapping[str, Produced] = MappingProxyType({}),
        records: Mapping[str, TaskRecord] = MappingProxyType({}),
    ) -> None:
        self.run_id = run_id
        self.seed = seed
        self.channel = Channel(channel)
        self.made = made
        self.records = records
        self.cancelled = threading.Event()
        self.started = time.perf_counter()
        self.cycles: dict[str, int] = {}
        self.rounds: dict[str, int] = {}
        self.content_of: Callable[[Any], Any] | None = None
        self.local: dict[str, dict[str, Any]] = {}
        self.is_captured = False
        self.disconnect()

    def disconnect(self) -> None:
        """Let go of who drives the run: it is over."""
        self.post: Callable[[Any], None] = _over
        self.cancel: Callable[[str | None], None] = _over

    @property
    def is_cancelled(self) -> bool:
        """Whether the run was cancelled."""
        return self.cancelled.is_set()

    def progress(self, name: str, fraction: float | None, text: str) -> None:
        """Take how far a task is."""
        record = self.records.get(name)
        if record is not None:
            record.progress = fraction, text

    def runs_on(self, name: str, worker: str) -> None:
        """Take which worker a task runs on."""
        record = self.records.get(name)
        if record is not None:
            record.worker = worker

    def named(self, name: str, prefix: str) -> str:
        """Return the name that a task has in this run; of two, the one with the prefix."""
        inside = f"{prefix}{name}"
        return inside if prefix and inside in self.records else name

    def has(self, task: Task, prefix: str) -> bool:
        """Whether a task takes part; `prefix` is that of who asks."""
        record = self.records.get(self.named(task.name, prefix))
        return record is not None and (record.task is task or record.task.origin is task)

    def fetch(self, name: str) -> tuple[Any, Any]:
        """Return what tells a result's content, and the result; `ABSENT` if the task made nothing so far."""
        there = self.made.get(name)
        return (ABSENT, ABSENT) if there is None else (there.prints.get(None, ABSENT), there.value)

    def keep(self, name: str, key: str, value: Any) -> None:
        """Keep something for the next calls of a task."""
        self.local.setdefault(name, {})[key] = value

    def kept(self, name: str, key: str, default: Any) -> Any:
        """Return what an earlier call of a task has kept."""
        return self.local.get(name, {}).get(key, default)

    def look(self, kind: str, name: str) -> Any:
        """Return something that a task used of this, as it is now; `ABSENT` if it is not there.

        Parameters
        ----------
        kind : {"seed", "cycle", "round", "result", "channel", "channel key", "channel list", "channel keys"}
        name : str
            The task, or the key.
        """
        if kind == "seed":
            return self.seed
        if kind in {"cycle", "round"}:
            return (self.cycles if kind == "cycle" else self.rounds).get(name, 1)
        if kind == "result":
            there = self.made.get(name)
            return ABSENT if there is None else there.prints.get(None, ABSENT)
        if kind == "channel":
            return self.channel.get(name, ABSENT)
        if kind == "channel list":
            return isinstance(self.channel.get(name, []), list)
        return self.channel.exists(name) if kind == "channel key" else self.channel.keys()


def _over(_: Any) -> None:
    """Do nothing: the run is over, or has not begun."""
