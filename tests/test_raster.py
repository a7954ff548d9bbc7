"""The bitmap of a flow: what the SVG shows, for those who show no SVG."""

from __future__ import annotations

import io
import subprocess
import sys
import xml.etree.ElementTree as ET
from base64 import b64decode
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from graflow_nb.core.status import Status
from graflow_nb.notebook import display
from graflow_nb.views.model import EdgeView, FlowView, GroupView, NodeView
from graflow_nb.views.palette import paint, palette
from graflow_nb.views.raster import MOST_BOXES, png_output, to_png
from graflow_nb.views.strokes import DASHES, arrow, dashed, flattened
from graflow_nb.views.svg import KINDS, MARGIN, place, to_svg

LOAD, FIT = NodeView("load", Status.SUCCEEDED, 1.2), NodeView("fit", Status.FAILED, note="KeyError: 'x'")
VIEW = FlowView("etl", (LOAD, FIT, NodeView("report")), (EdgeView("load", "fit"), EdgeView("fit", "report")))
ALL = FlowView(
    "all",
    tuple(NodeView(f"n{n}", status) for n, status in enumerate((*Status, None))),
    tuple(EdgeView(f"n{n}", f"n{n + 1}", kind) for n, kind in enumerate(KINDS)),
    groups=(GroupView("outer", (0, 1, 2)), GroupView("inner", (1, 2))),
)


def picture(view: FlowView, **options) -> Image.Image:
    return Image.open(io.BytesIO(to_png(view, **options))).convert("RGB")


def hexed(colour: tuple[int, ...]) -> str:
    return "#" + bytes(colour).hex()


def pixel(image: Image.Image, x: float, y: float) -> str:
    """The colour at a place of the layout, in a picture of 192 dpi."""
    return hexed(image.getpixel((round(2 * (x + MARGIN)), round(2 * (y + MARGIN)))))


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("dpi", [96, 144, 192])
def test_it_is_as_large_as_the_svg(direction, dpi):
    root = ET.fromstring(to_svg(VIEW, direction=direction))
    size = [float(root.get(side)) * dpi / 96 for side in ("width", "height")]
    assert picture(VIEW, direction=direction, dpi=dpi).size == pytest.approx(size, abs=1)


def test_cards_and_discs_have_the_colours_of_their_status():
    image, boxes = picture(ALL), place(ALL).boxes
    for node in ALL.nodes:
        fill, stroke, disc, _ = paint(node.status)
        box = boxes[node.name]
        assert pixel(image, box.x + box.width - 6, box.y + 10) == fill
        assert pixel(image, box.x + box.width / 2, box.y) == stroke
        assert pixel(image, box.x + 21, box.y + 15) == disc
    assert pixel(image, -MARGIN, -MARGIN) == "#ffffff"


def test_symbol_name_and_status_are_drawn():
    wordless = replace(
        VIEW, nodes=tuple(NodeView(" " * n, n_.status, note=" ") for n, n_ in enumerate(VIEW.nodes)), edges=()
    )
    assert to_png(replace(VIEW, edges=())) != to_png(wordless)
    for change in ({"name": "loaf"}, {"seconds": 9.9}, {"note": "new"}, {"status": Status.CACHED}):
        assert to_png(FlowView("", (LOAD,))) != to_png(FlowView("", (replace(LOAD, **change),)))


def test_each_kind_of_edge_is_drawn_differently():
    seen = [to_png(replace(VIEW, edges=(EdgeView("load", "fit", kind),))) for kind in KINDS]
    assert len({*seen, to_png(replace(VIEW, edges=()))}) == len(KINDS) + 1


def test_dashes_are_those_of_the_svg():
    for kind, (_, look) in KINDS.items():
        numbers = look.partition('stroke-dasharray="')[2].partition('"')[0].split()
        assert [float(number) for number in numbers] == list(DASHES.get(kind, ()))


def test_dashes_go_on_round_a_corner():
    first, second, *more = dashed([(0, 0), (6, 0), (6, 10)], (8, 2))
    assert first == [(0, 0), (6, 0), (6, 2)]
    assert second == [(6, 4), (6, 10)]
    assert not more


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_a_curve_starts_and_ends_where_it_should_and_bends_evenly(direction):
    line = list(flattened([(0, 0), (10, 40), (30, 40)], direction))
    assert line[0] == (0, 0)
    assert line[-2] == pytest.approx((10, 40))
    assert line[-1] == (30, 40)
    assert line[10] == pytest.approx((5, 20))


def test_heads_of_edges_are_level_or_upright_however_steep_the_line_is():
    assert arrow((10, 5), "LR") == [(10, 5), (3, 1.5), (3, 8.5)]
    assert arrow((5, 10), "TB") == [(5, 10), (1.5, 3), (8.5, 3)]


def test_there_is_a_legend_only_if_there_are_several_kinds_of_edges():
    alike = replace(VIEW, edges=tuple(replace(edge, kind="inferred") for edge in VIEW.edges))
    mixed = replace(VIEW, edges=(alike.edges[0], VIEW.edges[1]))
    assert picture(alike).height == picture(VIEW).height < picture(mixed).height


