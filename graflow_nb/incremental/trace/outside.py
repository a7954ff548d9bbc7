"""Words for what a task uses of the world outside: other programs, the network."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

_HARMLESS = frozenset(
    {"cc", "fc-list", "gcc", "getconf", "ld", "ldconfig", "lscpu", "nproc", "objdump", "stty", "sysctl", "uname"}
)
"""Programs that libraries ask about the machine."""
_STARTERS = ("popen_spawn_posix.py", "popen_forkserver.py", "popen_loky_posix.py", "popen_spawn_win32.py")
"""Modules that start Python processes without telling the audit hook; they open a pipe."""


def starts_process(frame: FrameType | None) -> bool:
    """Whether a pipe is opened to a process that is being started."""
    if frame is not None and frame.f_code.co_name == "fdopen":
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.endswith(_STARTERS)


def program(event: str, args: tuple[Any, ...]) -> str | None:
    """Return which program an audit event starts, in words; None if none that matters."""
    if event == "subprocess.Popen":
        argv = args[1] if isinstance(args[1], list | tuple) else os.fsdecode(args[1]).split()
        name = os.fsdecode(argv[0] if argv else args[0])
    elif event in {"os.system", "os.posix_spawn", "os.exec", "os.startfile"}:
        name = os.fsdecode(args[0])
    elif event == "os.spawn":
        name = os.fsdecode(args[1])
    else:
        return "another process"
    name = os.path.basename(name.split()[0]) if name.split() else name  # noqa: PTH119 - only the last part of a text
    return None if name in _HARMLESS else f"program {name!r}"


def network(event: str, args: tuple[Any, ...]) -> str | None:
    """Return which part of the network an audit event uses, in words."""
    if event == "urllib.Request":
        host = str(args[0]).partition("://")[2].partition("/")[0]
    elif event in {"socket.connect", "socket.sendto"}:
        address = args[1]
        host = str(address[0]) if isinstance(address, tuple) else str(address)
    else:
        host = os.fsdecode(args[0]) if args[0] is not None else ""
    host = host.rpartition("@")[2]  # no login, no password
    return f"the network: {host}" if host else None
