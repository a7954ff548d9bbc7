"""What one task printed and displayed, in order, as nbformat outputs."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from graflow_nb.notebook.bars import follow_bar

if TYPE_CHECKING:
    from collections.abc import Callable

SINK: ContextVar[Sink | None] = ContextVar("graflow_sink", default=None)
"""Where the output of the code that runs here goes; None: where it would go anyway."""

_BAR = re.compile(r"^\r([^\r\n]{0,80}?)\s*(\d{1,3})%\|")
"""The beginning of a line that tqdm writes: what is counted, and how much of it is done. Bars below the first
are moved to by line ends, and so are not found."""


class _Text:
    """A run of text of one stream, kept as it came."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.pieces: list[str] = []


class Sink:
    r"""Collects one task's outputs, from any thread.

    Parameters
    ----------
    name : str
        The task's.
    progress : callable, optional
        Told how far the task is, where a progress bar (tqdm's) is written or shown.

    Attributes
    ----------
    version : int
        Another one when something has come since.

    Examples
    --------
    >>> sink = Sink("load")
    >>> sink.write("stdout", "10%\r"); sink.write("stdout", "20%\n")
    4
    4
    >>> sink.outputs()
    [{'output_type': 'stream', 'name': 'stdout', 'text': '20%\n'}]
    """

    def __init__(self, name: str, progress: Callable[[float, str], None] | None = None) -> None:
        self.name = name
        self._progress = progress
        self.version = 0
        self.figures: OrderedDict[Any, Any] = OrderedDict()
        self._items: list[_Text | dict[str, Any]] = []
        self._displays: dict[str, list[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._clear_next = False
        self._closed = False

    def write(self, stream: str, text: str) -> int:
        """Take text written to "stdout" or "stderr"; return its length."""
        with self._lock:
            if text and self._ready():
                last = self._items[-1] if self._items else None
                if not isinstance(last, _Text) or last.stream != stream:
                    last = _Text(stream)
                    self._items.append(last)
                last.pieces.append(text)
        if self._progress is not None and (bar := _BAR.search(text)):
            self._progress(int(bar[2]) / 100, bar[1].strip(" :"))
        return len(text)

    def display(self, data: Any, metadata: Any, transient: Any, *, update: bool) -> bool:
        """Take a rich display, or a new state of one that has a display id; False if that is not one of ours."""
        display_id: str | None = (transient or {}).get("display_id")
        new = {"data": dict(data), "metadata": dict(metadata or {})}
        if self._progress is not None and not update:
            follow_bar(data, self._progress)
        with self._lock:
            if update:
                for item in () if self._closed else self._displays.get(display_id or "", ()):
                    item.update(new)
                    self.version += 1
            elif self._ready():
                item = {"output_type": "display_data", **new}
                self._items.append(item)
                if display_id:
                    self._displays.setdefault(display_id, []).append(item)
            return not update or display_id in self._displays

    def add(self, output: dict[str, Any]) -> None:
        """Take an output as it is."""
        with self._lock:
            if self._ready():
                self._items.append(output)

    def clear(self, *, wait: bool) -> None:
        """Drop everything; with `wait`, when the next output comes."""
        with self._lock:
            if wait:
                self._clear_next = True
            elif not self._closed:
                self._items.clear()
                self.version += 1

    def close(self) -> None:
        """Take nothing more: the task has ended, whatever its threads still write."""
        with self._lock:
            self._closed = True

    def outputs(self) -> list[dict[str, Any]]:
        """Return everything so far as nbformat outputs."""
        with self._lock:
            return [_stream(item) if isinstance(item, _Text) else item for item in self._items]

    def _ready(self) -> bool:
        if self._closed:
            return False
        if self._clear_next:
            self._items.clear()
            self._clear_next = False
        self.version += 1
        return True


def _stream(text: _Text) -> dict[str, Any]:
    return {"output_type": "stream", "name": text.stream, "text": overwrite("".join(text.pieces))}


def overwrite(text: str) -> str:
    r"""Return text as a terminal shows it: what follows a carriage return overwrites the line.

    Examples
    --------
    >>> overwrite("50%\r100%\ndone\r\n")
    '100%\ndone\n'
    """
    if "\r" not in text:
        return text
    return "\n".join(_overwritten(line) for line in text.replace("\r\n", "\n").split("\n"))


def _overwritten(line: str) -> str:
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown
