"""A flow's text as a terminal shows it: coloured, each line on one line; and as a log does: line by line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.text import Text

from graflow_nb.core.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

STYLES = {  # the terminal's own colours: readable on dark and light ones
    Status.WAITING: "dim",
    Status.READY: "dim",
    Status.RUNNING: "bold blue",
    Status.RETRYING: "yellow",
    Status.SUCCEEDED: "green",
    Status.CACHED: "cyan",
    Status.FAILED: "bold red",
    Status.SKIPPED: "dim",
    Status.CANCELLED: "magenta",
}
_BY_SYMBOL = {status.symbol: status for status in Status}
_ROW = re.compile(rf"  ([{''.join(map(re.escape, _BY_SYMBOL))}]) (.+?)(?:  |$)")


def styled(text: str) -> Text:
    r"""Colour what `graflow_nb.views.text.to_text` wrote; what follows it keeps its own colours.

    >>> shown = styled("f · 1 task\n  ✗ load  failed")
    >>> [(shown.plain[span.start : span.end], span.style) for span in shown.spans]
    [('  ✗ load  failed', 'bold red'), ('f · 1 task', 'bold')]
    """
    shown = Text.from_ansi(text)
    shown.no_wrap = True
    shown.overflow = "ellipsis"
    for status, style in STYLES.items():
        shown.highlight_regex(rf"(?m)^  {re.escape(status.symbol)} .+?  +{status.word}", style)
    shown.highlight_regex(r"(?m) ← .*$", "dim")
    shown.highlight_regex(r"^.* · \d+ tasks?\b", "bold")
    return shown


class Log:
    r"""Tells a run that is shown again and again as lines that are written once: each task when it is done.

    Examples
    --------
    >>> log = Log()
    >>> list(log.lines("f · 2 tasks\n  ✓ a  succeeded\n  ▶ b  running"))
    ['  ✓ a  succeeded']
    >>> list(log.lines("f · 2 tasks\n  ✓ a  succeeded\n  ✓ b  succeeded", finished=True))
    ['  ✓ b  succeeded', 'f · 2 tasks']
    """

    def __init__(self) -> None:
        self._written: set[str] = set()

    def lines(self, text: str, *, finished: bool = False) -> Iterator[str]:
        """Give the lines that are new in a run's text; what it came to, when it is finished."""
        head, *rows = text.splitlines()
        after: list[str] = []
        for row in rows:
            match = None if after else _ROW.match(row)
            if match is None:
                after.append(row)
            elif (_BY_SYMBOL[match[1]].is_final or finished) and match[2] not in self._written:
                self._written.add(match[2])
                yield row
        if finished:
            self._written.clear()
            yield from (head, *after)
