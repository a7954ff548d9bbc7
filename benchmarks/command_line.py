"""The command line: a notebook of which nothing is out of date, beside the start of a kernel alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import Contender, Table, compare

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
KERNEL = """
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
client.execute_interactive("{code}")
client.stop_channels()
manager.shutdown_kernel()
"""


def command(folder: str) -> None:
    """Run the quickstart in a folder."""
    where = [sys.executable, "-m", "graflow_nb.cli", "run", "01_quickstart.ipynb", "--cache", "disk"]
    subprocess.run(where, check=True, capture_output=True, cwd=folder)


def quickstart() -> Contender:
    folder = tempfile.mkdtemp()
    shutil.copytree(NOTEBOOKS / "data", Path(folder, "data"), dirs_exist_ok=True)
    shutil.copy(NOTEBOOKS / "01_quickstart.ipynb", folder)
    command(folder)  # everything is kept now
    return Contender(
        "graflow-nb run, nothing to do", lambda _: command(folder), close=lambda: shutil.rmtree(folder)
    )


def kernel() -> Contender:
    return _kernel("a kernel alone", "None")


def importing() -> Contender:
    return _kernel(
        "a kernel, and what the notebook imports",
        "import matplotlib.pyplot, pandas, sklearn.linear_model, sklearn.model_selection, sklearn.pipeline",
    )


def _kernel(name: str, code: str) -> Contender:
    where = [sys.executable, "-c", KERNEL.format(code=code)]
    return Contender(name, lambda _: subprocess.run(where, check=True, capture_output=True))


def main() -> list[Table]:
    """Measure, and print."""
    table = compare(
        "The quickstart from the command line, everything kept on disk",
        (quickstart, kernel, importing),
        unit="s",
        scale=1,
    )
    most = table.rows["a kernel alone"].min + 1.5
    table.expect("graflow-nb run (1.5 s above a kernel)", most, "graflow-nb run, nothing to do")
    return [table.show()]


if __name__ == "__main__":
    main()
