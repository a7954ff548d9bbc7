# ruff: noqa: SLF001 - argparse keeps to itself what is needed here
"""The arguments of ``graflow-nb``; what does the work is imported when it is asked for."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from graflow_nb.cli import cache
from graflow_nb.cli.completion import SHELLS, complete, show_script

if TYPE_CHECKING:
    from collections.abc import Callable

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
    Do = Callable[[argparse.Namespace], int]

_CODES = "exit codes: 0 done, 1 a task or cell failed, 2 wrong usage, 130 interrupted"


def make_parser() -> argparse.ArgumentParser:
    """Return the parser; what a command does is its option `do`."""
    parser = argparse.ArgumentParser(
        "graflow-nb",
        description="Run the flows of notebooks and scripts, question and export them, and tend caches.",
        epilog=_CODES,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_questions(commands)
    _add_export(commands)
    _add_suggest(commands)
    _add_cache(commands)
    _add_worker(commands)
    _add_completion(commands)
    return parser


def _add(commands: Commands, name: str, about: str, do: Do, epilog: str = _CODES) -> argparse.ArgumentParser:
    part = commands.add_parser(
        name, help=about, description=f"{about[0].upper()}{about[1:]}.", epilog=epilog, allow_abbrev=False
    )
    part.set_defaults(do=do)
    return part


def _add_document(part: argparse.ArgumentParser) -> None:
    part.add_argument("notebook", type=Path, metavar="NOTEBOOK", help="a notebook (.ipynb) or a script (.py)")
    part.add_argument("--flow", metavar="FLOW", help="which of its flows, if there are several")


def _add_run(commands: Commands) -> None:
    about = "run the flow of a notebook or script without a front end: what is out of date, and what it needs"
    part = _add(commands, "run", about, _do("run", "run"))
    _add_document(part)
    part.add_argument("targets", nargs="*", metavar="TARGET", help="make these tasks up to date (default: all)")
    part.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter's value, for this run only"
    )
    part.add_argument("--force", action="store_true", help="run everything again")
    part.add_argument("--workers", type=_positive, metavar="N", help="how many tasks run at once")
    part.add_argument("--backend", metavar="WHERE", help="threads (default), processes, dask, redis or an address")
    part.add_argument("--fail-fast", action="store_true", help="after a failure start nothing new")
    part.add_argument(
        "--cache",
        metavar="WHERE",
        help="memory, disk (beside the notebook), off, or a folder (default: as the notebook says)",
    )
    part.add_argument(
        "--all", action="store_true", help="run every cell of the notebook, also those that only show"
    )
    part.add_argument("--html", type=Path, metavar="FILE", help="write a report: the picture, outputs, times")
    part.add_argument("--junit", type=Path, metavar="FILE", help="write a JUnit report: a test for each task")
    part.add_argument(
        "--output", type=Path, metavar="FILE", help="with --all: write the notebook with its outputs"
    )
    part.add_argument("--json", action="store_true", help="print what came of it as JSON; progress goes to stderr")


def _add_questions(commands: Commands) -> None:
    part = _add(commands, "show", "show a flow, and what of it is out of date", _do("questions", "show"))
    _add_document(part)
    part.add_argument("task", nargs="?", metavar="TASK", help="show this one: its code, what it reads and defines")
    part = _add(commands, "why", "say why a task would run, or be reused", _do("questions", "why"))
    _add_document(part)
    part.add_argument("task", metavar="TASK")


def _add_export(commands: Commands) -> None:
    about = "write a flow as a script (.py), a notebook (.ipynb) or a picture (.svg, .png, .mmd)"
    part = _add(commands, "export", about, _do("export", "export"))
    _add_document(part)
    part.add_argument("file", type=Path, metavar="FILE", help="its ending says what it becomes")
    part.add_argument("--force", action="store_true", help="overwrite the file")


def _add_suggest(commands: Commands) -> None:
    about = "propose the cells of an ordinary notebook as tasks; nothing is run, and the notebook stays as it is"
    part = _add(commands, "suggest", about, _do("suggest", "suggest"))
    part.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    part.add_argument("-o", "--output", type=Path, metavar="NEW", help="write the proposal as a new notebook")
    part.add_argument("--force", action="store_true", help="overwrite NEW")


def _add_cache(commands: Commands) -> None:
    about = "look after the results that are kept in a folder"
    part = commands.add_parser("cache", help=about, description=f"{about.capitalize()}.", allow_abbrev=False)
    what = part.add_subparsers(required=True, metavar="WHAT")
    for name, (about, do) in cache.WORDS.items():
        word = what.add_parser(name, help=about, description=f"{about.capitalize()}.", allow_abbrev=False)
        word.add_argument(
            "folder",
            nargs="?",
            type=Path,
            default=Path(),
            metavar="FOLDER",
            help="the cache's, or the one that has it as .graflow_nb (default: the current one)",
        )
        word.set_defaults(do=partial(cache.look_after, do))


def _add_worker(commands: Commands) -> None:
    about = "make calls for flows that run with backend=redis, on as many machines as this is started on"
    epilog = "It runs what is signed with its key, and nothing else: the user's own key, or GRAFLOW_NB_SECRET, "
    epilog += "the same where the flows run. Ctrl-C ends it after the task that runs, a second one at once."
    part = _add(commands, "worker", about, _do("worker", "work"), epilog)
    part.add_argument(
        "--url", metavar="URL", help="the Redis (default: GRAFLOW_NB_REDIS_URL, else redis://localhost:6379/0)"
    )
    part.add_argument("--queues", nargs="+", metavar="NAME", help="take from these, the first one first")
    part.add_argument("--burst", action="store_true", help="end when nothing waits")
    part.add_argument("--workers", type=_positive, default=1, metavar="N", help="how many to start (default: 1)")
    part.add_argument("--load", nargs="+", default=[], metavar="MODULE", help="load these once, before any task")


def _add_completion(commands: Commands) -> None:
    about = "print what lets a shell complete graflow-nb, the names of tasks included"
    epilog = 'bash: eval "$(graflow-nb completion bash)" in ~/.bashrc. zsh: the same in ~/.zshrc. '
    epilog += "fish: graflow-nb completion fish > ~/.config/fish/completions/graflow-nb.fish"
    part = _add(commands, "completion", about, show_script, epilog)
    part.add_argument("shell", choices=SHELLS)
    hidden = commands.add_parser("_complete", allow_abbrev=False)
    hidden.add_argument("words", nargs=argparse.REMAINDER)
    hidden.set_defaults(do=lambda options: complete(options.words, make_parser()))


def _do(module: str, name: str) -> Do:
    """Return what imports a command's module when it is called."""

    def do(options: argparse.Namespace) -> int:
        from importlib import import_module

        return int(getattr(import_module(f"graflow_nb.cli.{module}"), name)(options))

    return do


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


_positive.__name__ = "number of workers (1 or more)"  # argparse shows it: invalid … value
