"""RQ's worker with our set-up: it makes calls of flows and nothing else, and only those signed with its key."""

from __future__ import annotations

import gc
import json
import mmap
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rq import Worker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker_registration import WORKERS_BY_QUEUE_KEY  # noqa: F401 - says early that RQ is another one

from graflow_nb.backends.redis.horse import Post, make_call
from graflow_nb.backends.redis.keys import WORKER, Keys, queue_name, worker_key
from graflow_nb.backends.redis.seal import LOST, RefusedError, Seal
from graflow_nb.backends.versions import versions
from graflow_nb.incremental.store.signing import user_signer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graflow_nb.backends.redis.address import Address

ENTRY = "graflow_nb.backends.redis.worker.make"
"""What RQ would call; nothing else is called here."""
LAST = 2**63
"""The number of the message that a call's process has ended: whatever it sent before comes before it."""
_TURN = 20
"""Seconds: RQ says that a worker is there that much less 15, if it has nothing to do."""
_LOOK = 2
"""Seconds between two looks at a call's process."""
_TRIES = 8
"""How often a command is tried again when the connection breaks: RQ would end the worker."""
_PACE = 0.5
"""Seconds between two signs of life: RQ would give nine for each job."""
_FIRST = ("graflow_nb.backends.afar", "graflow_nb.incremental.look", "cloudpickle")
"""Loaded before there is a call: each has a process of its own, which would load them anew."""
_LATER = ("graflow_nb.notebook.elsewhere", "numpy", "pandas", "scipy", "matplotlib", "sklearn")
"""Loaded when some call has loaded them: they make each start of a process slower, and calls without them need not
pay for that. All of them can be forked."""


class FlowJob(Job):  # type: ignore[misc,unused-ignore]
    """A job of ours. RQ would import and call whatever a job names: this calls one function, or nothing."""

    post: Post | None = None
    loaded: _Loaded
    success_callback = failure_callback = stopped_callback = None  # type: ignore[assignment,unused-ignore]

    def perform(self) -> str:
        """Make the call that the job stands for."""
        assert self.post is not None
        try:
            make_call(self.post, *self.place())
            self.loaded.note()
        except RefusedError as error:
            message = f"refused job {self.id}: {error}"
            say(f"{self.post.place} {message}")
            raise RefusedError(message) from None
        return "ok"

    def place(self) -> tuple[str, str, str]:
        """Return the run, the job and what it takes over, by their names."""
        try:
            is_ours = self.func_name == ENTRY
            run, mirror = self.args
        except Exception:
            is_ours, run, mirror = False, None, None
        if not (is_ours and isinstance(run, str) and isinstance(mirror, str)):
            raise RefusedError("it is not one that graflow_nb put there")
        return run, self.id, mirror

    def send_webhooks(self, *_: Any, **__: Any) -> None:
        """Send nothing to wherever a job says."""


