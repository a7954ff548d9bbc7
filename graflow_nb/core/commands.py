"""What a running task can ask of its run. It travels with the outcome, and is kept and done again with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from graflow_nb.core.channel import Command as Write

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


class Again(NamedTuple):
    """Call this task once more, with this as its data."""

    data: Any


class End(NamedTuple):
    """Start nothing more; `is_failure`: and end the run as cancelled."""

    message: str
    is_failure: bool = False


Command: TypeAlias = Next | Again | End | Write


def writes_in(commands: Iterable[Command]) -> list[Write]:
    """Return what commands write to the channel."""
    return [command for command in commands if isinstance(command, Write)]
