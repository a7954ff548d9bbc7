"""What a flow can be written as, by a file's ending."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_nb.core.errors import did_you_mean
from graflow_nb.notebook.document.convert import flow_cells, script_cells, to_notebook
from graflow_nb.notebook.document.layout import formatted
from graflow_nb.notebook.document.script import to_script
from graflow_nb.notebook.document.source import DocumentError

if TYPE_CHECKING:
    from pathlib import Path

    from graflow_nb.notebook.document.source import Document

PICTURES = {".svg": "svg", ".png": "png", ".mmd": "mermaid"}
"""Pictures of a flow, by ending."""
TEXTS = (".py", ".ipynb")


def check_ending(file: Path) -> None:
    """Raise if a file's ending says nothing.

    Raises
    ------
    DocumentError
    """
    if file.suffix not in {*PICTURES, *TEXTS}:
        known = [*TEXTS, *PICTURES]
        raise DocumentError(f"a flow cannot be written as {file.name!r}. {did_you_mean(file.suffix, known)}")


def exported(document: Document, file: Path) -> str:
    """Return a document's flow as a script or a notebook, as the file's ending says.

    Raises
    ------
    DocumentError
        If it cannot be written so.
    """
    if file.suffix == ".py":
        about = f"The flow of {document.path.name if document.path else document.name}, exported by graflow-nb"
        return formatted(to_script(document, about=about), file)
    is_code = document.path is not None and document.path.suffix == ".py"
    return to_notebook(script_cells(document) if is_code else flow_cells(document))
