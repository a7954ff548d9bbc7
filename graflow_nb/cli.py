"""``graflow-nb``: a notebook's flow from the command line, headless, with its progress in the terminal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nbformat import NotebookNode

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
    parser = argparse.ArgumentParser("graflow-nb", description="Run the flows of notebooks.", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run a notebook headlessly, with live progress", allow_abbrev=False)
    run.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    run.add_argument("--html", type=Path, metavar="FILE", help="write a report of its flow")
    run.add_argument("--output", type=Path, metavar="FILE", help="write the notebook with its outputs")
    run.set_defaults(do=_run)
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
