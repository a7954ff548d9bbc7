"""Looks after a run in a Redis: that it counts as alive, and that those who make its calls are."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from graflow_nb.core.errors import BackendError, WorkerLostError, describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graflow_nb.backends.redis.backend import RedisBackend
    from graflow_nb.backends.redis.out import Out

_log = logging.getLogger("graflow_nb")
LOOK: Final = 2.0
"""Seconds between two looks."""
SILENT: Final = 12.0
"""Seconds without a sign of life after which a worker is lost; it gives one every two."""
_MOST = 200
"""How many calls that wait are looked at each time, the oldest first: each look takes the longer the queue is."""
_NOBODY = 10.0
"""Seconds without any worker after which a call no longer waits for one."""


class Keeper:
    """Looks after a run.

    Parameters
    ----------
    backend : RedisBackend
    """

    def __init__(self, backend: RedisBackend) -> None:
        self._backend = backend
        self._seen = time.monotonic()

    def keep(self) -> None:
        """Look, again and again, until the run is over."""
        from redis.exceptions import RedisError

        backend = self._backend
        while not backend.closed.wait(LOOK):
            try:
                if not backend.office.keep_alive():
                    backend.hear(None, self._forgotten())
                    return
                self._look_at_workers()
                self._look_at_calls()
            except (RedisError, OSError) as error:
                if not backend.closed.is_set():
                    backend.hear(None, backend.address.trouble(error))
                return
            except Exception as error:  # the run must be kept alive, whatever it is
                _log.warning("a look at the workers failed: %s", backend.address.scrub(describe(error)))

    def _forgotten(self) -> BackendError:
        return BackendError(
            f"Redis at {self._backend.address!r} knows nothing of this run any more: it was started anew without "
            f"its data, or emptied, or this process was suspended"
        )

    def _look_at_workers(self) -> None:
        self._backend.saw(len(self._backend.office.workers()))
        if self._backend.workers:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > _NOBODY:
            for out in self._backend.out():
                if not out.has_begun:
                    why = f"task {out.call.task.name!r}: no worker listens at {self._backend.address!r} any more"
                    self._backend.hear(out.job, WorkerLostError(why))

    def _look_at_calls(self) -> None:
        outs = self._backend.out()
        self._look_at_running([out for out in outs if out.has_begun])
        self._look_at_waiting([out for out in outs if not out.has_begun][:_MOST])

    def _look_at_running(self, outs: Sequence[Out]) -> None:
        beats = self._backend.office.beats([out.job for out in outs]) if outs else []
        for out, (beat, state) in zip(outs, beats, strict=True):
            is_over = state is None or state in {"failed", "stopped", "finished"}
            if out.age((beat, is_over)) > (LOOK if is_over else SILENT):
                how = "it ended without a word" if is_over else f"no sign of life for {SILENT:.0f} seconds"
                self._lose(out, f"the worker of task {out.call.task.name!r}, {out.place}, is lost: {how}")

    def _look_at_waiting(self, outs: Sequence[Out]) -> None:
        """Let those be lost whose worker died when it had just taken them from the queue.

        A worker that lives is between the two for a moment, so one look is not enough.
        """
        waits = self._backend.office.waits([out.job for out in outs]) if outs else []
        for out, is_queued in zip(outs, waits, strict=True):
            is_between = out.age(is_queued) > SILENT and not is_queued
            if is_between and self._backend.office.take_back([out.job]):
                self._lose(out, f"the worker that took task {out.call.task.name!r} from the queue is lost")

    def _lose(self, out: Out, why: str) -> None:
        self._backend.office.revoke(out.job)
        self._backend.hear(out.job, WorkerLostError(why))
