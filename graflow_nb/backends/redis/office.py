"""A run's side of the Redis: what it puts there, takes back, reads and looks after."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from graflow_nb.backends.redis.address import steadily, text
from graflow_nb.backends.redis.horse import entries_of
from graflow_nb.backends.redis.keys import ALIVE, KEPT, Keys, queue_name, worker_key
from graflow_nb.backends.versions import differences
from graflow_nb.core.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graflow_nb.backends.redis.address import Address
    from graflow_nb.incremental.store.signing import Signer

ENTRY: Final = "graflow_nb.backends.redis.worker.make"
_FIRST = 10.0
"""Seconds that the first worker has to appear."""
_READ = 1000
"""Milliseconds to wait for messages at a time."""
_TAKEN = "taken back"


class Worker(NamedTuple):
    """A worker that is alive.

    Attributes
    ----------
    key : str
        Which signing key it has.
    place : str
    versions : mapping of str to str
    """

    key: str
    place: str
    versions: Mapping[str, str]


class Office:
    """What a run does with its Redis. The methods raise redis-py's errors, those of `prepare` apart.

    Parameters
    ----------
    address : Address
    signer : Signer
    run : str
    """

    def __init__(self, address: Address, signer: Signer, run: str) -> None:
        from rq import Queue
        from rq.serializers import JSONSerializer

        self.address, self.keys = address, Keys(run)
        self._signer = signer
        self._redis = address.connect()
        self._reader = address.connect(_READ / 1000 + 5)
        self._queue = Queue(
            queue_name(address.queue, signer.identity), connection=self._redis, serializer=JSONSerializer
        )
        self._last = "0"
        self._done: list[bytes] = []

    def prepare(self) -> int:
        """See that there is a Redis with workers that fit; return how many.

        Raises
        ------
        BackendError
            If there is none, or one that does not fit.
        """
        from redis.exceptions import RedisError

        try:
            self._redis.ping()
            steadily(lambda: self._redis.set(self.keys.alive, 1, ex=ALIVE))
            return self._first_workers()
        except (RedisError, OSError, TypeError) as error:  # TypeError: an option in the URL that there is not
            raise self.address.trouble(error) from None

    def _first_workers(self) -> int:
        end = time.monotonic() + _FIRST
        while not (workers := self.workers()):
            if time.monotonic() >= end:
                raise BackendError(self._no_workers())
            time.sleep(0.1)
        for worker in workers:
            if found := differences(worker.versions):
                raise BackendError(
                    f"worker {worker.place} is not like this process, and could not read what it is sent: "
                    f"{'; '.join(found)}. Install the same there and start it anew"
                )
        return len(workers)

    def workers(self) -> list[Worker]:
        """Return the workers on our queue that are alive."""
        from rq.worker_registration import get_keys

        return self._alive(get_keys(self._queue))

    def _alive(self, keys: Iterable[str]) -> list[Worker]:
        names = sorted(key.partition(":worker:")[2] for key in keys)
        said = self._redis.mget([worker_key(name) for name in names]) if names else []
        facts = [json.loads(one) for one in said if one]  # type: ignore[union-attr,unused-ignore]
        return [Worker(str(f["key"]), str(f["place"]), f["versions"]) for f in facts]

    def _no_workers(self) -> str:
        from rq.worker_registration import get_keys

        all_workers = self._alive(get_keys(connection=self._redis))
        others = [worker for worker in all_workers if worker.key != self._signer.identity]
        queue = self.address.queue
        if others and len(others) == len(all_workers):
            return (
                f"the workers at {self.address!r}, such as {others[0].place}, have another key than this process, "
                f"and would refuse what it sends. Set the same GRAFLOW_NB_SECRET here and for graflow-nb worker"
            )
        if all_workers:
            return (
                f"no worker at {self.address!r} listens on queue {queue!r}, and {len(all_workers)} on others. "
                f"Start one with: graflow-nb worker --queues {queue}"
            )
        return f"no worker listens at {self.address!r}. Start one with: graflow-nb worker --url {self.address!r}"

    def enqueue(self, jobs: Sequence[tuple[str, str, bytes, str]], mirrors: Mapping[str, bytes]) -> None:
        """Queue jobs: each with its id, what it is called, its body and what it takes over."""
        from rq import Queue

        with self._redis.pipeline(transaction=False) as pipeline:
            for digest, sealed in mirrors.items():
                pipeline.hset(self.keys.mirrors, digest, sealed)
            pipeline.hset(self.keys.bodies, mapping={job: body for job, _, body, _ in jobs})
            data = [
                Queue.prepare_data(
                    ENTRY,
                    (self.keys.run, mirror),
                    job_id=job,
                    description=about,
                    timeout=-1,
                    result_ttl=0,
                    failure_ttl=KEPT,
                    ttl=None,
                )
                for job, about, _, mirror in jobs
            ]
            self._queue.enqueue_many(data, pipeline=pipeline)
            for key in self.keys.all[1:]:
                pipeline.expire(key, KEPT)
            steadily(pipeline.execute)

    def take_back(self, jobs: Sequence[str]) -> list[str]:
        """Take jobs that no worker has taken, so that none will; return which those are."""
        from rq.job import Job

        if not jobs:
            return []
        with self._redis.pipeline(transaction=False) as pipeline:
            for job in jobs:
                pipeline.hsetnx(self.keys.claims, job, _TAKEN)
            took: Any = pipeline.execute()
            free = [job for job, was_free in zip(jobs, took, strict=True) if was_free]
            for job in free:
                pipeline.hdel(self.keys.bodies, job)
                pipeline.lrem(self._queue.key, 1, job)
                pipeline.delete(Job.key_for(job))
            pipeline.execute()
        return free

    def stop(self, job: str, worker: str) -> None:
        """Have a worker end the process of a job."""
        from rq.command import send_command

        self.revoke(job)
        send_command(self._redis, worker, "stop-job", job_id=job)

    def revoke(self, job: str) -> None:
        """Let nobody go on with a job: its process ends itself soon."""
        self._redis.hset(self.keys.claims, job, _TAKEN)

    def answer(self, job: str, message: bytes) -> None:
        """Send an answer."""
        key = self.keys.answers(job)
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.xadd(key, {"message": message})
            pipeline.expire(key, KEPT)
            steadily(pipeline.execute)

    def forget(self, job: str) -> None:
        """Remove what was answered to a job that is over."""
        self._redis.delete(self.keys.answers(job))

    def read(self) -> list[tuple[str, bytes]]:
        """Wait a moment for messages; return each with its job. None is lost if the connection is."""
        with self._reader.pipeline(transaction=False) as pipeline:
            if self._done:
                pipeline.xdel(self.keys.home, *self._done)
            pipeline.xread({self.keys.home: self._last}, count=500, block=_READ)
            messages = entries_of(pipeline.execute()[-1])
        self._done = [identity for identity, _ in messages]
        if messages:
            self._last = text(messages[-1][0])
        return [(text(fields[b"job"]), fields[b"message"]) for _, fields in messages]

    def answers(self) -> bool:
        """Whether the Redis answers now."""
        from redis.exceptions import RedisError

        try:
            return bool(self._redis.ping())
        except (RedisError, OSError):
            return False

    def keep_alive(self) -> bool:
        """Say that the run goes on; return whether the Redis still knew of it."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(self.keys.alive, 1, ex=ALIVE, xx=True)
            for key in self.keys.all[1:]:
                pipeline.expire(key, KEPT)
            return bool(steadily(pipeline.execute)[0])

    def beats(self, jobs: Sequence[str]) -> list[tuple[str | None, str | None]]:
        """Return of each job the last sign of life, and its state; None where RQ knows nothing of it any more."""
        from rq.job import Job

        with self._redis.pipeline(transaction=False) as pipeline:
            for job in jobs:
                pipeline.hmget(Job.key_for(job), "last_heartbeat", "status")
            found: Any = steadily(pipeline.execute)
        return [tuple(None if one is None else text(one) for one in pair) for pair in found]  # type: ignore[misc]

    def waits(self, jobs: Sequence[str]) -> list[bool]:
        """Return of each job whether it stands in the queue."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for job in jobs:
                pipeline.lpos(self._queue.key, job)
            return [place is not None for place in steadily(pipeline.execute)]

    def close(self, jobs: Sequence[str]) -> None:
        """Remove what the run has here, and these jobs of its."""
        from rq.job import Job

        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.delete(*self.keys.all, *map(Job.key_for, jobs), *map(self.keys.answers, jobs))
            for job in jobs:
                pipeline.lrem(self._queue.key, 1, job)
            pipeline.execute()

    def disconnect(self) -> None:
        """Close the connections."""
        self._redis.close()
        self._reader.close()
