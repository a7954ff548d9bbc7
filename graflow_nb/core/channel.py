"""What the tasks of one run tell each other by key, whatever thread they run on."""

from __future__ import annotations

import time
from numbers import Number, Real
from threading import RLock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from graflow_nb.core.errors import did_you_mean
from graflow_nb.core.locks import Hold, KeyLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_FOREVER = float("inf")


class Absent:
    """Stands where there is no value; None is a value."""

    def __repr__(self) -> str:
        return "<absent>"

    def __reduce__(self) -> str:
        return "ABSENT"  # the same one in every process


ABSENT = Absent()


class Command(NamedTuple):
    """A change of a channel that can be done again.

    Attributes
    ----------
    op : str
        "set", "append", "prepend", "delete" or "clear".
    key : str
        "" for "clear".
    value : object
    ttl : float or None
    """

    op: str
    key: str = ""
    value: Any = None
    ttl: float | None = None


class Change(NamedTuple):
    """What a key held before a command, and after it; `ABSENT` if nothing."""

    before: Any
    after: Any


class ChannelLike(Protocol):
    """What a task can do with a channel."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return what a key holds, or the default."""

    def set(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Let a key hold a value, for so many seconds."""

    def append(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Put a value at the end of a key's list."""

    def prepend(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Put a value at the beginning of a key's list."""

    def delete(self, key: str) -> bool:
        """Take a key away; return whether it was there."""

    def exists(self, key: str) -> bool:
        """Whether a key holds something."""

    def keys(self) -> list[str]:
        """Return the keys, in the order in which they were first set."""

    def clear(self) -> None:
        """Take every key away."""

    def atomic_add(self, key: str, amount: Any = 1) -> Any:
        """Add to a key's number; return what it is then."""

    def lock(self, key: str, timeout: float | None = None) -> Hold:
        """Return a lock by this name."""


class Channel:
    """What the tasks of one run tell each other, by key. Every operation is atomic.

    Parameters
    ----------
    initial : mapping of str, optional
        What it holds at first.
    clock : callable, optional
        Seconds, for what lives only for a while.

    Examples
    --------
    >>> channel = Channel({"rate": 0.1})
    >>> channel.append("losses", 0.9)
    >>> channel.append("losses", 0.7)
    >>> channel.get("losses"), channel.atomic_add("steps", 2), channel.keys()
    ([0.9, 0.7], 2, ['rate', 'losses', 'steps'])
    """

    def __init__(
        self, initial: Mapping[str, Any] = MappingProxyType({}), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._mutex = RLock()  # a value's finalizer may come back here
        self._held: dict[str, tuple[Any, float]] = {}  # with the time at which it ends
        self._locks: dict[str, KeyLock] = {}
        for key, value in initial.items():
            self.set(key, value)

    def get(self, key: str, default: Any = None) -> Any:
        """Return what a key holds, or the default."""
        value = self._look(check_key(key))
        return default if value is ABSENT else value

    def set(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Let a key hold a value.

        Parameters
        ----------
        key : str
        value : object
        ttl : float, optional
            For so many seconds; by default for as long as the run.

        Raises
        ------
        ValueError
            If `ttl` is not more than 0.
        """
        self.do(Command("set", key, value, ttl))

    def append(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Put a value at the end of a key's list; a new list, whoever read the one before keeps it.

        Parameters
        ----------
        key : str
        value : object
        ttl : float, optional
            The list lives for so many seconds from now; by default as long as it did.

        Raises
        ------
        TypeError
            If the key holds something else than a list.
        """
        self.do(Command("append", key, value, ttl))

    def prepend(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Put a value at the beginning of a key's list; else as `append`."""
        self.do(Command("prepend", key, value, ttl))

    def delete(self, key: str) -> bool:
        """Take a key away; return whether it was there."""
        return self.do(Command("delete", key)).before is not ABSENT

    def exists(self, key: str) -> bool:
        """Whether a key holds something, be it None."""
        return self._look(check_key(key)) is not ABSENT

    def keys(self) -> list[str]:
        """Return the keys, in the order in which they were first set."""
        return [*self.snapshot()]

    def clear(self) -> None:
        """Take every key away."""
        self.do(Command("clear"))

    def atomic_add(self, key: str, amount: Any = 1) -> Any:
        """Add to a key's number (0 if it is not there); return what it is then.

        Raises
        ------
        TypeError
            If the key, or the amount, is no number.
        """
        _check_number(f"what is added to {check_key(key)!r}", amount)
        with self._mutex:
            before, end = self._entry(key)
            _check_number(f"channel key {key!r}", 0 if before is ABSENT else before)
            try:
                after = amount if before is ABSENT else before + amount
            except TypeError as error:  # numbers that cannot be added, as Decimal and float
                raise TypeError(f"channel key {key!r}: {error}") from None
            self._held[key] = after, end
            return after

    def lock(self, key: str, timeout: float | None = None) -> Hold:
        """Return a lock by this name, for ``with`` or ``async with``: one task at a time is inside.

        It is its own: it stops nobody who reads or writes the key without it. The same task may take it again.

        Parameters
        ----------
        key : str
        timeout : float, optional
            Seconds to wait at most; then TimeoutError is raised.
        """
        if timeout is not None and not (isinstance(timeout, Real) and timeout >= 0):
            raise ValueError(f"lock({key!r}): timeout is a number of seconds, 0 or more, not {timeout!r}")
        return Hold(self.key_lock(key), key, timeout)

    def key_lock(self, key: str) -> KeyLock:
        """Return what is behind `lock`."""
        with self._mutex:
            return self._locks.setdefault(check_key(key), KeyLock())

    def snapshot(self) -> dict[str, Any]:
        """Return all that it holds now."""
        with self._mutex:
            now = self._clock()
            return {key: value for key, (value, end) in self._held.items() if now < end}

    def apply(self, commands: Iterable[Command]) -> None:
        """Do commands again, all at once or, if one cannot be done, none; a life begins now."""
        with self._mutex:
            before = self._held.copy()
            try:
                for command in commands:
                    self.do(command)
            except BaseException:
                self._held = before
                raise

    def do(self, command: Command) -> Change:
        """Do a command; return what its key held before and after."""
        change = _OPERATIONS.get(command.op)
        if change is None:
            raise ValueError(f"a channel has no command {command.op!r}. {did_you_mean(command.op, _OPERATIONS)}")
        if command.op == "clear":
            with self._mutex:
                self._held.clear()
            return Change(ABSENT, ABSENT)
        key, ttl = check_key(command.key), _check_ttl(command)
        with self._mutex:
            before, end = self._entry(key)
            after = change(key, before, command.value)
            if command.op == "set" or ttl is not None:
                end = _FOREVER if ttl is None else self._clock() + ttl
            if after is ABSENT:
                self._held.pop(key, None)
            else:
                self._held[key] = after, end
            return Change(before, after)

    def _look(self, key: str) -> Any:
        with self._mutex:
            return self._entry(key)[0]

    def _entry(self, key: str) -> tuple[Any, float]:
        """Return what a key holds and until when; what has ended goes."""
        value, end = self._held.get(key, (ABSENT, _FOREVER))
        if end is not _FOREVER and self._clock() >= end:
            del self._held[key]
            return ABSENT, _FOREVER
        return value, end

    def __repr__(self) -> str:
        return f"<channel: {', '.join(map(repr, self.keys())) or 'nothing in it'}>"


def check_key(key: object) -> str:
    """Return a key that is one.

    Raises
    ------
    TypeError, KeyError
        If it is no text, or an empty one.
    """
    if not isinstance(key, str):
        raise TypeError(f"a channel's key is a text, not {type(key).__name__!r} ({key!r}): str(key) makes one")
    if not key:
        raise KeyError('a channel\'s key is a text that is not empty: name what it holds, as in "rate"')
    return key


def _check_ttl(command: Command) -> float | None:
    ttl = command.ttl
    if ttl is None or (isinstance(ttl, Real) and ttl > 0):
        return ttl
    raise ValueError(
        f"{command.op}({command.key!r}): ttl is a number of seconds, more than 0, not {ttl!r}; "
        f"None is for as long as the run"
    )


def _check_number(what: str, value: object) -> None:
    if not isinstance(value, Number) or isinstance(value, bool):
        raise TypeError(f"{what} is no number but {type(value).__name__!r}: atomic_add() adds numbers")


def _items(key: str, held: Any) -> Sequence[Any]:
    if held is ABSENT:
        return ()
    if isinstance(held, list):
        return held
    raise TypeError(f"channel key {key!r} holds no list but {type(held).__name__!r}: set it to a list first")


_OPERATIONS: Mapping[str, Callable[[str, Any, Any], Any]] = {
    "set": lambda _, __, value: value,
    "append": lambda key, before, value: [*_items(key, before), value],
    "prepend": lambda key, before, value: [value, *_items(key, before)],
    "delete": lambda _, __, ___: ABSENT,
    "clear": lambda _, __, ___: ABSENT,
}
