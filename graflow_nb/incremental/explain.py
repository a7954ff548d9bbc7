"""Why a task runs, or need not: reasons as data, and as words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from graflow_nb.incremental.reads import Part

Kind: TypeAlias = Literal[
    "reused",
    "new",
    "changed",
    "added",
    "removed",
    "unknown",
    "forced",
    "handed out",
    "off",
    "cancelled",
    "failed",
    "not kept",
    "spoiled",
    "upstream",
]

_WORDS: dict[Kind, str] = {
    "reused": "nothing it depends on changed",
    "new": "there is no result of it yet",
    "changed": "{what} changed{shown}",
    "added": "it now reads {what}",
    "removed": "it no longer reads {what}",
    "unknown": "{what} ({new}) cannot be compared",
    "forced": "it was asked for",
    "handed out": "a task that reads its result runs again, and whether it was changed meanwhile cannot be seen",
    "off": "its option cache is off",
    "cancelled": "its last run was cancelled",
    "failed": "its last run failed: {name}",
    "not kept": "its last result was not kept: {name}",
    "spoiled": "its stored result was changed in place",
    "upstream": "{name!r} before it is out of date",
}

_WHAT = {
    "code": "its code",
    "function": "function {name!r}",
    "class": "class {name!r}",
    "global": "variable {name!r}",
    "default": "a default of {name!r}",
    "file": "file {name!r}",
    "module": "package {name!r}",
    "argument": "argument {name!r}",
    "input": "the result of {name!r}",
    "task": "the task itself",
    "context": "parameter {name!r}",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason.

    Attributes
    ----------
    kind : str
        "reused", "new", "changed", "added", "removed", "unknown" (something cannot be compared), "forced",
        "off", "cancelled", "failed", "not kept", "spoiled" or "upstream".
    part : str
        What kind of thing: "code", "function", "class", "global", "argument", "input", …; or "".
    name : str
        Its name.
    old, new : str
        Its values in short, where that says something.

    Examples
    --------
    >>> str(Reason("changed", "global", "RATE", "0.1", "0.2"))
    "variable 'RATE' changed: 0.1 → 0.2"
    >>> str(Reason("new"))
    'there is no result of it yet'
    """

    kind: Kind
    part: str = ""
    name: str = ""
    old: str = ""
    new: str = ""

    def __str__(self) -> str:
        what = _WHAT.get(self.part, self.part).format(name=self.name)
        shown = f": {self.old} → {self.new}" if self.old != self.new else ""
        return _WORDS[self.kind].format(what=what, name=self.name, new=self.new, shown=shown)


def differences(old: Sequence[Part], new: Sequence[Part]) -> Iterator[Reason]:
    """Give a reason for each part of a key that is not as it was; none if the result still holds."""
    for part in new:
        if part.digest is None:
            yield Reason("unknown", part.kind, part.name, new=part.shown)
    if old == new:
        return
    before, after = grouped(old), grouped(new)
    for thing, parts in after.items():
        was = before.get(thing)
        if was is None:
            yield Reason("added", *thing, new=parts[0].shown)
        elif [part.digest for part in was] != [part.digest for part in parts]:
            yield Reason("changed", *thing, was[0].shown, parts[0].shown)
    for thing in [thing for thing in before if thing not in after]:
        yield Reason("removed", *thing, old=before[thing][0].shown)


def grouped(parts: Iterable[Part]) -> dict[tuple[str, str], list[Part]]:
    """Return the parts of each thing, by its kind and name: two things may be called the same."""
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        groups.setdefault((part.kind, part.name), []).append(part)
    return groups
