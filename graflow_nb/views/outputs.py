"""What a task printed and displayed, as static HTML.

Outputs are those of nbformat 4. All styles are inline, because a notebook keeps no style sheet of an output.
"""

from __future__ import annotations

import json
import re
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

from graflow_nb.views.text import clean, escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Output = Mapping[str, Any]

LIMIT = 100_000  # characters of one text
KILO, MEGA = 1_000, 1_000_000
PRE = "margin:4px 0;padding:0;background:none;border:none;white-space:pre-wrap;overflow-wrap:anywhere"
CODE_FONT = "font-family:var(--jp-code-font-family,ui-monospace,Menlo,Consolas,monospace);font-size:13px"
STDERR = "padding:4px 8px;border-left:3px solid #d97706;background-color:rgba(217,119,6,.1)"
ERROR = "padding:6px 8px;border-left:3px solid #dc2626;background-color:rgba(220,38,38,.08)"


# Colours of a terminal, in tones that are readable on white and on black alike.
DARK = ("#6e7681", "#d1383d", "#2a8a3e", "#a17100", "#3b7fe0", "#a855c7", "#14858f", "#8b949e")
BRIGHT = ("#7d8590", "#e5534b", "#36a04f", "#b98500", "#539bf5", "#bb6bd9", "#1f9fa8", "#9aa4af")
STYLES: dict[int, dict[str, str]] = {  # what each code of a terminal's "select graphic rendition" changes
    1: {"font-weight": "bold"},
    2: {"opacity": ".7"},
    3: {"font-style": "italic"},
    4: {"text-decoration": "underline"},
    9: {"text-decoration": "line-through"},
    22: {"font-weight": "", "opacity": ""},
    23: {"font-style": ""},
    24: {"text-decoration": ""},
    29: {"text-decoration": ""},
    39: {"color": ""},
    49: {"background-color": ""},
    **{code: {"color": colour} for code, colour in enumerate(DARK, 30)},
    **{code: {"color": colour} for code, colour in enumerate(BRIGHT, 90)},
    **{code: {"background-color": colour} for code, colour in enumerate(DARK, 40)},
    **{code: {"background-color": colour} for code, colour in enumerate(BRIGHT, 100)},
}
RGB, CUBE, GREYS = 2, 16, 232  # a mode, and where two ranges of the 256 indexed colours begin
EXTENDED = {38: "color", 48: "background-color"}
_ESCAPE = re.compile(
    r"\x1b\[([0-9;:]{0,64})m"  # colours and weights, the only ones with a meaning here
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # cursor movements
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and links
    r"|\x1b[@-_]?"
)


def outputs_html(outputs: Iterable[Output], *, limit: int = LIMIT, hint: str = "") -> str:
    """Render a task's outputs one after the other; `limit` and `hint` are those of `output_html`."""
    return "".join(output_html(output, limit=limit, hint=hint) for output in _joined(outputs))


def output_html(output: Output, *, limit: int = LIMIT, hint: str = "") -> str:
    """Render one output.

    Parameters
    ----------
    output : dict
        An nbformat 4 output: stream, display_data, execute_result or error.
    limit : int
        A longer text loses its middle. HTML and images are never cut.
    hint : str
        Where the whole text is; said where the middle is missing.

    Examples
    --------
    >>> "&lt;b&gt;" in output_html({"output_type": "stream", "name": "stdout", "text": "<b>"})
    True
    """
    match output["output_type"]:
        case "stream":
            style = STDERR if output.get("name") == "stderr" else ""
            return _pre(bounded(_text(output.get("text")), limit, hint), style)
        case "error":
            return _pre(bounded(_traceback(output), limit, hint), ERROR)
        case _:
            return _display(output, limit, hint)


def is_embeddable(output: Output) -> bool:
    """Whether static HTML shows what Jupyter would show: False for widgets and plots that only it can draw.

    >>> is_embeddable({"output_type": "display_data", "data": {"application/vnd.vega.v5+json": {}}})
    False
    """
    data = output.get("data", {})
    return any(mime in data for mime in PICTURES) or all(mime in TEXTS for mime in data)


def _joined(outputs: Iterable[Output]) -> Iterator[Output]:
    """Join the pieces of a stream: lines are printed one by one, but bounded as a whole."""
    for name, group in groupby(outputs, _stream_name):
        if name:
            yield {"output_type": "stream", "name": name, "text": [_text(part.get("text")) for part in group]}
        else:
            yield from group


def _stream_name(output: Output) -> str:
    return str(output.get("name", "stdout")) if output["output_type"] == "stream" else ""


def _traceback(output: Output) -> str:
    return "\n".join(output.get("traceback") or [f"{output.get('ename')}: {output.get('evalue')}"])


def _display(output: Output, limit: int, hint: str) -> str:
    """Render the richest form there is."""
    data = output.get("data", {})
    for mime, picture in PICTURES.items():
        if mime in data:
            return picture(_text(data[mime]), output.get("metadata", {}).get(mime) or {})
    for mime, text in TEXTS.items():
        if mime in data:
            return _pre(bounded(text(data[mime]), limit, hint))
    return _pre(f"({', '.join(data)}: shown by a live notebook only)") if data else ""


