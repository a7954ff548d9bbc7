"""The HTML report of a run, with when and where it was made."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from graflow_nb.views.report import to_report
from graflow_nb.views.snapshot import run_view

if TYPE_CHECKING:
    from graflow_nb.core.run import Run


def report_of(run: Run, *, title: str) -> str:
    """Return the report of a run as one HTML document."""
    when = datetime.fromtimestamp(run.started_at, UTC).astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return to_report(run_view(run), title=title, created=f"{when} · Python {platform.python_version()}")
