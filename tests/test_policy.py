"""Policies of groups: what each says of every mixture of successes and failures."""

from __future__ import annotations

import pickle
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb.core.errors import TaskDefinitionError
from graflow_nb.core.policy import (
    Failure,
    Policy,
    as_policy,
    at_least,
    best_effort,
    critical,
    first_success,
    strict,
)

NAMES = "abcd"
OUTCOMES = st.lists(st.booleans(), min_size=1, max_size=4)


def results(outcomes):
    """Return results of members a, b, c, ...: None, which is no failure, or a failure."""
    return {
        name: None if ok else Failure(name, ValueError(f"no {name}"))
        for name, ok in zip(NAMES, outcomes, strict=False)
    }


def test_a_failure_is_false_and_keeps_the_error():
    error = ValueError("no rows")
    failure = Failure("load", error)
    assert not failure
    assert failure.error is error
    assert repr(failure) == "<Failure of 'load': ValueError: no rows>"
    with pytest.raises(AttributeError):
        failure.error = None
    assert pickle.loads(pickle.dumps(failure)).task_name == "load"


# What each policy holds for, said anew.
RULES = [
    (strict, lambda oks: all(oks)),
    (best_effort, lambda oks: True),
    (first_success, lambda oks: any(oks)),
    (at_least(1), lambda oks: sum(oks) >= 1),
    (at_least(3), lambda oks: sum(oks) >= 3),
    (critical("a"), lambda oks: oks[0]),
    (critical("b", "a"), lambda oks: all(oks[:2])),
    (as_policy(lambda values: sum(not isinstance(v, Failure) for v in values) > 1), lambda oks: sum(oks) > 1),
]


@pytest.mark.parametrize(("policy", "holds"), RULES, ids=[repr(policy)[:20] for policy, _ in RULES])
@given(outcomes=OUTCOMES)
def test_it_holds_for_just_these(policy, holds, outcomes):
    why = policy.decide(results(outcomes))
    assert (why == "") is bool(holds(outcomes)), why


@given(OUTCOMES, st.sampled_from(["strict", "best_effort", "first_success", "critical", "at_least"]))
def test_a_success_more_is_never_worse(outcomes, name):
    policy = {"critical": critical("a"), "at_least": at_least(2)}.get(name) or as_policy(name)
    if not policy.decide(results(outcomes)):
        for n in range(len(outcomes)):
            assert not policy.decide(results([*outcomes[:n], True, *outcomes[n + 1 :]]))


@given(OUTCOMES)
def test_only_first_success_ever_has_enough(outcomes):
    so_far = results(outcomes)
    assert first_success.is_enough(so_far) is any(outcomes)
    assert not first_success.is_enough({})
    for policy in (strict, best_effort, at_least(1), critical("a"), as_policy(any)) if outcomes else ():
        assert not policy.is_enough(so_far)


@pytest.mark.parametrize(
    ("policy", "outcomes", "said"),
    [
        (strict, [1, 0], "task 'b' failed: ValueError: no b (strict: every member must succeed)"),
        (first_success, [0], "no member succeeded (first_success needs one): task 'a' failed: ValueError: no a"),
        (first_success, [], "no member succeeded (first_success needs one): none has a result"),
        (
            at_least(2),
            [1, 0, 0],
            (
                "1 of 3 members succeeded, at_least(2) needs 2: "
                "task 'b' failed: ValueError: no b; task 'c' failed: ValueError: no c"
            ),
        ),
        (critical("a", "c"), [1, 0, 0], "task 'c' failed: ValueError: no c (critical('a', 'c'))"),
        (
            strict,
            [0, 0, 0, 0],
            (
                "task 'a' failed: ValueError: no a; task 'b' failed: ValueError: no b; "
                "task 'c' failed: ValueError: no c; 1 more failed (strict: every member must succeed)"
            ),
        ),
    ],
)
def test_it_says_why_not(policy, outcomes, said):
    assert policy.decide(results(outcomes)) == said


def test_a_nested_groups_failure_counts_by_the_members_name():
    inner = {"inner group": Failure("deep", ValueError("x")), "b": 1}
    assert critical("inner group").decide(inner).startswith("task 'deep' failed")
    assert critical("b").decide(inner) == ""


