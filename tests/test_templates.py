"""A template's cell is run again: what was made of it by `bind` or `map`, in other cells, is made of the new one."""

from __future__ import annotations

import pytest
from shells import Notebook, new_notebook


@pytest.fixture
def nb():
    with new_notebook() as notebook:
        notebook("from graflow_nb import task, workflow")
        yield notebook


def cells(nb: Notebook, **sources: str) -> None:
    for name, source in sources.items():
        nb(source, cell=name)


def test_a_bound_task_follows(nb):
    cells(nb, one="@task\ndef power(x, n):\n    return x ** n", two="cube = power.bind(x=2, n=3, name='cube')")
    assert nb.run() == ["cube"]
    nb("@task\ndef power(x, n):\n    return x ** n + 100", cell="one")
    assert nb.run() == ["cube"]
    assert nb["cube"].result == 108
    assert nb.run() == []


def test_what_is_made_of_what_was_made_follows_too(nb):
    cells(
        nb,
        one="@task\ndef power(x, n):\n    return x ** n",
        two="cube = power.bind(n=3, name='cube')",
        three="cubes = cube.map([1, 2], name='cubes')",
    )
    nb.run()
    assert nb["cubes"].result == [1, 8]
    nb("@task(retries=2)\ndef power(x, n):\n    return -(x ** n)", cell="one")
    nb.run()
    assert nb["cubes"].result == [-1, -8]
    assert nb["cube"].options.retry.max_retries == 2
    nb("cube = power.bind(n=2, name='cube')", cell="two")
    nb.run()
    assert nb["cubes"].result == [-1, -4]


def test_a_template_stays_one(nb):
    cells(nb, one="@task\ndef double(x):\n    return 2 * x", two="doubles = double.map([1, 2], name='doubles')")
    nb("@task\ndef double(x):\n    return 2.0 * x", cell="one")
    assert nb.run() == ["doubles", "doubles[0]", "doubles[1]"]
    assert nb["doubles"].result == [2.0, 4.0]


def test_a_parameter_that_has_gone_is_said_and_the_cure_helps(nb):
    cells(nb, one="@task\ndef double(x):\n    return 2 * x", two="doubles = double.map(x=[1, 2], name='doubles')")
    nb("@task\ndef double(y):\n    return 2 * y", cell="one")
    said = nb.refused("%flow run")
    assert (
        "'doubles' was made with 'x' given, which double takes no more: run the cell that makes 'doubles' again"
        in said
    )
    nb("doubles = double.map(y=[1, 2], name='doubles')", cell="two")
    nb.run()
    assert nb["doubles"].result == [2, 4]


def test_new_defaults_and_options_count(nb):
    cells(nb, one="@task\ndef add(x, n=1):\n    return x + n", two="added = add.map([1, 2], name='added')")
    nb.run()
    nb("@task\ndef add(x, n=5):\n    return x + n", cell="one")
    nb.run()
    assert nb["added"].result == [6, 7]


def test_a_workflow_inside_is_written_anew(nb):
    inner = "with workflow('inner') as inner:\n    @task\n    def deep(number):\n        return number + {}"
    cells(nb, one=inner.format(1), two="@task\ndef number():\n    return 10", three="number >> inner")
    nb.run()
    assert nb["inner"].result == 11
    nb(inner.format(2), cell="one")
    assert nb.run() == ["inner", "inner/deep"]
    assert nb["inner"].result == 12


def test_a_workflow_of_the_same_name_from_another_cell_is_another_one(nb):
    inner = "with workflow('inner') as {}:\n    @task\n    def deep(number):\n        return number + {}"
    cells(nb, one=inner.format("inner", 1), two="@task\ndef number():\n    return 10", three="number >> inner")
    nb(inner.format("other", 5), cell="four")
    nb("%flow use notebook")
    nb.run()
    assert nb["inner"].result == 11


def test_two_workflows_of_one_name_made_by_one_run_of_a_cell_stay_two(nb):
    nb("""
        def make(n):
            with workflow('inner') as flow:
                @task
                def deep(number):
                    return number + n
            return flow
        """)
    nb("@task\ndef number():\n    return 10")
    nb("number >> make(1).as_task(name='first')\nnumber >> make(2).as_task(name='second')", cell="both")
    nb.run()
    assert (nb["first"].result, nb["second"].result) == (11, 12)
