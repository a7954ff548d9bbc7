"""The files and folders that one task reads and writes, as its run goes on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from graflow_nb.incremental.entry import Used
from graflow_nb.incremental.files import ABSENT, content_digest, state_of
from graflow_nb.incremental.trace.folders import files_digest, names_digest
from graflow_nb.incremental.trace.seen import SeenFile, as_output, describe, is_settled, look, used_file
from graflow_nb.incremental.trace.status import existence_digest, status_digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


class SeenFiles:
    """All files and folders of one task's run."""

    __slots__ = ("_by_identity", "_by_name", "_folders", "_links", "_made", "_removed")

    def __init__(self) -> None:
        self._by_name: dict[str, SeenFile] = {}
        self._by_identity: dict[tuple[int, ...], SeenFile] = {}
        self._folders: dict[str, Used] = {}
        self._links: set[str] = set()
        self._made: set[str] = set()
        self._removed: set[str] = set()

    def __iter__(self) -> Iterator[SeenFile]:
        return iter(list(self._by_name.values()))

    def at(self, name: str) -> SeenFile:
        """Return what is known of a file; its status at first sight is taken now."""
        seen = self._by_name.get(name)
        if seen is None:
            seen = self._by_name[name] = SeenFile(name)
            if seen.before:
                self._by_identity.setdefault(seen.before[:2], seen)
        return seen

    def read(self, name: str) -> None:
        """Note that a file is about to be opened for reading."""
        seen = self.at(name)
        if seen.is_folder:
            return
        if not seen.is_read and self._is_own(name):  # it was written natively
            seen.is_written = True
        seen.read()
        if seen.is_read_back and (real := os.path.realpath(name)) != name:  # by a link that the task made
            self.read(real)

    def ask(self, name: str, what: str, *, is_own: bool) -> None:
        """Note that code is about to ask of a file.

        Parameters
        ----------
        name : str
        what : str
            "exists", or "status" for its size and time too.
        is_own : bool
            The task's own code asks, and no library that looks before it writes.
        """
        seen = self.at(name)
        if seen.is_written:
            seen.is_read_back |= what == "status" and is_own
        elif not self._is_own(name) and (seen.asked is None or (what, is_own) > (seen.asked.kind, seen.is_asked)):
            seen.asked = _as_asked(name, what)
            seen.is_asked |= is_own

    def write(self, name: str, *, reads: bool = False, whole: bool = True) -> None:
        """Note that a file is about to be written.

        Parameters
        ----------
        name : str
        reads : bool
            It may be read through the same handle.
        whole : bool
            Nothing of what was in it stays.
        """
        seen = self.at(name)
        if seen.is_folder and os.path.isdir(name):  # noqa: PTH112 - a third of the time
            return
        same = self._by_identity.get(seen.before[:2]) if seen.before else None
        for each in {seen, same or seen}:  # under another name, by a link
            each.change(reads=reads, whole=whole)

    def touch(self, name: str) -> None:
        """Note that a file's status is about to be changed, not its content."""
        seen = self._by_name.get(name)
        if seen is not None and seen.is_read and not seen.is_written:
            seen.take()

    def database(self, name: str) -> None:
        """Note that a file is about to be opened by SQLite, to read it and perhaps to write."""
        seen = self.at(name)
        if not seen.is_written and not seen.is_database and not seen.is_folder:
            seen.is_database = True
            if seen.before:
                seen.take()

    def make(self, folder: str) -> None:
        """Note that a folder is about to be made."""
        seen = self.at(folder)
        if not seen.before:
            self._made.add(folder)
        seen.change(reads=False, whole=True)

    def link(self, name: str) -> None:
        """Note that a symbolic link is about to be made; what it leads to is not the task's own."""
        self._links.add(name)
        self.write(name)

    def remove(self, name: str) -> None:
        """Note that a file is about to be deleted."""
        seen = self.at(name)
        if seen.before and not seen.is_written and not self._is_own(name):
            self._removed.add(name)
        self.write(name)

    def move(self, old: str, new: str) -> None:
        """Note that a file or folder is about to get another name."""
        for seen in self:
            if seen.name.startswith(old + os.sep):
                if seen.is_written:
                    self.at(new + seen.name[len(old) :]).is_written = True
                seen.change(reads=False, whole=True)
        if not self.at(old).is_written and not self.at(old).is_folder:
            self.write(old, reads=True)
        self.write(new)
        self.at(new).is_written = True

    def listed(self, folder: str) -> None:
        """Note that a folder is about to be listed."""
        if folder not in self._folders and not self._is_own(folder):
            state = state_of(folder)
            digest = names_digest(folder)
            self._folders[folder] = Used("folder", folder, digest, state if is_settled(state) else ())

    def is_looked_into(self, folder: str) -> bool:
        """Whether the task read, wrote or listed anything in a folder or below."""
        below = folder.rstrip(os.sep) + os.sep
        names = [seen.name for seen in self if seen.is_read or seen.is_written]
        return folder in self._folders or any(name.startswith(below) for name in (*names, *self._folders))

    def used(self, written_last: Collection[str], against: list[str]) -> Iterator[Used]:
        """Yield all that was used, and add to `against` what does not allow to tell.

        Parameters
        ----------
        written_last : collection of str
            What the task wrote in its last run.
        against : list of str
            Gets the reasons.
        """
        for seen in self:
            if seen.is_database and _has_changed(seen, state_of(seen.name)):
                seen.is_written = True
        own = {state_of(seen.name)[:2] for seen in self if seen.is_written and seen.name not in self._links}
        for seen in self:
            yield from self._used_file(seen, own, written_last, against)
        for folder in self._folders.values():
            yield folder
            yield from self._unsure(folder)

    def _used_file(
        self, seen: SeenFile, own: set[tuple[int, ...]], written_last: Collection[str], against: list[str]
    ) -> Iterator[Used]:
        now = state_of(seen.name)
        if seen.is_read and not seen.is_written:
            if now and now[:2] in own:  # under another name, by a link
                yield as_output(seen.name)
                return
            seen.has_changed = _has_changed(seen, now)
            if seen.has_changed and (not seen.before or seen.name in written_last):
                yield as_output(seen.name)
        if seen.has_changed:
            against.append(f"file {seen.name!r} changed while it ran")
        yield from _as_input(seen, now, against)
        if seen.is_written and now:
            yield as_output(seen.name)
        elif seen.name in self._removed and not seen.is_read:
            yield Used("file", seen.name, ABSENT, (), "absent")
        yield from _answers(seen, now)

    def _unsure(self, folder: Used) -> Iterator[Used]:
        """Yield the status of a listed folder's files if none was opened: a native reader may have read them."""
        start = folder.name.rstrip(os.sep) + os.sep
        if any(os.path.dirname(seen.name) + os.sep == start for seen in self if seen.is_read or seen.is_written):  # noqa: PTH120
            return
        digest = files_digest(folder.name)
        if digest and digest != ABSENT:
            yield Used("files", folder.name, digest)

    def _is_own(self, name: str) -> bool:
        return any(name == made or name.startswith(made + os.sep) for made in self._made)


