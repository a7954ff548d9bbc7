"""Processes: the cost of a call, work that keeps Python busy, and a large array through three tasks."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Contender, Table, compare, fresh

from graflow_nb import Task, workflow

if TYPE_CHECKING:
    import numpy as np

TASKS, WORKERS = 1_000, 2
STEPS, BUSY = 4_000_000, 8
ITEMS = 125_000_000
"""Of eight bytes each: 1 GB."""


def nothing() -> None:
    """Do nothing."""


def busy(_: object = None) -> int:
    """Keep Python busy."""
    total = 0
    for i in range(STEPS):
        total += i & 7
    return total


def calls_of_ours() -> Contender:
    def run(_: object) -> None:
        with workflow("processes") as flow:
            for i in range(TASKS):
                Task(f"t{i}", nothing)
        flow.execute(backend="processes")

    return Contender("graflow_nb", run)


def calls_of_loky() -> Contender:
    from loky import get_reusable_executor

    def run(_: object) -> None:
        pool = get_reusable_executor(WORKERS)
        for future in [pool.submit(nothing) for _ in range(TASKS)]:
            future.result()

    return Contender("loky", run)


def serially() -> Contender:
    return Contender("one after the other", lambda _: [busy() for _ in range(BUSY)])


def in_processes() -> Contender:
    def run(_: object) -> None:
        with workflow("W3c") as flow:
            for i in range(BUSY):
                Task(f"busy{i}", busy)
        flow.execute(backend="processes")

    return Contender("graflow_nb", run)


def on_loky() -> Contender:
    from loky import get_reusable_executor

    return Contender("loky", lambda _: list(get_reusable_executor(WORKERS).map(busy, range(BUSY))))


def made() -> np.ndarray[Any, Any]:
    """Return the array."""
    import numpy as np

    return np.ones(ITEMS)


def passed_on(data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return what is given."""
    return data


def peak(what: str) -> int:
    """Return how many bytes Linux says that this process has taken."""
    return 1024 * int(re.search(rf"{what}:\s*(\d+)", Path("/proc/self/status").read_text())[1])  # type: ignore[index]


def through() -> None:
    """Send the array through three tasks, and print seconds and by how much the kernel's peak grows."""
    with workflow("warm") as warm:
        Task("nothing", nothing)
    warm.execute(backend="processes")
    with workflow("array") as flow:
        _ = Task("first", made) >> Task("second", passed_on) >> Task("third", passed_on)
    before, begun = peak("VmHWM"), time.perf_counter()
    result = flow.execute(backend="processes")
    seconds = time.perf_counter() - begun
    assert result.sum() == ITEMS
    sys.stdout.write(f"{seconds} {(peak('VmHWM') - before) / result.nbytes}\n")


def array() -> Table:
    """Return seconds, and the growth of the kernel's peak as a share of the array; what is mapped counts."""
    code = "import processes; processes.through()"
    rows = {"seconds": 1.0, "peak of the kernel": 1.0}
    table = fresh("1 GB through three tasks on processes", "s, arrays", code, rows)
    # It keeps three results. Each comes through memory that both sides map, and a copy more would be seen here.
    table.expect("1 GB on processes: no copy beside the results", 3.1, "peak of the kernel")
    return table


def main() -> list[Table]:
    """Measure, and print."""
    title = f"{TASKS} calls that do nothing, {WORKERS} processes"
    calls = compare(title, (calls_of_ours, calls_of_loky), unit="ms", scale=1e3, rounds=7)
    calls.expect("1,000 calls on processes (1.3x loky)", 1.3 * calls.rows["loky"].min, "graflow_nb")
    title = f"W3c: {BUSY} tasks of pure Python, {WORKERS} processes"
    work = compare(title, (in_processes, on_loky, serially), unit="ms", scale=1e3, rounds=3)
    work.expect("W3c: processes (1.8x over serial)", work.rows["one after the other"].min / 1.8, "graflow_nb")
    return [calls.show(), work.show(), array().show()]


if __name__ == "__main__":
    main()
