from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb.core.status import Status
from graflow_nb.views.model import EdgeView, FlowView, GroupView, NodeView
from graflow_nb.views.svg import data_uri, place, tint, to_svg

NS = "{http://www.w3.org/2000/svg}"
NODES = (
    NodeView("load", Status.SUCCEEDED, 1.23),
    NodeView("clean", Status.FAILED, 0.5, note="KeyError: 'x'"),
    NodeView("report"),
)
EDGES = (EdgeView("load", "clean", kind="inferred"), EdgeView("clean", "report"))
VIEW = FlowView("etl", NODES, EDGES, seconds=1.8)


def parsed(view: FlowView, **options) -> ET.Element:
    return ET.fromstring(to_svg(view, **options))


def texts(root: ET.Element, tag: str = "text") -> list[str]:
    return [element.text or "" for element in root.iter(NS + tag)]


def test_each_card_shows_symbol_name_and_status_with_time():
    assert texts(parsed(VIEW))[:9] == [
        *("✓", "load", "succeeded · 1.2 s"),
        *("✗", "clean", "KeyError: 'x'"),
        *("·", "report", "not run"),
    ]


def test_it_is_accessible():
    root = parsed(VIEW)
    assert root.get("role") == "img"
    assert root.find(NS + "title").text == "etl"
    assert root.find(NS + "desc").text == "3 tasks: 1 succeeded, 1 failed, 1 not run in 1.8 s"
    assert "clean: failed · 500 ms · KeyError: 'x'" in texts(root, "title")


def test_inferred_edges_are_dashed_and_explained_only_beside_others():
    assert len([path for path in parsed(VIEW).iter(NS + "path") if path.get("stroke-dasharray")]) == 2
    assert texts(parsed(VIEW))[-2:] == ["explicit", "inferred from names"]
    alike = replace(VIEW, edges=tuple(replace(edge, kind="inferred") for edge in EDGES))
    assert "explicit" not in texts(parsed(alike))


@given(st.text(st.characters()), st.text(st.characters()))
def test_any_name_and_note_give_well_formed_xml(name, note):
    svg = to_svg(FlowView(name, (NodeView(name, note=note),)), links={name: note})
    ET.fromstring(svg)
    svg.encode()


def test_names_are_never_markup():
    root = parsed(FlowView("f", (NodeView("<img src=x onerror=alert(1)>"),)))
    assert not list(root.iter(NS + "img"))
    assert "<img src=x onerror=alert(1)>: not run" in texts(root, "title")


def test_long_names_lose_their_middle_and_stay_whole_in_the_title():
    name = "train_a_gradient_boosting_classifier"
    root = parsed(FlowView("f", (NodeView(name),)))
    assert "train_a_grad…_classifier" in texts(root)
    assert f"{name}: not run" in texts(root, "title")


def test_places_do_not_depend_on_statuses():
    running = replace(VIEW, nodes=tuple(replace(n, status=Status.RUNNING, note="a note" * 9) for n in NODES))
    assert place(running) is place(VIEW)


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_everything_lies_inside_the_picture(direction):
    root = parsed(VIEW, direction=direction)
    drawing = place(VIEW, direction)
    assert float(root.get("width")) > drawing.width
    assert float(root.get("height")) > drawing.height
    assert root.get("viewBox") == f"0 0 {root.get('width')} {root.get('height')}"


def test_cards_can_be_links():
    links = [a.get("href") for a in parsed(VIEW, links={"clean": "#task-2"}).iter(NS + "a")]
    assert links == ["#task-2"]


def test_nothing_is_loaded_or_run():
    svg = to_svg(VIEW)
    assert not any(word in svg for word in ("<script", "<style", "var(--", "@import", "xlink"))
    assert svg.count("http") == 1  # the namespace


def test_an_empty_flow_is_an_empty_picture():
    assert texts(parsed(FlowView(""))) == []


def test_every_status_is_drawn_in_its_colour():
    for status in Status:
        svg = to_svg(FlowView("f", (NodeView("a", status),)))
        assert status.symbol in svg
        assert status.colour in svg


def test_a_data_uri_holds_the_svg():
    head, body = data_uri(to_svg(VIEW)).split(",")
    assert head == "data:image/svg+xml;base64"
    assert b64decode(body).decode() == to_svg(VIEW)


def test_tints_run_from_white_to_the_colour():
    assert tint("#1d4ed8", 0) == "#ffffff"
    assert tint("#1d4ed8", 1) == "#1d4ed8"


def test_all_kinds_of_edges_are_told_apart_and_explained():
    names = ["a", "b", "c", "d", "e"]
    kinds = ["plain", "inferred", "conditional", "dynamic"]
    edges = tuple(EdgeView("a", name, kind) for name, kind in zip(names[1:], kinds, strict=True))
    root = parsed(FlowView("f", tuple(map(NodeView, names)), edges))
    assert texts(root)[-4:] == ["explicit", "inferred from names", "conditional", "made while running"]
    drawn = [path.get("stroke-dasharray") for path in root.iter(NS + "path") if path.get("marker-end")]
    assert drawn[0] is None
    assert len(set(drawn)) == 4


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_groups_are_frames_with_their_names(direction):
    groups = (GroupView("<prepare>", (0, 1)), GroupView("clean only", (1,)))
    root = parsed(replace(VIEW, groups=groups), direction=direction)
    frames = [rect for rect in root.iter(NS + "rect") if rect.get("rx") == "12"]
    assert len(frames) == 2
    assert texts(root)[:2] == ["<prepare>", "clean only"]
    assert float(frames[0].get("width")) > float(frames[1].get("width"))
