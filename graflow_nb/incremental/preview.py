"""What a run would do now, without running anything: the same way through the plan, with what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.core.absence import adapted, with_data
from graflow_nb.core.call import Produced
from graflow_nb.core.channel import Command as Write
from graflow_nb.core.commands import Again, End, Next
from graflow_nb.core.composites import Composite, unmade
from graflow_nb.core.errors import GraflowError, LostError
from graflow_nb.core.policy import Failure, stops_early
from graflow_nb.core.status import Status
from graflow_nb.core.surroundings import Surroundings
from graflow_nb.incremental.explain import Reason
from graflow_nb.incremental.prints import joined, print_of
from graflow_nb.incremental.staleness import outdated, stale_input

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graflow_nb.core.arguments import Binding
    from graflow_nb.core.composites import Expansion
    from graflow_nb.core.plan import Plan
    from graflow_nb.core.task import Task
    from graflow_nb.incremental.cache import Cache


class Preview:
    """Goes through a plan in its order.

    Parameters
    ----------
    cache : Cache
    plan : Plan
    again : mapping of str to Reason
        Tasks that are sure to run.
    surroundings : Surroundings
        What a run would begin with.

    Attributes
    ----------
    stale : dict of str to sequence of Reason
        The tasks that would run.
    made : dict of str to Produced
        What the others would be found to have made.
    """

    def __init__(self, cache: Cache, plan: Plan, again: Mapping[str, Reason], surroundings: Surroundings) -> None:
        self.stale: dict[str, Sequence[Reason]] = {}
        self.made: dict[str, Produced] = {}
        self._cache = cache
        self._plan = plan
        self._again = again
        self._skipped: set[str] = set()
        self._cut: set[tuple[str, str]] = set()
        self._is_ended = False
        channel = surroundings.channel.snapshot()  # reused tasks write to it again
        self._surroundings = Surroundings(seed=surroundings.seed, channel=channel, made=self.made)

    def look_at(self, name: str) -> None:
        """Find out about one task, after all those before it."""
        task, binding = self._plan.tasks[name], self._plan.bindings.get(name)
        befores = self._plan.parents[name]
        if task.members:
            self._rest(task)
        upstream = [
            Reason("upstream", "", b) for b in befores if b not in self.made and not self._is_gone(b, name)
        ]
        if upstream or binding is None or name in self._again:
            self.stale[name] = upstream or ([self._again[name]] if name in self._again else upstream)
        elif self._is_ended or (befores and all(self._is_gone(before, name) for before in befores)):
            self._skipped.add(name)
        elif self._is_wanted(name):
            here: Binding | str = binding
            if self._skipped or self._cut:
                here = adapted(task, binding, lambda before: self._is_gone(before, name))
            if isinstance(here, str):
                self._skipped.add(name)
            else:
                self._look(task, here)

    def _is_gone(self, before: str, after: str) -> bool:
        return before in self._skipped or (before, after) in self._cut

    def _is_wanted(self, name: str) -> bool:
        """Whether a task's condition is known to be true; else it is skipped, or not known to run."""
        condition = self._plan.conditions.get(name)
        if condition is None:
            return True
        try:
            found = self._cache.look(condition.task, condition.binding, self.made, self._surroundings)
            answer = None if found.kept is None else bool(self._cache.produced(found.kept).value)
        except Exception:  # what it is asked with is gone, or its answer is neither true nor false
            answer = None
        if answer is None:
            self.stale[name] = [Reason("undecided")]
        elif not answer:
            self._skipped.add(name)
        return bool(answer)

    def _look(self, task: Task, binding: Binding) -> None:
        name = task.name
        try:
            if isinstance(task, Composite):
                self._look_into(task, task.expand(binding, self.made))
                return
            reasons = self._reasons(task, binding)
        except GraflowError as error:
            reasons = [Reason("failed", name=str(error))]
        if reasons:
            self.stale[name] = reasons

    def _reasons(self, task: Task, binding: Binding) -> Sequence[Reason]:
        """Return why a task would run; if it would not, take note of what it made and asked for."""
        name = task.name
        for cycle in range(1, task.options.max_cycles + 1):
            self._surroundings.cycles[name] = cycle
            found = self._cache.look(task, binding, self.made, self._surroundings)
            if past := outdated(binding.behind, self.made):
                return [Reason("outdated", name=str(stale_input(name, past)))]
            if found.kept is None:
                return found.reasons
            produced = self._cache.produced(found.kept)
            try:
                commands = produced.commands
            except LostError as error:
                return [Reason("lost", name=error.why)]
            again = self._follow(name, commands)
            if again is None:
                self.made[name] = produced
                return ()
            binding = with_data(task, binding, again.data)
        return [Reason("changed", "max_cycles", name)]

    def _follow(self, name: str, commands: Sequence[Any]) -> Again | None:
        again = None
        self._surroundings.channel.apply([command for command in commands if isinstance(command, Write)])
        for command in commands:
            if isinstance(command, Again):
                again = command
            elif isinstance(command, End):
                self._is_ended = True
            elif isinstance(command, Next) and command.is_jump and name in self._plan.tasks:
                left_out = [child for child in self._plan.children[name] if child != command.tasks]
                self._cut |= {(name, child) for child in left_out}
        return again

    def _look_into(self, task: Composite, expansion: Expansion) -> None:
        """Find out about a composite by its members."""
        name = task.name
        for member, (one, binding) in expansion.born.items():
            waits = [before for before in expansion.parents.get(member, ()) if before not in self.made]
            if waits:
                self.stale[member] = [Reason("upstream", "", before) for before in waits]
            else:
                self._look(one, binding)
        stale = [member for member in expansion.members if member in self.stale]
        if stale:
            self.stale[name] = [Reason("upstream", "", member) for member in stale[:3]]
            return
        parts = [self.made[member] for member in expansion.members if member in self.made]
        prints: dict[str | None, Any]
        if expansion.is_one and parts:
            prints = {None: parts[-1].prints[None]}
            self.made[name] = Produced(name, {}, prints, lambda _: parts[-1].value)
        else:
            prints = {None: joined([part.prints[None] for part in parts])}
            self.made[name] = Produced(name, {}, prints, lambda _: [part.value for part in parts])

    def _rest(self, group: Task) -> None:
        """Leave the others of a group alone, if one of them is there and that is enough."""
        assert isinstance(group, Composite)
        there = [member for member in group.members if member in self.made]
        if not there or not stops_early(group.policy):
            return
        for member in group.members:
            if self.stale.pop(member, None) is not None:
                failure = Failure(member, unmade(member, Status.CANCELLED))
                self.made[member] = Produced(member, {None: failure}, {None: print_of(failure)[0]})
