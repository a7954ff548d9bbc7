"""The live widget in a real JupyterLab and a real Notebook 7, as a person uses it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from lab import IS_IDLE, QUIET, LabNotebook, serve

ROOT = Path(__file__).parent.parent
SCREENSHOTS = ROOT / "screenshots"
SECOND = 1000
CELLS = (
    "%load_ext graflow_nb",
    "switch = [True]",
    "%flow param rate 4 --min 0 --max 10",
    "%%task load\nprint('loading')\nrows = list(range(10))\nrows[:3]",
    "%%task clean\nkept = [row for row in rows if row % 2]\nlen(kept)",
    "%%task model\nimport matplotlib.pyplot as plt\nplt.plot([rate * row for row in kept])\nNone",
    """%%task slow
from graflow_nb import context
rows
n = 0
while switch[0]:
    n += 1
    if n % 300_000 == 0:
        print('turn', n // 300_000)
        context.progress(0.4, 'turning')
print('done')""",
    "%%task last\nimport sys\nslow\nprint('careful', file=sys.stderr)",
    "load >> clean >> model",
)
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
ODD = "<img src=x onerror=document.title='hit'>"


def write(folder, name, cells):
    cells = [nbformat.v4.new_code_cell(source) for source in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=KERNEL), folder / name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    for name in ("main", "second", "reload", "restart", "saved", "seven"):
        write(folder, f"{name}.ipynb", CELLS)
    odd = f"from graflow_nb import Task\nTask({ODD!r}, lambda: {ODD!r})\n%flow run"
    write(folder, "odd.ipynb", ("%load_ext graflow_nb", odd))
    failing = ("%load_ext graflow_nb", "%%task bad\nx = 0\n1 / x", "%%task after\nbad", "%flow run")
    write(folder, "failing.ipynb", failing)
    return folder


@pytest.fixture(scope="module")
def address(tmp_path_factory, folder):
    with serve(tmp_path_factory.mktemp("lab"), folder) as address:
        yield address


@pytest.fixture(scope="module")
def browser(chromium_path):
    from playwright.sync_api import sync_playwright

    SCREENSHOTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def open_notebook(browser, address):
    def open_(name):
        return LabNotebook(new_page(browser), address.format(f"{name}.ipynb"))

    return open_


def new_page(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 1000}, device_scale_factor=2)
    page.set_default_timeout(60 * SECOND)
    return page


class Widget:
    """A live widget below a cell."""

    def __init__(self, cell):
        self.cell = cell
        self.element = cell.element.locator(".gf").first
        self.element.wait_for()

    def node(self, name):
        return self.element.locator(".gf-node").filter(has=self.element.page.get_by_text(name, exact=True)).first

    def becomes(self, name, word):
        """Wait until a task has a status."""
        self.element.locator(f".gf-card[aria-label^='{name}, {word}']").first.wait_for()

    def label(self, name):
        return self.node(name).locator(".gf-card").get_attribute("aria-label")

    def press(self, name):
        self.element.get_by_role("button", name=name, exact=True).click()

    def tab(self, name):
        self.element.get_by_role("tab", name=name).click()
        return self.element.locator(".gf-panel:not([hidden])")

    def shoot(self, name):
        self.cell.element.screenshot(path=SCREENSHOTS / f"widget-{name}.png")


@pytest.fixture(scope="module")
def main(open_notebook):
    notebook = open_notebook("main")
    notebook.run_all()
    return notebook


@pytest.fixture(scope="module")
def widget(main):
    return Widget(main.cell("load >>"))


def test_an_expression_draws_the_flow_alive_and_hides_the_picture(widget):
    assert widget.element.locator(".gf-node").count() == 6
    assert widget.label("load").startswith("load, not run")
    assert not widget.cell.picture.is_visible()
    widget.shoot("expression")


def test_run_to_here_runs_in_the_background_and_a_click_shows_the_output(widget):
    widget.node("model").click()
    widget.press("Run to here")
    widget.becomes("model", "succeeded")
    assert widget.label("slow").startswith("slow, not run")
    widget.element.locator(".gf-outputs img").wait_for()
    widget.shoot("output")


def test_the_other_tabs(widget):
    assert "plt.plot" in widget.tab("Code").inner_text()
    assert "there was no result of it yet" in widget.tab("Why").inner_text()
    data = widget.tab("Data").inner_text()
    assert "kept" in data
    assert "[1, 3, 5, 7, 9]" in data
    widget.shoot("data")
    assert "succeeded" in widget.tab("Runs").inner_text()
    widget.tab("Output")


def test_a_parameter_marks_what_is_out_of_date_and_auto_runs_just_that(widget):
    slider = widget.element.locator("input[type=range]")
    slider.focus()
    widget.element.page.keyboard.press("ArrowRight")
    widget.element.locator(".gf-card[aria-label^='model'][aria-description*='out of date']").wait_for()
    widget.shoot("parameter")
    widget.press("Run to here")
    widget.becomes("load", "cached")
    widget.becomes("model", "succeeded")
    assert widget.label("slow").startswith("slow, not run")


def test_a_blocking_run_is_followed_and_cancelled_by_its_button(main):
    run = main.add("%flow run")
    run.start()
    live = Widget(run)
    live.becomes("slow", "running")
    live.node("slow").click()
    live.element.locator(".gf-outputs", has_text="turn 1").wait_for()
    live.shoot("running")
    live.press("Cancel run")
    run.ended()
    live.becomes("slow", "cancelled")
    live.becomes("last", "cancelled")
    live.element.get_by_role("button", name="Run", exact=True).wait_for()
    assert (
        "RunInterrupted"
        in run.element.locator(".jp-RenderedText[data-mime-type*=stderr], .jp-RenderedText").last.inner_text()
    )


def test_cancelling_one_task_in_a_blocking_run_lets_the_rest_go_on(main):
    run = main.add("%flow run ")
    run.start()
    live = Widget(run)
    live.becomes("slow", "running")
    live.node("slow").click()
    live.press("Cancel task")
    run.ended()
    live.becomes("slow", "cancelled")
    live.becomes("last", "skipped")
    live.becomes("model", "cached")


def test_a_background_run_is_followed_by_all_views_and_the_cells_stay_free(main, widget):
    run = main.add("%flow run --background")
    run.run()
    live = Widget(run)
    live.becomes("slow", "running")
    widget.becomes("slow", "running")
    late = main.add("%flow show")
    late.run()
    Widget(late).becomes("slow", "running")
    main.add("switch[0] = False").run()
    for view in (live, widget, Widget(late)):
        view.becomes("slow", "succeeded")
        view.becomes("last", "succeeded")
    widget.element.locator(".gf-card[aria-label^='last'][aria-description*='has warnings']").wait_for()


def test_views_share_no_ids(main, widget):
    again = main.add("%flow show")
    again.run()
    Widget(again).node("load").wait_for()
    ids = main.page.evaluate("[...document.querySelectorAll('.gf [id]')].map(element => element.id)")
    assert len(ids) > 20
    assert len(set(ids)) == len(ids)


def test_the_timeline_shows_what_ran_when(widget):
    widget.element.get_by_text("Timeline").click()
    widget.element.get_by_text("Critical path").wait_for()
    widget.shoot("timeline")
    widget.element.get_by_text("Graph", exact=True).click()


def test_the_cell_of_a_task_is_shown(main, widget):
    widget.node("load").click()
    widget.press("Open cell")
    main.page.locator(".jp-Cell.gf-flash", has_text="%%task load").wait_for()


def test_it_can_be_used_by_keyboard_alone(main, widget):
    page = main.page
    page.keyboard.press("Escape")
    widget.node("load").locator(".gf-card").focus()
    page.keyboard.press("ArrowRight")
    focused = "document.activeElement.getAttribute('aria-label')"
    first = page.evaluate(focused)
    assert re.match(r"(clean|slow|model|rate), ", first)
    page.keyboard.press("Enter")
    widget.element.locator(".gf-pane").wait_for()
    page.keyboard.press("Escape")
    widget.element.locator(".gf-pane").wait_for(state="hidden")
    assert page.evaluate(focused) == first
    assert main.cell("%%task load").element.is_visible(), "the notebook's own keys were not meant"


def test_it_follows_the_dark_theme(main, widget):
    main.command("apputils:change-theme", theme="JupyterLab Dark")
    widget.element.page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    widget.node("model").click()
    widget.tab("Output").locator("img").wait_for()
    widget.shoot("dark")
    assert widget.element.get_attribute("data-theme") == "dark"
    main.command("apputils:change-theme", theme="JupyterLab Light")
    widget.element.page.locator("body[data-jp-theme-light=true]").wait_for(state="attached")


def test_no_view_is_left_behind_when_its_cell_runs_again(main):
    cell = main.cell("load >>")
    for _ in range(3):
        cell.run()
    assert cell.element.locator(".gf").count() == 1
    main.add("import threading\nprint(sum('publisher' in t.name for t in threading.enumerate()))").run()


def test_names_are_text(open_notebook):
    notebook = open_notebook("odd")
    notebook.run_all()
    live = Widget(notebook.cell("%flow run"))
    live.element.locator(".gf-node").first.click()
    live.tab("Code")
    live.tab("Data").get_by_text("onerror").first.wait_for()
    assert notebook.page.title() != "hit"
    assert live.element.locator("img").count() == 0


def test_a_reloaded_page_shows_the_run_that_goes_on(open_notebook):
    notebook = open_notebook("reload")
    notebook.run_all()
    notebook.add("%flow run --background").run()
    Widget(notebook.cell("--background")).becomes("slow", "running")
    notebook.command("docmanager:save")
    notebook.page.reload()
    notebook.page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()
    live = Widget(notebook.cell("--background"))
    live.becomes("slow", "running")
    live.press("Cancel run")
    live.becomes("slow", "cancelled")


def test_after_a_restart_the_picture_is_there(open_notebook):
    notebook = open_notebook("restart")
    notebook.run_all()
    cell = notebook.cell("load >>")
    Widget(cell)
    assert not cell.picture.is_visible()
    notebook.page.evaluate("() => { jupyterapp.commands.execute('kernelmenu:restart') }")
    notebook.page.locator(".jp-Dialog button.jp-mod-accept").click()
    cell.picture.wait_for()
    cell.element.locator(".gf").wait_for(state="hidden")
    cell.element.screenshot(path=SCREENSHOTS / "widget-restarted.png")
    notebook.page.locator("#jp-main-statusbar", has_text="| Idle").wait_for()
    notebook.run_all()
    Widget(cell)


def test_moving_a_slider_with_auto_on_runs_only_what_depends_on_it(open_notebook):
    notebook = open_notebook("second")
    notebook.run_all()
    notebook.cell("switch = ").write("switch = [False]")
    notebook.run_all()
    live = Widget(notebook.cell("load >>"))
    live.press("Run")
    live.becomes("last", "succeeded")
    live.element.get_by_text("Auto", exact=True).click()
    live.element.locator("input[type=range]").focus()
    notebook.page.keyboard.press("ArrowRight")
    live.becomes("clean", "cached")
    live.becomes("model", "succeeded")
    assert live.label("slow").startswith("slow, cached")
    live.shoot("auto")


def test_what_failed_is_open_when_the_run_ends(open_notebook):
    notebook = open_notebook("failing")
    notebook.run_all()
    live = Widget(notebook.cell("%flow run"))
    live.becomes("bad", "failed")
    live.becomes("after", "skipped")
    live.element.locator(".gf-outputs", has_text="ZeroDivisionError").wait_for()
    live.shoot("failed")


@pytest.fixture(scope="module")
def saved(open_notebook, folder):
    notebook = open_notebook("saved")
    notebook.run_all()
    widget = Widget(notebook.cell("load >>"))
    widget.node("model").click()
    widget.press("Run to here")
    widget.becomes("model", "succeeded")
    notebook.cell("load >>").picture.and_(notebook.page.locator("[alt*='succeeded']")).wait_for(state="attached")
    notebook.command("docmanager:save")
    notebook.page.close()
    return folder / "saved.ipynb"


def test_a_saved_notebook_keeps_the_last_picture(saved):
    cells = json.loads(saved.read_text("utf-8"))["cells"]
    shown = "".join(json.dumps(output) for output in cells[-1]["outputs"])
    assert "data:image/svg+xml;base64," in shown
    assert "3 succeeded" in shown


IS_TRUSTED = "() => jupyterapp.shell.currentWidget.content.widgets.every(({ model }) => model.trusted)"


def test_a_reopened_notebook_that_is_trusted_shows_the_picture(saved, folder, open_notebook):
    (folder / "again.ipynb").write_bytes(saved.read_bytes())  # with a kernel that knows nothing of the flow
    reopened = open_notebook("again")
    assert reopened.page.evaluate(IS_TRUSTED)
    cell = reopened.cell("load >>")
    cell.picture.wait_for()
    assert "3 succeeded" in cell.picture.get_attribute("alt")
    assert cell.element.locator(".gf").count() == 0


def test_a_reopened_notebook_that_is_not_trusted_shows_the_picture(saved, folder, open_notebook):
    notebook = nbformat.read(saved, 4)
    notebook.cells[0].source += "  # another hand"
    nbformat.write(notebook, folder / "foreign.ipynb")
    reopened = open_notebook("foreign")
    assert not reopened.page.evaluate(IS_TRUSTED)
    picture = reopened.cell("load >>").picture
    picture.wait_for()
    assert "3 succeeded" in picture.get_attribute("alt")
    reopened.cell("load >>").element.screenshot(path=SCREENSHOTS / "widget-reopened.png")


def test_nbconvert_shows_the_picture(saved, browser, tmp_path):
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", str(tmp_path), str(saved)]
    subprocess.run(command, check=True, capture_output=True)
    page = new_page(browser)
    page.goto((tmp_path / "saved.html").as_uri())
    picture = page.locator("img[alt*='3 succeeded']").last
    picture.wait_for()
    assert picture.evaluate("img => img.complete && img.naturalWidth > 300")
    page.close()


def test_notebook_seven_shows_it_too(browser, tmp_path_factory, folder):
    with serve(tmp_path_factory.mktemp("seven"), folder, app="notebook") as address:
        page = new_page(browser)
        page.goto(address.format("seven.ipynb"))
        page.wait_for_function(IS_IDLE)  # what is shown is "idle" before there is a kernel, too
        page.locator(".jp-CodeCell").nth(len(CELLS) - 1).wait_for()
        page.get_by_text("Run", exact=True).first.click()
        page.get_by_text("Run All Cells", exact=True).click()
        live = page.locator(".gf").first
        live.wait_for()
        live.locator(".gf-card[aria-label^='model']").click()
        live.get_by_role("button", name="Run to here").click()
        live.locator(".gf-card[aria-label^='model, succeeded']").wait_for()
        live.locator(".gf-outputs img").wait_for()
        live.screenshot(path=SCREENSHOTS / "widget-notebook7.png")
        page.close()
