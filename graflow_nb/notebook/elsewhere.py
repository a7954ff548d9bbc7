"""What a task in another process displays, sent to its sink in the notebook's kernel.

There it is shown as if the task had displayed it there. It is formatted where the task runs: its objects are
there. For this the process has a shell of its own, which runs no cells.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from graflow_nb.backends.mirror import Aspect, add_aspect
from graflow_nb.backends.there import home
from graflow_nb.notebook.figures import show_figures
from graflow_nb.notebook.sink import SINK
from graflow_nb.notebook.traceback import error_dict

if TYPE_CHECKING:
    from graflow_nb.core.call import Call, Outcome


class Elsewhere:
    """Stands round a call in another process.

    Parameters
    ----------
    name : str
        The task's.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def before(self, call: Call) -> None:  # noqa: ARG002 - as in Around
        """Let the value of a cell's last expression be sent."""
        stand_in: Any = SimpleNamespace(name=self._name, add=lambda output: _tell(add_output, output))
        SINK.set(stand_in)

    def after(self, call: Call, outcome: Outcome) -> None:  # noqa: ARG002 - as in Around
        """Show the figures that were left open."""
        try:
            show_figures()
        finally:
            SINK.set(None)

    def remote(self, call: Call) -> None:
        """Return nothing: it is there already."""

    def take(self, call: Call, outcome: Outcome) -> None:
        """Do nothing: it is there already."""


class Sender(DisplayPublisher):
    """Sends what is displayed."""

    def publish(
        self,
        data: Any,
        metadata: Any = None,
        source: Any = None,  # noqa: ARG002 - as in its class
        *,
        transient: Any = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        """Have something displayed where the run is."""
        _tell(publish, data, metadata, transient, update)

    def clear_output(self, wait: bool = False) -> None:
        """Have what was displayed taken away."""
        _tell(clear_output, wait)


class WorkerShell(InteractiveShell):
    """The shell of a worker process: `display` and `get_ipython` find it."""

    display_pub_class = Type(Sender)

    def enable_gui(self, gui: Any = None) -> None:
        """Do nothing: it has no event loop."""

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:  # noqa: ARG002 - as in its class
        _tell(add_output, error_dict(evalue, list(stb)))


def add_output(output: dict[str, Any]) -> None:
    """Take an output as it is, for the task that this is called for."""
    if (sink := SINK.get()) is not None:
        sink.add(output)


def publish(data: Any, metadata: Any, transient: Any, update: bool) -> None:
    """Display something that a task in another process displayed."""
    shell: Any = InteractiveShell.instance()
    shell.display_pub.publish(data, metadata, transient=transient, update=update)


def clear_output(wait: bool) -> None:
    """Take away what a task in another process displayed."""
    shell: Any = InteractiveShell.instance()
    shell.display_pub.clear_output(wait)


def take_over_shell(facts: dict[str, Any] | None) -> None:
    """In a worker: have a shell that formats as that of the notebook does."""
    if facts is None:
        return
    if not InteractiveShell.initialized():
        config = Config()
        config.HistoryManager.enabled = False
        WorkerShell.instance(config=config)
    shell: Any = InteractiveShell.instance()
    shell.display_formatter.active_types = facts["types"]
    if (figures := sys.modules.get("matplotlib.figure")) is not None:
        _have_figures_drawn(shell, figures.Figure)


def _have_figures_drawn(shell: Any, kind: type) -> None:
    """Have figures shown as pictures where pyplot was loaded before the shell; else it sees to that itself."""
    from IPython.core.pylabtools import select_figure_formats

    try:
        shell.display_formatter.formatters["image/png"].lookup_by_type(kind)
    except KeyError:
        select_figure_formats(shell, {"png"})


def _facts() -> dict[str, Any] | None:
    if not InteractiveShell.initialized():
        return None
    formatter: Any = InteractiveShell.instance().display_formatter
    return {"types": [*formatter.active_types]}


def _tell(do: Any, *args: Any) -> None:
    link = home()
    assert link is not None, "what is displayed here is displayed by a task"
    link.tell(do, *args)


add_aspect("shell", Aspect(_facts, take_over_shell))
