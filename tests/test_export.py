"""A flow in other forms: all of them from one layout, and any name is shown as it is."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from graflow_nb import task, workflow
from graflow_nb.core.task import Task

ODD = 'a "b" <c> $d$ #e;'


@pytest.fixture
def flow():
    with workflow("example") as flow:

        @task
        def load():
            return 1

        fit = Task(ODD, lambda load: load)
        last = Task("last", lambda: 2)
        _ = fit >> last
    flow.run("load")
    return flow


def test_svg(flow):
    texts = [element.text for element in ET.fromstring(flow.to_svg()).iter() if element.text]
    assert ODD in texts
    assert "load" in texts


def test_the_other_direction(flow):
    def size(svg):
        root = ET.fromstring(svg)
        return float(root.get("width")), float(root.get("height"))

    wide, tall = size(flow.to_svg()), size(flow.to_svg(direction="TB"))
    assert wide[0] > wide[1]
    assert tall[1] > tall[0]


def test_png(flow):
    data = flow.to_png(dpi=96)
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20]) > 3 * int.from_bytes(data[20:24])


def test_a_plot_has_a_box_for_each_task_and_names_are_no_formulas(flow):
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert flow.draw(ax=ax) is ax
    texts = [text.get_text() for text in ax.texts]
    assert {"load", "last"} <= set(texts)
    assert any(text.startswith('a "b"') and text.endswith("$d$ #e;") for text in texts)
    assert [type(patch).__name__ for patch in ax.patches].count("FancyBboxPatch") == 3
    ax.figure.canvas.draw()


def test_a_plot_of_its_own(flow):
    from matplotlib import pyplot as plt

    ax = flow.draw()
    assert ax.figure.number in plt.get_fignums()
    plt.close(ax.figure)


def test_mermaid(flow):
    lines = flow.to_mermaid(direction="TB").splitlines()
    assert lines[0] == "flowchart TB"
    assert re.fullmatch(r'    n0\["load<br/>succeeded · .*"\]:::succeeded', lines[1])
    assert '"' not in re.fullmatch(r'    n1\["(.*)"\]:::not_run', lines[2])[1]
    assert "    n0 -.-> n1" in lines
    assert "    n1 --> n2" in lines


def test_dot(flow):
    text = flow.to_dot()
    assert text.startswith('digraph "example" {')
    assert '"load" -> "a \\"b\\" <c> $d$ #e;" [style=dashed]' in text
    assert '"a \\"b\\" <c> $d$ #e;" -> "last"\n' in text


def test_text(flow):
    assert flow.to_text().startswith("example · 3 tasks: 1 succeeded")


def test_in_a_notebook_too(nb):
    nb("%%task one\n1")
    nb("one")
    assert "one" in nb.flow.to_mermaid()
