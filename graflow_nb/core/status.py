"""The statuses of a task in a run: one table that every view reads."""

from __future__ import annotations

from enum import Enum


class Status(Enum):
    """What has become of a task in a run.

    Attributes
    ----------
    word : str
        The name shown to people, for example ``"running"``.
    symbol : str
        One character, told apart without colour.
    colour : str
        A CSS hex colour with a contrast of at least 4.5 on white.
    dark : str
        The same for dark pages: a contrast of at least 4.5 on ``#1e1e1e``.

    Examples
    --------
    >>> Status.FAILED.symbol, Status.FAILED.word
    ('✗', 'failed')
    >>> Status.CACHED.is_success, Status.RUNNING.is_final
    (True, False)
    """

    WAITING = ("waiting", "○", "#6b7280", "#9ca3af")
    READY = ("ready", "◎", "#4b5563", "#d1d5db")
    RUNNING = ("running", "▶", "#1d4ed8", "#60a5fa")
    RETRYING = ("retrying", "↻", "#b45309", "#fbbf24")
    SUCCEEDED = ("succeeded", "✓", "#15803d", "#4ade80")
    CACHED = ("cached", "≡", "#0f766e", "#2dd4bf")
    FAILED = ("failed", "✗", "#b91c1c", "#f87171")
    SKIPPED = ("skipped", "–", "#6b7280", "#9ca3af")
    CANCELLED = ("cancelled", "■", "#7e22ce", "#c084fc")

    def __init__(self, word: str, symbol: str, colour: str, dark: str) -> None:
        self.word = word
        self.symbol = symbol
        self.colour = colour
        self.dark = dark

    __hash__ = object.__hash__  # Enum's own is written in Python, and statuses are looked up all the time

    @property
    def is_final(self) -> bool:
        """Whether the task's part in the run is over."""
        return self in _FINAL

    @property
    def is_pending(self) -> bool:
        """Whether the task is still to be called, or called again."""
        return self in _PENDING

    @property
    def is_success(self) -> bool:
        """Whether the task has a result in this run."""
        return self in _SUCCESS

    def __repr__(self) -> str:
        return f"<Status {self.word}>"

    def __str__(self) -> str:
        return self.word


_SUCCESS = frozenset({Status.SUCCEEDED, Status.CACHED})
_PENDING = frozenset({Status.WAITING, Status.READY, Status.RETRYING})
_FINAL = _SUCCESS | {Status.FAILED, Status.SKIPPED, Status.CANCELLED}
