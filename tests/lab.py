"""A real JupyterLab in a real browser: a server of its own, and what a person does with a notebook in it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Locator, Page

QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # all cells are in the page, seen or not
    "apputils-extension/notification": {"checkForUpdates": False, "fetchNews": "false"},
    "docmanager-extension/plugin": {"autosave": False},
}
EXECUTE = "([name, options]) => jupyterapp.commands.execute(name, options).then(done => done ?? null)"

IS_IDLE = """() => {
    const kernel = globalThis.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel;
    return kernel?.connectionStatus === "connected" && kernel.status === "idle";
}"""


@contextlib.contextmanager
def serve(root: Path, notebooks: Path, app: str = "lab", **environment: str) -> Iterator[str]:
    """Run JupyterLab, or Notebook 7, on a folder; give its address, in which a notebook's name is missing."""
    for name, values in SETTINGS.items():
        file = root / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), "utf-8")
    places = {
        "JUPYTER_CONFIG_DIR": root / "config",
        "JUPYTER_DATA_DIR": root / "data",
        "JUPYTER_RUNTIME_DIR": root / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": root / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": root / "workspaces",
        "IPYTHONDIR": root / "ipython",
    }
    token, port = secrets.token_hex(8), _free_port()
    command = [
        *(
            sys.executable,
            "-m",
            "jupyterlab" if app == "lab" else "notebook",
            "--no-browser",
            "--allow-root",
            "--expose-app-in-browser",
        ),
        *(f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1"),
        *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={notebooks}"),
    ]
    environment = {**os.environ, **{name: str(place) for name, place in places.items()}, **environment}
    with (root / "lab.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_until_it_answers(server, f"http://127.0.0.1:{port}/api?token={token}", root / "lab.log")
        where = "lab/tree/{}?reset&token=" if app == "lab" else "notebooks/{}?token="
        yield f"http://127.0.0.1:{port}/{where}{token}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_until_it_answers(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    for _ in range(300):
        with contextlib.suppress(urllib.error.URLError):
            urllib.request.urlopen(address, timeout=10)
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=0.2)
            break
    raise RuntimeError(f"JupyterLab does not answer:\n{log.read_text()}")


class LabNotebook:
    """A notebook that is open in JupyterLab, with an idle kernel.

    Parameters
    ----------
    page : Page
    address : str
        Where it is.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        page.goto(address)
        page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()

    def command(self, name: str, **options: Any) -> Any:
        """Do what an item of the menus does, to its end."""
        return self.page.evaluate(EXECUTE, [name, options])

    def run_all(self) -> None:
        """Do Run All, up to the end or the first cell that fails."""
        self.command("notebook:run-all-cells")

    def cell(self, text: str, which: int = -1) -> LabCell:
        """Find the cell in whose code a text stands; by default the last of them."""
        code = self.page.locator(".cm-content", has_text=text)
        return LabCell(self, self.panel.locator(".jp-CodeCell").filter(has=code).nth(which))

    def interrupt(self) -> None:
        """Press the button with the square."""
        self.panel.locator("[data-jp-item-name=interrupt]").click()

    def add(self, source: str) -> LabCell:
        """Add a cell at the end."""
        cells = self.panel.locator(".jp-Cell")
        cells.last.locator(".jp-InputPrompt").click()
        self.command("notebook:insert-cell-below")
        cell = LabCell(self, cells.nth(cells.count() - 1))
        cell.write(source)
        return cell


class LabCell:
    """One code cell.

    Parameters
    ----------
    notebook : LabNotebook
    element : Locator
    """

    def __init__(self, notebook: LabNotebook, element: Locator) -> None:
        self.notebook = notebook
        self.element = element
        self.picture = element.locator(".jp-OutputArea img[src^='data:image/svg+xml']")
        self.output = element.locator(".jp-OutputArea")
        self.blocks = element.locator(".jp-OutputArea details")

    @property
    def summary(self) -> str:
        """What the picture says of itself to those who do not see it."""
        return self.picture.get_attribute("alt") or ""

    def code(self) -> str:
        """Return the code as it stands."""
        return "\n".join(self.element.locator(".cm-line").all_text_contents())

    def write(self, source: str) -> None:
        """Replace the code, by keyboard."""
        self.element.locator(".cm-content").click()
        self.notebook.page.keyboard.press("Control+A")
        self.notebook.page.keyboard.insert_text(source)

    def run(self) -> None:
        """Run the cell to its end."""
        self.element.locator(".jp-InputPrompt").click()
        self.notebook.command("notebook:run-cell")

    def start(self) -> None:
        """Begin to run the cell."""
        self.element.locator(".cm-content").click()
        self.notebook.page.keyboard.press("Control+Enter")

    def answer(self, text: str) -> None:
        """Answer the running cell, which asks for input."""
        box = self.element.locator(".jp-Stdin-input").element_handle()
        box.fill(text)
        box.press("Enter")
        box.wait_for_element_state("hidden")

    def ended(self) -> None:
        """Wait until the cell does not run any more."""
        self.element.locator(".jp-InputArea-prompt", has_text="*").wait_for(state="detached")

    def statuses(self) -> dict[str, str]:
        """What became of the tasks that the cell ran and that have outputs, by name."""
        words = [row.split() for row in self.blocks.locator("summary").all_inner_texts()]
        return {name: status for _, name, status, *_ in words}

    def pick(self, status: str) -> set[str]:
        """Return the tasks, of those that have outputs, of which this became."""
        return {name for name, word in self.statuses().items() if word == status}
