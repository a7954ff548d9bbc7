"""Dask: the cost of a call beside bare `Client.submit`, and a large array through three tasks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from graphs import layers, leaves
from harness import Contender, Table, compare, fresh
from processes import made, passed_on, peak

from graflow_nb import Task, workflow

if TYPE_CHECKING:
    import numpy as np

WORKERS = 2
GRAPH = layers()


def nothing(*_: object) -> None:
    """Do nothing."""


def cluster() -> Any:
    """Return a client of a cluster of its own."""
    from distributed import Client, LocalCluster

    there = LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=":0")
    return Client(there, set_as_default=False)


def ours(client: Any) -> Contender:
    def run(_: object) -> None:
        with workflow("W1") as flow:
            for name, befores in GRAPH.items():
                Task(name, nothing)
                for before in befores:
                    _ = flow[before] >> flow[name]
        flow.execute(backend=client)

    return Contender("graflow_nb", run)


def bare(client: Any) -> Contender:
    def run(_: object) -> None:
        futures: dict[str, Any] = {}
        for name, befores in GRAPH.items():
            futures[name] = client.submit(nothing, *(futures[before] for before in befores), pure=False)
        client.gather([futures[name] for name in leaves(GRAPH)])

    return Contender("Client.submit", run)


def total(data: np.ndarray[Any, Any]) -> float:
    """Return the sum."""
    return float(data.sum())


def through() -> None:
    """Send the array through three tasks, and print seconds and by how many bytes the kernel's peak grows."""
    with workflow("warm") as warm:
        Task("nothing", nothing)
    warm.execute(backend="dask")
    with workflow("array") as flow:
        _ = Task("first", made) >> Task("second", passed_on) >> Task("third", total)
    before = peak("VmHWM")
    run = flow.run(backend="dask")
    assert run.results["third"] > 0
    sys.stdout.write(f"{run.elapsed()} {peak('VmHWM') - before}\n")


def array() -> Table:
    """Return seconds, and the growth of the kernel's peak."""
    code = "if __name__ == '__main__':\n    import dask_cluster\n    dask_cluster.through()"
    rows = {"seconds": 1.0, "growth of the kernel": 1e6}
    table = fresh("1 GB through three tasks on Dask", "s, MB", code, rows)
    table.expect("1 GB on Dask: the kernel grows by (MB)", 50.0, "growth of the kernel")
    return table


def main() -> list[Table]:
    """Measure, and print."""
    client = cluster()
    title = f"W1 on Dask: {len(GRAPH)} tasks that do nothing, {WORKERS} workers"
    calls = compare(title, (lambda: ours(client), lambda: bare(client)), unit="ms", scale=1e3, rounds=5)
    calls.expect("W1 on Dask (1.3x Client.submit)", 1.3 * calls.rows["Client.submit"].min, "graflow_nb")
    there = client.cluster
    client.close()
    there.close()
    return [calls.show(), array().show()]


if __name__ == "__main__":
    main()
