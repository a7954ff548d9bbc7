"""W4: a 100 MB array goes through five tasks: no copy of it is made, and it is hashed as rarely as can be."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from harness import Contender, Row, Table, compare

from graflow_nb import Task, workflow
from graflow_nb.incremental.fingerprint import fingerprint

ITEMS, TASKS = 12_500_000, 5


def array() -> np.ndarray[Any, Any]:
    """Return the array, which is the same each time."""
    return np.random.default_rng(0).random(ITEMS)


def passed_on(data: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return what is given."""
    return data


def through(data: np.ndarray[Any, Any]) -> None:
    """Run a workflow in which every task reads the array and has it as its result."""
    with workflow("W4") as flow:
        tasks = [Task("first", lambda: data), *(Task(f"step{i}", passed_on) for i in range(1, TASKS))]
        for before, after in pairwise(tasks):
            _ = before >> after
    run = flow.run(raise_errors=True)
    assert run.results[tasks[-1].name] is data


def ours() -> Contender:
    data = array()
    return Contender("graflow_nb", lambda _: through(data))


def hashing() -> Contender:
    """Hash it once a task: what a cache has to do at least, if nobody tells it that nothing has changed."""
    data = array()
    return Contender("the hashes alone", lambda _: [fingerprint(data) for _ in range(TASKS)])


def more_memory() -> float:
    """Return by how much the peak of a process grows by the array and the tasks, as a share of the array."""
    code = (
        "import re, pathlib, w4\n"
        "import graflow_nb, numpy\n"
        "w4.through(numpy.zeros(10))\n"
        "status = pathlib.Path('/proc/self/status')\n"  # the peak that `resource` tells is a parent's, too
        "peak = lambda: 1024 * int(re.search(r'VmHWM:\\s*(\\d+)', status.read_text())[1])\n"
        "before = peak(); data = w4.array(); w4.through(data)\n"
        "print((peak() - before) / data.nbytes)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    return float(out.stdout)


def memory() -> Table:
    """Measure the peak, in fresh processes."""
    table = Table("W4: peak memory of 100 MB through 5 tasks", "x the array")
    shares = sorted(more_memory() for _ in range(3))
    table.rows["graflow_nb"] = Row(shares[0], shares[1], shares[2], 0.0)
    table.expect("W4: peak memory, 100 MB through 5 tasks", 1.2, "graflow_nb")
    return table


def main() -> list[Table]:
    """Measure, and print; the time counts as a multiple of what hashing it once a task takes."""
    times = compare("W4: 100 MB through 5 tasks", [ours, hashing], unit="ms", scale=1e3)
    hashed = times.rows["the hashes alone"]
    times.expect("W4: 100 MB through 5 tasks, twice the hashes", 2 * hashed.median, "graflow_nb")
    return [times.show(), memory().show()]


if __name__ == "__main__":
    main()
