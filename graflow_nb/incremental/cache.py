"""Which tasks need not run: the key says what it depends on, the store what was made, `explain` why."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.core.arguments import upstreams
from graflow_nb.core.call import Produced
from graflow_nb.core.errors import LostError, NoResultError
from graflow_nb.core.surroundings import Surroundings
from graflow_nb.incremental.code.source import Sources
from graflow_nb.incremental.explain import Reason, differences
from graflow_nb.incremental.key import Key, holding_walk, key_of
from graflow_nb.incremental.prints import is_identity, is_intact, stand_for_run
from graflow_nb.incremental.staleness import outdated, stale_input
from graflow_nb.incremental.store.store import Fetch, Kept, Store
from graflow_nb.incremental.trace.secret import set_digest_key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from os import PathLike

    from graflow_nb.core.arguments import Binding
    from graflow_nb.core.plan import Plan
    from graflow_nb.core.task import Task
    from graflow_nb.incremental.entry import Entry, Used
    from graflow_nb.incremental.key import Remembered
    from graflow_nb.incremental.reuse import Reuse
    from graflow_nb.incremental.verify import Verification

FOLDER = ".graflow_nb"
"""Where results are kept on disk, beside the notebook."""
NOWHERE = Surroundings()
"""Those of no run: no seed, and an empty channel."""
REUSED = (Reason("reused"),)
_NEW = (Reason("new"),)
_OFF = (Reason("off"),)
_NONE: Mapping[str | None, Any] = MappingProxyType({})


def reused(entry: Entry) -> Sequence[Reason]:
    """Return why a result is reused, with what should be said of it."""
    if not (entry.accepted or entry.marks):
        return REUSED
    first = Reason("accepted") if entry.accepted else REUSED[0]
    return (first, *(Reason("marked", name=mark) for mark in entry.marks))


class Found(NamedTuple):
    """What is known of a task before it runs.

    Attributes
    ----------
    key : Key
        All that its result depends on, as far as it is known before the run.
    digest : bytes or None
        Of the key; None if its result cannot be reused at all.
    kept : Kept or None
        The result that still holds.
    reasons : sequence of Reason
        Why it does, or why there is none.
    """

    key: Key
    digest: bytes | None
    kept: Kept | None
    reasons: Sequence[Reason]


class Cache:
    """What one workflow's tasks made, and whether it still holds.

    Parameters
    ----------
    store : Store, optional
        Where it is kept; by default in memory.
    now : callable, optional
        Something that is another one as soon as code outside the tasks may have changed a value in place;
        by default it always is.
    """

    def __init__(self, store: Store | None = None, now: Callable[[], object] = object) -> None:
        self.store = store or Store()
        self.now = now
        self.moment = object()  # another one as soon as code of the user's may have run
        self.not_kept: dict[str, tuple[bytes | None, Reason]] = {}
        self._remembered: dict[str, Remembered] = {}  # of each task, the last key
        self.last_used: dict[str, tuple[Used, ...]] = {}  # by the last run of each task, kept or not
        self.said: list[str] = []  # about the store, and not yet passed on

    def begin(self, names: Collection[str], surroundings: Surroundings = NOWHERE) -> Reuse:
        """Get ready for a run of these tasks."""
        from graflow_nb.incremental.reuse import Reuse  # and all that looks at calls: not before the first

        return Reuse(self, names, surroundings)

    def look(
        self, task: Task, binding: Binding, inputs: Mapping[str, Produced], surroundings: Surroundings = NOWHERE
    ) -> Found:
        """Return what is known of a task whose inputs are known."""
        name = task.name
        known = self._remembered.get(name)
        if known is None or not known.holds(task, binding, inputs, self.moment):
            self._remembered.pop(name, None)
            walk = holding_walk(task, binding, self.moment)
            key, known = key_of(task, binding, inputs, walk)
            if walk is None or known is None:
                self.moment = object()  # values say themselves what they are, and modules are imported
            if (key.digest is None or not task.options.cache) and (reasons := _never_reused(task, key)):
                return Found(key, None, None, reasons)
            if known is None:
                return self._find(task, key, surroundings)
            self._remembered[name] = known
        found: Found | None = known.found  # as a rule it is found again
        if (
            found is None
            or found.kept is None
            or found.kept is not self.store.at_hand(task.stored_as)
            or self._against(task, found.kept, known.key, surroundings)
        ):
            found = known.found = self._find(task, known.key, surroundings)
        return found

    def _find(self, task: Task, key: Key, surroundings: Surroundings) -> Found:
        """Return what is kept under a key, and still holds."""
        assert key.digest is not None
        against: Sequence[Reason] = ()
        for kept in self.store.find(task.stored_as, key.digest):
            reasons = self._against(task, kept, key, surroundings)
            if not reasons:
                return Found(key, key.digest, kept, reused(kept.entry))
            against = against or reasons
        return Found(key, key.digest, None, against or self._why_not(task, key.digest, key))

    def preview(
        self, plan: Plan, names: Iterable[str], surroundings: Surroundings = NOWHERE
    ) -> dict[str, Sequence[Reason]]:
        """Return why each task would run now; nothing for those that would be reused.

        What a task would read from one that is out of date is not known yet: it is out of date as well,
        though it may turn out that its input stays the same.
        """
        wanted = set(names)
        again: dict[str, Reason] = {}
        while True:
            stale, made = self._preview(plan, wanted, again, surroundings)
            read = [
                upstream
                for name in stale
                if name in plan.bindings
                for _, source in plan.bindings[name].sources()
                for upstream in upstreams(source)
            ]
            spent = [task for task, v in read if task in made and is_identity(made[task].prints.get(v))]
            if not spent:
                return {name: reasons for name, reasons in stale.items() if name in wanted}
            again |= dict.fromkeys(spent, Reason("handed out"))

    def why(self, plan: Plan, name: str, surroundings: Surroundings = NOWHERE) -> Sequence[Reason]:
        """Return why a task would run now, or why it need not."""
        stale, made = self._preview(plan, {name}, {}, surroundings)
        if name in stale:
            return stale[name]
        if plan.tasks[name].is_composite:
            return REUSED if name in made else ()
        kept = self.look(plan.tasks[name], plan.bindings[name], made, surroundings).kept
        return reused(kept.entry) if kept is not None else ()

    def accept(self, plan: Plan, name: str, surroundings: Surroundings = NOWHERE) -> None:
        """Take a task's last result as one that still holds.

        Raises
        ------
        NoResultError
            If there is none, or what the task reads is out of date itself.
        StaleInputError
            If a plain cell made what it reads from an older result.
        """
        if plan.tasks[name].is_composite:
            raise NoResultError(f"{name!r} stands for other tasks, and has no result of its own to accept")
        stale, made = self._preview(plan, {name}, {}, surroundings)
        if waits := [before for before in plan.parents[name] if before not in made]:
            raise NoResultError(f"what {name!r} reads is out of date: run or accept {waits[0]!r} first")
        if past := outdated(plan.bindings[name].behind, made):
            raise stale_input(name, past)
        from graflow_nb.incremental.trace.renewal import renewed

        found = self.look(plan.tasks[name], plan.bindings[name], made, surroundings)
        if found.kept is not None:
            return
        last = self.store.last(name)
        if last is None or found.digest is None:
            why = "; ".join(map(str, stale[name]))
            raise NoResultError(f"task {name!r} has no result that could be accepted: {why}")
        trace = last.entry.trace
        entry = last.entry._replace(
            key=found.digest,
            parts=found.key.parts,
            trace=tuple(renewed(used, plan.tasks[name], surroundings) for used in trace),
            accepted=True,
            created=time.time(),
        )
        if not self._is_as_made(last) and not self.spoil(last):
            raise NoResultError(f"the result of task {name!r} was changed in place since: run {name!r} again")
        values: dict[str | None, Any] = {}
        for variable in entry.prints:
            with suppress(LostError):  # it is made again for a reader that must run
                values[variable] = self.store.value(last, variable)
        self.said += self.store.put(Kept(entry, values or None, last.size, self.now()))

    def verification(self, names: Collection[str]) -> Verification:
        """Return a cache that runs what it could reuse of these tasks, and compares."""
        from graflow_nb.incremental.verify import Verification

        return Verification(self, names)

    def spoil(self, kept: Kept) -> bool:
        """Take values from disk in place of those that somebody changed; return whether they are there."""
        if self.store.spoil(kept):
            return True
        self.not_kept[kept.entry.name] = (kept.entry.key, Reason("spoiled"))
        return False

    def forget(self, name: str) -> None:
        """Let go of what is known of a task in memory."""
        self.store.forget(name)
        self._remembered.pop(name, None)
        self.not_kept.pop(name, None)

    def clear(self) -> None:
        """Let go of everything."""
        self.store.clear()
        self._remembered.clear()
        self.not_kept.clear()

    def adopt(self, other: Cache) -> None:
        """Keep what another cache holds in memory, as far as nobody has changed it in place."""
        for kept in other.store.in_memory():
            if self._is_as_made(kept):
                self.said += self.store.put(kept)

    def take_said(self) -> list[str]:
        """Return what should be told of the store, once."""
        said, self.said[:] = self.said[:], []
        return said

    def close(self) -> None:
        """Let go of files; what is kept there stays."""
        if self.store.disk is not None:
            self.store.disk.close()

    def produced(self, kept: Kept) -> Produced:
        """Return a kept result as what readers get; its values are fetched when they are needed."""
        entry = kept.entry
        return Produced(entry.name, kept.values or _NONE, entry.prints, Fetch(self.store, kept))

    @staticmethod
    def _is_as_made(kept: Kept) -> bool:
        return kept.values is None or is_intact(kept.values, kept.entry.prints)

    def _preview(
        self, plan: Plan, wanted: Collection[str], again: Mapping[str, Reason], surroundings: Surroundings
    ) -> tuple[dict[str, Sequence[Reason]], dict[str, Produced]]:
        from graflow_nb.incremental.preview import Preview

        self.moment = object()
        looking = Preview(self, plan, again, surroundings)
        for name in plan.order({*wanted, *plan.ancestors(wanted)}):
            looking.look_at(name)
        return looking.stale, looking.made

    def _why_not(self, task: Task, digest: bytes, key: Key) -> Sequence[Reason]:
        latest = self.store.latest(task.stored_as)
        failed, reason = self.not_kept.get(task.name, (None, _NEW[0]))
        if failed == digest or (latest is None and reason.kind == "not kept"):
            return (reason,)
        if latest is None:  # it failed as it was then: something has changed since
            return _NEW
        reasons = list(differences(latest.parts, key.parts, latest.sources, Sources(key.codes)))
        if task.stored_as != task.name:  # that was of another item
            reasons = [reason for reason in reasons if reason.part != "argument"]
        return reasons or _NEW

    def _against(self, task: Task, kept: Kept, key: Key, surroundings: Surroundings) -> list[Reason]:
        """Return what speaks against using a result whose key is right."""
        entry = kept.entry
        reasons = list(self._broken(entry, task, surroundings)) if entry.trace or surroundings.rounds else []
        if kept.checked is None and stand_for_run(key.parts):  # the entry's are equal, and encoded
            reasons.append(Reason("elsewhere"))
        max_age = task.options.max_age
        if max_age is not None and time.time() - entry.created > max_age:
            reasons.append(Reason("expired", name=f"{max_age:g}"))
        if kept.values is not None and kept.checked != (now := self.now()):
            kept.checked = now
            if not is_intact(kept.values, entry.prints) and not self.spoil(kept):
                reasons.append(Reason("spoiled"))
        return reasons

    def _broken(self, entry: Entry, task: Task, surroundings: Surroundings) -> Iterator[Reason]:
        from graflow_nb.incremental.trace.noted import NOTED, as_now, is_of_this_round
        from graflow_nb.incremental.trace.recorder import broken

        if not is_of_this_round(entry.trace, task, surroundings):
            yield Reason("changed", "round", task.name)
        for used in entry.trace:
            if used.kind in NOTED and (now := as_now(used, task, surroundings)).digest != used.digest:
                yield Reason("changed", used.kind, used.name, used.shown, now.shown)
        for kind, name, old, new in broken(entry.trace):
            yield Reason("changed", kind, name, old, new)


def _never_reused(task: Task, key: Key) -> Sequence[Reason]:
    """Return why no result of a task can be reused, whatever is kept; nothing if it can."""
    if not task.options.cache:
        return _OFF
    unknown = (part for part in key.parts if part.digest is None) if key.digest is None else ()
    return [Reason("unknown", part.kind, part.name, new=part.shown) for part in unknown]


def open_cache(where: str | PathLike[str] | None = None, now: Callable[[], object] = object) -> Cache | None:
    """Return a cache that keeps results in a place.

    Parameters
    ----------
    where : str or path, optional
        ``"memory"`` (the default), ``"disk"`` (the folder ``.graflow_nb`` here), ``"off"``, or a folder.
    now : callable
        As in `Cache`.
    """
    if where == "off":
        return None
    if where is None or where == "memory":
        return Cache(now=now)
    from graflow_nb.incremental.store.disk import DiskStore
    from graflow_nb.incremental.store.signing import user_signer

    # The folder stays the same if the process goes to another one.
    folder = Path(FOLDER if where == "disk" else where).expanduser().absolute()
    with suppress(OSError, ValueError):  # the store will say so
        set_digest_key(user_signer().sign(b"digests of secrets"))
    cache = Cache(now=now)
    cache.store = Store(DiskStore(folder, say=cache.said.append))
    return cache
