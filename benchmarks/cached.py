"""The contenders that reuse results: each makes the tasks of a graph up to date, and can change one source.

A task's value is one more than the sum of what comes before it, or than its seed if nothing does. Only the
first source's seed ever changes.
"""

from __future__ import annotations

import itertools
import logging
import pickle
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import counting
from graphs import Graph, leaves, module
from harness import Contender

from graflow_nb import Status, Task, WorkflowContext, workflow

if TYPE_CHECKING:
    from collections.abc import Callable

_numbers = itertools.count()


def step(*befores: int) -> int:
    """Be one more than the sum of what comes before."""
    return sum(befores) + 1


def source(seed: int) -> Callable[[], int]:
    """Return a function that makes a source's value."""
    return lambda: seed + 1


class Cached:
    """A peer with a graph.

    Parameters
    ----------
    graph : dict
    folder : Path
        Empty, for what it keeps on disk.

    Attributes
    ----------
    changed : int
        The first source's seed, `change` counts it up.
    """

    name = ""

    def __init__(self, graph: Graph, folder: Path) -> None:
        self.graph = graph
        self.folder = folder
        self.changed = 0
        self.open()

    def open(self) -> None:
        """Get ready."""

    def change(self) -> None:
        """Change the first source."""
        self.changed += 1

    def restart(self) -> None:
        """Let go of what would be gone after a restart, if that is to be measured."""

    def seed(self, name: str) -> int:
        """Return the seed of a source."""
        return 1_000_000 * self.changed if name == next(iter(self.graph)) else 1

    def make(self) -> None:
        """Make everything up to date."""
        raise NotImplementedError

    def ran(self) -> int:
        """Return how many tasks ran since this was asked last."""
        return counting.calls()

    def final(self) -> int | None:
        """Return the value of the last task, if it can be told."""
        return None

    def fill(self, call: Callable[..., int]) -> dict[str, int]:
        """Make each task by one call, in order."""
        values: dict[str, int] = {}
        for name, befores in self.graph.items():
            values[name] = call(name, *([values[b] for b in befores] if befores else [self.seed(name)]))
        return values


class Ours(Cached):
    name = "graflow_nb"
    where: str | Path = "memory"
    flow: WorkflowContext

    def open(self) -> None:
        self._steps = self.steps()

    def steps(self) -> dict[str, Callable[..., int]]:
        """Return the function of each task."""
        return dict.fromkeys(self.graph, step)

    def make(self) -> None:
        if not hasattr(self, "flow"):
            self.flow = self._build()
        self._run = self.flow.run(raise_errors=True)

    def _build(self) -> WorkflowContext:
        with workflow("cached", cache=self.where) as flow:
            tasks = {n: Task(n, self._steps[n] if b else source(self.seed(n))) for n, b in self.graph.items()}
            for name, befores in self.graph.items():
                if befores:
                    _ = [tasks[before] for before in befores] >> tasks[name]
        return flow

    def change(self) -> None:
        """Define the first source anew, as running its cell again does."""
        super().change()
        name = next(iter(self.graph))
        self.flow.graph.remove(name)
        with self.flow:
            Task(name, source(self.seed(name)))

    def ran(self) -> int:
        return sum(status is Status.SUCCEEDED for status in self._run.statuses.values())

    def final(self) -> int:
        final: int = self._run.results[next(reversed(self.graph))]
        return final


class OursOnDisk(Ours):
    """Results come from disk: before each round the workflow is built anew, with nothing in memory."""

    name = "graflow_nb, from disk after a restart"

    def open(self) -> None:
        super().open()
        self.where = self.folder / "kept"

    def restart(self) -> None:
        self.flow.services.cache.close()  # type: ignore[union-attr]
        self.flow = self._build()

    def change(self) -> None:
        Cached.change(self)


class OursDistinct(Ours):
    """Every task has a function of its own, as in a notebook; new ones in each round."""

    name = "graflow_nb, a function a task"

    def steps(self) -> dict[str, Callable[..., int]]:
        number, namespace = next(_numbers), {}
        for name in self.graph:
            exec(f"def {name}_{number}(*befores):\n    return sum(befores) + 1\n", namespace)
        return {name: namespace[f"{name}_{number}"] for name in self.graph}


class ByDict(Cached):
    name = "by hand: a dict"

    def open(self) -> None:
        self._kept: dict[tuple[Any, ...], int] = {}

    def make(self) -> None:
        self.fill(self._call)

    def _call(self, *key: Any) -> int:
        if key not in self._kept:
            counting.hit()
            self._kept[key] = step(*key[1:])
        return self._kept[key]


class BySqlite(Cached):
    name = "by hand: sqlite"

    def open(self) -> None:
        self._kept = sqlite3.connect(self.folder / "kept.db", isolation_level=None)
        self._kept.execute("pragma journal_mode = wal")
        self._kept.execute("create table kept (key blob primary key, value blob) without rowid")

    def make(self) -> None:
        self._kept.execute("begin")
        self.fill(self._call)
        self._kept.execute("commit")

    def _call(self, *arguments: Any) -> int:
        key = pickle.dumps(arguments)
        found = self._kept.execute("select value from kept where key = ?", (key,)).fetchone()
        if found is not None:
            value: int = pickle.loads(found[0])
            return value
        counting.hit()
        value = step(*arguments[1:])
        self._kept.execute("insert into kept values (?, ?)", (key, pickle.dumps(value)))
        return value


class Joblib(Cached):
    name = "joblib.Memory"

    def open(self) -> None:
        from joblib import Memory

        @Memory(self.folder, verbose=0).cache
        def call(_name: str, *befores: int) -> int:
            counting.hit()
            return sum(befores) + 1

        self._call = call

    def make(self) -> None:
        self.fill(self._call)


