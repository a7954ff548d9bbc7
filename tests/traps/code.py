"""Changes of code: the task's own, its helpers', and the values that they read."""

from __future__ import annotations

from traps.trap import Trap, grouped

OWN = grouped(
    "the task's own code",
    Trap(name="body", cells="@task\ndef target():\n    return 1 + 2", edit=("1 + 2", "1 - 2")),
    Trap(name="constant", cells="@task\ndef target():\n    return 1", edit=("return 1", "return 2")),
    Trap(name="type of a constant", cells="@task\ndef target():\n    return 1", edit=("return 1", "return True")),
    Trap(
        name="sign of a zero",
        cells="@task\ndef target():\n    return 0.0",
        edit=("return 0.0", "return -0.0"),
    ),
    Trap(
        name="name of an attribute",
        cells="@task\ndef target():\n    return 'Ab'.upper()",
        edit=("upper", "lower"),
    ),
    Trap(name="default", cells="@task\ndef target(x=1):\n    return x", edit=("x=1", "x=2")),
    Trap(name="keyword-only default", cells="@task\ndef target(*, x=1):\n    return x", edit=("x=1", "x=2")),
    Trap(
        name="default from a global",
        cells="K = 1\n# %%\n@task\ndef target(x=K):\n    return x",
        edit=("K = 1", "K = 2"),
        re_execute=True,
    ),
    Trap(
        name="default changed in place",
        cells="L = []\n# %%\n@task\ndef target(x=L):\n    return list(x)\n# %%\npass",
        edit=("# %%\npass", "# %%\nL.append(1)"),
    ),
    Trap(
        name="order of parameters",
        cells="@task\ndef a():\n    return 1\n# %%\n@task\ndef b():\n    return 2\n# %%\n"
        "@task\ndef target(a, b):\n    return [a, b, a - b]",
        edit=("a - b", "b - a"),
    ),
    Trap(
        name="inner function",
        cells="@task\ndef target():\n    def inner(x):\n        return x + 1\n    return inner(1)",
        edit=("x + 1", "x - 1"),
    ),
    Trap(
        name="default of an inner function",
        cells="@task\ndef target():\n    def inner(x=1):\n        return x\n    return inner()",
        edit=("x=1", "x=2"),
    ),
    Trap(
        name="inner class's constant",
        cells="@task\ndef target():\n    class C:\n        k = 1\n    return C.k",
        edit=("k = 1", "k = 2"),
    ),
    Trap(
        name="comprehension",
        cells="@task\ndef target():\n    return [x * 2 for x in range(3)]",
        edit=("x * 2", "x * 3"),
    ),
    Trap(
        name="generator to list",
        cells="@task\ndef target():\n    return repr([x for x in (1, 2)])",
        edit=("[x for x in (1, 2)]", "{x for x in (1, 2)}"),
    ),
    Trap(
        name="format specification",
        cells="@task\ndef target():\n    x = 1.25\n    return f'{x:.1f}'",
        edit=(".1f", ".2f"),
    ),
    Trap(
        name="docstring that is read",
        cells="@task\ndef target():\n    return helper.__doc__\n# %%\ndef helper():\n    'one'",
        edit=("'one'", "'two'"),
    ),
    Trap(
        name="annotation that is read",
        cells="def helper(x: int):\n    return x\n# %%\n@task\ndef target():\n"
        "    return str(helper.__annotations__['x'])",
        edit=("x: int", "x: str"),
    ),
    Trap(
        name="decorator",
        cells="import functools\ndef shout(fn):\n    @functools.wraps(fn)\n    def wrapper():\n        return fn() + '!'\n"
        "    return wrapper\n# %%\n@task\n@shout\ndef target():\n    return 'a'",
        edit=("'!'", "'?'"),
        re_execute=True,
    ),
    Trap(
        name="decorator's argument",
        cells="import functools\ndef times(k):\n    def decorate(fn):\n        @functools.wraps(fn)\n"
        "        def wrapper():\n            return fn() * k\n        return wrapper\n    return decorate\n"
        "# %%\n@task\n@times(1)\ndef target():\n    return 'a'",
        edit=("@times(1)", "@times(2)"),
    ),
    Trap(
        name="decorator taken away",
        cells="import functools\ndef shout(fn):\n    @functools.wraps(fn)\n    def wrapper():\n        return fn() + '!'\n"
        "    return wrapper\n# %%\n@task\n@shout\ndef target():\n    return 'a'",
        edit=("@shout\n", ""),
    ),
    Trap(
        name="decorator of a helper",
        cells="def shout(fn):\n    return lambda: fn() + '!'\n# %%\n@shout\ndef helper():\n    return 'a'\n"
        "# %%\n@task\ndef target():\n    return helper()",
        edit=("'!'", "'?'"),
        re_execute=True,
    ),
)

