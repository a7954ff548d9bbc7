from __future__ import annotations

import re
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb.views.outputs import ansi_html, is_embeddable, output_html, outputs_html


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def display(metadata=None, **data):
    bundle = {key.replace("_", "/"): value for key, value in data.items()}
    return {"output_type": "display_data", "data": bundle, "metadata": metadata or {}}


def test_streams_are_escaped_and_lists_of_lines_joined():
    assert "&lt;b&gt;\n2" in output_html(stream(["<b>\n", "2\n"]))


def test_stderr_looks_different():
    assert output_html(stream("x", "stderr")) != output_html(stream("x"))


def test_pieces_of_one_stream_are_one_block():
    outputs = [stream("a"), stream("b\n"), stream("warn", "stderr"), stream("c")]
    html = outputs_html(outputs)
    assert html.count("<pre") == 3
    assert "ab" in html


def test_errors_show_their_traceback_or_at_least_their_message():
    error = {
        "output_type": "error",
        "ename": "KeyError",
        "evalue": "'x'",
        "traceback": ["\x1b[31mline 1\x1b[0m", "line 2"],
    }
    assert "line 1</span>\nline 2" in output_html(error)
    assert "KeyError: &#x27;x&#x27;" in output_html({**error, "traceback": []})


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"text_html": ["<b>", "x</b>"], "text_plain": "p"}, "<b>x</b>"),
        ({"image_png": "iVBO\nRw0K\n", "text_plain": "p"}, 'src="data:image/png;base64,iVBORw0K"'),
        ({"image_jpeg": "/9j/"}, 'src="data:image/jpeg;base64,/9j/"'),
        ({"image_gif": "R0lG"}, 'src="data:image/gif;base64,R0lG"'),
        ({"image_svg+xml": "<svg/>"}, 'src="data:image/svg+xml;base64,PHN2Zy8+"'),
        ({"text_markdown": "# <T>", "text_plain": "p"}, "# &lt;T&gt;"),
        ({"text_latex": "$x < y$", "text_plain": "p"}, "$x &lt; y$"),
        ({"application_json": {"a": [1]}, "text_plain": "p"}, "&quot;a&quot;: ["),
        ({"text_plain": "<Figure>"}, "&lt;Figure&gt;"),
        ({"application_vnd.x": {}}, "application/vnd.x: shown by a live notebook only"),
        ({"application_vnd.x": {}, "text_plain": "IntSlider()"}, "IntSlider()"),
    ],
)
def test_displays_show_their_richest_form(data, shown):
    html = output_html(display(**data))
    assert shown in html
    assert ">p<" not in html


def test_results_are_displays_and_nothing_is_nothing():
    assert "42" in output_html(
        {"output_type": "execute_result", "data": {"text/plain": "42"}, "execution_count": 1}
    )
    assert output_html(display()) == ""
    assert output_html(stream("")) == ""
    assert outputs_html([]) == ""


def test_images_keep_the_width_they_ask_for():
    assert 'width="320"' in output_html(display({"image/png": {"width": 320, "height": 240}}, image_png="iVBO"))
    assert "onload" not in output_html(display({"image/png": {"width": '"onload="'}}, image_png="iVBO"))


def test_image_data_cannot_leave_its_attribute():
    assert "<script>" not in output_html(display(image_png='"><script>'))


@pytest.mark.parametrize(
    ("data", "embeddable"),
    [
        ({"text_plain": "1"}, True),
        ({"text_latex": "x", "text_plain": "1"}, True),
        ({"application_vnd.jupyter.widget-view+json": {}, "text_plain": "IntSlider()"}, False),
        ({"application_vnd.plotly.v1+json": {}}, False),
        ({"application_vnd.plotly.v1+json": {}, "text_html": "<div>"}, True),
        ({"application_javascript": "alert()", "text_plain": "x"}, False),
        ({"image_png": "x", "text_plain": "x"}, True),
        ({}, True),
    ],
)
def test_what_only_a_live_notebook_can_draw_is_not_embeddable(data, embeddable):
    assert is_embeddable(display(**data)) is embeddable


def test_streams_and_errors_are_embeddable():
    assert is_embeddable(stream("x"))
    assert is_embeddable({"output_type": "error", "ename": "E", "evalue": "", "traceback": []})


def test_a_long_text_keeps_its_head_and_tail_and_says_where_the_rest_is():
    text = "".join(f"line {n}\n" for n in range(100_000))
    html = output_html(stream(text), limit=1000, hint="load.outputs has all of it")
    assert "line 0\n" in html
    assert html.endswith("line 99999</pre>")
    assert re.search(r"\n… 1\.\d MB not shown: load\.outputs has all of it …\n", html)
    assert len(html) < 2000


def test_many_short_pieces_are_bounded_as_one_text():
    assert len(outputs_html([stream(f"{n}\n") for n in range(10_000)], limit=1000)) < 2000


@given(st.text("ab\n", min_size=1, max_size=300), st.integers(2, 200))
def test_a_text_within_the_limit_is_whole(text, limit):
    assert ("not shown" in output_html(stream(text), limit=limit)) == (len(text) > limit)


def test_html_and_images_are_never_cut():
    assert "x" * 5000 in output_html(display(text_html="x" * 5000), limit=100)


@pytest.mark.parametrize(
    ("codes", "css"),
    [
        ("1", "font-weight:bold"),
        ("3;4", "font-style:italic;text-decoration:underline"),
        ("31", "color:#d1383d"),
        ("38;5;196", "color:#ff0000"),
        ("38;5;232", "color:#080808"),
        ("38;5;1", "color:#d1383d"),
        ("48;2;1;2;300", "background-color:#0102ff"),
        ("38:5:21", "color:#0000ff"),
    ],
)
def test_colours_and_weights_become_styles(codes, css):
    assert ansi_html(f"\x1b[{codes}mx\x1b[0m") == f'<span style="{css}">x</span>'


def test_styles_end_where_they_are_reset():
    assert ansi_html("\x1b[1;31ma\x1b[22mb\x1b[39mc\x1b[md") == (
        '<span style="font-weight:bold;color:#d1383d">a</span><span style="color:#d1383d">b</span>cd'
    )


def test_other_escape_sequences_are_left_out():
    assert ansi_html("a\x1b[2Kb\x1b[1;1Hc\x1b]8;;http://x\x07d\x1b]8;;\x1b\\e\x1b") == "abcde"


@given(st.text(st.sampled_from("\x1b[]0138;:m<>&x\n")))
def test_any_text_becomes_balanced_and_escaped_html(text):
    html = ansi_html(text)
    assert html.count("<span") == html.count("</span>")
    assert "<" not in re.sub(r'<span style="[^"<>]*">|</span>', "", html)
    assert "\x1b" not in html


def test_an_svg_is_shown_as_an_image_and_cannot_run_scripts():
    html = output_html(display(**{"image_svg+xml": "<svg><script>alert()</script></svg>"}))
    assert "<script" not in html
    assert "script" in b64decode(re.search(r"base64,([^\"]+)", html)[1]).decode()
