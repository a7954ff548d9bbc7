"""A real Redis, and real workers at it, for tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
SECRET = "of the tests"
START = 30


def need_redis():
    """Skip a test where there is no Redis; fail in CI, where a skipped test would go unseen."""
    absent = (
        "NO REDIS, so NOT TESTED: there is no redis-server on the PATH. On Debian: apt-get install redis-server"
    )
    if shutil.which("redis-server") is None:
        pytest.fail(absent) if IN_CI else pytest.skip(absent)


class Server:
    """A redis-server behind a socket in a folder, which keeps nothing."""

    def __init__(self, folder: Path, *options: str) -> None:
        need_redis()
        self.folder, self._options = folder, options
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", "0", "--unixsocket", str(self.socket), "--save", "", *self._options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=self.folder)
        end = time.monotonic() + START
        while not self.socket.exists():
            assert time.monotonic() < end
            time.sleep(0.01)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.socket.unlink(missing_ok=True)

    @property
    def client(self):
        from redis import Redis

        return Redis.from_url(self.url)


class Workers:
    """Processes of ``graflow-nb worker``."""

    def __init__(self, url: str, folder: Path, number: int = 2, secret: str = SECRET, options=()) -> None:
        self.log = folder / f"workers-{os.urandom(3).hex()}.log"
        self._log = self.log.open("w")
        self._command = [sys.executable, "-m", "graflow_nb.cli", "worker", *options]
        self._env = {**os.environ, "GRAFLOW_NB_REDIS_URL": url, "GRAFLOW_NB_SECRET": secret}
        self.processes: list[subprocess.Popen] = []
        for _ in range(number):
            self.start()

    def start(self) -> subprocess.Popen:
        process = subprocess.Popen(self._command, env=self._env, stdout=self._log, stderr=self._log)
        self.processes.append(process)
        return process

    def wait_until_there(self, client) -> None:
        """Wait until so many say that they are there."""
        end = time.monotonic() + START
        while len(client.keys("graflow:worker:*")) < len(self.processes):
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)

    def said(self) -> str:
        return self.log.read_text()

    def end(self) -> list[int]:
        """End them as Ctrl-C does; return their exit codes."""
        for process in self.processes:
            process.send_signal(signal.SIGINT)
        return [process.wait(START) for process in self.processes]

    def stop(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
        for process in self.processes:
            process.wait()
        self._log.close()


@contextmanager
def serving(folder: Path, number: int = 2, options=(), worker_options=()):
    """Have a Redis with some workers."""
    server = Server(folder, *options)
    workers = None
    try:
        workers = Workers(server.url, folder, number, options=worker_options)
        if number:
            workers.wait_until_there(server.client)
        yield server, workers
    finally:
        if workers is not None:
            workers.stop()
        server.stop()