class Marimo(Cached):
    name = "marimo, mo.cache"

    def open(self) -> None:
        import marimo  # noqa: F401 - its import sets the level of its logger

        logging.getLogger("marimo").setLevel(logging.ERROR)
        source = (
            "import counting\nimport marimo as mo\n\n"
            "@mo.cache\ndef call(_name, *befores):\n    counting.hit()\n    return sum(befores) + 1\n"
        )
        self._call = module(f"cached_marimo_{next(_numbers)}", source, self.folder).call

    def make(self) -> None:
        self.fill(self._call)


class Hamilton(Cached):
    """The changing seed is an input; the driver is built once and kept, and its stores are in memory."""

    name = "Hamilton, cache in memory"

    def open(self) -> None:
        from hamilton import driver
        from hamilton.caching.stores import memory

        self._library = driver, memory
        self._functions = module(f"cached_hamilton_{next(_numbers)}", self._source(), self.folder)

    def make(self) -> None:
        if not hasattr(self, "_driver"):
            self._driver, self._ends = self._build(), leaves(self.graph)
        self._driver.execute(self._ends, inputs={"seed": self.changed})

    def _build(self) -> Any:
        driver, memory = self._library
        stores = {
            "metadata_store": memory.InMemoryMetadataStore(),
            "result_store": memory.InMemoryResultStore(),
        }
        built = driver.Builder().with_modules(self._functions).with_cache(str(self.folder), **stores).build()
        logging.getLogger("hamilton").setLevel(logging.ERROR)
        return built

    def _source(self) -> str:
        functions = []
        for name, befores in self.graph.items():
            taken = befores or (("seed",) if name == next(iter(self.graph)) else ())
            functions.append(
                f"def {name}({', '.join(f'{before}: int' for before in taken)}) -> int:\n"
                f"    counting.hit()\n    return {' + '.join([*taken, '1'])}"
            )
        return "import counting\n\n" + "\n\n".join(functions)


class Doit(Cached):
    name = "doit"

    def open(self) -> None:
        from doit.cmd_base import ModuleTaskLoader
        from doit.doit_cmd import DoitMain
        from doit.reporter import ZeroReporter

        options = {"dep_file": str(self.folder / "doit"), "backend": "json", "reporter": ZeroReporter}
        self._new = lambda: DoitMain(ModuleTaskLoader({"task_all": self._tasks, "DOIT_CONFIG": options}))

    def make(self) -> None:
        if self._new().run(["run"]):
            raise RuntimeError("doit failed")

    def _tasks(self) -> Any:
        from doit.task import result_dep
        from doit.tools import config_changed

        for name, befores in self.graph.items():
            yield {
                "name": name,
                "actions": [(self._call, [], {} if befores else {"seed": self.seed(name)})],
                "getargs": {before: (f"all:{before}", "value") for before in befores},
                "uptodate": [result_dep(f"all:{before}") for before in befores]
                or [config_changed(str(self.seed(name)))],
            }

    @staticmethod
    def _call(**befores: int) -> dict[str, int]:
        counting.hit()
        return {"value": sum(befores.values()) + 1}


class Redun(Cached):
    name = "redun, 100 tasks"

    def open(self) -> None:
        from redun import Scheduler, task

        logging.getLogger("redun").setLevel(logging.ERROR)

        @task(name="call", namespace="cached")
        def call(_name: str, *befores: int) -> int:
            counting.hit()
            return sum(befores) + 1

        self._call, self._scheduler = call, Scheduler()
        self._scheduler.load()

    def make(self) -> None:
        values = self.fill(self._call)
        self._scheduler.run([values[name] for name in leaves(self.graph)])


PEERS = (ByDict, BySqlite, Joblib, Marimo, Hamilton, Doit)


def first_runs(kind: type[Cached], graph: Graph) -> Callable[[], Contender]:
    """Return the maker of a contender that builds and makes everything, each round anew."""

    def maker() -> Contender:
        folder = tempfile.TemporaryDirectory()
        fresh = lambda: kind(graph, Path(tempfile.mkdtemp(dir=folder.name)))  # noqa: E731
        return Contender(kind.name, lambda peer: peer.make(), len(graph), fresh, folder.cleanup)

    maker.__name__ = kind.name
    return maker


def again(kind: type[Cached], graph: Graph, must_run: int = 0, tasks: int = 0) -> Callable[[], Contender]:
    """Return the maker of a contender that makes everything up to date, when it was once already.

    Parameters
    ----------
    kind : type of Cached
    graph : dict
    must_run : int
        How many tasks have to run, after a change of the first source; 0: nothing is changed.
    tasks : int
        How many tasks a round counts for; by default all.
    """

    def maker() -> Contender:
        folder = tempfile.TemporaryDirectory()
        peer = kind(graph, Path(folder.name))
        peer.make()
        peer.ran()

        def prepare() -> None:
            if must_run:
                peer.change()
            peer.restart()

        def run(_: object) -> None:
            peer.make()

        return Contender(
            kind.name, run, tasks or len(graph), prepare, folder.cleanup, lambda: _check(peer, must_run)
        )

    maker.__name__ = kind.name
    return maker


def _check(peer: Cached, must_run: int) -> None:
    """Raise if another number of tasks ran than had to, or if the outcome is wrong."""
    ran = peer.ran()
    if ran != must_run:
        raise AssertionError(f"{ran} tasks ran, and {must_run} had to")
    expected = list(peer.fill(lambda _, *b: step(*b)).values())[-1]
    if peer.final() not in {None, expected}:
        raise AssertionError(f"the outcome is {peer.final()}, and should be {expected}")
