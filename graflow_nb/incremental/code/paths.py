"""The files that values name: texts and paths in them, whether or not such a file is there."""

from __future__ import annotations

import functools
import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from graflow_nb.core.away import Away

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONGEST = 1_000  # characters of a path
_LONGEST_NAME = 255
_MOST_ITEMS = 1_000
"""A larger container holds data, not names of files."""
_DEEPEST = 3
NO_PATHS = frozenset({type(None), bool, int, float, complex})
"""Types of values that name no file."""
_ELSEWHERE = frozenset({*NO_PATHS, Away})  # where that is, it is looked for


def paths_in(value: Any) -> tuple[str, ...]:
    """Return the paths that a value could name: itself, or in containers, partials and objects' attributes.

    Looks three levels deep, into containers of up to 1,000 items. A text without a dot or slash counts only
    if there is a file or folder of that name now.

    Examples
    --------
    >>> from pathlib import Path
    >>> paths_in({"train": "data/train.csv", "folder": Path("out"), "epochs": 3})
    ('data/train.csv', 'out')
    """
    return tuple(dict.fromkeys(path for text in texts_in(value) if (path := path_of(text))))


def path_of(text: str | os.PathLike[Any]) -> str | None:
    """Return the path that a text or path could name, with the user's home written out; None if it could not."""
    if not isinstance(text, str):
        try:
            return _expanded(os.fsdecode(text))
        except Exception:  # the user's own class, and it cannot say
            return None
    if len(text) > _LONGEST or not text.isprintable() or "://" in text:
        return None
    if "." in text or os.sep in text or text.startswith("~"):
        return _expanded(text)
    is_name = 0 < len(text) <= _LONGEST_NAME and os.path.lexists(text)
    return text if is_name else None


def _expanded(path: str) -> str:
    return os.path.expanduser(path) if path.startswith("~") else path  # noqa: PTH111 - need not be a real path


def texts_in(value: Any) -> Iterator[str | os.PathLike[Any]]:
    """Give the texts and paths in a value, as far in as `paths_in` looks."""
    return _texts([value], _DEEPEST)


def _texts(values: Iterable[Any], depth: int) -> Iterator[str | os.PathLike[Any]]:
    for value in values:
        if type(value) in _ELSEWHERE:
            continue
        if isinstance(value, str | os.PathLike):
            yield value
        elif depth:
            yield from _texts(_inside(value), depth - 1)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict | MappingProxyType):
        return (*value.keys(), *value.values()) if len(value) <= _MOST_ITEMS else ()
    if isinstance(value, list | tuple | set | frozenset):
        return value if len(value) <= _MOST_ITEMS else ()
    if isinstance(value, functools.partial):
        return (*value.args, *value.keywords.values())
    try:
        state: dict[str, Any] = object.__getattribute__(value, "__dict__")
    except AttributeError:
        state = {}
    kind: Any = type(value)
    slots = [_slot(value, name) for name in _slots(kind)]
    return [*slots, *([] if len(state) > _MOST_ITEMS else state.values())]


def _slot(value: Any, name: str) -> Any:
    try:
        return object.__getattribute__(value, name)
    except Exception:  # not assigned
        return None


@functools.lru_cache(maxsize=1_000)
def _slots(kind: type) -> tuple[str, ...]:
    """Return the names of an object's slots; what looks like one of an extension type is none."""
    slots = [vars(base).get("__slots__", ()) for base in kind.__mro__]
    names = [name for names in slots for name in ([names] if isinstance(names, str) else names)]
    return tuple(name for name in names if not name.startswith("__"))
