"""What a task in another process asks of its run, answered by the process that has the run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from graflow_nb.backends.remote import SAME
from graflow_nb.core.channel import ABSENT

if TYPE_CHECKING:
    from graflow_nb.core.call import Call
    from graflow_nb.core.channel import Command
    from graflow_nb.core.locks import KeyLock
    from graflow_nb.core.surroundings import Surroundings


class Answers:
    """Answers the questions of one call.

    Parameters
    ----------
    call : Call
    """

    def __init__(self, call: Call) -> None:
        self._context = call.context
        self._name, self._prefix = call.task.name, call.task.prefix
        self._known: dict[str, Any] = {}  # the values that were sent, by key, as the channel holds them
        self._held: list[tuple[str, KeyLock]] = []

    def __call__(self, question: str, args: tuple[Any, ...]) -> Any:
        """Return the answer; raises what is wrong with the question."""
        return getattr(self, f"_{question}")(*args)

    @property
    def _run(self) -> Surroundings:
        return self._context.surroundings  # others, when the call was given up

    def close(self) -> None:
        """Give the locks back that it still holds: its process may be gone."""
        while self._held:
            self._held.pop()[1].release()

    def _is_cancelled(self) -> bool:
        return self._context.cancelled

    def _named(self, name: str) -> str:
        return self._run.named(name, self._prefix)

    def _has(self, name: str) -> bool:
        return self._named(name) in self._run.records

    def _fetch(self, name: str) -> tuple[Any, Any]:
        return self._run.fetch(name)

    def _keep(self, key: str, value: Any) -> None:
        self._run.keep(self._name, key, value)

    def _kept(self, key: str) -> Any:
        return self._run.kept(self._name, key, ABSENT)

    def _look(self, kind: str, name: str) -> Any:
        return self._run.look(kind, name)

    def _channel(self, method: str, *args: Any) -> Any:
        return getattr(self._run.channel, method)(*args)

    def _channel_get(self, key: str) -> Any:
        return self._value(key, self._run.channel.get(key, ABSENT))

    def _channel_do(self, command: Command) -> Any:
        change = self._run.channel.do(command)
        before = self._value(command.key, change.before)
        if command.op == "clear":
            self._known.clear()
        else:
            self._known[command.key] = change.after
        return before

    def _value(self, key: str, value: Any) -> tuple[Any, ...]:
        """Return a value to be sent, or say that it is the one that was sent last."""
        if key in self._known and self._known[key] is value:
            return SAME
        self._known[key] = value
        return (value,)

    def _channel_lock(self, key: str, timeout: float | None) -> None:
        self._run.channel.lock(key, timeout)

    def _acquire(self, key: str, owner: tuple[int, int]) -> bool:
        lock = self._run.channel.key_lock(key)
        if not lock.acquire(self._owner(owner), 0):
            return False
        self._held.append((key, lock))
        return True

    def _release(self, key: str) -> None:
        place = next(place for place, (name, _) in enumerate(self._held) if name == key)
        self._held.pop(place)[1].release()

    def _is_on_this_thread(self, key: str, owner: tuple[int, int]) -> bool:
        return self._run.channel.key_lock(key).is_on_this_thread(self._owner(owner))

    def _owner(self, owner: tuple[int, int]) -> Any:
        return (id(self), owner[0]), owner[1]


def write(stream: str, text: str) -> None:
    """Write what a task in another process wrote to "stdout" or "stderr"."""
    getattr(sys, stream).write(text)


def log(record: Any) -> None:
    """Handle what a task in another process logged, as if it had been logged here."""
    import logging

    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)
