"""W3: eight tasks that sleep, on eight threads: whether they really run side by side."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from pathlib import Path

from graphs import module
from harness import Contender, Table, compare

from graflow_nb import Task, parallel, workflow

COUNT, SECONDS = 8, 0.25


def nap(*_befores: object) -> None:
    """Sleep."""
    time.sleep(SECONDS)


def nothing(*_befores: object) -> None:
    """Do nothing."""


def ours_in_a_group() -> Contender:
    def run(_: object) -> None:
        with workflow("W3") as flow:
            group = parallel(*(Task(f"nap{i}", nap) for i in range(COUNT)))
            _ = Task("first", nothing) >> group >> Task("last", nothing)
        flow.run(workers=COUNT, raise_errors=True)

    return Contender("graflow_nb, a group", run)


def ours_in_branches() -> Contender:
    def run(_: object) -> None:
        with workflow("W3") as flow:
            for i in range(COUNT):
                _ = Task(f"first{i}", nothing) >> Task(f"nap{i}", nap) >> Task(f"last{i}", nothing)
        flow.run(workers=COUNT, raise_errors=True)

    return Contender("graflow_nb, branches", run)


def by_hand() -> Contender:
    def run(_: object) -> None:
        with ThreadPoolExecutor(COUNT) as pool:
            list(pool.map(nap, range(COUNT)))

    return Contender("by hand: a pool", run)


def dask() -> Contender:
    from dask.threaded import get

    def run(_: object) -> None:
        get({f"nap{i}": (nap,) for i in range(COUNT)}, [f"nap{i}" for i in range(COUNT)], num_workers=COUNT)

    return Contender("dask, raw graph", run)


def joblib() -> Contender:
    from joblib import Parallel, delayed

    def run(_: object) -> None:
        Parallel(COUNT, prefer="threads")(delayed(nap)() for _ in range(COUNT))

    return Contender("joblib", run)


def hamilton() -> Contender:
    from hamilton import driver
    from hamilton.plugins.h_threadpool import FutureAdapter

    names = [f"nap{i}" for i in range(COUNT)]
    source = "\n\n".join(f"def {name}() -> int:\n    time.sleep({SECONDS})\n    return 0" for name in names)
    folder = tempfile.TemporaryDirectory()
    functions = module("w3_hamilton", f"import time\n\n{source}\n", Path(folder.name))

    def run(_: object) -> None:
        adapter = FutureAdapter(max_workers=COUNT)
        driver.Builder().with_modules(functions).with_adapters(adapter).build().execute(names)

    return Contender("Hamilton, threads", run, close=folder.cleanup)


def graflow() -> Contender:
    from graflow.coordination.coordinator import CoordinationBackend
    from graflow.core.decorators import task
    from graflow.core.task import parallel as graflow_parallel
    from graflow.core.workflow import workflow as graflow_workflow
    from w1 import quiet_graflow

    quiet_graflow()
    folder = tempfile.TemporaryDirectory()

    def run(_: object) -> None:
        with chdir(folder.name), graflow_workflow("W3") as flow:  # it makes a folder where it is
            group = graflow_parallel(*(task(f"nap{i}")(nap) for i in range(COUNT)))
            group.with_execution(CoordinationBackend.THREADING, {"thread_count": COUNT})
            _ = task("first")(nothing) >> group
            flow.execute("first")

    return Contender("graflow, a group", run, close=folder.cleanup)


def main() -> list[Table]:
    """Measure, and print."""
    makers = (ours_in_a_group, ours_in_branches, by_hand, dask, joblib, hamilton, graflow)
    title = f"W3: {COUNT} tasks of sleep({SECONDS}), {COUNT} threads"
    table = compare(title, makers, unit="ms", scale=1e3, rounds=5)
    table.expect("W3: in a group", 260, "graflow_nb, a group")
    table.expect("W3: as independent branches", 260, "graflow_nb, branches")
    return [table.show()]


if __name__ == "__main__":
    main()
