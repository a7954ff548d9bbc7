"""What only a real kernel shows: interrupts, cell ids, deleted cells, and notebooks run from top to bottom."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import nbformat
import pytest
from kernels import PATIENCE, Kernel, new_kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOON = 10
"""Seconds within which an interrupt must have ended the cell; it takes about one."""
JOIN = "[t.join(60) for t in threading.enumerate() if t.name.startswith('graflow')]\n"


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with new_kernel() as kernel:
        kernel("import asyncio, threading, time")
        yield kernel


@pytest.fixture
def flow(kernel: Kernel) -> Kernel:
    kernel.try_("%flow reset")
    kernel("gate = threading.Barrier(4)\ndone = threading.Event()")
    return kernel


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe: who opens it for reading waits until somebody writes."""
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def interrupted(kernel: Kernel, pipe: Path, line: str = "") -> str:
    """Run the flow, interrupt it once a task writes into the pipe, and return what the cell showed."""
    sent = kernel.send(f"%flow run --workers 8 {line}")
    pipe.read_text()
    begin = time.monotonic()
    kernel.manager.interrupt_kernel()
    said = kernel.finish(sent)
    assert time.monotonic() - begin < SOON
    assert kernel.reply["status"] == "error"
    return said


def statuses(kernel: Kernel, *tasks: str) -> list[str]:
    return kernel.value(f"[str(t.record.status) for t in [{', '.join(tasks)}]]")


def test_an_interrupt_stops_loops_and_the_next_run_carries_on(flow: Kernel, pipe: Path):
    flow(f"ticks = []\ndef tell(): open({str(pipe)!r}, 'w').close()")
    flow("%%task first\nprint('once')\n1")
    for number in range(4):
        flow(
            f"%%task loop{number}\nfirst\nif gate.wait(60) == 0: tell()\n"
            "while not done.is_set():\n    ticks.append(1)\n    time.sleep(0.01)"
        )
    flow("%%task last\nloop0, loop1, loop2, loop3\n'end'")
    said = interrupted(flow, pipe)
    assert flow.reply["ename"] == "RunInterrupted"
    assert "%flow run carries on from there" in said
    assert "Still in a call" not in said
    loops = [f"loop{number}" for number in range(4)]
    assert statuses(flow, "first", *loops, "last") == ["succeeded", *["cancelled"] * 5]
    flow(JOIN)
    assert flow.value("len(ticks)") == flow.value("len(ticks)")
    assert flow.value("[t.name for t in threading.enumerate() if t.name.startswith('graflow')]") == []
    flow("done.set(); gate.reset()\ndef tell(): pass")
    flow("%flow run --workers 4")
    assert statuses(flow, "first", *loops, "last") == ["cached", *["succeeded"] * 5]
    assert flow.value("last.result") == "end"


def test_an_interrupt_says_what_cannot_be_broken_off(flow: Kernel, pipe: Path):
    flow(f"%%task stuck\nopen({str(pipe)!r}, 'w').close()\ndone.wait()")
    said = interrupted(flow, pipe)
    assert "Still in a call that cannot be broken off: stuck" in said
    flow("done.set()\n" + JOIN)
    flow("assert 'stuck' not in str(threading.enumerate())")


def test_an_interrupt_cancels_coroutines(flow: Kernel, pipe: Path):
    flow(
        f"%%task a\nopen({str(pipe)!r}, 'w').close()\ntry:\n    await asyncio.sleep(600)\nfinally:\n    print('cleaned up')"
    )
    interrupted(flow, pipe)
    assert statuses(flow, "a") == ["cancelled"]
    assert flow.outputs_of("a")[0]["text"] == "cleaned up\n"


def test_an_interrupt_stops_a_task_on_the_main_thread(flow: Kernel, pipe: Path):
    flow(f"%%task a --main-thread\nopen({str(pipe)!r}, 'w').close()\nwhile not done.is_set(): time.sleep(0.01)")
    flow("%%task b\na")
    flow(f"threading.Timer({SOON}, done.set).start()")
    interrupted(flow, pipe)
    assert statuses(flow, "b") == ["cancelled"]


