"""The rules of "How a task gets its arguments" in DESIGN.md, one by one, both ways."""

from __future__ import annotations

import pytest

from graflow_nb import TaskContext, task, workflow
from graflow_nb.core.errors import MissingArgumentError


def run(flow, *targets):
    return flow.run(*targets, raise_errors=True).results


def sources(**results):
    """Make a task for each name, with that result."""
    return [task(name)(lambda value=value: value) for name, value in results.items()]


# -- 1. injected, bound


def test_the_context_is_injected_into_the_first_parameter_whatever_its_name():
    with workflow("f") as flow:
        (a,) = sources(a=1)

        @task(inject_context=True)
        def reads(a, x):
            return a, x

        a >> reads
    context, value = run(flow)["reads"]
    assert isinstance(context, TaskContext)
    assert (context.task_name, value) == ("reads", 1)


def test_without_the_option_nothing_is_injected():
    with workflow("f") as flow:

        @task
        def reads(context=None):
            return context

    assert run(flow)["reads"] is None


def test_the_injected_parameter_may_have_a_default():
    with workflow("f") as flow:

        @task(inject_context=True)
        def reads(context=None):
            return context.task_name

    assert run(flow)["reads"] == "reads"


def test_a_bound_value_wins_over_a_task_of_that_name():
    with workflow("f") as flow:
        (a,) = sources(a=1)

        @task
        def reads(a):
            return a

        bound = reads.bind(a=9, name="bound")
        [a] >> reads
    assert run(flow) == {"a": 1, "reads": 1, "bound": 9}
    assert flow.plan().parents["bound"] == ()
    assert bound.result == 9


def test_a_bound_parameter_takes_no_predecessor():
    with workflow("f") as flow:
        (a,) = sources(a=1)

        @task
        def two(x, y):
            return x, y

        a >> two.bind(x=9, name="bound")
    assert run(flow)["bound"] == (9, 1)


# -- 2. a task of that name


def test_a_parameter_named_like_a_task_is_a_dependency():
    with workflow("f") as flow:

        @task
        def late(early):
            return early + 1

        sources(early=1)
    assert run(flow) == {"early": 1, "late": 2}
    assert flow.plan().edges == [("early", "late")]
    assert flow.graph.edges == []


def test_the_name_wins_over_the_position():
    with workflow("f") as flow:
        a, b = sources(a="a", b="b")

        @task
        def reads(b, a):
            return b, a

        (a | b) >> reads
    assert run(flow)["reads"] == ("b", "a")


def test_names_first_then_positions_for_what_is_left():
    with workflow("f") as flow:
        a, b, c = sources(a="a", b="b", c="c")

        @task
        def reads(x, b, y):
            return x, b, y

        (a | b | c) >> reads
    assert run(flow)["reads"] == ("a", "b", "c")


def test_a_name_may_be_that_of_a_task_in_another_place_of_the_graph():
    with workflow("f") as flow:
        _, b = sources(a="a", b="b")

        @task
        def reads(a, x):
            return a, x

        b >> reads
    assert run(flow)["reads"] == ("a", "b")


def test_a_variable_that_a_task_defines_counts_as_its_name():
    from graflow_nb.core.task import Defined, Task

    with workflow("f") as flow:
        Task("cell", lambda: Defined("value", {"size": 3}), defines=["size"])

        @task
        def reads(size, cell):
            return size, cell

    assert run(flow)["reads"] == (3, "value")


def test_a_task_does_not_depend_on_itself():
    with workflow("f") as flow:

        @task
        def a(a):
            return a

    with pytest.raises(MissingArgumentError):
        flow.run("a")


# -- 2 and 4. parameters with a default


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (lambda a, b, reads: None, "default"),
        (lambda a, b, reads: b >> reads, "default"),
        (lambda a, b, reads: reads >> a, "default"),
        (lambda a, b, reads: a >> reads, "of a"),
        (lambda a, b, reads: a >> b >> reads, "of a"),
    ],
    ids=["no edge", "another before it", "it runs after", "wired", "an ancestor"],
)
def test_a_default_gives_way_to_an_ancestor_only(wire, expected):
    with workflow("f") as flow:
        a, b = sources(a="of a", b="of b")

        @task
        def reads(a="default"):
            return a

        wire(a, b, reads)
    assert run(flow)["reads"] == expected


def test_an_ancestor_by_name_counts_too():
    with workflow("f") as flow:
        sources(a="of a")

        @task
        def b(a):
            return a

        @task
        def reads(b, a="default"):
            return a, b

    assert run(flow)["reads"] == ("of a", "of a")


def test_a_default_is_not_filled_by_position():
    with workflow("f") as flow:
        (a,) = sources(a=1)

        @task
        def reads(x="default"):
            return x

        a >> reads
    assert run(flow)["reads"] == "default"


def test_what_stands_before_a_default_is_filled():
    with workflow("f") as flow:
        (a,) = sources(a=1)

        @task
        def reads(x, y="default", *, z="key"):
            return x, y, z

        a >> reads
    assert run(flow)["reads"] == (1, "default", "key")


# -- 5. what is left, by position


def test_one_parameter_and_one_predecessor():
    with workflow("f") as flow:
        (a,) = sources(a=[1, 2])
        a >> task("reads")(lambda x: x)
    assert run(flow)["reads"] == [1, 2]


def test_as_many_parameters_as_predecessors_in_the_order_of_the_expression():
    with workflow("f") as flow:
        a, b, c = sources(a=1, b=2, c=3)
        (c | a | b) >> task("reads")(lambda x, y, z: (x, y, z))
    assert run(flow)["reads"] == (3, 1, 2)


