"""What a task in another process finds round it: each question goes to the process that has the run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from graflow_nb.core.channel import ABSENT, Change, check_key
from graflow_nb.core.locks import Hold, KeyLock

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from graflow_nb.core.channel import Command
    from graflow_nb.core.job import Job
    from graflow_nb.core.locks import Owner
    from graflow_nb.core.task import Task

_FRESH = 0.02
"""Seconds for which the answer to whether a task was cancelled is good."""
_TURN = 0.002  # seconds between two tries at a lock
SAME: tuple[()] = ()
"""In place of a tuple with a value: it is the one that was sent for this key before."""


class Home(Protocol):
    """The process that has the run, as a task elsewhere reaches it."""

    def ask(self, question: str, *args: Any) -> Any:
        """Return the answer to a question; raises what it raised there."""

    def tell(self, do: Callable[..., Any], *args: Any) -> None:
        """Have something done there, soon and in order."""

    def progress(self, fraction: float | None, text: str) -> None:
        """Say how far the task is; of several in a tenth of a second the last counts."""


class RemoteSurroundings:
    """Stands for `graflow_nb.core.surroundings.Surroundings`.

    Parameters
    ----------
    job : Job
    home : Home
    """

    def __init__(self, job: Job, home: Home) -> None:
        self.run_id = job.run_id
        self.seed = job.seed
        self.started = time.perf_counter() - job.elapsed
        self.rounds = {} if job.round is None else {job.name: job.round}
        self.is_captured = job.is_captured
        self.content_of = job.content_of
        self.channel = RemoteChannel(home)
        self._home = home
        self._asked = -_FRESH
        self._was_cancelled = False

    @property
    def is_cancelled(self) -> bool:
        """Whether the run, or the task, was cancelled."""
        now = time.monotonic()
        if now - self._asked >= _FRESH and not self._was_cancelled:
            self._asked = now
            self._was_cancelled = self._home.ask("is_cancelled")
        return self._was_cancelled

    def progress(self, _: str, fraction: float | None, text: str) -> None:
        """Say how far the task is."""
        self._home.progress(fraction, text)

    def runs_on(self, _: str, worker: str) -> None:
        """Do nothing: the process that sent the task knows."""

    def named(self, name: str, _: str) -> str:
        """Return the name that a task has in the run."""
        return str(self._home.ask("named", name))

    def has(self, task: Task, _: str) -> bool:
        """Whether a task of this name takes part: which object it is there cannot be told from here."""
        return bool(self._home.ask("has", task.name))

    def fetch(self, name: str) -> tuple[Any, Any]:
        """Return what tells a result's content, and the result."""
        seen, value = self._home.ask("fetch", name)
        return seen, value

    def keep(self, _: str, key: str, value: Any) -> None:
        """Keep something for the next calls of the task."""
        self._home.ask("keep", key, value)

    def kept(self, _: str, key: str, default: Any) -> Any:
        """Return what an earlier call has kept."""
        found = self._home.ask("kept", key)
        return default if found is ABSENT else found

    def look(self, kind: str, name: str) -> Any:
        """Return something of the run as it is now."""
        return self._home.ask("look", kind, name)


class RemoteChannel:
    """Stands for `graflow_nb.core.channel.Channel`: what is done to it is done to the run's own.

    A value that was read twice and not changed between is the same object, as it would be there.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """Return what a key holds, or the default."""
        value = self._received(check_key(key), self._home.ask("channel_get", key))
        return default if value is ABSENT else value

    def exists(self, key: str) -> bool:
        """Whether a key holds something."""
        return bool(self._home.ask("channel", "exists", key))

    def keys(self) -> list[str]:
        """Return the keys."""
        return list(self._home.ask("channel", "keys"))

    def snapshot(self) -> dict[str, Any]:
        """Return all that it holds now."""
        return dict(self._home.ask("channel", "snapshot"))

    def atomic_add(self, key: str, amount: Any = 1) -> Any:
        """Add to a key's number; return what it is then."""
        return self._home.ask("channel", "atomic_add", key, amount)

    def do(self, command: Command) -> Change:
        """Do a command; return what its key held before and after."""
        before = self._home.ask("channel_do", command)
        if command.op == "clear":
            self._known.clear()
            return Change(ABSENT, ABSENT)
        before = self._received(command.key, before)
        after = _AFTER[command.op](before, command.value)
        self._known[command.key] = after
        return Change(before, after)

    def lock(self, key: str, timeout: float | None = None) -> Hold:
        """Return a lock by this name."""
        self._home.ask("channel_lock", key, timeout)  # says what is wrong with them
        return Hold(RemoteLock(self._home, key), key, timeout)

    def _received(self, key: str, value: Any) -> Any:
        if value == SAME:
            return self._known[key]
        self._known[key] = value[0]
        return value[0]

    def __repr__(self) -> str:
        return f"<channel: {', '.join(map(repr, self.keys())) or 'nothing in it'}>"


class RemoteLock(KeyLock):
    """Stands for `graflow_nb.core.locks.KeyLock`; what the task holds is given back when its process ends, too."""

    __slots__ = ("_home", "_key")

    def __init__(self, home: Home, key: str) -> None:
        super().__init__()
        self._home = home
        self._key = key

    def acquire(self, owner: Owner, timeout: float) -> bool:
        """Take it, waiting that many seconds at most; return whether that worked."""
        end = time.monotonic() + timeout
        while not self._home.ask("acquire", self._key, _word(owner)):
            if time.monotonic() >= end:
                return False
            time.sleep(_TURN)
        return True

    def release(self) -> None:
        """Give it back."""
        self._home.ask("release", self._key)

    def is_on_this_thread(self, owner: Owner) -> bool:
        """Whether another coroutine of the same thread has it."""
        return bool(self._home.ask("is_on_this_thread", self._key, _word(owner)))


def _word(owner: Owner) -> tuple[int, int]:
    coroutine: asyncio.Task[object] | None = owner[1]
    return owner[0], id(coroutine) if coroutine is not None else 0


_AFTER: dict[str, Callable[[Any, Any], Any]] = {
    "set": lambda _, value: value,
    "append": lambda before, value: [*(() if before is ABSENT else before), value],
    "prepend": lambda before, value: [value, *(() if before is ABSENT else before)],
    "delete": lambda _, __: ABSENT,
}
