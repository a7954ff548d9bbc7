"""Plain cells between tasks: what they make from a task's result is never used beside a newer one."""

from __future__ import annotations

import pytest
from shells import Notebook

LOAD = "%%task load\ndf = [1, 2, {}]\nother = 'same'\nsum(df)"
FIT = "%%task fit\nX"

MADE = {
    "assignment": "X = sum(df)",
    "alias": "X = df",
    "the task's result": "X = load.result + 1",
    "by another name": "t = load\nX = t.result",
    "from a list of tasks": "ts = [load]\nX = [t.result for t in ts]",
    "from the flow": "from graflow_nb.core.scope import current_workflow\nflow = current_workflow()\n"
    "X = flow['load'].result",
    "from the run": "from graflow_nb.core.scope import current_workflow\n"
    "flow = current_workflow()\nX = flow.last_run.results['load']",
    "given to a function": "def get(t): return t.result\nX = get(load)",
    "by a helper that names the task": "def get(): return load.result\nX = get()",
    "in steps": "_a = df\n_b = [_a]\nX = _b",
    "tuple": "n, X = 1, sum(df)",
    "star": "n, *X = df",
    "walrus": "if (X := sum(df)): pass",
    "annotated": "X: int = sum(df)",
    "augmented": "X = 0\nX += sum(df)",
    "loop": "X = []\nfor v in df: X.append(v)",
    "loop variable": "for X in df: pass",
    "while": "X, n = 0, 0\nwhile n < len(df):\n    X += df[n]\n    n += 1",
    "with": "import contextlib\nwith contextlib.nullcontext(df) as X: pass",
    "try": "try:\n    X = sum(df)\nexcept ValueError:\n    X = 0",
    "condition": "if df[2] > 3: X = 'more'\nelse: X = 'less'",
    "comprehension": "X = [v * 2 for v in df]",
    "lambda": "X = list(map(lambda v: v + df[2], [1]))",
    "text": "X = f'{df}'",
    "helper": "def helper(): return df\nX = helper()",
    "helper of a helper": "def inner(): return df\ndef helper(): return inner()\nX = helper()",
    "helper that assigns": "def helper():\n    global X\n    X = sum(df)\nhelper()",
    "helper that assigns, then read": "def helper():\n    global Z\n    Z = sum(df)\nhelper()\nX = Z + 1",
    "helper's default": "def helper(a=df): return a\nX = helper()",
    "class": "class C:\n    def get(self): return sum(df)\nX = C().get()",
    "class attribute": "class C:\n    v = sum(df)\nX = C.v",
    "match": "match df:\n    case [*_, X]: pass",
    "import in between": "import math\nX = math.fsum(df)",
    "time": "%%time\nX = sum(df)",
    "time of a line": "%time X = sum(df)",
    "capture": "%%capture out\nX = sum(df)",
    "what capture has": "%%capture X\nprint(df)",
    "exec": "exec('X = sum(df)')",
    "exec of a variable": "code = 'X = sum(df)'\nexec(code)",
    "eval": "X = eval('sum(df)')",
    "globals": "globals()['X'] = sum(df)",
    "globals by a variable": "for name in ['X']: globals()[name] = sum(df)",
    "read from globals": "X = sum(globals()['df'])",
    "user_ns": "get_ipython().user_ns['X'] = sum(df)",
    "push": "get_ipython().push({'X': sum(df)})",
    "run_cell": "get_ipython().run_cell('X = sum(df)')",
    "append": "X = []\nX.append(sum(df))",
    "item": "X = {}\nX['a'] = sum(df)",
    "attribute": "import types\nX = types.SimpleNamespace()\nX.a = sum(df)",
    "given": "def put(where, v): where.append(v)\nX = []\nput(X, df[2])",
    "by a helper in place": "X = []\ndef put(): X.append(df[2])\nput()",
    "in place by another name": "X = []\nY = X\nY.append(df[2])",
    "array": "import numpy as np\nX = np.zeros(3)\nX[:] = df",
    "published name assigned anew": "mine = df[1:]\nX = mine",
    "semicolons": "a = 1; X = df[2]; b = 2",
    "deleted meanwhile": "tmp = sum(df)\nX = tmp\ndel tmp",
}
APART = {
    "append": ["X = []", "X.append(sum(df))"],
    "item": ["X = {}", "X['a'] = sum(df)"],
    "attribute": ["import types\nX = types.SimpleNamespace(a=0)", "X.a = sum(df)"],
    "given": ["def put(where, v): where.append(v)\nX = []", "put(X, df[2])"],
    "helper in place": ["X = []\ndef put(): X.append(df[2])", "put()"],
    "another name": ["X = []\nY = X", "Y.append(df[2])"],
    "frame": ["import pandas as pd\nX = pd.DataFrame({'a': [1, 2, 3]})", "X['b'] = df"],
    "augmented list": ["X = []", "X += df"],
    "augmented number": ["X = 0", "X += df[2]"],
    "two names": ["Y = sum(df)", "X = Y * 2"],
    "three names": ["A = sum(df)", "B = A * 2", "X = B * 2"],
    "output": ["sum(df)", "X = _"],
    "helper": ["def helper(): return df", "X = helper()"],
    "helper that reads what was made": ["Y = sum(df)", "def helper(): return Y", "X = helper()"],
    "object with a method": ["class C:\n    def fit(self, v): self.v = v\nX = C()", "X.fit(df)"],
}


def change(nb: Notebook) -> None:
    nb(LOAD.format(4), cell="load")


def is_stale(nb: Notebook) -> str:
    said = nb.refused("%flow run")
    assert nb.statuses["fit"] == "failed", nb.statuses
    error = nb.last_run.errors["fit"]
    assert type(error).__name__ == "StaleInputError"
    assert "reads 'X'" in str(error)
    assert "StaleInputError" in said
    return str(error)


@pytest.fixture
def loaded(nb: Notebook) -> Notebook:
    nb(LOAD.format(3), cell="load")
    nb.run()
    return nb


@pytest.mark.parametrize("plain", MADE.values(), ids=MADE)
def test_what_a_plain_cell_makes_goes_with_the_result_it_was_made_from(loaded: Notebook, plain: str):
    nb = loaded
    nb(plain, cell="plain")
    nb(FIT, cell="fit")
    assert nb.run() == ["fit"]
    assert nb.run() == []
    assert ("load", "fit") in nb.flow.plan().edges
    change(nb)
    said = is_stale(nb)
    assert "of task 'load'" in said
    change(nb)
    nb(plain, cell="plain")
    nb.run()
    assert nb.statuses["fit"] == "succeeded"


@pytest.mark.parametrize("cells", APART.values(), ids=APART)
def test_the_same_over_several_cells(loaded: Notebook, cells: list[str]):
    nb = loaded
    for cell in cells:
        nb(cell)
    nb(FIT, cell="fit")
    nb.run()
    assert nb.run() == []
    change(nb)
    is_stale(nb)
    for cell in cells:
        nb(cell)
    nb.run()
    assert nb.statuses["fit"] == "succeeded"
    assert nb.run() == []


NOT_MADE = {
    "beside it in the cell": "X = 1\nprint(sum(df))",
    "shown": "X = [1]\nprint(X, df)",
    "compared": "X = [1]\nX == df",
    "assigned anew": "X = sum(df)\nX = 1",
    "assigned anew in both branches": "X = sum(df)\nif load: X = 1\nelse: X = 2",
    "defined, not called": "X = 1\ndef helper(): return df",
    "lambda, not called": "X = 1\nf = lambda: df",
    "method, not called": "X = 1\nclass C:\n    def get(self): return df",
    "measured": "X = 1\n%timeit -n1 -r1 X = sum(df)",
    "measured as a cell": "X = 1",
    "of its own": "X = [df for df in [[1], [2]]]",
    "import": "import math as X\nsum(df)",
    "set by a function": "def put():\n    global X\n    X = 1\nput()\nsum(df)",
    "import from": "from math import pi as X\nsum(df)",
    "star import": "from json import *\nX = 1\nsum(df)",
    "wired": "X = 1\nY = load >> load if False else None",
    "handed over and left alone": "def look(v, w): return len(v)\nX = [1]\nn = 1",
    "receiver left alone": "X = {'a': 1}",
    "text that says so": "X = 'df'",
    "deleted and made": "X = sum(df)\ndel X\nX = 1",
    "from its own": "def helper(): return 1\nX = helper()\nhelper2 = df",
    "in another item": "D = {'a': df}\nX = 2",
}


@pytest.mark.parametrize("plain", NOT_MADE.values(), ids=NOT_MADE)
def test_what_reads_no_result_depends_on_none(loaded: Notebook, plain: str):
    nb = loaded
    nb(plain)
    nb("%%task fit\nstr(X)")
    nb.run()
    assert nb.flow.plan().edges == []
    change(nb)
    nb.run()
    assert "fit" not in nb.statuses or nb.statuses["fit"] in {"cached", "succeeded"}


