"""The Dask backend of one run: each call a Dask task, whose inputs on the cluster go from worker to worker."""

from __future__ import annotations

import pickle
import threading
import time
import uuid
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from graflow_nb.backends.afar import current_afar
from graflow_nb.backends.dask.cluster import check_installed, cluster_at
from graflow_nb.backends.dask.held import Held
from graflow_nb.backends.dask.letters import BEGIN, LOST, Bulk, Left, Letter
from graflow_nb.backends.dask.making import make_call, strike, withdraw
from graflow_nb.backends.home import HomeEnd, packed_job
from graflow_nb.backends.mirror import own_modules
from graflow_nb.backends.packing import pack, unpack
from graflow_nb.core.away import Away
from graflow_nb.core.errors import BackendError, GraflowError, TaskCancelled, WorkerLostError, describe
from graflow_nb.core.job import Sent
from graflow_nb.core.settings import Withdrawn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graflow_nb.backends.dask.cluster import Cluster, Message
    from graflow_nb.core.call import Call, Outcome

_PROTOCOL: Final = 5
_AHEAD: Final = 4
"""How many calls a thread of the cluster are handed to it: Dask itself decides which goes where."""
_FEWEST: Final = 32
"""How many are, however few threads there are: a cluster that adapts starts workers for what waits."""
_BULK: Final = 1 << 20
"""Bytes: larger buffers go to the workers beside their call."""
_PATIENCE: Final = 10.0
"""Seconds in which the outcome of a call must have been heard of that Dask says is done."""


class _Out:
    """A call that the cluster has."""

    def __init__(self, name: str, sent: Sent, inputs: Sequence[Away]) -> None:
        self.sent = sent
        self.end = HomeEnd(sent)
        self.attempts: list[str] = []
        self.inputs = inputs
        self.name = name
        self.future: Any = None  # until it is sent
        self.packed: tuple[Any, ...] = ()
        self.needs: tuple[tuple[str, int], ...] = ()
        self.done_since: float | None = None

    def is_of_now(self, attempt: str) -> bool:
        """Whether a message comes from the present attempt; a new one finds nothing of the one before."""
        if attempt not in self.attempts:
            if self.attempts:
                self.end.close()
                self.end = HomeEnd(self.sent)
            self.attempts.append(attempt)
        return attempt == self.attempts[-1]


