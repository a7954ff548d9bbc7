"""Digests of what lies in folders: names, and where nothing better is known, the status of files."""

from __future__ import annotations

import os
from glob import glob
from typing import TYPE_CHECKING

import xxhash

from graflow_nb.incremental.files import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST = 10_000
"""Files below a folder; nobody wants to wait for more at each look."""
_PASSED_OVER = frozenset({".git", ".graflow_nb", ".ipynb_checkpoints", "__pycache__"})


def names_digest(folder: str) -> bytes:
    """Return a digest of the names in a folder."""
    try:
        return _digest(sorted(set(os.listdir(folder)) - _PASSED_OVER))  # noqa: PTH208 - names are all it takes
    except OSError:
        return ABSENT


def files_digest(folder: str) -> bytes:
    """Return a digest of the status of the files directly in a folder, or nothing if it has none."""
    try:
        entries = sorted(_files(folder), key=lambda entry: entry.name)
        found = [_status(entry.name, entry.stat()) for entry in entries]
    except OSError:
        return ABSENT
    return _digest(found) if found else b""


def tree_digest(folder: str) -> bytes | None:
    """Return a digest of names and status of all files below a folder, or None if that are too many."""
    found: list[str] = []
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - _PASSED_OVER)
        found += [os.path.join(top, name) for name in (*folders, *names)]  # noqa: PTH118 - thousands of them
        if len(found) > MOST:
            return None
    return _digest(map(_status_of, sorted(found)))


def matches(pattern: str) -> list[str]:
    """Return the absolute names that match a pattern, sorted; ``**`` stands for any folders."""
    return sorted(glob(pattern, recursive=True))  # noqa: PTH207 - the pattern is absolute


def matches_digest(pattern: str) -> bytes:
    """Return a digest of the names that match a pattern."""
    return _digest(matches(pattern))


def _files(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from (entry for entry in entries if entry.is_file())


def _status_of(path: str) -> str:
    try:
        found = os.stat(path)  # noqa: PTH116 - thousands of them
    except OSError:
        return path
    is_folder = os.path.isdir(path)  # noqa: PTH112 - as above
    return path if is_folder else _status(path, found)


def _status(name: str, found: os.stat_result) -> str:
    return f"{name}\0{found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def _digest(texts: Iterable[str]) -> bytes:
    digest = xxhash.xxh3_128()
    for text in texts:
        piece = os.fsencode(text)
        digest.update(b"%d:" % len(piece))
        digest.update(piece)
    return digest.digest()