UNCHANGED = {
    "handed over": ("def look(v, w): return len(v)\nX = [1]", "look(X, df)"),
    "called": ("X = {'a': 1}", "X.get(df[0])"),
    "a frame": ("import pandas as pd\nX = pd.DataFrame({'a': [1, 2]})", "Y = X.merge(pd.DataFrame({'a': df}))"),
    "read by a helper": ("X = [1]\ndef helper(v): return X + v", "Y = helper(df)"),
    "measured": ("X = 1", "%%timeit -n1 -r1\nX = sum(df)"),
    "not assigned": ("X = [1]", "if not df: X = df"),
    "cleared": ("X = sum(df)", "X = 1"),
    "cleared item": ("X = {}\nX['a'] = sum(df)", "X['a'] = 1"),
    "cleared unseen": ("X = sum(df)", "globals()['X'] = 1"),
    "cleared by exec": ("X = sum(df)", "exec('X = 1')"),
    "cleared by import": ("X = sum(df)", "from math import pi as X"),
    "cleared by deletion": ("X = sum(df)", "del X\nX = 1"),
}


@pytest.mark.parametrize("cells", UNCHANGED.values(), ids=UNCHANGED)
def test_what_a_cell_leaves_as_it_was_depends_on_nothing(loaded: Notebook, cells: tuple[str, ...]):
    nb = loaded
    for cell in cells:
        nb(cell)
    nb("%%task fit\nstr(X)")
    nb.run()
    assert nb.flow.plan().edges == []
    change(nb)
    nb.run()


def test_the_message_names_the_cell_the_variable_and_the_cure(loaded: Notebook):
    nb = loaded
    nb("X = sum(df)")
    number = nb.shell.execution_count - 1
    nb(FIT)
    nb.run()
    change(nb)
    said = is_stale(nb)
    assert said == (
        f"task 'fit' reads 'X', which Cell In[{number}] made from an older 'df' of task 'load'. "
        f"Run cell {number} again, or make it a task (%%task). To use 'X' as it is: %flow run fit --force"
    )


def test_several_cells_on_the_way_are_all_named_until_they_are_run_again(loaded: Notebook):
    nb = loaded
    nb("Y = sum(df)")
    first = nb.shell.execution_count - 1
    nb("X = Y * 2")
    nb(FIT)
    nb.run()
    change(nb)
    assert f"Run cells {first} and {first + 1} again" in is_stale(nb)
    nb("Y = sum(df)")
    assert f"Run cell {first + 1} again" in is_stale(nb)
    nb("X = Y * 2")
    nb.run()
    assert nb["fit"].result == 14


def test_what_is_added_to_names_where_it_began(loaded: Notebook):
    nb = loaded
    nb("X = []")
    first = nb.shell.execution_count - 1
    nb("X.append(df[2])")
    nb(FIT)
    nb.run()
    change(nb)
    assert f"Run cells {first} and {first + 1} again" in is_stale(nb)
    nb("X.append(df[2])")  # and the old one is still in it
    is_stale(nb)
    nb("X = []")
    nb("X.append(df[2])")
    nb.run()
    assert nb["fit"].result == [4]


def test_an_item_is_made_anew_by_assigning_it_again(loaded: Notebook):
    nb = loaded
    nb("X = {}")
    nb("X['a'] = df[2]\nX['b'] = df[1]")
    nb(FIT)
    nb.run()
    change(nb)
    is_stale(nb)
    nb("X['a'] = df[2]")
    is_stale(nb)
    nb("X['b'] = df[1]")
    nb.run()
    assert nb["fit"].result == {"a": 4, "b": 2}


@pytest.mark.parametrize("line", ["fit --force", "--force"])
def test_it_can_be_accepted_as_it_is(loaded: Notebook, line: str):
    nb = loaded
    nb("X = sum(df)")
    nb(FIT)
    nb.run()
    change(nb)
    is_stale(nb)
    nb.run(line)
    assert nb["fit"].result == 6
    assert nb.run() == []
    nb(LOAD.format(5), cell="load")
    is_stale(nb)


def test_running_from_a_task_on_accepts_nothing(loaded: Notebook):
    nb = loaded
    nb("X = sum(df)")
    nb(FIT)
    nb.run()
    change(nb)
    nb.refused("%flow run --from load")
    assert nb.statuses["fit"] == "failed"


