"""Running what would be reused, to see whether it gives the same again."""

from __future__ import annotations

from collections import ChainMap
from typing import TYPE_CHECKING, Any

from graflow_nb.core.away import fetched
from graflow_nb.core.errors import LostError, describe
from graflow_nb.core.settings import Decision, Recorded
from graflow_nb.incremental.compare import difference
from graflow_nb.incremental.explain import Reason
from graflow_nb.incremental.prints import is_identity
from graflow_nb.incremental.reuse import Reuse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from graflow_nb.core.arguments import Binding
    from graflow_nb.core.call import Outcome, Produced
    from graflow_nb.core.plan import Plan
    from graflow_nb.core.surroundings import Surroundings
    from graflow_nb.core.task import Task
    from graflow_nb.incremental.cache import Cache
    from graflow_nb.incremental.store.store import Kept


class Verification:
    """A cache that runs what it could reuse, and keeps nothing; readers get the results that are kept.

    Parameters
    ----------
    cache : Cache
        Whose results are verified.
    names : collection of str
        Of these tasks.

    Attributes
    ----------
    found : dict of str to list of str
        For each task that could be reused, how its new result differs; nothing if it does not.
    """

    def __init__(self, cache: Cache, names: Collection[str]) -> None:
        self.cache = cache
        self.names = names
        self.found: dict[str, Sequence[str]] = {}

    def verification(self, names: Collection[str]) -> Verification:
        """Return one for other tasks."""
        return Verification(self.cache, names)

    def is_of(self, name: str) -> bool:
        """Whether a task is to be verified: by itself, or as a member of one that is."""
        return name in self.names or name.startswith(tuple(f"{one}{mark}" for one in self.names for mark in "[/"))

    def begin(self, names: Iterable[str], surroundings: Surroundings) -> _Verifying:
        """Get ready for a run."""
        return _Verifying(self, names, surroundings)

    def preview(self, plan: Plan, names: Iterable[str], surroundings: Surroundings) -> dict[str, Sequence[Any]]:
        """Do as the cache does."""
        return {**self.cache.preview(plan, names, surroundings)}

    def why(self, plan: Plan, name: str, surroundings: Surroundings) -> Sequence[Any]:
        """Do as the cache does."""
        return self.cache.why(plan, name, surroundings)

    def accept(self, plan: Plan, name: str, surroundings: Surroundings) -> None:
        """Do as the cache does."""
        self.cache.accept(plan, name, surroundings)


class _Verifying(Reuse):
    """The run."""

    def __init__(self, verification: Verification, names: Iterable[str], surroundings: Surroundings) -> None:
        super().__init__(verification.cache, names, surroundings)
        self._verification = verification
        self._decided: dict[str, tuple[Decision, Kept]] = {}
        self._kept_before: dict[str, Produced] = {}  # what the kept results were made from

    def decide(
        self, task: Task, binding: Binding, inputs: Mapping[str, Produced], *, force: Any = None
    ) -> Decision:
        """Run what could be reused and is to be verified, or is lost; refuse to run anything else."""
        name = task.name
        if name not in self._decided:
            before = ChainMap(self._kept_before, dict(inputs))  # composites are gathered of what is kept
            decision = super().decide(task, binding, before, force=None)
            if decision.produced is None:
                raise LostError(name, "it is out of date: verify it after a run")
            self._decided[name] = decision, self._kept[name]
            self._kept_before[name] = decision.produced
        decision, kept = self._decided[name]
        if force or self._verification.is_of(name):
            decision = super().decide(task, binding, inputs, force=force or Reason("forced"))
        self._kept[name] = kept
        return decision

    def record(self, outcome: Outcome, key: Any, made: Mapping[str, Produced]) -> Recorded:
        """Compare what a task made with what is kept, and hand out what is kept, if it can be handed out."""
        changes, again = self.take_back(outcome, key, made)
        if not self._verification.is_of(outcome.name):
            return Recorded(outcome.produced(), changes, again)
        kept = self._decided[outcome.name][1]
        found = [*changes, *self._differences(kept, outcome)]
        self._verification.found[outcome.name] = found
        produced = self._cache.produced(kept)
        if outcome.error is not None or any(
            self.missing(produced, variable, outcome.name) for variable in kept.entry.prints
        ):
            produced = outcome.produced()
        return Recorded(produced, found, again)

    def _differences(self, kept: Kept, outcome: Outcome) -> Iterator[str]:
        if outcome.error is not None:
            yield f"it failed: {describe(outcome.error)}"
            return
        for variable in dict.fromkeys((*kept.entry.prints, *outcome.prints)):
            old, new = kept.entry.prints.get(variable), outcome.prints.get(variable)
            if old != new and not (is_identity(old) and is_identity(new)):
                name = "its result" if variable is None else f"its variable {variable!r}"
                yield f"{name}: {self._where(kept, variable, outcome)}"

    def _where(self, kept: Kept, variable: str | None, outcome: Outcome) -> str:
        new = outcome.value if variable is None else outcome.variables.get(variable)
        try:
            return difference(fetched(self._store.value(kept, variable)), fetched(new)) or "another one"
        except LostError:
            return "another one"
