"""What must be alike here and on a worker, so that what is pickled here can be read there."""

from __future__ import annotations

import sys
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXACTLY: Final = ("graflow-nb",)
_MAJOR: Final = {"cloudpickle": "cloudpickle", "numpy": "numpy", "pandas": "pandas"}
"""Packages whose values travel, and the modules that show that they are used here."""


def versions() -> dict[str, str]:
    """Return the versions of Python and of what matters for what is sent."""
    found = {"Python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    for package in (*_EXACTLY, *_MAJOR):
        if (version := _version(package)) is not None:
            found[package] = version
    return found


def differences(theirs: Mapping[str, str]) -> list[str]:
    """Return in words what differs there so much that nothing should be sent; nothing if all is well."""
    here = versions()
    found = [
        f"{name} is {theirs.get(name, 'not there')} there and {here[name]} here"
        for name in ("Python", *_EXACTLY)
        if name in here and theirs.get(name) != here[name]
    ]
    for package, module in _MAJOR.items():
        is_used = module in sys.modules and package in here and package in theirs
        if is_used and here[package].partition(".")[0] != theirs[package].partition(".")[0]:
            found.append(f"{package} is {theirs[package]} there and {here[package]} here")
    return found


@cache
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