def test_a_frame_is_drawn_round_a_group():
    box = place(ALL).frames[1]
    image = picture(ALL)
    assert pixel(image, box.x + 20, box.y + box.height - 4) != "#ffffff"
    assert to_png(ALL) != to_png(replace(ALL, groups=(ALL.groups[0], replace(ALL.groups[1], name="other"))))


def test_no_palette_has_more_colours_than_a_png_takes():
    colours = palette(ALL)
    assert len(colours) == len(set(colours)) <= 256


def test_names_are_drawn_as_they_are():
    def named(name):
        return to_png(FlowView("f", (NodeView(name),)))

    assert len({named(name) for name in ("<img>", "&lt;img&gt;", "", "$x$", "x", "{x}", r"\x")}) == 7


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters()), st.text(st.characters()))
def test_any_text_can_be_drawn(name, note):
    to_png(FlowView(name, (NodeView(name, note=note),), groups=(GroupView(note, (0,)),)), dpi=96)


@pytest.mark.parametrize(
    "name", ["読み込む", "مرحبا", "שלום", "загрузить", "नमस्ते", "👩‍🚀 e\u0301", "\ud800", "\x07\n"]
)
def test_any_script_can_be_drawn(name):
    assert picture(FlowView("f", (NodeView(name, note=name),), groups=(GroupView(name, (0,)),))).width > 300


def test_the_same_flow_gives_the_same_bytes():
    code = "from tests.test_raster import ALL, to_png; import sys; sys.stdout.buffer.write(to_png(ALL))"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert run.stdout == to_png(ALL) == to_png(ALL)


def test_it_is_drawn_without_matplotlib_and_numpy():
    code = (
        "import sys; from graflow_nb.views.model import FlowView, NodeView; from graflow_nb.views.raster import to_png;"
        "to_png(FlowView('f', (NodeView('a'),))); print('PIL' in sys.modules, 'matplotlib' in sys.modules, 'numpy' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.split() == ["True", "False", "False"]


@pytest.mark.parametrize("dpi", [2, 20, 50, 300])
def test_any_resolution(dpi):
    image = Image.open(io.BytesIO(to_png(ALL, dpi=dpi)))
    assert image.info["dpi"] == pytest.approx((dpi, dpi), abs=0.1)


def test_an_empty_flow_is_an_empty_picture():
    assert picture(FlowView("")).getcolors() == [(40 * 40, (255, 255, 255))]


def chain(count: int) -> FlowView:
    names = [f"task_{n}" for n in range(count)]
    edges = tuple(EdgeView(before, after) for before, after in pairwise(names))
    return FlowView("chain", tuple(NodeView(name, Status.SUCCEEDED, 0.1) for name in names), edges)


def test_an_output_says_how_large_it_is_shown():
    data, metadata = png_output(VIEW)
    png = b64decode(data["image/png"])
    root = ET.fromstring(to_svg(VIEW))
    assert metadata["image/png"] == {side: round(float(root.get(side))) for side in ("width", "height")}
    assert int.from_bytes(png[16:20]) == 2 * metadata["image/png"]["width"]


def test_an_output_is_small():
    data, _ = png_output(chain(10))
    assert len(b64decode(data["image/png"])) < 40_000


def test_neither_nothing_nor_a_great_many_boxes_are_an_output():
    assert png_output(FlowView("")) == png_output(chain(MOST_BOXES + 1)) == ({}, {})
    data, metadata = png_output(chain(MOST_BOXES))
    width, height = Image.open(io.BytesIO(b64decode(data["image/png"]))).size
    assert width * height < 4.1e6
    assert metadata["image/png"]["width"] == pytest.approx(place(chain(MOST_BOXES)).width + 2 * MARGIN, abs=1)


@pytest.mark.parametrize("cell", ["%flow run", "%flow show", "nb_flow", "load >> fit"])
def test_a_flow_in_a_cell_has_it_beside_html_and_text(nb, cell):
    nb("%%task load\nrows = 1\n", cell="load")
    nb("%%task fit\nmodel = rows + 1\n", cell="fit")
    nb.ns["nb_flow"] = nb.flow
    if cell in ("nb_flow", "load >> fit"):
        data, metadata = nb.shell.display_formatter.format(nb.flow)
    else:
        nb(cell)
        shown = nb.displays[-1]
        data, metadata = shown["data"], shown["metadata"]
    assert [*data] == ["text/html", "image/png", "text/plain"]
    assert b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"]["height"] == 68


def test_a_run_ends_well_if_it_cannot_be_drawn(nb, monkeypatch, caplog):
    def fail(_):
        raise OSError("cannot open resource")

    monkeypatch.setattr("graflow_nb.views.raster.png_output", fail)
    nb("%%task load\nrows = 1\n")
    nb("%flow run")
    assert [*nb.displays[-1]["data"]] == ["text/html", "text/plain"]
    assert "cannot be drawn" in caplog.text
    assert display.image_of(VIEW) == ({}, {})
