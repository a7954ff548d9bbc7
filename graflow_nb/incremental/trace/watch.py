"""What has to be in place while tasks are watched: the hook, threads that inherit, what the hook does not hear."""

from __future__ import annotations

import threading

from graflow_nb.core.inherit import close_inheritance, open_inheritance
from graflow_nb.incremental.trace.audit import install
from graflow_nb.incremental.trace.environment import change_environment
from graflow_nb.incremental.trace.pools import leave_pools, tell_of_pools
from graflow_nb.incremental.trace.status import change_questions

_lock = threading.Lock()
_users = 0


def open_watch() -> None:
    """Put everything in place. Each call must be followed by one of `close_watch`.

    Who makes many calls in a row may hold it open round them: that saves half of what each costs.
    """
    global _users  # noqa: PLW0603 - what is put in place is the process's
    with _lock:
        _users += 1
        if _users == 1:
            install()
            open_inheritance()
            change_environment(tells=True)
            change_questions(tells=True)
        tell_of_pools()


def close_watch() -> None:
    """Take everything away, if nobody else needs it."""
    global _users  # noqa: PLW0603 - see above
    with _lock:
        _users -= 1
        if _users == 0:
            leave_pools()
            change_questions(tells=False)
            change_environment(tells=False)
            close_inheritance()
