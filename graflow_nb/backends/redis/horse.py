"""A process of a worker that makes one call: it takes the job, checks it, makes the call, sends the outcome."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.backends.afar import take_over_afar
from graflow_nb.backends.packing import unpack
from graflow_nb.backends.redis.address import steadily
from graflow_nb.backends.redis.keys import TAKE, Keys
from graflow_nb.backends.redis.seal import BEGIN, JOB, MIRROR, REFUSED, RefusedError, Seal
from graflow_nb.backends.redis.shared import SharedFolder, too_large
from graflow_nb.backends.there import (
    ASK,
    OUTCOME,
    HomeLink,
    live_at,
    make_for,
    packed_outcome,
    stand_in,
)
from graflow_nb.core.inherit import open_inheritance

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from graflow_nb.backends.packing import Packed
    from graflow_nb.core.call import Outcome
    from graflow_nb.incremental.store.signing import Signer

_OWN = ("rq.worker", "rq.job")
"""Loggers that belong to the worker, not to the task."""
_WAIT = 2000
"""Milliseconds to wait for an answer at a time."""
_LOOK = 0.5
"""Seconds between two looks whether anybody still waits for the call."""
_RARELY = 4
"""How many looks there are for each that asks the Redis."""
_GONE = 30.0
"""Seconds without a Redis after which nobody can be waiting any more."""


class Post(NamedTuple):
    """Where a worker is in the world.

    Attributes
    ----------
    connection : redis.Redis
    signer : Signer
    worker : str
        Its name.
    place : str
        What it is called in messages.
    shared : str or None
        The folder that all machines see.
    """

    connection: redis.Redis
    signer: Signer
    worker: str
    place: str
    shared: str | None


class Wire:
    """Brings messages of a job home, and answers from there; see `graflow_nb.backends.there.Transport`.

    Parameters
    ----------
    post : Post
    run, job : str
    """

    def __init__(self, post: Post, run: str, job: str) -> None:
        self.post, self.job = post, job
        self.keys, self.seal = Keys(run), Seal(post.signer, run, job)
        self.shared = SharedFolder(post.shared, run)
        self._lock = threading.Lock()
        self._number = self._asked = 0

    def next(self, kind: bytes, head: dict[str, Any] | None = None, packed: Packed | None = None) -> bytes:
        """Return the next message of the stream home."""
        self._number += 1
        return self.seal.close(kind, self._number, head, packed)

    def send(self, kind: bytes, packed: Packed) -> None:
        """Send a message; raises an `OSError` if there is no Redis any more, or no room for it."""
        head, packed = self.shared.put(packed)
        with self._lock:
            self.put(self.next(kind, head, packed))
            if kind == ASK:
                self._asked = self._number

    def put(self, message: bytes) -> None:
        """Send what is sealed. It may arrive twice if the Redis is gone for a moment: its number tells."""
        fields: Any = {"job": self.job, "message": message}
        _tried(lambda: self.post.connection.xadd(self.keys.home, fields))

    def receive(self) -> tuple[bytes, Any, Any]:
        """Wait for the answer to the last question."""
        connection, answers = self.post.connection, self.keys.answers(self.job)
        while True:
            found: Any = _tried(lambda: connection.xread({answers: "0"}, block=_WAIT))
            for identity, fields in entries_of(found):
                message = self.seal.open(fields[b"message"])
                _tried(partial(connection.xdel, answers, identity))
                if message.number == self._asked:
                    packed = self.shared.get(message.head) if message.head else None
                    return message.kind, *(packed or (message.stream, message.buffers))


def make_call(post: Post, run: str, job: str, mirror: str) -> None:
    """Take a job and make its call.

    Raises
    ------
    RefusedError
        If it is not a job that one of ours sent and nobody has taken.
    """
    wire = Wire(post, run, job)
    begin = wire.next(BEGIN, {"worker": post.worker, "place": post.place})
    keys = wire.keys.for_taking

    def take() -> Any:
        return post.connection.eval(TAKE, len(keys), *keys, job, post.worker, begin, mirror)

    answer, *found = _tried(take)
    if answer != b"yours":
        raise RefusedError(_WHY.get(answer, "nobody knows of it"))
    _Watch(post, wire).start()
    try:
        head, packed = _opened(wire, found[0])
        taken_over = _taken_over(post, run, mirror, head, found[1])
    except RefusedError as error:
        wire.put(wire.next(REFUSED, {"why": str(error), "place": post.place}))
        raise
    levels = {name: logging.getLogger(name).level for name in _OWN}
    take_over_afar(taken_over)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    open_inheritance()
    home = HomeLink(wire)
    live_at(home)
    stand_in()
    outcome = make_for(home, packed.stream, packed.buffers, f"worker {post.place}")
    home.close_call()
    _send(wire, head["task"], outcome)


def _opened(wire: Wire, body: bytes) -> tuple[Any, Packed]:
    """Return what a job's body says, if it is one."""
    from graflow_nb.backends.packing import Packed

    message = wire.seal.open(body)
    if message.kind != JOB:
        raise RefusedError("it is something else")
    if message.head["until"] < time.time():
        raise RefusedError("its time is over")
    if wire.post.shared is None:
        wire.shared = SharedFolder(message.head["shared"], wire.keys.run)
    if "file" not in message.head:
        return message.head, Packed(message.stream, message.buffers)
    try:
        return message.head, wire.shared.get(message.head)
    except OSError as error:
        raise RefusedError(f"what it is handed is not in the shared folder ({error})") from error