class FlowWorker(Worker):  # type: ignore[misc,unused-ignore]
    """RQ's worker for jobs of ours.

    Parameters
    ----------
    address : Address
    queues : sequence of str
    name : str, optional
    """

    def __init__(self, address: Address, queues: Sequence[str], name: str | None = None) -> None:
        signer, host = user_signer(), socket.gethostname()
        connection = address.connect(tries=_TRIES)
        super().__init__(
            [queue_name(queue, signer.identity) for queue in queues],
            name=name or f"{host}-{os.getpid()}-{os.urandom(3).hex()}",
            connection=connection,
            serializer=JSONSerializer,
            job_class=FlowJob,
            worker_ttl=_TURN,
            job_monitoring_interval=_LOOK,
            log_job_description=False,
        )
        self.log_result_lifespan = False
        self.post = Post(connection, signer, self.name, f"{host}:{os.getpid()}", address.shared)
        FlowJob.post = self.post
        facts = {"versions": versions(), "key": signer.identity, "queues": [*queues], "place": self.post.place}
        self._facts = json.dumps(facts)
        self.key_shown = signer.identity[:8]
        self._said = 0.0
        self.loaded = FlowJob.loaded = _Loaded()

    def execute_job(self, job: Any, queue: Any) -> None:
        """Start a process for a call, and wait for it."""
        self.loaded.load()
        super().execute_job(job, queue)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Say that it is there, and what it is like."""
        now = time.monotonic()
        if pipeline is None and now - self._said < _PACE:
            return
        self._said = now
        super().heartbeat(timeout, pipeline)
        (self.connection if pipeline is None else pipeline).set(worker_key(self.name), self._facts, ex=WORKER)

    def register_birth(self) -> None:
        """Say that it is there."""
        super().register_birth()  # type: ignore[no-untyped-call,unused-ignore]
        self.heartbeat()

    def register_death(self) -> None:
        """Say that it is there no longer."""
        self.connection.delete(worker_key(self.name))
        super().register_death()  # type: ignore[no-untyped-call,unused-ignore]

    def handle_job_success(
        self,
        job: Any,
        queue: Any,  # noqa: ARG002 - as in its class
        started_job_registry: Any,  # noqa: ARG002 - as in its class
        execution: Any,
    ) -> None:
        """Forget a job: its result is with its run, and no other job of RQ's waits for it."""
        with self.connection.pipeline() as pipeline:
            self.cleanup_execution(job, pipeline=pipeline, execution=execution)
            self.increment_successful_job_count(pipeline)
            pipeline.delete(job.key, job.execution_registry.key)
            pipeline.execute()

    def handle_warm_shutdown_request(self) -> None:
        """Say what happens now."""
        if self.horse_pid:
            say("ending after the task that runs; Ctrl-C again ends it at once")

    def handle_work_horse_killed(self, job: Job, retpid: int, ret_val: int, rusage: Any) -> None:
        """Tell the run how the process of its call ended."""
        killed: Any = super().handle_work_horse_killed
        killed(job, retpid, ret_val, rusage)
        self._tell_lost(job, _how(ret_val))

    def kill_horse(self, sig: Any = signal.SIGKILL) -> None:
        """End the process of a call, and tell its run."""
        job = self.get_current_job()
        super().kill_horse(sig)
        if job is not None:
            self._tell_lost(job, "ended by its worker")

    def _tell_lost(self, job: Any, how: str) -> None:
        with suppress(RefusedError):
            run, name, _ = job.place()
            keys = Keys(run)
            if self.connection.exists(keys.alive):
                message = Seal(self.post.signer, run, name).close(LOST, LAST, {"how": how})
                self.connection.xadd(keys.home, {"job": name, "message": message})


def say(message: str) -> None:
    """Say something to who looks after the worker."""
    sys.stderr.write(f"graflow-nb worker: {message}\n")
    sys.stderr.flush()


def make(*_: Any) -> None:
    """Refuse: a worker of ours never calls this."""
    raise RefusedError("jobs of graflow_nb need its own worker: graflow-nb worker")


def load_first(more: Sequence[str] = ()) -> None:
    """Load what calls need, before there is one."""
    for module in (*_FIRST, *more):
        with suppress(ImportError):
            import_module(module)
    gc.collect()
    gc.freeze()  # what is never looked at again need not be copied for a process


class _Loaded:
    """What the processes of calls have loaded, as they tell their worker: a byte each, in memory they share."""

    def __init__(self) -> None:
        self._flags = mmap.mmap(-1, len(_LATER))

    def note(self) -> None:
        """In such a process: note what it has loaded."""
        for place, name in enumerate(_LATER):
            if name in sys.modules:
                self._flags[place] = 1

    def load(self) -> None:
        """In the worker: load it, too."""
        missing = [n for place, n in enumerate(_LATER) if self._flags[place] and n not in sys.modules]
        if missing:
            load_first(missing)


def _how(status: int) -> str:
    """Return in words how a process ended."""
    if os.WIFSIGNALED(status):
        with suppress(ValueError):
            return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
        return f"killed by signal {os.WTERMSIG(status)}"
    return f"exit code {os.waitstatus_to_exitcode(status)}"
