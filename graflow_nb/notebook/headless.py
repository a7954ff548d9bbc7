"""A kernel of its own for cells that nobody sits before; its flows' progress is shown in a terminal or log."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import zmq
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook
from rich.console import Console
from rich.live import Live
from rich.text import Text

from graflow_nb.notebook.errors import CellFailed
from graflow_nb.notebook.live import SETTING
from graflow_nb.notebook.remote import ANSWER
from graflow_nb.notebook.terminal import Log, styled

if TYPE_CHECKING:
    from nbformat import NotebookNode

_OWN_KERNEL = "python3"


class Headless:
    """Executes cells and shows what their flows say of themselves; a context manager.

    Parameters
    ----------
    path : Path
        Of the notebook or script: cells run in its folder, and its name is the flow's.
    kernel : str, optional
        The kernel that the notebook asks for; where it is not installed, Python's own is taken.
    to_stderr : bool
        Where progress is shown.
    is_quiet : bool
        Whether no progress is shown at all.

    Attributes
    ----------
    notebook : NotebookNode
        The cells that were run, with their outputs.
    """

    def __init__(
        self, path: Path, kernel: str | None = None, *, to_stderr: bool = False, is_quiet: bool = False
    ) -> None:
        self.notebook = new_notebook()
        stream = sys.stderr if to_stderr else sys.stdout
        # In a notebook's cell FORCE_COLOR is set: that makes a pipe no terminal, which could be drawn on.
        is_terminal = None if stream.isatty() else False
        self._console = Console(highlight=False, stderr=to_stderr, quiet=is_quiet, force_terminal=is_terminal)
        self._log = Log()
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._path = path.resolve()
        folder = {"metadata": {"path": str(self._path.parent)}}
        name = kernel if kernel in KernelSpecManager().find_kernel_specs() else _OWN_KERNEL
        self._client = _Client(self.notebook, self._show, resources=folder, kernel_name=name)
        if kernel not in {name, None}:
            self.print(Text(f"there is no kernel {kernel!r} here: {name} is taken", style="dim"))

    def __enter__(self) -> Self:
        # The first as a server does: it names the flow. But nobody sits before a widget here.
        named = str(self._path.with_suffix(".ipynb"))
        environment = {**os.environ, "JPY_SESSION_NAME": named, SETTING: "off"}
        self._client.create_kernel_manager()
        try:
            self._client.start_new_kernel(env=environment)
            self._client.start_new_kernel_client()
        except BaseException:
            self._stop()
            raise
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._live.stop()
        self._stop()

    def _stop(self) -> None:
        manager = self._client.km
        if manager is not None and manager.has_kernel:
            with suppress(Exception):
                self._client._cleanup_kernel()  # noqa: SLF001 - the public way starts the kernel as well
        self._client.close()

    def run(self, cell: NotebookNode, label: str) -> None:
        """Run a cell; its outputs become its own.

        Raises
        ------
        CellFailed
        """
        self._live.update(Text(label, style="dim"), refresh=True)
        self.notebook.cells.append(cell)
        try:
            self._client.execute_cell(cell, len(self.notebook.cells) - 1)
        except (CellExecutionError, DeadKernelError) as error:
            raise CellFailed(label, _traceback_of(cell) or _said_by(cell) or str(error)) from None

    def ask(self, function: str, **given: Any) -> Any:
        """Call a function of `graflow_nb.notebook.remote` in the kernel, and return its answer.

        Raises
        ------
        CellFailed
        """
        cell = new_code_cell(f"from graflow_nb.notebook import remote as _r; _r.answer({function!r}, {given!r})")
        try:
            self.run(cell, "")
        finally:
            self.notebook.cells.pop()
        return next(output.data[ANSWER]["answer"] for output in cell.outputs if ANSWER in output.get("data", {}))

    def print(self, text: Text | str) -> None:
        """Print lines; where they go to a file, as long as they are."""
        self._console.print(text, soft_wrap=not self._console.is_terminal)

    def _show(self, text: str, *, finished: bool) -> None:
        if not self._console.is_terminal:
            for line in self._log.lines(text, finished=finished):
                self.print(Text.from_ansi(line))
        elif finished:
            self.print(styled(text))
            self._live.update(Text(""), refresh=True)
        else:
            self._live.update(styled(text), refresh=True)


class _Client(NotebookClient):
    """A notebook client that looks at the displays of runs as they pass."""

    def __init__(self, notebook: NotebookNode, show: Any, **options: Any) -> None:
        super().__init__(notebook, timeout=None, **options)
        self._show_run = show
        self._sockets = TemporaryDirectory(prefix="graflow-")

    def close(self) -> None:
        self._sockets.cleanup()

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


def _said_by(cell: NotebookNode) -> str:
    """Return what a cell wrote to stderr: an error of usage is said there, without a traceback."""
    return "".join(output.text for output in cell.outputs if output.get("name") == "stderr").strip()


def _traceback_of(cell: NotebookNode) -> str:
    errors = [output for output in cell.outputs if output.output_type == "error"]
    return "\n".join(errors[-1].traceback) if errors else ""
