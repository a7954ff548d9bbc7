"""What a task used of its run: the seed, the channel, other tasks' results. Compared like files that it read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.core.surroundings import ABSENT
from graflow_nb.incremental.code.parts import Part, value_part
from graflow_nb.incremental.entry import Used

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graflow_nb.core.context import TaskContext
    from graflow_nb.core.surroundings import Surroundings
    from graflow_nb.core.task import Task

NOTED = frozenset(
    {"seed", "cycle", "round", "result", "channel", "channel key", "channel list", "channel keys", "max_cycles"}
)
"""The kinds of `Used` that are told of here."""


def noted(context: TaskContext) -> Iterator[Used | str]:
    """Yield what a call used of its run; as text, why its result must not be kept."""
    for name in context.volatile:
        yield f"it used context.{name}, which differs in each run"
    for (kind, name), value in context.noted.items():
        part = _part(kind, name, value)
        if part.digest is None:
            yield f"it read {kind} {name!r}, whose content cannot be told ({part.shown})"
        else:
            yield Used(kind, name, part.digest, (), part.shown)


def is_of_this_round(trace: Iterable[Used], task: Task, surroundings: Surroundings) -> bool:
    """Whether a result can be of now, if a jump back lets its task run again: not if it is of a round before."""
    return task.name not in surroundings.rounds or any(used.kind == "round" for used in trace)


def as_now(used: Used, task: Task, surroundings: Surroundings) -> Used:
    """Return something that a task used of its run, as it is now."""
    part = _part(used.kind, used.name, _now(used, task, surroundings))
    return used._replace(digest=part.digest or b"", shown=part.shown)


def _now(used: Used, task: Task, surroundings: Surroundings) -> Any:
    if used.kind == "max_cycles":
        return task.options.max_cycles
    if used.kind in {"cycle", "round"}:
        return surroundings.look(used.kind, task.name)
    if used.kind == "seed" and used.name not in {task.name, "seed"}:
        return ABSENT  # an item of a map that stood elsewhere: its random numbers were others
    return surroundings.look(used.kind, used.name)


def _part(kind: str, name: str, value: Any) -> Part:
    if value is ABSENT:
        return Part(kind, name, b"absent", "absent")
    return Part(kind, name, value) if kind == "result" else value_part(kind, name, value)
