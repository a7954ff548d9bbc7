"""What a trap is: a small notebook, a change, and whether the change must make the task `target` run again."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Content = str | bytes | Callable[[Path], object] | None
"""What stands in a file: its text, its bytes, or what writes it. None: there is no such file."""

_CELL = re.compile(r"^# %%\n", re.MULTILINE)
_NOTEBOOK_ONLY = re.compile(r"^%|@task\(|\bbind\(|\bflow\b| >> ", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Trap:
    """A change between two runs of a small notebook, whose last task is `target`.

    Attributes
    ----------
    name : str
    group : str
    cells : str
        The notebook, as a text: a line ``# %%`` begins a new cell.
    edit : tuple of str, optional
        What is replaced in the cells, and by what.
    after : str, optional
        The cells after the change, instead of `edit`.
    files, edits : mapping of str
        What stands beside the notebook (by relative path) in the beginning, and what is different after the change.
    environ, environ_after : mapping of str
        Environment variables, and what is different after the change.
    meanwhile : callable, optional
        Is called with the folder between the runs.
    poke : str
        A cell that runs between the runs, in one kernel only, and that is not part of the notebook.
    then, then_files : str, mapping of str
        A cell, and files, that change in the first kernel after its first run; it runs once more then.
    loaded : bool
        In one kernel, what the code that is loaded gives is right too.
    may_refuse : bool
        In one kernel, the task may say that what it reads is outdated; it must be right when the cells are
        executed again.
    in_kernel, in_processes : bool
        Whether it means something in one kernel; in two processes.
    differs : bool
        Whether the right value after the change differs from that before; else only that it is right is asked.
    runs : bool
        The task has to run again, whatever its value.
    reruns : frozenset of str
        What may run where `target` must not.
    re_execute : bool
        In one kernel, every cell is executed again, not only those that changed.
    one_worker : bool
        The tasks run one after the other.
    is_general : bool
        Whether a cache of functions can be asked the same at all.
    """

    name: str
    group: str = ""
    cells: str
    edit: tuple[str, str] | None = None
    after: str | None = None
    files: Mapping[str, Content] = field(default_factory=dict)
    edits: Mapping[str, Content] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    environ_after: Mapping[str, str] = field(default_factory=dict)
    meanwhile: Callable[[Path], object] | None = None
    poke: str = ""
    then: str = ""
    then_files: Mapping[str, Content] = field(default_factory=dict)
    loaded: bool = False
    may_refuse: bool = False
    in_kernel: bool = True
    in_processes: bool = True
    differs: bool = True
    runs: bool = False
    must_run: bool = True
    reruns: frozenset[str] = frozenset()
    re_execute: bool = False
    one_worker: bool = False
    is_general: bool = True

    @property
    def before_cells(self) -> list[str]:
        return split(self.cells)

    @property
    def after_cells(self) -> list[str]:
        if self.after is not None:
            return split(self.after)
        if self.edit is None:
            return self.before_cells
        old, new = self.edit
        if old not in self.cells:
            raise ValueError(f"trap {self.name!r}: {old!r} is not in its cells")
        return split(self.cells.replace(old, new))

    @property
    def is_plain(self) -> bool:
        """Whether it is about functions only, so that the peers can be asked the same."""
        sources = self.cells + (self.after or "") + "".join(self.edit or ())
        return (
            self.is_general
            and not self.then
            and not self.then_files
            and self.in_processes
            and not self.runs
            and _NOTEBOOK_ONLY.search(sources) is None
        )

    def lay_out(self, folder: Path) -> None:
        """Write the files that stand there in the beginning."""
        for path, content in self.files.items():
            put(folder / path, content)

    def change(self, folder: Path) -> None:
        """Do to the files what happens between the runs."""
        for path, content in self.edits.items():
            put(folder / path, content)
        if self.meanwhile is not None:
            self.meanwhile(folder)


def split(cells: str) -> list[str]:
    """Return the cells of a notebook that is written as a text."""
    return [cell.strip("\n") for cell in _CELL.split(cells) if cell.strip()]


def put(path: Path, content: Content) -> None:
    """Write a file, or take it away."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        path.unlink(missing_ok=True)
    elif callable(content):
        content(path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content)


def keep_time(content: Content) -> Callable[[Path], None]:
    """Return what writes a file and gives it a time of the past, always the same."""

    def write(path: Path) -> None:
        put(path, content)
        os.utime(path, (1_000_000_000, 1_000_000_000))

    return write


def grouped(group: str, *traps: Trap) -> list[Trap]:
    """Return the traps with their group."""
    from dataclasses import replace

    return [replace(trap, group=group) for trap in traps]


def same(name: str, cells: str = "", **others: object) -> Trap:
    """Return a trap in which nothing may run again."""
    return Trap(name=name, cells=cells, must_run=False, differs=False, **others)
