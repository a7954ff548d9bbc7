"""Where two values differ, in words: for results that should be equal and are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graflow_nb.incremental.code.parts import short
from graflow_nb.incremental.fingerprint import Opaque, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

_DEEPEST = 10


def difference(old: Any, new: Any, where: str = "", depth: int = 0) -> str:
    """Return the first place where two values differ, with what is there; "" if they are equal.

    Examples
    --------
    >>> difference({"rows": [1, 2, 3]}, {"rows": [1, 5, 3]})
    "['rows'][1]: 2 → 5"
    >>> difference([1, 2], [1])
    'length: 2 → 1'
    """
    if _are_equal(old, new):
        return ""
    if type(old) is not type(new):
        return _said(where, type(old).__name__, type(new).__name__)
    if depth < _DEEPEST:
        for kind, look in _INNER.items():
            if isinstance(old, kind) and (found := look(old, new, where, depth + 1)):
                return found
        if found := _of_table(old, new, where, depth + 1):
            return found
    return _said(where, _short(old), _short(new))


def _short(value: Any) -> str:
    """Return a value in short; numpy's numbers as Python's."""
    is_scalar = getattr(value, "ndim", None) == 0 and hasattr(value, "item")
    return short(value.item() if is_scalar else value)


def _said(where: str, old: str, new: str) -> str:
    text = f"{old} → {new}" if old != new else f"another {old}"
    return f"{where}: {text}" if where else text


def _are_equal(old: Any, new: Any) -> bool:
    try:
        return fingerprint(old) == fingerprint(new)
    except Opaque:
        return old is new


def _of_mapping(old: Any, new: Any, where: str, depth: int) -> str:
    for key in old:
        if key not in new:
            return f"{where}[{key!r}] is not there any more"
        if found := difference(old[key], new[key], f"{where}[{key!r}]", depth):
            return found
    added = [key for key in new if key not in old]
    return f"{where}[{added[0]!r}] is new" if added else f"{where}: the order of the keys".lstrip(": ")


def _of_sequence(old: Any, new: Any, where: str, depth: int) -> str:
    if len(old) != len(new):
        return _said(where or "length", str(len(old)), str(len(new)))
    for index, (one, other) in enumerate(zip(old, new, strict=True)):
        if found := difference(one, other, f"{where}[{index}]", depth):
            return found
    return ""


_INNER: dict[type, Callable[[Any, Any, str, int], str]] = {
    Mapping: _of_mapping,
    list: _of_sequence,
    tuple: _of_sequence,
}


def _of_table(old: Any, new: Any, where: str, depth: int) -> str:
    """Look into what has columns or elements, as data frames and arrays have."""
    shapes = [getattr(value, "shape", None) for value in (old, new)]
    if shapes[0] is None:
        return ""
    if shapes[0] != shapes[1]:
        return _said(f"{where}.shape".lstrip("."), str(shapes[0]), str(shapes[1]))
    columns = [getattr(value, "columns", None) for value in (old, new)]
    if columns[0] is None:
        return ""
    before, after = list(columns[0]), list(columns[1] if columns[1] is not None else ())
    if before != after:
        return _of_sequence(before, after, f"{where}.columns".lstrip("."), depth)
    for name in before:
        if not _are_equal(old[name], new[name]):
            return f"{where}column {name!r}"
    return ""
