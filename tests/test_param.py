"""Parameters: their kinds, and the values that they may have."""

from __future__ import annotations

import pytest

from graflow_nb import GraflowError, workflow


@pytest.fixture
def flow():
    return workflow("params")


@pytest.mark.parametrize(
    ("value", "span", "kind"),
    [
        (1, {}, "integer"),
        (1.0, {}, "number"),
        (True, {}, "flag"),
        ("a", {}, "text"),
        ("a", {"choices": ["a", "b"]}, "choice"),
        ([1], {}, "other"),
    ],
)
def test_the_kind_comes_from_the_value(flow, value, span, kind):
    assert flow.param("p", value, **span).kind == kind


@pytest.mark.parametrize(
    ("value", "span", "said"),
    [
        (11, {"max": 10}, "'p' cannot be 11: it is at most 10"),
        (-1, {"min": 0}, "'p' cannot be -1: it is at least 0"),
        ("c", {"choices": ["a", "b"]}, "'p' cannot be 'c': it is one of 'a', 'b'"),
        (1, {"maxx": 3}, "has no option 'maxx'.*max"),
    ],
)
def test_a_value_that_it_may_not_have_is_refused(flow, value, span, said):
    with pytest.raises(GraflowError, match=said):
        flow.param("p", value, **span)


def test_the_span_stays_until_another_is_given(flow):
    param = flow.param("p", 1, min=0, max=10)
    with pytest.raises(GraflowError, match="at most 10"):
        flow.param("p", 11)
    with pytest.raises(GraflowError, match="at most 10"):
        param.value = 11
    assert flow.param("p", 11, max=20).value == 11
    assert param.default == 1


@pytest.mark.parametrize(
    ("value", "sent", "read"),
    [(1, 2.0, 2), (1.5, 2, 2.0), ("a", "b", "b"), (True, False, False)],
)
def test_what_a_control_sends_becomes_the_parameters_kind(flow, value, sent, read):
    found = flow.param("p", value).read(sent)
    assert found == read
    assert type(found) is type(value)


@pytest.mark.parametrize(("value", "sent"), [(1, "many"), (1.5, None), ([1], [2])])
def test_what_a_control_cannot_send_is_refused(flow, value, sent):
    with pytest.raises(GraflowError, match="'p'"):
        flow.param("p", value).read(sent)


def test_a_span_is_no_reason_to_run_again(flow):
    from graflow_nb.core.task import Task

    flow.param("p", 1)
    with flow:
        Task("double", lambda p: 2 * p)
    flow.run()
    flow.param("p", 1, min=0, max=5)
    assert flow.run().statuses["double"].word == "cached"


def test_the_magic_takes_a_span(nb):
    nb("%flow param rate 4 --min 0 --max 10 --step 2")
    assert nb.flow.param("rate").span[:3] == (0, 10, 2)
    assert "at most 10" in nb.refused("%flow param rate 40")
    nb("%flow param way fast --choices fast slow")
    assert nb.flow.param("way").span.choices == ("fast", "slow")


def test_the_magic_for_auto(nb):
    assert "auto is off" in nb("%flow auto")
    assert "auto is on" in nb("%flow auto on")
    assert "auto is on" in nb("%flow auto")
    assert "auto is off" in nb("%flow auto off")