def test_an_interrupt_of_a_plain_cell_is_as_ever(flow: Kernel, pipe: Path):
    flow("%%task a\n1")
    flow("%flow run")
    sent = flow.send(f"open({str(pipe)!r}, 'w').close()\nwhile True: time.sleep(0.01)")
    pipe.read_text()
    flow.manager.interrupt_kernel()
    flow.finish(sent)
    assert flow.reply["ename"] == "KeyboardInterrupt"


def test_a_background_run_is_cancelled_by_the_magic_and_not_by_an_interrupt(flow: Kernel, pipe: Path):
    flow(f"%%task a\nopen({str(pipe)!r}, 'w').close()\nwhile not done.is_set(): time.sleep(0.01)")
    flow("%%task first\nx = 1")
    flow("%flow run --background")
    pipe.read_text()
    flow.manager.interrupt_kernel()
    flow("from graflow_nb.notebook.extension import _LOADED\n(run,) = _LOADED[get_ipython()].session.going")
    assert flow.value("run.is_finished, run.was_cancelled") == (False, False)
    assert "cancelling 1 run(s)" in flow("%flow cancel")
    flow("_ = run.wait(60)")
    assert statuses(flow, "a", "first") == ["cancelled", "succeeded"]
    assert flow("x") == "1"


def test_cells_are_known_by_their_ids(flow: Kernel):
    flow("%%task a\nx = 1", cell="one")
    flow("%%task b\nx", cell="two")
    flow("a >> b", cell="three")
    flow("%flow run")
    flow("%%task c\nx = 1", cell="one")
    assert flow.value("'a' in globals()") is False
    flow("%flow run")
    assert flow.value("b.result, c.result") == (1, None)
    flow("1", deleted=("two", "three"))
    assert flow.value("'b' in globals()") is False


def test_a_traceback_names_the_cell_that_failed(flow: Kernel):
    number = flow.value("get_ipython().displayhook.exec_result.execution_count") + 1
    flow("%%task a\n\nx = 1\nx / 0")
    said = flow.try_("%flow run")
    assert f"In [{number}]" in flow.reply["traceback"][0] or f"In[{number}]" in plain(said)
    assert "line 4" in plain(said)


