"""A document's flow in a kernel: its cells run, the flow chosen, the tasks that plain cells wait for made."""

from __future__ import annotations

import shlex
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from graflow_nb.cli.codes import CommandError
from graflow_nb.notebook.document.cell import read_cells
from graflow_nb.notebook.document.slice import steps_of
from graflow_nb.notebook.document.source import read_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from graflow_nb.notebook.document.cell import Cell
    from graflow_nb.notebook.document.slice import Step
    from graflow_nb.notebook.document.source import Document
    from graflow_nb.notebook.headless import Headless

_PLACES = ("memory", "disk", "off")
_SAYS_CACHE = (["%flow", "cache"], ["%graflow", "cache"])


class Program:
    """Runs a document's flow in a kernel; a context manager.

    Parameters
    ----------
    path : Path
    flow : str, optional
        Which, if there are several.
    cache : str, optional
        Where results are kept, whatever the document says.
    is_whole : bool
        Whether every cell is run, not only those that the flow needs.
    to_stderr, is_quiet : bool
        As for `Headless`.

    Attributes
    ----------
    document : Document
    whole : NotebookNode
        The notebook that is run as a whole.
    """

    whole: Any

    def __init__(
        self,
        path: Path,
        *,
        flow: str | None = None,
        cache: str | None = None,
        is_whole: bool = False,
        to_stderr: bool = False,
        is_quiet: bool = False,
    ) -> None:
        self.document = read_document(path)
        self._path = path
        self._flow = flow
        self._cache = cache if cache in {*_PLACES, None} else str(Path(str(cache)).absolute())
        self._is_chosen = False
        self._steps = [] if is_whole else steps_of(read_cells(self.document.code))
        self.kernel = _headless(self.document, path, to_stderr=to_stderr, is_quiet=is_quiet)

    def __enter__(self) -> Self:
        self.kernel.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kernel.__exit__(*exc)

    def define(self, values: Mapping[str, str], *, is_dry: bool = False) -> list[str]:
        """Run the cells that the flow needs, and choose it.

        Parameters
        ----------
        values : mapping of str to str
            Values of parameters, as they were written.
        is_dry : bool
            Run no task that is not up to date: cells that wait for one are left out, and named.

        Raises
        ------
        CellFailed
        CommandError
        """
        self.cell("%load_ext graflow_nb", "starting")
        left_out = []
        for step in self._steps:
            if step.before and not self._make(step, values, is_dry=is_dry):
                left_out.append(f"cell {step.cell.number} is left out: it reads results that are not up to date")
                continue
            source = self._source(step.cell)
            if source.strip():
                self.cell(source, self._label(step.cell))
        self.choose()
        return left_out

    def _make(self, step: Step, values: Mapping[str, str], *, is_dry: bool) -> bool:
        """Make the tasks that a plain cell reads."""
        self.choose()
        if is_dry and self.ask("stale", targets=[*step.before]):
            return False
        known = self.ask("known", values=[*values])
        self.run_flow(step.before, {name: values[name] for name in known})
        return True

    def run_flow(self, targets: Sequence[str], values: Mapping[str, str], *options: str) -> None:
        """Run the flow.

        Raises
        ------
        CellFailed
            If a task failed.
        """
        words = [*targets, *options]
        for name, text in values.items():
            words += ["--set", f"{name}={text}"]
        self.cell(f"%flow run {shlex.join(words)}", "the run")

    def choose(self) -> None:
        """Make the flow that is meant the one in use."""
        is_new, self._is_chosen = not self._is_chosen, True
        self.ask("choose", flow=self._flow, cache=self._cache if is_new else None)

    def cell(self, source: str, label: str) -> None:
        """Run a cell."""
        from nbformat.v4 import new_code_cell

        self.kernel.run(new_code_cell(source), label)

    def ask(self, function: str, **given: Any) -> Any:
        """Ask the kernel.

        Raises
        ------
        CommandError
            If it says that something is wrong with what was given.
        """
        found = self.kernel.ask(function, **given)
        if isinstance(found, dict) and "problem" in found:
            raise CommandError(f"{self._path}: {found['problem']}")
        return found

    def _source(self, cell: Cell) -> str:
        if self._cache is None:
            return cell.runnable
        lines = cell.runnable.splitlines()
        return "\n".join("" if line.split()[:2] in _SAYS_CACHE else line for line in lines)

    def _label(self, cell: Cell) -> str:
        return f"cell {cell.number}" if not self.document.is_script else f"{self._path.name}"


@contextmanager
def _left_out(module: str) -> Iterator[None]:
    """Let a module be missing while others are imported that can do without.

    nbformat brings jsonschema, and that a grammar of addresses, if it is installed: making it takes 1.5 s, and no
    notebook has an address to be checked.
    """
    if module in sys.modules:
        yield
        return
    missing: Any = None
    sys.modules[module] = missing
    try:
        yield
    finally:
        del sys.modules[module]


def _headless(document: Document, path: Path, *, to_stderr: bool, is_quiet: bool) -> Headless:
    try:
        with _left_out("rfc3987_syntax"):
            from graflow_nb.notebook.headless import Headless
    except ModuleNotFoundError as error:
        raise CommandError(f"this needs {error.name}: pip install 'graflow-nb[run]'") from None
    kernel = (document.metadata.get("kernelspec") or {}).get("name")
    return Headless(path, kernel, to_stderr=to_stderr, is_quiet=is_quiet)
