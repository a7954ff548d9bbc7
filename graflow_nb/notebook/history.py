"""When each task ran last, and what became of it."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from graflow_nb.core.run import Run
    from graflow_nb.core.workflow import WorkflowContext

MOST_RUNS = 10


class History:
    """The last runs of each task, by flow."""

    def __init__(self) -> None:
        self._runs: WeakKeyDictionary[WorkflowContext, dict[str, deque[dict[str, Any]]]] = WeakKeyDictionary()

    def add(self, run: Run) -> None:
        """Take note of a run that is over."""
        tasks = self._runs.setdefault(run.workflow, {})
        for name, record in list(run.records.items()):
            if record.status.is_final:
                began = run.started_at + (record.started or 0.0)
                row = {
                    "began": began,
                    "seconds": record.seconds,
                    "status": record.status.word,
                    "note": record.note,
                }
                tasks.setdefault(name, deque(maxlen=MOST_RUNS)).append(row)

    def of(self, flow: WorkflowContext, task: str) -> list[dict[str, Any]]:
        """Return a task's last runs, the newest first."""
        rows = list(self._runs.get(flow, {}).get(task, ()))[::-1]
        return [{**row, "when": _when(row["began"])} for row in rows]


def _when(began: float) -> str:
    return datetime.fromtimestamp(began, UTC).astimezone().strftime("%H:%M:%S")
