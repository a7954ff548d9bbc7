"""The arguments of the magics: parsed, checked with a hint for each mistake, and completed."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.error import UsageError

from graflow_nb.core.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable


class HelpShown(Exception):  # noqa: N818 - not an error: the text was asked for
    """Carries the help that was asked for."""


class Parser(argparse.ArgumentParser):
    """A parser that answers a mistake with a line and the nearest word, and never ends the process."""

    def __init__(self, prog: str, description: str = "", **options: object) -> None:
        super().__init__(
            prog=prog,
            description=description,
            allow_abbrev=False,
            exit_on_error=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **options,  # type: ignore[arg-type]
        )

    def read(self, line: str) -> argparse.Namespace:
        """Parse a magic's line.

        Raises
        ------
        UsageError
            If it is wrong: one line that says how.
        HelpShown
            If ``--help`` stands in it.
        """
        try:
            words = shlex.split(line)
        except ValueError as error:
            self.error(str(error))
        try:
            known, unknown = self.parse_known_args(words)
        except argparse.ArgumentError as error:
            self.error(str(error))
        if unknown:
            self.error(self._unknown(unknown))
        return known

    def _unknown(self, words: list[str]) -> str:
        options = [word for word in words if word.startswith("-")]
        if options:
            return f"unknown option {options[0]}. {did_you_mean(options[0], self.options)}"
        return f"too much: {' '.join(words)}"

    @property
    def options(self) -> list[str]:
        """The options, as they are written."""
        return [s for action in self._actions for s in action.option_strings if s.startswith("--")]

    def error(self, message: str) -> NoReturn:
        """Answer a mistake."""
        raise UsageError(f"{self.prog}: {message}")

    def print_help(self, file: object = None) -> NoReturn:  # noqa: ARG002
        """Hand over the help; the magic shows it."""
        raise HelpShown(self.format_help())

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:  # noqa: ARG002
        """Never end the process."""
        raise HelpShown(message or "")


def task_parser() -> Parser:
    """Return the parser of ``%%task``."""
    parser = Parser(
        "%%task",
        "Make this cell a task of the flow in use.\n\n"
        "  %%task NAME      the cell's body is the task; its value is the last expression, and the\n"
        "                   names it assigns are variables that other tasks can read\n"
        "  %%task           the cell ends in a function definition, and that function is the task\n"
        "  #| task: NAME    as the first line of an ordinary cell: the same as %%task NAME",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the task's name")
    parser.add_argument("--run", action="store_true", help="run at once what is out of date for this task")
    parser.add_argument("--cache", choices=["on", "off"], default="on", help="off: never reuse its result")
    parser.add_argument("--max-age", type=float, metavar="SECONDS", help="how long its result is good for")
    parser.add_argument("--version", metavar="TEXT", help="raise it, and the task runs again")
    parser.add_argument(
        "--inputs", nargs="+", default=[], metavar="PATH", help="files, folders and patterns that it reads unseen"
    )
    parser.add_argument(
        "--ignore", nargs="+", default=[], metavar="NAME", help="parameters that make no difference to its result"
    )
    parser.add_argument("--main-thread", action="store_true", help="run it on the kernel's main thread")
    parser.add_argument("--backend", metavar="WHERE", help="threads, processes, dask, redis or an address")
    parser.add_argument("--when", metavar="EXPR", help="run it only if this is true, of results and variables")
    parser.add_argument("--retries", type=int, metavar="N", help="how often it is tried again when it fails")
    parser.add_argument("--retry-delay", type=float, metavar="SECONDS", help="how long to wait before that")
    parser.add_argument("--backoff", type=float, metavar="FACTOR", help="how many times longer each wait is")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="break it off when it takes longer")
    parser.add_argument(
        "--resources", nargs="+", default=[], metavar="NAME=N", help="what it takes while it runs: db=1"
    )
    parser.add_argument("--priority", type=int, metavar="N", help="of what could start, the highest does")
    parser.add_argument("--max-cycles", type=int, metavar="N", help="how many calls it gets in a run")
    return parser


def task_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return a task's options as ``%%task`` was given them; what was not said is left out."""
    settings: dict[str, Any] = {
        "cache": options.cache == "on",
        "max_age": options.max_age,
        "version": options.version,
        "ignore": options.ignore,
        "inputs": options.inputs,
        "main_thread": options.main_thread,
        "resources": amounts(options.resources),
        "timeout": options.timeout,
    }
    for option in ("backend", "retries", "retry_delay", "backoff", "priority", "max_cycles"):
        if (given := getattr(options, option)) is not None:
            settings[option] = given
    return settings


def amounts(words: Iterable[str]) -> dict[str, int]:
    """Return what ``--resources`` says.

    Examples
    --------
    >>> amounts(["db=2", "gpu"])
    {'db': 2, 'gpu': 1}
    """
    found = {}
    for word in words:
        name, equals, amount = word.partition("=")
        if not name or (equals and not amount.isdigit()):
            raise UsageError(f"%%task: --resources takes names with how many of each, db=1, not {word!r}")
        found[name] = int(amount or 1)
    return found


