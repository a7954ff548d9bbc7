"""Locks by name, re-entrant, for tasks on threads and for coroutines that share one thread."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Owner: TypeAlias = "tuple[int, asyncio.Task[object] | None]"
"""A thread, and the coroutine that runs on it: two coroutines of one thread exclude each other too."""

_SLICE = 0.05  # seconds: an interrupt reaches a waiting thread between two of them
_TURN = 0.005  # seconds between two tries of a coroutine, whose loop goes on meanwhile


class KeyLock:
    """A re-entrant lock that belongs to a thread, or to a coroutine on it."""

    __slots__ = ("_count", "_lock", "_owner")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: Owner | None = None
        self._count = 0

    def acquire(self, owner: Owner, timeout: float) -> bool:
        """Take it, waiting that many seconds at most; return whether that worked."""
        if self._owner != owner:  # only the owner itself can find that it is
            if not self._lock.acquire(timeout=max(timeout, 0.0)):
                return False
            self._owner = owner
        self._count += 1
        return True

    def release(self) -> None:
        """Give it back; the last of several times it is free."""
        self._count -= 1
        if not self._count:
            self._owner = None
            self._lock.release()

    def is_on_this_thread(self, owner: Owner) -> bool:
        """Whether another coroutine of the same thread has it."""
        holder = self._owner
        return holder is not None and holder[0] == owner[0] and holder != owner


class Hold:
    """One use of a lock: ``with`` in a function, ``async with`` in a coroutine.

    Parameters
    ----------
    lock : KeyLock
    name : str
        What messages call it.
    timeout : float or None
        Seconds to wait at most.
    """

    __slots__ = ("_lock", "_name", "_timeout")

    def __init__(self, lock: KeyLock, name: str, timeout: float | None) -> None:
        self._lock = lock
        self._name = name
        self._timeout = timeout

    def __enter__(self) -> Self:
        owner = _owner()
        for seconds in self._slices():
            if self._lock.acquire(owner, min(seconds, _SLICE)):
                return self
            if self._lock.is_on_this_thread(owner):
                raise RuntimeError(
                    f"the lock of {self._name!r} is held by another coroutine of the same event loop, which "
                    f"cannot go on while this one waits: use `async with` for it in both"
                )
        raise self._too_late()

    def __exit__(self, *exc: object) -> None:
        self._lock.release()

    async def __aenter__(self) -> Self:
        owner = _owner()
        for seconds in self._slices():
            if self._lock.acquire(owner, 0):
                return self
            await asyncio.sleep(min(seconds, _TURN))
        raise self._too_late()

    async def __aexit__(self, *exc: object) -> None:
        self._lock.release()

    def _slices(self) -> Iterator[float]:
        """Give the seconds that are left, once at least, until there are none."""
        end = float("inf") if self._timeout is None else time.monotonic() + self._timeout
        yield end - time.monotonic()
        while (left := end - time.monotonic()) > 0:
            yield left

    def _too_late(self) -> TimeoutError:
        return TimeoutError(f"the lock of {self._name!r} was not free within {self._timeout} s")


def _owner() -> Owner:
    try:
        coroutine = asyncio.current_task()
    except RuntimeError:  # no event loop runs on this thread
        coroutine = None
    return threading.get_ident(), coroutine