HELPERS = grouped(
    "helpers",
    Trap(
        name="helper",
        cells="def helper():\n    return 1\n# %%\n@task\ndef target():\n    return helper()",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="helper of a helper",
        cells="def deep():\n    return 1\n# %%\ndef helper():\n    return deep()\n# %%\n"
        "@task\ndef target():\n    return helper()",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="helper's default",
        cells="def helper(x=1):\n    return x\n# %%\n@task\ndef target():\n    return helper()",
        edit=("x=1", "x=2"),
    ),
    Trap(
        name="helper in a dict",
        cells="def helper():\n    return 1\nTABLE = {'f': helper}\n# %%\n@task\ndef target():\n    return TABLE['f']()",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="helper in a list in a class's attribute",
        cells="def helper():\n    return 1\nclass C:\n    all = [helper]\n# %%\n@task\ndef target():\n    return C.all[0]()",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="lambda",
        cells="helper = lambda: 1\n# %%\n@task\ndef target():\n    return helper()",
        edit=("lambda: 1", "lambda: 2"),
    ),
    Trap(
        name="two lambdas of a line exchanged",
        cells="f, g = lambda: 1, lambda: 2\n# %%\n@task\ndef target():\n    return [f(), g()]",
        edit=("f, g", "g, f"),
    ),
    Trap(
        name="same code under another name",
        cells="def one():\n    return 1\ndef two():\n    return 2\nhelper = one\n# %%\n"
        "@task\ndef target():\n    return helper()",
        edit=("helper = one", "helper = two"),
    ),
    Trap(
        name="functools.partial's argument",
        cells="import functools\ndef add(a, b):\n    return a + b\nhelper = functools.partial(add, 1)\n# %%\n"
        "@task\ndef target():\n    return helper(1)",
        edit=("partial(add, 1)", "partial(add, 2)"),
    ),
    Trap(
        name="functools.partial's keyword",
        cells="import functools\ndef add(a, b):\n    return a + b\nhelper = functools.partial(add, b=1)\n# %%\n"
        "@task\ndef target():\n    return helper(1)",
        edit=("b=1", "b=2"),
    ),
    Trap(
        name="functools.partial's function",
        cells="import functools\ndef add(a, b):\n    return a + b\nhelper = functools.partial(add, 1)\n# %%\n"
        "@task\ndef target():\n    return helper(1)",
        edit=("a + b", "a - b"),
    ),
    Trap(
        name="closure's variable",
        cells="def make(k):\n    def inner():\n        return k\n    return inner\n# %%\nhelper = make(1)\n# %%\n"
        "@task\ndef target():\n    return helper()",
        edit=("make(1)", "make(2)"),
    ),
    Trap(
        name="closure's list changed in place",
        cells="def make(k):\n    def inner():\n        return list(k)\n    return inner\n# %%\nL = [1]\nhelper = make(L)\n# %%\n"
        "pass\n# %%\n@task\ndef target():\n    return helper()",
        edit=("pass", "L.append(2)"),
    ),
    Trap(
        name="bound method's state",
        cells="class C:\n    def __init__(self, k):\n        self.k = k\n    def get(self):\n        return self.k\n# %%\n"
        "helper = C(1).get\n# %%\n@task\ndef target():\n    return helper()",
        edit=("C(1)", "C(2)"),
    ),
    Trap(
        name="callable object's state",
        cells="class C:\n    def __init__(self, k):\n        self.k = k\n    def __call__(self):\n        return self.k\n# %%\n"
        "helper = C(1)\n# %%\n@task\ndef target():\n    return helper()",
        edit=("C(1)", "C(2)"),
    ),
    Trap(
        name="recursive helpers",
        cells="def even(n):\n    return True if n == 0 else odd(n - 1)\ndef odd(n):\n    return False if n == 0 else even(n - 1)\n"
        "# %%\n@task\ndef target():\n    return even(3)",
        edit=("False if", "None if"),
    ),
    Trap(
        name="helper named by getattr",
        cells="class C:\n    def a(self):\n        return 1\n# %%\nNAME = 'a'\n# %%\n"
        "@task\ndef target():\n    return getattr(C(), NAME)()",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="helper cached by lru_cache",
        cells="import functools\n@functools.lru_cache\ndef helper():\n    return 1\n# %%\n@task\ndef target():\n    return helper()",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="singledispatch: a new case",
        cells="import functools\n@functools.singledispatch\ndef helper(x):\n    return 'any'\n# %%\npass\n# %%\n"
        "@task\ndef target():\n    return helper(1)",
        edit=("pass", "@helper.register\ndef _(x: int):\n    return 'int'"),
    ),
    Trap(
        name="generator helper",
        cells="def helper():\n    yield 1\n# %%\n@task\ndef target():\n    return list(helper())",
        edit=("yield 1", "yield 2"),
    ),
    Trap(
        name="context manager",
        cells="import contextlib\n@contextlib.contextmanager\ndef helper():\n    yield 1\n# %%\n"
        "@task\ndef target():\n    with helper() as x:\n        return x",
        edit=("yield 1", "yield 2"),
    ),
    Trap(
        name="helper called by eval",
        cells="def helper():\n    return 1\n# %%\n@task\ndef target():\n    return eval('helper()')",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="helper found in globals()",
        cells="def helper():\n    return 1\n# %%\n@task\ndef target():\n    return globals()['HELPER'.lower()]()",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="builtin hidden by a global",
        cells="pass\n# %%\n@task\ndef target():\n    return len([1])",
        edit=("pass", "def len(x):\n    return 'mine'"),
    ),
)

