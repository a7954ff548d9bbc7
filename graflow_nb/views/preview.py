"""A value as a few words: type, shape, size, and a glimpse of it. Never runs code of the value's own.

A repr, a length or an iterator may be slow, or change what it shows. So only types that are known by name
are looked into, and of all others the type is all that is said.
"""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.views.table import table_html
from graflow_nb.views.text import escaped, human_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LONGEST = 200
"""Characters of a glimpse."""
MOST_ITEMS = 6
_HEADS = ("name", "from", "type", "size", "value")
DEEPEST = 2
_PLAIN = (int, float, complex, bool, type(None))
_BOXES: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("{", "}"),
    dict: ("{", "}"),
}


class Preview(NamedTuple):
    """A value, as far as it can be told without running anything.

    Attributes
    ----------
    kind : str
        Its type.
    size : str
        Its shape, length or bytes, or "".
    glimpse : str
        The beginning of it, or "".
    """

    kind: str
    size: str = ""
    glimpse: str = ""


def preview(value: Any) -> Preview:
    """Describe a value.

    Examples
    --------
    >>> preview([1, 2, 3])
    Preview(kind='list', size='3 items', glimpse='[1, 2, 3]')
    >>> preview("abc")
    Preview(kind='str', size='3 characters', glimpse="'abc'")
    >>> preview(open)
    Preview(kind='builtin_function_or_method', size='', glimpse='')
    """
    kind = type(value)
    look = _LOOKS.get((kind.__module__.partition(".")[0], kind.__name__))
    if look is not None and kind.__module__ in sys.modules:
        try:
            return look(value)
        except Exception:
            return Preview(_name(kind))
    if kind in _PLAIN:
        return Preview(kind.__name__, "", _cut(repr(value)))
    if kind in {str, bytes, bytearray}:
        unit = "characters" if kind is str else "bytes"
        return Preview(kind.__name__, f"{len(value)} {unit}", _short(value))
    if kind in _BOXES:
        return Preview(kind.__name__, f"{len(value)} item{'s' * (len(value) != 1)}", _cut(_short(value)))
    return Preview(_name(kind))


def preview_table(rows: Iterable[tuple[str, str, Preview]]) -> str:
    """Return named values as an HTML table: name, where from, and what; columns without any text are left out."""
    cells = [(name, origin, p.kind, p.size, p.glimpse) for name, origin, p in rows]
    shown = [n for n in range(len(_HEADS)) if any(row[n] for row in cells)]
    kept = [[row[n] for n in shown] for row in cells]
    return table_html([_HEADS[n] for n in shown], kept) if cells else ""


def _name(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _short(value: Any, deepest: int = DEEPEST) -> str:
    """Return a repr of plain values and of containers of them, cut; of anything else the type."""
    kind = type(value)
    if kind in _PLAIN:
        return _cut(repr(value), 40)
    if kind in {str, bytes, bytearray}:
        return repr(value[:LONGEST]) + "…" * (len(value) > LONGEST)
    if kind not in _BOXES:
        return f"<{kind.__name__}>"
    left, right = _BOXES[kind]
    if not deepest:
        return f"{left}…{right}"
    more = ["…"] * (len(value) > MOST_ITEMS)
    items = islice(value.items() if kind is dict else value, MOST_ITEMS)
    if kind is dict:
        texts = [f"{_short(key, 0)}: {_short(item, deepest - 1)}" for key, item in items]
    else:
        texts = [_short(item, deepest - 1) for item in items]
    return f"{left}{', '.join([*texts, *more])}{right}"


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _array(value: Any) -> Preview:
    shape = " by ".join(map(str, value.shape)) or "scalar"
    size = f"{shape} · {human_bytes(value.nbytes)}"
    if value.dtype.hasobject:
        return Preview(f"ndarray of {value.dtype}", size)
    head = value.ravel()[:MOST_ITEMS].tolist() if value.flags.c_contiguous else value.flat[:MOST_ITEMS].tolist()
    more = ", …" * (value.size > MOST_ITEMS)
    return Preview(f"ndarray of {value.dtype}", size, f"[{', '.join(map(_short, head))}{more}]")


def _frame(value: Any) -> Preview:
    rows, columns = value.shape
    names = [
        f"{name} {dtype}" for name, dtype in islice(zip(value.columns, value.dtypes, strict=True), MOST_ITEMS)
    ]
    more = [f"and {columns - MOST_ITEMS} more"] if columns > MOST_ITEMS else []
    return Preview("DataFrame", f"{rows} rows by {columns} columns", _cut(", ".join([*names, *more])))


def _series(value: Any) -> Preview:
    return Preview(f"Series of {value.dtype}", f"{value.shape[0]} rows", _cut(str(value.name)))


def _tensor(value: Any) -> Preview:
    shape = " by ".join(map(str, value.shape)) or "scalar"
    return Preview(f"Tensor of {value.dtype}", f"{shape} · {human_bytes(value.nelement() * value.element_size())}")


def _table(value: Any) -> Preview:
    names = _cut(", ".join(map(str, value.column_names)))
    return Preview("Table", f"{value.num_rows} rows by {value.num_columns} columns", names)


_LOOKS: dict[tuple[str, str], Callable[[Any], Preview]] = {
    ("numpy", "ndarray"): _array,
    ("pandas", "DataFrame"): _frame,
    ("polars", "DataFrame"): _frame,
    ("pandas", "Series"): _series,
    ("polars", "Series"): _series,
    ("torch", "Tensor"): _tensor,
    ("pyarrow", "Table"): _table,
}


def values_html(title: str, rows: Iterable[tuple[str, str, Preview]]) -> str:
    """Return a titled table of named values, or "" if there are none."""
    table = preview_table(rows)
    return f"<div><strong>{escaped(title)}</strong></div>{table}" if table else ""
