"""Which tasks need not run: the key says what it depends on, the store what was made, `explain` why."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from graflow_nb.core.arguments import Gathered, Upstream
from graflow_nb.core.errors import NoResultError, TaskCancelled, describe
from graflow_nb.core.settings import Decision
from graflow_nb.incremental.explain import Reason, differences, grouped
from graflow_nb.incremental.fingerprint import Opaque, fingerprint
from graflow_nb.incremental.key import code_parts, key_parts
from graflow_nb.incremental.store import Entry, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from graflow_nb.core.arguments import Binding, Source
    from graflow_nb.core.call import Call, Outcome, Produced
    from graflow_nb.core.plan import Plan
    from graflow_nb.core.task import Task
    from graflow_nb.incremental.reads import Part

_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})
"""Types whose values cannot be changed in place: what was hashed once is as it was."""
_IDENTITY = b"run:"
"""Marks the fingerprint of a value without content: it stands for the run that made it."""


class Cache:
    """Decides what is reused, and keeps what was made. One a workflow.

    It stands round each call, too: there it hashes the result, and looks whether the task left its inputs
    and what its code reads as they were.
    """

    def __init__(self) -> None:
        self._store = MemoryStore()
        self._not_kept: dict[str, Reason] = {}
        self._blind: set[str] = set()  # tasks with a result that has no content

    @property
    def around(self) -> Cache:
        """Itself: it looks at each call where the call happens."""
        return self

    def decide(
        self, task: Task, binding: Binding, inputs: Mapping[str, Produced], *, force: Reason | None = None
    ) -> Decision:
        """Say whether a task's last result still holds; if it does not, get ready to record the next."""
        parts = key_parts(task, binding, inputs)
        entry = self._store.get(task.name)
        reasons = [force] if force else list(self._reasons(task, entry, parts))
        if not reasons and entry is not None and not _is_intact(entry.produced):
            self._store.discard(task.name)
            reasons = [Reason("spoiled")]
        if not reasons and entry is not None:
            return Decision((Reason("reused"),), entry.produced, entry.outputs, entry.seconds)
        return Decision(reasons, key=parts)

    def to_force(self, plan: Plan, names: Sequence[str], force: Collection[str]) -> dict[str, Reason]:
        """Return `force` and what has to run again with it, each with the reason.

        A result without content (a figure, a generator) may have been changed by those who read it, and
        nobody could tell. It is good for readers that are reused too; one that runs gets a new one.
        """
        again = dict.fromkeys(force, Reason("forced"))
        blind = self._blind.intersection(names)
        entries = {name: entry for name in blind if (entry := self._store.get(name)) is not None}
        while entries.keys() - again.keys():
            stale = self.preview(plan, names, again)
            sources = [s for name in stale if name in plan.bindings for _, s in plan.bindings[name].sources()]
            read = [upstream for source in sources for upstream in _upstreams(source)]
            more = {t for t, v in read if t in entries and _is_identity(entries[t].produced.prints.get(v))}
            if more <= again.keys():
                break
            again |= dict.fromkeys(more - again.keys(), Reason("handed out"))
        return again

    def preview(
        self, plan: Plan, names: Iterable[str], force: Mapping[str, Reason] = MappingProxyType({})
    ) -> dict[str, Sequence[Reason]]:
        """Return why each task would run now; nothing for those that would be reused.

        What a task would read from one that is out of date is not known yet: it is out of date as well,
        though it may turn out that its input stays the same.
        """
        wanted = set(names)
        stale: dict[str, Sequence[Reason]] = {}
        made: dict[str, Produced] = {}
        for name in plan.order(wanted | plan.ancestors(wanted)):
            upstream = [Reason("upstream", "", before) for before in plan.parents[name] if before not in made]
            entry = self._store.get(name)
            binding = plan.bindings.get(name)
            if upstream or binding is None:
                stale[name] = upstream
                continue
            try:
                parts = key_parts(plan.tasks[name], binding, made)
            except NoResultError as error:
                stale[name] = [Reason("failed", name=str(error))]
                continue
            if name in force:
                stale[name] = [force[name]]
            elif reasons := list(self._reasons(plan.tasks[name], entry, parts)):
                stale[name] = reasons
            elif entry is not None and not _is_intact(entry.produced):
                stale[name] = [Reason("spoiled")]
            elif entry is not None:
                made[name] = entry.produced
        return {name: reasons for name, reasons in stale.items() if name in wanted}

    def forget(self, name: str) -> None:
        """Let go of what is known of a task."""
        self._store.discard(name)
        self._not_kept.pop(name, None)

    def clear(self) -> None:
        """Let go of everything."""
        self._store.clear()
        self._not_kept.clear()

    def before(self, call: Call) -> None:
        """Nothing to do: the key was made before the call was sent."""

    def after(self, call: Call, outcome: Outcome) -> None:
        """Hash what a call made, and look whether it left everything else as it was."""
        if outcome.error is not None:
            cancelled = isinstance(outcome.error, TaskCancelled)
            self._not_kept[outcome.name] = Reason(
                "cancelled" if cancelled else "failed", name=describe(outcome.error)
            )
            return
        outcome.prints = {None: _print(outcome.value)}
        for name, value in outcome.variables.items():
            outcome.prints[name] = _print(value)
        outcome.spoiled = [
            *(f"it used context.{name}, which differs in each run" for name in call.context.volatile),
            *_changed_inputs(call),
            *_changed_reads(call),
        ]

    def record(self, outcome: Outcome, key: Sequence[Part]) -> Sequence[str]:
        """Keep what a call made, unless something speaks against it; return what that is."""
        against = list(outcome.spoiled)
        if outcome.next_tasks:
            against.append("it asked for other tasks")
        if against:
            self._store.discard(outcome.name)
            self._not_kept[outcome.name] = Reason("not kept", name="; ".join(against))
            return against
        if any(map(_is_identity, outcome.prints.values())):
            self._blind.add(outcome.name)
        seconds = outcome.ended - outcome.started
        self._store.put(outcome.name, Entry(key, outcome.produced(), outcome.outputs, seconds))
        self._not_kept.pop(outcome.name, None)
        return ()

    def _reasons(self, task: Task, entry: Entry | None, parts: Sequence[Part]) -> Iterator[Reason]:
        if not task.options.cache:
            yield Reason("off")
        elif entry is not None:
            yield from differences(entry.parts, parts)
        else:
            yield self._not_kept.get(task.name) or Reason("new")


