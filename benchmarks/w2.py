"""W2: made again when nothing has changed: what it costs to know that."""

from __future__ import annotations

from cached import PEERS, Ours, OursDistinct, OursOnDisk, Redun, again
from graphs import chains
from harness import Table, compare


def main() -> list[Table]:
    """Measure, and print."""
    graph = chains()
    makers = [again(kind, graph) for kind in (Ours, OursDistinct, OursOnDisk, *PEERS)]
    redun = again(Redun, chains(10, 9))
    table = compare(f"W2: {len(graph):,} tasks again, nothing changed", [*makers, redun])
    table.expect("W2: nothing changed, in memory", 10, Ours.name)
    table.expect("W2: the same, a function a task", 10, OursDistinct.name)
    table.expect("W2: nothing changed, from disk after a restart", 25, OursOnDisk.name)
    return [table.show()]


if __name__ == "__main__":
    main()
