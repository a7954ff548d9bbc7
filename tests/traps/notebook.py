"""Changes that only a notebook knows: cells, wiring, plain cells between tasks, values changed in place."""

from __future__ import annotations

from traps.trap import Trap, grouped

WIRING = grouped(
    "the graph",
    Trap(
        name="what a task before gives",
        cells="@task\ndef data():\n    return [1, 2]\n# %%\n@task\ndef target(data):\n    return sum(data)",
        edit=("[1, 2]", "[1, 3]"),
    ),
    Trap(
        name="helper of a task two before",
        cells="def helper():\n    return 1\n# %%\n@task\ndef first():\n    return helper()\n# %%\n@task\ndef second(first):\n    return first + 1\n"
        "# %%\n@task\ndef target(second):\n    return second",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="wired to another task",
        cells="@task\ndef a():\n    return 1\n# %%\n@task\ndef b():\n    return 2\n# %%\n@task\ndef target(x):\n    return x\n# %%\n_ = a >> target",
        edit=("a >> target", "b >> target"),
    ),
    Trap(
        name="wired in another order",
        cells="@task\ndef a():\n    return 1\n# %%\n@task\ndef b():\n    return 2\n# %%\n@task\ndef target(x, y):\n    return [x, y]\n"
        "# %%\n_ = (a | b) >> target",
        edit=("(a | b)", "(b | a)"),
    ),
    Trap(
        name="one more before it",
        cells="@task\ndef a():\n    return 1\n# %%\n@task\ndef b():\n    return 2\n# %%\n@task\ndef target(*x):\n    return list(x)\n"
        "# %%\n_ = a >> target",
        edit=("a >> target", "(a | b) >> target"),
    ),
    Trap(
        name="default, and a task of that name later",
        cells="pass\n# %%\n@task\ndef target(other=0):\n    return other\n# %%\npass",
        after="@task\ndef other():\n    return 1\n# %%\n@task\ndef target(other=0):\n    return other\n# %%\n_ = other >> target",
    ),
    Trap(
        name="bound value",
        cells="@task\ndef base(x):\n    return x\ntarget = base.bind(x=1, name='target')",
        edit=("x=1", "x=2"),
    ),
    Trap(
        name="bound value's type",
        cells="@task\ndef base(x):\n    return x\ntarget = base.bind(x=1, name='target')",
        edit=("x=1", "x=True"),
    ),
    Trap(
        name="bound list changed in place",
        cells="L = [1]\n@task\ndef base(x):\n    return list(x)\ntarget = base.bind(x=L, name='target')\n# %%\npass",
        edit=("# %%\npass", "# %%\nL.append(2)"),
    ),
    Trap(
        name="other function under the same task's name",
        cells="@task('target')\ndef one():\n    return 1",
        edit=("def one():\n    return 1", "def two():\n    return 2"),
    ),
    Trap(
        name="context injected",
        cells="@task\ndef target(c=None):\n    return c is None",
        edit=("@task\n", "@task(inject_context=True)\n"),
    ),
    Trap(
        name="version=",
        cells="@task(version=1)\ndef target():\n    return 1",
        edit=("version=1", "version=2"),
        differs=False,
        runs=True,
    ),
    Trap(
        name="tasks that exchange their names",
        cells="@task('a')\ndef f():\n    return 1\n# %%\n@task('b')\ndef g():\n    return 2\n# %%\n@task\ndef target(a, b):\n    return [a, b]",
        edit=(
            "@task('a')\ndef f():\n    return 1\n# %%\n@task('b')",
            "@task('b')\ndef f():\n    return 1\n# %%\n@task('a')",
        ),
    ),
)