def test_one_parameter_and_several_predecessors_is_a_list_in_the_order_of_the_expression():
    with workflow("f") as flow:
        a, b, c = sources(a=1, b=2, c=3)
        [c, a, b] >> task("reads")(lambda x: x)
    assert run(flow)["reads"] == [3, 1, 2]


def test_the_leaves_of_a_chain_are_the_predecessors():
    with workflow("f") as flow:
        a, b, c = sources(a=1, b=2, c=3)
        (a >> b | c) >> task("reads")(lambda x: x)
    assert run(flow)["reads"] == [2, 3]


@pytest.mark.parametrize("fn", [lambda x, y: 0, lambda x, y, z, w: 0, lambda *, x, y: 0])
def test_numbers_that_do_not_fit_are_an_error(fn):
    with workflow("f") as flow:
        a, b, c = sources(a=1, b=2, c=3)
        (a | b | c) >> task("reads")(fn)
    with pytest.raises(
        MissingArgumentError, match=r"'reads' needs arguments for 'x', 'y'.*Wired before it: a, b, c"
    ):
        flow.run()


def test_predecessors_that_several_expressions_wired_are_taken_by_name_only():
    with workflow("f") as flow:
        a, b = sources(a=1, b=2)
        reads = task("reads")(lambda x, y: (x, y))
        a >> reads
        b >> reads
    with pytest.raises(MissingArgumentError, match="several expressions, so they are taken by name only"):
        flow.run()


def test_by_name_several_expressions_are_clear():
    with workflow("f") as flow:
        a, b = sources(a=1, b=2)
        reads = task("reads")(lambda b, a: (b, a))
        a >> reads
        b >> reads
    assert run(flow)["reads"] == (2, 1)


def test_one_that_is_left_is_never_ambiguous():
    with workflow("f") as flow:
        a, b = sources(a=1, b=2)
        reads = task("reads")(lambda a, x: (a, x))
        a >> reads
        b >> reads
    assert run(flow)["reads"] == (1, 2)


def test_the_expression_that_wired_all_gives_the_order():
    with workflow("f") as flow:
        a, b = sources(a=1, b=2)
        reads = task("reads")(lambda x, y: (x, y))
        a >> reads
        (b | a) >> reads
    assert run(flow)["reads"] == (2, 1)


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (lambda *rest: rest, (1, 2, 3)),
        (lambda x, *rest: (x, rest), (1, (2, 3))),
        (lambda x, y, z, *rest: (x, y, z, rest), (1, 2, 3, ())),
        (lambda b, *rest: (b, rest), (2, (1, 3))),
        (lambda *rest, key="default": (rest, key), ((1, 2, 3), "default")),
        (lambda *rest, c: (rest, c), ((1, 2), 3)),
        (lambda *rest, **more: (rest, more), ((1, 2, 3), {})),
    ],
)
def test_star_args_take_the_rest(fn, expected):
    with workflow("f") as flow:
        a, b, c = sources(a=1, b=2, c=3)
        (a | b | c) >> task("reads")(fn)
    assert run(flow)["reads"] == expected


def test_star_args_alone_take_what_several_expressions_wired():
    with workflow("f") as flow:
        a, b = sources(a=1, b=2)
        reads = task("reads")(lambda *rest: rest)
        b >> reads
        a >> reads
    assert run(flow)["reads"] == (2, 1)


def test_star_args_behind_a_parameter_do_not_guess():
    with workflow("f") as flow:
        a, b = sources(a=1, b=2)
        reads = task("reads")(lambda x, *rest: (x, rest))
        b >> reads
        a >> reads
    with pytest.raises(MissingArgumentError, match="'x'"):
        flow.run()


def test_keyword_only_and_positional_only_parameters():
    with workflow("f") as flow:
        a, b = sources(a=1, b=2)
        (a | b) >> task("reads")(lambda x, /, *, b: (x, b))
    assert run(flow)["reads"] == (1, 2)


def test_a_predecessor_that_nobody_takes_is_only_waited_for():
    with workflow("f") as flow:
        (a,) = sources(a=1)
        a >> task("reads")(lambda: "no parameter")
    assert run(flow)["reads"] == "no parameter"


def test_results_that_are_none_or_false_are_handed_on():
    with workflow("f") as flow:
        a, b = sources(a=None, b=0)
        (a | b) >> task("reads")(lambda x: x)
    assert run(flow)["reads"] == [None, 0]


# -- 6. an error, before anything runs


def test_nothing_runs_if_an_argument_is_missing():
    ran = []
    with workflow("f") as flow:
        first = task("first")(lambda: ran.append(1))
        first >> task("second")(lambda x, y: None)
    for call in (flow.run, flow.execute, lambda: flow.execute("first")):
        with pytest.raises(MissingArgumentError):
            call()
    assert ran == []


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (lambda clena: 0, ["task 'reads'", "an argument for 'clena'", "Nothing is wired before it", "'clean'?"]),
        (lambda x, y: 0, ["arguments for 'x', 'y'", "There are: 'clean', 'load'"]),
    ],
)
def test_the_error_names_the_parameter_the_task_and_the_nearest(fn, words):
    with workflow("f") as flow:
        sources(clean=1, load=2)
        task("reads")(fn)
    with pytest.raises(MissingArgumentError) as caught:
        flow.run("reads")
    assert not [word for word in words if word not in str(caught.value)]


def test_all_tasks_with_missing_arguments_are_named_at_once():
    with workflow("f") as flow:
        one, two = task("one")(lambda x: 0), task("two")(lambda y: 0)
        one >> two.bind(name="three") >> task("four")(lambda a, b: 0)
    with pytest.raises(MissingArgumentError) as caught:
        flow.run()
    assert ["'one'" in line or "'four'" in line for line in str(caught.value).splitlines()] == [True, True]
