"""What waits until the kernel has nothing else to do: cells that follow each other do not pay for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE: Final = 0.05
"""Seconds without a cell. The next one of Run All begins sooner than that."""


class Idle:
    """Does one thing on the main thread, when no cell has run for a moment.

    Without an event loop (a terminal, a script) it is done at once.

    Parameters
    ----------
    do : callable
    """

    def __init__(self, do: Callable[[], None]) -> None:
        self._do = do
        self._timer: asyncio.TimerHandle | None = None

    def ask(self) -> None:
        """Let it be done; once, however often this is called."""
        self.cancel()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._do()
        else:
            self._timer = loop.call_later(PAUSE, self._do)

    def cancel(self) -> None:
        """Let it be: a cell begins, and will ask again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