CELLS = grouped(
    "cells as tasks",
    Trap(name="cell's body", cells="%%task target\nx = 1\nx", edit=("x = 1", "x = 2")),
    Trap(name="cell's last expression", cells="%%task target\nx = 1\nx", edit=("1\nx", "1\n-x")),
    Trap(
        name="variable of another cell",
        cells="%%task data\nrows = [1]\nlen(rows)\n# %%\n%%task target\nlist(rows)",
        edit=("[1]", "[2]"),
    ),
    Trap(
        name="variable of another cell, read by a helper",
        cells="%%task data\nrows = [1]\nlen(rows)\n# %%\ndef helper():\n    return list(rows)\n# %%\n%%task target\nhelper()",
        edit=("[1]", "[2]"),
    ),
    Trap(
        name="result of another cell",
        cells="%%task data\n[1]\n# %%\n%%task target\nlist(data)",
        edit=("[1]", "[2]"),
    ),
    Trap(name="global", cells="K = 1\n# %%\n%%task target\nK", edit=("K = 1", "K = 2")),
    Trap(
        name="helper",
        cells="def helper():\n    return 1\n# %%\n%%task target\nhelper()",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="variable that moves to another cell",
        cells="%%task a\nrows = 1\n# %%\n%%task b\nother = 2\n# %%\n%%task target\nrows",
        after="%%task a\nother = 1\n# %%\n%%task b\nrows = 2\n# %%\n%%task target\nrows",
        in_kernel=False,
    ),
    Trap(
        name="plain variable becomes a task's",
        cells="rows = 1\n# %%\n%%task target\nrows",
        after="%%task data\nrows = 2\n# %%\n%%task target\nrows",
    ),
    Trap(name="file", cells="%%task target\nopen_it = open('A.TXT'.lower())\ntext = open_it.read()\nopen_it.close()\ndel open_it\ntext",
         files={"a.txt": "one"}, edits={"a.txt": "two"}),
    Trap(
        name="own module",
        files={"c1.py": "def f():\n    return 1\n"},
        edits={"c1.py": "def f():\n    return 2\n"},
        cells="%%task target\nimport c1\nc1.f()",
        loaded=True,
    ),
    Trap(
        name="magic's argument",
        cells="%%task target\nx = !echo one\nx[0]",
        edit=("one", "two"),
    ),
)  # fmt: skip

_DATA = "@task\ndef data():\n    return [3, 1, 2]\n# %%\n"
PLAIN = grouped(
    "plain cells between tasks",
    Trap(
        name="made from a task's variable",
        cells="%%task data\nrows = [1, 2]\n# %%\n%flow run data\n# %%\nX = sum(rows)\n# %%\n%%task target\nX",
        edit=("[1, 2]", "[1, 5]"),
        may_refuse=True,
    ),
    Trap(
        name="made from a task's result",
        cells="@task\ndef data():\n    return [1, 2]\n# %%\n%flow run data\n# %%\nX = sum(data.result)\n# %%\n@task\ndef target():\n    return X",
        edit=("[1, 2]", "[1, 5]"),
        may_refuse=True,
    ),
    Trap(
        name="made in two steps",
        cells="%%task data\nrows = [1, 2]\n# %%\n%flow run data\n# %%\nX = sum(rows)\n# %%\nY = X + 1\n# %%\n%%task target\nY",
        edit=("[1, 2]", "[1, 5]"),
        may_refuse=True,
    ),
    Trap(
        name="made from it and read by a helper",
        cells="%%task data\nrows = [1, 2]\n# %%\n%flow run data\n# %%\nX = sum(rows)\ndef helper():\n    return X\n# %%\n@task\ndef target():\n    return helper()",
        edit=("[1, 2]", "[1, 5]"),
        may_refuse=True,
    ),
    Trap(
        name="made by a helper that reads it",
        cells="%%task data\nrows = [1, 2]\n# %%\n%flow run data\n# %%\ndef total():\n    return sum(rows)\nX = total()\n# %%\n%%task target\nX",
        edit=("[1, 2]", "[1, 5]"),
        may_refuse=True,
    ),
    Trap(
        name="added to a list",
        cells="L = []\n# %%\n%%task data\nrows = [1, 2]\n# %%\n%flow run data\n# %%\nL.clear()\nL.extend(rows)\n# %%\n%%task target\nlist(L)",
        edit=("[1, 2]", "[1, 5]"),
        may_refuse=True,
    ),
    Trap(
        name="made in a loop",
        cells="%%task data\nrows = [1, 2]\n# %%\n%flow run data\n# %%\nfor X in rows:\n    pass\n# %%\n%%task target\nX",
        edit=("[1, 2]", "[1, 5]"),
        may_refuse=True,
    ),
    Trap(
        name="plain variable, unchanged otherwise",
        cells="X = 1\n# %%\n%%task target\nX",
        edit=("X = 1", "X = 2"),
    ),
)

