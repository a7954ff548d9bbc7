"""The trees in which scikit-learn looks for neighbours: they count how often they were asked."""

from __future__ import annotations

from typing import Any

from sklearn.neighbors import BallTree, KDTree

from graflow_nb.incremental.hasher import Hasher, register

_COUNTS = slice(7, 11)  # where, in the state: of trims, leaves, splits and calls


@register(*{base for tree in (BallTree, KDTree) for base in tree.__mro__[:-1]})
def _tree(hasher: Hasher, value: Any) -> None:
    state = list(value.__getstate__())
    del state[_COUNTS]
    hasher.tag("tree")
    hasher.value(type(value))
    hasher.value(state)
