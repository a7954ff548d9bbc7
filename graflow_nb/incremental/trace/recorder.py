"""What a task was seen to use while it ran, and whether that still holds."""

from __future__ import annotations

import os
import sys
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import unquote

from graflow_nb.incremental.entry import Used
from graflow_nb.incremental.files import state_of
from graflow_nb.incremental.trace.activity import SeenFiles
from graflow_nb.incremental.trace.audit import LISTENER, REACHES, STARTS, unheard
from graflow_nb.incremental.trace.counted import (
    absolute,
    counts,
    inside,
    is_listed_by_machinery,
    is_read_by_machinery,
    is_relative,
)
from graflow_nb.incremental.trace.declared import Inputs, Literals
from graflow_nb.incremental.trace.environment import Variables, reader, used_variable
from graflow_nb.incremental.trace.folders import files_digest, matches_digest, names_digest, tree_digest
from graflow_nb.incremental.trace.outside import network, program, starts_process
from graflow_nb.incremental.trace.seen import used_file
from graflow_nb.incremental.trace.status import asks_for_current_folder, existence_digest, question, status_digest
from graflow_nb.incremental.trace.watch import close_watch, open_watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType


_TEMPORARY = getattr(os, "O_TMPFILE", 0)
_ONE_PATH = frozenset({"open", "os.listdir", "os.scandir", "os.stat"})
_PATHS_IN_FOLDERS = {"os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2}
"""How many paths an event has. A folder that they are relative to follows: -1 is the current one."""
_NO_FILE = ("", ":memory:")


class Observed(NamedTuple):
    """What a run was seen to use.

    Attributes
    ----------
    used : tuple of Used
    against : tuple of str
        Why its result must not be kept, if so.
    marks : tuple of str
        What it used of the outside world, which nobody can look at again.
    """

    used: tuple[Used, ...]
    against: tuple[str, ...]
    marks: tuple[str, ...]


class Broken(NamedTuple):
    """One thing that a run used and that is no longer as it was.

    Attributes
    ----------
    kind, name : str
        As in `Used`.
    old, new : str
        What it was and is, in short.
    """

    kind: str
    name: str
    old: str
    new: str


class Recorder:
    """Sees what one call of a task uses, from any of its threads.

    Parameters
    ----------
    literals : sequence of str or path-like
        Texts and arguments that may name files. Libraries that read natively do so unseen.
    inputs : sequence of str
        Files, folders and patterns that the user declares. With them, other programs may be started.
    before : sequence of Used
        What the task's last run used: it tells what the task writes.
    """

    __slots__ = (
        "_against", "_before", "_current", "_declared", "_files", "_inputs", "_is_open", "_literals", "_lock",
        "_marks", "_named", "_variables",
    )  # fmt: skip

    def __init__(
        self,
        *,
        literals: Sequence[str | os.PathLike[Any]] = (),
        inputs: Sequence[str] = (),
        before: Sequence[Used] = (),
    ) -> None:
        self._named, self._declared, self._before = literals, inputs, before
        self._lock = RLock()
        self._is_open = False
        self._current: str | None = None
        self._files: SeenFiles | None = None
        self._variables: Variables | None = None
        self._literals: Literals | None = None
        self._inputs: Inputs | None = None
        self._against: list[str] = []
        self._marks: dict[str, None] = {}

    def begin(self) -> None:
        """Watch the code that runs in this context from now on, and the threads that it starts."""
        if self._named or self._declared:
            with unheard():
                self._literals = Literals(self._seen_files(), self._named)
                self._inputs = Inputs(self._declared)
        open_watch()
        self._is_open = True
        LISTENER.set(self)

    def end(self) -> Observed:
        """Watch no longer; return what was seen."""
        LISTENER.set(None)
        close_watch()
        if (
            self._current is None
            and self._files is None
            and self._variables is None
            and not self._marks
            and not self._against
        ):
            self._is_open = False
            return NOTHING
        with self._lock:  # a thread of the task's may go on
            self._is_open = False
            used = tuple(dict.fromkeys(self._used()))
        return Observed(used, tuple(dict.fromkeys(self._against)), tuple(self._marks))

    def heard(self, event: str, args: tuple[Any, ...]) -> None:
        """Take one audit event of the task's code, before it happens."""
        if not self._is_open:
            return
        token = LISTENER.set(None)  # what is done here is not the task's doing
        try:
            frame = reader() if event.startswith("os.environ") else sys._getframe(2)  # noqa: SLF001
            with self._lock:
                if self._is_open:
                    if self._current is None and _is_relative(event, args):
                        self._current = os.getcwd()  # noqa: PTH109 - a third of the time
                    self._HEARD[event](self, event, args, frame)
        except Exception as error:  # the user's own call would fail
            self._against.append(f"what it used could not be seen: {type(error).__name__} at {event}")
        finally:
            LISTENER.reset(token)

    def _used(self) -> Iterator[Used]:
        current = self._current
        if current is None and self._literals is not None and self._literals.are_relative:
            current = os.getcwd()  # noqa: PTH109 - a third of the time
        if current is not None:
            yield Used("cwd", current, b"", (), current)
        written_last = {used.name for used in self._before if used.kind == "output"}
        if self._inputs is not None:
            yield from self._inputs.used(self._seen_files(), self._against)
        if self._files is not None:
            yield from self._files.used(written_last, self._against)
        if self._literals is not None:
            yield from self._literals.used(written_last, self._against, may_be_blind=bool(self._declared))
        if self._variables is not None:
            yield from self._variables.used()

    def _seen_files(self) -> SeenFiles:
        if self._files is None:
            self._files = SeenFiles()
        return self._files

    def _seen_variables(self) -> Variables:
        if self._variables is None:
            self._variables = Variables()
        return self._variables

    def _opened(self, _: str, args: tuple[Any, ...], frame: FrameType | None) -> None:
        path, mode, flags = args
        if isinstance(path, int):
            if starts_process(frame):
                self._cannot_see("another process")
            return
        name = absolute(path)
        if name is None or (_TEMPORARY and flags & _TEMPORARY == _TEMPORARY) or not self._counts(name):
            return
        if mode is None and frame is not None and frame.f_code.co_filename.endswith(("shutil.py", "<frozen os>")):
            return  # a folder, given relative to another one
        only_reads = not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        if only_reads or not (flags & os.O_CREAT or state_of(name)):  # what is absent stays so
            if not is_read_by_machinery(frame, name):
                self._seen_files().read(name)
            return
        whole = bool(flags & (os.O_TRUNC | os.O_EXCL))
        self._seen_files().write(name, reads=bool(flags & os.O_RDWR) and not whole, whole=whole)

    def _at_current_folder(self, _: str, __: tuple[Any, ...], frame: FrameType | None) -> None:
        if self._current is None and asks_for_current_folder(frame):
            self._current = os.getcwd()  # noqa: PTH109 - as above

    def _asked(self, _: str, args: tuple[Any, ...], frame: FrameType | None) -> None:
        name = None if isinstance(args[0], int) else absolute(args[0])
        what, is_own = question(name, frame) if name is not None and counts(name) else ("", False)
        if name is not None and what:
            self._seen_files().ask(name, what, is_own=is_own)

    def _listed(self, _: str, args: tuple[Any, ...], frame: FrameType | None) -> None:
        name = absolute(args[0])
        if name is not None and counts(name) and not is_listed_by_machinery(frame):
            self._seen_files().listed(name)

    def _connected(self, _: str, args: tuple[Any, ...], __: FrameType | None) -> None:
        text = os.fsdecode(args[0])
        if text.startswith("file:"):
            text, _, options = unquote(text.removeprefix("file:")).partition("?")
            text = "" if "mode=memory" in options else text.removeprefix("//")
        name = absolute(text)
        if text not in _NO_FILE and name is not None and counts(name):
            if is_relative(text) and self._current is None:
                self._current = os.getcwd()  # noqa: PTH109 - as above
            self._seen_files().database(name)
            if state_of(f"{name}-wal"):
                self._seen_files().database(f"{name}-wal")

    def _moved(self, _: str, args: tuple[Any, ...], __: FrameType | None) -> None:
        old, new = inside(args[0], args[2]), inside(args[1], args[3])
        if old is not None and new is not None and (counts(old) or counts(new)):
            self._seen_files().move(old, new)

    def _linked(self, event: str, args: tuple[Any, ...], __: FrameType | None) -> None:
        new = inside(args[1], args[-1])
        if event == "os.link" and (old := inside(args[0], args[2])) is not None and counts(old):
            self._seen_files().read(old)
        if new is not None and counts(new):
            files = self._seen_files()
            (files.write if event == "os.link" else files.link)(new)

    def _removed(self, _: str, args: tuple[Any, ...], __: FrameType | None) -> None:
        name = inside(*args[:2])
        if name is not None and counts(name):
            self._seen_files().remove(name)

    def _made(self, _: str, args: tuple[Any, ...], __: FrameType | None) -> None:
        name = inside(args[0], args[2])
        if name is not None and counts(name):
            self._seen_files().make(name)

    def _truncated(self, _: str, args: tuple[Any, ...], __: FrameType | None) -> None:
        name = None if isinstance(args[0], int) else absolute(args[0])
        if name is not None and counts(name):
            self._seen_files().write(name, whole=args[1] == 0)

    def _touched(self, _: str, args: tuple[Any, ...], __: FrameType | None) -> None:
        name = None if isinstance(args[0], int) else absolute(args[0])
        if name is not None and self._files is not None:
            self._files.touch(name)

    def _started(self, event: str, args: tuple[Any, ...], __: FrameType | None) -> None:
        started = program(event, args)
        if started is not None:
            self._cannot_see(started)

    def _cannot_see(self, started: str) -> None:
        if not self._declared:
            self._against.append(f"it started {started}, whose reads cannot be seen: declare them with inputs=[…]")

    def _reached(self, event: str, args: tuple[Any, ...], __: FrameType | None) -> None:
        used = network(event, args)
        if used is not None:
            self._marks[used] = None

    def _counts(self, name: str) -> bool:
        if name in {"/dev/random", "/dev/urandom"}:
            self._marks["random numbers of the system"] = None
        return counts(name)

    def _read_variable(self, _: str, args: tuple[Any, ...], frame: FrameType | None) -> None:
        self._seen_variables().read(os.fsdecode(args[0]), frame)

    def _walked_variables(self, _: str, __: tuple[Any, ...], frame: FrameType | None) -> None:
        self._seen_variables().walked(frame)

    def _set_variable(self, _: str, args: tuple[Any, ...], __: FrameType | None) -> None:
        self._seen_variables().set(os.fsdecode(args[0]))

    _HEARD: ClassVar[dict[str, Callable[[Recorder, str, tuple[Any, ...], FrameType | None], None]]] = {
        "open": _opened,
        "sqlite3.connect": _connected,
        "os.rename": _moved,
        "os.mkdir": _made,
        "os.truncate": _truncated,
        "os.stat": _asked,
        **dict.fromkeys(("os.chdir", "os.getcwd"), _at_current_folder),
        "pool": _started,
        "os.environ.read": _read_variable,
        "os.environ.walk": _walked_variables,
        "os.environ.set": _set_variable,
        **dict.fromkeys(("os.listdir", "os.scandir"), _listed),
        **dict.fromkeys(("os.link", "os.symlink"), _linked),
        **dict.fromkeys(("os.remove", "os.rmdir"), _removed),
        **dict.fromkeys(("os.chmod", "os.chown", "os.utime"), _touched),
        **dict.fromkeys(STARTS, _started),
        **dict.fromkeys(REACHES, _reached),
    }


NOTHING = Observed((), (), ())


def broken(trace: Sequence[Used]) -> Iterator[Broken]:
    """Yield what no longer holds of what a run used; nothing if all of it does.

    Parameters
    ----------
    trace : sequence of Used
        Kinds that are not of this module are passed over.
    """
    for used in trace:
        look = _LOOKS.get(used.kind)
        if look is not None and (used.state == () or state_of(used.name) != used.state):
            with unheard():
                now = look(used)
            if now is not None:
                yield Broken(used.kind, used.name, used.shown, now)


def _is_relative(event: str, args: tuple[Any, ...]) -> bool:
    """Whether an event has to do with the current folder."""
    if event in _ONE_PATH:
        paths = args[:1]
    elif -1 in args:
        paths = args[: _PATHS_IN_FOLDERS.get(event, 0)]
    else:
        return False
    return any(is_relative(path) and counts(absolute(path) or "") for path in paths)


def _look_at_file(used: Used) -> str | None:
    now = used_file(used.name)
    return None if now.digest == used.digest else now.shown


def _look_at_output(used: Used) -> str | None:
    return None if state_of(used.name) else "absent"


def _look_at_variable(used: Used) -> str | None:
    now = used_variable(used.name)
    return None if now.digest == used.digest else now.shown


def _compared(digest: Callable[[str], bytes | None], words: str) -> Callable[[Used], str | None]:
    return lambda used: None if digest(used.name) == used.digest else words


def _look_at_current(used: Used) -> str | None:
    now = os.getcwd()  # noqa: PTH109 - a third of the time
    return None if now == used.name else now


_LOOKS: dict[str, Callable[[Used], str | None]] = {
    "file": _look_at_file,
    "cwd": _look_at_current,
    "output": _look_at_output,
    "environment": _look_at_variable,
    "exists": _compared(existence_digest, "there is another"),
    "status": _compared(status_digest, "another size or time"),
    "folder": _compared(names_digest, "other names in it"),
    "files": _compared(files_digest, "files in it changed"),
    "tree": _compared(tree_digest, "files below it changed"),
    "glob": _compared(matches_digest, "other files match"),
}
