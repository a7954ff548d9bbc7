"""Changes that change nothing: the task `target` must not run again."""

from __future__ import annotations

import os

from traps.trap import grouped, keep_time, same

_HELPER = "def helper(x):\n    return x + 1\n# %%\nK = 1\n# %%\n@task\ndef target():\n    return helper(K)"
_FILE = "@task\ndef target():\n    with open('A.TXT'.lower()) as f:\n        return f.read()"

LOOKS = grouped(
    "how code looks",
    same("nothing", _HELPER),
    same("every cell executed again", _HELPER, re_execute=True),
    same("comment", _HELPER, edit=("    return helper", "    # why\n    return helper")),
    same("docstring", _HELPER, edit=("    return helper", "    'What it does.'\n    return helper")),
    same("docstring of a helper", _HELPER, edit=("    return x", "    'What it does.'\n    return x")),
    same("docstring changed", "@task\ndef target():\n    'One.'\n    return 1", edit=("One", "Two")),
    same(
        "docstring of a class",
        "class C:\n    'One.'\n    k = 1\n# %%\n@task\ndef target():\n    return C.k",
        edit=("One", "Two"),
    ),
    same("blank lines", _HELPER, edit=("    return helper", "\n\n    return helper")),
    same("line numbers", _HELPER, edit=("@task", "\n\n\n@task")),
    same("line numbers of a helper", _HELPER, edit=("def helper", "\n\n\ndef helper")),
    same("formatting", _HELPER, edit=("return helper(K)", "return helper(\n        K,\n    )")),
    same("brackets", _HELPER, edit=("return x + 1", "return (x + 1)")),
    same("quotes", "@task\ndef target():\n    return 'a'", edit=("'a'", '"a"')),
    same("number written otherwise", "@task\ndef target():\n    return 1000", edit=("1000", "1_000")),
    same("annotation", _HELPER, edit=("def target():", "def target() -> int:")),
    same("annotation of a helper", _HELPER, edit=("helper(x):", "helper(x: int) -> int:")),
    same("annotation of a variable", _HELPER, edit=("    return helper", "    y: int\n    return helper")),
    same("constant written as a sum", _HELPER, edit=("K = 1", "K = 3 - 2")),
    same(
        "order of cells",
        _HELPER,
        after="K = 1\n# %%\ndef helper(x):\n    return x + 1\n# %%\n@task\ndef target():\n    return helper(K)",
    ),
    same("cells joined", _HELPER, after=_HELPER.replace("# %%\n", "")),
    same(
        "order of definitions",
        "def f():\n    return 1\ndef g():\n    return 2\n# %%\n@task\ndef target():\n    return f() + g()",
        after="def g():\n    return 2\ndef f():\n    return 1\n# %%\n@task\ndef target():\n    return f() + g()",
    ),
    same(
        "order of methods that nobody lists",
        "class C:\n    def a(self):\n        return 1\n# %%\n@task\ndef target():\n    return C().a()",
        edit=("class C:\n", "class C:\n    # only a comment\n\n"),
    ),
    same(
        "order of imports",
        "import os\nimport re\n# %%\n@task\ndef target():\n    return bool(os.sep), bool(re.match('a', 'a'))",
        edit=("import os\nimport re", "import re\nimport os"),
    ),
    same("header instead of magic", "%%task target\nx = 1\nx", edit=("%%task target", "#| task: target")),
    same("comment in a cell", "%%task target\nx = 1\nx", edit=("x = 1", "x = 1  # why")),
    same("trailing blank lines in a cell", "%%task target\nx = 1\nx", edit=("\nx = 1", "\n\n\nx = 1")),
    same("decorated and plain task", "@task\ndef target():\n    return 1", edit=("@task\n", "@task('target')\n")),
)

