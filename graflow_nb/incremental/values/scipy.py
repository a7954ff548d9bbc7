"""Sparse matrices and arrays of scipy, without what they remember of having been read."""

from __future__ import annotations

from typing import Any

from scipy import sparse

from graflow_nb.incremental.hasher import Hasher, register

_REMEMBERED = frozenset(
    {"_has_canonical_format", "_has_sorted_indices", "has_canonical_format", "has_sorted_indices"}
)


@register(sparse.spmatrix, sparse.sparray)
def _sparse(hasher: Hasher, value: Any) -> None:
    held = {name: item for name, item in sorted(vars(value).items()) if name not in _REMEMBERED}
    if value.format == "dok":  # a dictionary, in the order of writing
        held["_dict"] = sorted(held["_dict"].items())
    hasher.text("sparse", value.format)
    hasher.value(type(value))
    hasher.value(held)
