"""Dask clusters for tests: a scheduler and two workers, each a process of its own, started once."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


class Processes:
    """A scheduler and workers.

    Attributes
    ----------
    address : str
    scheduler : subprocess.Popen
    workers : list of subprocess.Popen
    """

    def __init__(self, folder: Path, workers: int = 2) -> None:
        from distributed import Client

        self._folder = folder
        file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
        while not file.exists() or not file.stat().st_size:  # pytest's own timeout bounds it
            if self.scheduler.poll() is not None:
                raise RuntimeError((folder / "scheduler.log").read_text())
            time.sleep(0.05)
        self.address = str(json.loads(file.read_text())["address"])
        self.workers = [
            self._start(
                "worker", self.address, "--nthreads", "1", "--no-dashboard", "--resources", "CARD=1",
                "--local-directory", str(folder),
            )
            for _ in range(workers)
        ]  # fmt: skip
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=60)

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{what}.log").open("ab") as log:
            path = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH", "")]))
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", *options],
                stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": path}, start_new_session=True,
            )  # fmt: skip

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.terminate()
        for process in (*self.workers, self.scheduler):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            process.kill()


@contextlib.contextmanager
def processes(folder: Path, workers: int = 2) -> Iterator[Processes]:
    """Start them, and end them."""
    there = Processes(folder, workers)
    try:
        yield there
    finally:
        there.end()
