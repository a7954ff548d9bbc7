"""Functions of the user's own that were put on a library's classes or modules: methods, accessors, replacements.

Code that calls ``df.my()`` does not say what ``my`` is. It is looked for on the main classes of the libraries
that are loaded, on classes that the code names itself, and on modules that it names. What is put on another
class of a library, or replaces a special method (``__add__``), is not seen.
"""

from __future__ import annotations

import sys
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from graflow_nb.incremental.code.libraries import is_library

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_MAIN = {
    "pandas": (
        "DataFrame", "Series", "Index", "core.generic.NDFrame", "core.groupby.groupby.GroupBy",
        "core.groupby.DataFrameGroupBy", "core.groupby.SeriesGroupBy",
    ),
    "polars": ("DataFrame", "Series", "LazyFrame", "Expr"),
    "sklearn": ("base.BaseEstimator",),
    "torch": ("Tensor", "nn.Module"),
    "xarray": ("DataArray", "Dataset"),
}  # fmt: skip
_HELD = ("fget", "fset", "fdel", "__func__", "__wrapped__", "func", "_accessor", "_ns", "accessor")
"""Where descriptors keep what they were made of: properties, accessors of pandas, polars and xarray."""


class _Main:
    """The main classes, as of the last time that the number of loaded modules changed."""

    loaded = 0
    found: tuple[Mapping[str, Any], ...] = ()


def main_classes() -> tuple[Mapping[str, Any], ...]:
    """Return what stands in the main classes of the libraries that are loaded; the same until they change."""
    if len(sys.modules) != _Main.loaded:
        _Main.loaded = len(sys.modules)
        kinds = [
            _resolve(sys.modules[name], kind) for name in _MAIN if name in sys.modules for kind in _MAIN[name]
        ]
        found = tuple(vars(kind) for kind in kinds if isinstance(kind, type))
        if len(found) != len(_Main.found):
            _Main.found = found
    return _Main.found


def _resolve(owner: Any, name: str) -> Any:
    for step in name.split("."):
        owner = getattr(owner, step, None)
    return owner


def patched(owners: Iterable[Mapping[str, Any]], attributes: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Give those attributes that are the user's own though their owners are a library's: name and function."""
    wanted = sorted(attributes)
    for owner in owners:
        for name in wanted:
            if name in owner:
                for thing in own_things(owner[name]):
                    yield name, thing


def own_things(value: Any) -> list[Any]:
    """Return the functions and classes of the user's own that an attribute is made of."""
    if isinstance(value, FunctionType):
        return [] if is_library(str(value.__globals__.get("__name__"))) else [value]
    if isinstance(value, type):
        return [] if is_library(value.__module__) else [value]
    if isinstance(value, BuiltinFunctionType):  # nothing can be put on it
        return []
    held = [] if isinstance(value, ModuleType) else [_held(value, name) for name in _HELD]
    return [thing for it in held if isinstance(it, FunctionType | type) for thing in own_things(it)]


def _held(value: Any, name: str) -> Any:
    """Return an attribute without running a `__getattr__` that makes attributes on demand."""
    try:
        return object.__getattribute__(value, name)
    except Exception:
        return None
