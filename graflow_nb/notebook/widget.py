"""The live widget as traits: what it shows, and what it is told. `graflow_nb.notebook.board` fills it."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets
import traitlets

from graflow_nb.views.live import statuses_data
from graflow_nb.views.packed import packed

STATIC = Path(__file__).parent / "static"
_SYNC = {"sync": True}
_COMMENT = re.compile(r"^[ \t]*(?:/\*.*?\*/|//[^\n]*)\n", re.MULTILINE | re.DOTALL)
_INDENT = re.compile(r"^\s+", re.MULTILINE)


def shipped(name: str) -> str:
    """Return a file of code without its comments and indentation: it is saved with each widget's state.

    Whole lines only, and no string there goes over several lines.
    """
    text = (STATIC / name).read_text("utf-8")
    text = _COMMENT.sub("", text)
    return _INDENT.sub("", text)


class FlowWidget(anywidget.AnyWidget):
    """A flow, drawn and kept up to date by the front end.

    Indices in all traits are those of `graph`'s nodes.

    Parameters
    ----------
    flow : str
        Its name.

    Attributes
    ----------
    lock : threading.RLock
        Held by whoever sets traits: a message of the front end may come on another thread.
    display_id : str
        That of the static picture beside it.
    """

    _esm = shipped("widget.js")
    _css = shipped("widget.css")

    graph = traitlets.Dict().tag(**_SYNC, to_json=lambda graph, _: packed(graph))
    states = traitlets.Bytes(b"").tag(**_SYNC)
    statuses: traitlets.List[Any] = traitlets.List().tag(**_SYNC)
    times = traitlets.Bytes(b"").tag(**_SYNC)
    progress = traitlets.Dict().tag(**_SYNC)
    run = traitlets.Dict().tag(**_SYNC)
    params: traitlets.List[Any] = traitlets.List().tag(**_SYNC)
    auto = traitlets.Bool(default_value=False).tag(**_SYNC)
    direction = traitlets.Enum(["LR", "TB"], default_value="LR").tag(**_SYNC)
    selected = traitlets.Int(-1).tag(**_SYNC)
    pane = traitlets.Dict().tag(**_SYNC)
    outputs = traitlets.Instance(ipywidgets.Output).tag(**_SYNC, **ipywidgets.widget_serialization)
    timeline = traitlets.Dict().tag(**_SYNC)

    def __init__(self, flow: str) -> None:
        self.lock = threading.RLock()
        self.flow_name = flow
        self.display_id = ""
        super().__init__(statuses=statuses_data(), outputs=ipywidgets.Output())
        comm = self.comm
        if hasattr(comm, "_reply_subshell_for"):
            # ipykernel 7.4 answers on the shell that spoke last: a blocked one, while a cell runs.
            comm._reply_subshell_for = lambda _, default: default  # noqa: SLF001

    def set_state(self, sync_data: Any) -> None:
        """Take what the front end changed."""
        with self.lock:
            super().set_state(sync_data)

    def show(self, **values: Any) -> bool:
        """Set traits, in one message; those that are as they were are not sent. Return whether there was one."""
        with self.lock, self.hold_sync():
            new = {name: value for name, value in values.items() if getattr(self, name) != value}
            for name, value in new.items():
                setattr(self, name, value)
        return bool(new)

    def close(self) -> None:
        """Close it with all that belongs to it."""
        with self.lock:
            for widget in (self.outputs.layout, self.outputs, self.layout):
                widget.close()
            super().close()

    def __repr__(self) -> str:
        return f"<FlowWidget {self.flow_name!r}>"
