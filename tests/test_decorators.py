from __future__ import annotations

import functools

import pytest

from graflow_nb import Task, task, workflow
from graflow_nb.core.errors import DuplicateTaskError, TaskDefinitionError


def double(x):
    """Twice as much."""
    return 2 * x


class Thing:
    def __call__(self):
        return "called"


@pytest.mark.parametrize(
    ("decorate", "name"),
    [
        (task, "double"),
        (task(), "double"),
        (task("twice"), "twice"),
        (task(name="twice"), "twice"),
        (task(id="twice"), "twice"),
        (task("twice", cache=False), "twice"),
        (task(cache=False), "double"),
    ],
)
def test_every_spelling_makes_the_same_task(decorate, name):
    made = decorate(double)
    assert isinstance(made, Task)
    assert (made.name, made.fn, made(4)) == (name, double, 8)


def test_options_are_handed_on():
    made = task(inject_context=True, cache=False, main_thread=True)(double)
    assert (made.options.inject_context, made.options.cache, made.options.main_thread) == (True, False, True)


def test_one_decorator_can_be_used_twice():
    named = task("a", cache=False)
    both = named(double), named(print)
    assert [made.name for made in both] == ["a", "a"]
    assert [made.options.cache for made in both] == [False, False]


@pytest.mark.parametrize(
    ("fn", "name"),
    [(lambda: 0, "<lambda>"), (Thing(), "Thing"), (Thing, "Thing"), (functools.partial(double, 1), "partial")],
)
def test_other_callables_have_names_too(fn, name):
    assert task(fn).name == name


@pytest.mark.parametrize("wrong", [5, [double], b"name"])
def test_only_what_can_be_called_is_decorated(wrong):
    with pytest.raises(TaskDefinitionError, match="@task takes a function"):
        task(wrong)
    with pytest.raises(TaskDefinitionError, match="@task takes a function"):
        task("name")(wrong)


def test_a_task_is_not_decorated_again():
    with pytest.raises(TaskDefinitionError, match=r"'double' is a task already.*double\.bind\(name="):
        task(task(double))


def test_an_unknown_option_is_named_at_the_function():
    with pytest.raises(TaskDefinitionError, match=r"'double' has an unknown option 'cach'\. Did you mean 'cache'"):
        task(cach=False)(double)


def test_it_registers_with_the_open_workflow():
    with workflow("f") as flow:
        made = task(double)
        with pytest.raises(DuplicateTaskError, match="'double'"):
            task(double)
    assert dict(flow.graph.nodes) == {"double": made}


def test_outside_a_workflow_it_is_just_a_task():
    assert task(double).name == "double"
