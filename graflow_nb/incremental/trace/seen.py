"""What one task does to one file."""

from __future__ import annotations

import os
import stat
import time

from graflow_nb.incremental.entry import Used
from graflow_nb.incremental.files import ABSENT, content_digest, state_of

_SETTLED = 2_000_000_000  # ns: a file younger than that may change again and keep its times


class SeenFile:
    """What a task did to one file.

    Attributes
    ----------
    name : str
        Absolute.
    before : tuple of int
        Its status at first sight; () if it was absent.
    asked : Used or None
        The answer to whether it exists, or how large and old it is.
    content : bytes or None
        What was in it before the task changed it, if that matters.
    is_read, is_written : bool
    is_added_to : bool
        Written, and what had been in it stayed there and is not known.
    is_read_back : bool
        Read after it was written.
    is_asked : bool
        The task's own code asked.
    has_changed : bool
        Somebody else changed it between the task's reading and writing it.
    """

    __slots__ = (
        "asked",
        "at_write",
        "before",
        "content",
        "has_changed",
        "is_added_to",
        "is_asked",
        "is_database",
        "is_folder",
        "is_read",
        "is_read_back",
        "is_written",
        "name",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.before, self.is_folder = look(name)
        self.at_write: tuple[int, ...] = ()
        self.content: bytes | None = None
        self.asked: Used | None = None
        self.is_read = self.is_written = self.is_added_to = self.is_read_back = False
        self.has_changed = self.is_database = self.is_asked = False

    def read(self) -> None:
        """Note that it is about to be read."""
        if self.is_written:
            self.is_read_back = True
        elif not self.is_read:
            self.is_read = True
            if self.before and not is_settled(self.before):
                self.content = content_digest(self.name)  # its status would not show a change

    def change(self, *, reads: bool, whole: bool) -> None:
        """Note that it is about to be changed."""
        if self.is_written:
            self.is_read_back |= reads
            self.is_added_to &= not whole or self.is_read_back
            return
        self.at_write = state_of(self.name)
        if self.is_read or (reads and self.at_write):
            self.take()
        else:
            self.is_added_to = not whole
        self.is_written = True

    def take(self) -> None:
        """Keep what is in it now: it was read, or will be."""
        now = content_digest(self.name)
        if self.content is not None:
            self.has_changed |= now != self.content
        elif self.is_read:
            self.has_changed |= state_of(self.name) != self.before
        self.content = self.content or now
        self.is_read = True

    def as_input(self) -> Used:
        """Return it as it was read."""
        if self.is_written:
            return Used("file", self.name, self.content or ABSENT, (), "absent" if not self.content else "")
        return used_file(self.name)


def as_output(name: str) -> Used:
    """Return a file that the task wrote: it must be there, whatever is in it."""
    return Used("output", name, b"", (), "written")


def look(name: str) -> tuple[tuple[int, ...], bool]:
    """Return a path's status, () if it is absent, and whether it is a folder."""
    try:
        found = os.stat(name)  # noqa: PTH116 - a third of the time
    except (OSError, ValueError):
        return (), False
    state = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return state, stat.S_ISDIR(found.st_mode)


def is_settled(state: tuple[int, ...]) -> bool:
    """Whether any later change of a file would show in its status."""
    return bool(state) and time.time_ns() - max(state[3:]) > _SETTLED


def used_file(name: str) -> Used:
    """Return a file, or a folder with all that is in it, as it is now."""
    state, is_folder = look(name)
    if not state:
        return Used("file", name, ABSENT, (), "absent")
    trusted = state if is_settled(state) and not is_folder else ()
    return Used("file", name, content_digest(name), trusted, "" if is_folder else describe(state))


def describe(state: tuple[int, ...]) -> str:
    """Return size and time of a file, for people."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(state[3] // 1_000_000_000))
    return f"{state[2]:,} bytes, {when}"
