"""Tracebacks that begin at the task's own code."""

from __future__ import annotations

import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import describe

if TYPE_CHECKING:
    from types import TracebackType

    from IPython.core.interactiveshell import InteractiveShell

_PACKAGE = str(Path(__file__).parents[1])
_FORMATTING = threading.Lock()
"""The shell's formatter keeps state of its own."""


def own_traceback(error: BaseException) -> TracebackType | None:
    """Return an error's traceback without our own frames at its top."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.tb_next
    return frame


def error_output(shell: InteractiveShell, error: BaseException) -> dict[str, Any]:
    """Return an error as an nbformat output, formatted as the shell formats it."""
    return error_dict(error, _lines(shell, error))


def error_dict(error: BaseException, lines: list[str]) -> dict[str, Any]:
    """Return an error with the lines of its traceback as an nbformat output."""
    try:
        message = str(error)
    except Exception:
        message = "(its message cannot be shown)"
    return {"output_type": "error", "ename": type(error).__name__, "evalue": message, "traceback": lines}


def _lines(shell: InteractiveShell, error: BaseException) -> list[str]:
    own = own_traceback(error)
    formatter = shell.InteractiveTB
    with _FORMATTING:
        before = getattr(formatter, "tb", None)
        try:
            return list(formatter.structured_traceback(type(error), error, own, tb_offset=0))
        except Exception:
            return [*traceback.format_tb(own), describe(error)]
        finally:
            formatter.tb = before


def user_lines(shell: InteractiveShell, error: BaseException) -> list[str]:
    """Return the traceback of one of our own errors down to the user's line, without the frames below it."""
    frames = []
    frame = error.__traceback__
    while frame is not None and not frame.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        frames.append(frame)
        frame = frame.tb_next
    cut = None
    for one in reversed(frames[1:]):
        cut = type(one)(cut, one.tb_frame, one.tb_lasti, one.tb_lineno)
    with _FORMATTING:
        return list(shell.InteractiveTB.structured_traceback(type(error), error, cut, tb_offset=0))
