"""The folder and the index of a disk store, with nothing that can go wrong there raised.

What cannot be read is not there, what cannot be written is not kept, and the user is told.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, TypeVar

from graflow_nb.incremental.store.folder import Folder, NotOurs
from graflow_nb.incremental.store.index import Index, is_busy, is_damage
from graflow_nb.incremental.store.signing import Signer, user_signer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_T = TypeVar("_T")

TROUBLE = (sqlite3.Error, OSError, ValueError)
"""What the disk does to us; ValueError: text or an integer that SQLite does not take."""
_MEMORY_ONLY = "results are kept in memory only"


class Disk:
    """A folder and its index, as long as they can be used.

    Parameters
    ----------
    folder : Path
    tell : callable
        Is given each line for the user.
    timeout : float
        Seconds to wait for another process.

    Attributes
    ----------
    files : Folder or None
    index : Index or None
        None: it cannot be used, which was said.
    signer : Signer
    """

    def __init__(self, folder: Path, tell: Callable[[str], None], timeout: float) -> None:
        self._folder = folder
        self._tell = tell
        self._timeout = timeout
        self._said: set[str] = set()
        self.files: Folder | None = None
        self.index: Index | None = None
        self._open()

    def ask(self, action: Callable[[Index], _T], otherwise: Callable[[], _T]) -> _T:
        """Return what the index answers, or something else if it cannot."""
        index = self.index
        if index is None:
            return otherwise()
        try:
            return action(index)
        except TROUBLE as error:
            self.explain(error)
            return otherwise()

    def remove(self, action: Callable[[Index], list[bytes]]) -> None:
        """Remove rows, and the files whose tokens the index answers."""
        tokens = self.ask(action, list[bytes])
        if self.files is not None:
            self.files.remove_values(tokens)

    def tidy(self) -> int:
        """Remove what killed processes left; return how many files that were."""
        files = self.files
        return self.ask(lambda index: _tidy(files, index), int) if files is not None else 0

    def explain(self, error: Exception) -> None:
        """Say what went wrong, and see that it does not stand in the way again and again."""
        if isinstance(error, sqlite3.Error) and is_damage(error):
            self._renew()
        elif isinstance(error, sqlite3.Error) and is_busy(error):
            self.say(f"Another process holds the cache in {self._folder}: until it lets go, {_MEMORY_ONLY}.")
            self.ask(Index.hurry, _nothing)
        else:
            self._give_reason(error)

    def say(self, line: str) -> None:
        """Tell the user, once."""
        if line not in self._said:
            self._said.add(line)
            self._tell(line)

    def reopen_if_gone(self) -> None:
        """Begin anew if the folder was deleted, or is another by now."""
        if self.index is not None and not self.index.is_there():
            self.close()
            self._open()

    def close(self) -> None:
        """Close the files."""
        index, self.index = self.index, None
        if index is not None:
            with contextlib.suppress(sqlite3.Error):
                index.close()

    def _open(self) -> None:
        try:
            self.signer: Signer = user_signer()
            files = Folder(self._folder, self.signer.identity)
            self.index = self._open_index(files)
        except NotOurs as error:
            self.say(f"The cache is not used, and left alone: {error}. Until then {_MEMORY_ONLY}.")
        except (*TROUBLE, RuntimeError) as error:  # RuntimeError: the user has no home
            self._give_reason(error)
        else:
            self.files = files
            if files.remove_parts():
                self.tidy()
            self._look_for_foreign(files)

    def _open_index(self, files: Folder) -> Index:
        try:
            return Index(files.index, self._timeout)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
        self._say_damaged()
        files.remove_index()
        index = Index(files.index, self._timeout)
        _tidy(files, index)
        return index

    def _look_for_foreign(self, files: Folder) -> None:
        if files.foreign:
            self.say(
                f"The cache in {self._folder} also has results signed with another key, by another user or on "
                "another machine: they are ignored, and their tasks run."
            )

    def _renew(self) -> None:
        self._say_damaged()
        if self.files is None or self.index is None:
            return
        try:
            self.index.renew(self.files.remove_index)
            _tidy(self.files, self.index)
        except TROUBLE as error:
            self.close()
            self._give_reason(error)

    def _say_damaged(self) -> None:
        self.say(f"The index of the cache in {self._folder} is damaged: it is begun anew, and tasks run again.")

    def _give_reason(self, error: Exception) -> None:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        place = getattr(error, "filename", None)
        where = f"{reason}: {place}" if place else reason
        self.say(f"The cache in {self._folder} cannot be used ({where}): {_MEMORY_ONLY}.")


def _tidy(files: Folder, index: Index) -> int:
    left = files.remove_parts()
    with index.holding() as known:  # nobody can be about to add the row of a file
        there = set(files.value_tokens())
        files.remove_values(there - known.keys())
    index.delete([known[token] for token in known.keys() - there])
    return left + len(there - known.keys())


def _nothing() -> None:
    return None
