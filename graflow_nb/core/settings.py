"""How a run is to be done, and what the cache that decides on reuse must be able to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from graflow_nb.core.arguments import Binding, Scope
    from graflow_nb.core.call import Around, Outcome, Produced
    from graflow_nb.core.events import Listener
    from graflow_nb.core.plan import Plan
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


class Cache(Protocol):
    """Knows what need not run."""

    @property
    def around(self) -> Around:
        """What stands round each call for it."""

    def decide(self, task: Task, binding: Binding, inputs: Mapping[str, Produced], *, force: Any) -> Decision:
        """Say whether a task's last result still holds, before it runs; not if there is a reason to `force` it."""

    def record(self, outcome: Outcome, key: Any) -> Sequence[str]:
        """Keep the outcome of a task that was decided on; return what should be said of it."""

    def to_force(self, plan: Plan, names: Sequence[str], force: Collection[str]) -> Mapping[str, Any]:
        """Return `force` and what has to run again with it, each with the reason."""

    def preview(self, plan: Plan, names: Iterable[str]) -> dict[str, Sequence[Any]]:
        """Return the tasks that would run now, with the reasons."""


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
    force : mapping of str
        Tasks that run even if their results could be reused, with the reasons.
    fail_fast : bool
        After a failure nothing new starts.
    max_steps : int or None
        How many tasks may run.
    """

    around: Sequence[Around] = ()
    listeners: Sequence[Listener] = ()
    cache: Cache | None = None
    scope: Scope | None = None
    force: Mapping[str, Any] = field(default_factory=dict)
    fail_fast: bool = False
    max_steps: int | None = None
