"""Which environment variables a task reads."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from graflow_nb.incremental.entry import Used
from graflow_nb.incremental.files import ABSENT
from graflow_nb.incremental.trace.audit import LISTENER
from graflow_nb.incremental.trace.counted import is_importing, is_installed, is_standard
from graflow_nb.incremental.trace.secret import digest_of, shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

ALL = "*"
"""Stands for the whole environment."""
_SESSION = frozenset({"_", "SHLVL", "OLDPWD", "JPY_PARENT_PID", "JPY_INTERRUPT_EVENT", "JPY_SESSION_NAME"})
"""They differ in each session, and nobody's result depends on them."""
_PASSED_THROUGH = frozenset({"<frozen os>", "<frozen _collections_abc>", os.__file__, __file__})
_Plain: Any = type(os.environ)


class Variables:
    """What one task reads of the environment, and sets in it."""

    __slots__ = ("_before", "_used", "_walkers")

    def __init__(self) -> None:
        self._used: dict[str, Used] = {}
        self._before: dict[str, Used] = {}
        self._walkers: set[CodeType] = set()

    def read(self, name: str, frame: FrameType | None) -> None:
        """Note that a variable is read."""
        if name in self._used or name in self._before or self._is_passing(frame):
            return
        if frame is not None and (frame.f_code in self._walkers or self._is_session(name, frame)):
            return
        self._used[name] = used_variable(name)

    def walked(self, frame: FrameType | None) -> None:
        """Note that the whole environment is read; that Python itself does it (`subprocess`) says nothing."""
        if frame is not None:
            self._walkers.add(frame.f_code)
            if is_standard(frame.f_code) or self._is_passing(frame):
                return
        if ALL not in self._used:
            self._used[ALL] = used_variable(ALL)

    def set(self, name: str) -> None:
        """Note that a variable is about to be set or deleted."""
        if name not in self._before:
            self._before[name] = used_variable(name)

    def used(self) -> Iterator[Used]:
        """Yield what was read, as it was then, and what was set for good."""
        yield from self._used.values()
        for name, before in self._before.items():
            if (now := used_variable(name)) != before:
                yield now

    def _is_session(self, name: str, frame: FrameType) -> bool:
        return name in _SESSION and is_installed(frame.f_code)

    def _is_passing(self, frame: FrameType | None) -> bool:
        return frame is not None and is_installed(frame.f_code) and is_importing(frame)


def used_variable(name: str) -> Used:
    """Return a variable, or the whole environment, as it is now."""
    if name == ALL:
        return Used(
            "environment", ALL, digest_of("all secrets too", repr(sorted(_settings()))), (), "all variables"
        )
    value = os.environ.get(name)
    if value is None:
        return Used("environment", name, ABSENT, (), "not set")
    return Used("environment", name, digest_of(name, value), (), shown(name, value))


def _settings() -> Iterator[tuple[str, str]]:
    return (item for item in os.environ.items() if item[0] not in _SESSION)


class _Environ(_Plain):  # type: ignore[misc]  # the class of `os.environ` has a private name
    """Tells the running task's listener what is read and set. `os.environ` is of this class while tasks run."""

    def __getitem__(self, key: Any) -> Any:
        _tell("os.environ.read", key)
        return super().__getitem__(key)

    def __iter__(self) -> Any:
        _tell("os.environ.walk", None)
        return super().__iter__()

    def __setitem__(self, key: Any, value: Any) -> None:
        _tell("os.environ.set", key)
        super().__setitem__(key, value)

    def __delitem__(self, key: Any) -> None:
        _tell("os.environ.set", key)
        super().__delitem__(key)


_Environ.__name__, _Environ.__qualname__, _Environ.__module__ = _Plain.__name__, _Plain.__qualname__, "os"


def _tell(event: str, key: Any) -> None:
    listener = LISTENER.get()
    if listener is not None:
        listener.heard(event, (key,))


def reader() -> FrameType | None:
    """Return the frame that reads the environment just now: the first outside of what passes it on."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the only way there is
    while frame is not None and frame.f_code.co_filename != __file__:  # the listener's own frames
        frame = frame.f_back
    while frame is not None and frame.f_code.co_filename in _PASSED_THROUGH:
        frame = frame.f_back
    return frame


def change_environment(*, tells: bool) -> None:
    """Let `os.environ` tell listeners, or no longer.

    Its class is changed and the object kept, which others may have got by ``from os import environ``.
    """
    old, new = (_Plain, _Environ) if tells else (_Environ, _Plain)
    for environment in (os.environ, getattr(os, "environb", None)):
        if type(environment) is old:
            environment.__class__ = new
