"""What axe-core, the usual judge of accessibility, finds in the live widget: nothing serious, in light and dark."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from lab import QUIET, LabNotebook, serve
from test_widget_browser import CELLS, SECOND, Widget, new_page, write

GRAVE = {"serious", "critical"}
RUN = ("switch[0] = False\nlast", "%flow run")


@pytest.fixture(scope="module")
def notebook(chromium_path, tmp_path_factory):
    from playwright.sync_api import sync_playwright

    folder = tmp_path_factory.mktemp("notebooks")
    write(folder, "access.ipynb", (*CELLS, *RUN))
    with sync_playwright() as playwright, serve(tmp_path_factory.mktemp("lab"), folder) as address:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=QUIET)
        page = new_page(browser)
        page.set_default_timeout(60 * SECOND)
        notebook = LabNotebook(page, address.format("access.ipynb"))
        notebook.run_all()
        yield notebook
        browser.close()


@pytest.fixture(params=["Light", "Dark"])
def widget(notebook, request):
    notebook.command("apputils:change-theme", theme=f"JupyterLab {request.param}")
    is_light = str(request.param == "Light").lower()
    notebook.page.locator(f"body[data-jp-theme-light={is_light}]").wait_for(state="attached")
    live = Widget(notebook.cell("%flow run"))
    live.becomes("last", "succeeded")
    return live


def found(notebook, widget):
    """Return what is grave, with the elements: in the widget only, the page around it is not ours."""
    handle = widget.element.element_handle()
    handle.evaluate("element => element.setAttribute('data-looked-at', '')")
    there = {"include": ["[data-looked-at]"], "exclude": [".gf-outputs img"]}  # a task's figure is not ours
    results = Axe().run(notebook.page, context=there)
    handle.evaluate("element => element.removeAttribute('data-looked-at')")
    assert results.response["passes"], "axe looked at nothing"
    return [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]])
        for violation in results.response["violations"]
        if violation["impact"] in GRAVE
    ]


def test_the_graph(notebook, widget):
    assert found(notebook, widget) == []


@pytest.mark.parametrize("tab", ["Output", "Code", "Why", "Data", "Runs"])
def test_the_pane(notebook, widget, tab):
    widget.node("model").click()
    widget.tab(tab)
    assert found(notebook, widget) == []
    notebook.page.keyboard.press("Escape")


def test_the_timeline(notebook, widget):
    widget.element.get_by_role("tab", name="Timeline").click()
    widget.element.get_by_text("Critical path").wait_for()
    assert found(notebook, widget) == []
    widget.element.get_by_role("tab", name="Graph").click()
