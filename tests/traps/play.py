"""Playing a trap: its notebook, the change, its notebook again; in one kernel, or in two processes on one store."""

from __future__ import annotations

import inspect
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from shells import Notebook, new_notebook

from graflow_nb import WorkflowContext, workflow
from traps import numbered
from traps.place import world
from traps.trap import put

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from traps.trap import Trap

HAS_DISK = "cache" in inspect.signature(workflow).parameters


class Outcome(NamedTuple):
    """What came of running a notebook's flow.

    Attributes
    ----------
    value : str
        The target's, as text; of an error its name, after a ``!``.
    status : str
        The target's.
    ran : list of str
        The tasks that were not reused.
    """

    value: str
    status: str
    ran: list[str]


def open_flow(notebook: Notebook, folder: Path | None) -> WorkflowContext:
    """Give a notebook a flow whose results are kept in a folder; None: in memory only."""
    options: dict[str, Any] = {"cache": folder / ".cache"} if folder is not None and HAS_DISK else {}
    flow = workflow("trap", **options)
    notebook.session.use("trap")
    return flow


def execute(notebook: Notebook, cells: Sequence[str], old: Sequence[str] = ()) -> str | None:
    """Execute the cells that differ from the old ones; return the error of the first that failed."""
    gone = tuple(f"cell{i}" for i in range(len(cells), len(old)))
    for number, cell in enumerate(cells):
        if number >= len(old) or cell != old[number]:
            notebook.try_(cell, cell=f"cell{number}", deleted=gone)
            if notebook.error is not None:
                return f"!{type(notebook.error).__name__} in cell {number}: {notebook.error}"
    return None


def run(trap: Trap, flow: WorkflowContext, **options: Any) -> Outcome:
    """Make everything of a flow up to date."""
    done = flow.run(workers=1 if trap.one_worker else None, **options)
    if "target" in done.errors:
        value = "!" + type(done.errors["target"]).__name__
    else:
        value = repr(done.results["target"]) if "target" in done.results else "!none"
    statuses = {name: str(status) for name, status in done.statuses.items()}
    ran = sorted(name for name, status in statuses.items() if status != "cached")
    return Outcome(value, statuses.get("target", "none"), ran)


def whole(trap: Trap, is_changed: bool, folder: Path, store: Path | None) -> Outcome:
    """Do all cells, or all after the change, in a new notebook, then run its flow."""
    with world(folder), new_notebook() as notebook:
        os.environ.update({**trap.environ, **(trap.environ_after if is_changed else {})})
        cells = trap.after_cells if is_changed else trap.before_cells
        flow = open_flow(notebook, store)
        if error := execute(notebook, cells):
            return Outcome(error, "none", [])
        outcome = run(trap, flow)
        if not is_changed:
            once_more(trap, notebook, folder)
        return outcome


def once_more(trap: Trap, notebook: Notebook, folder: Path) -> None:
    """Do what else happens in the first kernel."""
    if trap.then or trap.then_files:
        for path, content in trap.then_files.items():
            put(folder / path, content)
        notebook(trap.then, cell="then")
        run(trap, notebook.flow)


def before(trap: Trap, folder: Path) -> Outcome:
    """Do what the first process does."""
    trap.lay_out(folder)
    return whole(trap, False, folder, folder)


def after(trap: Trap, folder: Path) -> dict[str, Outcome]:
    """Do what the second process does: the changed notebook, and once more with nothing to reuse."""
    trap.change(folder)
    return {"after": whole(trap, True, folder, folder), "fresh": whole(trap, True, folder, None)}


def in_kernel(trap: Trap, folder: Path) -> dict[str, Outcome]:
    """Do it all in one kernel; then the changed notebook in a new one, with nothing to reuse."""
    trap.lay_out(folder)
    outcomes: dict[str, Outcome] = {}
    with world(folder), new_notebook() as notebook:
        os.environ.update(trap.environ)
        flow = open_flow(notebook, folder)
        error = execute(notebook, trap.before_cells)
        outcomes["before"] = run(trap, flow) if error is None else Outcome(error, "none", [])
        if error is None:
            once_more(trap, notebook, folder)
            notebook(trap.poke, cell="poke")
        trap.change(folder)
        os.environ.update(trap.environ_after)
        error = error or execute(notebook, trap.after_cells, () if trap.re_execute else trap.before_cells)
        outcomes["after"] = run(trap, flow) if error is None else Outcome(error, "none", [])
        if trap.may_refuse and outcomes["after"].value == "!StaleInputError":  # do as it says
            error = execute(notebook, trap.after_cells)
            outcomes["after"] = run(trap, flow)
        if trap.loaded and error is None:
            outcomes["loaded"] = run(trap, flow, force=True)
    outcomes["fresh"] = whole(trap, True, folder, None)
    return outcomes


def verdict(trap: Trap, outcomes: dict[str, Outcome]) -> str:
    """Say what is wrong with the outcomes of a trap; nothing if all is well."""
    first, second, fresh = outcomes["before"], outcomes["after"], outcomes["fresh"]
    for outcome in outcomes.values():
        if " in cell " in outcome.value:
            return f"a cell failed: {outcome.value}"
    if trap.differs and first.value == fresh.value:
        return f"the trap is no trap: {first.value} before and after"
    if not trap.must_run and first.value != fresh.value:
        return f"the trap is no trap: {first.value} before, {fresh.value} after"
    right = {fresh.value} | {o.value for k, o in outcomes.items() if k == "loaded"}
    if second.value not in right:
        return f"WRONG: {second.value} ({second.status}) instead of {fresh.value}"
    if trap.runs and second.status == "cached":
        return "WRONG: it was reused"
    if not trap.must_run and set(second.ran) - trap.reruns:
        return f"needless: {', '.join(sorted(set(second.ran) - trap.reruns))} ran again"
    return ""


def play_all(phase: str, folder: Path, only: str = "") -> dict[str, Any]:
    """Play one phase of all traps that mean something in two processes, the second in another order."""
    play: Callable[[Trap, Path], Any] = {"before": before, "after": after}[phase]
    chosen = [(number, trap) for number, trap in numbered(only) if trap.in_processes]
    outcomes = {}
    for number, trap in chosen if phase == "before" else reversed(chosen):
        place = folder / str(number)
        place.mkdir(exist_ok=True)
        outcomes[str(number)] = play(trap, place)
    return outcomes


if __name__ == "__main__":
    phase, folder, answer, *only = sys.argv[1:]
    Path(answer).write_text(json.dumps(play_all(phase, Path(folder), *only)))
