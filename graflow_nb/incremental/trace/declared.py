"""Files that a task names: in its code and arguments, or because the user declares them."""

from __future__ import annotations

import os
import re
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graflow_nb.incremental.entry import Used
from graflow_nb.incremental.files import content_digest, state_of
from graflow_nb.incremental.trace.counted import absolute, counts, is_everywhere, is_relative
from graflow_nb.incremental.trace.folders import MOST, matches, matches_digest, tree_digest
from graflow_nb.incremental.trace.seen import as_output, used_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from graflow_nb.incremental.trace.activity import SeenFiles
    from graflow_nb.incremental.trace.seen import SeenFile


_SUFFIX = re.compile(r"\.\w+$")


class Literals:
    """Paths in code and arguments: what exists may be read natively, and unseen.

    Parameters
    ----------
    files : SeenFiles
    named : sequence of str or path-like

    Attributes
    ----------
    are_relative : bool
        One that exists is relative to the current folder.
    """

    __slots__ = ("_files", "_named", "_patterns", "_trees", "are_relative")

    def __init__(self, files: SeenFiles, named: Sequence[str | os.PathLike[Any]]) -> None:
        self._files = files
        names = dict.fromkeys(name for path in named if (name := _named(path)) is not None)
        bases = {name: base for name in names if (base := _base(name)) is not None}
        self._patterns = {base: Inputs([name]) for name, base in bases.items()}
        self._named = [files.at(name) for name in names if name not in bases]
        self.are_relative = any(is_relative(path) and _exists(path) for path in named)
        folders = [seen.name for seen in self._named if seen.is_folder]
        self._trees = {name: tree_digest(name) for name in folders if not is_everywhere(name)}

    def used(self, written_last: Collection[str], against: list[str], *, may_be_blind: bool) -> Iterator[Used]:
        """Yield those that nothing was seen of; the others are known better.

        Parameters
        ----------
        written_last : collection of str
            What the task wrote in its last run.
        against : list of str
            Gets the reasons that do not allow to tell.
        may_be_blind : bool
            The user has declared what counts.
        """
        for base, pattern in self._patterns.items():
            if not self._files.is_looked_into(base):
                yield from pattern.used(self._files, against)
        for seen in self._named:
            if seen.is_read or seen.is_written:
                continue
            now = state_of(seen.name)
            if seen.is_folder and now:
                yield from self._used_folder(seen, written_last, against, may_be_blind=may_be_blind)
            elif now == seen.before:
                yield used_file(seen.name)
            else:
                yield from _written(seen, written_last, against)

    def _used_folder(
        self, seen: SeenFile, written_last: Collection[str], against: list[str], *, may_be_blind: bool
    ) -> Iterator[Used]:
        name = seen.name
        if name not in self._trees or self._files.is_looked_into(name):
            return
        before, now = self._trees[name], tree_digest(name)
        if before is None or now is None:
            if not may_be_blind:
                against.append(f"folder {name!r} has over {MOST:,} files: declare what it reads, inputs=[…]")
        elif before == now:
            yield Used("tree", name, now)
        else:
            yield from _written(seen, written_last, against)


class Inputs:
    """What the user says that a task reads.

    Parameters
    ----------
    declared : sequence of str
        Files, folders (with all that is in them) and patterns.
    """

    __slots__ = ("_contents", "_patterns")

    def __init__(self, declared: Sequence[str]) -> None:
        names = [absolute(Path(text).expanduser()) or text for text in declared]
        self._patterns = {name: matches_digest(name) for name in names if has_magic(name) and not state_of(name)}
        files = [name for name in names if name not in self._patterns]
        files += [file for pattern in self._patterns for file in matches(pattern)]
        self._contents = {name: content_digest(name) for name in files}

    def used(self, files: SeenFiles, against: list[str]) -> Iterator[Used]:
        """Yield them as they were before the run; add to `against` those that changed meanwhile."""
        written = {seen.name for seen in files if seen.is_written}
        for pattern, before in self._patterns.items():
            yield Used("glob", pattern, before, (), "the files that match")
            if matches_digest(pattern) != before:
                against.append(f"other files match {pattern!r} than before it ran")
        for name, before in self._contents.items():
            now = used_file(name)
            if now.digest == before:
                yield now
                continue
            yield now._replace(digest=before, state=())
            if name not in written:
                against.append(f"file {name!r} changed while it ran")


def _named(path: str | os.PathLike[Any]) -> str | None:
    text = os.fsdecode(path)
    if "://" in text or "\0" in text:
        return None
    try:
        name = absolute(os.path.expanduser(text))  # noqa: PTH111 - a fifth of the time, and done for every text
    except FileNotFoundError:  # the current folder is gone, and all that is relative to it
        return None
    return name if name is not None and counts(name) else None


def _exists(path: str | os.PathLike[Any]) -> bool:
    return bool(state_of(path)) and not is_everywhere(absolute(path) or "")


def _base(name: str) -> str | None:
    """Return the folder that a pattern for a native reader starts from; None if it is no pattern."""
    folder, last = os.path.split(name)
    if not has_magic(name) or has_magic(folder) or state_of(name) or not _SUFFIX.search(last):
        return None
    return folder if state_of(folder) else None


def _written(seen: SeenFile, written_last: Collection[str], against: list[str]) -> Iterator[Used]:
    """Say of a file that changed unseen that the task wrote it, if that is sure."""
    if seen.before and seen.name not in written_last:
        against.append(f"file {seen.name!r} changed while it ran")
    yield as_output(seen.name)
