"""A table of short texts: as text in columns, and as HTML that looks right in light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from graflow_nb.views.page import FAINT, chip_html
from graflow_nb.views.text import Badge, clean, display_width, escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

Cell: TypeAlias = str | Badge
"""A text, or a symbol and word with their colour."""
_CELL = "text-align:left;padding:3px 16px 3px 0;vertical-align:middle"
_TABLE = "border-collapse:collapse;margin:4px 0"


def table_text(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return rows in columns.

    >>> print(table_text(("task", "state"), [("load", Badge("✓", "up to date", "#15803d"))]))
    task  state
    load  ✓ up to date
    """
    texts = [list(header), *([_flat(cell) for cell in row] for row in rows)]
    widths = [max(map(display_width, column)) for column in zip(*texts, strict=True)]
    return "\n".join(
        "  ".join(cell + " " * (w - display_width(cell)) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in texts
    )


def table_html(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return rows as an HTML table; only the cells of the last column may take several lines."""
    head = "".join(f'<th style="{_CELL};{FAINT};font-weight:normal">{escaped(cell)}</th>' for cell in header)
    body = "".join(
        f"<tr>{''.join([*map(_short_html, row[:-1]), *map(_cell_html, row[-1:])])}</tr>" for row in rows
    )
    return f'<table style="{_TABLE}"><tr>{head}</tr>{body}</table>'


def _short_html(cell: Cell) -> str:
    return _cell_html(cell, "white-space:nowrap")


def _cell_html(cell: Cell, more: str = "") -> str:
    text = chip_html(cell, f"{cell.symbol} {escaped(cell.word)}") if isinstance(cell, Badge) else escaped(cell)
    return f'<td style="{_CELL};{more}">{text}</td>'


def _flat(cell: Cell) -> str:
    text = f"{cell.symbol} {cell.word}" if isinstance(cell, Badge) else cell
    return clean(" ".join(text.split()))
