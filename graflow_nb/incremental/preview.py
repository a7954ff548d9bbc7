"""What a run would do now, without running anything: the same way through the plan, with what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.core.absence import adapted, with_data
from graflow_nb.core.born import plan_of_born
from graflow_nb.core.call import Produced
from graflow_nb.core.commands import Again, End, Next, writes_in
from graflow_nb.core.composites import Composite, entries, unmade
from graflow_nb.core.errors import GraflowError, LostError
from graflow_nb.core.policy import Failure, stops_early
from graflow_nb.core.reach import followers, reach
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

_FAR = 50
"""How many times a loop is followed that jumps back."""


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
        self._parents: dict[str, Sequence[str]] = dict(plan.parents)
        self._tasks = dict(plan.tasks)
        self._bindings: dict[str, Binding | None] = {name: plan.bindings.get(name) for name in plan.tasks}
        self._owners: dict[str, str] = {}  # of what stands in a composite
        self._looked_at: dict[str, None] = {}
        self._conditions = dict(plan.conditions)
        self._skipped: set[str] = set()
        self._cut: set[tuple[str, str]] = set()
        self._jumped: dict[str, str] = {}
        self._is_ended = False
        channel = surroundings.channel.snapshot()  # reused tasks write to it again
        self._surroundings = Surroundings(seed=surroundings.seed, channel=channel, made=self.made)

    def look_at(self, name: str) -> None:
        """Find out about one task, after all those before it."""
        task, binding, befores = self._tasks[name], self._bindings[name], self._parents[name]
        self._looked_at.setdefault(name)
        if task.members:
            self._rest(task)
        upstream = [
            Reason("upstream", "", b) for b in befores if b not in self.made and not self._is_gone(b, name)
        ]
        if upstream or binding is None or name in self._again:
            self.stale[name] = upstream or ([self._again[name]] if name in self._again else upstream)
        elif self._is_ended or (
            befores and name not in self._jumped and all(self._is_gone(before, name) for before in befores)
        ):
            self._skipped.add(name)
        elif self._is_wanted(name):
            here = self._adapted(task, binding, name)
            if isinstance(here, str):
                self._skipped.add(name)
            else:
                self._look(task, here)

    def _adapted(self, task: Task, binding: Binding, at: str) -> Binding | str:
        """Return a binding of what is there, as a run does; or why the task cannot be called."""
        if not (self._skipped or self._cut):
            return binding
        return adapted(task, binding, lambda before: self._is_gone(before, at), self._jumped.get(at))

    def _is_gone(self, before: str, after: str) -> bool:
        if after in self._jumped:
            return before not in self.made
        return before in self._skipped or (before, after) in self._cut

    def _is_wanted(self, name: str) -> bool:
        """Whether a task's condition is known to be true; else it is skipped, or not known to run."""
        condition = self._conditions.get(name)
        if condition is None:
            return True
        binding = self._adapted(condition.task, condition.binding, name)
        if isinstance(binding, str):
            self._skipped.add(name)
            return False
        try:
            found = self._cache.look(condition.task, binding, self.made, self._surroundings)
            answer = None
            if found.kept is not None:
                produced = self._cache.produced(found.kept)
                answer = bool(produced.value)
                self._surroundings.channel.apply(writes_in(produced.commands))
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
        asked: list[Next] = []
        for cycle in range(self._surroundings.cycles.get(name, 1), task.options.max_cycles + 1):
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
            self.made[name] = produced
            asked += [command for command in commands if isinstance(command, Next)]
            again = self._follow(commands)
            if again is None:
                for command in asked:
                    self._next(task, command)
                return ()
            binding = with_data(task, binding, again.data)
        return [Reason("changed", "max_cycles", name)]

    def _follow(self, commands: Sequence[Any]) -> Again | None:
        again = None
        self._surroundings.channel.apply(writes_in(commands))
        for command in commands:
            if isinstance(command, Again):
                again = command
            elif isinstance(command, End):
                self._is_ended = True
        return again

    def _next(self, task: Task, command: Next) -> None:
        """Find out about tasks that another one asked for."""
        name = task.name
        children = [after for after, befores in self._parents.items() if name in befores]
        if command.is_jump:
            first = entries(command.tasks, self._tasks, self._parents) if isinstance(command.tasks, str) else ()
            self._cut |= {(name, child) for child in children if child != command.tasks and child not in first}
            self._jumped |= dict.fromkeys(first, name)
        if isinstance(command.tasks, str):
            if name in self._after(command.tasks):
                self._cut -= {(name, child) for child in children}
                self._jumped.pop(command.tasks, None)
                self._jump_back(name, command.tasks)
            return
        new = [one for one in command.tasks.tasks if one.name not in self._parents]
        plan = plan_of_born(task, command.tasks, new, self._find, self._plan.scope)
        self._conditions.update(plan.conditions)
        leaves = [] if command.is_jump else [leaf.name for leaf in command.tasks.leaves if leaf in new]
        for child in children:
            self._parents[child] = [*self._parents[child], *leaves]
        for one in plan.order(one.name for one in new):
            self._add(plan.tasks[one], plan.bindings.get(one), plan.parents[one])
            self.look_at(one)

    def _add(self, task: Task, binding: Binding | None, parents: Sequence[str]) -> None:
        self._tasks[task.name], self._bindings[task.name], self._parents[task.name] = task, binding, parents

    def _find(self, name: str) -> Task | None:
        return self._tasks.get(name) if name in self.made else None

    def _jump_back(self, name: str, target: str) -> None:
        """Find out once more about all since a task."""
        rounds, after = self._surroundings.rounds, self._after(target)
        since = [one for one in self._looked_at if one in after]
        cycles = self._surroundings.cycles
        cycle = cycles.get(target, 1) + 1
        if cycle > min(self._tasks[target].options.max_cycles, _FAR):
            return
        between = {target, name, *reach([name], self._parents)}
        for one in since:
            if one in between:
                rounds[one] = rounds.get(one, 1) + 1
            cycles.pop(one, None)
            self.stale.pop(one, None)
            self.made.pop(one, None)
        cycles[target] = cycle
        self._skipped -= set(since)
        self._cut = {edge for edge in self._cut if edge[1] not in since}
        for one in since:
            if self._owners.get(one) not in since:
                self.look_at(one)

    def _after(self, name: str) -> set[str]:
        """Return a task and all that waits for it."""
        children = followers(self._parents)
        found, stack = {name}, [name]
        while stack:
            one = stack.pop()
            inside = [member for member, owner in self._owners.items() if owner == one]
            new = [after for after in (*children.get(one, ()), *inside) if after not in found]
            found.update(new)
            stack += new
            owner = self._owners.get(one)
            if owner is not None and owner not in found:  # it waits for this member, and the others need not
                found.add(owner)
                stack += [after for after in children.get(owner, ()) if after not in found]
                found.update(stack)
        return found

    def _look_into(self, task: Composite, expansion: Expansion) -> None:
        """Find out about a composite by its members."""
        name = task.name
        self._conditions.update(expansion.conditions)
        for member, (one, binding) in expansion.born.items():
            self._owners[member] = name
            self._add(one, binding, expansion.parents.get(member, ()))
        for member in expansion.members if expansion.born else ():  # each after all before it
            self.look_at(member)
        stale = [member for member in expansion.members if member in self.stale]
        if stale:
            self.stale[name] = [Reason("upstream", "", member) for member in stale[:3]]
            return
        parts = [self.made[member] for member in expansion.members if member in self.made]
        prints: dict[str | None, Any]
        if expansion.is_one:
            prints = {None: parts[-1].prints[None] if parts else print_of(None)[0]}
            self.made[name] = Produced(name, {}, prints, lambda _: parts[-1].value if parts else None)
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
