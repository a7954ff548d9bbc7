"""Whether an object that a plain cell had in hand was changed by it: its content before and after."""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from graflow_nb.incremental.fingerprint import Opaque, fingerprint

MOST_BYTES = 200_000_000
"""More is not hashed: it would take longer than a twentieth of a second. It counts as changed."""
MOST_ITEMS = 100_000
"""The same for what is hashed one by one."""
_ITEM = MOST_BYTES // MOST_ITEMS
_PLAIN = (type(None), bool, int, float, complex, str, bytes, range)
_NO_DATA = (ModuleType, FunctionType, BuiltinFunctionType, MethodType, type)


def can_change(value: Any) -> bool:
    """Whether an object may hold something else later; what is code or a number does not."""
    return not isinstance(value, (*_PLAIN, *_NO_DATA)) and not type(value).__module__.startswith("graflow_nb.")


def content(value: Any) -> bytes | None:
    """Return the fingerprint of a value; None if it has none, or one that would take long.

    Examples
    --------
    >>> content([1]) == content([1]), content([1]) == content([2])
    (True, False)
    >>> content(bytearray(MOST_BYTES + 1)), content(n for n in "ab")
    (None, None)
    """
    if _weight(value) > MOST_BYTES:
        return None
    try:
        return fingerprint(value)
    except Opaque:
        return None


def _weight(value: Any, deepest: int = 3) -> int:
    """Return roughly how much there is to hash: bytes, an item of its own counted as many."""
    try:
        if isinstance(value, str | bytes | bytearray):
            return len(value)
        if callable(used := getattr(value, "memory_usage", None)):
            size = int(sum(used(deep=False)) if hasattr(value, "columns") else used(deep=False))
            return size * (_ITEM // 8 if "object" in str(getattr(value, "dtypes", "")) else 1)
        if isinstance(in_memory := getattr(value, "nbytes", None), int):
            return in_memory * (_ITEM // 8 if getattr(getattr(value, "dtype", None), "hasobject", False) else 1)
        if isinstance(value, dict | list | tuple | set | frozenset):
            return _weight_of_items(value, deepest)
    except Exception:
        return MOST_BYTES + 1
    return _ITEM


def _weight_of_items(value: Any, deepest: int) -> int:
    total = len(value) * _ITEM
    if total > MOST_BYTES or deepest == 0:
        return total
    items = value.values() if isinstance(value, dict) else value
    return total + sum(_weight(item, deepest - 1) for item in items if not isinstance(item, int | float | bool))
