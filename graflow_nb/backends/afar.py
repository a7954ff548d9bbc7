"""What a worker on another machine takes over from the process that sends it calls: what its user has changed.

A process that was started here is to be like this one in everything. A worker elsewhere has folders,
programs and logins of its own: what this process was started with says nothing about it, and secrets among that
must not travel.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graflow_nb.backends import at_first, mirror
from graflow_nb.backends.packing import pack, unpack
from graflow_nb.incremental.store.signing import SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_log = logging.getLogger("graflow_nb")
_OWN = (SECRET, "GRAFLOW_NB_REDIS_URL")
"""Variables that log in: they never travel."""
_ALWAYS = ("MPLBACKEND",)
"""Variables that travel although nobody changed them: a kernel sets them when it starts, for what tasks show."""


class Afar:
    """What workers on other machines take over from this process, in the course of a run.

    What may change at any moment is looked at for each call; settings of libraries once.
    """

    def __init__(self) -> None:
        self._slow: dict[str, bytes] | None = None
        self._known: dict[str, Any] = {}
        self._packed: dict[str, bytes] = {}

    def current(self) -> dict[str, bytes]:
        """Return it; the same object as before, if it is as it was. Each thing is packed by itself."""
        if self._slow is None:
            slow = mirror.changes({}, {**mirror.current_slow(), "modules": None}).items()
            self._slow = {name: _packed(each) for name, each in slow if each[1] is not None}
        now = {
            "environment": (_take_environment, _changed_environment()),
            "path": (_take_path, _own_path((*sys.path,))),
            "folder": (_take_folder, str(Path.cwd())),
            "arguments": (_take_arguments, [*sys.argv]),
        }
        if now != self._known:
            self._known = now
            self._packed = {**{name: _packed(each) for name, each in now.items()}, **self._slow}
        return self._packed


def current_afar() -> dict[str, bytes]:
    """Return what a worker on another machine takes over now, each thing packed by itself."""
    return Afar().current()


def take_over_afar(found: Mapping[str, bytes]) -> None:
    """In a worker: be as the process that sends calls in what `current_afar` says, as far as that can be here."""
    for name, packed in found.items():
        try:
            apply, value = unpack(packed)
            apply(value)
        except Exception as error:  # such as settings of a library that is not installed here: no task can use it
            _log.debug("%s could not be taken over: %s", name, error)


def _changed_environment() -> dict[str, str | None]:
    """Return the variables that were set since this process began, and None for those that were removed."""
    now = dict(os.environ)
    before = at_first.ENVIRONMENT
    changed: dict[str, str | None] = {
        name: value for name, value in now.items() if name in _ALWAYS or before.get(name) != value
    }
    changed.update(dict.fromkeys(at_first.ENVIRONMENT.keys() - now.keys()))
    return {name: value for name, value in changed.items() if name not in _OWN}


def _take_environment(changed: Mapping[str, str | None]) -> None:
    for name, value in changed.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@cache
def _own_path(path: tuple[str, ...]) -> list[str]:
    """Return the folders that modules come from and that do not belong to Python itself."""
    own = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    return [entry for entry in path if not entry or not any(Path(entry).is_relative_to(one) for one in own)]


def _take_path(path: Sequence[str]) -> None:
    there = [entry for entry in path if not entry or Path(entry).exists()]
    sys.path[:] = [*there, *(entry for entry in sys.path if entry not in there)]


def _take_arguments(arguments: list[str]) -> None:
    sys.argv[:] = arguments


def _take_folder(folder: str) -> None:
    with suppress(OSError):  # another machine may not have it
        os.chdir(folder)


def _packed(thing: Any) -> bytes:
    return bytes(pack(thing).stream)
