"""The cells that ran in a notebook, newest version of each: what an export and a proposal are made from."""

from __future__ import annotations

import time
from typing import NamedTuple

from graflow_nb.notebook.document.source import Document, RawCell


class Ran(NamedTuple):
    """A cell that ran.

    Attributes
    ----------
    source : str
    seconds : float
    """

    source: str
    seconds: float


class CellLog:
    """Takes note of each cell that ran well; run again, it counts where and as it ran last."""

    def __init__(self) -> None:
        self._ran: dict[str, Ran] = {}
        self._open: list[tuple[str, str, float]] = []

    def begin(self, cell: str, source: str) -> None:
        """Say that a cell starts; it may be run by another cell."""
        self._open.append((cell, source, time.perf_counter()))

    def end(self, *, success: bool) -> None:
        """Say that it ended."""
        if not self._open:
            return  # it loaded us
        cell, source, began = self._open.pop()
        if success and not self._open and source.strip():
            self._ran.pop(cell, None)
            self._ran[cell] = Ran(source, time.perf_counter() - began)

    def drop(self, cell: str) -> None:
        """Say that a cell was deleted."""
        self._ran.pop(cell, None)

    def __len__(self) -> int:
        return len(self._ran)

    def document(self, name: str) -> Document:
        """Return them as a notebook."""
        numbered = enumerate(self._ran.values(), 1)
        return Document(name, tuple(RawCell("code", ran.source, n, seconds=ran.seconds) for n, ran in numbered))
