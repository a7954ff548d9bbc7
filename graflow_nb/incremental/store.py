"""Where results are kept. In memory, for one kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graflow_nb.core.call import Produced
    from graflow_nb.incremental.reads import Part


class Entry(NamedTuple):
    """A result that is kept.

    Attributes
    ----------
    parts : sequence of Part
        The key under which it was made.
    produced : Produced
    outputs : sequence of dict
        nbformat outputs.
    seconds : float
        How long making it took.
    """

    parts: Sequence[Part]
    produced: Produced
    outputs: Sequence[dict[str, Any]]
    seconds: float


class MemoryStore:
    """The latest result of each task."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def get(self, name: str) -> Entry | None:
        """Return what is kept of a task."""
        return self._entries.get(name)

    def put(self, name: str, entry: Entry) -> None:
        """Keep a result, in place of the one before."""
        self._entries[name] = entry

    def discard(self, name: str) -> None:
        """Let go of a task's result, if there is one."""
        self._entries.pop(name, None)

    def clear(self) -> None:
        """Let go of everything."""
        self._entries.clear()
