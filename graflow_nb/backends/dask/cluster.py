"""Clusters as the kernel has them: a client of each, what its workers say, and what is told to them."""

from __future__ import annotations

import atexit
import logging
import os
import queue
import threading
import time
import uuid
import warnings
from typing import TYPE_CHECKING, Any, Final

from graflow_nb.backends import versions
from graflow_nb.backends.dask.letters import group_here, stand_apart
from graflow_nb.backends.dask.making import answer, unpark
from graflow_nb.backends.numeric import cores_of_this_process
from graflow_nb.backends.packing import pack
from graflow_nb.backends.there import ASK, REFUSAL
from graflow_nb.core.errors import BackendError, NoContextError, UnknownBackendError, describe
from graflow_nb.core.known_backends import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graflow_nb.backends.packing import Packed

_log = logging.getLogger("graflow_nb")
TICK: Final = 0.25
"""Seconds after which it is looked whether calls were lost of which nothing is heard."""
_TOGETHER: Final = 64
"""How many messages are taken at most before what they led to is sent."""
_CONNECTING: Final = 10.0
"""Seconds that a scheduler has to answer."""
Message = tuple[str, str, str, bytes, list[bytes]]
"""A call, the address of its worker, which attempt it is, the kind, and the pickle with its buffers."""


class Cluster:
    """A client of a cluster, and the thread that hears what its workers say.

    Parameters
    ----------
    client : distributed.Client
    own : distributed.LocalCluster, optional
        The cluster itself, if it was started here.

    Attributes
    ----------
    topic : str
        Under which workers speak to this process.
    """

    def __init__(self, client: Any, own: Any = None, *, is_ours: bool = True) -> None:
        self._is_ours = is_ours
        self.client = client
        self.topic = f"graflow-{uuid.uuid4().hex}"
        self._own = own
        self._takers: dict[str, Callable[[Message], None]] = {}
        self._watchers: list[Callable[[], None]] = []
        self._heard: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._soon: dict[Callable[[], None], None] = {}
        self._checked: set[str] = set()
        self._is_shown = False
        client.subscribe_topic(self.topic, self._hear)
        self._thread = threading.Thread(target=self._work, name="graflow-dask", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether its scheduler is there."""
        return bool(self.client.status == "running")

    @property
    def name(self) -> str:
        """Where it is, to be shown."""
        scheduler = self.client.scheduler
        return shown(scheduler.address) if scheduler is not None else "an unknown address"

    @property
    def threads(self) -> int:
        """How many calls its workers make at once."""
        return sum(worker["nthreads"] for worker in self._workers().values())

    def resources(self, needed: Sequence[str]) -> set[str]:
        """Return which resources some worker says that it has."""
        declared = {name for worker in self._workers().values() for name in worker.get("resources", ())}
        return declared.intersection(needed)

    def take_link(self) -> str:
        """Return where its dashboard is, once."""
        link = "" if self._is_shown else str(self.client.dashboard_link or "")
        self._is_shown = True
        return link

    def _workers(self) -> dict[str, Any]:
        return dict(self.client.scheduler_info(n_workers=-1)["workers"])

    def check(self) -> None:
        """Raise if its workers and this process would not understand each other.

        Raises
        ------
        BackendError
        """
        new = set(self._workers()) - self._checked
        if not self._checked:
            try:
                self.client.run_on_scheduler(versions.versions)
            except Exception as error:
                raise self._unloadable(f"the Dask scheduler at {self.name}", error) from None
        me = group_here(), os.getpid()
        there = self.client.run(_facts, *me, workers=list(new), on_error="return") if new else {}
        for worker, facts in there.items():
            if isinstance(facts, BaseException):
                raise self._unloadable(f"Dask worker {shown(worker)}", facts)
            is_here, there_are = facts
            if is_here:
                raise BackendError(
                    'the workers of this Dask cluster are threads of this process: use backend="threads" for '
                    "that, or a cluster with processes=True"
                )
            if different := versions.differences(there_are):
                raise BackendError(
                    f"Dask worker {shown(worker)} has other versions: {', '.join(different)}. What one writes the "
                    f"other might not read: install the same in both places"
                )
        self._checked |= new

    @staticmethod
    def _unloadable(where: str, error: BaseException) -> BackendError:
        return BackendError(
            f"{where} cannot load graflow_nb ({describe(error)}). Install there what is installed here: "
            f"pip install 'graflow-nb[dask]=={versions.versions()['graflow-nb']}'"
        )

    def gather(self, future: Any) -> Any:
        """Return what a future stands for."""
        return self.client.gather(future, direct=True if self._own is not None else None)

    def tell(self, function: Callable[..., Any], *args: Any, worker: str | None = None) -> dict[str, Any]:
        """Have a worker, or all, do something; return what each returned, of those that are there."""
        workers = None if worker is None else [worker]
        return dict(self.client.run(function, *args, workers=workers, on_error="ignore"))

    def listen(self, call: str, take: Callable[[Message], None]) -> None:
        """Have the messages of a call taken, until `forget`."""
        self._takers[call] = take

    def forget(self, call: str) -> None:
        """Take no more messages of a call."""
        self._takers.pop(call, None)

    def soon(self, do: Callable[[], None]) -> None:
        """Have something done, once, when all has been taken that was heard."""
        self._soon[do] = None
        if threading.current_thread() is not self._thread:
            self._heard.put(None)

    def watch(self, look: Callable[[], None]) -> None:
        """Have something looked at now and then, until `unwatch`."""
        self._watchers.append(look)

    def unwatch(self, look: Callable[[], None]) -> None:
        """Stop looking."""
        if look in self._watchers:
            self._watchers.remove(look)

    def give_up(self) -> None:
        """Try no longer to reach a scheduler that is gone; returns at once."""
        if self._is_ours:
            threading.Thread(target=self.close, name="graflow-dask-closes", daemon=True).start()

    def close(self) -> None:
        """Close what was opened here."""
        try:
            self.client.close(timeout=5)
            if self._own is not None:
                self._own.close(timeout=5)
        except Exception as error:  # it may have gone by itself
            _log.debug("a Dask cluster could not be closed: %s", error)

    def _hear(self, event: tuple[float, Message]) -> None:
        self._heard.put(event[1])  # on the client's own thread, which must not wait

    def _work(self) -> None:
        due, taken = time.monotonic() + TICK, 0
        while True:
            taken += 1
            if self._soon and (taken >= _TOGETHER or self._heard.empty()):
                taken = 0
                _guarded(self._soon.popitem()[0])
                continue
            try:
                message = self._heard.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                due = time.monotonic() + TICK
                if self.client.status == "closed" and not self._watchers:
                    return
                for look in list(self._watchers):
                    _guarded(look)
            else:
                if message is not None:
                    _guarded(self._take, message)

    def _take(self, message: Message) -> None:
        call, worker, attempt, kind, parts = message
        take = self._takers.get(call)
        if take is None:
            self.refuse(message)
            return
        if kind[1:] == b"+":
            parts = self.tell(unpark, parts[0].decode(), worker=worker).get(worker, [])
        if parts:
            take((call, worker, attempt, kind[:1], parts))

    def refuse(self, message: Message) -> None:
        """Say that a call is over, if it asks: Dask makes it once more, and its first outcome counts."""
        call, worker, _, kind, _ = message
        if kind[:1] == ASK:
            over = pack(NoContextError("the run of this task is over: it can be asked nothing more"))
            self.tell(answer, call, REFUSAL, [bytes(over.stream)], worker=worker)

    def reply(self, call: str, worker: str, kind: bytes, packed: Packed) -> None:
        """Send a call an answer."""
        self.tell(answer, call, kind, [bytes(packed.stream), *map(bytes, packed.buffers)], worker=worker)


def _guarded(do: Callable[..., None], *args: Any) -> None:
    try:
        do(*args)
    except Exception:  # the thread must go on: other runs need it
        _log.exception("a message from a Dask worker could not be taken")


def _facts(group: tuple[str, int], pid: int) -> tuple[bool, dict[str, str]]:
    """On a worker: stand apart; return whether this is the process that asks, and the versions."""
    if group_here()[0] == group[0] and os.getpid() == pid:
        return True, versions.versions()
    stand_apart(group)
    return False, versions.versions()


_clusters: dict[Any, Cluster] = {}
_opening = threading.Lock()


def cluster_at(where: Any, workers: int | None) -> Cluster:
    """Return the cluster that is meant: the one that was opened before, if it is there still.

    Parameters
    ----------
    where : str, Client, or None
        An address, a client, or None: a cluster on this machine.
    workers : int, optional
        How many processes that one is to have, if it has to be started.

    Raises
    ------
    BackendError
        If it cannot be reached, or started.
    """
    with _opening:
        key = where if where is None or isinstance(where, str) else id(where)
        is_ours = where is None or isinstance(where, str)
        known = _clusters.get(key)
        if known is not None and known.is_running and (is_ours or known.client is where):
            return known
        if known is not None and is_ours:
            known.close()
        _clusters[key] = made = _opened(where, workers)
        return made


def _opened(where: Any, workers: int | None) -> Cluster:
    if where is None:
        return _started(workers or cores_of_this_process())
    if not isinstance(where, str):
        if where.status != "running":
            raise BackendError(f"the Dask client that was given is {where.status}: make a new Client")
        if where.asynchronous:
            raise BackendError("the Dask client that was given has asynchronous=True: give one without")
        return Cluster(where, is_ours=False)
    try:
        client = _client(where, timeout=_CONNECTING, set_as_default=False, name="graflow")
    except Exception as error:  # OSError, and whatever an address may be wrong with
        raise BackendError(
            f"there is no Dask scheduler at {shown(where)} ({describe(error).replace(where, shown(where))}). "
            f"Start one with 'dask scheduler', and workers with 'dask worker {shown(where)}'"
        ) from None
    return Cluster(client)


def _client(where: Any, **options: Any) -> Any:
    from distributed import Client

    return Client(where, **options)  # type: ignore[no-untyped-call,unused-ignore]


def _started(workers: int) -> Cluster:
    from distributed import LocalCluster

    with warnings.catch_warnings(action="ignore"):  # that the dashboard's usual port is taken
        try:
            own: Any = LocalCluster(  # type: ignore[no-untyped-call,unused-ignore]
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address="127.0.0.1:8787",
                silence_logs=logging.CRITICAL,
            )
            client = _client(own, set_as_default=False, timeout=_CONNECTING)
        except Exception as error:
            raise BackendError(
                f"no Dask cluster could be started on this machine ({describe(error)}). In a script, what starts "
                f"it must stand under  if __name__ == '__main__':"
            ) from error
    return Cluster(client, own)


def check_installed() -> None:
    """Raise if what Dask needs is not there.

    Raises
    ------
    UnknownBackendError
    """
    try:
        import cloudpickle  # noqa: F401
        import distributed  # noqa: F401
    except ImportError as error:
        raise UnknownBackendError(
            f'backend="dask" needs {error.name}, which is not installed: pip install graflow-nb[dask]'
        ) from None


def close_all() -> None:
    """Close the clusters that were opened here; a client that was given stays as it is."""
    for key, cluster in list(_clusters.items()):
        if key is None or isinstance(key, str):
            cluster.close()
    _clusters.clear()


atexit.register(close_all)
