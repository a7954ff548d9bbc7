"""W1: no-op tasks on threads, the graph built and run: what a task costs."""

from __future__ import annotations

import logging
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from queue import SimpleQueue

from graphs import Graph, chain, layers, leaves, module
from harness import Contender, Goal, Table, compare

from graflow_nb import Task, WorkflowContext, workflow

THREADS = min(32, (os.cpu_count() or 1) + 4)  # everybody's default but dask's
GRAPH = layers()


def noop(*_befores: object) -> None:
    """Do nothing; takes whatever the tasks before it returned."""


def nothing() -> None:
    """Do nothing, and take nothing."""


def build(graph: Graph) -> WorkflowContext:
    """Write a graph with our operators; each task gets the results of those before it."""
    with workflow("W1") as flow:
        tasks = {name: Task(name, noop) for name in graph}
        for name, befores in graph.items():
            if befores:
                _ = [tasks[before] for before in befores] >> tasks[name]
    return flow


def build_edges(graph: Graph) -> WorkflowContext:
    """Write a graph edge by edge, for tasks that take no arguments."""
    with workflow("W1") as flow:
        tasks = {name: Task(name, nothing) for name in graph}
        for name, befores in graph.items():
            for before in befores:
                _ = tasks[before] >> tasks[name]
    return flow


def ours(graph: Graph = GRAPH, name: str = "graflow_nb") -> Contender:
    return Contender(name, lambda _: build(graph).execute(), len(graph))


def ours_without_arguments() -> Contender:
    return Contender("graflow_nb, nothing passed", lambda _: build_edges(GRAPH).execute(), len(GRAPH))


def by_hand() -> Contender:
    """Run with graphlib and a thread pool, as one would without any library; nothing is passed."""

    def run(_: object) -> None:
        sorter, done = TopologicalSorter(GRAPH), SimpleQueue[str]()
        sorter.prepare()
        with ThreadPoolExecutor(THREADS) as pool:
            while sorter.is_active():
                for name in sorter.get_ready():
                    pool.submit(nothing).add_done_callback(lambda _, name=name: done.put(name))
                sorter.done(done.get())

    return Contender("by hand: graphlib + pool", run, len(GRAPH))


def dask_raw() -> Contender:
    from dask.threaded import get

    def run(_: object) -> None:
        get({name: (noop, *befores) for name, befores in GRAPH.items()}, ends, num_workers=THREADS)

    ends = leaves(GRAPH)
    return Contender("dask, raw graph", run, len(GRAPH))


def dask_delayed() -> Contender:
    import dask

    def run(_: object) -> None:
        step, made = dask.delayed(noop, pure=False), {}
        for name, befores in GRAPH.items():
            made[name] = step(*(made[before] for before in befores))
        dask.compute(*(made[name] for name in ends), scheduler="threads", num_workers=THREADS)

    ends = leaves(GRAPH)
    return Contender("dask.delayed", run, len(GRAPH))


def joblib() -> Contender:
    """Run layer by layer: joblib has no graph."""
    from joblib import Parallel, delayed

    def run(_: object) -> None:
        before: list[None] = []
        with Parallel(THREADS, prefer="threads") as parallel:
            for _layer in range(10):
                pairs = zip(before, before[1:] + before[:1], strict=True) if before else [()] * 100
                before = parallel(delayed(noop)(*pair) for pair in pairs)

    return Contender("joblib, layer by layer", run, len(GRAPH))


def hamilton() -> Contender:
    from hamilton import driver
    from hamilton.plugins.h_threadpool import FutureAdapter

    folder = tempfile.TemporaryDirectory()
    functions = module("w1_hamilton", hamilton_source(GRAPH), Path(folder.name))
    ends = leaves(GRAPH)

    def run(_: object) -> None:
        adapter = FutureAdapter(max_workers=THREADS)
        driver.Builder().with_modules(functions).with_adapters(adapter).build().execute(ends)
        adapter.executor.shutdown()

    return Contender("Hamilton, threads", run, len(GRAPH), close=folder.cleanup)


