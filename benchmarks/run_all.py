"""Run every benchmark and print its tables, then the goals with what was measured."""

from __future__ import annotations

import importlib
import os
import platform
import sys

from harness import Table, show_goals

WORKLOADS = (
    "w1", "w1i", "w2", "w2c", "w3", "w4", "processes", "dask_cluster", "redis_workers", "map", "steps", "hashes",
    "import_time", "command_line", "widget",
)  # fmt: skip


def main(chosen: list[str]) -> None:
    """Run the benchmarks with these names, by default all."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores; each contender in turn, several rounds")
    tables: list[Table] = []
    for name in chosen or WORKLOADS:
        tables += importlib.import_module(name).main()
    show_goals(tables)


if __name__ == "__main__":
    main(sys.argv[1:])