class TestFunctions:
    def test_it_is_given_the_results_in_order(self):
        seen = []
        assert as_policy(lambda values: seen.append(values) or True).decide(results([1, 0])) == ""
        assert (seen[0][0], seen[0][1].task_name) == (None, "b")

    def test_what_says_no_is_named(self):
        def enough_rows(_):
            return False

        assert "enough_rows said no: task 'b' failed" in as_policy(enough_rows).decide(results([1, 0]))
        assert as_policy(enough_rows).decide(results([1])).endswith("enough_rows said no")

    def test_what_raises_is_named_with_the_line(self):
        def ratio(values):
            return len(values) / 0

        said = as_policy(ratio).decide(results([1]))
        line = ratio.__code__.co_firstlineno + 1
        assert said.endswith(f"ratio raised ZeroDivisionError: division by zero (line {line} in ratio)")
        assert said.startswith("policy ")

    def test_what_takes_no_results_is_said(self):
        assert "raised TypeError" in as_policy(lambda: True).decide(results([1]))

    def test_an_answer_that_is_no_yes_or_no_is_said(self):
        import numpy as np

        assert "raised ValueError: The truth value" in as_policy(lambda _: np.zeros(2)).decide(results([1]))

    def test_a_coroutine_function_is_refused(self):
        async def wait(_):
            return True

        with pytest.raises(
            TaskDefinitionError, match=r"wait is asked without awaiting it: write it without async"
        ):
            as_policy(wait)


@pytest.mark.parametrize("policy", [strict, best_effort, first_success, at_least(2), critical("a")])
def test_a_policy_is_one_and_equals_itself(policy):
    assert isinstance(policy, Policy)
    assert as_policy(policy) is policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert len({policy, pickle.loads(pickle.dumps(policy))}) == 1


@pytest.mark.parametrize("policy", [strict, best_effort, first_success])
def test_the_plain_ones_go_by_name(policy):
    assert as_policy(repr(policy)) is policy


def test_ones_own_class_of_policy_is_taken_as_it_is():
    class Own:
        def check(self, members): ...
        def decide(self, results): ...
        def is_enough(self, results_so_far): ...

    own = Own()
    assert as_policy(own) is own


def test_members_are_checked_before_anything_runs():
    for policy, members in [(strict, "a"), (best_effort, "a"), (at_least(3), "abc"), (critical("c"), "abc")]:
        policy.check(tuple(members))
    with pytest.raises(TaskDefinitionError, match=r"at_least\(5\) can never hold for a group of 3 \(a, b, c\)"):
        at_least(5).check(("a", "b", "c"))
    with pytest.raises(TaskDefinitionError, match=r"no member 'laod'. Did you mean 'load'"):
        critical("clean", "laod").check(("load", "clean"))


def test_a_task_can_stand_for_its_name():
    assert critical(types.SimpleNamespace(name="load"), "clean") == critical("load", "clean")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: at_least(0), "at_least.* 1 or more, not 0; best_effort"),
        (lambda: at_least(-1), "1 or more, not -1"),
        (lambda: at_least(True), "not True"),
        (lambda: at_least(1.5), "not 1.5"),
        (lambda: critical(), r"critical\(\) needs the members"),
        (lambda: as_policy("best_efort"), "no policy 'best_efort'. Did you mean 'best_effort'"),
        (lambda: as_policy("at_least"), r"'at_least' needs to be told more: at_least\(2\)"),
        (lambda: as_policy(at_least), r"at_least needs to be told more: at_least\(2\)"),
        (lambda: as_policy(critical), r"critical needs to be told more: critical\(\"load\"\)"),
        (lambda: as_policy(3), "a policy is strict, best_effort, .* or a function of the list of results, not 3"),
        (lambda: as_policy(None), "not None"),
        (lambda: as_policy(dict), "not <class 'dict'>"),
    ],
)
def test_what_is_no_policy_is_refused(make, words):
    with pytest.raises(TaskDefinitionError, match=words):
        make()
