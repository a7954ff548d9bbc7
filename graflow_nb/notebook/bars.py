"""Progress bars that are widgets (tqdm.notebook's, or anybody's): what they show is the task's progress."""

from __future__ import annotations

import re
import sys
from html import unescape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

VIEW = "application/vnd.jupyter.widget-view+json"
_COUNT = re.compile(r"\s*:?\s*\d*%?\s*$")
_TAG = re.compile(r"<[^>]*>")


def follow_bar(data: Mapping[str, Any], tell: Callable[[float, str], None]) -> None:
    """Tell how far a progress bar is, now and whenever it moves, if a display shows one.

    Parameters
    ----------
    data : mapping of str
        The display's, by mime types.
    tell : callable
        Takes the share that is done, and what is written before the bar.
    """
    widgets = sys.modules.get("ipywidgets.widgets.widget")
    shown = data.get(VIEW)
    if widgets is None or not shown:
        return
    widget = getattr(widgets, "_instances", {}).get(shown.get("model_id"))
    bar = next(_bars(widget), None)
    if bar is None:
        return

    def say(_: Any = None) -> None:
        if bar.max > bar.min:
            tell((bar.value - bar.min) / (bar.max - bar.min), _text(widget, bar))

    bar.observe(say, ["value"])
    say()


def _bars(widget: Any) -> Iterator[Any]:
    from ipywidgets import FloatProgress, IntProgress

    for part in (widget, *getattr(widget, "children", ())):
        if isinstance(part, FloatProgress | IntProgress):
            yield part


def _text(widget: Any, bar: Any) -> str:
    """Return what stands before the bar, without the percentage, which the task's card shows itself."""
    before = next((part for part in getattr(widget, "children", ()) if part is not bar), None)
    text = bar.description or str(getattr(before, "value", ""))
    return _COUNT.sub("", unescape(_TAG.sub("", text))).strip()
