"""How a run shows itself in a notebook: live while it goes on, a picture with every output afterwards."""

from __future__ import annotations

import logging
import sys
import threading
import time
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from graflow_nb.core.events import Event, RunFinished, RunStarted
from graflow_nb.core.status import Status
from graflow_nb.notebook.live import is_live
from graflow_nb.notebook.sink import SINK
from graflow_nb.notebook.starter import STARTED_BY
from graflow_nb.views.outputs import bounded, is_embeddable
from graflow_nb.views.page import HINT, flow_html, live_html, notes_html, static_html
from graflow_nb.views.snapshot import run_view
from graflow_nb.views.text import to_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from IPython.core.interactiveshell import InteractiveShell

    from graflow_nb.core.plan import Plan
    from graflow_nb.core.run import Run
    from graflow_nb.core.workflow import WorkflowContext
    from graflow_nb.notebook.live import Live
    from graflow_nb.views.model import FlowView

    Image = tuple[dict[str, str], dict[str, Any]]

_log = logging.getLogger("graflow_nb")
INTERVAL = 0.25
"""Seconds between two live pictures; each also costs at most a tenth of the time."""
SELDOM = 2.0
"""The same for the picture that a live widget hides: it is seen only where widgets are not."""
_MOST_TEXT = 500_000
"""Characters of one text that go to the front end: a server cuts off a kernel that sends much more."""
_MOST_DRAWN = 200
"""With more nodes than this, only the progress line is drawn while a run goes on."""


class RunDisplay:
    """Listens to runs that capture their tasks' outputs, and shows each in the cell that started it.

    Parameters
    ----------
    shell : InteractiveShell
    live : Live
    """

    def __init__(self, shell: InteractiveShell, live: Live) -> None:
        self._shell = shell
        self._live = live
        self._shown: dict[str, _Shown] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted) and event.run.is_captured and SINK.get() is None:
            has_widget = self._shows_live(event.run)
            self._shown[event.run.id] = _Shown(self._shell, self._live, event.run, has_widget)
        elif isinstance(event, RunFinished) and (shown := self._shown.pop(event.run.id, None)):
            shown.finish()

    def _shows_live(self, run: Run) -> bool:
        """Show a live widget if that is possible; return whether there is one."""
        if STARTED_BY.get() is not None:
            return True
        return is_live(self._shell) and (
            show_widget(self._shell, self._live, run.workflow, f"graflow-{run.id}") is not None
        )


def show_widget(
    shell: InteractiveShell,
    live: Live,
    flow: WorkflowContext,
    display_id: str,
    plan: Plan | None = None,
    stale: Collection[str] = (),
) -> bool | None:
    """Show a live widget for a flow in the cell that runs, unless it has one; return whether it is new.

    None: that failed, and there has to be a picture instead. It is logged, and never costs a run.
    """
    try:
        widget, is_new = live.open(flow, plan, stale)
        if is_new:
            widget.display_id = display_id
            data, metadata = widget._repr_mimebundle_() or ({}, {})
            shell.display_pub.publish(data, metadata)
    except Exception:
        _log.exception("the live widget of %r cannot be shown", flow.name)
        return None
    return is_new


class _Shown:
    """The display of one run."""

    def __init__(self, shell: InteractiveShell, live: Live, run: Run, has_widget: bool) -> None:
        self._shell = shell
        self._live = live
        self._run = run
        self._has_widget = has_widget
        starter = STARTED_BY.get()
        self._id = starter.display_id if starter is not None else f"graflow-{run.id}"
        self._is_update = self._is_out = starter is not None
        self._over = threading.Event()
        self._follow = self._terminal if is_terminal(shell) else self._notebook
        # In the context of the cell, so that the front end knows which cell the display belongs to.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._follow,), name="graflow-display", daemon=True
        )
        if threading.current_thread() is not threading.main_thread() and not is_terminal(shell):
            self._draw()  # the cell of a run in the background ends now, and later displays only update
        self._thread.start()

    def finish(self) -> None:
        """Show what came of the run, in place of its progress."""
        self._over.set()
        self._thread.join()
        board = self._live.board(self._run.workflow) if self._is_update else None
        view = run_view(self._run) if board is None else board.view()  # a widget shows the whole flow
        notes = [f"  {note}" for note in self._run.notes]
        tracebacks = () if is_terminal(self._shell) else _tracebacks(view)
        image = None if is_terminal(self._shell) else image_of(view)
        self._publish(
            flow_html(view) + notes_html(self._run.notes), "\n".join([to_text(view), *notes, *tracebacks]), image
        )
        for node in view.nodes:
            if self._is_update:
                break  # the cell that has the display ended long ago
            if node.outputs and (is_terminal(self._shell) or not all(map(is_embeddable, node.outputs))):
                replay(self._shell, node.name, node.outputs)

    def _notebook(self) -> None:
        shortest = SELDOM if self._has_widget else INTERVAL
        pause = shortest
        while not self._over.wait(pause):
            begin = time.perf_counter()
            self._draw()
            pause = max(shortest, 10 * (time.perf_counter() - begin))

    def _draw(self) -> None:
        view = run_view(self._run)
        self._publish(live_html(view, picture=len(view.nodes) <= _MOST_DRAWN), to_text(view))

    def _terminal(self) -> None:
        from rich.console import Console
        from rich.live import Live

        from graflow_nb.notebook.terminal import styled

        # What tasks print has its own way: it must not be drawn again above the tree.
        with Live(
            console=Console(), auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        ) as live:
            while not self._over.wait(INTERVAL):
                live.update(styled(to_text(run_view(self._run))), refresh=True)

    def _publish(self, html: str, text: str, image: Image | None = None) -> None:
        bitmap, size = image or ({}, {})
        self._shell.display_pub.publish(
            {"text/html": static_html(html) if self._has_widget else html, **bitmap, "text/plain": text},
            {"graflow_nb": {"flow": self._run.name, "finished": self._run.is_finished}, **size},
            transient={"display_id": self._id},
            update=self._is_out,
        )
        self._is_out = True


def image_of(view: FlowView) -> Image:
    """Give a flow's bitmap for the output of a cell, as data and metadata; none if there are more than 100 boxes.

    Code hosts show it: they take the SVG out of the HTML. A failure is logged, and never costs a run.
    """
    from graflow_nb.views.raster import png_output

    try:
        return png_output(view)
    except Exception:
        _log.exception("the bitmap of %r cannot be drawn", view.name)
        return {}, {}


def replay(shell: InteractiveShell, name: str, outputs: Iterable[dict[str, Any]]) -> None:
    """Give a task's outputs to the front end as they are, under the task's name; only long texts are cut."""
    hint = HINT.replace("{name}", name)
    print(f"── {name} {'─' * 40}")
    for output in outputs:
        if output["output_type"] == "stream":
            print(bounded(output["text"], _MOST_TEXT, hint), end="", file=getattr(sys, output["name"]))
        elif output["output_type"] == "error":
            print("\n".join(output["traceback"]))
        else:
            shell.display_pub.publish(output["data"], output.get("metadata"))


def _tracebacks(view: FlowView) -> Iterator[str]:
    """Give what went wrong as text, for those who see no HTML: logs, and `graflow-nb run`."""
    for node in view.nodes:
        for output in node.outputs if node.status is Status.FAILED else ():
            if output["output_type"] == "error":
                yield from ("", f"── {node.name} {'─' * 40}", *output["traceback"])


def is_terminal(shell: InteractiveShell) -> bool:
    """Whether the shell is IPython in a terminal, not a kernel."""
    return getattr(shell, "kernel", None) is None