def test_what_depends_on_it_is_skipped_and_all_else_goes_on(loaded: Notebook):
    nb = loaded
    nb("X = sum(df)")
    nb(FIT)
    nb("%%task after\nfit")
    nb("%%task beside\nother + '!'")
    nb.run()
    change(nb)
    is_stale(nb)
    assert nb.statuses == {"load": "succeeded", "fit": "failed", "after": "skipped", "beside": "cached"}


def test_an_equal_result_changes_nothing(loaded: Notebook):
    nb = loaded
    nb("X = sum(df)")
    nb(FIT)
    nb.run()
    nb("%%task load\ndf = [1, 2, 4 - 1]\nother = 'new'\nsum(df)", cell="load")
    assert nb.run() == ["load"]


def test_only_the_variable_that_was_read_counts(loaded: Notebook):
    nb = loaded
    nb("X = other + '!'")
    nb(FIT)
    nb.run()
    change(nb)
    assert nb.run() == ["load"]


def test_a_failed_source_skips_the_reader(loaded: Notebook):
    nb = loaded
    nb("X = sum(df)")
    nb(FIT)
    nb.run()
    nb("%%task load\ndf = 1 / 0", cell="load")
    nb.refused("%flow run")
    assert nb.statuses == {"load": "failed", "fit": "skipped"}


def test_what_a_removed_task_made_is_data(loaded: Notebook):
    nb = loaded
    nb("X = sum(df)")
    nb(FIT)
    nb.run()
    nb("%flow remove load")
    assert nb.run() == []
    assert nb.flow.plan().edges == []


def test_a_renamed_task_is_still_behind(loaded: Notebook):
    nb = loaded
    nb("X = sum(df)")
    nb(FIT)
    nb.run()
    nb("%%task read\ndf = [1, 2, 4]\nother = 'same'\nsum(df)", cell="load")
    assert ("read", "fit") in nb.flow.plan().edges
    is_stale(nb)


def test_a_task_that_its_own_result_comes_back_to_is_told(loaded: Notebook):
    nb = loaded
    nb("X = sum(df)")
    nb("%%task load\ndf = [1, 2, 5]\nsum(df) + X", cell="load")
    said = nb("%flow run")
    assert "'load' reads 'X', which plain code made from a result of task 'load'" in said
    assert nb["load"].result == 14


def test_a_cell_that_failed_may_have_assigned(loaded: Notebook):
    nb = loaded
    nb.refused("X = sum(df)\n1 / 0")
    nb(FIT)
    nb.run()
    change(nb)
    is_stale(nb)


def test_a_cell_that_failed_before_it_assigned_leaves_what_was(loaded: Notebook):
    nb = loaded
    nb("X = [sum(df)]")
    nb(FIT)
    nb.run()
    change(nb)
    nb.refused("%flow run")
    nb.refused("1 / 0\nX = [sum(df)]")
    is_stale(nb)
    nb.refused("1 / 0\nX = [5]")
    is_stale(nb)


def test_a_cell_that_is_no_python_leaves_what_was(loaded: Notebook):
    nb = loaded
    nb("X = sum(df)")
    nb(FIT)
    nb.run()
    change(nb)
    nb.refused("X = 1 1")
    is_stale(nb)


@pytest.mark.parametrize(
    "body",
    [
        "%flow run\nX = sum(df)",
        "%flow run\nX = load.result",
        "flow.run()\nX = sum(df)",
        "run = flow.run()\nX = run.results['load']",
        "X = flow.run().results['load']",
        "X = flow.execute()",
    ],
)
def test_a_run_in_the_cell_itself(nb: Notebook, body: str):
    nb("from graflow_nb.core.scope import current_workflow\nflow = current_workflow()")
    for value in (3, 4):
        nb(LOAD.format(value), cell="load")
        nb(body)
    nb(FIT)
    nb.run()
    assert nb["fit"].result == 7
    nb(LOAD.format(5), cell="load")
    is_stale(nb)


@pytest.mark.parametrize("body", ["X = sum(df)\n%flow run", "if True:\n    X = sum(df)\n    %flow run"])
def test_a_run_after_it_in_the_cell_itself(loaded: Notebook, body: str):
    nb = loaded
    change(nb)
    nb(body)
    nb(FIT)
    is_stale(nb)