PLAIN = grouped(
    "plain cells, nothing outdated",
    same("made from a task's variable", "%%task data\nrows = [1, 2]\n# %%\n%flow run data\n# %%\nX = sum(rows)\n# %%\n%%task target\nX"),
    same("made again", "%%task data\nrows = [1, 2]\n# %%\n%flow run data\n# %%\nX = sum(rows)\n# %%\n%%task target\nX", re_execute=True),
    same("comment in the plain cell", "%%task data\nrows = [1, 2]\n# %%\n%flow run data\n# %%\nX = sum(rows)\n# %%\n%%task target\nX", edit=("X = sum(rows)", "# why\nX = sum(rows)")),
    same("another variable of the task changed", "%%task data\nrows = [1, 2]\nother = 1\n# %%\n%flow run data\n# %%\nX = sum(rows)\n# %%\n%%task target\nX",
         edit=("other = 1", "other = 2"), reruns=frozenset({"data"})),
    same("a plot of it", "%%task data\nrows = [1, 2]\n# %%\n%flow run data\n# %%\nprint(rows)\n# %%\n%%task target\nsum(rows)", edit=("print(rows)", "print(rows, 'again')")),
    same("a copy of it, changed", "%%task data\nrows = [1, 2]\n# %%\n%flow run data\n# %%\npass\n# %%\n%%task target\nsum(rows)", edit=("pass", "mine = list(rows)\nmine.append(3)")),
)  # fmt: skip

UNRELATED = grouped(
    "what is not read",
    same(
        "unrelated function in the same cell",
        _HELPER,
        edit=("def helper", "def other():\n    return 9\ndef helper"),
    ),
    same(
        "unrelated function changed", "def other():\n    return 1\n# %%\n" + _HELPER, edit=("return 1", "return 2")
    ),
    same("unrelated global", "OTHER = 1\n# %%\n" + _HELPER, edit=("OTHER = 1", "OTHER = 2")),
    same(
        "unrelated method's name as a global",
        "upper = 1\n# %%\n@task\ndef target():\n    return 'a'.upper()",
        edit=("upper = 1", "upper = 2"),
    ),
    same(
        "global hidden by a local",
        "x = 1\n# %%\n@task\ndef target():\n    x = 5\n    return x",
        edit=("x = 1", "x = 2"),
    ),
    same(
        "task added elsewhere",
        _HELPER + "\n# %%\npass",
        edit=("# %%\npass", "# %%\n@task\ndef more():\n    return 1"),
        reruns=frozenset({"more"}),
    ),
    same(
        "task after it changed",
        _HELPER + "\n# %%\n@task\ndef end(target):\n    return target",
        edit=("return target", "return -target"),
        reruns=frozenset({"end"}),
    ),
    same(
        "unrelated task taken away",
        _HELPER + "\n# %%\n@task\ndef more():\n    return 1",
        edit=("@task\ndef more():\n    return 1", "pass"),
    ),
    same(
        "unrelated function in the same module",
        "import s1\n# %%\n@task\ndef target():\n    return s1.f()",
        files={"s1.py": "def f():\n    return 1\ndef g():\n    return 1\n"},
        edits={"s1.py": "def f():\n    return 1\ndef g():\n    return 2\n"},
    ),
    same(
        "comment in a module",
        "import s2\n# %%\n@task\ndef target():\n    return s2.f()",
        files={"s2.py": "def f():\n    return 1\n"},
        edits={"s2.py": "# why\ndef f():\n    return 1\n"},
    ),
    same(
        "from-imported module, a docstring added",
        "from s3 import f\n# %%\n@task\ndef target():\n    return f()",
        files={"s3.py": "def f():\n    return 1\n"},
        edits={"s3.py": "'''A module.'''\n\ndef f():\n    '''One.'''\n    return 1\n"},
    ),
    same(
        "module that another imports, unrelated",
        "import s4\n# %%\n@task\ndef target():\n    return s4.f()",
        files={"s4.py": "import s4b\ndef f():\n    return 1\n", "s4b.py": "K = 1\n"},
        edits={"s4b.py": "K = 2\n"},
    ),
    same(
        "module reloaded, the same",
        "import s5\n# %%\npass\n# %%\n@task\ndef target():\n    return s5.f()",
        edit=("pass", "import importlib\nimportlib.reload(s5)"),
        files={"s5.py": "K = [1]\ndef f():\n    return K[0]\n"},
    ),
    same(
        "unrelated environment variable",
        "import os\n# %%\n@task\ndef target():\n    return os.environ.get('TRAP_MINE')",
        environ={"TRAP_MINE": "a", "TRAP_OTHER": "a"},
        environ_after={"TRAP_OTHER": "b"},
    ),
    same(
        "level of a logger",
        "import logging\nlog = logging.getLogger('trap')\n# %%\npass\n# %%\n@task\ndef target():\n    log.debug('x')\n    return 1",
        edit=("pass", "log.setLevel(logging.ERROR)"),
    ),
    same(
        "handler of a logger",
        "import logging\nlog = logging.getLogger('trap2')\n# %%\npass\n# %%\n@task\ndef target():\n    log.debug('x')\n    return 1",
        edit=("pass", "log.addHandler(logging.NullHandler())"),
    ),
    same(
        "edge that carries nothing",
        "@task\ndef a():\n    return 1\n# %%\n@task\ndef target():\n    return 2\n# %%\n_ = a >> target",
        edit=("return 1", "return 5"),
        reruns=frozenset({"a"}),
    ),
)

