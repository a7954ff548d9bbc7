"""``graflow-nb show`` and ``why``: a flow and its state, with no task run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from graflow_nb.cli.codes import DONE, FAILED, CommandError
from graflow_nb.cli.program import Program

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def show(options: argparse.Namespace) -> int:
    """Print a flow and what of it is out of date; or a task with its code."""
    if options.task is None:
        return _answer(options, lambda program: str(program.ask("overview")))
    return _answer(options, lambda program: _described(program.ask("describe", task=options.task)))


def why(options: argparse.Namespace) -> int:
    """Print why a task would run, or be reused."""

    def ask(program: Program) -> str:
        program.ask("describe", task=options.task)  # which checks the name
        return _text(program, f"%flow why {options.task}")

    return _answer(options, ask)


def _answer(options: argparse.Namespace, ask: Callable[[Program], str]) -> int:
    from graflow_nb.notebook.errors import CellFailed

    with Program(options.notebook, flow=options.flow, is_quiet=True) as program:
        try:
            for line in program.define({}, is_dry=True):
                print(line, file=sys.stderr)
            print(ask(program))
        except CellFailed as failed:
            raise CommandError(f"{failed}\n{failed.plain}", FAILED) from None
    return DONE


def _text(program: Program, line: str) -> str:
    """Run a line of ``%flow``, and return what it shows as text."""
    program.cell(line, line)
    outputs: list[Any] = program.kernel.notebook.cells[-1].outputs
    texts = [o["text"] if o.output_type == "stream" else o.data.get("text/plain", "") for o in outputs]
    return "\n".join(text.rstrip("\n") for text in texts)


def _described(task: dict[str, Any]) -> str:
    rows = [
        ("after", ", ".join(task["after"])),
        ("before", ", ".join(task["before"])),
        ("defines", ", ".join(task["defines"])),
    ]
    facts = [f"  {name:8} {text}" for name, text in rows if text]
    code = [f"  {line}".rstrip() for line in task["source"].strip("\n").splitlines()]
    return "\n".join([task["name"], *facts, "", *code])
