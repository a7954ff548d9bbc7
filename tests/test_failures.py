"""Errors as data, and back: their tracebacks show the same lines."""

from __future__ import annotations

import pickle
import threading
import traceback
from pathlib import Path

import pytest

from graflow_nb.backends.failures import RemoteError, error_of, failure_of


def caught(raising):
    try:
        raising()
    except BaseException as error:
        return error
    raise AssertionError


def came_back(error):
    return error_of(pickle.loads(pickle.dumps(failure_of(error))))


def simple():
    return {}["missing"]


def chained():
    try:
        simple()
    except KeyError as error:
        raise ValueError("outer") from error


def hidden():
    try:
        simple()
    except KeyError:
        raise ValueError("outer") from None


def over_several_lines():
    return int(
        "no number",
    )


def noted():
    error = ValueError("x")
    error.add_note("a note")
    raise error


def from_the_system():
    Path("/no/such/file").read_text()


def deep(n=30):
    if n:
        return deep(n - 1)
    raise RuntimeError("deep")


@pytest.mark.parametrize("raising", [simple, chained, hidden, over_several_lines, noted, from_the_system, deep])
def test_the_same_text(raising):
    error = caught(raising)
    assert traceback.format_exception(came_back(error)) == traceback.format_exception(error)


def test_an_error_that_was_never_raised():
    back = came_back(ValueError(1, 2))
    assert back.args == (1, 2)
    assert back.__traceback__ is None


def test_what_cannot_be_sent_is_left_out():
    error = ValueError("x", threading.Lock())
    error.lock, error.rows = threading.Lock(), 5
    back = came_back(error)
    assert type(back) is ValueError
    assert back.args[0] == "x"
    assert "lock" in back.args[1]
    assert (back.rows, hasattr(back, "lock")) == (5, False)


class Fussy(Exception):
    def __reduce__(self):
        raise TypeError("never")


def test_a_class_that_refuses():
    back = came_back(Fussy("why"))
    assert type(back) is RemoteError
    assert "Fussy: why" in str(back)
