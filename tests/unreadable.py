"""An error for tests, in a module that pytest does not rewrite: in a worker it is the same."""

from __future__ import annotations


class Unreadable(Exception):
    """An error whose constructor takes something else than its args."""

    def __init__(self, code, *, where):
        super().__init__(f"{code} at {where}")
        self.code, self.where = code, where
