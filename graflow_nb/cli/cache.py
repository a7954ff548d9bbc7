"""``graflow-nb cache``: look after the results that are kept in a folder."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from graflow_nb.cli.codes import DONE, USAGE, CommandError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from graflow_nb.incremental.store.disk import DiskStore


def look_after(do: Callable[[DiskStore], None], options: argparse.Namespace) -> int:
    """Open the cache in a folder, and do something with it."""
    from graflow_nb.incremental.cache import FOLDER
    from graflow_nb.incremental.store.disk import DiskStore
    from graflow_nb.incremental.store.folder import is_store

    folder = next((path for path in (options.folder, options.folder / FOLDER) if is_store(path)), None)
    if folder is None:
        raise CommandError(
            f"there is no cache in {options.folder.absolute()}: %flow cache disk in a notebook makes one"
        )
    said: list[str] = []
    store = DiskStore(folder, say=said.append)
    try:
        is_usable = store.info().usable
        if is_usable:
            do(store)
    finally:
        store.close()
    for line in said:
        print(line, file=sys.stderr)
    return DONE if is_usable else USAGE


def _info(store: DiskStore) -> None:
    from graflow_nb.views.text import human_bytes

    there = store.info()
    limit = human_bytes(there.limit)
    print(f"{_results(there.entries)} in {there.folder}: {human_bytes(there.bytes)} of at most {limit}")
    for name, count in sorted(there.tasks.items()):
        print(f"  {name}: {_results(count)}")


def _clear(store: DiskStore) -> None:
    before = store.info().entries
    store.clear()
    print(f"let go of {_results(before - store.info().entries)} in {store.folder}")


def _gc(store: DiskStore) -> None:
    from graflow_nb.views.text import human_bytes

    before = store.info()
    files = store.gc()
    after = store.info()
    print(
        f"removed {_results(before.entries - after.entries)} and {files} left-over files; "
        f"{_results(after.entries)} stay, {human_bytes(after.bytes)}"
    )


def _results(count: int) -> str:
    return f"{count} result{'' if count == 1 else 's'}"


WORDS = {
    "info": ("say what is kept in a folder", _info),
    "clear": ("let go of all that is kept in a folder; other files in it stay", _clear),
    "gc": ("remove what killed kernels left, and what is over the limit", _gc),
}
"""What can be done, with what it is about."""