def _print(value: Any) -> bytes:
    try:
        return fingerprint(value)
    except Opaque:
        return _IDENTITY + os.urandom(12)


def _is_as_it_was(value: Any, was: bytes) -> bool:
    return type(value) in _PLAIN or _is_identity(was) or _print(value) == was


def _is_identity(was: bytes | None) -> bool:
    return was is not None and was.startswith(_IDENTITY)


def _is_intact(produced: Produced) -> bool:
    return all(_is_as_it_was(produced.get(variable), was) for variable, was in produced.prints.items())


def _upstreams(source: Source) -> list[Upstream]:
    if isinstance(source, Gathered):
        return [Upstream(task) for task in source.tasks]
    return [source] if isinstance(source, Upstream) else []


def _changed_reads(call: Call) -> Iterator[str]:
    before = grouped(call.key or ())
    free = call.binding.free if call.binding else ()
    for thing, parts in grouped(code_parts(call.task.fn, free)).items():
        if all(part.digest is not None for part in parts) and before.get(thing) != parts:
            yield f"{' '.join(thing)}, which it names, changed while it ran"


def _changed_inputs(call: Call) -> Iterator[str]:
    sources = call.binding.sources() if call.binding else ()
    for name, source in sources:
        for task, variable in _upstreams(source):
            produced = call.inputs[task]
            if not _is_as_it_was(produced.get(variable), produced.print_of(variable)):
                yield (
                    f"its input {name!r} (of task {task!r}) was changed in place while it ran: "
                    f"work on a copy, {name}.copy()"
                )
