"""What a running task can ask of its run. It travels with the outcome, and is kept and done again with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from graflow_nb.core.channel import Command as Write
from graflow_nb.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graflow_nb.core.compose import Composable

COMMANDS = "<commands>"
"""Among the variables that a task made: what it asked for. No variable can have this name."""


class Next(NamedTuple):
    """Let tasks run after this one; `is_jump`: in place of those that are wired after it.

    One that is in the run already is given by its name, and jumped to.
    """

    tasks: Composable | str
    is_jump: bool = False

    def __graflow_fingerprint__(self) -> Any:
        """Return what counts of it: a task that was asked for may hold what could be changed in place."""
        if isinstance(self.tasks, str):
            return self.tasks, self.is_jump
        made = [(task.name, task.fn, _bound(task), task.options.when) for task in self.tasks.tasks]
        wired = [[task.name for task in side] for join in self.tasks.joins for side in join]
        return self.is_jump, made, wired


class Again(NamedTuple):
    """Call this task once more, with this as its data."""

    data: Any


class Skip(NamedTuple):
    """Show this task as skipped; what is wired after it runs all the same."""

    note: str


class End(NamedTuple):
    """Start nothing more; `is_failure`: and end the run as cancelled."""

    message: str
    is_failure: bool = False


def _bound(task: Task) -> dict[str, Any]:
    bound = task.options.bound
    return {name: ("task", value.name) if isinstance(value, Task) else value for name, value in bound.items()}


Command: TypeAlias = Next | Again | Skip | End | Write


def writes_in(commands: Iterable[Command]) -> list[Write]:
    """Return what commands write to the channel."""
    return [command for command in commands if isinstance(command, Write)]
