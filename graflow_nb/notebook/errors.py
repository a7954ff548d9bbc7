"""Errors that end a cell without a traceback of ours: what they say is for the reader of the notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_nb.core.errors import GraflowError, describe

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from graflow_nb.core.run import Run


class RunFailed(GraflowError):  # noqa: N818 - says what happened; the errors are the tasks' own
    """Ends the cell of a run in which something failed, so that Run All and CI stop.

    Attributes
    ----------
    run : Run
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        lines = [f"{name}: {describe(error)}" for name, error in run.failures.items()]
        super().__init__(f"{run.summary()}\n" + "\n".join(lines))

    def _render_traceback_(self) -> list[str]:
        """Let IPython show this instead of a traceback: the tasks' own are in their outputs."""
        names = list(self.run.failures)
        lines = [f"\x1b[31m{type(self).__name__}\x1b[0m: {self}"]
        if names:
            lines.append(f"Look closer with  %flow debug {names[0]}  or  %flow why {names[0]}")
        return lines


class RunInterrupted(RunFailed):
    """Ends the cell of a run that was interrupted. What had finished stays finished."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        stuck = f" Still in a call that cannot be broken off: {', '.join(run.stuck)}." if run.stuck else ""
        self.args = (f"{run.summary()}. What had finished is kept; %flow run carries on from there.{stuck}",)


class TaskSyntaxError(GraflowError):
    """Ends a ``%%task`` cell that is no Python; shows what IPython shows for a plain cell."""

    def __init__(self, shell: InteractiveShell, error: SyntaxError) -> None:
        super().__init__(str(error))
        self._lines = list(shell.SyntaxTB.structured_traceback(type(error), error, None))

    def _render_traceback_(self) -> list[str]:
        return self._lines


class CellFailed(GraflowError):  # noqa: N818 - says what happened; the error is the cell's
    """A cell raised an error, or the kernel died.

    Attributes
    ----------
    traceback : str
        As a terminal shows it.
    """

    def __init__(self, label: str, traceback: str) -> None:
        super().__init__(f"{label} failed")
        self.traceback = traceback

    @property
    def plain(self) -> str:
        """The traceback without colours."""
        from rich.text import Text

        return Text.from_ansi(self.traceback).plain
