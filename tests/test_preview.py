"""A value in a few words, without running its code."""

from __future__ import annotations

import numpy as np
import pytest

from graflow_nb.views.preview import Preview, preview, values_html


class Loud:
    """Whatever is asked of it fails."""

    def __getattr__(self, name):
        raise AssertionError(name)

    __repr__ = __str__ = __len__ = __iter__ = __hash__ = lambda self: 1 / 0


@pytest.mark.parametrize(
    ("value", "kind", "size", "glimpse"),
    [
        (1, "int", "", "1"),
        (None, "NoneType", "", "None"),
        ("a\nb", "str", "3 characters", "'a\\nb'"),
        (b"ab", "bytes", "2 bytes", "b'ab'"),
        ([1], "list", "1 item", "[1]"),
        ({"a": [1, 2]}, "dict", "1 item", "{'a': [1, 2]}"),
        (list(range(100)), "list", "100 items", "[0, 1, 2, 3, 4, 5, …]"),
        ([[[[1]]]], "list", "1 item", "[[[…]]]"),
        ((Loud(),), "tuple", "1 item", "(<Loud>)"),
    ],
)
def test_plain_values_and_containers(value, kind, size, glimpse):
    assert preview(value) == Preview(kind, size, glimpse)


def test_code_of_the_value_is_never_run():
    assert preview(Loud()) == Preview(f"{__name__}.Loud")
    assert "Loud" in values_html("result", [("x", "load", preview(Loud()))])


def test_a_long_text_is_cut():
    assert len(preview("x" * 10**6).glimpse) < 300
    assert len(preview([["x" * 10**6] * 10] * 10).glimpse) < 300


def test_arrays():
    found = preview(np.arange(12.0).reshape(3, 4))
    assert (found.kind, found.size) == ("ndarray of float64", "3 by 4 · 96 B")
    assert found.glimpse == "[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, …]"
    assert preview(np.full(3, Loud, dtype=object)) == Preview("ndarray of object", "3 · 24 B")
    assert preview(np.arange(10**6).reshape(1000, 1000).T).glimpse.startswith("[0, 1000")


def test_frames():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2], "b": [Loud(), Loud()]})
    found = preview(frame)
    assert (found.kind, found.size) == ("DataFrame", "2 rows by 2 columns")
    assert found.glimpse == "a int64, b object"
    assert preview(frame["a"]) == Preview("Series of int64", "2 rows", "a")


def test_what_is_shown_is_escaped():
    shown = values_html("<i>", [("<img src=x>", "", preview("<b>"))])
    assert "<img" not in shown
    assert "<b>" not in shown
    assert "<i>" not in shown
