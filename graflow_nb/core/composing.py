"""Tasks that stand for several: their members are born, watched, and gathered when all have ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from graflow_nb.core.arguments import Missing
from graflow_nb.core.call import Produced
from graflow_nb.core.composites import Composite, unmade
from graflow_nb.core.errors import DuplicateTaskError, GroupError, MissingArgumentError
from graflow_nb.core.events import TaskStarted
from graflow_nb.core.limits import Limits
from graflow_nb.core.policy import Failure, looks_at_values, stops_early, tolerates
from graflow_nb.core.state import RunState
from graflow_nb.core.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graflow_nb.core.away import Away
    from graflow_nb.core.composites import Expansion
    from graflow_nb.core.run import TaskRecord


class Composing(RunState):
    """The part of `graflow_nb.core.runner.Runner` that runs composites."""

    def _open(self, record: TaskRecord) -> bool:
        """Let a composite's members begin, or gather them; return whether that made other tasks ready."""
        name, task = record.task.name, record.task
        assert isinstance(task, Composite)
        if name not in self._expanded:
            binding = self._bindings[name]
            if isinstance(binding, Missing):  # only if it was born in the run
                self._fail(record, MissingArgumentError(binding.message))
                return False
            try:
                expansion = task.expand(binding, self._made)
                self._check_names(name, expansion)
            except Exception as error:
                self._fail(record, error)
                return False
            self._expand(record, expansion)
            if expansion.born:
                return True
        self._gather(record, task)
        return True

    def _check_names(self, name: str, expansion: Expansion) -> None:
        """Raise if a task has a name that a member is to have; after a jump back its own members are there."""
        own = set(self.run.members.get(name, ()))
        for member in expansion.born:
            if member in self.run.records and member not in own:
                raise DuplicateTaskError(
                    f"{name!r} stands for tasks, one of them {member!r}, and there is a task of that name. "
                    f"Name one of them otherwise"
                )

    def _expand(self, record: TaskRecord, expansion: Expansion) -> None:
        name = record.task.name
        assert isinstance(record.task, Composite)
        self._expanded[name] = expansion
        self.run.members[name] = expansion.members
        if not expansion.born:
            return
        record.status, record.started = Status.RUNNING, self.run.elapsed()
        self._tell(TaskStarted(self.run, name))
        before = list(self.run.parents[name])
        limit = record.task.max_parallel
        resource = f"map {name}"
        if limit is not None:
            self._limits = self._limits or Limits(self._settings.resources)
            self._limits.allow(resource, limit)
        for member, (task, binding) in expansion.born.items():
            inside = expansion.parents.get(member, ())
            needs = None if limit is None else {resource: 1}
            if name in self._jumped and not inside:
                self._jumped[member] = self._jumped[name]
            self._admit(task, binding, inside or before, waits_for=inside, needs=needs)
        self._conditions.update(expansion.conditions)
        self._guard(name, expansion.born)
        self._member_of.update(dict.fromkeys(expansion.born, name))
        self._ended[name] = 0
        self.run.frames[name] = expansion.members
        self.run.born.update(expansion.born)
        self.run.parents[name] = [*before, *expansion.members]
        self._scheduler.hold(name, expansion.born)

    def _member_ended(self, member: str) -> None:
        """Take note that a member has ended; the others need not go on if its success is enough."""
        name = self._member_of[member]
        record = self.run.records[name]
        task, expansion = record.task, self._expanded.get(name)
        assert isinstance(task, Composite)
        if expansion is not None and expansion.born:
            done, total = self._ended.get(name, 0) + 1, len(expansion.born)
            self._ended[name] = done
            record.progress = done / total, f"{done:,}/{total:,}"
        if stops_early(task.policy) and name not in self._resting and self._is_enough(task):
            self._resting.add(name)
            self._let_rest(name, member)

    def _is_enough(self, task: Composite) -> bool:
        """Whether the members that have ended are enough for a group's policy."""
        expansion = self._expanded.get(task.name)
        members = expansion.members if expansion is not None else task.members
        ended = [member for member in members if self.run.records[member].status.is_final]
        return task.policy.is_enough(_Values(self._parts(ended)))

    def _parts(self, members: Iterable[str]) -> dict[str, Any]:
        """Return what members made, or `Failure`; those that were skipped are left out."""
        parts: dict[str, Any] = {}
        for member in members:
            record = self.run.records[member]
            if record.status.is_success:
                parts[member] = self._made[member]
            elif member not in self._skipped:
                parts[member] = Failure(member, record.error or unmade(member, record.status))
        return parts

    def _let_rest(self, name: str, first: str) -> None:
        """Stop what is left of a group: one success was enough."""
        others = self._under(name) - {first}
        for other in others:
            if self.run.records[other].status is Status.RUNNING:
                self.run.canceller(other)
        waiting = {other: None for other in others if self.run.records[other].status.is_pending}
        self._cancel_waiting(waiting.keys(), f"{first!r} was first")

    def _gather(self, record: TaskRecord, task: Composite) -> None:
        name, expansion = task.name, self._expanded[task.name]
        parts = self._parts(expansion.members)
        why = task.policy.decide(_Values(parts) if looks_at_values(task.policy) else _flags(parts))
        if why:
            self._fail(record, _error(f"{name!r}: {why}", parts))
            return
        for member, part in parts.items():
            if isinstance(part, Failure):
                prints = self._reuse.prints_of(part) if self._reuse else {}
                parts[member] = self._made[member] = Produced(member, {None: part}, prints)
        self.run.tolerated |= self._under(name)
        statuses = {self.run.records[member].status for member in expansion.members} - {Status.SKIPPED}
        produced = self._gathered(name, parts, is_one=expansion.is_one)
        self._succeed(record, produced, Status.CACHED if statuses == {Status.CACHED} else Status.SUCCEEDED)

    def _gathered(self, name: str, parts: Mapping[str, Produced], *, is_one: bool) -> Produced:
        values = [*parts.values()]
        if is_one and not values:
            return Produced(name, {None: None}, self._reuse.prints_of(None) if self._reuse else {})
        prints: Mapping[str | None, Any] = {None: values[-1].prints.get(None)} if is_one else {None: None}
        if not is_one and self._reuse:
            prints = self._reuse.joined(values)
        return Together(name, values, prints, is_one=is_one)

    def _under(self, name: str) -> set[str]:
        """Return all that a composite guards, and what that guards in turn."""
        found = {one for one, by in self._guarded.items() if by == name}
        for one in [one for one in found if self.run.records[one].task.is_composite]:
            found |= self._under(one)
        return found

    def _is_tolerated(self, name: str) -> bool:
        """Whether a group decides what a task's failure means, and it is no strict one."""
        if name in self._asked_by:  # who asked for it does
            return True
        seen = name
        while (by := self._guarded.get(seen)) is not None:
            task = self.run.records[by].task
            assert isinstance(task, Composite)
            if tolerates(task.policy):
                return True
            seen = by
        return False


