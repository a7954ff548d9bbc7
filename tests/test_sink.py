"""What one task printed and displayed, in order."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb.notebook.sink import Sink, overwrite


def stream(text: str, name: str = "stdout") -> dict:
    return {"output_type": "stream", "name": name, "text": text}


def display(text: str) -> dict:
    return {"output_type": "display_data", "data": {"text/plain": text}, "metadata": {}}


def show(sink: Sink, text: str, display_id: str | None = None, *, update: bool = False) -> None:
    sink.display({"text/plain": text}, None, {"display_id": display_id} if display_id else None, update=update)


def test_text_is_joined_per_stream_and_order_is_kept():
    sink = Sink("t")
    for name, text in [("stdout", "a"), ("stdout", "b"), ("stderr", "c"), ("stdout", "d"), ("stdout", "")]:
        assert sink.write(name, text) == len(text)
    show(sink, "table")
    sink.write("stdout", "e")
    assert sink.outputs() == [stream("ab"), stream("c", "stderr"), stream("d"), display("table"), stream("e")]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain", "plain"),
        ("10%\r100%\n", "100%\n"),
        ("long line\rshort", "shortline"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("  0%|    |\r 50%|##  |\r100%|####|\n", "100%|####|\n"),
        ("one\ntwo\rTWO\nthree", "one\nTWO\nthree"),
        ("\r\r\r", ""),
        ("kept\r", "kept"),
        ("progress 1\rprogress 2\r\n", "progress 2\n"),
    ],
)
def test_what_a_carriage_return_overwrites(written: str, shown: str):
    assert overwrite(written) == shown
    sink = Sink("t")
    for character in written:
        sink.write("stdout", character)
    assert "".join(output["text"] for output in sink.outputs()) == shown


@given(st.text("ab\r\n", max_size=30))
def test_overwriting_is_done_once(text: str):
    assert "\r" not in overwrite(text)
    assert overwrite(overwrite(text)) == overwrite(text)
    assert overwrite(text).count("\n") == text.count("\n")


def test_a_display_is_updated_in_its_place():
    sink = Sink("t")
    show(sink, "first", "id")
    show(sink, "between")
    show(sink, "second", "id", update=True)
    show(sink, "unknown", "never shown", update=True)
    assert sink.outputs() == [display("second"), display("between")]


def test_each_display_of_one_id_is_updated():
    sink = Sink("t")
    show(sink, "first", "id")
    show(sink, "again", "id")
    show(sink, "new", "id", update=True)
    assert sink.outputs() == [display("new"), display("new")]


def test_clear_drops_everything_at_once_or_with_the_next_output():
    sink = Sink("t")
    sink.write("stdout", "a")
    sink.clear(wait=False)
    assert sink.outputs() == []
    sink.write("stdout", "b")
    sink.clear(wait=True)
    assert sink.outputs() == [stream("b")]
    sink.write("stdout", "c")
    assert sink.outputs() == [stream("c")]


def test_after_the_end_nothing_is_taken_any_more():
    sink = Sink("t")
    sink.write("stdout", "a")
    sink.close()
    sink.write("stdout", "late")
    show(sink, "late")
    sink.clear(wait=False)
    assert sink.outputs() == [stream("a")]


def test_what_was_handed_over_does_not_change_any_more():
    sink = Sink("t")
    show(sink, "first", "id")
    outputs = sink.outputs()
    sink.close()
    show(sink, "second", "id", update=True)
    assert outputs == [display("first")]


def test_many_threads_write_whole_lines():
    sink = Sink("t")

    def work(number: int) -> None:
        for _ in range(200):
            sink.write("stdout", f"line of {number}\n")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (output,) = sink.outputs()
    lines = output["text"].splitlines()
    assert sorted(lines) == sorted(f"line of {number}" for number in range(8) for _ in range(200))


def test_a_bar_that_tqdm_writes_is_progress():
    said = []
    sink = Sink("train", lambda fraction, text: said.append((fraction, text)))
    for text in (
        "\r  0%|          | 0/50 [00:00<?, ?it/s]",
        "\repochs:  42%|####2     | 21/50 [00:01<00:01]",
        "\n",
    ):
        sink.write("stderr", text)
    sink.write("stdout", "100%|of the rest is text\n\n 50%| not at the left")
    assert said == [(0.0, ""), (0.42, "epochs")]
