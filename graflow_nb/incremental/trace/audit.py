"""Python's audit hook, heard by the task that the event belongs to."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Listener(Protocol):
    """Hears what the code of one task does."""

    def heard(self, event: str, args: tuple[Any, ...]) -> None:
        """Take one event. It must not raise: the user's own call would fail."""


LISTENER: ContextVar[Listener | None] = ContextVar("graflow_listener", default=None)
"""Who hears what the code that runs here does; None: nobody."""

STARTS = (
    "subprocess.Popen", "os.system", "os.posix_spawn", "os.spawn", "os.exec", "os.fork", "os.forkpty",
    "os.startfile", "pty.spawn",
)  # fmt: skip
"""Events of starting another program."""
REACHES = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")
"""Events of using the network."""
EVENTS = frozenset(
    {
        *("open", "os.listdir", "os.scandir", "sqlite3.connect"),
        *("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink"),
        *("os.chmod", "os.chown", "os.utime", "os.chdir"),
        *STARTS,
        *REACHES,
    }
)
"""The events that say something about what a task uses."""

_lock = threading.Lock()
_is_installed = False


def install() -> None:
    """Install the hook, once a process: Python never takes one away again."""
    global _is_installed  # noqa: PLW0603 - the hook is the process's
    if _is_installed:
        return
    with _lock:
        if not _is_installed:
            sys.addaudithook(_hook)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=_forget)
            _is_installed = True


@contextmanager
def unheard() -> Iterator[None]:
    """Do something that is not the task's doing."""
    token = LISTENER.set(None)
    try:
        yield
    finally:
        LISTENER.reset(token)


def _hook(event: str, args: tuple[Any, ...], _events: Any = EVENTS, _listener: Any = LISTENER.get) -> None:
    # The defaults stay when Python ends and takes the module apart.
    if event in _events:
        listener = _listener()
        if listener is not None:
            listener.heard(event, args)


def _forget() -> None:
    """In a forked process nobody listens: another thread may have held the listener's lock."""
    LISTENER.set(None)
