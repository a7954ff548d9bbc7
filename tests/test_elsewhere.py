"""A notebook whose tasks run in other processes: what they show is where it would be from a thread."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from kernels import new_kernel
from redis_servers import SECRET


@pytest.fixture(scope="module")
def kernel():
    with new_kernel() as kernel:
        yield kernel


@pytest.fixture(params=["processes", "dask", "redis"])
def elsewhere(request, kernel):
    if request.param == "redis":
        server, _ = request.getfixturevalue("redis_session")
        names = {"GRAFLOW_NB_REDIS_URL": server.url, "GRAFLOW_NB_SECRET": SECRET}
        kernel(f"import os; os.environ |= {names}")
    return request.param


def outputs(kernel, name):
    """Return what a task showed, in short."""
    return [
        (o["name"], o["text"]) if o["output_type"] == "stream" else (o["output_type"], sorted(o.get("data", ())))
        for o in kernel.value(f"[dict(o) for o in {name}.outputs]")
    ]


def test_prints_displays_and_logs_in_order(kernel, elsewhere):
    kernel("%flow reset")
    kernel("""
        %%task talk
        import logging, sys, warnings
        from IPython.display import HTML, display
        print("one")
        display(HTML("<b>two</b>"))
        print("three", file=sys.stderr)
        logging.getLogger("x").warning("four")
        warnings.warn("five")
        print("six")
        HTML("<i>seven</i>")
    """)
    kernel(f"%flow run --backend {elsewhere}")
    there = outputs(kernel, "talk")
    kernel("%flow run --force")
    assert [kind for kind, _ in there] == [kind for kind, _ in outputs(kernel, "talk")]
    assert there[0] == ("stdout", "one\n")
    assert there[1] == ("display_data", ["text/html", "text/plain"])
    assert "three" in there[2][1]
    assert "five" in there[2][1]
    assert there[-1] == ("execute_result", ["text/html", "text/plain"])


def test_cells_read_variables_helpers_and_other_tasks(kernel, elsewhere):
    kernel("%flow reset")
    kernel("""
        import math
        factor = 3
        def helper(x):
            return factor * math.floor(x) + len(rows)
    """)
    kernel("""
        %%task load
        rows = [1.5, 2.5]
        "loaded"
    """)
    kernel(f"""
        %%task --backend {elsewhere}
        def total(load):
            import os
            return helper(2.2), os.getpid()
    """)
    kernel(f"""
        %%task use --backend {elsewhere}
        import os
        where = os.getpid()
        result = [helper(row) for row in rows], total[0], load
        result
    """)
    kernel("%flow run")
    text = kernel("import os; print(use.result, where != os.getpid() != total.result[1])")
    assert "([5, 8], 8, 'loaded') True" in text


def test_a_failure_shows_the_lines_of_its_cell(kernel, elsewhere):
    kernel("%flow reset")
    kernel("""
        %%task broken
        def inner(x):
            return 1 / x  # this line

        inner(0)
    """)
    text = re.sub(r"\x1b\[[\d;]*m", "", kernel.try_(f"%flow run --backend {elsewhere}"))
    assert "ZeroDivisionError" in text
    assert "return 1 / x  # this line" in text
    assert "inner(0)" in text
    assert "graflow_nb/core" not in text


def test_figures(kernel, elsewhere):
    kernel("%flow reset")
    kernel("import matplotlib.pyplot as plt; plt.rcParams['figure.figsize'] = (2, 1)")
    kernel("""
        %%task draw
        plt.plot([1, 2])
        print(tuple(map(float, plt.rcParams["figure.figsize"])))
    """)
    kernel(f"%flow run --backend {elsewhere}")
    shown = outputs(kernel, "draw")
    assert ("stdout", "(2.0, 1.0)\n") in shown
    assert ("display_data", ["image/png", "text/plain"]) in shown


def test_an_interrupt(kernel, elsewhere, tmp_path):
    kernel("%flow reset")
    flag = tmp_path / "started"
    kernel(f"""
        %%task slow
        import pathlib, time
        pathlib.Path({str(flag)!r}).touch()
        for _ in range(60_000):
            time.sleep(0.01)
    """)
    sent = kernel.send(f"%flow run --backend {elsewhere}")
    while not flag.exists():
        pass
    kernel.manager.interrupt_kernel()
    kernel.finish(sent)
    assert "cancelled" in kernel("print(slow.record.status)")


def test_reuse_across_backends(kernel, elsewhere):
    kernel("%flow reset")
    kernel("""
        %%task one
        value = 1
        value
    """)
    kernel(f"%flow run --backend {elsewhere}")
    assert "1 reused" in kernel("%flow run") or "cached" in kernel("print(one.record.status)")


def test_a_cell_that_reads_what_cannot_be_sent(kernel, elsewhere):
    kernel("%flow reset")
    kernel("import threading; guards = {'a': threading.Lock()}; other = threading.Lock(); number = 1")
    kernel("""
        %%task load
        rows = [1]
    """)
    kernel("""
        %%task guarded
        with guards["a"]:
            total = number + rows[0]
    """)
    text = re.sub(r"\x1b\[[\d;]*m", "", kernel.try_(f"%flow run --backend {elsewhere}"))
    assert "its code cannot be sent" in text
    assert "guarded['guards']['a'] is of type lock" in text


FIGURE = """
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
from IPython.core.interactiveshell import InteractiveShell
from graflow_nb.notebook.elsewhere import take_over_shell
take_over_shell({"types": ["text/plain", "image/png"]})
figure, axes = plt.subplots()
print(*sorted(InteractiveShell.instance().display_formatter.format(figure)[0]))
"""


def test_figures_where_pyplot_was_loaded_before_there_was_a_shell():
    done = subprocess.run([sys.executable, "-c", FIGURE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["image/png", "text/plain"]
