"""How a run is to be done, and what the cache that decides on reuse must be able to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from graflow_nb.core.known_backends import THREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from graflow_nb.core.arguments import Binding, Scope
    from graflow_nb.core.away import Away
    from graflow_nb.core.call import Around, Outcome, Produced
    from graflow_nb.core.events import Listener
    from graflow_nb.core.plan import Plan
    from graflow_nb.core.surroundings import Surroundings
    from graflow_nb.core.task import Task


class Decision(NamedTuple):
    """Whether a task's result is reused, and why or why not.

    Attributes
    ----------
    reasons : sequence
        The explanation.
    produced : Produced or None
        What is reused.
    outputs : sequence of dict
        The outputs that came with it.
    seconds : float or None
        How long making it took.
    key
        The cache's own: it comes back with the call, and to `Cache.record`.
    """

    reasons: Sequence[Any]
    produced: Produced | None = None
    outputs: Sequence[dict[str, Any]] = ()
    seconds: float | None = None
    key: Any = None


class Recorded(NamedTuple):
    """What came of keeping an outcome.

    Attributes
    ----------
    produced : Produced
        What readers get.
    said : sequence of str
        What the user should be told of it.
    again : mapping of str
        Tasks that have to run again because it spoiled what they made, with the reasons.
    """

    produced: Produced
    said: Sequence[str] = ()
    again: Mapping[str, Any] = MappingProxyType({})


class Withdrawn(Exception):  # noqa: N818 - nothing failed
    """Raised round a call instead of making it: what it was handed was changed in place before it began."""


class Reuse(Protocol):
    """What need not run, in one run."""

    @property
    def around(self) -> Around:
        """What stands round each call for it."""

    def decide(self, task: Task, binding: Binding, inputs: Mapping[str, Produced], *, force: Any) -> Decision:
        """Say whether a kept result still holds, before a task runs; not if there is a reason to `force` it."""

    def missing(
        self, produced: Produced, variable: str | None, reader: str, takes: Callable[[Away], bool] | None
    ) -> Any:
        """Return why a task that must run cannot be handed a value, so that it has to be made again; or None."""

    def hand_out(
        self, binding: Binding, key: Any, made: Mapping[str, Produced], takes: Callable[[Away], bool] | None
    ) -> None:
        """Take note of the results that a call is about to be handed; `takes` is its backend's."""

    def record(self, outcome: Outcome, key: Any, made: Mapping[str, Produced]) -> Recorded:
        """Keep what a task made; `made` are the results that others may be handed."""

    def prints_of(self, value: Any) -> Mapping[str | None, Any]:
        """Return the fingerprints of a result that the run itself made."""

    def joined(self, parts: Sequence[Produced]) -> Mapping[str | None, Any]:
        """Return the fingerprints of the list of some results."""

    def close(self) -> Sequence[str]:
        """Say that the run is over; return what the user should be told."""


class Cache(Protocol):
    """Knows what need not run."""

    def begin(self, names: Collection[str], surroundings: Surroundings) -> Reuse:
        """Get ready for a run of these tasks."""

    def preview(self, plan: Plan, names: Iterable[str], surroundings: Surroundings) -> dict[str, Sequence[Any]]:
        """Return the tasks that would run now, with the reasons."""

    def why(self, plan: Plan, name: str, surroundings: Surroundings) -> Sequence[Any]:
        """Return why a task would run now, or why it need not."""

    def accept(self, plan: Plan, name: str, surroundings: Surroundings) -> None:
        """Take a task's last result as one that still holds."""

    def verification(self, names: Collection[str]) -> Verification:
        """Return a cache that runs what it could reuse of these tasks, and compares."""


class Verification(Cache, Protocol):
    """A cache that runs what it could reuse, and keeps nothing."""

    @property
    def found(self) -> Mapping[str, Sequence[str]]:
        """For each task that it ran, how its new result differs."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run is to be done.

    Attributes
    ----------
    around : sequence of Around
        Stand round every call; the first is the outermost.
    listeners : sequence of callable
        Are told every event.
    cache : Cache or None
        None: nothing is reused, nothing is kept.
    scope : Scope or None
    force : collection of str
        Tasks that run even if their results could be reused.
    accepted : collection of str
        Tasks that run even if what plain code made for them is out of date.
    seed : int or None
        What the tasks' random numbers are made from.
    channel : mapping of str
        What the channel holds when the run begins.
    resources : mapping of str to int
        How much there is of what tasks take while they run.
    fail_fast : bool
        After a failure nothing new starts.
    max_steps : int or None
        How many tasks may run.
    backend : str or object
        Where calls happen of which nothing else is said.
    """

    around: Sequence[Around] = ()
    listeners: Sequence[Listener] = ()
    cache: Cache | None = None
    scope: Scope | None = None
    force: Collection[str] = ()
    accepted: Collection[str] = ()
    seed: int | None = None
    channel: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, int] = field(default_factory=dict)
    fail_fast: bool = False
    max_steps: int | None = None
    backend: Any = THREADS
