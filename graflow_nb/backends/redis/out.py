"""A call that is out at a worker, or waits for one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from graflow_nb.backends.home import HomeEnd
from graflow_nb.core.job import Sent

if TYPE_CHECKING:
    from graflow_nb.backends.redis.seal import Seal
    from graflow_nb.core.call import Call


class Out:
    """A call that is out.

    Parameters
    ----------
    call : Call

    Attributes
    ----------
    job : str
        What it is called in the Redis.
    sent : Sent
    end : HomeEnd
    seal : Seal
    worker, place : str
        Who makes it, for RQ and in words; nothing yet if it waits.
    last : int
        The number of its last message.
    has_asked : bool
    is_struck : bool
        Whether it is to be ended.
    beat : object
        The last sign of life.
    beat_at : float
        When that was first seen, `time.monotonic`; of a call that waits, when it was sent.
    """

    __slots__ = (
        "beat", "beat_at", "call", "end", "has_asked", "is_struck", "job", "last", "place", "seal", "sent",
        "worker",
    )  # fmt: skip

    def __init__(self, call: Call) -> None:
        self.call = call
        self.job = uuid4().hex
        self.sent = Sent(call)
        self.end = HomeEnd(self.sent, is_far=True)
        self.seal: Seal
        self.worker = self.place = ""
        self.last = 0
        self.has_asked = self.is_struck = False
        self.beat: Any = None
        self.beat_at = time.monotonic()

    @property
    def has_begun(self) -> bool:
        """Whether a worker has taken it."""
        return bool(self.worker)

    def age(self, beat: Any) -> float:
        """Return the seconds for which there is no other sign of life than this one."""
        now = time.monotonic()
        if beat != self.beat:
            self.beat, self.beat_at = beat, now
        return now - self.beat_at
