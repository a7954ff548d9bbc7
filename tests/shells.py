"""A notebook in this process: an IPython shell that is loaded, fed with cells, and taken away again."""

from __future__ import annotations

import atexit
import contextlib
import io
import sys
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from graflow_nb.notebook.extension import _LOADED, load, unload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graflow_nb import Task, WorkflowContext
    from graflow_nb.core.run import Run
    from graflow_nb.notebook.session import Session


class Notebook:
    """Runs cells as a kernel would, and keeps what they showed.

    Attributes
    ----------
    text : str
        What the last cell printed.
    displays : list of dict
        What the last cell displayed, updates included.
    error : BaseException or None
        What the last cell raised.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.text = ""
        self.displays: list[dict[str, Any]] = []
        self.error: BaseException | None = None

    @property
    def ns(self) -> dict[str, Any]:
        return self.shell.user_ns

    @property
    def session(self) -> Session:
        return _LOADED[self.shell].session

    @property
    def flow(self) -> WorkflowContext:
        return self.session.flow

    @property
    def last_run(self) -> Run:
        assert self.flow.last_run is not None
        return self.flow.last_run

    @property
    def statuses(self) -> dict[str, str]:
        return {name: str(status) for name, status in self.last_run.statuses.items()}

    @property
    def ran(self) -> list[str]:
        """The tasks whose code ran in the last run, sorted."""
        return sorted(name for name, status in self.statuses.items() if status != "cached")

    @property
    def said(self) -> str:
        """Everything that the last cell showed, as text."""
        return "\n".join([self.text, *(d["data"].get("text/plain", "") for d in self.displays)])

    def __getitem__(self, task: str) -> Task:
        return self.flow[task]

    def try_(self, source: str, cell: str | None = None, deleted: tuple[str, ...] = ()) -> str:
        """Run a cell whatever comes of it; return all that it showed."""
        code = dedent(source).lstrip("\n")
        metadata = {"cellId": cell, "deletedCells": list(deleted)}
        self.shell.get_parent = lambda: {"metadata": metadata, "content": {"code": code}}
        self.shell.display_pub.outputs.clear()
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            result = self.shell.run_cell(code, store_history=True, cell_id=cell)
        self.text, self.displays = shown.getvalue(), list(self.shell.display_pub.outputs)
        self.error = result.error_before_exec or result.error_in_exec
        return self.said

    def __call__(self, source: str, cell: str | None = None, deleted: tuple[str, ...] = ()) -> str:
        """Run a cell that must succeed; return all that it showed."""
        said = self.try_(source, cell, deleted)
        assert self.error is None, said
        return said

    def run(self, line: str = "") -> list[str]:
        """Run the flow, which must succeed; return the tasks whose code ran."""
        self(f"%flow run {line}")
        return self.ran

    def refused(self, source: str, cell: str | None = None) -> str:
        """Run a cell that must end in an error; return what it showed."""
        said = self.try_(source, cell)
        assert self.error is not None, said
        return said

    def texts(self, task: str) -> str:
        """What a task printed, displayed and raised in its last run, as text."""
        return "".join(map(as_text, self[task].outputs))


def as_text(output: dict[str, Any]) -> str:
    """An output's text."""
    kind = output["output_type"]
    if kind == "stream":
        return output["text"]
    if kind == "error":
        return f"{output['ename']}: {output['evalue']}"
    return output["data"].get("text/plain", "")


@contextlib.contextmanager
def new_shell() -> Iterator[InteractiveShell]:
    """Give a shell of its own, the one that `get_ipython()` means; as if in a kernel: no terminal is drawn on."""
    before = dict(vars(sys)), sys.modules.get("__main__")
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.hist_file = ":memory:"
    config.HistoryAccessor.enabled = False
    shell = InteractiveShell.instance(config=config, colors="nocolor")
    shell.kernel = None
    shell.display_pub = CapturingDisplayPublisher(parent=shell)
    try:
        yield shell
    finally:
        shell.restore_sys_module_state()
        atexit.unregister(shell.atexit_operations)  # else each would collect garbage once more at the very end
        shell.history_manager.end_session()
        if shell.history_manager.db is not None:
            shell.history_manager.db.close()
        InteractiveShell.clear_instance()
        for name in ("excepthook", "displayhook", "stdout", "stderr"):
            setattr(sys, name, before[0][name])
        sys.modules["__main__"] = before[1]


@contextlib.contextmanager
def new_notebook() -> Iterator[Notebook]:
    """Give a notebook with the extension loaded; unload it in the end."""
    with new_shell() as shell:
        shell.kernel = object()
        load(shell)
        try:
            yield Notebook(shell)
        finally:
            unload(shell)
