"""What tasks ask of their run: other tasks, another call, an end. The same whether they ran or were reused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.core.born import plan_of_born
from graflow_nb.core.commands import Again, End, Next, writes_in
from graflow_nb.core.compose import Composable
from graflow_nb.core.composites import entries
from graflow_nb.core.errors import CycleLimitError, TaskDefinitionError, UnknownTaskError, did_you_mean
from graflow_nb.core.limits import check_needs
from graflow_nb.core.reach import followers, reach
from graflow_nb.core.state import RunState
from graflow_nb.core.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graflow_nb.core.call import Produced
    from graflow_nb.core.commands import Command
    from graflow_nb.core.run import TaskRecord
    from graflow_nb.core.task import Task


class Growing(RunState):
    """The part of `graflow_nb.core.runner.Runner` that does what tasks ask for."""

    def _is_allowed(self, record: TaskRecord, commands: Iterable[Command]) -> bool:
        """Whether a task that is reused may do again what it asked for."""
        is_last = self._cycles.get(record.task.name, 1) >= record.task.options.max_cycles
        return not (is_last and any(isinstance(command, Again) for command in commands))

    def _obey(self, record: TaskRecord, produced: Produced, commands: Sequence[Command], status: Status) -> bool:
        """Do what a task asked for; return whether it is not done yet, for it is to be called again."""
        if status is Status.CACHED and not self._writes_again(record, commands):
            return True
        again = None
        for command in commands:
            if isinstance(command, End):
                self._end_all(record, command)
            elif isinstance(command, Again):
                again = command
        name = record.task.name
        asked = [*self._asked.pop(name, ()), *(command for command in commands if isinstance(command, Next))]
        if again is not None and not self._stopped:
            self._asked[name] = asked
            self._iterate(record, produced, again.data)
            return True
        if not asked or self._stopped:
            return False
        self._is_special = True
        is_back, after = False, self._scheduler.waiting_children(name)
        self._made[name] = produced
        for command in asked:
            try:
                is_back |= self._follow(record, command, after)
            except Exception as error:
                self._fail(record, error)
                return True
        return is_back

    def _writes_again(self, record: TaskRecord, commands: Iterable[Command]) -> bool:
        """Write to the channel what a reused task wrote; it fails if another task has made that impossible."""
        try:
            self._around_it.channel.apply(writes_in(commands))
        except Exception as error:
            self._fail(record, error)
            return False
        return True

    def _end_all(self, record: TaskRecord, command: End) -> None:
        said = f": {command.message}" if command.message else ""
        if command.is_failure:
            self.run.cancelled = f"task {record.task.name!r} cancelled the workflow{said}"
            self.run.cancelled_by = record.task.name
            self._stop(self.run.cancelled)
            self.run.canceller(None)
        else:
            self.run.ended = f"task {record.task.name!r} ended the workflow{said}"
            self.run.notes.append(self.run.ended)
            self._stop(self.run.ended)

    def _iterate(self, record: TaskRecord, produced: Produced, data: Any) -> None:
        """Call a task once more, with new data."""
        name = record.task.name
        self._is_special = True
        self._data[name] = data
        self._cycles[name] = self._cycles.get(name, 1) + 1
        self._attempts.pop(name, None)
        self._earlier_outputs[name] = [*record.outputs]
        self._made[name] = produced  # what `get_result` sees of it
        record.progress = None, f"cycle {self._cycles[name]}"
        self._decide(name)

    def _follow(self, record: TaskRecord, command: Next, after: Sequence[str]) -> bool:
        """Let tasks come between one that is about to be done and what waits for it, or in place of that.

        Returns
        -------
        bool
            Whether that task is among those that run again.
        """
        name = record.task.name
        if isinstance(command.tasks, str):
            return self._jump(record, self._known(command.tasks, name), after)
        new = []
        for task in command.tasks.tasks:
            there = self.run.records.get(task.name)
            if there is None:
                new.append(task)
            elif there.task is task and task.name not in self.run.born:
                raise TaskDefinitionError(
                    f"task {name!r} called next_task({command.tasks!r}), and {task.name!r} takes part in this run "
                    f"already: a chain or group is of new tasks only. Jump to {task.name!r} by itself."
                )
            elif there.task is not task:
                self.run.notes.append(
                    f"task {name!r} asked for a task {task.name!r}, and this run has one already: "
                    f"the new one was left out. Give it a name of its own."
                )
        check_needs(self.run.name, new, self._settings.resources)
        if new:
            self._bear(record, command, new, after)
        return False

    def _known(self, target: str, by: str) -> str:
        if target not in self.run.records:
            hint = did_you_mean(target, self.run.records)
            raise UnknownTaskError(
                f"task {by!r} called next_task({target!r}), and this run has no such task. {hint}"
            )
        return target

    def _bear(self, record: TaskRecord, command: Next, new: Sequence[Task], after: Sequence[str]) -> None:
        assert isinstance(command.tasks, Composable)
        if command.is_jump:
            self._cut |= {(record.task.name, child) for child in after}
        records, made = self.run.records, self._made

        def find(name: str) -> Task | None:
            return records[name].task if name in made and name in records else None

        plan = plan_of_born(record.task, command.tasks, new, find, self._settings.scope)
        leaves = {task.name for task in command.tasks.leaves}
        for task in new:
            befores = [before for before in plan.parents[task.name] if before in self.run.records]
            children = after if task.name in leaves and not command.is_jump else ()
            binding = plan.bindings.get(task.name) or plan.missing[task.name]
            self._admit(task, binding, befores, children)
            self.run.born.add(task.name)
        self._conditions.update({name: c for name, c in plan.conditions.items() if name in self.run.born})

    def _jump(self, record: TaskRecord, target: str, children: Sequence[str]) -> bool:
        """Go on with a task of this run; what is wired after this one is left aside, but for that and its kin.

        Returns
        -------
        bool
            Whether this task comes after that one, and so is to run again.
        """
        name, is_back = record.task.name, False
        tasks = {n: r.task for n, r in self.run.records.items()} if self.run.records[target].task.guarded else {}
        first = entries(target, tasks, self.run.parents) if tasks else [target]
        self._cut |= {(name, child) for child in children if child not in {target, *first}}
        for entry in first:
            after = reach([entry], followers(self.run.parents))
            status = self.run.records[entry].status
            if name == entry or name in after:
                is_back = True
                self._cut -= {(name, child) for child in children}
            if is_back or status.is_final:
                self._run_again(record, entry, after)
            elif status is Status.WAITING:
                self._jumped[entry] = name
                self._scheduler.release(entry)
        return is_back

    def _run_again(self, record: TaskRecord, target: str, after: set[str]) -> None:
        """Let a task that is done, and all after it, run once more."""
        goal, cycle = self.run.records[target], self._cycles.get(target, 1) + 1
        if cycle > goal.task.options.max_cycles:
            raise CycleLimitError(
                f"task {record.task.name!r} jumps back to {target!r}, which has been called {cycle - 1} times in "
                f"this run: end the loop, or allow more, @task(max_cycles=…)"
            )
        again = {target, *after}
        self._cut = {edge for edge in self._cut if edge[1] not in again}

        def waits_again(name: str) -> bool:
            there = self.run.records[name]
            if name == record.task.name or name in self._undecided or there.status.is_final:
                return True
            if there.status is Status.RUNNING:
                return name in self._calls
            return there.status in {Status.READY, Status.RETRYING} and not self._is_asked(name)

        since = {target, record.task.name, *(after & reach([record.task.name], self.run.parents))}
        for name in self._scheduler.reopen([target], waits_again):
            other = self.run.records[name]
            if name in self._calls:
                self._outrun.add(name)
            other.status, other.produced, other.error = Status.WAITING, None, None
            self._earlier_outputs[name] = [*other.outputs]
            self._skipped.discard(name)
            self._answers.discard(name)
            self._undecided.pop(name, None)
            self._expanded.pop(name, None)
            self._resting.discard(name)
            self._data.pop(name, None)
            self._asked.pop(name, None)
            self._cycles.pop(name, None)
            self._delayed.discard(name)
            if name in since:
                self._around_it.rounds[name] = self._around_it.rounds.get(name, 1) + 1
        self._cycles[target] = cycle
        self._drop_waiting(lambda name: self.run.records[self._visible(name)].status is Status.WAITING)

    def _is_asked(self, name: str) -> bool:
        return name in self._conditions and self._conditions[name].task.name in self._calls