def _html(value: str, _metadata: Mapping[str, Any]) -> str:
    """Keep the user's own HTML as it is; a wide table scrolls."""
    return f'<div style="margin:4px 0;overflow-x:auto">{value}</div>'


def _svg(value: str, metadata: Mapping[str, Any]) -> str:
    from graflow_nb.views.svg import data_uri

    return _img(data_uri(clean(value)), metadata)


def _bitmap(mime: str) -> Callable[[str, Mapping[str, Any]], str]:
    return lambda value, metadata: _img(f"data:{mime};base64,{''.join(value.split())}", metadata)


def _img(source: str, metadata: Mapping[str, Any]) -> str:
    """Show an image, as wide as its metadata asks: less than its pixels, if it is for a dense screen."""
    width = f' width="{metadata["width"]}"' if isinstance(metadata.get("width"), int) else ""
    return f'<img src="{escape(source)}"{width} alt="output" style="max-width:100%;height:auto;margin:4px 0">'


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _text(value: object) -> str:
    """Join what nbformat may have split into lines."""
    return "".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")


PICTURES: dict[str, Callable[[str, Mapping[str, Any]], str]] = {
    "text/html": _html,
    "image/svg+xml": _svg,
    "image/png": _bitmap("image/png"),
    "image/jpeg": _bitmap("image/jpeg"),
    "image/gif": _bitmap("image/gif"),
}
TEXTS: dict[str, Callable[[object], str]] = {
    "text/markdown": _text,
    "text/latex": _text,
    "application/json": _json,
    "text/plain": _text,
}


def bounded(text: str, limit: int, hint: str) -> str:
    """Keep the head and the tail of a text, cut at ends of lines where there are any near."""
    if len(text) <= limit:
        return text
    head, tail = text[: limit // 2], text[len(text) - limit // 2 :]
    head = head[: head.rfind("\n") + 1] or head
    tail = tail[tail.find("\n") + 1 :] or tail
    left_out = _human_size(len(text) - len(head) - len(tail))
    return f"{head.rstrip()}\n\n… {left_out} not shown{': ' * bool(hint)}{hint} …\n\n{tail}"


def _human_size(characters: int) -> str:
    """Write a size with the unit that suits it.

    >>> _human_size(9_900_000), _human_size(12_000), _human_size(7)
    ('9.9 MB', '12 kB', '7 characters')
    """
    if characters >= MEGA:
        return f"{characters / MEGA:.1f} MB"
    return f"{characters / KILO:.0f} kB" if characters >= KILO else f"{characters} characters"


def _pre(text: str, style: str = "") -> str:
    if not text:
        return ""
    return f'<pre style="{PRE};{CODE_FONT};{style}">{ansi_html(text.rstrip(chr(10)))}</pre>'


def ansi_html(text: str) -> str:
    r"""Turn a terminal's text into HTML: escaped, its colours as spans, its other escape sequences left out.

    >>> ansi_html("\x1b[1;31mno\x1b[0m <b>")
    '<span style="font-weight:bold;color:#d1383d">no</span> &lt;b&gt;'
    """
    parts = []
    style: dict[str, str] = {}
    position = 0
    for match in _ESCAPE.finditer(text):
        parts.append(_span(text[position : match.start()], style))
        position = match.end()
        if match[1] is not None:
            style = _restyled(style, match[1])
    return "".join((*parts, _span(text[position:], style)))


def _span(text: str, style: Mapping[str, str]) -> str:
    css = ";".join(f"{key}:{value}" for key, value in style.items() if value)
    return f'<span style="{css}">{escaped(text)}</span>' if css and text else escaped(text)


def _restyled(style: Mapping[str, str], codes: str) -> dict[str, str]:
    """Apply the numbers of one escape sequence, of which 0 forgets all before it."""
    changed = dict(style)
    numbers = (int(code or 0) for code in re.split("[;:]", codes))
    for code in numbers:
        if code in EXTENDED:
            changed[EXTENDED[code]] = _extended(numbers)
        else:
            changed = changed | STYLES.get(code, {}) if code else {}
    return changed


def _extended(numbers: Iterator[int]) -> str:
    """Read a colour given as "5;index" or as "2;red;green;blue"."""
    if next(numbers, 0) == RGB:
        return "#" + "".join(f"{min(next(numbers, 0), 255):02x}" for _ in "rgb")
    index = min(next(numbers, 0), 255)
    if index < CUBE:
        return (DARK + BRIGHT)[index]
    if index < GREYS:
        levels = ((index - CUBE) // 36, (index - CUBE) // 6 % 6, (index - CUBE) % 6)
        return "#" + "".join(f"{level and 55 + 40 * level:02x}" for level in levels)
    return "#" + f"{8 + 10 * (index - GREYS):02x}" * 3
