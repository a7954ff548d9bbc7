"""The peers that the table of traps is asked of, and one phase of it, which is a process of its own.

A trap's cells become a script; its functions marked ``@task`` are cached by the peer, in the best setting that
its documentation names, on disk. They are called as the parameters' names say.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.util
import inspect
import io
import json
import linecache
import logging
import os
import re
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from traps import numbered
from traps.place import world

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from traps.trap import Trap

    Tasks = Mapping[str, Callable[..., Any]]


def call(tasks: Tasks, name: str, cached: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Any:
    """Call a task with the results of the tasks that its parameters name."""
    befores = [parameter for parameter in inspect.signature(tasks[name]).parameters if parameter in tasks]
    return cached(tasks[name])(*[call(tasks, before, cached) for before in befores])


class Peer:
    """A cache.

    Parameters
    ----------
    folder : Path
        Where it keeps what it keeps.
    """

    name = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, cells: list[str]) -> Any:
        """Run a script of these cells; return its target's value."""
        return self.make(load(cells, self.folder.parent / "script.py"))

    def make(self, tasks: Tasks) -> Any:
        """Return the target's value."""
        raise NotImplementedError


def load(cells: list[str], script: Path) -> Tasks:
    """Run a script as ``__main__``; return its tasks."""
    tasks: dict[str, Callable[..., Any]] = {}

    def task(fn: Callable[..., Any]) -> Callable[..., Any]:
        tasks[fn.__name__] = fn
        return fn

    script.write_text("\n\n".join(cells) + "\n")
    linecache.checkcache(str(script))
    main = sys.modules["__main__"] = ModuleType("__main__")
    main.__file__ = str(script)
    vars(main)["task"] = task
    exec(compile(script.read_text(), str(script), "exec"), vars(main))
    return tasks


class Nothing(Peer):
    """Runs everything: what is right."""

    name = "nothing kept"

    def make(self, tasks: Tasks) -> Any:
        return call(tasks, "target", lambda fn: fn)


class Joblib(Peer):
    name = "joblib"

    def make(self, tasks: Tasks) -> Any:
        from joblib import Memory

        return call(tasks, "target", Memory(self.folder, verbose=0).cache)


