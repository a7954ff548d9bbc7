"""How often a task is tried again, how long it waits, and for what."""

from __future__ import annotations

import pickle
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb.core.errors import BackendError, TaskCancelled, TaskDefinitionError, WorkerLostError
from graflow_nb.core.retry import RetryPolicy, retry_policy

SECONDS = st.floats(0, 1e6)
POLICIES = st.builds(
    RetryPolicy,
    max_retries=st.integers(0, 10_000),
    initial_interval=SECONDS,
    backoff_factor=st.floats(1, 1e6),
    max_interval=st.one_of(SECONDS, st.just(float("inf"))),
)


@given(POLICIES, st.integers(1, 10_000))
def test_waits_grow_up_to_the_limit(policy, attempt):
    first, wait, following = policy.delay(1), policy.delay(attempt), policy.delay(attempt + 1)
    assert 0 <= first <= wait <= following <= policy.max_interval
    assert first == min(policy.initial_interval, policy.max_interval)
    if following < policy.max_interval:
        assert following == pytest.approx(wait * policy.backoff_factor)


@given(POLICIES, st.integers(1, 2_000), st.floats(0, 1, exclude_max=True))
def test_jitter_is_a_part_of_the_wait(policy, attempt, fraction):
    if policy.max_interval == float("inf"):
        return
    jittered = RetryPolicy(
        policy.max_retries, policy.initial_interval, policy.backoff_factor, policy.max_interval, jitter=True
    )
    assert jittered.delay(attempt, lambda: fraction) == policy.delay(attempt) * fraction
    assert 0 <= jittered.delay(attempt) <= policy.delay(attempt)
    assert policy.delay(attempt, lambda: fraction) == policy.delay(attempt)


def test_the_waits_of_the_default():
    policy = RetryPolicy(max_retries=8)
    assert [policy.delay(n) for n in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_attempts_are_counted_from_one():
    with pytest.raises(ValueError, match="counted from 1, not 0"):
        RetryPolicy().delay(0)


class TestRetriesAfter:
    def test_as_often_as_is_said(self):
        policy = RetryPolicy(max_retries=2)
        assert [policy.retries_after(ValueError(), n) for n in (1, 2, 3, 4)] == [True, True, False, False]
        assert not RetryPolicy(max_retries=0).retries_after(ValueError(), 1)

    @pytest.mark.parametrize("error", [TaskCancelled(), KeyboardInterrupt(), SystemExit()])
    @pytest.mark.parametrize("retry_on", [Exception, BaseException, lambda _: True])
    def test_stopping_is_no_failure(self, error, retry_on):
        assert not RetryPolicy(retry_on=retry_on).retries_after(error, 1)

    @pytest.mark.parametrize("retry_on", [OSError, (OSError, KeyError), [OSError], {OSError}])
    def test_types_of_errors(self, retry_on):
        policy = RetryPolicy(retry_on=retry_on)
        assert policy.retries_after(ConnectionError(), 1)
        assert not policy.retries_after(ValueError(), 1)

    def test_a_function_of_the_error(self):
        policy = RetryPolicy(retry_on=lambda error: "429" in str(error))
        assert policy.retries_after(ValueError("429 too many"), 1)
        assert not policy.retries_after(ValueError("404"), 1)

    def test_a_function_that_raises_ends_it_and_the_error_says_so(self):
        error = ValueError("404")
        assert not RetryPolicy(retry_on=lambda error: error.code).retries_after(error, 1)
        assert "`retry_on` raised AttributeError" in error.__notes__[0]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("max_retries", -1, "a number of times, 0 or more, not -1"),
        ("max_retries", 1.5, "not 1.5"),
        ("max_retries", True, "not True"),
        ("max_retries", "3", "not '3'"),
        ("initial_interval", -0.1, "a number of seconds, 0 or more, not -0.1"),
        ("initial_interval", None, "not None"),
        ("initial_interval", float("nan"), "not nan"),
        ("initial_interval", float("inf"), "that has an end, not inf"),
        ("backoff_factor", 0.5, "a factor, 1 or more, not 0.5"),
        ("backoff_factor", -1, "not -1"),
        ("backoff_factor", float("inf"), "that has an end"),
        ("max_interval", -1, "a number of seconds, 0 or more, not -1"),
        ("max_interval", False, "not False"),
        ("jitter", 0.5, "is True or False, not 0.5"),
        ("retry_on", "OSError", "takes types of errors, as in .* not 'OSError'"),
        ("retry_on", int, "not <class 'int'>"),
        ("retry_on", (), r"not \(\)"),
        ("retry_on", (OSError, 5), "not"),
    ],
)
def test_what_cannot_be_is_refused_and_the_field_named(field, value, words):
    with pytest.raises(TaskDefinitionError, match=f"RetryPolicy: {field} .*{words}"):
        RetryPolicy(**{field: value})


def test_it_is_a_value():
    policy = RetryPolicy(2, Fraction(1, 2), 3)
    assert policy == RetryPolicy(2, 0.5, 3.0)
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert type(policy.initial_interval) is float
    with pytest.raises(AttributeError):
        policy.max_retries = 5


class TestShortOptions:
    def test_nothing_said_is_no_retry(self):
        assert retry_policy("t") is None
        assert retry_policy("t", retries=0) is None
        assert retry_policy("t", retries=0, retry_delay=1, retry_on=OSError) is None
        assert retry_policy("t", retries=RetryPolicy(0)) is None

    def test_each_says_a_part(self):
        assert retry_policy("t", retries=2) == RetryPolicy(2)
        assert retry_policy("t", retries=2, retry_delay=0) == RetryPolicy(2, 0)
        assert retry_policy("t", retries=2, retry_delay=3, backoff=1, retry_on=OSError) == RetryPolicy(
            2, 3, 1, retry_on=OSError
        )

    def test_a_whole_policy_is_taken_as_it_is(self):
        policy = RetryPolicy(5, jitter=True)
        assert retry_policy("t", retries=policy) is policy

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"retries": -1}, "retries is a number of times, 0 or more, not -1"),
            ({"retries": "x"}, "retries is a number of times"),
            ({"retries": 2, "retry_delay": -1}, "retry_delay is a number of seconds, 0 or more, not -1"),
            ({"retries": 2, "backoff": 0}, "backoff is a factor, 1 or more, not 0"),
            ({"retries": 2, "retry_on": 5}, "retry_on takes types of errors"),
            ({"retry_delay": 1}, "retry_delay needs retries, as in retries=3"),
            ({"retry_on": OSError}, "retry_on needs retries"),
            ({"retries": RetryPolicy(), "backoff": 2}, "backoff and a RetryPolicy, which says that itself"),
        ],
    )
    def test_what_cannot_be_is_refused_and_task_and_option_are_named(self, options, words):
        with pytest.raises(TaskDefinitionError, match=f"task 'load': {words}"):
            retry_policy("load", **options)


def test_a_backend_that_is_gone_is_not_tried_again():
    policy = RetryPolicy(max_retries=3)
    assert policy.retries_after(WorkerLostError("gone"), 1)
    assert not policy.retries_after(BackendError("gone"), 1)
