"""Which widget's button started the run that code belongs to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graflow_nb.notebook.widget import FlowWidget

STARTED_BY: ContextVar[FlowWidget | None] = ContextVar("graflow_started_by", default=None)
"""That widget shows the run: no new display is needed. None: a cell started it."""
