"""Cells as tasks, in a shell of this process."""

from __future__ import annotations

import pytest
from shells import Notebook

from graflow_nb.core.errors import TaskDefinitionError
from graflow_nb.notebook.cells import check_name


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1 + 1", 2),
        ("1 + 1;", 2),
        ("x = 5", None),
        ("x = 5\nx", 5),
        ("t = [1]", [1]),
        ("t = [1]\nlen(t)", [1]),
        ("if True:\n    3", None),
        ("# nothing but a comment", None),
        ("print('a')", None),
        ("import asyncio\nawait asyncio.sleep(0, 'slept')", "slept"),
        ("import asyncio\nx = await asyncio.sleep(0, 'slept')\nx + '!'", "slept!"),
        ("async def f(): return 7\n[await f() for _ in range(2)]", [7, 7]),
        ("async with __import__('contextlib').AsyncExitStack() as s: y = 1\ny", 1),
        ("_a = 1\n_a + 1", 2),
        ("class A:\n    x = 1\n    def get(self): return self.x\nA().get()", 1),
        ("def f(n): return n and n * f(n - 1) or 1\nf(4)", 24),
        ("x: int = 3\nx", 3),
        ("def f(a: float) -> Text: return a\nf(2)", 2),
        ("(lambda: y)() + sum(y for _ in range(2))", 30),
        ("'''text'''", "text"),
        ("globals()['y']", 10),
        ("global_like = y\nglobal_like", 10),
        ("[q, *r] = [1, 2, 3]\nr", [2, 3]),
        ("any((last := n) > 1 for n in [1, 2, 3])\nlast", 2),
        ("match {'k': y}:\n    case {'k': v}: w = v\nw", 10),
    ],
)
def test_value(nb: Notebook, cell: str, value: object):
    nb("Text = str\ny = 10")
    if cell.startswith("globals"):
        cell = f"y\n{cell}"
    nb(f"%%task t\n{cell}")
    nb.run()
    assert nb["t"].result == value


def test_variables_are_published_and_private_names_are_not(nb: Notebook):
    nb("%%task t\na, (b, *c) = 1, (2, 3)\n_d = 4\nfor i in [a]: e = i\nwith open('/dev/null') as f: pass")
    assert nb["t"].defines == ("a", "b", "c", "e")
    nb.run()
    assert {name: nb.ns[name] for name in "abce"} == {"a": 1, "b": 2, "c": [3], "e": 1}
    assert not {"_d", "i", "f"} & nb.ns.keys()


def test_a_variable_that_was_not_assigned_is_not_published(nb: Notebook):
    nb("%%task t\nif False: x = 1\ny = 2")
    nb.run()
    assert "x" not in nb.ns
    assert nb.ns["y"] == 2


def test_reading_a_variable_that_was_not_assigned_says_whose_it_is(nb: Notebook):
    nb("%%task t\nif False: x = 1\ny = 2")
    nb("%%task u\nx + y")
    said = nb.refused("%flow run")
    assert "task 't' did not assign 'x' in its last run" in said


def test_functions_and_classes_of_a_cell_are_variables(nb: Notebook):
    nb("%%task t\nk = 2\ndef double(x): return k * x\nclass Box:\n    def __init__(self, v): self.v = v")
    nb("%%task u\ndouble(4), Box(3).v")
    nb.run()
    assert nb["u"].result == (8, 3)
    assert nb("double(5)") is not None
    nb("assert double(5) == 10 and Box(1).v == 1")


def test_imports_are_bound_in_the_notebook_and_make_no_dependency(nb: Notebook):
    nb("%%task t\nimport math, os.path as p\nfrom collections import Counter as C\nmath.floor(2.5)")
    nb("assert math.floor(1.5) == 1 and p.join('a', 'b') and C")
    nb("%%task u\nmath.ceil(2.5)")
    assert nb["t"].defines == ()
    assert nb.flow.plan().edges == []
    assert nb.run() == ["t", "u"]
    assert nb["u"].result == 3


def test_a_star_import_is_bound_in_the_notebook(nb: Notebook):
    nb("%%task t\nfrom math import *\nfloor(2.5)")
    nb("%%task u\nceil(2.5)")
    nb.run()
    assert (nb["t"].result, nb["u"].result) == (2, 3)
    assert nb.run() == []


def test_an_import_that_fails_is_the_tasks_error(nb: Notebook):
    nb("%%task t\nimport no_such_module_at_all\n1")
    assert "No module named 'no_such_module_at_all'" in nb.refused("%flow run")


def test_a_cell_reads_globals_and_cannot_write_them(nb: Notebook):
    nb("k = 2\nbox = [1]")
    nb("%%task t\nj = k * 10\ndef set_it():\n    global hidden\n    hidden = 1\nset_it()\nj")
    nb.run()
    assert nb["t"].result == 20
    assert nb.ns["hidden"] == 1  # a name that the cell assigns, like the others
    assert nb.run() == []


