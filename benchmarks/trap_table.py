"""Print the table of traps: whose cached result is wrong after which change, and who runs again for nothing."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent / "tests"
sys.path[:0] = [str(TESTS), str(HERE.parent)]

from trap_peers import PACKAGES, PEERS  # noqa: E402
from traps import TRAPS, numbered  # noqa: E402
from traps.play import HAS_DISK, Outcome, in_kernel, verdict  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

OURS = "graflow_nb"
KERNEL = "in one kernel"
OK, WRONG, AGAIN, NOT, FAILED = "ok", "WRONG", "re-run", "-", "error"
Column = dict[int, str]


def phases(command: list[str], folder: Path, only: str) -> list[dict[str, Any]]:
    """Run both phases, each in a process with hashes of its own; return their answers."""
    answers = []
    for seed, phase in (("1", "before"), ("2", "after")):
        answer = folder / f"{phase}.json"
        path = os.pathsep.join([str(TESTS), str(HERE), str(HERE.parent)])
        environ = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, *command, phase, str(folder), str(answer), only],
            env=environ,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if not answer.exists():
            raise RuntimeError(done.stderr.strip().splitlines()[-1:] or f"exit status {done.returncode}")
        answers.append(json.loads(answer.read_text()))
    return answers


def peer_column(name: str, folder: Path, only: str) -> Column:
    """Play the traps that a cache of functions can be asked."""
    code = "import sys, trap_peers; trap_peers.main(*sys.argv[1:])"
    before, after = phases(["-c", code, name], folder, only)
    return {int(number): _peer_cell(int(number), before[number], after[number]) for number in after}


def _peer_cell(number: int, before: dict[str, Any], after: dict[str, Any]) -> str:
    """Judge: what it refuses cannot be expressed; a value that is not the right one is wrong."""
    first, second, right = before["it"]["value"], after["it"], after["right"]["value"]
    if first.startswith("!") and second["value"].startswith("!"):
        return NOT
    if second["value"].startswith("!"):
        return FAILED
    if second["value"] != right:
        return WRONG
    return AGAIN if second["ran"] and not TRAPS[number].must_run else OK


def our_column(folder: Path, only: str) -> Column:
    """Play every trap that means something in two processes."""
    before, after = phases(["-m", "traps.play"], folder, only)
    outcomes = {
        int(n): {"before": Outcome(*before[n]), **{k: Outcome(*o) for k, o in rest.items()}}
        for n, rest in after.items()
    }
    return {number: _our_cell(number, outcome) for number, outcome in outcomes.items()}


def kernel_column(folder: Path, only: str) -> Column:
    """Play every trap that means something in one kernel."""
    column = {}
    for number, trap in numbered(only):
        if trap.in_kernel:
            place = folder / str(number)
            place.mkdir()
            column[number] = _our_cell(number, in_kernel(trap, place))
    return column


def _our_cell(number: int, outcomes: dict[str, Outcome]) -> str:
    said = verdict(TRAPS[number], outcomes)
    if not said:
        return OK
    return next((cell for word, cell in (("WRONG", WRONG), ("needless", AGAIN)) if said.startswith(word)), FAILED)


def columns(peers: list[str], only: str) -> tuple[dict[str, Column], dict[str, str]]:
    """Play the traps with everything that is there; return the columns, and what was left out and why."""
    makers: dict[str, Callable[[Path, str], Column]] = {OURS: our_column} if HAS_DISK else {}
    makers[KERNEL] = kernel_column
    table: dict[str, Column] = {}
    left_out = {}
    for name in peers:
        if importlib.util.find_spec(PACKAGES.get(name, name)) is None:
            left_out[name] = "not installed"
        else:
            makers[name] = partial(peer_column, name)
    for name, maker in makers.items():
        print(f"playing {name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            try:
                table[name] = maker(Path(folder), only)
            except RuntimeError as error:
                left_out[name] = str(error)[:200]
    return table, left_out


def show(table: dict[str, Column], left_out: dict[str, str], *, is_short: bool) -> None:
    """Print a row for each trap under its group's name, then the sums."""
    width = 2 + max(len(trap.name) for trap in TRAPS)
    versions = [f"{name} {_version(name)}" for name in table if name in PEERS]
    print(f"Each trap in two processes on one store: a notebook, and the changed notebook. {', '.join(versions)}")
    print(
        f"{WRONG}: an outdated result; {AGAIN}: for nothing; {FAILED}: it stopped; {NOT}: it cannot be asked that"
    )
    played = {number for column in table.values() for number in column}
    title = lambda text: "".join([f"{text:{width}}", *(f"{name:>15}" for name in table)])  # noqa: E731
    for must_run, heading in ((True, "must run again"), (False, "must not run again")):
        print("\n" + title(heading))
        group = ""
        for number, trap in enumerate(TRAPS):
            cells = [column.get(number, NOT) for column in table.values()]
            is_left_out = is_short and set(cells[: 1 + HAS_DISK]) <= {OK, NOT}
            if number not in played or trap.must_run is not must_run or is_left_out:
                continue
            if trap.group != group:
                group = trap.group
                print(f"{group}:")
            print(f"  {trap.name:{width - 2}}" + "".join(f"{cell:>15}" for cell in cells))
    show_sums(table)
    for name, why in left_out.items():
        print(f"  left out: {name} ({why})")


def _version(peer: str) -> str:
    module = PACKAGES.get(peer, peer)
    names = importlib.metadata.packages_distributions().get(module, [module])
    return importlib.metadata.version(min(names))


def show_sums(table: dict[str, Column]) -> None:
    """Print, as Markdown for the README, how many of each group are wrong or ran for nothing."""
    played = {number for column in table.values() for number in column}
    groups = {TRAPS[number].group: TRAPS[number].must_run for number in sorted(played)}
    rows = [["", *table], ["---", *("--:" for _ in table)]]
    for must_run, word, what in ((True, WRONG, "wrong results"), (False, AGAIN, "needless runs")):
        names = [group for group, kind in groups.items() if kind is must_run]
        rows += [[group, *(_count(column, {group}, word) for column in table.values())] for group in names]
        rows.append([f"**{what}**", *(f"**{_count(column, set(names), word)}**" for column in table.values())])
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    print()
    for row in rows:
        first, *others = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        print("| " + " | ".join([first, *(cell.strip().rjust(len(cell)) for cell in others)]) + " |")


def _count(column: Column, groups: set[str], word: str) -> str:
    """Return how many cells of these groups say this, of how many that say anything."""
    cells = [cell for number, cell in column.items() if TRAPS[number].group in groups and cell != NOT]
    counted = Counter(cells)
    if not cells:
        return NOT
    others = "".join(f", {counted[o]} {o}" for o in (WRONG, AGAIN, FAILED) if o != word and counted[o])
    return f"{counted[word]}/{len(cells)}{others}"


def main() -> int:
    """Play, print; return 1 if one of our own cells is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS), help="default: all")
    parser.add_argument("--only", metavar="TEXT", default="", help="traps whose group or name has this in it")
    parser.add_argument("--short", action="store_true", help="of the traps only those that we fall into, and sums")
    options = parser.parse_args()
    table, left_out = columns(options.peers, options.only)
    show(table, left_out, is_short=options.short)
    ours = [cell for name in (OURS, KERNEL) for cell in table.get(name, {}).values()]
    return int(not set(ours) <= {OK, NOT})


if __name__ == "__main__":
    sys.exit(main())
