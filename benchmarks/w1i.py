"""W1i: the graph of W1, made for the first time by those that can reuse results: what fingerprints cost."""

from __future__ import annotations

from cached import PEERS, Ours, OursDistinct, Redun, first_runs
from graphs import layers
from harness import Table, compare


def main() -> list[Table]:
    """Measure, and print."""
    graph = layers()
    makers = [first_runs(kind, graph) for kind in (Ours, OursDistinct, *PEERS)]
    redun = first_runs(Redun, layers(10, 10))
    table = compare("W1i: 1,000 tasks, build + first run", [*makers, redun], rounds=5)
    table.expect("W1i: first run, 1,000 tasks", 80, Ours.name)
    table.expect("W1i: the same, a function a task", 80, OursDistinct.name)
    return [table.show()]


if __name__ == "__main__":
    main()