@pytest.mark.parametrize(
    "cell",
    ["k = k + 1", "k += 1", "y = k\nk = 1", "def f():\n    global k\n    k += 1\nf()", "for k in [k]: pass"],
)
def test_reading_and_assigning_a_global_is_refused(nb: Notebook, cell: str):
    nb("k = 1")
    said = nb.refused(f"%%task t\n{cell}")
    assert "task 't' reads 'k' from the notebook and assigns it too" in said
    assert "k_new" in said
    assert "t" not in nb.ns
    assert len(nb.flow.graph) == 0


def test_reading_the_variable_that_the_task_replaces_is_refused(nb: Notebook):
    nb("df = 1")
    said = nb.refused("%%task df\ndf + 1")
    assert "task 'df' reads 'df'" in said
    assert nb.ns["df"] == 1


def test_its_own_name_assigned_is_its_value(nb: Notebook):
    nb("%%task df\nother = 1\ndf = [other, 2]\nlen(df)")
    nb("%%task total\nsum(df)")
    nb.run()
    assert nb["df"].result == [1, 2]
    assert nb["total"].result == 3
    assert nb["df"].defines == ("other",)
    assert nb.ns["df"] is nb["df"]


@pytest.mark.parametrize("use", ["df.head()", "df['a']", "len(df)"])
def test_a_task_used_as_its_result_says_where_that_is(nb: Notebook, use: str):
    nb("%%task df\n[1]")
    assert "df.result" in nb.refused(use)


def test_a_variable_that_a_task_replaces_is_kept_and_said(nb: Notebook):
    nb("load = [1, 2]")
    said = nb("%%task load\n3")
    assert "load_before" in said
    assert nb.ns["load_before"] == [1, 2]
    assert "load_before" not in nb("%%task load\n4")
    nb.run()
    assert nb["load"].result == 4


@pytest.mark.parametrize(
    "magic", ["%time x = 1", "%timeit 1", "%run other.py", "%prun 1", "%debug", "y = %time 1"]
)
def test_magics_that_run_code_past_the_task_are_refused(nb: Notebook, magic: str):
    said = nb.refused(f"%%task t\n{magic}")
    assert "which runs code in the notebook's namespace" in said
    assert len(nb.flow.graph) == 0


@pytest.mark.parametrize("body", ["%%time\nx = 1", "%%capture\nx = 1"])
def test_a_cell_magic_in_a_task_is_refused(nb: Notebook, body: str):
    nb.refused(f"%%task t\n{body}")
    assert len(nb.flow.graph) == 0


def test_other_magics_and_commands_work_and_are_never_reused(nb: Notebook):
    nb("%%task t\n%pwd")
    nb("%%task u\nout = !echo hello $HOME\nout[0][:5]")
    assert nb.run() == ["t", "u"]
    assert nb["u"].result == "hello"
    assert nb.run() == ["t", "u"]
    assert "cannot be compared" in nb("%flow why u")


def test_get_ipython_works_in_a_cell(nb: Notebook):
    nb("%%task t\nget_ipython().user_ns is not None")
    assert nb.run() == nb.run() == ["t"]
    assert nb["t"].result is True


def test_names_in_texts_are_read(nb: Notebook):
    nb("import pandas as pd\nframe = pd.DataFrame({'size': [1, 5, 9]})\nlimit = 4")
    nb("%%task low\nlow_limit = 2")
    nb("%%task t\nlen(frame.query('size > @limit')), len(frame.query('size > @low_limit'))")
    nb.run()
    assert nb["t"].result == (2, 2)
    nb("limit = 8")
    assert nb.run() == ["t"]
    assert nb["t"].result == (1, 2)


def test_an_undefined_name_is_a_name_error_with_the_cells_line(nb: Notebook):
    nb("%%task t\nx = 1\n\ny = no_such_name + x")
    assert "name 'no_such_name' is not defined" in nb.refused("%flow run")
    error = next(o for o in nb["t"].outputs if o["output_type"] == "error")
    text = "\n".join(error["traceback"])
    assert error["ename"] == "NameError"
    assert "line 4" in text
    assert "y = no_such_name + x" in text
    assert "graflow_nb" not in text
    nb("no_such_name = 1")
    assert nb.run() == ["t"]


@pytest.mark.parametrize(
    ("cell", "line", "shown"),
    [
        ("%%task t\n1 / 0", 2, "1 / 0"),
        ("%%task t\n\n\nx = 1\n1 / 0", 5, "1 / 0"),
        ("#| task: t\nx = 1\n1 / 0", 3, "1 / 0"),
        ("%%task t\ndef f():\n    return 1 / 0\nf()", 3, "return 1 / 0"),
        ("%%task t\nawait_it = 1\nimport asyncio\nawait asyncio.sleep(1 / 0)", 4, "asyncio.sleep(1 / 0)"),
        ("%%task\ndef t():\n    x = 1\n    return x / 0", 4, "return x / 0"),
        ("%%task t --cache off\nx = [\n  1,\n  1 / 0,\n]", 4, "1 / 0"),
        ("%%task t\n  \n%pwd\n1 / 0", 4, "1 / 0"),
    ],
)
def test_a_traceback_shows_the_cells_own_lines(nb: Notebook, cell: str, line: int, shown: str):
    nb.try_(cell)
    number = nb.shell.execution_count - 1
    nb.refused("%flow run")
    error = next(o for o in nb["t"].outputs if o["output_type"] == "error")
    text = "\n".join(error["traceback"])
    assert f"Cell In[{number}], line {line}" in text
    assert f"--> {line} " in text
    assert shown in text


