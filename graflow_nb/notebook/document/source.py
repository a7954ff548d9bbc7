"""A notebook or a script, as it lies in a file: its cells, and nothing of them is run."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import GraflowError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MARKER = re.compile(r"# ?%%(?:$|\s+(?P<rest>.*))")
_COMMENTED_MAGIC = re.compile(r"# ?(%{1,2}[A-Za-z]|!)")
_FORMAT = 4
_OLDEST_FORMAT = 3
_KINDS = (".ipynb", ".py")


class DocumentError(GraflowError):
    """A notebook or script that cannot be read, or not be made into what was asked for."""


@dataclass(frozen=True)
class RawCell:
    """A cell as it was written.

    Attributes
    ----------
    kind : {"code", "markdown"}
    source : str
    number : int
        Which of the code cells it is, from 1; 0 for others.
    tags : sequence of str
    seconds : float or None
        How long it took when it ran last, if the notebook tells.
    """

    kind: str
    source: str
    number: int = 0
    tags: Sequence[str] = ()
    seconds: float | None = None


@dataclass(frozen=True)
class Document:
    """A notebook or a script.

    Attributes
    ----------
    name : str
        Its file's, without the ending.
    cells : sequence of RawCell
    path : Path or None
    is_script : bool
        Whether it is Python in one piece, rather than cells.
    metadata : mapping
        A notebook's own.
    """

    name: str
    cells: Sequence[RawCell]
    path: Path | None = None
    is_script: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> Sequence[RawCell]:
        """The code cells."""
        return [cell for cell in self.cells if cell.kind == "code"]


def read_document(path: Path) -> Document:
    """Read a notebook, or a script.

    Raises
    ------
    DocumentError
        If there is none, or it cannot be read; says why.
    """
    if path.suffix not in _KINDS:
        raise DocumentError(f"{path} is neither a notebook (.ipynb) nor a script (.py)")
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        there = [other.name for kind in _KINDS for other in sorted(path.parent.glob(f"*{kind}"))]
        hint = f" {did_you_mean(path.name, there)}" if there else ""
        raise DocumentError(f"there is no file {path}.{hint}") from None
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path} cannot be read: it is no text in UTF-8 ({error.reason})") from None
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror}") from None
    return _script(path, text) if path.suffix == ".py" else _notebook(path, text)


def _notebook(path: Path, text: str) -> Document:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DocumentError(f"{path} is no notebook: it is not JSON ({error})") from None
    if not isinstance(content, dict) or not isinstance(version := content.get("nbformat"), int):
        raise DocumentError(f"{path} is no notebook: it is JSON without an nbformat")
    if not _OLDEST_FORMAT <= version <= _FORMAT:
        raise DocumentError(
            f"{path} is a notebook of format {version}; only {_OLDEST_FORMAT} and {_FORMAT} can be read. "
            f"Open it in Jupyter, and save it there"
        )
    try:
        cells = tuple(_numbered(_cells(content)))
    except (AttributeError, KeyError, TypeError):
        raise DocumentError(f"{path} is a damaged notebook: its cells are not as they should be") from None
    return Document(path.stem, cells, path, metadata=dict(content.get("metadata") or {}))


def _cells(content: dict[str, Any]) -> Iterator[RawCell]:
    """Give the cells of a notebook; format 3 had them in worksheets, and called the source input."""
    found = content["cells"] if "cells" in content else [c for w in content["worksheets"] for c in w["cells"]]
    for cell in found:
        kind = "code" if cell["cell_type"] == "code" else "markdown"
        source = cell["source"] if "source" in cell else cell.get("input", "")
        metadata = cell.get("metadata") or {}
        tags = tuple(map(str, metadata.get("tags") or ()))
        text = source if isinstance(source, str) else "".join(source)
        yield RawCell(kind, text, tags=tags, seconds=_took(metadata.get("execution") or {}))


def _took(times: dict[str, str]) -> float | None:
    """Return how long a cell took, as JupyterLab notes it if it is told to."""
    began = times.get("iopub.execute_input") or times.get("iopub.status.busy")
    ended = times.get("shell.execute_reply") or times.get("iopub.status.idle")
    try:
        return (datetime.fromisoformat(str(ended)) - datetime.fromisoformat(str(began))).total_seconds()
    except ValueError:
        return None


def _numbered(cells: Iterator[RawCell]) -> Iterator[RawCell]:
    number = 0
    for cell in cells:
        number += cell.kind == "code"
        yield replace(cell, number=number if cell.kind == "code" else 0)


def _script(path: Path, text: str) -> Document:
    """Read a script: its cells if it has ``# %%`` markers, else one cell that is all of it."""
    lines = text.splitlines()
    if any(_MARKER.match(line) for line in lines):
        return Document(path.stem, tuple(_numbered(_marked(lines))), path)
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise DocumentError(f"{path} is no Python, at line {error.lineno}: {error.msg}") from None
    return Document(path.stem, (RawCell("code", without_main(text, tree), 1),), path, is_script=True)


def _marked(lines: Sequence[str]) -> Iterator[RawCell]:
    kind, taken = "code", list[str]()
    for line in [*lines, "# %%"]:
        match = _MARKER.match(line)
        if match is None:
            taken.append(line)
            continue
        source = "\n".join(_plain(taken, kind)).strip("\n")
        if source.strip():
            yield RawCell(kind, source)
        kind, taken = "markdown" if "[markdown]" in (match["rest"] or "") else "code", []


def _plain(lines: Sequence[str], kind: str) -> list[str]:
    """Take away what made text and magics comments in a script."""
    if kind == "markdown":
        return [re.sub(r"^# ?", "", line) for line in lines]
    return [re.sub(r"^# ?", "", line) if _COMMENTED_MAGIC.match(line) else line for line in lines]


def is_main(node: ast.stmt) -> bool:
    """Whether a statement is what runs only if its file is run as a script."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in {
        "__name__ == '__main__'",
        "'__main__' == __name__",
    }


def without_main(text: str, tree: ast.Module) -> str:
    r"""Return a script without what runs only if it is run; every other line keeps its place.

    >>> script = "x = 1\nif __name__ == '__main__':\n    print(x)\ny = 2"
    >>> without_main(script, ast.parse(script))
    'x = 1\n\n\ny = 2'
    """
    lines = text.splitlines()
    for node in tree.body:
        if is_main(node):
            for line in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[line] = ""
    return "\n".join(lines)
