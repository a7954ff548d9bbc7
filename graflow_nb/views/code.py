"""Python code as HTML, in the colours of JupyterLab's own editor, whichever theme it has."""

from __future__ import annotations

from typing import Any

from graflow_nb.views.text import escaped

_STYLE = (
    "margin:0;white-space:pre;overflow-x:auto;font-family:var(--jp-code-font-family,monospace);line-height:1.5"
)
_COLOURS = (
    ("Comment", "comment", "#408080"),
    ("Literal.String", "string", "#ba2121"),
    ("Literal.Number", "number", "#080"),
    ("Operator.Word", "keyword", "#008000"),
    ("Operator", "operator", "#7800c2"),
    ("Keyword", "keyword", "#008000"),
    ("Name.Builtin", "builtin", "#008000"),
    ("Name.Decorator", "meta", "#a2f"),
    ("Name.Function", "def", "#00f"),
    ("Name.Class", "def", "#00f"),
)
"""Pygments' kinds of words, how JupyterLab's editor calls their colours, and what they are elsewhere."""


def code_html(source: str) -> str:
    """Return code as highlighted HTML; all that is not known stays plain.

    >>> code_html("<").count("&lt;")
    1
    """
    from pygments.lexers.python import PythonLexer

    lexer = PythonLexer(stripnl=False, ensurenl=False)
    words = "".join(_word(kind, text) for kind, text in lexer.get_tokens(source))
    return f'<pre style="{_STYLE}">{words}</pre>'


def _word(kind: Any, text: str) -> str:
    name = str(kind).removeprefix("Token.")
    for prefix, variable, colour in _COLOURS:
        if name.startswith(prefix):
            style = f"color:var(--jp-mirror-editor-{variable}-color,{colour})"
            return f'<span style="{style}">{escaped(text)}</span>'
    return escaped(text)
