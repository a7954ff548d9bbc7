"""``graflow-nb``: a notebook's flow from the command line, headless, and the results that are kept on disk."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from graflow_nb.cli.codes import DONE, FAILED, INTERRUPTED, USAGE, CommandError
from graflow_nb.cli.parser import make_parser

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from types import FrameType

__all__ = ["DONE", "FAILED", "INTERRUPTED", "USAGE", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default the process's own.

    Returns
    -------
    int
        0 done, 1 a cell or task failed, 2 wrong usage, 130 interrupted.
    """
    from graflow_nb.core.errors import GraflowError

    options = _read(arguments)
    before = signal.signal(signal.SIGTERM, _terminate) if _may_handle() else None
    try:
        return int(options.do(options))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except CommandError as error:
        return _say(str(error), error.code)
    except GraflowError as error:
        return _say(str(error), USAGE)
    except BrokenPipeError:  # who read our output has gone; nor may the interpreter write what is left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _read(arguments: Sequence[str] | None) -> Namespace:
    """Parse; targets may also stand after options, where argparse does not look for them."""
    parser = make_parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and (not hasattr(options, "targets") or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.targets += rest
    return options


def _may_handle() -> bool:
    return threading.current_thread() is threading.main_thread()


def _terminate(number: int, _: FrameType | None) -> None:
    """End as an interrupt does, so that the kernel ends with us."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _say(message: str, code: int) -> int:
    print(f"graflow-nb: {message}", file=sys.stderr)
    return code
