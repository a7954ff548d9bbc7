"""The live widget in a real JupyterLab, in headless Chromium: how soon it is drawn, and what it costs a run."""

from __future__ import annotations

import shutil
import statistics
import sys
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from harness import Row, Table

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab import LabCell, LabNotebook
    from playwright.sync_api import Page

ROUNDS = 7
MOVES = 150
"""Movements of the mouse, and turns of its wheel, over which frames are counted."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SETUP = """
import os, random, threading, time
import ipywidgets
from graflow_nb import Task, workflow

def noop(): return None

def network(name, count):
    random.seed(1)
    with workflow(name) as flow:
        tasks = [Task(f"{name}_{i}", noop) for i in range(count)]
        for i in range(10, count):
            for j in random.sample(range(max(0, i - 60), i - 5), 1 + (random.random() > 0.7)):
                tasks[j] >> tasks[i]
    return flow

def fan(count):
    def wait():
        while not over.wait(0.01): pass
    with workflow("fan") as flow:
        first = Task("first", wait)
        for i in range(count):
            first >> Task(f"fan_{i}", noop)
    return flow

def measured(flow):
    begin = time.perf_counter()
    flow.run(force=True)
    print("took", time.perf_counter() - begin)

over = threading.Event()
big, wide = network("big", 1000), fan(1000)
"""
STATE = """
from ipywidgets.widgets.widget import _instances
flow = [w for w in _instances.values() if type(w).__name__ == "FlowWidget" and len(w.graph["nodes"]) == 1000][0]
import json
print("bytes", len(json.dumps(flow.get_manager_state(widgets=[flow, flow.outputs, flow.layout]))))
"""
FRAME = "new Promise(done => requestAnimationFrame(() => setTimeout(done)))"  # resolved when it is painted
DRAWN = f"""async ([index, count]) => {{
    const cell = document.querySelectorAll(".jp-NotebookPanel .jp-CodeCell")[index];
    const before = cell.querySelector(".gf");
    const ran = jupyterapp.commands.execute("notebook:run-cell"), begin = performance.now();
    for (;;) {{
        const now = cell.querySelector(".gf");
        if (now && now !== before && now.querySelectorAll(".gf-node").length === count) break;
        await {FRAME};
    }}
    await {FRAME};
    const took = performance.now() - begin;
    await ran;
    return took;
}}"""
COUNT_FRAMES = """() => {
    globalThis.frames_seen = [];
    const next = (at) => { frames_seen.push(at); globalThis.counting = requestAnimationFrame(next); };
    globalThis.counting = requestAnimationFrame(next);
}"""
FRAMES = "() => { cancelAnimationFrame(counting); return frames_seen; }"
WATCH = """([index, word, count]) => {
    const cell = document.querySelectorAll(".jp-NotebookPanel .jp-CodeCell")[index];
    const look = () => {
        if (cell.querySelectorAll(`.gf-card[aria-label$=", ${word}"]`).length >= count)
            setTimeout(() => { globalThis.all_shown = performance.timeOrigin + performance.now(); });
        else requestAnimationFrame(look);
    };
    globalThis.all_shown = null;
    look();
}"""


class Traffic:
    """When messages of widgets came from the kernel."""

    def __init__(self, page: Page) -> None:
        self.times: list[float] = []
        page.on("websocket", lambda socket: socket.on("framereceived", self._take))

    def _take(self, frame: str | bytes) -> None:
        if b"comm_msg" in (frame.encode() if isinstance(frame, str) else frame)[:2000]:
            self.times.append(time.perf_counter())

    def busiest(self, begin: float) -> int:
        """Return how many came in the busiest second since a moment."""
        times = [at for at in self.times if at >= begin]
        return max((sum(at <= other < at + 1 for other in times) for at in times), default=0)


class Bench:
    """A notebook in JupyterLab in which everything is measured.

    Parameters
    ----------
    notebook : LabNotebook
    traffic : Traffic
    """

    def __init__(self, notebook: LabNotebook, traffic: Traffic) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self.traffic = traffic
        self._cells: dict[str, LabCell] = {}
        notebook.add("%load_ext graflow_nb").run()
        notebook.add(SETUP).run()

    def index(self, cell: LabCell) -> int:
        """Return which cell it is."""
        cells = "cell => [...document.querySelectorAll('.jp-NotebookPanel .jp-CodeCell')].indexOf(cell)"
        return int(cell.element.evaluate(cells))

    def cell(self, source: str) -> LabCell:
        """Return the cell with this code; it is added the first time."""
        if source not in self._cells:
            self._cells[source] = self.notebook.add(source)
        return self._cells[source]

    def drawn(self, nodes: int) -> list[float]:
        """Return the milliseconds from a cell's start until its widget is painted; each time of a new flow."""
        shown = self.cell(f"flow_of_{nodes}")
        taken = []
        for _ in range(ROUNDS + 1):
            self.cell(f"flow_of_{nodes} = network('n{{}}'.format(time.time_ns()), {nodes})").run()
            shown.element.locator(".jp-InputPrompt").click()
            taken.append(float(self.page.evaluate(DRAWN, [self.index(shown), nodes])))
        return taken

    def frame_times(self, move: Any) -> list[float]:
        """Return the milliseconds between frames while the mouse does something."""
        self.page.evaluate(COUNT_FRAMES)
        for i in range(MOVES):
            move(i)
        seen = self.page.evaluate(FRAMES)
        return [after - before for before, after in pairwise(seen)]

    def pan_and_zoom(self, cell: LabCell) -> tuple[list[float], list[float]]:
        """Drag the picture about, then turn the wheel over it."""
        mouse, keyboard = self.page.mouse, self.page.keyboard
        stage = cell.element.locator(".gf-stage").first
        stage.scroll_into_view_if_needed()
        box = stage.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        keyboard.down("Control")
        mouse.move(x, y)
        for _ in range(6):
            mouse.wheel(0, -200)
        zoom = self.frame_times(lambda i: mouse.wheel(0, 120 if i // 12 % 2 else -120))
        keyboard.up("Control")
        mouse.move(box["x"] + 12, box["y"] + 12)
        mouse.down()
        pan = self.frame_times(lambda i: mouse.move(x + 3 * (i % 60), y + 2 * (i % 45)))
        mouse.up()
        return pan, zoom

    def burst(self) -> tuple[float, int]:
        """Cancel 1,000 waiting tasks; return the milliseconds until all show it, and messages a second.

        The one that runs is let off: it has some time to stop by itself, whatever shows it.
        """
        cell = self.cell("going = wide.run(background=True)")
        cancel = self.cell("print('cancelled', time.time()); going.cancel()")
        cell.run()
        cell.element.locator(".gf-card[aria-label$=', running']").wait_for(state="attached")
        self.page.evaluate(WATCH, [self.index(cell), "cancelled", 1000])
        begin = time.perf_counter()
        cancel.run()
        self.page.wait_for_function("() => all_shown")
        shown = self.page.evaluate("() => all_shown")
        self.cell("going.wait()").run()
        return shown - 1e3 * number(cancel, "cancelled"), self.traffic.busiest(begin)

    def run(self, setting: str) -> float:
        """Return the milliseconds of a run of 1,000 no-op tasks, with the widget "on" or "off"."""
        cell = self.cell(f"os.environ['GRAFLOW_NB_WIDGET'] = {setting!r}\nmeasured(big)")
        cell.run()
        return 1e3 * number(cell, "took")


def number(cell: LabCell, word: str) -> float:
    """Return the number that a cell printed after a word."""
    text = cell.output.locator(".jp-OutputArea-output pre", has_text=word).first.inner_text()
    return float(text.split(word)[1].split()[0])


def row(values: Sequence[float]) -> Row:
    """Make a row; there is no processor time, since browser, server and kernel share it."""
    return Row(min(values), statistics.median(values), max(values), float("nan"))


@contextmanager
def lab() -> Iterator[Bench]:
    """Open a new notebook in a JupyterLab of its own."""
    import nbformat
    from lab import QUIET, LabNotebook, serve
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        raise FileNotFoundError(f"there is none of {', '.join(BROWSERS)}")
    with TemporaryDirectory() as root, sync_playwright() as playwright:
        folder = Path(root, "notebooks")
        folder.mkdir()
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        empty = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")], metadata=kernel)
        nbformat.write(empty, folder / "bench.ipynb")
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(60_000)
        traffic = Traffic(page)
        with serve(Path(root), folder) as address:
            yield Bench(LabNotebook(page, address.format("bench.ipynb")), traffic)
        browser.close()


def main() -> list[Table]:
    """Measure, and print."""
    tables: list[Table] = []
    try:
        with lab() as bench:
            tables += [measure(bench).show() for measure in (draw, move, change, run, save)]
    except (ImportError, FileNotFoundError) as error:
        absent = Table("The live widget in JupyterLab", "ms")
        absent.left_out["graflow_nb"] = f"{type(error).__name__}: {error}"
        tables.append(absent.show())
    return tables


def draw(bench: Bench) -> Table:
    """Measure from a cell's start until its widget is painted, each time of a flow that is new."""
    table = Table("The live widget: from a cell's start until it is painted", "ms")
    for count, goal in ((20, 200), (1000, 400)):
        first, *later = bench.drawn(count)
        table.rows[f"{count} nodes"] = row(later)
        if count == 20:
            table.rows["20 nodes, the first in a kernel"] = row([first])
        table.expect(f"{count} nodes: from cell start to drawn", goal, f"{count} nodes")
    return table


def move(bench: Bench) -> Table:
    """Measure from frame to frame."""
    table = Table("The live widget, 1,000 nodes: from frame to frame", "ms")
    for name, times in zip(("pan", "zoom"), bench.pan_and_zoom(bench.cell("flow_of_1000")), strict=True):
        table.rows[name] = row(times)
        table.expect(f"1,000 nodes: {name}, from frame to frame (30 a second)", 1e3 / 30, name)
    return table


def change(bench: Bench) -> Table:
    """Measure until 1,000 statuses that change at once are all shown; count the messages meanwhile."""
    table = Table("The live widget: 1,000 statuses change at once", "ms, messages")
    _, *bursts = [bench.burst() for _ in range(ROUNDS + 1)]
    table.rows["until all are shown"] = row([shown for shown, _ in bursts])
    table.rows["messages in the busiest second"] = row([float(count) for _, count in bursts])
    table.expect("1,000 status changes: all shown", 300, "until all are shown")
    table.expect("1,000 status changes: messages a second", 10, "messages in the busiest second")
    return table


def run(bench: Bench) -> Table:
    """Measure runs with the widget and without, in turn."""
    table = Table("A run of 1,000 no-op tasks in JupyterLab", "ms")
    _, *pairs = [(bench.run("on"), bench.run("off")) for _ in range(ROUNDS + 1)]
    with_it, without = zip(*pairs, strict=True)
    table.rows["with the widget"], table.rows["without"] = row(with_it), row(without)
    limit = 1.3 * statistics.median(without)
    table.expect("1,000 no-op tasks with the widget: 1.3 times without", limit, "with the widget")
    return table


def save(bench: Bench) -> Table:
    """Measure the state that a notebook is saved with."""
    table = Table("The live widget, 1,000 nodes: its state in a saved notebook", "kB")
    cell = bench.cell(STATE)
    cell.run()
    table.rows["state"] = row([number(cell, "bytes") / 1e3])
    table.expect("1,000 nodes: the saved state", 200, "state")
    return table


if __name__ == "__main__":
    main()