_COMMANDS = {
    "show": "draw the flow, or show all that a task printed and displayed",
    "run": "run what is out of date",
    "status": "list the tasks: up to date, out of date and why",
    "why": "say why a task would run or be reused, and why it last did",
    "impact": "say what an edit of a task would run",
    "check": "say what looks wrong in the wiring",
    "accept": "keep a task's result after an edit that makes no difference",
    "verify": "run what would be reused, and compare",
    "param": "make a parameter, or give it another value; without arguments, list them",
    "seed": "make the tasks' random numbers (context.rng) the same in each run",
    "cache": "say where results are kept, or keep them elsewhere",
    "auto": "run what is out of date by itself, after each cell and each change of a parameter: on | off",
    "debug": "open the debugger where a task failed",
    "list": "list the flows of this notebook",
    "use": "make another flow the one in use",
    "remove": "take tasks away",
    "reset": "take all tasks of the flow in use away",
    "cancel": "stop a run in the background",
    "report": "write the flow with all outputs to an HTML file",
    "export": "write the flow as a script (.py), a notebook (.ipynb) or a picture (.svg, .png, .mmd)",
    "suggest": "propose the cells that ran as tasks, as text or as a new notebook",
    "help": "show this",
}


CACHE_WORDS = ("memory", "disk", "off", "info", "clear", "gc")


def flow_parsers() -> dict[str, Parser]:
    """Return the parser of each sub-command of ``%flow``."""
    parsers = {name: Parser(f"%flow {name}", text.capitalize() + ".") for name, text in _COMMANDS.items()}
    parsers["show"].add_argument("task", nargs="?", metavar="TASK", help="the task whose outputs to show")
    for name in ("why", "debug", "impact", "accept"):
        parsers[name].add_argument("task", metavar="TASK")
    parsers["verify"].add_argument("tasks", nargs="*", metavar="TASK", help="by default all that are up to date")
    parsers["param"].add_argument("name", nargs="?", metavar="NAME")
    parsers["param"].add_argument("value", nargs="?", metavar="VALUE", help="as in Python; else it is a text")
    parsers["auto"].add_argument("switch", nargs="?", choices=["on", "off"], help="by default, say which it is")
    for name in ("min", "max", "step"):
        parsers["param"].add_argument(
            f"--{name}", type=_number, metavar="N", help="of a number: it becomes a slider"
        )
    parsers["param"].add_argument("--choices", nargs="+", metavar="VALUE", help="the values it may have")
    parsers["seed"].add_argument("seed", nargs="?", type=_seed, metavar="N", help="a whole number, or off")
    parsers["cache"].add_argument(
        "what",
        nargs="?",
        default="info",
        metavar="WHAT",
        help="memory | disk | off | a folder: keep results there from now on; info: what is kept (default); "
        "clear: let go of it; gc: remove what is left over and over the limit",
    )
    parsers["use"].add_argument("flow", metavar="FLOW")
    parsers["remove"].add_argument("tasks", nargs="+", metavar="TASK")
    for name in ("report", "export"):
        parsers[name].add_argument("file", metavar="FILE")
        parsers[name].add_argument("--force", action="store_true", help="overwrite the file")
    parsers["suggest"].add_argument("-o", "--output", metavar="NEW", help="write the proposal as a new notebook")
    parsers["suggest"].add_argument("--force", action="store_true", help="overwrite NEW")
    run = parsers["run"]
    run.add_argument("targets", nargs="*", metavar="TARGET", help="make these up to date (default: everything)")
    run.add_argument("--from", dest="from_", metavar="TASK", help="run this task and all after it again")
    run.add_argument("--force", action="store_true", help="run everything again")
    run.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter's value, for this run only"
    )
    run.add_argument("--workers", type=_positive, metavar="N", help="how many tasks run at once")
    run.add_argument("--backend", metavar="WHERE", help="threads (default), processes, dask, redis or an address")
    run.add_argument(
        "--keep-going", action="store_true", help="after a failure skip only what depends on it (default)"
    )
    run.add_argument("--fail-fast", action="store_true", help="after a failure start nothing new")
    run.add_argument("--background", action="store_true", help="return at once; %%flow cancel stops it")
    return parsers


def overview() -> str:
    """Return the list of sub-commands."""
    rows = "\n".join(f"  %flow {name:8} {text}" for name, text in _COMMANDS.items())
    return f"{rows}\n\nEach has --help. %graflow is the same as %flow."


def completions(line: str, tasks: Iterable[str], flows: Iterable[str]) -> list[str]:
    """Return what can follow in a magic's line, whose last word is being written.

    Examples
    --------
    >>> completions("%flow st", [], [])
    ['status']
    >>> completions("%flow run cl", ["load", "clean"], [])
    ['clean']
    >>> completions("%%task model --c", [], [])
    ['--cache']
    """
    magic, _, rest = line.lstrip().partition(" ")
    words = rest.split(" ")
    if magic.lstrip("%") == "task":
        before = words[-2] if len(words) > 1 else ""
        options = ["on", "off"] if before == "--cache" else task_parser().options
    elif len(words) == 1:
        options = list(_COMMANDS)
    else:
        parser = flow_parsers().get(words[0])
        options = [] if parser is None else [*_names(words[0], tasks, flows), *parser.options]
    return [option for option in options if option.startswith(words[-1])]


def _names(command: str, tasks: Iterable[str], flows: Iterable[str]) -> Iterable[str]:
    if command in {"run", "why", "debug", "remove", "show", "impact", "accept", "verify", "param"}:
        return tasks
    if command == "cache":
        return CACHE_WORDS
    if command in {"seed", "auto"}:
        return ["on", "off"] if command == "auto" else ["off"]
    return flows if command == "use" else ()


def _number(text: str) -> float:
    return int(text) if text.lstrip("-").isdigit() else float(text)


_number.__name__ = "number"


def _seed(text: str) -> int | str:
    return text if text == "off" else int(text)


_seed.__name__ = "seed (a whole number, or off)"


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


_positive.__name__ = "number of workers (1 or more)"  # argparse shows it: invalid … value