class Dask(Peer):
    """A result is kept by `dask.base.tokenize` of the function and its arguments.

    What has no deterministic token runs again.
    """

    name = "dask"

    def make(self, tasks: Tasks) -> Any:
        return call(tasks, "target", self._cached)

    def _cached(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        import cloudpickle
        from dask.base import tokenize
        from dask.tokenize import TokenizationError

        def cached(*arguments: Any) -> Any:
            try:
                kept = self.folder / tokenize(fn, *arguments, ensure_deterministic=True)
            except TokenizationError:
                return fn(*arguments)
            if kept.exists():
                return cloudpickle.loads(kept.read_bytes())
            value = fn(*arguments)
            kept.write_bytes(cloudpickle.dumps(value))
            return value

        return cached


class Redun(Peer):
    """One database for all traps, for to make one takes long; each trap's tasks have a namespace of their own."""

    name = "redun"

    def make(self, tasks: Tasks) -> Any:
        from redun import task

        namespace = f"trap{self.folder.parent.name}"
        cached = lambda fn: task(name=fn.__name__, namespace=namespace)(fn)  # noqa: E731
        return _redun(self.folder.parent.parent).run(call(tasks, "target", cached))


@functools.cache
def _redun(folder: Path) -> Any:
    from redun import Scheduler
    from redun.config import Config

    scheduler = Scheduler(config=Config({"backend": {"db_uri": f"sqlite:///{folder}/redun.db"}}))
    scheduler.load()
    logging.getLogger("redun").setLevel(logging.CRITICAL)
    return scheduler


class Hamilton(Peer):
    name = "Hamilton"

    def make(self, tasks: Tasks) -> Any:
        from hamilton import ad_hoc_utils, driver

        logging.getLogger("hamilton").setLevel(logging.CRITICAL)
        for fn in tasks.values():  # it asks for types, and the cells have none
            fn.__annotations__ = dict.fromkeys([*inspect.signature(fn).parameters, "return"], Any)
        module = ad_hoc_utils.create_temporary_module(*tasks.values())
        built = driver.Builder().with_modules(module).with_cache(str(self.folder)).build()
        return built.execute(["target"])["target"]


class Pipefunc(Peer):
    name = "pipefunc"

    def make(self, tasks: Tasks) -> Any:
        from pipefunc import Pipeline, pipefunc

        steps = [pipefunc(output_name=name, cache=True)(fn) for name, fn in tasks.items()]
        options: dict[str, Any] = {"cache_type": "disk", "cache_kwargs": {"cache_dir": str(self.folder)}}
        return Pipeline(steps, **options)("target")


class Marimo(Peer):
    """A notebook of marimo's own, of the same cells; the tasks are marked ``@mo.persistent_cache``."""

    name = "marimo"

    def run(self, cells: list[str]) -> Any:
        import marimo  # noqa: F401 - its import sets the level of its logger

        logging.getLogger("marimo").setLevel(logging.CRITICAL)
        mark = f"@mo.persistent_cache(save_path={str(self.folder)!r})"
        marked = [re.sub(r"^@task$", lambda _: mark, cell, flags=re.MULTILINE) for cell in cells]
        path = self.folder.parent / "app_of_it.py"
        path.write_text(_app(["import marimo as mo", *marked, f"value_of_it = {_as_call(_parameters(cells))}"]))
        spec = importlib.util.spec_from_file_location("app_of_it", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        _, defined = module.app.run()
        return defined["value_of_it"]


def _app(cells: list[str]) -> str:
    body = "import marimo\n\napp = marimo.App()\n"
    for cell in cells:
        lines = "".join(f"    {line}\n" for line in cell.splitlines())
        body += f"\n\n@app.cell\ndef _():\n{lines}    return\n"
    return body


def _parameters(cells: list[str]) -> dict[str, list[str]]:
    """Return the parameters of each function that is marked as a task."""
    functions = [f for f in ast.parse("\n".join(cells)).body if isinstance(f, ast.FunctionDef)]
    is_task = lambda f: any(isinstance(d, ast.Name) and d.id == "task" for d in f.decorator_list)  # noqa: E731
    return {f.name: [argument.arg for argument in f.args.args] for f in functions if is_task(f)}


def _as_call(parameters: Mapping[str, list[str]], name: str = "target") -> str:
    """Write the call of a task with the results of the tasks that its parameters name."""
    befores = [parameter for parameter in parameters[name] if parameter in parameters]
    return f"{name}({', '.join(_as_call(parameters, before) for before in befores)})"


PEERS = {kind.name: kind for kind in (Joblib, Dask, Redun, Hamilton, Pipefunc, Marimo)}
PACKAGES = {"Hamilton": "hamilton"}
"""What to import to see whether a peer is there, where it is not its name."""

counted: list[str] = []


def count(frame: Any, event: str, _: object) -> None:
    """Note that the target's own code runs."""
    if event == "call" and frame.f_code.co_name == "target":
        counted.append("target")


def play(peer: type[Peer], trap: Trap, folder: Path, *, is_changed: bool) -> dict[str, Any]:
    """Run a trap's script before or after the change; return the target's value, and whether its code ran."""
    environ = {**trap.environ, **(trap.environ_after if is_changed else {})}
    (folder / ".cache").mkdir(exist_ok=True)
    shown = io.StringIO()
    with world(folder), contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        os.environ.update(environ)
        counted.clear()
        sys.setprofile(count)
        threading.setprofile(count)
        try:
            value = repr(peer(folder / ".cache").run(trap.after_cells if is_changed else trap.before_cells))
        except BaseException as error:
            value = f"!{type(error).__name__}: {error}"[:200]
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    return {"value": value, "ran": bool(counted)}


def main(name: str, phase: str, folder: str, answer: str, only: str = "") -> None:
    """Play one phase of all traps that a cache of functions can be asked."""
    outcomes = {}
    for number, trap in numbered(only):
        if trap.is_plain:
            place = Path(folder, str(number))
            place.mkdir(exist_ok=True)
            (trap.lay_out if phase == "before" else trap.change)(place)
            outcomes[str(number)] = {"it": play(PEERS[name], trap, place, is_changed=phase == "after")}
            if phase == "after":
                outcomes[str(number)]["right"] = play(Nothing, trap, place, is_changed=True)
    Path(answer).write_text(json.dumps(outcomes))
