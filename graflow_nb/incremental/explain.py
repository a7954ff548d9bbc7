"""Why a task runs, or need not: reasons as data, and as words."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import unified_diff
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from graflow_nb.incremental.code.reads import Part

Kind: TypeAlias = Literal[
    "reused",
    "new",
    "changed",
    "added",
    "removed",
    "unknown",
    "forced",
    "expired",
    "outdated",
    "elsewhere",
    "lost",
    "accepted",
    "marked",
    "handed out",
    "off",
    "cancelled",
    "failed",
    "not kept",
    "spoiled",
    "upstream",
    "undecided",
]

_WORDS: dict[Kind, str] = {
    "reused": "nothing it depends on changed",
    "new": "there is no result of it yet",
    "changed": "{what} changed{shown}",
    "added": "it now reads {what}",
    "removed": "it no longer reads {what}",
    "unknown": "{what} ({new}) cannot be compared",
    "forced": "it was asked for",
    "expired": "it is older than {name} s (max_age)",
    "outdated": "{name}",
    "elsewhere": "what it read has no content, and was made in another session",
    "lost": "a task that reads its result runs again, and it is not there any more: {name}",
    "accepted": "its result was accepted as it is",
    "marked": "it used {name}",
    "handed out": "a task that reads its result runs again, and whether it was changed meanwhile cannot be seen",
    "off": "its option cache is off",
    "cancelled": "its last run was cancelled",
    "failed": "its last run failed: {name}",
    "not kept": "its last result was not kept: {name}",
    "spoiled": "its stored result was changed in place",
    "upstream": "{name!r} before it is out of date",
    "undecided": "its condition has to be asked",
}

_WHAT = {
    "code": "its code",
    "function": "function {name!r}",
    "class": "class {name!r}",
    "global": "variable {name!r}",
    "default": "a default of {name!r}",
    "file": "file {name!r}",
    "exists": "whether {name!r} is there",
    "status": "size or time of {name!r}",
    "folder": "what is in folder {name!r}",
    "files": "a file in folder {name!r}",
    "tree": "something below folder {name!r}",
    "glob": "what {name!r} matches",
    "cwd": "the current folder",
    "setting": "setting {name!r}",
    "output": "its output {name!r}",
    "environment": "environment variable {name!r}",
    "seed": "the workflow's seed",
    "result": "the result of {name!r}, which it asked for",
    "channel": "channel key {name!r}",
    "channel key": "whether the channel has {name!r}",
    "channel list": "whether channel key {name!r} can be added to",
    "channel keys": "which keys the channel has",
    "round": "how many times it was to run",
    "cycle": "which call it is in the run",
    "max_cycles": "its max_cycles",
    "version": "its version",
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
        "off", "cancelled", "failed", "not kept", "spoiled", "upstream" or "outdated" (a plain cell made what it
        reads from an older result).
    part : str
        What kind of thing: "code", "function", "class", "global", "argument", "input", …; or "".
    name : str
        Its name.
    old, new : str
        Its values in short, where that says something.
    diff : str
        The lines of code that changed.

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
    diff: str = field(default="", compare=False)

    def __str__(self) -> str:
        what = _WHAT.get(self.part, self.part).format(name=self.name)
        shown = f": {self.old} → {self.new}" if self.old != self.new else ""
        return _WORDS[self.kind].format(what=what, name=self.name, new=self.new, shown=shown)


def differences(
    old: Sequence[Part],
    new: Sequence[Part],
    old_sources: Mapping[str, str] = MappingProxyType({}),
    new_sources: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Reason]:
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
            sources = [
                there.get(thing[1], "") if thing[0] in _CODE else "" for there in (old_sources, new_sources)
            ]
            yield Reason("changed", *thing, was[0].shown, parts[0].shown, changed_lines(*sources))
    for thing in [thing for thing in before if thing not in after]:
        yield Reason("removed", *thing, old=before[thing][0].shown)


_CODE = frozenset({"code", "function"})


def changed_lines(old: str, new: str) -> str:
    r"""Return what changed between two sources, a line for a line: ``-`` before what went, ``+`` what came.

    Examples
    --------
    >>> print(changed_lines("def f(x):\n    return x", "def f(x):\n    return 2 * x"))
      def f(x):
    -     return x
    +     return 2 * x
    """
    if not old or not new:
        return ""
    lines = unified_diff(old.splitlines(), new.splitlines(), n=1, lineterm="")
    kept = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return "\n".join(f"{line[0]} {line[1:]}".rstrip() for line in kept)


def grouped(parts: Iterable[Part]) -> dict[tuple[str, str], list[Part]]:
    """Return the parts of each thing, by its kind and name: two things may be called the same."""
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        groups.setdefault((part.kind, part.name), []).append(part)
    return groups
