"""``graflow-nb``: a notebook's flow from the command line, headless, and the results that are kept on disk."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nbformat import NotebookNode

    from graflow_nb.incremental.store.disk import DiskStore

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default the process's own.

    Returns
    -------
    int
        0 done, 1 a cell or task failed, 2 wrong usage, 130 interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.do(options))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "graflow-nb", description="Run the flows of notebooks, and look after their caches.", allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run a notebook headlessly, with live progress", allow_abbrev=False)
    run.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    run.add_argument("--html", type=Path, metavar="FILE", help="write a report of its flow")
    run.add_argument("--output", type=Path, metavar="FILE", help="write the notebook with its outputs")
    run.set_defaults(do=_run)
    cache = commands.add_parser(
        "cache", help="look after the results that are kept in a folder", allow_abbrev=False
    )
    what = cache.add_subparsers(required=True, metavar="WHAT")
    for name, (about, do) in _CACHE.items():
        part = what.add_parser(name, help=about, description=f"{about.capitalize()}.", allow_abbrev=False)
        part.add_argument(
            "folder",
            nargs="?",
            type=Path,
            default=Path(),
            metavar="FOLDER",
            help="the cache's, or the one that has it as .graflow_nb (default: the current one)",
        )
        part.set_defaults(do=partial(_cache, do))
    return parser


def _run(options: argparse.Namespace) -> int:
    """Execute a notebook cell by cell, and write what was asked for even if a cell failed."""
    try:
        import nbformat

        from graflow_nb.notebook.headless import Headless
    except ModuleNotFoundError as error:
        return _usage(f"graflow-nb run needs {error.name}: pip install 'graflow-nb[run]'")
    try:
        notebook = nbformat.read(options.notebook, as_version=4)
    except FileNotFoundError:
        return _usage(f"there is no notebook {options.notebook}")
    except Exception as error:
        return _usage(f"{options.notebook} is no notebook that can be read: {error}")
    failed = Headless(notebook, options.notebook).run(report=options.html)
    if options.output is not None:
        _write(notebook, options.output)
    if options.html is not None:
        print(f"report: {options.html}" if options.html.exists() else "no report: no flow ran in the notebook")
    return FAILED if failed else DONE


def _cache(do: Callable[[DiskStore], None], options: argparse.Namespace) -> int:
    """Open the cache in a folder, and do something with it."""
    from graflow_nb.incremental.cache import FOLDER
    from graflow_nb.incremental.store.disk import DiskStore
    from graflow_nb.incremental.store.folder import is_store

    folder = next((path for path in (options.folder, options.folder / FOLDER) if is_store(path)), None)
    if folder is None:
        return _usage(
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


_CACHE = {
    "info": ("say what is kept in a folder", _info),
    "clear": ("let go of all that is kept in a folder; other files in it stay", _clear),
    "gc": ("remove what killed kernels left, and what is over the limit", _gc),
}


def _write(notebook: NotebookNode, path: Path) -> None:
    import nbformat

    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    print(f"notebook: {path}")


def _usage(message: str) -> int:
    print(f"graflow-nb: {message}", file=sys.stderr)
    return USAGE


if __name__ == "__main__":
    sys.exit(main())
