"""A graph's data as one text."""

from __future__ import annotations

import json

from graflow_nb.views.packed import packed


def test_what_few_nodes_have_stands_under_their_indices():
    graph = {
        "flow": "f",
        "direction": "LR",
        "w": 100,
        "groups": [],
        "nodes": [{"name": "a", "x": 1, "y": 2}, {"name": "b\n", "label": "b", "x": 3, "y": 4, "kind": "param"}],
        "edges": [{"a": 0, "b": 1}, {"a": 1, "b": 0, "kind": "dynamic", "points": [[1, 2], [3, 4]]}],
    }
    assert json.loads(packed(graph)) == {
        "flow": "f",
        "direction": "LR",
        "w": 100,
        "names": ["a", "b\n"],
        "at": [1, 2, 3, 4],
        "ends": [0, 1, 1, 0],
        "labels": {"1": "b"},
        "params": [1],
        "kinds": {"1": "dynamic"},
        "bends": {"1": [1, 2, 3, 4]},
    }


def test_nothing_is_an_empty_text():
    assert packed({}) == ""
