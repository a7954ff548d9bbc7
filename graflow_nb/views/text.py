"""The words that every view uses, and a flow as plain text for terminals."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from heapq import heappop, heappush
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from graflow_nb.core.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graflow_nb.views.model import FlowView, NodeView

SECOND, MINUTE, HOUR = 1000, 60, 3600  # in milliseconds, in seconds, in seconds
KILO = 1000
UPSTREAM_SHOWN, UPSTREAM_COLUMNS, NOTE_COLUMNS = 4, 24, 60
TIME = 2  # the cell that is aligned right
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Badge(NamedTuple):
    """How a status is shown; like `Status`, but there is one for tasks that never ran too."""

    symbol: str
    word: str
    colour: str


NOT_RUN = Badge("·", "not run", "#6b7280")


def badge(status: Status | None) -> Badge:
    """Give the symbol, word and colour of a status."""
    return Badge(status.symbol, status.word, status.colour) if status else NOT_RUN


def tally(view: FlowView) -> list[tuple[Badge, int]]:
    """Count the tasks of each status, in the order of `Status`, those that never ran last; a parameter is none."""
    counts = Counter(node.status for node in view.nodes if not node.is_param)
    return [(badge(status), counts[status]) for status in (*Status, None) if counts[status]]


def summary(view: FlowView) -> str:
    """Say in one line what became of a flow.

    >>> from graflow_nb.views.model import FlowView, NodeView
    >>> summary(FlowView("etl", (NodeView("load", Status.SUCCEEDED), NodeView("fit")), seconds=1.23))
    '2 tasks: 1 succeeded, 1 not run in 1.2 s'
    """
    found = tally(view)
    total = sum(count for _, count in found)
    if not total:
        return "no tasks"
    counts = ", ".join(f"{count} {look.word}" for look, count in found)
    took = "" if view.seconds is None else f" in {human_seconds(view.seconds)}"
    return f"{total} {'task' if total == 1 else 'tasks'}: {counts}{took}"


def human_seconds(seconds: float) -> str:
    """Write a duration with the two or three digits that matter.

    >>> [human_seconds(s) for s in (0.012, 1.24, 123, 7260)]
    ['12 ms', '1.2 s', '2 min 3 s', '2 h 1 min']
    """
    milliseconds, whole = round(seconds * SECOND), round(seconds)
    if milliseconds < SECOND:
        return f"{milliseconds} ms" if milliseconds or not seconds else "<1 ms"
    if round(seconds, 1) < MINUTE:
        return f"{seconds:.1f} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"


def human_bytes(count: int) -> str:
    """Write a number of bytes with the digits that matter.

    >>> [human_bytes(n) for n in (999, 12_345, 5 * 2**30)]
    ['999 B', '12 kB', '5.4 GB']
    """
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < KILO:
            break
        size, unit = size / KILO, larger
    digits = 1 if size < KILO / 100 and unit != "B" else 0
    return f"{size:.{digits}f} {unit}"


def clean(text: str) -> str:
    """Replace what neither XML nor UTF-8 can hold: control characters and halves of characters.

    >>> clean("bell" + chr(7))
    'bell�'
    """
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def escaped(text: str) -> str:
    """Write any text so that HTML and XML show it as it is.

    >>> escaped("<b>")
    '&lt;b&gt;'
    """
    return escape(clean(text))


def display_width(text: str) -> int:
    """Count the columns a text takes: East Asian wide characters take two, combining marks none.

    >>> display_width("load"), display_width("読む"), display_width("e\N{COMBINING ACUTE ACCENT}")
    (4, 4, 1)
    """
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


LONGEST_PATH = 18
"""Columns of a name from which on it is shown without what is before its last slash."""


def shorten(text: str, columns: int) -> str:
    """Cut out the middle of a text that is too wide, since names differ at both ends.

    >>> shorten("train_gradient_boosting_v2", 14)
    'train_g…ing_v2'
    """
    if display_width(text) <= columns:
        return text
    head = _fitting(text, columns // 2)
    tail = _fitting(text[::-1], columns - 1 - display_width(head))
    return f"{head}…{tail[::-1]}"


def short_path(name: str) -> str:
    """Leave out where a task stands in others, if that makes a long name: a frame with that name is round it.

    >>> short_path("train/fit"), short_path("fulfillment_check/order/update_crm")
    ('train/fit', '…/update_crm')
    """
    last = name.rpartition("/")[2]
    return f"…/{last}" if last and last != name and display_width(name) > LONGEST_PATH else name


def _fitting(text: str, columns: int) -> str:
    """Give as much of a text's beginning as fits."""
    used = 0
    for end, character in enumerate(text):
        used += _columns(character)
        if used > columns:
            return text[:end]
    return text


