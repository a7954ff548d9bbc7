"""A process that forks one more for each notebook it is given, a line of JSON each, and says what came of it."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from worlds import Made, World, decoded, outcome


def answered(request: dict[str, Any]) -> dict[str, Made]:
    """Run a notebook in this process, which has run nothing before; everything, or what is out of date."""
    document = decoded(request["document"])
    world = World(request["cache"], document.folder)
    world.catch_up(document)
    run = world.run(workers=request["workers"])
    made = {}
    for name, record in run.records.items():
        if name != "p":
            status = str(record.status)
            value = type(record.error).__name__ if record.error else ""
            if record.status.is_success:
                value = "lines" if document.make(name) == "lines" else outcome(run.results[name]).text
            made[name] = (status, value, record.note)
    world.close()
    return made


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        if child := os.fork():
            os.waitpid(child, 0)
            continue
        sys.stdout.write(json.dumps(answered(json.loads(line))) + "\n")
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
