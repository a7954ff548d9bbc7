"""Take the README's pictures anew, from a real JupyterLab: python notebooks/screenshots.py

The quickstart is run to its end; the pictures are of its last run. Stored with 256 colours.
"""

import io
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from lab import QUIET, LabNotebook, serve  # noqa: E402

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    with TemporaryDirectory() as root, sync_playwright() as playwright:
        folder = shutil.copytree(HERE, Path(root, "notebooks"))
        browser = playwright.chromium.launch(
            executable_path=next(filter(None, map(shutil.which, BROWSERS))), args=QUIET
        )
        page = browser.new_page(viewport={"width": 1400, "height": 1000}, device_scale_factor=1.5)
        with serve(Path(root), folder) as address:
            take(LabNotebook(page, address.format("01_quickstart.ipynb")))
        browser.close()


def take(notebook: LabNotebook) -> None:
    page = notebook.page
    notebook.run_all()
    run = notebook.cell("%flow run", 1)
    widget = run.element.locator(".gf").first
    widget.locator(".gf-node", has_text="report").click()
    widget.locator(".gf-outputs img").wait_for()
    settle(widget)
    save(widget, "widget")
    notebook.command("apputils:change-theme", theme="JupyterLab Dark")
    page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    settle(widget)
    save(widget, "widget-dark")
    notebook.command("apputils:change-theme", theme="JupyterLab Light")
    page.locator("body[data-jp-theme-light=true]").wait_for(state="attached")
    notebook.add("%flow run --force").run()
    first = notebook.cell("%flow run", 0).element.locator(".gf").first
    first.get_by_text("Timeline").click()
    first.get_by_text("Critical path").wait_for()
    settle(first)
    save(first, "timeline")


def settle(widget) -> None:
    """Show the whole graph, with the pointer elsewhere, when nothing moves any more."""
    fit = widget.get_by_role("button", name="Fit")
    if fit.count():
        fit.first.click()
    widget.page.mouse.move(0, 0)
    widget.page.wait_for_timeout(800)


def save(widget, name: str) -> None:
    shown = Image.open(io.BytesIO(widget.screenshot())).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    path = HERE / "images" / f"{name}.png"
    shown.save(path, optimize=True)
    print(f"{path.relative_to(HERE.parent)}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
