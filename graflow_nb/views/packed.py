"""A graph's data as one short text: it is sent as a whole, and saved with the notebook.

The front end would write one line for each number of a list, and look through every object on the way; of a text
it does neither. `unpacked` in the widget's JavaScript is the other half.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_AS_THEY_ARE = ("flow", "direction", "width", "height", "w", "h", "groups")


def packed(graph: Mapping[str, Any]) -> str:
    """Write what `graflow_nb.views.live.graph_data` returns in few characters.

    Places stand in one list, x and y of each node in turn, and so do the ends of the edges. What few nodes or
    edges have stands under their indices: labels, parameters, members of groups, kinds, bends.

    Examples
    --------
    >>> nodes = [{"name": "a", "x": 0, "y": 5}, {"name": "b", "x": 9, "y": 5}]
    >>> packed({"nodes": nodes, "edges": [{"a": 0, "b": 1}]})
    '{"names":["a","b"],"at":[0,5,9,5],"ends":[0,1]}'
    >>> packed({})
    ''
    """
    if not graph:
        return ""
    nodes, edges = graph["nodes"], graph["edges"]
    data = {key: graph[key] for key in _AS_THEY_ARE if graph.get(key)}
    data["names"] = [node["name"] for node in nodes]
    data["at"] = [place for node in nodes for place in (node["x"], node["y"])]
    data["ends"] = [end for edge in edges for end in (edge["a"], edge["b"])]
    sparse = {
        "labels": {n: node["label"] for n, node in enumerate(nodes) if "label" in node},
        "params": [n for n, node in enumerate(nodes) if node.get("kind") == "param"],
        "kinds": {n: edge["kind"] for n, edge in enumerate(edges) if "kind" in edge},
        "bends": {
            n: [place for point in edge["points"] for place in point]
            for n, edge in enumerate(edges)
            if "points" in edge
        },
    }
    data |= {key: values for key, values in sparse.items() if values}
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)
