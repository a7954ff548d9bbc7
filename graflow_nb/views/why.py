"""Why a task runs, as a tree of reasons down to those that started it: lines, then text or HTML."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from graflow_nb.views.text import clean, escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from graflow_nb.incremental.explain import Reason

    Reasons = Mapping[str, Sequence[Reason]]

LONGEST = 60
"""Characters of an old and a new value together that stand in one line."""
MOST_NAMED = 3
"""Tasks that are named beside one reason."""
MOST_LINES = 40
"""Changed lines that are shown of one thing."""
_PAINT = {"-": "background-color:rgba(220,38,38,.18)", "+": "background-color:rgba(22,163,74,.2)"}
_CODE = (
    "margin:2px 0 4px;padding:4px 8px;border-radius:4px;background-color:rgba(128,128,128,.1);overflow-x:auto;"
    "white-space:pre;font-family:monospace;font-size:90%;line-height:1.45"
)
_WIDE = "display:inline-block;min-width:100%"
"""As wide as the longest line: all lines are painted to their ends."""


class Line(NamedTuple):
    """A reason, and how far it stands from the task that was asked about.

    Attributes
    ----------
    depth : int
    text : str
    diff : sequence of str
        Lines that begin with ``-``, ``+`` or a blank.
    """

    depth: int
    text: str
    diff: Sequence[str] = ()

    def deeper(self, by: int) -> Line:
        """Return the same line further in."""
        return self._replace(depth=self.depth + by)


def why_lines(reasons: Sequence[Reason], before: Reasons, depth: int = 0) -> list[Line]:
    """Return reasons, each followed by the reasons of the task that it names.

    Parameters
    ----------
    reasons : sequence of Reason
    before : mapping of str to sequence of Reason
        Why the tasks before it run.
    depth : int
        Of the first line.

    Examples
    --------
    >>> from graflow_nb.incremental.explain import Reason
    >>> before = {"clean": [Reason("changed", "global", "RATE", "1", "2")]}
    >>> for line in why_lines([Reason("upstream", "", "clean")], before): print(line.depth, line.text)
    0 'clean' before it is out of date
    1 variable 'RATE' changed: 1 → 2
    """
    return list(_lines(reasons, before, depth, set()))


def _lines(reasons: Iterable[Reason], before: Reasons, depth: int, seen: set[object]) -> Iterator[Line]:
    for reason in reasons:
        task = task_before(reason, before)
        known = task or (reason, reason.diff)
        is_told = known in seen and (task is not None or bool(reason.diff))
        yield Line(depth, f"{reason} (see above)") if is_told else _line(reason, depth)
        if task is not None and not is_told:
            seen.add(known)
            yield from _lines(before[task], before, depth + 1, seen)
        seen.add(known)


def task_before(reason: Reason, before: Reasons) -> str | None:
    """Return the task that a reason names, of those whose own reasons are known."""
    if reason.kind == "upstream":
        return reason.name if reason.name in before else None
    if reason.kind != "changed" or reason.part != "input":
        return None
    return next((task for task in before if reason.name == task or reason.name.startswith(f"{task}.")), None)


def _line(reason: Reason, depth: int) -> Line:
    if reason.diff:
        lines = reason.diff.splitlines()
        more = [f"  … and {len(lines) - MOST_LINES} lines more"] if len(lines) > MOST_LINES else []
        return Line(depth, str(reason), [*lines[:MOST_LINES], *more])
    is_long = reason.kind == "changed" and len(reason.old) + len(reason.new) > LONGEST
    if is_long and reason.old != reason.new:
        return Line(depth, str(replace(reason, old="", new="")), [f"- {reason.old}", f"+ {reason.new}"])
    return Line(depth, str(reason))


def roots(reasons: Sequence[Reason], before: Reasons) -> list[str]:
    """Return what started it, a line for each: the reasons that name no task before it, with whose they are.

    Examples
    --------
    >>> from graflow_nb.incremental.explain import Reason
    >>> stale = {"clean": [Reason("changed", "code")], "fit": [Reason("upstream", "", "clean")]}
    >>> roots([Reason("upstream", "", "fit")], stale)
    ["'clean' before it: its code changed"]
    """
    found: dict[str, list[str]] = {}
    todo, seen = [("", reason) for reason in reversed(reasons)], set()
    while todo:
        owner, reason = todo.pop()
        task = task_before(reason, before)
        if task is None:
            found.setdefault(str(reason), []).append(owner)
        elif task not in seen:
            seen.add(task)
            todo += [(task, earlier) for earlier in reversed(before[task])]
    return [
        reason if "" in owners else f"{_listed(owners)} before it: {reason}" for reason, owners in found.items()
    ]


def _listed(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names[:MOST_NAMED]]
    shown += [f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def why_text(lines: Iterable[Line]) -> str:
    """Return lines as plain text."""
    return "\n".join(clean(text) for line in lines for text in _as_text(line))


def _as_text(line: Line) -> Iterator[str]:
    indent = "  " * line.depth
    yield f"{indent}{' '.join(line.text.split())}"
    yield from (f"{indent}    {there}" for there in line.diff)


def why_html(lines: Iterable[Line]) -> str:
    """Return lines as HTML."""
    return "".join(map(_as_html, lines))


def _as_html(line: Line) -> str:
    edge = "border-left:2px solid rgba(128,128,128,.35);padding-left:8px;" if line.depth else ""
    diff = "".join(map(_diff_html, line.diff))
    code = f'<pre style="{_CODE}"><span style="{_WIDE}">{diff}</span></pre>' if diff else ""
    return f'<div style="{edge}margin:2px 0 2px {1.4 * line.depth:g}em">{escaped(line.text)}{code}</div>'


def _diff_html(line: str) -> str:
    paint = f' style="display:block;{_PAINT.get(line[:1], "")}"'
    return f"<span{paint}>{escaped(line) or ' '}</span>"