CONTENT = grouped(
    "equal content",
    same(
        "early cut-off",
        "@task\ndef data():\n    return [1, 2]\n# %%\n@task\ndef target(data):\n    return sum(data)",
        edit=("[1, 2]", "sorted([2, 1])"),
        reruns=frozenset({"data"}),
    ),
    same(
        "early cut-off, a frame",
        "import pandas as pd\n# %%\n@task\ndef data():\n    return pd.DataFrame({'a': [1, 2]})\n# %%\n@task\ndef target(data):\n    return int(data['a'].sum())",
        edit=("{'a': [1, 2]}", "dict(a=[1, 2])"),
        reruns=frozenset({"data"}),
    ),
    same(
        "early cut-off, an array",
        "import numpy as np\n# %%\n@task\ndef data():\n    return np.arange(4)\n# %%\n@task\ndef target(data):\n    return int(data.sum())",
        edit=("np.arange(4)", "np.array([0, 1, 2, 3])"),
        reruns=frozenset({"data"}),
    ),
    same(
        "early cut-off, a variable",
        "%%task data\nrows = [1, 2]\nother = 1\n# %%\n%%task target\nsum(rows)",
        edit=("other = 1", "other = 2"),
        reruns=frozenset({"data"}),
    ),
    same(
        "equal list in a global",
        "L = [1, [2]]\n# %%\n@task\ndef target():\n    return repr(L)",
        edit=("L = [1, [2]]", "L = list((1, list((2,))))"),
    ),
    same(
        "equal frame in a global",
        "import pandas as pd\nD = pd.DataFrame({'a': [1, 2], 'b': ['x', 'y']})\n# %%\n@task\ndef target():\n    return D['a'].tolist()",
        re_execute=True,
    ),
    same(
        "equal array in a global",
        "import numpy as np\nA = np.arange(4)\n# %%\n@task\ndef target():\n    return A.tolist()",
        edit=("np.arange(4)", "np.arange(8)[:4]"),
    ),
    same(
        "equal object of an own class",
        "class C:\n    def __init__(self, k):\n        self.k = k\nc = C(1)\n# %%\n@task\ndef target():\n    return c.k",
        re_execute=True,
    ),
    same(
        "equal closure",
        "def make(k):\n    def inner():\n        return k\n    return inner\nhelper = make(1)\n# %%\n@task\ndef target():\n    return helper()",
        re_execute=True,
    ),
    same(
        "set of texts in a global",
        "S = {'a', 'b', 'c', 'd', 'e'}\n# %%\n@task\ndef target():\n    return len(S)",
        edit=("{'a', 'b', 'c', 'd', 'e'}", "{'e', 'd', 'c', 'b', 'a'}"),
    ),
    same("set of texts as a constant", "@task\ndef target():\n    return 'a' in {'a', 'b', 'c', 'd', 'e'}"),
    same(
        "frozenset in a default",
        "@task\ndef target(x=frozenset({'a', 'b', 'c', 'd'})):\n    return len(x)",
        re_execute=True,
    ),
    same(
        "set given by a task",
        "@task\ndef data():\n    return {'a', 'b', 'c', 'd', 'e'}\n# %%\n@task\ndef target(data):\n    return sorted(data)",
        edit=("{'a', 'b', 'c', 'd', 'e'}", "{*'edcba'}"),
        reruns=frozenset({"data"}),
    ),
    same(
        "dict of sets of texts",
        "D = {'x': {'a', 'b', 'c'}, 'y': frozenset('de')}\n# %%\n@task\ndef target():\n    return len(D)",
        re_execute=True,
    ),
    same(
        "set in an attribute of an object",
        "from types import SimpleNamespace\nC = SimpleNamespace(s={'a', 'b', 'c', 'd'})\n# %%\n@task\ndef target():\n    return len(C.s)",
        re_execute=True,
    ),
    same(
        "dict with texts as keys",
        "D = {'a': 1, 'b': 2}\n# %%\n@task\ndef target():\n    return D['a']",
        re_execute=True,
    ),
    same(
        "interned text and its copy",
        "T = 'ab'\n# %%\n@task\ndef target():\n    return T",
        edit=("T = 'ab'", "T = ''.join(['a', 'b'])"),
    ),
    same(
        "one object twice after a restart",
        "@task\ndef data():\n    x = ['a']\n    return [x, x]\n# %%\n@task\ndef target(data):\n    return len(data)",
    ),
    same("back to an earlier value", _HELPER, then="K = 2", re_execute=True),
    same("back to an earlier helper", _HELPER, then="def helper(x):\n    return 0", re_execute=True),
    same("name changed and changed back", _HELPER, edit=("K = 1", "K = 2\nK = 1")),
    same(
        "helper changed and changed back",
        _HELPER,
        edit=(
            "def helper(x):\n    return x + 1",
            "def helper(x):\n    return 0\ndef helper(x):\n    return x + 1",
        ),
    ),
    same(
        "frame that was looked at",
        "import pandas as pd\nD = pd.DataFrame({f'c{i}': range(3) for i in range(30)})\n# %%\npass\n# %%\n@task\ndef target():\n    return D['c1'].tolist()",
        edit=("pass", "_ = D.values, D.T, D.index.is_unique, D.describe(), repr(D), D['c3'].hasnans"),
    ),
    same(
        "index that was looked into",
        "import pandas as pd\nD = pd.DataFrame({'a': [1, 2]}, index=['x', 'y'])\n# %%\npass\n# %%\n@task\ndef target():\n    return D['a'].tolist()",
        edit=("pass", "_ = D.loc['x'], D.index.is_monotonic_increasing, D.index.get_loc('y')"),
    ),
    same(
        "cached_property that was read",
        "import functools\nclass C:\n    @functools.cached_property\n    def k(self):\n        return 1\nc = C()\n# %%\npass\n# %%\n@task\ndef target():\n    return c.k",
        edit=("pass", "_ = c.k"),
    ),
    same(
        "lru_cache that was called",
        "import functools\n@functools.lru_cache\ndef helper(x):\n    return x\n# %%\npass\n# %%\n@task\ndef target():\n    return helper(1)",
        edit=("pass", "_ = helper(1), helper(2)"),
    ),
    same(
        "singledispatch that was called",
        "import functools\n@functools.singledispatch\ndef helper(x):\n    return 'any'\n@helper.register\ndef _(x: int):\n    return 'int'\n# %%\npass\n# %%\n"
        "@task\ndef target():\n    return helper(1)",
        edit=("pass", "_ = helper(1), helper('a')"),
    ),
    same(
        "regular expression compiled again",
        "import re\nP = re.compile('a+')\n# %%\n@task\ndef target():\n    return P.findall('baa')",
        re_execute=True,
    ),
    same(
        "class with an instance made",
        "class C:\n    def get(self):\n        return 1\n# %%\npass\n# %%\n@task\ndef target():\n    return C().get()",
        edit=("pass", "_ = C().get()"),
    ),
    same(
        "abstract class that isinstance asked",
        "import abc\nclass B(abc.ABC):\n    @abc.abstractmethod\n    def get(self): ...\nclass C(B):\n    def get(self):\n        return 1\n# %%\npass\n# %%\n"
        "@task\ndef target():\n    return isinstance(C(), B)",
        edit=("pass", "_ = isinstance(1, B), isinstance(C(), B)"),
    ),
    same(
        "enum, dataclass, named tuple",
        "import enum\nfrom dataclasses import dataclass, field\nfrom typing import NamedTuple\nclass E(enum.Enum):\n    A = 'a'\n@dataclass\nclass D:\n    x: set = field(default_factory=lambda: {'a', 'b'})\n"
        "class N(NamedTuple):\n    k: int = 1\n# %%\n@task\ndef target():\n    return E.A.value, len(D().x), N().k",
        re_execute=True,
    ),
    same(
        "results of every kind come back",
        "import numpy as np, pandas as pd\nfrom datetime import datetime\nfrom decimal import Decimal\nfrom pathlib import Path\n# %%\n@task\ndef data():\n"
        "    return {'f': pd.DataFrame({'a': [1.5, None]}), 'n': np.arange(3), 't': datetime(2020, 1, 1), 'd': Decimal('1.0'), 'p': Path('x'), 's': {'a', 'b'}, 'c': 1j}\n"
        "# %%\n@task\ndef target(data):\n    return sorted(data)",
    ),
    same(
        "a task that gives None",
        "@task\ndef data():\n    pass\n# %%\n@task\ndef target(data):\n    return data is None",
    ),
)


