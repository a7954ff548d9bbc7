"""The cache in one run: what is reused, what calls are seen to do, and what is kept of them."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from graflow_nb.core.arguments import upstreams
from graflow_nb.core.away import Away
from graflow_nb.core.errors import LostError, NoResultError, TaskCancelled, describe
from graflow_nb.core.handing import handed
from graflow_nb.core.settings import Decision, Recorded, Withdrawn
from graflow_nb.incremental.code.modules import Looks
from graflow_nb.incremental.code.paths import NO_PATHS, paths_in
from graflow_nb.incremental.code.reads import last_walk
from graflow_nb.incremental.code.source import Sources
from graflow_nb.incremental.code.state import module_states
from graflow_nb.incremental.entry import Entry
from graflow_nb.incremental.explain import Reason, grouped
from graflow_nb.incremental.key import reads_of_task
from graflow_nb.incremental.look import Look
from graflow_nb.incremental.pending import Held, Pending, Seen
from graflow_nb.incremental.prints import content_of, is_as_it_was, is_identity, is_intact, joined, print_of
from graflow_nb.incremental.store.store import Kept
from graflow_nb.incremental.trace.watch import close_watch, open_watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from graflow_nb.core.arguments import Binding
    from graflow_nb.core.call import Call, Outcome, Produced
    from graflow_nb.core.surroundings import Surroundings
    from graflow_nb.core.task import Task
    from graflow_nb.incremental.cache import Cache
    from graflow_nb.incremental.explain import Kind


_decided = partial(tuple.__new__, Decision)  # half the time of `Decision`; one of these is made for each task


class Reuse:
    """Implements `graflow_nb.core.settings.Reuse`, and stands round each call.

    Parameters
    ----------
    cache : Cache
    names : iterable of str
        The tasks that take part.
    surroundings : Surroundings
        The run's.
    """

    def __init__(self, cache: Cache, names: Iterable[str], surroundings: Surroundings) -> None:
        self._cache = cache
        self._store = cache.store
        self._surroundings = surroundings
        surroundings.content_of = content_of
        self._kept: dict[str, Kept] = {}  # behind the results of this run
        self._holders: defaultdict[int, set[str]] = defaultdict(set)  # of each object by its id, as in `Held`
        self._handed_out: set[tuple[bytes, str]] = set()  # results without content, and who had them in this run
        self._raced: dict[int, tuple[object, set[str]]] = {}  # each object that was changed, and who held it then
        self._changed: list[str] = []  # the tasks whose inputs were changed while they ran
        self._is_any_changed = False  # whether a call was seen to change what it was handed
        self._inside: set[str] = set()  # the tasks whose calls go on
        self._passing: list[tuple[Kept, Produced]] = []  # whose values are let go of at the end
        self._looks = Looks()
        cache.moment = object()
        self._in_use = ExitStack()
        open_watch()
        self._in_use.callback(close_watch)
        if self._store.disk is not None:
            self._in_use.enter_context(self._store.disk.in_use(names))

    @property
    def around(self) -> Reuse:
        """Itself: it looks at each call where the call happens."""
        return self

    def decide(
        self, task: Task, binding: Binding, inputs: Mapping[str, Produced], *, force: Any = None
    ) -> Decision:
        """Say whether a kept result still holds; if none does, get ready to record the next."""
        name, found = task.name, self._cache.look(task, binding, inputs, self._surroundings)
        kept = found.kept
        if kept is not None and not force:
            self._store.use(kept)
            self._kept[name] = kept
            entry = kept.entry
            return _decided((found.reasons, self._cache.produced(kept), entry.outputs, entry.seconds, None))
        last_used = self._cache.last_used.get(name)
        if last_used is None:
            latest = self._store.latest(task.stored_as)
            last_used = latest.trace if latest is not None else ()
        self._kept.pop(name, None)
        pending = Pending(found.key, found.digest, last_used, task.stored_as, is_lasting=task.options.keep)
        reasons = found.reasons if not force else (Reason("forced") if force is True else force,)
        return Decision(reasons, key=pending)

    def missing(
        self, produced: Produced, variable: str | None, reader: str, takes: Callable[[Away], bool] | None = None
    ) -> Reason | None:
        """Return why a value has to be made again for a task that reads it, or None."""
        print_ = produced.prints.get(variable)
        if is_identity(print_) and (produced.is_reused or (print_, reader) in self._handed_out):
            return Reason("handed out")  # a reader may have changed it, and nobody could tell
        if produced.has_at_hand(variable):
            return None
        try:
            handed(produced, variable, takes)
        except LostError as error:
            return Reason("lost", name=error.why)
        except NoResultError:
            return None  # the call will say so
        return None

    def hand_out(
        self,
        binding: Binding,
        key: Any,
        made: Mapping[str, Produced],
        takes: Callable[[Away], bool] | None = None,
    ) -> None:
        """Take note of the results that a call is about to be handed."""
        self._cache.moment = object()
        for argument, source in binding.sources():
            for name, variable in upstreams(source):
                produced = made[name]
                value = handed(produced, variable, takes)
                if type(value) not in NO_PATHS:  # a number stays as it is
                    holders, print_ = self._holders[id(value)], produced.print_of(variable)
                    away = () if takes is None else produced.away(variable)
                    key.held = (*key.held, Held(argument, name, value, print_, holders, away))

    def before(self, call: Call) -> None:
        """Begin to look at what a call uses.

        Raises
        ------
        Withdrawn
            If what it was handed while it waited for a worker has been changed since.
        """
        pending: Pending = call.key
        pending.look = self._begin(call)
        pending.look.before(call)

    def after(self, call: Call, outcome: Outcome) -> None:
        """Hash what a call made, and look whether it left everything else as it was."""
        look = call.key.look
        if look is not None:
            if asked := [*self._asked_for(call)]:
                call.key.held = (*call.key.held, *asked)
                look.hold((one.value, one.print) for one in asked)
            look.after(call, outcome)
            call.key.look = None
        self.take(call, outcome)

    def remote(self, call: Call) -> Look:
        """Take note that a call begins elsewhere; return what looks at it there. It raises as `before` does."""
        look = self._begin(call)
        look.modules = module_states(call.key.key.modules)
        return look

    def _begin(self, call: Call) -> Look:
        pending: Pending = call.key
        if self._is_any_changed and not all(is_as_it_was(held.value, held.print) for held in pending.held):
            self._cache.moment = object()
            raise Withdrawn
        for held in pending.held:
            held.holders.add(call.task.name)
            if is_identity(held.print):
                self._handed_out.add((held.print, call.task.name))
        self._inside.add(call.task.name)
        values = [*call.args, *call.kwargs.values()]
        if call.binding is not None and call.binding.free:
            values += [held.value for held in pending.held if held.argument in call.binding.free]
        given = [path for value in values if type(value) not in NO_PATHS for path in paths_in(value)]
        paths = pending.key.paths
        named = list(dict.fromkeys((*paths, *given))) if paths or given else ()
        handed_in = [(one.value, one.print) for one in pending.held]
        look = Look(handed_in, named, call.task.options.inputs, pending.trace)
        look.far = [place for place, one in enumerate(pending.held) if one.away]
        return look

    def take(self, call: Call, outcome: Outcome) -> None:
        """Add to what was seen of a call what can only be seen here."""
        pending: Pending = call.key
        seen: Seen = outcome.kept or Seen()
        outcome.kept = seen
        self._is_any_changed |= bool(seen.changed)
        self._inside.discard(call.task.name)
        if outcome.error is not None:
            return
        outcome.prints = seen.prints
        if not _reads_the_same(call, pending):
            seen.against += _changed_reads(call, pending)
        if pending.key.given:
            seen.against += _changed_arguments(call, pending)

    def record(self, outcome: Outcome, key: Any, made: Mapping[str, Produced]) -> Recorded:
        """Keep what a task made, unless something speaks against it."""
        pending, seen = key, outcome.kept or Seen()
        self._cache.last_used[outcome.name] = seen.observed.used
        changes, again = self.take_back(outcome, pending, made)
        against = [*changes, *seen.against]
        produced = outcome.produced()
        if outcome.error is not None:
            kind: Kind = "cancelled" if isinstance(outcome.error, TaskCancelled) else "failed"
            self._cache.not_kept[outcome.name] = (pending.digest, Reason(kind, name=describe(outcome.error)))
            return Recorded(produced, against, again)
        against += outcome.unsent.values()
        if modules := pending.key.modules:
            against += self._outdated(modules, outcome)
        if against:
            self._cache.not_kept[outcome.name] = (pending.digest, Reason("not kept", name="; ".join(against)))
            return Recorded(produced, against, again)
        if self._raced and not is_intact(produced.at_hand, produced.prints):
            said = (
                f"a race: {outcome.name!r} returned an object that another task changed meanwhile: return a copy"
            )
            self._cache.not_kept[outcome.name] = (pending.digest, Reason("not kept", name=said))
            produced.spoil(_lost(outcome.name))
            return Recorded(produced, [said], {**again, outcome.name: Reason("spoiled")})
        if pending.digest is None:
            return Recorded(produced)
        return Recorded(produced, self._keep(outcome, pending, seen, produced))

    def take_back(
        self, outcome: Outcome, pending: Pending, made: Mapping[str, Produced]
    ) -> tuple[list[str], dict[str, Reason]]:
        """Take note that a call is over; return what it changed, in words, and which tasks have to run again."""
        self._cache.moment = object()
        seen = outcome.kept or Seen()
        changes = list(self._changes(outcome.name, [pending.held[place] for place in seen.changed]))
        if changes:
            self._changed.append(outcome.name)
        for place in seen.changed:
            for away in pending.held[place].away:
                away.let_go("it was changed in place")
        again = self._let_go(made) if seen.changed else {}
        for held in pending.held:
            held.holders.discard(outcome.name)
        return changes, again

    def prints_of(self, value: Any) -> Mapping[str | None, bytes]:
        """Return the fingerprints of a result that the run itself made."""
        return {None: print_of(value)[0]}

    def joined(self, parts: Sequence[Produced]) -> Mapping[str | None, bytes]:
        """Return the fingerprints of the list of some results."""
        return {None: joined([part.prints[None] for part in parts])}

    def close(self) -> list[str]:
        """End it; return what should be said of the store."""
        self._in_use.close()
        if self._inside:  # given up, and still going on: at any time it may change what it was handed
            self._cache.now = object
        for kept, produced in self._passing:
            kept.values = None
            produced.spoil(partial(self._store.value, kept))
        said = self._cache.take_said()
        if len(self._changed) > 1:
            said.append(
                f"{', '.join(self._changed)}: what they were handed was changed in place while they ran side by "
                f"side. What they made is not kept, and what comes after them may be wrong: work on copies."
            )
        return said

    def _keep(self, outcome: Outcome, pending: Pending, seen: Seen, produced: Produced) -> list[str]:
        assert pending.digest is not None
        entry = Entry(
            pending.stored_as,
            pending.digest,
            pending.key.parts,
            (*seen.observed.used, *seen.noted),
            seen.prints,
            outcome.outputs,
            outcome.ended - outcome.started,
            time.time(),
            seen.observed.marks,
            sources=Sources(pending.key.codes),
        )
        kept = self._kept[outcome.name] = Kept(entry, produced.at_hand, seen.size, self._cache.now())
        self._cache.not_kept.pop(outcome.name, None)
        if not pending.is_lasting:
            self._passing.append((kept, produced))
        return list(self._store.put(kept, on_disk=pending.is_lasting))

    def _outdated(self, modules: Sequence[str], outcome: Outcome) -> Iterator[str]:
        """Say which modules are no longer as they were loaded."""
        for name, file in self._looks.outdated(modules, outcome.ended):
            yield f"{file} was edited, and module {name!r} is as it was before: reload it, as %autoreload does"

    def _asked_for(self, call: Call) -> Iterator[Held]:
        """Return the results that a call was handed because it asked for them (`TaskContext.get_result`)."""
        for kind, name in call.context.noted:
            there = self._surroundings.made.get(name) if kind == "result" else None
            value = there.at_hand.get(None) if there is not None else None
            if there is not None and type(value) not in NO_PATHS and None in there.prints:
                holders = self._holders[id(value)]
                holders.add(call.task.name)
                yield Held(name, name, value, there.prints[None], holders)

    def _changes(self, name: str, changed: Sequence[Held]) -> Iterator[str]:
        """Say which inputs a task changed in place; whoever comes after gets them as they were made."""
        for argument, task, value, _, having, _ in changed:  # several tasks may have returned one object
            _, holders = self._raced.setdefault(id(value), (value, set()))
            holders |= having | {name}
            if others := sorted(holders - {name}):
                yield (
                    f"a race: its input {argument!r} (of task {task!r}) was changed in place while "
                    f"{' and '.join(map(repr, [name, *others]))} held it: each needs a copy, {argument}.copy()"
                )
            else:
                yield (
                    f"its input {argument!r} (of task {task!r}) was changed in place while it ran: "
                    f"work on a copy, {argument}.copy()"
                )

    def _let_go(self, made: Mapping[str, Produced]) -> dict[str, Reason]:
        """Let go of everything that is not as it was made; return the tasks that have to make it again.

        One object may stand in several results, so all are looked at.
        """
        again = {}
        self._look_elsewhere(made)
        for name, produced in made.items():
            kept = self._kept.get(name)
            if _is_as_made(produced) or (produced.drop_copies() and _is_as_made(produced)):
                continue
            if kept is not None and self._cache.spoil(kept):
                produced.spoil(partial(self._store.value, kept))
            else:
                produced.spoil(_lost(name))
                again[name] = Reason("spoiled")
        return again

    def _look_elsewhere(self, made: Mapping[str, Produced]) -> None:
        """Let go of what is elsewhere and not as it was made: results may share their parts there, too."""
        every = [(produced.at_hand, produced.prints) for produced in made.values()]
        every += [(kept.values, kept.entry.prints) for kept in self._store.in_memory() if kept.values]
        for values, prints in every:
            for variable, value in values.items():
                if type(value) is Away and not value.is_lost and not value.is_intact(prints[variable]):
                    value.let_go("it was changed in place")


def _is_as_made(produced: Produced) -> bool:
    """Whether a result is as it was made, wherever it is."""
    is_there = not any(type(value) is Away and value.is_lost for value in produced.at_hand.values())
    return is_there and is_intact(produced.at_hand, produced.prints)


def _lost(name: str) -> Any:
    def load(_: str | None) -> Any:
        raise LostError(name, "it was changed in place")

    return load


def _reads_the_same(call: Call, pending: Pending) -> bool:
    """Whether it is quickly seen that all that a task's code reads is as it was."""
    assert call.binding is not None
    walk = last_walk(call.task.fn, call.binding.free)
    return walk is not None and walk.reads is pending.key.reads and walk.holds()


def _changed_reads(call: Call, pending: Pending) -> Iterator[str]:
    assert call.binding is not None
    reads = reads_of_task(call.task, call.binding)
    if reads is pending.key.reads:
        return
    before = grouped(pending.key.parts)
    for thing, parts in grouped(reads.parts).items():
        if all(part.digest is not None for part in parts) and before.get(thing) != parts:
            yield f"{' '.join(thing)}, which it names, changed while it ran"


def _changed_arguments(call: Call, pending: Pending) -> Iterator[str]:
    assert call.binding is not None
    for name in pending.key.changed_arguments(call.binding):
        yield f"its argument {name!r} was changed in place while it ran: work on a copy, {name}.copy()"
