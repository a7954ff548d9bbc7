"""The shapes that the benchmarks run: for each task the tasks before it, in an order that can be run."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

Graph = dict[str, tuple[str, ...]]


def layers(count: int = 10, width: int = 100) -> Graph:
    """Return layers of tasks, each task after two of the layer before."""
    graph: Graph = {f"t0_{i}": () for i in range(width)}
    for layer in range(1, count):
        for i in range(width):
            graph[f"t{layer}_{i}"] = (f"t{layer - 1}_{i}", f"t{layer - 1}_{(i + 1) % width}")
    return graph


def chain(length: int = 1_000) -> Graph:
    """Return tasks one after the other."""
    return {f"t{i}": (f"t{i - 1}",) if i else () for i in range(length)}


def chains(count: int = 100, length: int = 10) -> Graph:
    """Return chains side by side, each from a source of its own, and a task `total` after all of them.

    When one source changes, its chain and the total have to run: `length + 1` tasks.
    """
    graph: Graph = {}
    for i in range(count):
        graph |= {f"c{i}_{step}": (f"c{i}_{step - 1}",) if step else () for step in range(length)}
    return graph | {"total": tuple(f"c{i}_{length - 1}" for i in range(count))}


def leaves(graph: Graph) -> list[str]:
    """Return the tasks that nothing waits for."""
    waited_for = {before for befores in graph.values() for before in befores}
    return [name for name in graph if name not in waited_for]


def module(name: str, source: str, folder: Path) -> ModuleType:
    """Write a module that a user would have written by hand, and import it."""
    path = folder / f"{name}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    made = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
