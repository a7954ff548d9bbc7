"""A map of 10,000 items: what a task that is born in a run costs, executed, run for the first time and again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from harness import Contender, Table, compare

from graflow_nb import Task, workflow

if TYPE_CHECKING:
    from graflow_nb.core.workflow import WorkflowContext

COUNT = 10_000


def same(item: int) -> int:
    """Return the item."""
    return item


def count(mapped: list[int]) -> int:
    """Return how many there are."""
    return len(mapped)


def build(**options: Any) -> WorkflowContext:
    """Return a workflow of a map, and of a task that takes its result."""
    with workflow("map") as flow:
        Task("same", same).map(range(COUNT), name="mapped", **options)
        Task("count", count)
    return flow


def executed() -> Contender:
    return Contender("graflow_nb, execute", lambda _: build().execute(), COUNT)


def executed_few_at_once() -> Contender:
    return Contender("graflow_nb, execute, max_parallel=4", lambda _: build(max_parallel=4).execute(), COUNT)


def first_run() -> Contender:
    return Contender("graflow_nb, first run", lambda _: build().run(raise_errors=True), COUNT)


def second_run() -> Contender:
    flow = build()
    flow.run(raise_errors=True)
    return Contender("graflow_nb, again", lambda _: flow.run(raise_errors=True), COUNT)


def by_hand() -> Contender:
    def run(_: object) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(same, range(COUNT)))

    return Contender("by hand: a pool", run, COUNT)


def dask() -> Contender:
    from dask.threaded import get

    def run(_: object) -> None:
        graph = {f"same-{i}": (same, i) for i in range(COUNT)}
        get({**graph, "count": (len, list(graph))}, "count")

    return Contender("dask, raw graph", run, COUNT)


def joblib() -> Contender:
    from joblib import Parallel, delayed

    def run(_: object) -> None:
        Parallel(4, prefer="threads")(delayed(same)(i) for i in range(COUNT))

    return Contender("joblib, threads", run, COUNT)


def main() -> list[Table]:
    """Measure, and print."""
    makers = (executed, executed_few_at_once, first_run, second_run, by_hand, dask, joblib)
    table = compare(f"map: {COUNT:,} items, each item", makers, rounds=5)
    table.expect("map: execute, 10,000 items", 60, "graflow_nb, execute")
    return [table.show()]


if __name__ == "__main__":
    main()
