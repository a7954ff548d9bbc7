"""Counts the calls of the peers' tasks. A module of its own, so that no peer takes the count for an input."""

from __future__ import annotations

_calls = 0


def hit() -> None:
    """Count a call."""
    global _calls  # noqa: PLW0603
    _calls += 1


def calls() -> int:
    """Return how many calls there were since the last time this was asked."""
    global _calls
    counted, _calls = _calls, 0
    return counted