def test_execute_checks_too(loaded: Notebook):
    nb = loaded
    nb("from graflow_nb.core.scope import current_workflow\nflow = current_workflow()\nX = sum(df)")
    nb(FIT)
    assert nb.flow.execute() == 6
    change(nb)
    said = nb.refused("flow.execute()")
    assert "StaleInputError" in said
    nb.run("load")
    nb("X = sum(df)")
    assert nb.flow.execute() == 7


def test_after_execute_there_are_no_fingerprints_yet(nb: Notebook):
    nb("from graflow_nb.core.scope import current_workflow\nflow = current_workflow()")
    nb(LOAD.format(3), cell="load")
    nb("flow.execute()\nX = sum(df)")
    nb(FIT)
    assert nb.flow.execute() == 6
    nb.run()
    change(nb)
    is_stale(nb)


def test_a_result_without_content_counts_as_itself(nb: Notebook):
    nb("%%task load\ndf = (n for n in [1, 2])", cell="load")
    nb.run()
    nb("X = [*df]")
    nb(FIT)
    assert nb.run() == ["fit"]
    assert nb.run() == []
    nb.run("load --force")
    is_stale(nb)


def test_a_task_that_a_plain_cell_made_with_what_it_had(loaded: Notebook):
    nb = loaded
    nb("@task\ndef fit(a=df[2]): return a", cell="fit")
    nb.run()
    change(nb)
    said = nb.refused("%flow run")
    assert "StaleInputError" in said
    nb("@task\ndef fit(a=df[2]): return a", cell="fit")
    nb.run()
    assert nb["fit"].result == 4


def test_cells_are_counted_that_have_more_than_magics_of_ours(nb: Notebook):
    before = nb.session.cells_run
    nb("%%task a\nx = 1")
    nb("#| task: b\ny = 1")
    nb("%flow run\n# done")
    nb("%flow status")
    assert nb.session.cells_run == before
    nb("x.bit_length()")
    nb("%flow run\nx")
    nb.refused("1 / 0")
    assert nb.session.cells_run == before + 3


@pytest.mark.parametrize(
    "plain",
    [
        "async def get(v): return sum(v)\nX = await get(df)",
        "async def get(v): return v\nX = [await get(v) for v in df]",
        "X = !echo {df}",
        "X = !echo $df",
        "%%bash --out X -s {df}\necho $1",
        "%%time\nX = len(df)",
        "%time X = len(df)",
        "with open('/dev/null') as file: X = len(df)",
        "if True: X = len(df)\nelse: X = 0",
        "X = len(df)",
    ],
)
def test_more_of_ipython_and_results_that_stay_equal(loaded: Notebook, plain: str):
    nb = loaded
    nb(plain, cell="plain")
    nb(FIT)
    nb.run()
    change(nb)
    is_stale(nb)
    nb(plain, cell="plain")
    nb.run()


def test_code_from_a_file(loaded: Notebook, tmp_path):
    nb = loaded
    (tmp_path / "more.py").write_text("X = sum(df)")
    nb(f"%run -i {tmp_path / 'more.py'}")
    nb(FIT)
    nb.run()
    change(nb)
    is_stale(nb)
    nb(f"%run -i {tmp_path / 'more.py'}")
    nb.run()
    assert nb["fit"].result == 7


@pytest.mark.parametrize("name", ["m", "fit2"])
def test_arguments_that_were_bound(loaded: Notebook, name: str):
    nb = loaded
    nb("X = sum(df)\n@task\ndef fit(a): return a")
    nb(f"m = fit.bind(a=X, name='{name}')", cell="m")
    nb.run()
    change(nb)
    assert "StaleInputError" in nb.refused("%flow run")
    assert nb.statuses[name] == "failed"


def test_a_helper_of_the_task_that_reads_it(loaded: Notebook):
    nb = loaded
    nb("X = sum(df)\ndef inner(): return X\ndef helper(): return inner()")
    nb("%%task fit\nhelper()")
    nb.run()
    change(nb)
    is_stale(nb)


def test_flows_side_by_side(loaded: Notebook):
    nb = loaded
    nb("X = sum(df)")
    nb("with workflow('other') as other:\n    @task\n    def reader(): return X")
    nb("%flow use other")
    nb.run()
    assert nb.flow.plan().edges == []


def test_what_stands_there_is_let_go(loaded: Notebook):
    nb = loaded
    nb("import weakref\nclass Big: pass\nBig.data = df\nX = Big()\nref = weakref.ref(X)")
    nb("Y = Big()\ndel X, Y\nassert ref() is None")
    nb("X = Big()\nX = Big()\nX = None")