def upstream(view: FlowView) -> dict[str, list[str]]:
    """Map each task to the tasks it directly depends on."""
    before: dict[str, list[str]] = {node.name: [] for node in view.nodes}
    for edge in view.edges:
        if edge.source not in before[edge.target]:
            before[edge.target].append(edge.source)
    return before


def in_order(view: FlowView) -> list[NodeView]:
    """Sort the tasks so that each comes after its upstream, and otherwise as they were defined."""
    index = {node.name: position for position, node in enumerate(view.nodes)}
    before = [[index[name] for name in names] for names in upstream(view).values()]
    after: list[list[int]] = [[] for _ in before]
    for position, others in enumerate(before):
        for other in others:
            after[other].append(position)
    waiting = [len(others) for others in before]
    ready = [position for position, count in enumerate(waiting) if not count]
    order = []
    while ready:  # a heap: the first defined comes first (and a sorted list is one)
        order.append(heappop(ready))
        for position in after[order[-1]]:
            waiting[position] -= 1
            if not waiting[position]:
                heappush(ready, position)
    return [view.nodes[position] for position in order]


def details(node: NodeView) -> str:
    """Say a task's status, time and note in one line.

    >>> from graflow_nb.views.model import NodeView
    >>> details(NodeView("model", Status.SUCCEEDED, 0.2, note="out of date"))
    'succeeded · 200 ms · out of date'
    """
    return " · ".join(part for part in (badge(node.status).word, took(node), node.note) if part)


def took(node: NodeView) -> str:
    """Say how long a task took or, if its result was reused, what that saved; "" if that is not known.

    >>> from graflow_nb.views.model import NodeView
    >>> took(NodeView("model", Status.CACHED, 90))
    'saved 1 min 30 s'
    """
    if node.seconds is None:
        return ""
    return f"{'saved ' * (node.status is Status.CACHED)}{human_seconds(node.seconds)}"


def to_text(view: FlowView) -> str:
    """Draw a flow as lines of text: each task with its status, its time, and what it comes after.

    >>> from graflow_nb.views.model import EdgeView, FlowView, NodeView
    >>> load, fit = NodeView("load", Status.SUCCEEDED, 0.25), NodeView("fit", Status.FAILED, 1.5, "KeyError")
    >>> print(to_text(FlowView("train", (load, fit), (EdgeView("load", "fit"),), seconds=1.8)))
    train · 2 tasks: 1 succeeded, 1 failed in 1.8 s
      ✓ load  succeeded  250 ms
      ✗ fit   failed      1.5 s  ← load  KeyError
    """
    before = upstream(view)
    rows = [_row(node, before[node.name]) for node in in_order(view)]
    lines = [f"{_flat(view.name)} · {summary(view)}" if view.name else summary(view)]
    return "\n".join(lines + [f"  {line}" for line in _aligned(rows)])


def _row(node: NodeView, before: Sequence[str]) -> list[str]:
    look = badge(node.status)
    shown = ", ".join(shorten(_flat(name), UPSTREAM_COLUMNS) for name in before[:UPSTREAM_SHOWN])
    more = f", +{len(before) - UPSTREAM_SHOWN} more" if len(before) > UPSTREAM_SHOWN else ""
    arrow = f"← {shown}{more}" if before else ""
    return [
        f"{look.symbol} {_flat(node.name)}",
        look.word,
        took(node),
        arrow,
        shorten(_flat(node.note), NOTE_COLUMNS),
    ]


def _flat(text: str) -> str:
    """Keep a text on one line, and its escape sequences out of the terminal."""
    return clean(" ".join(text.split()))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Join cells in columns, leaving out columns that are empty."""
    columns = [_padded(column, right=n == TIME) for n, column in enumerate(zip(*rows, strict=True)) if any(column)]
    return ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]


def _padded(column: Sequence[str], *, right: bool) -> list[str]:
    width = max(map(display_width, column))
    spaces = [" " * (width - display_width(cell)) for cell in column]
    return [space + cell if right else cell + space for cell, space in zip(column, spaces, strict=True)]