def hamilton_source(graph: Graph) -> str:
    """Return a module with one function a task, which is how one writes Hamilton."""
    return "\n\n".join(
        f"def {name}({', '.join(f'{before}: int' for before in befores)}) -> int:\n    return 0"
        for name, befores in graph.items()
    )


def graflow() -> Contender:
    """Run each layer as a group: with plain edges graflow runs a task once for every path to it."""
    from graflow.core.decorators import task
    from graflow.core.task import parallel
    from graflow.core.workflow import workflow as graflow_workflow

    quiet_graflow()
    folder = tempfile.TemporaryDirectory()

    def run(_: object) -> None:
        with chdir(folder.name), graflow_workflow("W1") as flow:  # it makes a folder where it is
            groups = [[task(f"t{n}_{i}")(lambda: None) for i in range(100)] for n in range(10)]
            whole = task("start")(lambda: None)
            for group in groups:
                whole = whole >> parallel(*group)
            flow.execute("start", max_steps=100_000)

    return Contender("graflow, layers as groups", run, len(GRAPH), close=folder.cleanup)


def quiet_graflow() -> None:
    """Let graflow log errors only, not every task."""
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("graflow.")]:
        logging.getLogger(name).setLevel(logging.ERROR)


def marimo() -> Contender:
    import marimo as mo

    folder = tempfile.TemporaryDirectory()
    notebook = module("w1_marimo", marimo_source(GRAPH), Path(folder.name))

    def run(_: object) -> None:
        app = mo.App()
        for cell in notebook.CELLS:
            app.cell(cell)
        app.run()

    return Contender("marimo, cells of an app", run, len(GRAPH), close=folder.cleanup)


def marimo_source(graph: Graph) -> str:
    """Return a module with one function a cell, as in marimo's notebook files."""
    cells = [
        f"def _({', '.join(befores)}):\n    {name} = ({', '.join(befores)})\n    return ({name},)\nCELLS.append(_)"
        for name, befores in graph.items()
    ]
    return "CELLS = []\n\n" + "\n\n".join(cells)


def redun() -> Contender:
    """Run 100 tasks only: it takes long."""
    from redun import Scheduler, task

    logging.getLogger("redun").setLevel(logging.ERROR)
    graph = layers(10, 10)

    @task(name="noop", namespace="w1", cache=False)
    def step(_name: str, *_befores: object) -> None:
        """Do nothing; calls with the same arguments would be made once."""

    def run(_: object) -> None:
        made = {}
        for name, befores in graph.items():
            made[name] = step(name, *(made[before] for before in befores))
        Scheduler().run([made[name] for name in leaves(graph)])

    return Contender("redun, 100 tasks", run, len(graph))


PEERS = (by_hand, dask_raw, dask_delayed, joblib, hamilton, graflow, marimo, redun)
SHAPES = {
    "1,000 in 10 layers": layers(10, 100),
    "100 in 10 layers": layers(10, 10),
    "10,000 in 10 layers": layers(10, 1_000),
    "chain of 1,000": chain(1_000),
}


def main() -> list[Table]:
    """Measure, and print."""
    table = compare("W1: 1,000 no-op tasks, build + execute", (ours, ours_without_arguments, *PEERS))
    table.expect("W1: execute 1,000 no-op tasks", 30, "graflow_nb")
    table.expect("W1: the same, nothing passed", 30, "graflow_nb, nothing passed")
    makers = [partial(ours, graph, name) for name, graph in SHAPES.items()]
    shapes = compare("W1: graflow_nb at other shapes", makers)
    shapes.goals.append(_spread(shapes))
    return [table.show(), shapes.show()]


def _spread(shapes: Table) -> Goal:
    """Return the ratio of the dearest shape to the cheapest."""
    least, medians = ([row[i] for row in shapes.rows.values()] for i in (0, 1))
    ratios = (max(least) / min(least), max(medians) / min(medians))
    return Goal("W1: dearest shape / cheapest shape", 1.3, "x", *ratios)


if __name__ == "__main__":
    main()
