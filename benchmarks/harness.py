"""What the benchmarks share: they measure contenders side by side, print a table, and one JSON line."""

from __future__ import annotations

import gc
import json
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SLOW = 3.0
"""Seconds of a round from which on a contender runs once only."""


@dataclass(frozen=True)
class Contender:
    """One way to do a workload.

    Attributes
    ----------
    name : str
    run : callable
        Does one round, and is what is measured. It takes what `prepare` returned.
    tasks : int
        How many tasks a round is; times are given for each.
    prepare : callable
        Gets ready for a round, unmeasured.
    close : callable
        Is called at the end.
    check : callable
        Is called after each round, and raises if the work was not done right.
    """

    name: str
    run: Callable[[Any], object]
    tasks: int = 1
    prepare: Callable[[], Any] = lambda: None
    close: Callable[[], object] = lambda: None
    check: Callable[[], None] = lambda: None


class Times(NamedTuple):
    """The seconds of one round."""

    wall: float
    cpu: float


class Row(NamedTuple):
    """The measurements of one contender, in the table's unit.

    `cpu` is the least processor time, all threads and processes together: on a busy machine it is steadier
    than the clock. NaN where it was not measured.
    """

    min: float
    median: float
    max: float
    cpu: float


class Goal(NamedTuple):
    """What a figure should be at most, and what it is."""

    what: str
    goal: float
    unit: str
    min: float
    median: float

    @property
    def verdict(self) -> str:
        """Whether it is met: by the median, or at least by the best round (on a busy machine)."""
        if self.median <= self.goal:
            return "met"
        return "met by the best round" if self.min <= self.goal else "NOT MET"


@dataclass
class Table:
    """The outcome of one workload.

    Attributes
    ----------
    title : str
    unit : str
    rows : dict of str to Row
        Ours is the first.
    left_out : dict of str to str
        The contenders that could not take part, and why.
    goals : list of Goal
    """

    title: str
    unit: str
    rows: dict[str, Row] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)

    def expect(self, what: str, goal: float, name: str) -> None:
        """Note a goal for one of the rows."""
        row = self.rows[name]
        self.goals.append(Goal(what, goal, self.unit, row.min, row.median))

    def show(self) -> Table:
        """Print the table, and the same as one JSON line."""
        print(f"\n{self.title} [{self.unit}]")
        if self.rows:
            self._show_rows()
        for name, why in self.left_out.items():
            print(f"  left out: {name} ({why})")
        print(json.dumps(self._data()), flush=True)
        return self

    def _show_rows(self) -> None:
        ours = next(iter(self.rows.values()))
        width = max(map(len, self.rows))
        print(f"  {'':{width}} {'min':>9} {'median':>9} {'max':>9} {'cpu':>9} {'ratio':>8}")
        for name, row in self.rows.items():
            numbers = " ".join(f"{number:9.1f}" for number in row)
            print(f"  {name:{width}} {numbers} {row.median / ours.median:7.2f}x")

    def _data(self) -> dict[str, Any]:
        rows = {n: {k: round(v, 2) for k, v in r._asdict().items() if not isnan(v)} for n, r in self.rows.items()}
        return {"workload": self.title, "unit": self.unit, "rows": rows, "left_out": self.left_out}


def compare(
    title: str,
    makers: Iterable[Callable[[], Contender]],
    *,
    unit: str = "us a task",
    scale: float = 1e6,
    rounds: int = 7,
) -> Table:
    """Measure contenders side by side: one warm-up each, then rounds in which each runs once.

    Parameters
    ----------
    title : str
    makers : iterable of callable
        Each makes one contender, and raises if it cannot take part.
    unit : str
    scale : float
        The units in a second.
    rounds : int
    """
    table = Table(title, unit)
    contenders, times = _warm_up(makers, table.left_out)
    gc.collect()
    gc.freeze()  # else each contender would pay for looking through what all the others imported
    for _ in range(rounds):
        for contender in contenders:
            if times[contender.name][0].wall < SLOW:
                times[contender.name].append(_round(contender))
    for contender in contenders:
        taken = times[contender.name]
        table.rows[contender.name] = _row(taken[1:] or taken, scale / contender.tasks)
        contender.close()
    gc.unfreeze()
    return table


def _warm_up(
    makers: Iterable[Callable[[], Contender]], left_out: dict[str, str]
) -> tuple[list[Contender], dict[str, list[Times]]]:
    contenders, times = [], {}
    for maker in makers:
        try:
            contender = maker()
            times[contender.name] = [_round(contender)]
        except Exception as error:
            left_out[maker.__name__] = f"{type(error).__name__}: {error}"[:200]
        else:
            contenders.append(contender)
    return contenders, times


def _round(contender: Contender) -> Times:
    state = contender.prepare()
    gc.collect()
    wall, cpu = time.perf_counter(), _cpu()
    contender.run(state)
    times = Times(time.perf_counter() - wall, _cpu() - cpu)
    contender.check()
    return times


def _cpu() -> float:
    """Return the processor time of this process and of those that it started and that ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _row(times: list[Times], scale: float) -> Row:
    walls = [time.wall * scale for time in times]
    return Row(min(walls), statistics.median(walls), max(walls), min(t.cpu for t in times) * scale)


def show_goals(tables: Iterable[Table]) -> None:
    """Print every goal with what was measured."""
    goals = [goal for table in tables for goal in table.goals]
    width = max(len(goal.what) for goal in goals)
    print(f"\nGoals\n  {'':{width}} {'goal':>9} {'min':>9} {'median':>9}")
    for goal in goals:
        numbers = f"{goal.goal:9.1f} {goal.min:9.1f} {goal.median:9.1f}"
        print(f"  {goal.what:{width}} {numbers}  {goal.unit:10} {goal.verdict}")


def fresh(title: str, unit: str, code: str, rows: Mapping[str, float]) -> Table:
    """Return what code prints that runs in a process of its own, three times: a number for each row.

    Parameters
    ----------
    title, unit, code : str
    rows : mapping of str to float
        By what each number is divided.
    """
    found = [
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=Path(__file__).parent
        ).stdout.split()
        for _ in range(3)
    ]
    table = Table(title, unit)
    for place, (name, scale) in enumerate(rows.items()):
        numbers = sorted(float(one[place]) / scale for one in found)
        table.rows[name] = Row(numbers[0], numbers[1], numbers[2], float("nan"))
    return table
