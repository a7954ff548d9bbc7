"""Code as HTML."""

from __future__ import annotations

import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from graflow_nb.views.code import code_html
from graflow_nb.views.text import clean


@given(st.text(st.characters(exclude_characters="\r"), max_size=60))
def test_the_text_is_the_code_whatever_stands_in_it(source):
    html = code_html(source)
    inside = html.partition(">")[2].removesuffix("</pre>")
    assert unescape(re.sub(r"</?span[^>]*>", "", inside)) == clean(source)


def test_words_have_the_editors_colours():
    assert "--jp-mirror-editor-keyword-color" in code_html("def f(): pass")
    assert "--jp-mirror-editor-string-color" in code_html("'text'")
