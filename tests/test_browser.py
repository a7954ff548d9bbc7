"""The real JupyterLab in a real browser, as a reader of the tutorial uses it who sees the static picture."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from lab import QUIET, LabNotebook, serve

ROOT = Path(__file__).parent.parent
SCREENSHOTS = ROOT / "screenshots"
TASKS = {"load", "clean", "bills", "sexes", "model", "mistakes", "report"}
SECOND = 1000

SCRATCH = (
    "%load_ext graflow_nb",
    "goes_on = True",
    "%%task quick\nprint('quick')\n1",
    "%%task slow\nquick\nn = 0\nwhile goes_on:\n    n += 1\nprint('slow')",
    "%%task last\nslow\nprint('last')",
)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    root = tmp_path_factory.mktemp("lab")
    folder = shutil.copytree(ROOT / "notebooks", root / "notebooks")
    cells = [nbformat.v4.new_code_cell(source) for source in SCRATCH]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "scratch.ipynb")
    with serve(
        root, folder, GRAFLOW_NB_WIDGET="off"
    ) as address:  # the picture alone, as where there are no widgets
        yield address


@pytest.fixture(scope="module")
def browser(chromium_path):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def open_notebook(browser, address):
    SCREENSHOTS.mkdir(exist_ok=True)

    def open_(name):
        page = browser.new_page(viewport={"width": 1280, "height": 1000}, device_scale_factor=2)
        page.set_default_timeout(30 * SECOND)
        return LabNotebook(page, address.format(name))

    return open_


@pytest.fixture(scope="module")
def tutorial(open_notebook):
    notebook = open_notebook("01_quickstart.ipynb")
    notebook.run_all()
    return notebook


@pytest.fixture(scope="module")
def scratch(open_notebook, tutorial):
    notebook = open_notebook("scratch.ipynb")
    notebook.run_all()
    return notebook


def shoot(cell, name):
    cell.element.screenshot(path=SCREENSHOTS / f"{name}.png")


def test_run_all_draws_the_flow_and_shows_each_task_with_its_output(tutorial):
    first = tutorial.cell("%flow run", 0)
    assert first.picture.evaluate("img => img.complete && img.naturalWidth > 600 && img.clientWidth > 600")
    assert re.fullmatch(r"7 tasks: 7 succeeded in .*", first.summary)
    assert first.pick("succeeded") == TASKS
    assert "7 not run" in tutorial.cell(">> report").summary
    shoot(first, "run")


def test_the_end_of_the_flow_is_open_and_the_rest_opens_with_a_click(tutorial):
    first = tutorial.cell("%flow run", 0)
    plot = first.blocks.filter(has_text="report").locator("img")
    assert plot.is_visible()
    rows = first.output.get_by_text("344 birds")
    assert not rows.is_visible()
    first.blocks.filter(has_text="load").locator("summary").click()
    assert rows.is_visible()


def test_a_changed_global_runs_what_reads_it_and_what_follows(tutorial):
    second = tutorial.cell("%flow run", 1)
    assert second.pick("succeeded") == {"model", "mistakes", "report"}
    assert second.pick("cached") == {"load", "clean", "bills", "sexes"}
    assert "variable 'FEATURES' changed" in tutorial.cell("%flow why model").output.inner_text()
    assert "3 of 7 out of date" in tutorial.cell("%flow status").output.inner_text()
    shoot(second, "rerun")


def test_an_edited_cell_runs_again_with_what_follows_and_nothing_else(tutorial):
    model = tutorial.cell("%%task model")
    model.write(model.code().replace("n_splits=5", "n_splits=4"))
    model.run()
    assert "out of date: model, mistakes, report" in model.output.inner_text()
    again = tutorial.add("%flow run")
    again.run()
    assert again.pick("succeeded") == {"model", "mistakes", "report"}
    assert re.fullmatch(r"7 tasks: 3 succeeded, 4 cached in .*", again.summary)


def test_it_looks_right_on_dark_too(tutorial):
    tutorial.command("apputils:change-theme", theme="JupyterLab Dark")
    tutorial.page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    shoot(tutorial.cell("%flow run", 1), "rerun-dark")
    tutorial.command("apputils:change-theme", theme="JupyterLab Light")
    tutorial.page.locator("body[data-jp-theme-light=true]").wait_for(state="attached")


def test_an_interrupt_stops_the_run_and_the_next_one_carries_on(scratch):
    run = scratch.add("%flow run")
    run.start()
    run.output.get_by_text("1 running · 1/3 done").wait_for()
    shoot(run, "running")
    scratch.interrupt()
    run.output.get_by_text("RunInterrupted").wait_for(timeout=3 * SECOND)
    assert re.fullmatch(r"3 tasks: 1 succeeded, 2 cancelled in .*", run.summary)
    scratch.add("goes_on = False").run()
    again = scratch.add("%flow run")
    again.run()
    assert again.statuses() == {"quick": "cached", "slow": "succeeded", "last": "succeeded"}


def test_a_failure_is_shown_opened_and_ends_the_cell(scratch):
    scratch.add("%%task last\nslow / 0").run()
    run = scratch.add("%flow run")
    run.run()
    assert run.blocks.filter(has_text="last").get_by_text("Cell In[").is_visible()
    assert "RunFailed" in run.output.inner_text()
    shoot(run, "failed")


def test_a_failed_task_can_be_looked_into_where_it_failed(scratch):
    debug = scratch.add("%flow debug last")
    debug.start()
    debug.answer("p slow, 6 * 7")
    debug.answer("q")
    debug.ended()
    assert "(None, 42)" in debug.output.inner_text()


def test_huge_output_is_cut_and_the_server_keeps_up(scratch):
    scratch.add("%%task last\nprint(('x' * 99 + '\\n') * 100_000)").run()
    run = scratch.add("%flow run last")
    run.run()
    shown = scratch.add("%flow show last")
    shown.run()
    for cell in (run, shown):
        text = cell.output.text_content()
        assert "MB not shown: last.outputs has all of it" in text
        assert len(text) < 1_000_000