def test_a_traceback_through_a_helper_shows_both(nb: Notebook):
    nb("def helper(x):\n    return 1 / x")
    nb("%%task t\nhelper(0)")
    nb.refused("%flow run")
    text = "\n".join(nb["t"].outputs[-1]["traceback"])
    assert "Cell In[2], line 2" in text
    assert "Cell In[1], line 2" in text


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%%task t\nx = (", "SyntaxError"),
        ("%%task t\nfor x in [1]:\nprint(x)", "IndentationError"),
        ("%%task t\nreturn 1", "SyntaxError"),
        ("%%task t\nx = 1 +\n", "SyntaxError"),
        ("%%task\ndef f(: pass", "SyntaxError"),
    ],
)
def test_a_syntax_error_changes_nothing_and_shows_the_line(nb: Notebook, cell: str, said: str):
    nb("%%task t\n1")
    nb.run()
    shown = nb.refused(cell)
    assert said in shown
    assert "graflow_nb" not in shown
    assert nb.run() == []
    assert nb["t"].result == 1


def test_a_syntax_error_shows_the_right_line_number(nb: Notebook):
    assert "line 4" in nb.refused("%%task t\nx = 1\n\ny = = 2")


def test_a_comment_above_the_magic_is_answered_with_help(nb: Notebook):
    said = nb.refused("# load the data\n%%task t\n1")
    assert "first line" in said


@pytest.mark.parametrize("name", ["1st", "a-b", "a.b", "class", "None", "print", "list", "", "a b"])
def test_names_that_cannot_be(name: str):
    with pytest.raises(TaskDefinitionError, match=r"name the task|for example"):
        check_name(name)


@pytest.mark.parametrize("name", ["load", "_load", "größe", "t1"])
def test_names_that_can_be(name: str):
    check_name(name)


def test_function_form(nb: Notebook):
    nb("import functools")
    nb("%%task a\n2")
    nb("%%task\ndef double(a, scale=3):\n    return a * scale")
    nb("%%task\n@functools.lru_cache\ndef cached():\n    return 1")
    nb("%%task\nasync def waits(double):\n    return double + 1")
    assert nb.run() == ["a", "cached", "double", "waits"]
    assert (nb["double"].result, nb["waits"].result) == (6, 7)
    assert nb("print(double(1), double(2, scale=5))").split() == ["3", "10"]


def test_function_form_takes_helpers_above_it(nb: Notebook):
    nb("%%task\nK = 3\ndef helper(x): return x * K\n\ndef t(): return helper(2)")
    nb.run()
    assert nb["t"].result == 6


def test_function_form_needs_a_function_at_the_end(nb: Notebook):
    said = nb.refused("%%task\nx = 1")
    assert "name the task: %%task NAME" in said
    assert "x" not in nb.ns
    nb.refused("%%task\ndef f(): pass\nf()")
    nb.refused("%%task")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%%task\n@task\ndef t(): return 1", "is a task by its decorator already"),
        ("%%task\ndef print(): return 1", "is a builtin of Python"),
        ("%%task\n@property\ndef t(self): return 1", "its decorator made it 'property'"),
        ("%%task\n@1 / 0\ndef t(): return 1", "ZeroDivisionError"),
    ],
)
def test_functions_that_cannot_be_tasks(nb: Notebook, cell: str, said: str):
    assert said in nb.refused(cell)
    assert "t" not in nb.ns
    assert nb("print('as ever')").strip() == "as ever"


def test_function_form_keeps_the_variable_it_replaces(nb: Notebook):
    nb("load = [1]")
    assert "load_before" in nb("%%task\ndef load(): return 2")
    assert nb.ns["load_before"] == [1]
    assert "load_before" not in nb("%%task\ndef load(): return 3")
    nb.run()
    assert nb["load"].result == 3


def test_ast_transformers_apply(nb: Notebook):
    import ast

    class Double(ast.NodeTransformer):
        def visit_Constant(self, node):
            return ast.copy_location(ast.Constant(node.value * 2), node) if node.value == 21 else node

    nb.shell.ast_transformers.append(Double())
    nb("%%task t\n21")
    nb.shell.ast_transformers.clear()
    nb.run()
    assert nb["t"].result == 42


def test_editing_a_cell_while_it_runs_never_mixes_versions(nb: Notebook):
    nb("import threading\nstarted, go_on = threading.Event(), threading.Event()")
    nb("def wait():\n    started.set()\n    assert go_on.wait(60)")
    nb("%%task t\nwait()\nv = 1\nv * 10", cell="t")
    nb("%flow run --background")
    assert nb.ns["started"].wait(60)
    nb("%%task t\nwait()\nv = 2\nv * 10", cell="t")
    nb.ns["go_on"].set()
    nb.session.going[0].wait(60) if nb.session.going else None
    nb("%flow run")
    assert nb["t"].result == 20
    assert nb.ns["v"] == 2
