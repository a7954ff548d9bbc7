from __future__ import annotations

import functools
import inspect

import pytest

from graflow_nb import Task, TaskWrapper, task, workflow
from graflow_nb.core.errors import DuplicateTaskError, NoResultError, TaskDefinitionError, TaskError
from graflow_nb.core.task import Options, parameters_of


def add(a, b=2):
    return a + b


async def later(): ...


class AsyncCallable:
    async def __call__(self): ...


class Callable:
    def __call__(self, x): ...


@functools.wraps(add)
def wrapper(*args):
    return add(*args)


def run(*tasks: Task) -> None:
    with workflow("f") as flow:
        for one in tasks:
            flow.graph.add(one)
    flow.run()


@pytest.mark.parametrize("name", ["", None, 5, b"a", ["a"]])
def test_a_name_is_a_text(name):
    with pytest.raises(TaskDefinitionError, match="name is a text"):
        Task(name, add)


@pytest.mark.parametrize("name", ["a b", "1", "größe", "class", "fit[alpha=0.1]", "a\nb"])
def test_any_text_will_do(name):
    assert Task(name, add).name == repr(Task(name, add)) == name


@pytest.mark.parametrize("fn", [None, 5, "add", [add]])
def test_it_needs_something_to_call(fn):
    with pytest.raises(TaskDefinitionError, match="task 'a' needs something to call"):
        Task("a", fn)


def test_task_wrapper_is_task():
    assert TaskWrapper is Task


@pytest.mark.parametrize(
    ("wrong", "near"), [("inject_contxt", "inject_context"), ("cached", "cache"), ("main", "main_thread")]
)
def test_an_unknown_option_is_refused_with_the_nearest(wrong, near):
    with pytest.raises(TaskDefinitionError, match=rf"task 'a' has an unknown option '{wrong}'.*'{near}'"):
        Task("a", add, **{wrong: True})


def test_bound_arguments_are_no_option():
    with pytest.raises(TaskDefinitionError, match="'bound'"):
        Task("a", add, bound={"a": 1})


def test_the_defaults_of_options():
    assert Task("a", add).options == Options(inject_context=False, cache=True, main_thread=False, bound={})


@pytest.mark.parametrize(
    ("call", "result"),
    [(lambda t: t(1, 5), 6), (lambda t: t(1), 3), (lambda t: t(a=5), 7), (lambda t: t(1, b=0), 1)],
)
def test_a_call_is_just_a_call(call, result):
    with workflow("f") as flow:
        t = Task("t", add)
        assert call(t) == result
    assert list(flow.graph.nodes) == ["t"]
    assert not t.is_template


def test_a_call_is_just_a_call_after_a_run_too():
    with workflow("f") as flow:
        t = Task("t", lambda x=1: x)
        flow.execute()
    assert (t(x=5), t(7), t.result) == (5, 7, 1)


def test_bind_makes_a_task_and_a_template():
    with workflow("f") as flow:
        t = Task("t", add, cache=False)
        five = t.bind(a=5)
        named = t.bind(name="ten", a=5, b=5)
    assert list(flow.graph.nodes) == ["t", "t[a=5]", "ten"]
    assert (t.is_template, five.is_template) == (True, False)
    assert five.options == Options(cache=False, bound={"a": 5})
    assert flow.run().results == {"t[a=5]": 7, "ten": 10}
    assert named.result == 10


def test_bind_inherits_options_and_not_edges():
    with workflow("f") as flow:
        before = Task("before", lambda: 1)
        t = Task("t", lambda context, x: (context.task_name, x), inject_context=True)
        before >> t
        other = t.bind(x=9, name="other")
    assert flow.graph.predecessors("other") == ()
    assert flow.run("other").results == {"other": ("other", 9)}
    assert other.options.inject_context


def test_bind_can_be_repeated_and_overridden():
    three = Task("t", add).bind(a=1).bind(b=2)
    assert (three.name, dict(three.options.bound)) == ("t[a=1][b=2]", {"a": 1, "b": 2})
    assert dict(three.bind(a=7).options.bound) == {"a": 7, "b": 2}


