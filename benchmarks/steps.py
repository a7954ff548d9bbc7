"""Steps: a row of steps, and the same row as plain tasks: what the state and the results of steps cost."""

from __future__ import annotations

import asyncio

from harness import Contender, Table, compare

from graflow_nb import Task, workflow
from graflow_nb.steps import ToolStep, create_workflow

STEPS = 200


def nothing() -> int:
    return 0


def passes_on(before: int) -> int:
    return before


async def tasks() -> None:
    """Make a row of tasks, and run it, keeping nothing."""
    with workflow("tasks", cache="off") as flow:
        before = Task("t0", nothing)
        for number in range(1, STEPS):
            after = Task(f"t{number}", passes_on)
            before >> after
            before = after
    await flow.arun(raise_errors=True)


async def steps() -> None:
    """Make a row of steps, and run it."""
    row = create_workflow("steps", steps=[ToolStep(f"s{number}", nothing) for number in range(STEPS)])
    assert (await row.execute()).success


def plain() -> Contender:
    return Contender("graflow_nb: tasks", lambda _: asyncio.run(tasks()), STEPS)


def ours() -> Contender:
    return Contender("graflow_nb: steps", lambda _: asyncio.run(steps()), STEPS)


def main() -> list[Table]:
    """Measure, and print."""
    return [compare("Steps: a row of 200, build + run", [plain, ours], rounds=9).show()]


if __name__ == "__main__":
    main()
