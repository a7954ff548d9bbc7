"""A real kernel, fed with cells as a front end does."""

from __future__ import annotations

import contextlib
import time
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client.blocking.client import BlockingKernelClient

PATIENCE = 60
"""Seconds to wait for the kernel; far more than anything takes."""


class Kernel:
    """Runs cells in a kernel.

    Attributes
    ----------
    outputs : list of dict
        What the last cell's output area shows, as nbformat outputs.
    reply : dict
        The answer to the last execution.
    """

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.outputs: list[dict[str, Any]] = []
        self.reply: dict[str, Any] = {}

    def send(self, source: str, cell: str | None = None, deleted: tuple[str, ...] = ()) -> str:
        """Send a cell, and return the message's id."""
        content = {
            "code": dedent(source).strip("\n"),
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        metadata = {"deletedCells": list(deleted), **({"cellId": cell} if cell else {})}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def try_(self, source: str, cell: str | None = None, deleted: tuple[str, ...] = ()) -> str:
        """Run a cell whatever comes of it; return all its texts."""
        return self.finish(self.send(source, cell, deleted))

    def finish(self, sent: str) -> str:
        """Wait until a cell that was sent has ended; return all its texts."""
        self.outputs, displays = [], {}
        deadline = time.monotonic() + PATIENCE
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if time.monotonic() > deadline:  # it goes on, and shows so
                self.manager.interrupt_kernel()
                raise TimeoutError(f"the cell did not end within {PATIENCE} s: {self.text}")
            if message["parent_header"].get("msg_id") != sent:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            self._show(kind, content, displays)
        self.reply = self._answer(sent)
        return self.text

    def _show(self, kind: str, content: dict[str, Any], displays: dict[str, dict[str, Any]]) -> None:
        display_id = content.get("transient", {}).get("display_id")
        if kind == "update_display_data":
            displays[display_id]["data"] = content["data"]
        elif kind == "clear_output":
            self.outputs.clear()
        elif kind in {"stream", "error", "display_data", "execute_result"}:
            output = {"output_type": kind, **content}
            self.outputs.append(output)
            if display_id:
                displays[display_id] = output

    def _answer(self, sent: str) -> dict[str, Any]:
        while True:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == sent:
                return reply["content"]

    @property
    def text(self) -> str:
        """The texts of the last cell's outputs."""
        return "".join(
            o["text"]
            if o["output_type"] == "stream"
            else "\n".join(o["traceback"])
            if o["output_type"] == "error"
            else o["data"].get("text/plain", "")
            for o in self.outputs
        )

    def __call__(self, source: str, cell: str | None = None, deleted: tuple[str, ...] = ()) -> str:
        """Run a cell that must succeed; return all its texts."""
        said = self.try_(source, cell, deleted)
        assert self.reply["status"] == "ok", said
        return said

    def value(self, expression: str) -> Any:
        """Return the value of an expression, a literal."""
        import ast

        self(f"print(repr(({expression})))")
        return ast.literal_eval(self.text)

    def outputs_of(self, task: str) -> list[dict[str, Any]]:
        """What a task of the flow in use printed and displayed in its last run."""
        return self.value(f"[dict(output) for output in {task}.outputs]")


@contextlib.contextmanager
def new_kernel() -> Iterator[Kernel]:
    """Start a kernel with the extension loaded; end it in the end."""
    manager = KernelManager()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        kernel = Kernel(manager, client)
        kernel("%load_ext graflow_nb")
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