def _touch(folder) -> None:
    os.utime(folder / "a.txt", (1_500_000_000, 1_500_000_000))


SAME_FILES = grouped(
    "files that are as they were",
    same("not touched", _FILE, files={"a.txt": "one"}),
    same("written again", _FILE, files={"a.txt": "one"}, edits={"a.txt": "one"}),
    same("touched", _FILE, files={"a.txt": "one"}, meanwhile=_touch),
    same("time of the past", _FILE, files={"a.txt": "one"}, edits={"a.txt": keep_time("one")}),
    same("moved away and back", _FILE, files={"a.txt": "one"},
         meanwhile=lambda folder: ((folder / "a.txt").rename(folder / "b"), (folder / "b").rename(folder / "a.txt"))),
    same("unrelated file in the folder", _FILE, files={"a.txt": "one"}, edits={"b.txt": "two"}),
    same("unrelated file in the folder, by a literal", "@task\ndef target():\n    with open('d/a.txt') as f:\n        return f.read()",
         files={"d/a.txt": "one"}, edits={"d/b.txt": "two"}),
    same("file that another task reads", _FILE + "\n# %%\n@task\ndef other():\n    with open('B.TXT'.lower()) as f:\n        return f.read()",
         files={"a.txt": "one", "b.txt": "one"}, edits={"b.txt": "two"}, reruns=frozenset({"other"})),
    same("read with pandas, nothing changed", "import pandas as pd\n# %%\n@task\ndef target():\n    return pd.read_csv('A.CSV'.lower())['x'].tolist()", files={"a.csv": "x\n1\n"}),
    same("a task that writes a file", "@task\ndef target():\n    with open('OUT.TXT'.lower(), 'w') as f:\n        f.write('made')\n    return 1"),
    same("a task that writes a file and reads it", "@task\ndef target():\n    with open('OUT.TXT'.lower(), 'w') as f:\n        f.write('made')\n    with open('OUT.TXT'.lower()) as f:\n        return f.read()"),
    same("a task that appends to a log", "@task\ndef target():\n    with open('LOG.TXT'.lower(), 'a') as f:\n        f.write('ran')\n    return 1"),
    same("log that others append to", "@task\ndef target():\n    with open('LOG.TXT'.lower(), 'a') as f:\n        f.write('ran')\n    return 1",
         meanwhile=lambda folder: (folder / "log.txt").open("a").close()),
    same("a temporary file", "import tempfile\n# %%\n@task\ndef target():\n    with tempfile.TemporaryFile('w+') as f:\n        f.write('x')\n        f.seek(0)\n        return f.read()"),
    same("a temporary folder", "import tempfile, os\n# %%\n@task\ndef target():\n    with tempfile.TemporaryDirectory() as d:\n        with open(os.path.join(d, 'a'), 'w') as f:\n            f.write('x')\n"
         "        with open(os.path.join(d, 'a')) as f:\n            return f.read()"),
    same("a library imported for the first time in the task", "@task\ndef target():\n    import colorsys\n    return colorsys.rgb_to_hls(0, 0, 0)"),
    same("listing, nothing changed", "import os\n# %%\n@task\ndef target():\n    return sorted(os.listdir('d'))", files={"d/a": "1"}),
    same("file in the environment's list, nothing changed", "import os\n# %%\n@task\ndef target():\n    return os.environ['TRAP_SAME']", environ={"TRAP_SAME": "a"}),
    same("printing", "@task\ndef target():\n    print('hello')\n    return 1"),
    same("a seeded generator", "import random\n# %%\n@task\ndef target():\n    return random.Random(1).random()"),
    same("a thread pool of the task", "from concurrent.futures import ThreadPoolExecutor\n# %%\n@task\ndef target():\n    with ThreadPoolExecutor(2) as pool:\n        return list(pool.map(abs, [-1, 2]))"),
)  # fmt: skip
