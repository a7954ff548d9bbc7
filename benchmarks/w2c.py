"""W2c: made again when one source of 100 has changed: 11 of 1,001 tasks must run, and no other."""

from __future__ import annotations

from cached import PEERS, Ours, OursDistinct, OursOnDisk, again
from graphs import chains
from harness import Table, compare

MUST_RUN = 11


def main() -> list[Table]:
    """Measure, and print; every round checks which tasks ran."""
    graph = chains()
    makers = [again(kind, graph, must_run=MUST_RUN, tasks=1) for kind in (Ours, OursDistinct, OursOnDisk, *PEERS)]
    title = f"W2c: {len(graph):,} tasks again, one source changed, {MUST_RUN} have to run (checked)"
    table = compare(title, makers, unit="ms", scale=1e3)
    table.expect("W2c: one source changed, in memory", 12, Ours.name)
    table.expect("W2c: the same, a function a task", 12, OursDistinct.name)
    table.expect("W2c: one source changed, from disk after a restart", 30, OursOnDisk.name)
    return [table.show()]


if __name__ == "__main__":
    main()