class Together(Produced):
    """What several tasks made, as a list, or what the last of them made; fetched when it is asked for.

    Parameters
    ----------
    task_name : str
    parts : sequence of Produced
    prints : mapping
    is_one : bool
        Whether it is what the last one made.
    """

    __slots__ = ("_is_one", "_parts")

    def __init__(
        self, task_name: str, parts: Sequence[Produced], prints: Mapping[str | None, Any], *, is_one: bool
    ) -> None:
        super().__init__(task_name, {}, prints, self._together)
        self._parts = parts
        self._is_one = is_one

    def unfetched(self, variable: str | None) -> Any:
        if not self.away(variable):
            return self.get(variable)
        values = [part.unfetched(None) for part in self._parts]
        return values[-1] if self._is_one else values

    def away(self, variable: str | None) -> Sequence[Away]:
        if variable is not None:
            return super().away(variable)
        parts = self._parts[-1:] if self._is_one else self._parts
        return [one for part in parts for one in part.away(None)]

    def _together(self, _: str | None) -> Any:
        return self._parts[-1].value if self._is_one else [part.value for part in self._parts]


class _Values(Mapping[str, Any]):
    """Members' results; each is fetched when it is asked for."""

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self._parts = parts

    def __getitem__(self, name: str) -> Any:
        part = self._parts[name]
        return part.value if isinstance(part, Produced) else part

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


def _flags(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same without the results: fetching them may take long."""
    return {name: part if isinstance(part, Failure) else None for name, part in parts.items()}


def _error(message: str, parts: Mapping[str, Any]) -> GroupError:
    error = GroupError(message)
    error.__cause__ = next((part.error for part in parts.values() if isinstance(part, Failure)), None)
    return error
