"""Work that a task hands to processes which were there before it: what they read cannot be seen."""

from __future__ import annotations

import sys
from functools import wraps
from typing import Any

from graflow_nb.incremental.trace.audit import LISTENER

_POOLS = {
    "concurrent.futures.process": ("ProcessPoolExecutor", "submit"),
    "loky.process_executor": ("ProcessPoolExecutor", "submit"),
    "joblib.externals.loky.process_executor": ("ProcessPoolExecutor", "submit"),
    "multiprocessing.pool": ("Pool", "_check_running"),
}
"""Modules, their pools of processes, and what each call of such a pool passes through."""

_told: dict[str, tuple[type, str, Any, Any]] = {}
"""By module: the pool, its method, the method as it was, and as it tells."""
_telling: set[str] = set()


def tell_of_pools() -> None:
    """Let the pools whose modules are loaded by now tell the running task's listener."""
    for name in _POOLS:
        if name in sys.modules and name not in _telling:
            _telling.add(name)
            if name not in _told:
                _told[name] = _prepared(name)
            owner, method, plain, told = _told[name]
            if getattr(owner, method) is plain:
                setattr(owner, method, told)


def leave_pools() -> None:
    """Let them tell nobody any longer."""
    while _telling:
        owner, method, plain, told = _told[_telling.pop()]
        if getattr(owner, method) is told:
            setattr(owner, method, plain)


def _prepared(name: str) -> tuple[type, str, Any, Any]:
    pool, method = _POOLS[name]
    owner = getattr(sys.modules[name], pool)
    plain = getattr(owner, method)

    @wraps(plain)
    def told(pool: Any, *args: Any, **options: Any) -> Any:
        listener = LISTENER.get()
        if listener is not None and type(pool).__name__ != "ThreadPool":
            listener.heard("pool", ())
        return plain(pool, *args, **options)

    return owner, method, plain, told
