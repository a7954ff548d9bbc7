"""Exit codes, and the errors that end a command with one."""

from __future__ import annotations

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130


class CommandError(Exception):
    """Ends a command with a line and an exit code.

    Attributes
    ----------
    code : int
    """

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code
