"""W1 on Redis: 1,000 no-op tasks on two workers, and what RQ takes for as many jobs with as many workers."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from graphs import Graph, layers
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


def main(rounds: int = 3) -> None:
    with tempfile.TemporaryDirectory() as name:
        taken = {"RQ": [], "graflow_nb": []}
        for _ in range(rounds):  # in turn: what else the machine does strikes both
            for title, measure in (("RQ", rq), ("graflow_nb", ours)):
                folder = Path(tempfile.mkdtemp(dir=name))
                with server(folder) as url:
                    taken[title] += measure(url, 1)
    best = {title: min(times) for title, times in taken.items()}
    for title, times in taken.items():
        shown = ", ".join(f"{seconds:.2f}" for seconds in times)
        print(f"{title:12} {1000 * best[title] / NUMBER:6.2f} ms a task   (seconds: {shown})")
    print(f"graflow_nb / RQ: {best['graflow_nb'] / best['RQ']:.2f} (goal: 1.3 at most), {WORKERS} workers")


if __name__ == "__main__":
    main()
