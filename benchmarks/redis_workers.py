"""W1 on Redis: 1,000 no-op tasks on two workers, and what RQ takes for as many jobs with as many workers."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from graphs import Graph, layers
from harness import Row, Table
from redis_tasks import nothing

from graflow_nb import Task, WorkflowContext, workflow

NUMBER, WORKERS = 1000, 2
BIN = Path(sys.executable).parent


def build(graph: Graph) -> WorkflowContext:
    """Write the graph of W1; each task gets the results of those before it."""
    with workflow("W1") as flow:
        tasks = {name: Task(name, nothing) for name in graph}
        for name, befores in graph.items():
            if befores:
                _ = [tasks[before] for before in befores] >> tasks[name]
    return flow


@contextmanager
def server(folder: Path):
    path = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", ""]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while not path.exists():
            time.sleep(0.01)
        yield f"unix://{path}"
    finally:
        process.kill()
        process.wait()


@contextmanager
def workers(*command: str, **env: str):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path)), **env}
    started = [
        subprocess.Popen([sys.executable, "-m", *command], env=environment, **quiet) for _ in range(WORKERS)
    ]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def rq(url: str, rounds: int) -> list[float]:
    """Measure bare RQ: all jobs are queued at once, nothing waits for anything, and nothing comes back."""
    from redis import Redis
    from rq import Queue
    from rq.serializers import JSONSerializer

    connection = Redis.from_url(url)
    queue = Queue(connection=connection, serializer=JSONSerializer)
    taken = []
    with workers("rq.cli", "worker", "--url", url, "--quiet", "--serializer", "rq.serializers.JSONSerializer"):
        while connection.scard("rq:workers") < WORKERS:
            time.sleep(0.05)
        for _ in range(rounds):
            begun = time.perf_counter()
            queue.enqueue_many([Queue.prepare_data(nothing, (1, 2)) for _ in range(NUMBER)])
            while queue.finished_job_registry.get_job_count(cleanup=False) < NUMBER:
                time.sleep(0.005)
            taken.append(time.perf_counter() - begun)
            connection.delete(queue.finished_job_registry.key)
    return taken


def ours(url: str, rounds: int) -> list[float]:
    """Measure a flow: each task waits for two others, and gets what they returned."""
    from redis import Redis

    connection, taken = Redis.from_url(url), []
    os.environ["GRAFLOW_NB_REDIS_URL"] = url
    with workers("graflow_nb.cli", "worker"):
        while len(connection.keys("graflow:worker:*")) < WORKERS:
            time.sleep(0.05)
        for _ in range(rounds):
            flow = build(layers())
            begun = time.perf_counter()
            flow.execute(backend="redis")
            taken.append(time.perf_counter() - begun)
    return taken


def main(rounds: int = 3) -> list[Table]:
    """Measure in turn: what else the machine does strikes both; print."""
    title = f"W1 on Redis: {NUMBER} tasks that do nothing, {WORKERS} workers"
    table = Table(title, "ms a task")
    if shutil.which("redis-server") is None:
        table.left_out["Redis"] = "there is no redis-server"
        return [table.show()]
    taken: dict[str, list[float]] = {"graflow_nb": [], "RQ": []}
    with tempfile.TemporaryDirectory() as name:
        for _ in range(rounds):
            for contender, measure in (("RQ", rq), ("graflow_nb", ours)):
                with server(Path(tempfile.mkdtemp(dir=name))) as url:
                    taken[contender] += measure(url, 1)
    for contender, seconds in taken.items():
        each = sorted(1e3 * one / NUMBER for one in seconds)
        table.rows[contender] = Row(each[0], statistics.median(each), each[-1], float("nan"))
    table.expect("W1 on Redis (1.3x RQ)", 1.3 * table.rows["RQ"].min, "graflow_nb")
    return [table.show()]


if __name__ == "__main__":
    main()