def _has_changed(seen: SeenFile, now: tuple[int, ...]) -> bool:
    if seen.content is not None:
        return content_digest(seen.name) != seen.content
    return now != seen.before


def _as_input(seen: SeenFile, now: tuple[int, ...], against: list[str]) -> Iterator[Used]:
    if seen.is_read:
        yield seen.as_input()
    elif seen.is_read_back and now and now == seen.at_write:  # writing it failed
        yield used_file(seen.name)
    elif seen.is_read_back and seen.is_added_to and (seen.at_write or now):
        against.append(f"it read file {seen.name!r} after adding to it, and what was there before is not known")


def _as_asked(name: str, what: str) -> Used:
    digest = existence_digest(name) if what == "exists" else status_digest(name)
    return Used(what, name, digest, (), "absent" if digest == ABSENT else describe(state_of(name)))


def _answers(seen: SeenFile, now: tuple[int, ...]) -> Iterator[Used]:
    if seen.asked is None:
        return
    if seen.asked.digest == ABSENT and now:
        if not seen.is_written:  # it was made natively
            yield as_output(seen.name)
        if seen.is_asked and not look(seen.name)[1]:  # a folder is the same whoever makes it
            yield seen.asked
        return
    is_known_better = seen.is_read and seen.asked.kind == "exists"
    is_library_s = not seen.is_asked and (seen.is_read or seen.is_written)
    if not is_known_better and not is_library_s:
        yield seen.asked
