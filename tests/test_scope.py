"""Names in helper functions: within a run they are the tasks' values, never what the last run left behind."""

from __future__ import annotations

import pytest
from shells import Notebook

SOURCE = "%%task source\nx = {}"
HELPERS = {
    "function": "def helper(): return x",
    "helper of a helper": "def inner(): return x\ndef helper(): return inner()",
    "recursive": "def helper(n=2): return x if n == 0 else helper(n - 1)",
    "mutually recursive": "def even(n): return x if n == 0 else odd(n - 1)\n"
    "def odd(n): return even(n - 1)\ndef helper(): return even(4)",
    "lambda": "helper = lambda: x",
    "nested": "def helper():\n    def deep(): return [x for _ in 'a'][0]\n    return deep()",
    "closure": "def make(f):\n    def helper(): return f()\n    return helper\n"
    "def read(): return x\nhelper = make(read)",
    "decorated": "import functools\ndef deco(f):\n    @functools.wraps(f)\n    def inner(*a): return f(*a)\n"
    "    return inner\n@deco\ndef helper(): return x",
    "decorated twice": "def deco(f):\n    def inner(*a): return f(*a)\n    return inner\n"
    "@deco\n@deco\ndef helper(): return x",
    "partial": "import functools\ndef read(_): return x\nhelper = functools.partial(read, 1)",
    "partial of a function": "import functools\ndef read(): return x\ndef call(f): return f()\n"
    "helper = functools.partial(call, read)",
    "default": "def helper(k=1): return x",
    "coroutine": "import asyncio\nasync def wait(): return x\ndef helper(): return asyncio.run(wait())",
    "a task as a function": "@task\ndef reader(): return x\ndef helper(): return reader()",
    "a library's decorator": "import contextlib\n@contextlib.contextmanager\ndef giving(): yield x\n"
    "def helper():\n    with giving() as value: return value",
}
REFUSED = {
    "cached": "import functools\n@functools.lru_cache\ndef helper(): return x",
    "class": "class Model:\n    def get(self): return x\ndef helper(): return Model().get()",
    "base class": "class Base:\n    def get(self): return x\nclass Model(Base): pass\ndef helper(): return Model().get()",
    "property": "class Model:\n    @property\n    def got(self): return x\nmodel = Model()\ndef helper(): return model.got",
    "static method": "class Model:\n    @staticmethod\n    def get(): return x\ndef helper(): return Model.get()",
    "bound method": "class Model:\n    def get(self): return x\nhelper = Model().get",
    "instance": "class Model:\n    def __call__(self): return x\nhelper = Model()",
    "list": "def read(): return x\nreaders = [read]\ndef helper(): return readers[0]()",
    "dict": "def read(): return x\nreaders = {'a': [read]}\ndef helper(): return readers['a'][0]()",
    "object of a library": "import types\ndef read(): return x\nbox = types.SimpleNamespace(f=read)\n"
    "def helper(): return box.f()",
    "vectorized": "import numpy as np\ndef read(_): return x\nvector = np.vectorize(read)\n"
    "def helper(): return int(vector([1])[0])",
}
READERS = {
    "cell": "%%task reader_\nhelper()",
    "function": "%%task\ndef reader_(): return helper()",
    "cell with a function": "%%task reader_\ndef own(): return helper()\nown()",
    "coroutine cell": "%%task reader_\nimport asyncio\nawait asyncio.sleep(0)\nhelper()",
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("helper", HELPERS.values(), ids=HELPERS)
def test_a_helper_reads_the_tasks_variable_of_this_run(nb: Notebook, helper: str, reader: str):
    if "asyncio" in helper and "asyncio" in reader:
        helper = HELPERS["function"]  # asyncio has no loop in a loop
    nb(SOURCE.format(1), cell="source")
    nb(helper)
    nb(reader)
    for value in (1, 2, 3):
        nb(SOURCE.format(value), cell="source")
        nb.run()
        assert nb["reader_"].result == value
        assert ("source", "reader_") in nb.flow.plan().edges
        assert nb.run() == []


@pytest.mark.parametrize("reader", ["cell", "function"])
@pytest.mark.parametrize("helper", REFUSED.values(), ids=REFUSED)
def test_a_helper_that_cannot_be_given_the_variable_says_so(nb: Notebook, helper: str, reader: str):
    nb(SOURCE.format(1))
    nb(helper)
    nb(READERS[reader])
    for _ in range(2):
        said = nb.refused("%flow run")
        assert nb.statuses["source"] in {"succeeded", "cached"}
        assert "TaskDefinitionError" in said
        assert "reads 'x'" in said
        assert "Pass it as an argument" in said


def test_a_helper_that_is_not_used_may_read_what_it_likes(nb: Notebook):
    nb(SOURCE.format(1))
    nb("class Model:\n    def get(self): return x")
    nb("%%task t\nx + 1")
    nb.run()
    assert nb["t"].result == 2
    nb("assert Model().get() == 1")


def test_a_helper_keeps_its_own_options(nb: Notebook):
    nb(SOURCE.format(1))
    nb("def helper(a, *b, c=3, **d): return a, b, c, d, x\nhelper.note = 'kept'")
    nb("%%task t\nhelper(1, 2, e=5), helper.note, helper.__name__, helper.__qualname__")
    nb.run()
    assert nb["t"].result == ((1, (2,), 3, {"e": 5}, 1), "kept", "helper", "helper")


def test_closures_keep_their_state(nb: Notebook):
    nb(SOURCE.format(1))
    nb(
        "def make():\n    count = [0]\n    def helper():\n        count[0] += 1\n        return count[0] * 10 + x\n"
        "    return helper\nhelper = make()"
    )
    nb("%%task t\nhelper(), helper()")
    nb.run()
    assert nb["t"].result == (11, 21)


def test_a_helper_cannot_see_what_its_own_task_assigns(nb: Notebook):
    nb("def helper(): return x")
    nb("%%task t\nx = 1\nhelper()")
    for _ in range(2):
        said = nb.refused("%flow run")
        assert "reads 'x'" in said
        assert "Pass it as an argument" in said
    nb("%%task t\nx = 1\ndef own(): return x\nown()")
    nb.run()
    assert nb["t"].result == 1


def test_in_a_function_a_tasks_name_stays_the_task(nb: Notebook):
    nb("@task\ndef load(n=1): return n * 10")
    nb("def helper(): return load(5), load.name")
    nb("%%task t\nload, helper()")
    nb.run()
    assert nb["t"].result == (10, (50, "load"))


def test_the_code_of_a_task_that_a_helper_calls_counts(nb: Notebook):
    nb("@task\ndef load(n=1): return n if n > 1 else 0", cell="load")
    nb("def helper(): return load(5)")
    nb("%%task t\nload, helper()")
    nb.run()
    nb("@task\ndef load(n=1): return -n if n > 1 else 0", cell="load")
    assert nb.run() == ["load", "t"]  # though the result of load is what it was
    assert nb["t"].result == (0, -5)


def test_a_task_read_under_another_name_gives_its_result(nb: Notebook):
    nb("@task('load the data')\ndef load(): return [1]")
    nb("alias = load")
    nb("%%task t\nload + alias")
    nb.run()
    assert nb["t"].result == [1, 1]
    assert nb.flow.plan().edges == [("load the data", "t")]


def test_a_cell_that_reads_a_name_in_a_function_gets_the_result_too(nb: Notebook):
    nb("%%task load\n5")
    nb("%%task t\ndef own(): return load + 1\nown()")
    nb.run()
    assert nb["t"].result == 6


def test_helpers_are_as_they_are_while_the_task_runs(nb: Notebook):
    nb("def helper(): return 1")
    nb("%%task t\nhelper()")
    nb.run()
    nb("def helper(): return 2")
    assert nb.run() == ["t"]
    assert nb["t"].result == 2


def test_what_helpers_assign_stays_out_of_the_notebook(nb: Notebook):
    nb("count = 0\ndef helper():\n    global count\n    count = x\n    return count")
    nb(SOURCE.format(7))
    nb("%%task t\nhelper()")
    nb.run()
    assert nb["t"].result == 7
    assert nb.ns["count"] == 0


def test_a_way_past_the_analysis_finds_nothing_rather_than_an_old_value(nb: Notebook):
    nb(SOURCE.format(1), cell="source")
    nb("def read(): return x\nhidden = [[[[[[read]]]]]]\ndef helper(): return hidden[0][0][0][0][0][0]()")
    nb("%%task t\nhelper()")
    nb("source >> t")
    nb.try_("%flow run")
    nb(SOURCE.format(2), cell="source")
    nb.try_("%flow run")
    assert nb.statuses["t"] == "failed" or nb["t"].result == 2


def test_many_tasks_with_helpers_run_side_by_side(nb: Notebook):
    nb(SOURCE.format(3))
    nb("def helper(k): return x * k")
    for i in range(20):
        nb(f"%%task t{i}\nhelper({i})")
    nb.run()
    assert [nb[f"t{i}"].result for i in range(20)] == [3 * i for i in range(20)]