GLOBALS = grouped(
    "global values",
    Trap(name="scalar", cells="K = 1\n# %%\n@task\ndef target():\n    return K", edit=("K = 1", "K = 2")),
    Trap(
        name="read by a helper",
        cells="K = 1\n# %%\ndef helper():\n    return K\n# %%\n@task\ndef target():\n    return helper()",
        edit=("K = 1", "K = 2"),
    ),
    Trap(
        name="type only",
        cells="K = 1\n# %%\n@task\ndef target():\n    return K",
        edit=("K = 1", "K = 1.0"),
    ),
    Trap(
        name="list changed in place",
        cells="L = [1]\n# %%\npass\n# %%\n@task\ndef target():\n    return list(L)",
        edit=("pass", "L.append(2)"),
    ),
    Trap(
        name="order of a dict",
        cells="D = {'a': 1, 'b': 2}\n# %%\n@task\ndef target():\n    return list(D)",
        edit=("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"),
    ),
    Trap(
        name="deep in a dict, changed in place",
        cells="D = {'a': [{'b': [1]}]}\n# %%\npass\n# %%\n@task\ndef target():\n    return repr(D)",
        edit=("pass", "D['a'][0]['b'].append(2)"),
    ),
    Trap(
        name="attribute of an object, changed in place",
        cells="import types\nC = types.SimpleNamespace(k=types.SimpleNamespace(x=1))\n# %%\npass\n# %%\n"
        "@task\ndef target():\n    return C.k.x",
        edit=("pass", "C.k.x = 2"),
    ),
    Trap(
        name="array changed in place",
        cells="import numpy as np\nA = np.zeros(3)\n# %%\npass\n# %%\n@task\ndef target():\n    return A.tolist()",
        edit=("pass", "A[0] = 1"),
    ),
    Trap(
        name="DataFrame changed in place",
        cells="import pandas as pd\nA = pd.DataFrame({'x': [1, 2]})\n# %%\npass\n# %%\n"
        "@task\ndef target():\n    return A['x'].tolist()",
        edit=("pass", "A.loc[0, 'x'] = 5"),
    ),
    Trap(
        name="not defined, and defined later",
        cells="pass\n# %%\n@task\ndef target():\n    try:\n        return K\n    except NameError:\n        return 'none'",
        edit=("pass", "K = 1"),
    ),
    Trap(
        name="type alias used at run time",
        cells="Number = int\n# %%\n@task\ndef target():\n    return isinstance(True, Number), isinstance(1.5, Number)",
        edit=("= int", "= float"),
    ),
    Trap(
        name="regular expression",
        cells="import re\nP = re.compile('a')\n# %%\n@task\ndef target():\n    return P.findall('aA')",
        edit=("re.compile('a')", "re.compile('a', re.I)"),
    ),
)
