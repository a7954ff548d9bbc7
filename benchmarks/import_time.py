"""Cold imports, each in a process of its own, and `%load_ext` in a kernel that runs already."""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

from harness import Contender, Row, Table, compare

if TYPE_CHECKING:
    from collections.abc import Callable

BARE = "bare Python"
MODULES = (
    "graflow_nb",
    "dask",
    "joblib",
    "hamilton.driver",
    "doit",
    "marimo",
    "redun",
    "graflow.core.workflow",
    "networkx",
    "IPython",
    "matplotlib.pyplot",
)
LOAD = """
import time
start, cpu = time.perf_counter(), time.process_time()
get_ipython().run_line_magic("load_ext", "graflow_nb")
print(time.perf_counter() - start, time.process_time() - cpu)
"""
ENVIRONMENT = os.environ | {"HAMILTON_AUTOLOAD_EXTENSIONS": "0"}
"""Else Hamilton imports pandas, dask and more, because they are installed here."""


def imported(module: str) -> Contender:
    """Import a module in a new process; Python's own start is part of it."""
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        raise ModuleNotFoundError(f"{module} is not installed")
    return python(f"import {module}", f"import {module}")


def python(name: str, code: str) -> Contender:
    """Run code in a new process."""
    command = [sys.executable, "-c", code]
    return Contender(name, lambda _: subprocess.run(command, check=True, env=ENVIRONMENT))


def named(name: str, make: Callable[[], Contender]) -> Callable[[], Contender]:
    """Give a maker the name by which it is left out."""
    make.__name__ = name  # type: ignore[attr-defined]
    return make


def load_ext() -> list[float]:
    """Return the seconds that `%load_ext graflow_nb` takes in a new kernel: by the clock, and of CPU time."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", stderr=subprocess.DEVNULL)
    printed: list[str] = []
    reply = client.execute_interactive(LOAD, output_hook=partial(_keep, printed), timeout=60)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    if reply["content"]["status"] != "ok":
        raise RuntimeError(reply["content"]["evalue"])
    return [float(seconds) for seconds in printed[-2:]]


def _keep(printed: list[str], message: dict) -> None:
    if message["msg_type"] == "stream":
        printed += message["content"]["text"].split()


def load_ext_table(rounds: int = 5) -> Table:
    """Measure `%load_ext`, if there is an extension yet."""
    name = "%load_ext graflow_nb"
    table = Table(f"{name} in a running kernel", "ms")
    try:
        walls, cpus = zip(*[load_ext() for _ in range(rounds + 1)][1:], strict=True)
    except Exception as error:
        table.left_out[name] = f"{type(error).__name__}: {error}"
        return table
    numbers = (min(walls), statistics.median(walls), max(walls), min(cpus))
    table.rows[name] = Row(*(seconds * 1e3 for seconds in numbers))
    table.expect("%load_ext in a running kernel", 150, name)
    return table


def main() -> list[Table]:
    """Measure, and print."""
    makers = [named(module, partial(imported, module)) for module in MODULES]
    makers.insert(1, named(BARE, partial(python, BARE, "")))
    table = compare("Cold import, the whole process", makers, unit="ms", scale=1e3, rounds=7)
    table.expect("import graflow_nb", 200, "import graflow_nb")
    return [table.show(), load_ext_table().show()]


if __name__ == "__main__":
    main()
