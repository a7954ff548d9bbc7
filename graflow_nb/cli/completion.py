# ruff: noqa: SLF001 - argparse keeps to itself what is needed here
"""Completion in the shell, of commands, options and the names of a notebook's tasks.

The shell is given a few lines that ask `graflow-nb` itself. A script made once from the options (as shtab
makes it) could not know the tasks, and argcomplete would be one more package for what fits here.
"""

from __future__ import annotations

import argparse
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from graflow_nb.cli.codes import DONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BASH = """\
_graflow_nb() {
    local IFS=$'\\n'
    COMPREPLY=($(graflow-nb _complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    [ ${#COMPREPLY[@]} -eq 0 ] && compopt -o default 2>/dev/null
}
complete -F _graflow_nb graflow-nb
"""
_ZSH = """\
autoload -Uz compinit && compinit -C
_graflow_nb() {
    local -a found
    found=("${(@f)$(graflow-nb _complete -- "${words[@]:1:$((CURRENT - 1))}" 2>/dev/null)}")
    if [[ -n "$found" ]]; then compadd -- $found; else _files; fi
}
compdef _graflow_nb graflow-nb
"""
_FISH = """\
complete -c graflow-nb -a '(graflow-nb _complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
"""
SHELLS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
_TASK = re.compile(
    r"^(?:%%task[ \t]+|#\|[ \t]*task:[ \t]*)([A-Za-z_]\w*)"
    r"|^[ \t]*(?:@task\b.*|%%task[ \t]*)\n[ \t]*(?:async )?def (\w+)",
    re.MULTILINE,
)
_TAKE_TASKS = frozenset({"targets", "task"})


def show_script(options: argparse.Namespace) -> int:
    """Print what a shell needs."""
    print(SHELLS[options.shell], end="")
    return DONE


def complete(words: Sequence[str], parser: argparse.ArgumentParser) -> int:
    """Print what the last of these words may become; nothing where a file may stand."""
    print("\n".join(candidates([word for word in words if word != "--"] or [""], parser)))
    return DONE


def candidates(words: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Return what the last word may become."""
    *before, last = words
    taken: list[str] = []
    option: argparse.Action | None = None
    for word in before:
        known = parser._option_string_actions.get(word)
        if option is not None:
            option = None
        elif known is not None:
            option = known if known.nargs != 0 else None
        elif (inner := _inner(parser, word)) is not None:
            parser, taken = inner, []
        else:
            taken.append(word)
    found = _choices(option, taken) if option is not None else [*_next(parser, taken), *_options(parser, last)]
    return sorted({text for text in found if text.startswith(last)})


def _inner(parser: argparse.ArgumentParser, word: str) -> argparse.ArgumentParser | None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) and word in action.choices:
            inner: argparse.ArgumentParser = action.choices[word]
            return inner
    return None


def _options(parser: argparse.ArgumentParser, last: str) -> Iterable[str]:
    return [text for text in parser._option_string_actions if text.startswith("--")] if last[:1] == "-" else ()


def _next(parser: argparse.ArgumentParser, taken: Sequence[str]) -> Iterable[str]:
    """Return what may stand where the next positional argument stands."""
    places = [action for action in parser._actions if not action.option_strings]
    here = places[min(len(taken), len(places) - 1)] if places else None
    if isinstance(here, argparse._SubParsersAction):
        return [name for name in here.choices if not name.startswith("_")]
    return _choices(here, taken)


def _choices(action: argparse.Action | None, taken: Sequence[str]) -> Iterable[str]:
    if action is None:
        return ()
    if action.dest in _TAKE_TASKS and taken:
        return tasks_in(Path(taken[0]))
    if action.dest == "backend":
        return ("threads", "processes", "dask", "redis")
    if action.dest == "cache":
        return ("memory", "disk", "off")
    return [str(choice) for choice in action.choices or ()]


def tasks_in(path: Path) -> list[str]:
    """Return the names of a notebook's or script's tasks, as far as its text shows them."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        text = path.read_text("utf-8")
        if path.suffix == ".ipynb":
            sources = [cell["source"] for cell in json.loads(text)["cells"]]
            text = "\n".join(source if isinstance(source, str) else "".join(source) for source in sources)
        return [name or function for name, function in _TASK.findall(text)]
    return []
