"""Which cells a flow needs: from the source alone."""

from __future__ import annotations

import pytest

from graflow_nb.notebook.document.cell import read_cells
from graflow_nb.notebook.document.effects import DICE, Known, effects
from graflow_nb.notebook.document.slice import steps_of
from graflow_nb.notebook.document.source import DocumentError, RawCell


def steps(*cells):
    raw = [RawCell("code", cell, number) for number, cell in enumerate(cells, 1)]
    return [(step.cell.number, *step.before) for step in steps_of(read_cells(raw))]


def numbers(*cells):
    return [number for number, *_ in steps(*cells)]


@pytest.mark.parametrize(
    ("cells", "needed"),
    [
        (["x = 1", "y = 2", "%%task a\nx"], [1, 3]),
        (["x = 1", "x = 2", "%%task a\nx"], [2, 3]),
        (["%%task a\nx", "x = 1", "x = 2"], [1, 3]),
        (["x = 1", "x = x + 1", "%%task a\nx"], [1, 2, 3]),
        (["x = 1", "if x: x = 2", "%%task a\nx"], [1, 2, 3]),
        (["x = []", "x.append(1)", "len(x)", "%%task a\nx"], [1, 2, 4]),
        (["x = []", "y = x", "y.append(1)", "%%task a\ny"], [1, 2, 3, 4]),
        (["k = 1", "def f():\n    return k", "k = 2", "%%task a\nf()"], [2, 3, 4]),
        (["k = 1", "def f():\n    return k", "x = f()", "k = 2", "%%task a\nx"], [1, 2, 3, 5]),
        (["import os\nos.environ['A'] = '1'", "%%task a\n1"], [1, 2]),
        (["import numpy as np", "np.random.seed(1)", "x = np.random.rand()", "%%task a\nx"], [1, 2, 3, 4]),
        (
            ["import matplotlib.pyplot as plt", "plt.rcParams['x'] = 1", "plt.plot([1])", "%%task a\nplt"],
            [1, 2, 4],
        ),
        (["%%task a\n1", "%%task a\n2"], [2]),
        (["%flow param n 1", "%flow run", "%flow status", "%%task a\nn"], [1, 4]),
        (["%matplotlib inline", "!ls", "%%bash\nls", "%%task a\n1"], [1, 4]),
        (["%%writefile m.py\nx = 1", "%%task a\n1"], [1, 2]),
        (["%%time\nx = 1", "%%task a\nx"], [1, 2]),
        (["this is no Python", "%%task a\n1"], [2]),
        (["return 1", "%%task a\n1"], [2]),
        (["x = await y()", "%%task a\nx"], [1, 2]),
        (["a >> b", "%%task a\n1", "%%task b\n2", "a >> b", "print(1)"], [1, 2, 3, 4]),
        (["@task\ndef a(x=1):\n    return k", "k = 3"], [1, 2]),
        (["from graflow_nb import workflow\nwith workflow('w') as w:\n    pass", "w.run()"], [1]),
    ],
)
def test_the_cells_that_a_flow_needs(cells, needed):
    assert numbers(*cells) == needed


def test_a_plain_cell_that_reads_results_waits_for_its_tasks():
    assert steps("%%task a\nx = 1", "%%task b\n2", "y = x + 1", "%%task c\ny") == [(1,), (2,), (3, "a"), (4,)]
    assert steps("%%task a\n1", "y = a.result", "%%task c\ny") == [(1,), (2, "a"), (3,)]


def test_it_comes_last_if_a_task_it_reads_is_written_later():
    cells = ("%%task a\nx = 1", "y = x", "%%task c\ny", "%%task a\nx = 2")
    assert steps(*cells) == [(3,), (4,), (2, "a")]


def test_a_function_that_reads_a_result_when_it_is_called_does_not_wait():
    assert steps("%%task a\nx = 1", "def f():\n    return x", "%%task b\nf()") == [(1,), (2,), (3,)]


def test_without_a_flow_there_is_nothing_to_run():
    with pytest.raises(DocumentError, match=r"there is no flow in it.*--all"):
        steps("x = 1", "print(x)")


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("rows.append(x)", {"rows"}),
        ("df['a'] = 1", {"df"}),
        ("df.sort_values('a', inplace=True)", {"df"}),
        ("df.sort_values('a')", set()),
        ("df.groupby('a').b.mean().plot()", set()),
        ("print(df.head())", set()),
        ("model.fit(X, y)", {"model"}),
        ("train(model, X)", {"model", "X"}),
        ("np.log(x)", set()),
        ("np.random.shuffle(x)", {"x", DICE}),
        ("np.log(x, out=y)", {"y"}),
        ("total += 1", {"total"}),
        ("fill(rows)", {"rows"}),
        ("peek(rows)", set()),
        ("count()", {"counter"}),
        ("part = df\npart['a'] = 1", {"df"}),
        ("part = df.copy()\npart['a'] = 1", set()),
        ("basket.add(1)", {"basket"}),
        ("basket.total()", set()),
        ("plt.rcParams['x'] = 1", {"plt"}),
        ("def f():\n    rows.append(1)", set()),
        ("again(rows)", set()),
        ("for row in rows:\n    row['a'] = 1", {"rows"}),
        ("for n, row in enumerate(rows):\n    row.clear()", {"rows"}),
        ("for n in range(3):\n    print(n)", set()),
    ],
)
def test_what_a_cell_may_change(source, changes):
    known = Known()
    known.learn(
        "import numpy as np\nimport matplotlib.pyplot as plt\n"
        "def fill(x):\n    x.append(1)\ndef peek(x):\n    return len(x)\n"
        "def count():\n    global counter\n    counter += 1\n"
        "def again(x):\n    return again(x)\n"
        "class Basket:\n    def add(self, x):\n        self.items.append(x)\n    def total(self):\n        return sum(self.items)\n"
    )
    known.learn(source)
    assert effects(source, known).changes == changes