def plain(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[\d;]*m", "", text)


def test_a_syntax_error_ends_the_cell_with_its_line(flow: Kernel):
    said = plain(flow.try_("%%task a\nx = 1\ny = = 2"))
    assert flow.reply["status"] == "error"
    assert "line 3" in said
    assert "invalid syntax" in said
    assert "graflow_nb" not in said


WORKFLOW = """
with workflow("w") as w:
    @task
    def one(): print("from one"); return 1
    @task
    async def two(one): await asyncio.sleep(0); print("from two"); return one + 1
    @task
    def three(two): print("from three"); return two + 1
"""


def test_execute_lets_prints_through(flow: Kernel):
    flow(WORKFLOW)
    assert flow("w.execute()") == "from one\nfrom two\nfrom three\n3"


def test_run_shows_itself(flow: Kernel):
    flow(WORKFLOW)
    flow("run = w.run()")
    assert "3 succeeded" in flow.text
    assert "from one" not in flow.text
    assert flow.value("[o['text'] for o in two.outputs]") == ["from two\n"]
    flow("again = w.run(raise_errors=True)")
    assert "3 cached" in flow.text
    assert flow.value("again.ok") is True


def test_the_kernels_own_loop(flow: Kernel):
    flow(WORKFLOW)
    flow("run = await w.arun()")
    assert flow.value("run.results") == {"one": 1, "two": 2, "three": 3}
    assert flow.value("[o['text'] for o in two.outputs]") == ["from two\n"]
    flow("kinds = [type(event).__name__ async for event in w.stream(force=True)]")
    kinds = flow.value("kinds")
    assert (kinds[0], kinds[-1], kinds.count("TaskFinished")) == ("RunStarted", "RunFinished", 3)


def test_an_interrupt_of_a_workflows_run_is_a_keyboard_interrupt(flow: Kernel, pipe: Path):
    flow(f"with workflow('w') as w:\n    @task\n    def slow():\n        open({str(pipe)!r}, 'w').close()\n"
         "        while not done.is_set(): time.sleep(0.01)")  # fmt: skip
    sent = flow.send("w.execute()")
    pipe.read_text()
    flow.manager.interrupt_kernel()
    flow.finish(sent)
    assert flow.reply["ename"] == "KeyboardInterrupt"
    flow(JOIN)


def run_all(path: Path, *cells: str) -> nbformat.NotebookNode:
    """Run a notebook as `jupyter nbconvert --execute` does."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(book, timeout=PATIENCE, resources={"metadata": {"path": str(path)}})
    try:
        client.execute()
    finally:
        nbformat.validate(book)
    return book


def texts(cell: nbformat.NotebookNode) -> str:
    return "".join(o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in cell.outputs)


def test_a_notebook_from_top_to_bottom(tmp_path: Path):
    book = run_all(
        tmp_path,
        "%load_ext graflow_nb",
        "#| task: load\nimport json\nrows = json.loads('[1, 2, 3]')\nprint('loaded', len(rows))\nrows",
        "%%task total\nsum(rows)",
        "%%task\ndef mean(load, total):\n    return total / len(load)",
        "load >> mean",
        "%flow run",
        "mean.result, rows",
        "%unload_ext graflow_nb\n%load_ext graflow_nb",
    )
    assert texts(book.cells[6]) == "(2.0, [1, 2, 3])"
    (shown,) = book.cells[5].outputs
    assert "3 succeeded" in shown.data["text/plain"]
    assert "loaded 3" in shown.data["text/html"]
    assert "load" in texts(book.cells[1])


def test_a_failed_run_stops_run_all_after_showing_everything(tmp_path: Path):
    cells = ["%load_ext graflow_nb", "%%task good\nprint('fine')", "%%task bad\n1 / 0", "%flow run", "never = 1"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with pytest.raises(CellExecutionError, match="RunFailed"):
        NotebookClient(book, timeout=PATIENCE, resources={"metadata": {"path": str(tmp_path)}}).execute()
    picture, error = book.cells[3].outputs
    assert "fine" in picture.data["text/html"]
    assert "ZeroDivisionError" in picture.data["text/html"]
    assert error.ename == "RunFailed"
    assert book.cells[4].execution_count is None


def test_plain_cells_between_tasks_are_followed(flow: Kernel):
    flow("%%task load\ndf = [1, 2, 3]", "load")
    flow("%flow run")
    flow("%%time\nX = sum(df)", "plain")
    number = flow.value("len(In)") - 2
    flow("%%task fit\nX * 2", "fit")
    flow("%flow run")
    flow("%%task load\ndf = [1, 2, 4]", "load")
    said = flow.try_("%flow run")
    assert f"StaleInputError: task 'fit' reads 'X', which Cell In[{number}] made from an older 'df'" in said
    assert f"Run cell {number} again" in said
    flow("%%time\nX = sum(df)", "plain")
    flow("%flow run")
    assert flow.value("fit.result") == 14


def test_a_run_in_the_middle_of_a_plain_cell(flow: Kernel):
    flow("%%task load\ndf = [1]", "load")
    flow("%flow run")
    flow("%%task load\ndf = [2]", "load")
    flow("A = [*df]\n%flow run\nB = [*df]")
    flow("%%task reads_b\nB", "fit")
    flow("%flow run")
    flow("%%task reads_a\nA", "fit")
    assert "'A', which Cell In" in flow.try_("%flow run")
