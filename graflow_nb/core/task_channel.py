"""One task's side of the run's channel: what it read there, and what it wrote.

A task may be reused if what it read is so again, and then its writes are done again. So reads are of what
others wrote: what the task itself wrote comes with it.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any

from graflow_nb.core.channel import ABSENT, Absent, Change, Channel, Command

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_nb.core.locks import Hold

KEYS = ""
"""Where `TaskChannel.reads` has what `keys()` saw: no key is empty."""

_UNKNOWN = object()
_STAYS = frozenset({Absent, type(None), bool, int, float, complex, str, bytes})
"""Types whose values cannot be changed in place."""


class TaskChannel:
    """The channel of a run, as one of its tasks has it.

    Parameters
    ----------
    channel : Channel
    volatile : dict, optional
        Gets the names of what is another in each run: a result that may depend on it is not reused.
    look : callable, optional
        Returns what tells a value's content, so that it is noticed if the task changes in place what it read.

    Attributes
    ----------
    reads : dict of str to (str, object)
        What the task saw at its first read of each key, unless it had written that itself: ("value", the value),
        ("absent", None), ("exists", True), ("list", True) if it was only added to and so had to be a list or
        nothing, and under `KEYS` ("keys", the list of them).
    writes : list of Command
        What it wrote, in order.
    volatile : dict
    """

    def __init__(
        self,
        channel: Channel,
        volatile: dict[str, None] | None = None,
        look: Callable[[Any], Any] | None = None,
    ) -> None:
        self.reads: dict[str, tuple[str, Any]] = {}
        self.writes: list[Command] = []
        self.volatile = {} if volatile is None else volatile
        self._channel = channel
        self._mutex = RLock()  # for a task that starts threads
        self._own: dict[str, Any] = {}  # what keys must hold by its own writes alone
        self._base: dict[str, Any] = {}  # what those held before, that it only added to
        self._has_cleared = False
        self._look = look
        self._contents: dict[str, Any] = {}  # of what was read, as it was then

    def get(self, key: str, default: Any = None) -> Any:
        """Return what a key holds, or the default."""
        with self._mutex:
            value = self._channel.get(key, ABSENT)
            self._saw(key, value)
            return default if value is ABSENT else value

    def exists(self, key: str) -> bool:
        """Whether a key holds something, be it None."""
        with self._mutex:
            there = self._channel.exists(key)
            self._saw_whether(key, there=there)
            return there

    def keys(self) -> list[str]:
        """Return the keys, in the order in which they were first set."""
        with self._mutex:
            keys = self._channel.keys()
            seen = self.reads.setdefault(KEYS, ("keys", [*keys]))
            if self._own or self._has_cleared or seen[1] != keys:
                self.volatile["channel.keys() (they changed while the task ran)"] = None
            return keys

    def set(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Let a key hold a value; see `Channel.set`."""
        self._do(Command("set", key, value, ttl))

    def append(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Put a value at the end of a key's list; see `Channel.append`."""
        self._do(Command("append", key, value, ttl))

    def prepend(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Put a value at the beginning of a key's list; see `Channel.append`."""
        self._do(Command("prepend", key, value, ttl))

    def delete(self, key: str) -> bool:
        """Take a key away; return whether it was there."""
        return self._do(Command("delete", key)).before is not ABSENT

    def clear(self) -> None:
        """Take every key away."""
        self._do(Command("clear"))

    def atomic_add(self, key: str, amount: Any = 1) -> Any:
        """Add to a key's number; see `Channel.atomic_add`. The task's result is not reused then."""
        self.volatile["channel.atomic_add"] = None
        return self._channel.atomic_add(key, amount)

    def lock(self, key: str, timeout: float | None = None) -> Hold:
        """Return a lock by this name; see `Channel.lock`. The task's result is not reused then."""
        self.volatile["channel.lock"] = None
        return self._channel.lock(key, timeout)

    def leave(self) -> None:
        """Let what is done from now on be done to a channel that nobody sees."""
        with self._mutex:
            self._channel = Channel()

    def close(self) -> None:
        """Say that the task is over; what it changed in place is not what others wrote any more."""
        for key, content in self._contents.items():
            if self._content(self.reads[key][1]) != content:
                self.volatile[f"channel.get({key!r}) (changed in place: set() a copy)"] = None

    def _do(self, command: Command) -> Change:
        with self._mutex:
            try:
                change = self._channel.do(command)
            except TypeError:  # whether it can be added to depends on what others wrote
                self._saw(command.key, self._channel.get(command.key, ABSENT))
                raise
            self.writes.append(command)
            if command.op == "delete":  # which answers whether it was there
                self._saw_whether(command.key, there=change.before is not ABSENT)
            if command.op == "clear":
                self._own.clear()
                self._base.clear()
                self._has_cleared = True
            elif command.op in {"append", "prepend"}:
                self._added(command.key, change)
            else:
                self._own[command.key] = change.after
                self._base.pop(command.key, None)
            return change

    def _added(self, key: str, change: Change) -> None:
        known = self._known(key)
        if known is _UNKNOWN and key not in self._own:
            self._base[key], known = change.before, change.before
            if self.reads.setdefault(key, ("list", True)) != ("list", True):
                self._read(key, change.before)
        self._own[key] = change.after if known is change.before else _UNKNOWN

    def _known(self, key: str) -> Any:
        """Return what a key must hold by its own writes alone."""
        return self._own.get(key, ABSENT if self._has_cleared else _UNKNOWN)

    def _saw(self, key: str, value: Any) -> None:
        known = self._known(key)
        if known is _UNKNOWN and key not in self._own:
            self._read(key, value)
        elif value is not known:
            self._changed(key)
        elif key in self._base:
            self._read(key, self._base[key])

    def _saw_whether(self, key: str, *, there: bool) -> None:
        known = self._known(key)
        if known is _UNKNOWN and key not in self._own:
            kind, _ = self.reads.setdefault(key, ("exists", True) if there else ("absent", None))
            if (kind != "absent") is not there:
                self._changed(key)
        elif (known is not ABSENT) is not there:
            self._changed(key)

    def _read(self, key: str, value: Any) -> None:
        """Take note of what others wrote; what it is counts more than that it is."""
        seen = ("absent", None) if value is ABSENT else ("value", value)
        kind, before = self.reads.setdefault(key, seen)
        if kind == "list" or (kind == "exists" and value is not ABSENT):
            self.reads[key] = seen
        elif kind != seen[0] or before is not seen[1]:
            self._changed(key)
        if self._look is not None and key not in self._contents and type(value) not in _STAYS:
            self._contents[key] = self._content(value)

    def _content(self, value: Any) -> Any:
        """Return what tells a value's content; something new if it cannot be looked at."""
        assert self._look is not None
        try:
            return self._look(value)
        except Exception:  # whatever a value's own methods raise, or another thread changes it right now
            return object()

    def _changed(self, key: str) -> None:
        """Say that a key is not what it was at the first read, or what the task itself wrote."""
        self.volatile[f"channel.get({key!r}) (it changed while the task ran)"] = None

    def __repr__(self) -> str:
        return repr(self._channel)
