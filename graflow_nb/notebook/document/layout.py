"""Pieces of source put together again: statements with their comments, indentation, imports in order."""

from __future__ import annotations

import ast
import io
import re
import shutil
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_STARTS = frozenset(
    getattr(tokenize, name) for name in ("FSTRING_START", "TSTRING_START") if hasattr(tokenize, name)
)
_ENDS = frozenset(getattr(tokenize, name) for name in ("FSTRING_END", "TSTRING_END") if hasattr(tokenize, name))
_FORMATTERS = (("ruff", "format", "--quiet", "--stdin-filename"), ("black", "--quiet", "--stdin-filename"))
_BLOCK = re.compile(r"@|(async )?(def|with)\b|class\b|if __name__")
_PATIENCE = 20  # seconds: a formatter that takes longer is left alone


class Segment(NamedTuple):
    """A statement with the comments above it.

    Attributes
    ----------
    node : ast.stmt
    comments, text : str
        The lines above it, and its own.
    is_apart : bool
        Whether a blank line stands above it.
    """

    node: ast.stmt
    comments: str
    text: str
    is_apart: bool = False

    @property
    def whole(self) -> str:
        """The statement below its comments."""
        return f"{self.comments}\n{self.text}" if self.comments.strip() else self.text


def segments(source: str) -> list[Segment]:
    r"""Split source into its statements.

    Examples
    --------
    >>> [(s.comments, s.text) for s in segments("# how many\nn = 1\nprint(n)  # one")]
    [('# how many', 'n = 1'), ('', 'print(n)  # one')]
    """
    lines = source.splitlines()
    found: list[Segment] = []
    done = 0
    for node in ast.parse(source).body:
        first, last = _lines_of(node)
        if first <= done:  # it shares a line with the one before it
            found[-1] = found[-1]._replace(text=ast.unparse(found[-1].node)) if found else found[-1]
            found.append(Segment(node, "", ast.unparse(node)))
        else:
            above = lines[done : first - 1]
            comments = "\n".join(above).strip("\n")
            is_apart = bool(found) and any(not line.strip() for line in above)
            found.append(Segment(node, comments, "\n".join(lines[first - 1 : last]), is_apart))
        done = max(done, last)
    return found


def _lines_of(node: ast.stmt) -> tuple[int, int]:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)]), node.end_lineno or node.lineno


def joined(pieces: Iterable[tuple[str, bool]]) -> str:
    r"""Put pieces below each other: what is marked, and what stands beside a definition, is apart.

    >>> joined([("x = 1", False), ("y = 2", False), ("z = 3", True)])
    'x = 1\ny = 2\n\nz = 3'
    """
    text, was_block = "", False
    for piece, is_apart in pieces:
        is_block = is_definition(piece)
        if text:
            text += "\n\n" if is_apart or is_block or was_block else "\n"
        text += piece
        was_block = is_block
    return text


def is_definition(piece: str) -> bool:
    """Whether a piece of source is a function, a class or a ``with``, comments above it left aside."""
    code = next((line for line in piece.splitlines() if line and not line.startswith("#")), "")
    return bool(_BLOCK.match(code))


def indented(source: str, by: str = "    ") -> str:
    r'''Indent source, but not what stands inside texts of several lines.

    Examples
    --------
    >>> print(indented('x = """a\nb"""\ny = 1'))
        x = """a
    b"""
        y = 1
    '''
    inside = _inside_texts(source)
    lines = source.split("\n")
    return "\n".join(
        line if number in inside or not line.strip() else by + line for number, line in enumerate(lines, 1)
    )


def dedented(source: str) -> str:
    """Undo `indented`: what stands inside texts of several lines is left as it is."""
    lines = source.split("\n")
    first = next(line for line in lines if line.strip())
    by = first[: len(first) - len(first.lstrip())]
    inside = _inside_texts(f"if True:\n{source}") if by else set()
    return "\n".join(line if number in inside else line.removeprefix(by) for number, line in enumerate(lines, 2))


def below_header(text: str, word: str = "def") -> str:
    """Return what stands below the header of a block; if it is on the header's line, on one of its own."""
    depth = 0
    seen = False
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        seen |= token.type == tokenize.NAME and token.string == word
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.string, 0)
        if seen and not depth and token.string == ":" and token.type == tokenize.OP:
            lines = text.splitlines()
            rest = lines[token.end[0] - 1][token.end[1] :].strip()
            below = "\n".join(lines[token.end[0] :])
            return below if not rest or rest.startswith("#") else f"    {rest}\n{below}".rstrip()
    raise AssertionError(text)


def _inside_texts(source: str) -> set[int]:
    """Return the numbers of the lines that begin inside a text."""
    inside: set[int] = set()
    starts: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.STRING:
            inside.update(range(token.start[0] + 1, token.end[0] + 1))
        elif token.type in _STARTS:
            starts.append(token.start[0])
        elif token.type in _ENDS:
            inside.update(range(starts.pop() + 1, token.end[0] + 1))
    return inside


def sorted_imports(nodes: Iterable[ast.stmt]) -> str:
    r"""Write imports as isort does: the standard library's first, each name once.

    Examples
    --------
    >>> tree = ast.parse("import pandas as pd\nfrom os import path\nimport sys\nfrom os import getcwd")
    >>> print(sorted_imports(tree.body))
    import sys
    from os import getcwd, path
    <BLANKLINE>
    import pandas as pd
    """
    plain: set[tuple[str, str | None]] = set()
    named: dict[str, set[tuple[str, str | None]]] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            plain |= {(alias.name, alias.asname) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            named.setdefault(module, set()).update((alias.name, alias.asname) for alias in node.names)
    groups: dict[int, list[str]] = {}
    for name, alias in sorted(plain, key=lambda pair: (pair[0].lower(), pair[1] or "")):
        groups.setdefault(_rank(name), []).append(f"import {_named(name, alias)}")
    for module, names in sorted(named.items(), key=lambda item: item[0].lower()):
        listed = sorted(names, key=lambda pair: (_kind(pair[0]), pair[0], pair[1] or ""))
        groups.setdefault(_rank(module), []).append(_from(module, [_named(*pair) for pair in listed]))
    return "\n\n".join("\n".join(groups[rank]) for rank in sorted(groups))


def _rank(module: str) -> int:
    if module == "__future__":
        return 0
    if module.startswith("."):
        return 3
    return 1 if module.partition(".")[0] in sys.stdlib_module_names else 2


def _kind(name: str) -> int:
    """Constants first, then classes, then the rest."""
    if name.isupper() and len(name) > 1:
        return 0
    return 1 if name[:1].isupper() else 2


def _named(name: str, alias: str | None) -> str:
    return f"{name} as {alias}" if alias and alias != name else name


def _from(module: str, names: list[str], width: int = 88) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= width or names == ["*"]:
        return line
    listed = "".join(f"    {name},\n" for name in names)
    return f"from {module} import (\n{listed})"


def formatted(source: str, path: Path) -> str:
    """Return a script as the formatter that is installed here writes it, by the rules where it will lie."""
    for name, *options in _FORMATTERS:
        beside = Path(sys.executable).with_name(name)
        program = str(beside) if beside.exists() else shutil.which(name)
        if program is None:
            continue
        command = [program, *options, str(path), "-"]
        try:
            done = subprocess.run(  # noqa: S603 - a formatter of the user's own
                command, input=source, capture_output=True, text=True, check=True, timeout=_PATIENCE
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return done.stdout
    return source
