"""What a run keeps in the Redis, and under which names; all of it goes at the run's end, or by itself."""

from __future__ import annotations

from typing import Final

ALIVE: Final = 30
"""Seconds for which a run counts as alive after its process last said so."""
KEPT: Final = 3600
"""Seconds for which the rest is kept after that: nobody can use it any more."""
WORKER: Final = 15
"""Seconds for which a worker counts as alive after it last said so."""

TAKE: Final = """
if redis.call('exists', KEYS[1]) == 0 then return {'over'} end
local body = redis.call('hget', KEYS[2], ARGV[1])
if redis.call('hsetnx', KEYS[3], ARGV[1], ARGV[2]) == 0 then return {'taken'} end
if not body then return {'nothing'} end
redis.call('hdel', KEYS[2], ARGV[1])
redis.call('xadd', KEYS[4], '*', 'job', ARGV[1], 'message', ARGV[3])
return {'yours', body, redis.call('hget', KEYS[5], ARGV[4]) or ''}
"""
"""Takes a job, if it is still to be had, for one worker and no other, and tells its run so."""


class Keys:
    """The names of what a run keeps.

    Parameters
    ----------
    run : str
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self.alive = f"graflow:{run}:alive"
        self.home = f"graflow:{run}:home"  # a stream: what workers send
        self.bodies = f"graflow:{run}:bodies"  # jobs that nobody has taken, by id
        self.claims = f"graflow:{run}:claims"  # who has taken a job, by id
        self.mirrors = f"graflow:{run}:mirrors"  # what workers take over, by digest

    @property
    def all(self) -> tuple[str, ...]:
        """Those that a run always has."""
        return self.alive, self.home, self.bodies, self.claims, self.mirrors

    @property
    def for_taking(self) -> tuple[str, ...]:
        """The keys of `TAKE`."""
        return self.alive, self.bodies, self.claims, self.home, self.mirrors

    def answers(self, job: str) -> str:
        """Return where a job finds the answers to its questions."""
        return f"graflow:{self.run}:answers:{job}"


def worker_key(name: str) -> str:
    """Return where a worker says what it is like."""
    return f"graflow:worker:{name}"


def queue_name(queue: str, identity: str) -> str:
    """Return the name that a queue has in RQ: users with other keys have queues of their own."""
    return f"{queue}:{identity[:8]}"
