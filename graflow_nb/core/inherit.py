"""Threads that a task starts belong to the task: they get a copy of its context variables."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from graflow_nb.core.scope import running

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

_lock = threading.Lock()
_users = 0
_restore: list[Callable[[], None]] = []


def open_inheritance() -> None:
    """Let threads, and what is handed to a pool of threads, inherit from now on.

    Each call must be followed by one of `close_inheritance`; the last puts back what was there.
    """
    global _users  # noqa: PLW0603 - the classes are the process's
    with _lock:
        _users += 1
        if _users == 1:
            _replace(threading.Thread, "start", _started(threading.Thread.start))
            _replace(ThreadPoolExecutor, "submit", _submitted(ThreadPoolExecutor.submit))


def close_inheritance() -> None:
    """Inherit no longer, if nobody else needs it."""
    global _users  # noqa: PLW0603 - see above
    with _lock:
        _users -= 1
        while _users == 0 and _restore:
            _restore.pop()()


def _replace(owner: type, name: str, new: Any) -> None:
    old = getattr(owner, name)

    def restore() -> None:
        if getattr(owner, name) is new:  # nobody has put something else there
            setattr(owner, name, old)

    setattr(owner, name, new)
    _restore.append(restore)


def _started(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    def inherited_start(thread: threading.Thread) -> None:
        if running.get() is not None:
            run, variables = thread.run, copy_context()
            thread.run = lambda: variables.run(run)  # type: ignore[method-assign]
        start(thread)

    return inherited_start


def _submitted(submit: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    def inherited_submit(pool: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if running.get() is not None:
            return submit(pool, copy_context().run, fn, *args, **kwargs)
        return submit(pool, fn, *args, **kwargs)

    return inherited_submit