def test_bind_does_not_change_the_original():
    t = Task("t", add)
    t.bind(a=1)
    assert (t(1), t.options.bound) == (3, {})


def test_binding_the_same_values_twice_is_a_duplicate():
    with workflow("f"), pytest.raises(DuplicateTaskError, match=r"t\[a=1\]"):
        t = Task("t", add)
        t.bind(a=1)
        t.bind(a=1)


@pytest.mark.parametrize(
    ("options", "values", "words"),
    [
        ({}, {"c": 1}, "has no parameter 'c' to bind. There are: 'a', 'b'"),
        ({}, {"aa": 1}, "Did you mean 'a'"),
        ({"inject_context": True}, {"a": 1}, "has no parameter 'a' to bind"),
    ],
)
def test_only_open_parameters_can_be_bound(options, values, words):
    t = Task("t", add, **options)
    with pytest.raises(TaskDefinitionError) as caught:
        t.bind(**values)
    assert words in str(caught.value)
    assert not t.is_template


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"a": 0.1}, "t[a=0.1]"),
        ({"a": "x"}, "t[a='x']"),
        ({"a": None, "b": True}, "t[a=None,b=True]"),
        ({"a": [1, 2]}, "t[a=list]"),
        ({"a": "x" * 100}, "t[a='xxxxxxxxxxxxxxxxxxxxxx…]"),
    ],
)
def test_a_bound_task_is_named_after_its_values(values, name):
    assert Task("t", add).bind(**values).name == name


def test_the_result_before_a_run():
    with pytest.raises(NoResultError, match="task 't' has no result: it has not run yet"):
        _ = Task("t", add).result


def test_the_result_of_a_failed_task_is_its_error():
    error = ValueError("no rows")
    t = Task("t", lambda: (_ for _ in ()).throw(error))
    run(t)
    with pytest.raises(TaskError, match="task 't' failed: ValueError: no rows") as caught:
        _ = t.result
    assert caught.value.__cause__ is error
    assert caught.value.task_name == "t"


def test_the_result_of_a_skipped_task_says_why():
    bad, after = Task("bad", lambda: 1 / 0), Task("after", lambda bad: bad)
    run(bad, after)
    with pytest.raises(NoResultError, match=r"it was skipped \(task 'bad' failed\)"):
        _ = after.result


def test_a_result_of_none_is_a_result():
    t = Task("t", lambda: None)
    run(t)
    assert t.result is None


def test_outputs_are_there_before_a_run():
    assert list(Task("t", add).outputs) == []


@pytest.mark.parametrize(
    ("fn", "is_coroutine"),
    [
        (add, False),
        (later, True),
        (functools.partial(later), True),
        (functools.partial(add, 1), False),
        (AsyncCallable(), True),
        (Callable(), False),
        (AsyncCallable().__call__, True),
        (print, False),
        (Callable, False),
    ],
)
def test_coroutine_functions_are_known(fn, is_coroutine):
    assert Task("t", fn).is_coroutine is is_coroutine


@pytest.mark.parametrize(
    ("fn", "names"),
    [
        (lambda: 0, []),
        (lambda a, b=1: 0, ["a", "b"]),
        (lambda a, /, b, *c, d, e=1, **f: 0, ["a", "b", "c", "d", "e"]),
        (functools.partial(add, 1), ["b"]),
        (wrapper, ["a", "b"]),
        (Callable(), ["x"]),
        (Callable().__call__, ["x"]),
        (dict.fromkeys, ["iterable", "value"]),
        (min, []),
    ],
)
def test_parameters_of_all_kinds_of_callables(fn, names):
    assert [parameter.name for parameter in parameters_of(fn)] == names


def test_the_quick_way_to_parameters_agrees_with_inspect():
    for fn in (lambda: 0, lambda a: 0, lambda a, b=1, c=None: 0):
        expected = [(p.name, p.kind, p.default) for p in inspect.signature(fn).parameters.values()]
        assert [tuple(parameter) for parameter in parameters_of(fn)] == expected


def test_a_task_shows_its_function_to_inspect():
    assert inspect.signature(task(add)) == inspect.signature(add)
    assert inspect.unwrap(task(add)) is add
