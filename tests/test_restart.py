"""After a kernel's sudden death the next one carries on from all that had finished, with the outputs."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from kernels import Kernel, new_kernel

if TYPE_CHECKING:
    from pathlib import Path

FLOW = {
    "setup": "def tell(): open('pipe', 'w').close()",
    "load": "%%task load\nprint('loaded', 3)\nrows = [1, 2, 3]\nrows",
    "fit": "%%task fit\nfrom IPython.display import HTML, display\ndisplay(HTML('<b>fitted</b>'))\nsum(rows)",
    "slow": "%%task slow\ntell()\nwhile True: pass",
    "end": "%%task end\n(slow, fit)",
}
WIRES = "fit >> slow"


def open_notebook(kernel: Kernel, folder: Path) -> None:
    kernel(f"%cd -q {folder}")
    for cell, source in FLOW.items():
        kernel(source, cell=cell)
    kernel(WIRES)
    kernel("%flow cache disk")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a named pipe: who opens it for reading waits until somebody writes."""
    os.mkfifo(tmp_path / "pipe")
    with new_kernel() as kernel:
        open_notebook(kernel, tmp_path)
        kernel.send("%flow run --workers 1")
        (tmp_path / "pipe").read_bytes()  # the third task is in its loop
        kernel.manager.provisioner.process.kill()
        kernel.manager.provisioner.process.wait()
    return tmp_path


def test_the_next_kernel_carries_on_from_all_that_had_finished(folder: Path):
    with new_kernel() as kernel:
        open_notebook(kernel, folder)
        kernel("%%task slow\nfit + 1", cell="slow")
        said = kernel("%flow run")
        statuses = kernel.value("[str(t.record.status) for t in (load, fit, slow, end)]")
        assert statuses == ["cached", "cached", "succeeded", "succeeded"], said
        assert kernel.value("[load.result, fit.result, end.result]") == [[1, 2, 3], 6, (7, 6)]
        assert kernel.outputs_of("load")[0]["text"] == "loaded 3\n"
        assert kernel.outputs_of("fit")[0]["data"]["text/html"] == "<b>fitted</b>"
        assert re.search("≡ load +cached", said), "marked as such"
        assert "loaded 3\n" in kernel("%flow show load")
        kernel("%flow show fit")
        assert "<b>fitted</b>" in str(kernel.outputs)
