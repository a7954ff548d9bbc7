"""``graflow-nb run``: a flow, headless, with its reports and an exit code."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graflow_nb.cli.codes import DONE, FAILED, CommandError
from graflow_nb.cli.program import Program
from graflow_nb.notebook.document.source import DocumentError
from graflow_nb.notebook.document.write import check_writable, write_whole

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from graflow_nb.notebook.errors import CellFailed

_STARTS = ("[", "(", "{", "'", '"')


def run(options: argparse.Namespace) -> int:
    """Run a document's flow, and write what was asked for even if a task failed."""
    from graflow_nb.notebook.errors import CellFailed

    values = assigned(options.set)
    _check(options)
    program = Program(
        options.notebook,
        flow=options.flow,
        cache=options.cache,
        is_whole=options.all,
        to_stderr=options.json,
    )
    failure = None
    with program:
        try:
            _run(program, options, values)
        except CellFailed as failed:
            failure = failed
            _show_failure(program, failed)
        facts = _facts(program)
        try:
            _write(program, options, facts, failure)
        except (CommandError, DocumentError) as error:  # a full disk, say: what was promised is not there
            raise CommandError(str(error), FAILED) from None
    if options.json:
        print(
            json.dumps({**(facts or {"flow": None, "ok": False, "tasks": []}), "error": _plain(failure)}, indent=2)
        )
    return DONE if failure is None else FAILED


def assigned(texts: Iterable[str]) -> dict[str, str]:
    """Return the values of ``NAME=VALUE``, as they were written.

    Raises
    ------
    CommandError
        If one is not so, or its value is begun as Python and is none.
    """
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise CommandError(f"--set takes NAME=VALUE, not {text!r}")
        if value.startswith(_STARTS):
            try:
                ast.literal_eval(value)
            except (ValueError, SyntaxError) as error:
                raise CommandError(f"--set {name}: {value} is no value of Python's ({error})") from None
        values[name] = value
    return values


def _check(options: argparse.Namespace) -> None:
    """Raise if something cannot be done in the end, before hours of work for it."""
    if options.output is not None and not options.all:
        raise CommandError("--output writes the whole notebook with its outputs: it needs --all")
    if options.cache is not None and options.all:
        raise CommandError("--cache goes without --all: the notebook's own cells say where results are kept")
    for path in (options.html, options.junit, options.output):
        if path is not None:
            check_writable(path)


def _run(program: Program, options: argparse.Namespace, values: Mapping[str, str]) -> None:
    wanted = [*options.targets]
    if options.all:
        _run_all(program)
        if not (wanted or values):
            return
    else:
        program.define(values)
    from graflow_nb.notebook.upkeep import parsed

    program.choose()
    given = {name: parsed(text) for name, text in values.items()}
    program.ask("check", targets=wanted, values=given, backend=options.backend)
    flags = ["--force"] * options.force + ["--fail-fast"] * options.fail_fast
    if options.workers:
        flags += ["--workers", str(options.workers)]
    if options.backend:
        flags += ["--backend", options.backend]
    program.run_flow(wanted, values, *flags)


def _run_all(program: Program) -> None:
    import nbformat

    path = program.document.path
    if path is None or path.suffix != ".ipynb":
        raise CommandError("--all is for notebooks: of a script everything is run anyway")
    program.whole = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    if program.whole.nbformat != 4:  # noqa: PLR2004
        program.whole = nbformat.convert(program.whole, 4)
    cells = [cell for cell in program.whole.cells if cell.cell_type == "code"]
    for count, cell in enumerate(cells, 1):
        program.kernel.run(cell, f"cell {count} of {len(cells)}")


def _show_failure(program: Program, failed: CellFailed) -> None:
    """Say what failed; the tracebacks of tasks were shown when the run ended."""
    from rich.text import Text

    program.kernel.print(Text(str(failed), style="bold red"))
    if "RunFailed" not in failed.traceback.split("\n", 1)[0]:
        program.kernel.print(Text.from_ansi(failed.traceback))


def _facts(program: Program) -> dict[str, Any] | None:
    from graflow_nb.notebook.errors import CellFailed

    try:
        found: dict[str, Any] | None = program.kernel.ask("facts")
    except CellFailed:  # the kernel died
        return None
    return found


def _write(
    program: Program, options: argparse.Namespace, facts: dict[str, Any] | None, failure: CellFailed | None
) -> None:
    from graflow_nb.notebook.errors import CellFailed

    say = sys.stderr if options.json else sys.stdout
    if options.output is not None:
        import nbformat

        write_whole(options.output, nbformat.writes(program.whole))
        print(f"notebook: {options.output}", file=say)
    if options.junit is not None:
        from graflow_nb.views.junit import to_junit

        write_whole(options.junit, to_junit(facts, program.document.name, _plain(failure)))
        print(f"tests: {options.junit}", file=say)
    if options.html is not None:
        try:
            file = str(Path(options.html).resolve())
            written = program.ask("report", file=file, title=program.document.name)
        except CellFailed:
            written = False
        print(f"report: {options.html}" if written else "no report: no flow ran in the notebook", file=say)


def _plain(failure: CellFailed | None) -> dict[str, str] | None:
    return None if failure is None else {"where": str(failure), "traceback": failure.plain}