MUTATION = grouped(
    "values changed in place",
    Trap(
        name="a reader sorts what another reads",
        cells=_DATA
        + "@task\ndef spoil(data):\n    data.sort()\n# %%\n@task\ndef target(data):\n    return data[-1]",
        after=_DATA + "@task\ndef spoil(data):\n    pass\n# %%\n@task\ndef target(data):\n    return list(data)",
        one_worker=True,
    ),
    Trap(
        name="a reader that sorts stays, the other changes",
        cells=_DATA
        + "@task\ndef target(data):\n    return data[-1]\n# %%\n@task\ndef spoil(data, target):\n    data.sort()",
        after=_DATA
        + "@task\ndef target(data):\n    return data[0]\n# %%\n@task\ndef spoil(data, target):\n    data.sort()",
        one_worker=True,
    ),
    Trap(
        name="a new reader after one that sorts",
        cells=_DATA
        + "@task\ndef target(data):\n    return data[-1]\n# %%\n@task\ndef spoil(data, target):\n    data.sort()",
        after=_DATA + "@task\ndef target(data):\n    return list(data)\n# %%\npass",
        one_worker=True,
    ),
    Trap(
        name="a reader changes an array",
        cells="import numpy as np\n# %%\n@task\ndef data():\n    return np.array([3, 1, 2])\n# %%\n"
        "@task\ndef target(data):\n    return int(data[2])\n# %%\n@task\ndef spoil(data, target):\n    data[:] = 0",
        edit=("data[2]", "data[1]"),
        one_worker=True,
    ),
    Trap(
        name="a reader adds a column",
        cells="import pandas as pd\n# %%\n@task\ndef data():\n    return pd.DataFrame({'a': [1]})\n# %%\n"
        "@task\ndef target(data):\n    return data.shape\n# %%\n@task\ndef spoil(data, target):\n    data['b'] = 1",
        edit=("data.shape", "list(data)"),
        one_worker=True,
    ),
    Trap(
        name="a plain cell sorts a variable",
        cells="%%task data\nrows = [3, 1, 2]\n# %%\n%%task target\nrows[-1]",
        edit=("rows[-1]", "rows[0]"),
        poke="rows.sort()",
    ),
    Trap(
        name="a plain cell sorts a result",
        cells=_DATA + "@task\ndef target(data):\n    return data[-1]",
        edit=("data[-1]", "data[0]"),
        poke="data.result.sort()",
    ),
    Trap(
        name="a plain cell writes to an array",
        cells="import numpy as np\n# %%\n%%task data\nrows = np.array([3, 1])\n# %%\n%%task target\nint(rows[1])",
        edit=("rows[1]", "rows[0]"),
        poke="rows[0] = 9",
    ),
    Trap(
        name="a plain cell changes the target's own result",
        cells=_DATA + "@task\ndef target(data):\n    return sorted(data)",
        poke="target.result.append(9)",
        differs=False,
    ),
    Trap(
        name="a plain cell changes a view of a result",
        cells="import numpy as np\n# %%\n%%task data\nrows = np.arange(4)\n# %%\n%%task target\nrows.tolist()",
        edit=("rows.tolist()", "rows.tolist()[::-1]"),
        poke="view = rows[1:]\nview[:] = 9",
    ),
    Trap(
        name="a task changes a global",
        cells="L = [1]\n# %%\n@task\ndef target():\n    L.append(2)\n    return len(L)",
        edit=("len(L)", "-len(L)"),
        in_kernel=False,
    ),
    Trap(
        name="two tasks give one object, and a reader changes it",
        cells="@task\ndef data():\n    return [3, 1]\n# %%\n@task\ndef other(data):\n    return data\n# %%\n"
        "@task\ndef spoil(other):\n    other.clear()\n# %%\n@task\ndef target(data, spoil):\n    return len(data)",
        after="@task\ndef data():\n    return [3, 1]\n# %%\n@task\ndef other(data):\n    return data\n# %%\n"
        "@task\ndef spoil(other):\n    pass\n# %%\n@task\ndef target(data, spoil):\n    return len(data)",
        differs=False,
        one_worker=True,
    ),
    Trap(
        name="a result keeps a piece of its input, and that is changed",
        cells="@task\ndef data():\n    return {'a': [1]}\n# %%\n@task\ndef piece(data):\n    return data['a']\n# %%\n"
        "@task\ndef target(piece):\n    return list(piece)\n# %%\n@task\ndef spoil(piece, target):\n    piece.append(2)",
        edit=("list(piece)", "[*piece, 'end']"),
        one_worker=True,
    ),
    Trap(
        name="a one-shot iterator with a reader that changed",
        cells="@task\ndef data():\n    return iter([1, 2])\n# %%\n@task\ndef target(data):\n    return list(data)",
        edit=("list(data)", "[*data, 'end']"),
    ),
    Trap(
        name="an open connection's state",
        cells="import sqlite3\n# %%\n@task(main_thread=True)\ndef data():\n    c = sqlite3.connect(':memory:')\n    c.execute('create table t (x)')\n"
        "    c.execute('insert into t values (1)')\n    return c\n# %%\n@task(main_thread=True)\ndef target(data):\n"
        "    rows = data.execute('select x from t').fetchall()\n    data.close()\n    return rows",
        edit=("values (1)", "values (2)"),
    ),
)