class DaskBackend:
    """Calls on a Dask cluster.

    Parameters
    ----------
    workers : int, optional
        How many calls are made at once at most; of a cluster that is started here, how many workers it has.
    where : str or distributed.Client, optional
        By default a cluster on this machine, which is kept until the process ends.

    Raises
    ------
    UnknownBackendError
        If Dask is not installed.
    """

    def __init__(self, workers: int | None = None, where: Any = None) -> None:
        check_installed()
        if workers is not None and workers < 1:
            raise ValueError(f"a run needs at least one worker, not workers={workers}")
        self._name = uuid.uuid4().hex
        self._workers = workers
        self._where = where
        self._cluster: Cluster | None = None
        self._out: dict[int, _Out] = {}  # by the numbers of the calls
        self._unsent: deque[_Out] = deque()
        self._lock = threading.Lock()
        self._threads = 0
        self._mirror: tuple[bytes, Mapping[str, bytes]] | None = None
        self._modules: Sequence[str] = ()
        self._deliver: Callable[[Outcome], None] = lambda _: None

    @property
    def slots(self) -> int:
        """How many calls the cluster is handed at once."""
        return self._workers or max(_FEWEST, _AHEAD * self._threads)

    def take_note(self) -> str:
        """Return what a run should say of it: where its dashboard is, the first time."""
        link = self._cluster.take_link() if self._cluster is not None else ""
        return f"Dask shows what its workers do at {link}" if link else ""

    def open(self, deliver: Callable[[Outcome], None]) -> None:
        """Connect, or start the cluster; see that both sides understand each other."""
        self._deliver = deliver
        self._cluster = cluster_at(self._where, self._workers)
        try:
            self._cluster.check()
            self._threads = self._cluster.threads
        except BackendError:
            raise
        except Exception as error:
            raise BackendError(
                f"the Dask scheduler at {self._cluster.name} does not answer ({describe(error)})"
            ) from error
        self._cluster.watch(self._look)

    def takes(self, away: Away) -> bool:
        """Whether a value is on this cluster."""
        return type(away.holder) is Held and away.holder.cluster is self._cluster

    def submit(self, call: Call) -> None:
        """Hand a call to the cluster."""
        sent = Sent(call)
        try:
            self._submit(sent)
        except BaseException as error:
            self._deliver(sent.failed(error))

    def _submit(self, sent: Sent) -> None:
        cluster, call = self._reached(), sent.call
        handed: dict[tuple[int, str | None], tuple[int, Away]] = {}

        def number(away: Away) -> int:
            key = id(away.holder), away.variable
            return handed.setdefault(key, (len(handed), away))[0]

        packed = packed_job(sent.job(), number)
        inputs = [away for _, away in handed.values()]
        out = _Out(f"{self._name}{call.number:x}", sent, inputs)
        futures, wanted = [], []
        for away in inputs:
            holder: Any = away.holder
            futures.append(holder.future(away.variable))
            wanted.append(holder.wanted(away.variable))
        if self._mirror is None:
            self._mirror, self._modules = sent.inside(_mirror)
        buffers = [bytearray(buffer) for buffer in packed.buffers]
        bulk = cluster.client.scatter(Bulk(buffers), hash=False) if packed.size > _BULK else None
        options = call.task.options
        letter = Letter(
            out.name,
            cluster.topic,
            (bytes(packed.stream), [] if bulk is not None else buffers),
            wanted,
            self._mirror,
            self._modules,
            tells_begin=options.timeout is not None,
        )
        declared = cluster.resources([*options.resources]) if options.resources else ()
        with self._lock:
            self._out[call.number] = out
        cluster.listen(out.name, lambda message: self._take(out, message))
        out.packed = pickle.dumps(letter, _PROTOCOL), bulk, futures  # bytes: the scheduler need not look in
        out.needs = tuple((name, options.resources[name]) for name in declared)
        self._unsent.append(out)
        cluster.soon(self._send)

    def _send(self) -> None:
        """Send what was handed in since the last time, together: a message costs little more for several."""
        alike: dict[Any, list[_Out]] = {}
        while self._unsent:
            out = self._unsent.popleft()
            if out.sent.call.number in self._out:  # it was not taken back
                alike.setdefault((out.sent.call.task.options.priority, out.needs), []).append(out)
        for (priority, needs), outs in alike.items():
            try:
                futures = self._reached().client.map(
                    make_call,
                    *zip(*(out.packed for out in outs), strict=True),
                    key=[_key(out) for out in outs],
                    pure=False,
                    priority=priority,
                    resources=dict(needs) or None,
                )
            except BaseException as error:
                for out in outs:
                    self._fail(out, error)
                continue
            for out, future in zip(outs, futures, strict=True):
                out.future, out.packed = future, ()

    def _reached(self) -> Cluster:
        assert self._cluster is not None
        if not self._cluster.is_running:
            raise self._gone()
        return self._cluster

    def _gone(self) -> BackendError:
        assert self._cluster is not None
        return BackendError(
            f"the Dask scheduler at {self._cluster.name} is gone. What had finished is kept, as far as it is here "
            f"or on disk: run again when there is a scheduler"
        )

    def withdraw(self) -> Sequence[Call]:
        """Take back what no worker has begun."""
        outs = self._all_out()
        if not outs:
            return ()
        cluster = self._cluster
        assert cluster is not None
        begun = _within(2.0, lambda: cluster.tell(withdraw, [out.name for out in outs]))
        if begun is None:  # nobody answers: they are all taken for begun
            return ()
        names = {name for there in begun.values() for name in there}
        back = [out for out in outs if out.name not in names and self._closed(out)]
        _within(2.0, lambda: cluster.client.cancel([out.future for out in back if out.future is not None]))
        return [out.sent.call for out in back]

    def interrupt(self, call: Call | None = None) -> None:
        """Break off a call, or all: one that has not begun does not begin."""
        outs = [out for out in self._all_out() if call in {None, out.sent.call}]
        if outs:
            threading.Thread(target=self._strike, args=(outs,), name="graflow-strike", daemon=True).start()

    def _strike(self, outs: Sequence[_Out]) -> None:
        cluster = self._cluster
        assert cluster is not None
        try:
            told = cluster.tell(strike, [out.name for out in outs])
            cluster.client.cancel([out.future for out in outs if out.future is not None])
        except Exception:  # nobody answers: the run does not wait for them
            told = {}
        struck = {name for there in told.values() for name in there}
        for out in outs:
            if out.name not in struck:
                self._fail(out, TaskCancelled())

    def replace(self, call: Call) -> None:
        """Go on without a call that is stuck: its worker is busy with it until it ends."""
        if (out := self._out.get(call.number)) is not None:
            self._closed(out)

    def close(self) -> None:
        """Wait for nothing any more."""
        for out in self._all_out():
            self._closed(out)
        if self._cluster is not None:
            self._cluster.unwatch(self._look)

    def _all_out(self) -> list[_Out]:
        with self._lock:
            return list(self._out.values())

    def _closed(self, out: _Out) -> bool:
        """Take no more messages of a call; return whether any were taken until now."""
        with self._lock:
            if self._out.pop(out.sent.call.number, None) is None:
                return False
        assert self._cluster is not None
        self._cluster.forget(out.name)
        out.end.close()
        return True

    def _take(self, out: _Out, message: Message) -> None:
        """Take what a worker says of a call; on the cluster's thread."""
        cluster = self._reached()
        name, worker, attempt, kind, (stream, *buffers) = message
        if not out.is_of_now(attempt):
            cluster.refuse(message)
            return
        if kind == BEGIN:
            out.sent.call.context.begun = time.perf_counter()
            return
        if kind == LOST:
            for place in unpack(stream):
                out.inputs[place].let_go("its worker was lost, and made again it came out otherwise")
            self._fail(out, Withdrawn())
            return
        try:
            held = [bytearray(buffer) for buffer in buffers]
            outcome = out.end.take(kind, stream, held, lambda *reply: cluster.reply(name, worker, *reply))
        except BaseException as error:
            self._fail(out, error)
            return
        if outcome is not None and self._closed(out):
            seconds = outcome.ended - outcome.started  # by the clock of another machine
            outcome.ended = time.perf_counter()
            outcome.started = outcome.ended - seconds
            outcome.worker = worker
            self._keep(outcome, out)
            self._deliver(outcome)

    def _keep(self, outcome: Outcome, out: _Out) -> None:
        """Put what stands for values that stayed on the cluster in their places."""
        values: dict[str | None, Any] = {None: outcome.value}
        values.update(outcome.variables)
        left = {name: value for name, value in values.items() if type(value) is Left}
        if left:
            assert self._cluster is not None
            nonce = next(iter(left.values())).nonce
            held = Held(self._cluster, out.future, nonce, outcome.prints, len(left))
            for name, value in left.items():
                values[name] = Away(outcome.name, name, held, value.size, value.shown)
            outcome.value = values.pop(None)
            outcome.variables = {name: value for name, value in values.items() if name is not None}

    def _fail(self, out: _Out, error: BaseException) -> None:
        if self._closed(out):
            self._deliver(out.sent.failed(error))

    def _look(self) -> None:
        """Look for calls of which nothing will be heard: their worker is lost, or the scheduler."""
        is_gone = self._cluster is not None and not self._cluster.is_running
        for out in self._all_out():
            status = "cancelled" if is_gone else out.future.status if out.future is not None else "pending"
            if status == "finished":
                out.done_since = out.done_since or time.monotonic()
                if time.monotonic() - out.done_since > _PATIENCE:
                    name = out.sent.call.task.name
                    self._fail(out, WorkerLostError(f"nothing was heard of what came of task {name!r}"))
            elif status != "pending":
                self._fail(out, self._gone() if is_gone else self._why(out, status))
        if is_gone and self._cluster is not None:
            self._cluster.unwatch(self._look)
            self._cluster.give_up()

    def _why(self, out: _Out, status: str) -> BaseException:
        """Return the error of a call that Dask could not make."""
        if lost := [away for away in out.inputs if away.is_lost]:
            for away in lost:
                away.let_go(away.holder.why_lost)
            return Withdrawn()
        name = out.sent.call.task.name
        error = out.future.exception(timeout=1) if status == "error" else None
        if type(error).__name__ == "KilledWorker":
            return WorkerLostError(
                f"the Dask worker of task {name!r} ended before the task did, as often as the scheduler tries it. "
                f"If nobody killed it, it crashed, or was short of memory"
            )
        if isinstance(error, GraflowError):
            return error
        if error is None:
            return WorkerLostError(f"task {name!r} was cancelled on the Dask cluster ({status})")
        return BackendError(f"Dask could not make the call of task {name!r} ({describe(error)})")


def _key(out: _Out) -> str:
    """Return the name of a call on the cluster; Dask takes those that begin alike for alike: items of a map."""
    return f"{out.sent.call.task.name.partition('[')[0]}-{out.name}"


def _mirror() -> tuple[tuple[bytes, Mapping[str, bytes]], Sequence[str]]:
    """Return what workers take over, with a digest, and which modules are the user's own."""
    import xxhash

    found = current_afar()
    return (xxhash.xxh3_128_digest(bytes(pack(found).stream)), found), own_modules()


def _within(seconds: float, do: Callable[[], Any]) -> Any:
    """Return what something returns; None if that takes too long or fails."""
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(do())
        except Exception:
            return

    worker = threading.Thread(target=work, name="graflow-dask-asks", daemon=True)
    worker.start()
    worker.join(seconds)
    return found[0] if found else None
