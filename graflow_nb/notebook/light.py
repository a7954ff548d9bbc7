"""nbformat and nbclient, without a grammar that costs most of their time and is of no use here.

jsonschema, where all its extras are installed as with JupyterLab, builds a grammar of international addresses as
soon as nbformat imports it, which takes most of a second; no notebook has a field of that kind.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def absent(module: str) -> Iterator[None]:
    """Import others as if a module were not installed, which they can do without."""
    modules: dict[str, Any] = sys.modules
    if module in modules:
        yield
        return
    modules[module] = None
    try:
        yield
    finally:
        del modules[module]


with absent("rfc3987_syntax"):
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from nbformat.v4 import new_code_cell, new_notebook

__all__ = ["CellExecutionError", "DeadKernelError", "NotebookClient", "new_code_cell", "new_notebook"]
