"""What the live widget sends, in a real kernel: few messages, whatever happens, and the kernel's "idle" always comes."""

from __future__ import annotations

import pytest
from kernels import PATIENCE, new_kernel

from graflow_nb.views.live import STALE

FLOW = """
from graflow_nb import task, workflow
with workflow("many") as many:
    for n in range(400):
        task(name=f"t{n}")(lambda: None)
"""


@pytest.fixture(scope="module")
def kernel():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRAFLOW_NB_WIDGET", "on")
        with new_kernel() as kernel:
            kernel(FLOW, "define")
            yield kernel


def messages(kernel, source, cell):
    """Run a cell; return the widget messages until it is idle, by kind."""
    sent = kernel.send(source, cell)
    found = []
    while True:
        message = kernel.client.get_iopub_msg(timeout=PATIENCE)
        if message["msg_type"].startswith("comm_"):
            found.append(message)
        is_ours = message["parent_header"].get("msg_id") == sent
        if is_ours and message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            kernel._answer(sent)
            return found


def test_a_burst_of_statuses_is_a_handful_of_messages(kernel):
    kernel("%flow use many", "show")
    found = messages(kernel, "run = many.run(force=True)\nseconds = run.seconds", "run")
    seconds = kernel.value("seconds")
    widgets = 2
    updates = [m for m in found if m["msg_type"] == "comm_msg"]
    assert len(updates) <= widgets * (10 * seconds + 4)


def test_the_last_state_arrives(kernel):
    statuses = "[int(b) & 15 for w in list(_live()) for b in set(w.states)]"
    kernel("from ipywidgets.widgets.widget import _instances", "import")
    kernel("_live = lambda: [w for w in _instances.values() if type(w).__name__ == 'FlowWidget']", "live")
    kernel("many.run(force=True)", "run")
    kernel(
        """
        import threading
        for thread in threading.enumerate():
            if thread.name == "graflow-publisher":
                thread.join()
        """,
        "wait",
    )
    assert set(kernel.value(statuses)) == {5}


def test_running_a_cell_again_closes_its_widgets(kernel):
    kernel("%flow show", "again")
    before = kernel.value("len(_instances)")
    closed = [m for m in messages(kernel, "%flow show", "again") if m["msg_type"] == "comm_close"]
    assert len(closed) == 4
    assert kernel.value("len(_instances)") == before


def test_what_a_cell_put_out_of_date_is_marked_when_no_other_follows(kernel):
    kernel("import graflow_nb\nlooked = graflow_nb.workflow('looked')\nlooked.param('x', 1)", "made")
    kernel("looked.run()", "ran")
    kernel("looked.param('x', 2)", "changed")
    while True:
        message = kernel.client.get_iopub_msg(timeout=PATIENCE)
        if message["msg_type"] == "comm_msg" and any(byte & STALE for byte in b"".join(message["buffers"])):
            return
