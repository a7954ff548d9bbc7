"""A notebook run in a kernel of its own, without a front end, its flows' progress shown in a terminal."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import zmq
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat.v4 import new_code_cell
from rich.console import Console
from rich.live import Live
from rich.text import Text

from graflow_nb.notebook.live import SETTING
from graflow_nb.notebook.terminal import Log, styled

if TYPE_CHECKING:
    from nbformat import NotebookNode


class Headless:
    """Executes a notebook and shows what its flows say of themselves.

    Parameters
    ----------
    notebook : NotebookNode
        Gets the outputs.
    path : Path
        Where it lies: its cells run in that folder.
    """

    def __init__(self, notebook: NotebookNode, path: Path) -> None:
        self._notebook = notebook
        self._console = Console(highlight=False)
        self._log = Log()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._path = path.resolve()
        folder = {"metadata": {"path": str(self._path.parent)}}
        self._client = _Client(notebook, self._show, resources=folder)

    def run(self, report: Path | None = None) -> bool:
        """Run every cell, up to the first that fails.

        Parameters
        ----------
        report : Path, optional
            Where an HTML report of the flow is to be written, whether or not a cell failed.

        Returns
        -------
        bool
            Whether a cell failed.
        """
        # The first as a server does: it names the flow. But nobody sits before a widget here.
        environment = {**os.environ, "JPY_SESSION_NAME": str(self._path), SETTING: "off"}
        with self._live, self._client.setup_kernel(env=environment):
            failed = self._run_cells()
            if report is not None:
                self._write_report(report)
        return failed

    def _run_cells(self) -> bool:
        cells = [(i, cell) for i, cell in enumerate(self._notebook.cells) if cell.cell_type == "code"]
        for count, (index, cell) in enumerate(cells, 1):
            self._live.update(Text(f"cell {count} of {len(cells)}", style="dim"), refresh=True)
            try:
                self._client.execute_cell(cell, index)
            except (CellExecutionError, DeadKernelError) as error:
                self._print(Text(f"cell {count} failed", style="bold red"))
                self._print(Text.from_ansi(_traceback_of(cell) or str(error)))
                return True
        return False

    def _write_report(self, report: Path) -> None:
        report.unlink(missing_ok=True)
        target = json.dumps(str(report.resolve()))
        cell = new_code_cell(f"get_ipython().run_line_magic('flow', 'report --force ' + {target!r})")
        self._notebook.cells.append(cell)
        try:
            self._client.execute_cell(cell, len(self._notebook.cells) - 1)
        except (CellExecutionError, DeadKernelError):
            pass  # no flow ran, so there is nothing to report; the command says so
        finally:
            self._notebook.cells.pop()

    def _show(self, text: str, *, finished: bool) -> None:
        if not self._console.is_terminal:
            for line in self._log.lines(text, finished=finished):
                self._print(Text.from_ansi(line))
        elif finished:
            self._print(styled(text))
            self._live.update(Text(""), refresh=True)
        else:
            self._live.update(styled(text), refresh=True)

    def _print(self, text: Text) -> None:
        """Print lines; where they go to a file, as long as they are."""
        self._console.print(text, soft_wrap=not self._console.is_terminal)


class _Client(NotebookClient):
    """A notebook client that looks at the displays of runs as they pass."""

    def __init__(self, notebook: NotebookNode, show: Any, **options: Any) -> None:
        super().__init__(notebook, timeout=None, **options)
        self._show_run = show
        self._sockets = TemporaryDirectory(prefix="graflow-")

    def create_kernel_manager(self) -> Any:
        manager = super().create_kernel_manager()
        if zmq.has("ipc"):
            manager.transport = "ipc"  # sockets in a folder of ours: nobody else on the machine can listen
            manager.ip = str(Path(self._sockets.name, "kernel"))
        return manager

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> Any:
        content = msg["content"]
        ours = content.get("metadata", {}).get("graflow_nb")
        if ours and msg["msg_type"] in {"display_data", "update_display_data"}:
            self._show_run(content["data"].get("text/plain", ""), finished=ours.get("finished", False))
        return super().process_message(msg, cell, cell_index)


def _traceback_of(cell: NotebookNode) -> str:
    errors = [output for output in cell.outputs if output.output_type == "error"]
    return "\n".join(errors[-1].traceback) if errors else ""