def _taken_over(post: Post, run: str, mirror: str, head: Any, sealed: bytes) -> Any:
    message = Seal(post.signer, run, mirror).open(sealed)
    if head["mirror"] != mirror or message.kind != MIRROR:
        raise RefusedError("what it takes over is not what its run said")
    return unpack(message.stream, message.buffers)


def _send(wire: Wire, task: str, outcome: Outcome) -> None:
    packed = packed_outcome(outcome)
    try:
        wire.send(OUTCOME, packed)
    except ConnectionError:
        raise
    except OSError as error:
        things = [("its result", "result", outcome.value)]
        things += [("a variable of it", name, value) for name, value in outcome.variables.items()]
        outcome.error = too_large(task, packed.size, things, error)
        outcome.value, outcome.variables, outcome.kept = None, {}, None
        wire.send(OUTCOME, packed_outcome(outcome))


def end() -> None:
    """End this process and what was started in it, at once."""
    os.killpg(0, signal.SIGKILL)


class _Watch(threading.Thread):
    """Ends this process when nobody waits for its call: the worker is gone, the run is over, or gave it up."""

    def __init__(self, post: Post, wire: Wire) -> None:
        super().__init__(name="graflow-watch", daemon=True)
        self._post, self._wire = post, wire
        self._parent = os.getppid()
        self._seen = time.monotonic()

    def run(self) -> None:
        turn = 1  # a short call need not ask
        while os.getppid() == self._parent and (turn % _RARELY or self._is_wanted()):
            time.sleep(_LOOK)
            turn += 1
        end()

    def _is_wanted(self) -> bool:
        from redis.exceptions import RedisError

        keys = self._wire.keys
        try:
            with self._post.connection.pipeline(transaction=False) as pipeline:
                pipeline.exists(keys.alive)
                pipeline.hget(keys.claims, self._wire.job)
                is_alive, claim = pipeline.execute()
        except RedisError:
            return time.monotonic() - self._seen < _GONE
        self._seen = time.monotonic()
        return bool(is_alive) and claim == self._post.worker.encode()


def _tried(do: Callable[[], Any]) -> Any:
    """Do something with Redis; that there is none is an `OSError`, as of any connection."""
    from redis.exceptions import RedisError

    try:
        return steadily(do, _GONE)
    except RedisError as error:
        raise ConnectionError(str(error)) from error


def entries_of(found: Any) -> list[Any]:
    """Return the entries of one stream, as XREAD answers in either version of the protocol."""
    if not found:
        return []
    streams = found.values() if isinstance(found, dict) else [entries for _, entries in found]
    flat: list[Any] = []
    for entries in streams:
        for each in entries:
            flat += each if isinstance(each, list) else [each]
    return flat


_WHY = {
    b"over": "its run is over",
    b"taken": "it was taken before",
    b"nothing": "there is nothing in it",
}
