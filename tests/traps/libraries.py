"""Changes of the user's code and state behind an object of a library's."""

from __future__ import annotations

from traps.trap import Trap, grouped

_TARGET = "\n# %%\n@task\ndef target():\n    return "


def _behind(name: str, setup: str, expression: str, old: str, new: str, **others) -> Trap:
    return Trap(name=name, cells=setup + _TARGET + expression, edit=(old, new), **others)


BEHIND = grouped(
    "own code behind a library's object",
    _behind("np.vectorize", "import numpy as np\ndef f(x):\n    return x + 1\nF = np.vectorize(f)", "F([1, 2]).tolist()", "x + 1", "x - 1"),
    _behind("operator.methodcaller", "import operator\nF = operator.methodcaller('upper')", "F('Ab')", "'upper'", "'lower'"),
    _behind("operator.attrgetter", "import operator\nF = operator.attrgetter('real')", "F(3 + 4j)", "'real'", "'imag'"),
    _behind("functools.reduce", "import functools\ndef add(a, b):\n    return a + b", "functools.reduce(add, [1, 2, 3])", "a + b", "a * b - 1"),
    _behind("functools.cache over a helper of a helper", "import functools\ndef deep():\n    return 1\n@functools.cache\ndef f():\n    return deep()", "f()", "return 1", "return 2"),
    _behind("singledispatchmethod", "import functools\nclass C:\n    @functools.singledispatchmethod\n    def f(self, x):\n        return 1", "C().f(1)", "return 1", "return 2"),
    _behind("partialmethod", "import functools\nclass C:\n    def f(self, x):\n        return x\n    g = functools.partialmethod(f, 1)", "C().g()", "(f, 1)", "(f, 2)"),
    _behind("singledispatch: a case changed", "import functools\n@functools.singledispatch\ndef f(x):\n    return 'any'\n@f.register\ndef _(x: int):\n    return 'int'", "f(1)", "'int'", "'whole'"),
    _behind("total_ordering", "import functools\n@functools.total_ordering\nclass C:\n    def __init__(self, k):\n        self.k = k\n    def __eq__(self, o):\n        return self.k == o.k\n    def __lt__(self, o):\n        return self.k < o.k", "C(1) >= C(2)", "self.k < o.k", "self.k > o.k"),
    _behind("types.MethodType", "import types\ndef f(self):\n    return self + 1\nF = types.MethodType(f, 1)", "F()", "self + 1", "self - 1"),
    _behind("types.MethodType's object", "import types\ndef f(self):\n    return self + 1\nF = types.MethodType(f, 1)", "F()", "(f, 1)", "(f, 2)"),
    _behind("staticmethod in a global", "@staticmethod\ndef f():\n    return 1", "f()", "return 1", "return 2"),
    _behind("ContextDecorator", "import contextlib\nclass D(contextlib.ContextDecorator):\n    def __enter__(self):\n        LOG.append(1)\n    def __exit__(self, *e):\n        pass\nLOG = []\n@D()\ndef f():\n    return LOG[-1]", "f()", "append(1)", "append(2)"),
    _behind("ExitStack's callback", "import contextlib\ndef f(out):\n    out.append(1)\ndef g():\n    out = []\n    with contextlib.ExitStack() as stack:\n        stack.callback(f, out)\n    return out", "g()", "append(1)", "append(2)"),
    _behind("registry filled by a decorator", "REG = {}\ndef reg(fn):\n    REG[fn.__name__] = fn\n    return fn\n@reg\ndef f():\n    return 1", "REG['f']()", "return 1", "return 2"),
    _behind("json encoder's method", "import json\nclass E(json.JSONEncoder):\n    def default(self, o):\n        return 1", "json.dumps({1j}.pop(), cls=E)", "return 1", "return 2"),
    _behind("ast visitor's method, found by name", "import ast\nclass V(ast.NodeVisitor):\n    def __init__(self):\n        self.seen = []\n    def visit_Name(self, node):\n        self.seen.append(node.id + '1')\ndef names(text):\n    v = V()\n    v.visit(ast.parse(text))\n    return v.seen", "names('a')", "'1'", "'2'"),
    _behind("UserDict's subclass", "import collections\nclass D(collections.UserDict):\n    def __missing__(self, k):\n        return 1", "D()['x']", "return 1", "return 2"),
    _behind("string.Template's subclass", "import string\nclass T(string.Template):\n    delimiter = '$'", "T('$a %a').substitute(a=1)", "'$'", "'%'"),
    _behind("namedtuple's names", "from collections import namedtuple\nN = namedtuple('N', 'a b')", "N(1, 2).a", "'a b'", "'b a'"),
    _behind("class made by type()", "C = type('C', (), {'get': lambda self: 1})", "C().get()", "self: 1", "self: 2"),
    _behind("__init_subclass__", "class B:\n    def __init_subclass__(cls):\n        cls.k = 1\nclass C(B):\n    pass", "C.k", "cls.k = 1", "cls.k = 2"),
    _behind("__getattr__ of a class", "class C:\n    def __getattr__(self, name):\n        return name + '1'\nc = C()", "c.any", "'1'", "'2'"),
    _behind("operator of a global object", "class C:\n    def __add__(self, o):\n        return 1\nc = C()", "c + c", "return 1", "return 2"),
    _behind("async helper", "import asyncio\nasync def f():\n    return 1\ndef run():\n    loop = asyncio.new_event_loop()\n    try:\n        return loop.run_until_complete(f())\n    finally:\n        loop.close()", "run()", "return 1", "return 2"),
    _behind("pandas.DataFrame.apply by name", "import pandas as pd\nAGG = {'a': 'sum'}\nD = pd.DataFrame({'a': [1, 2]})", "int(D.agg(AGG)['a'])", "'sum'", "'max'"),
    _behind("own subclass of DataFrame", "import pandas as pd\nclass F(pd.DataFrame):\n    def total(self):\n        return 1\nD = F({'a': [1, 2]})", "D.total()", "return 1", "return 2"),
    _behind("metadata of an array's subclass", "import numpy as np\nclass A(np.ndarray):\n    pass\na = np.zeros(1).view(A)\na.k = 1", "a.k", "a.k = 1", "a.k = 2"),
)  # fmt: skip

HIDDEN = grouped(
    "state that hides",
    _behind("__getstate__ leaves it out", "class C:\n    def __init__(self, k):\n        self.k = k\n    def __getstate__(self):\n        return {}\nc = C(1)", "c.k", "C(1)", "C(2)"),
    _behind("__reduce__ leaves it out", "class C:\n    k = 0\n    def __reduce__(self):\n        return C, ()\nc = C()\nc.k = 1", "c.k", "c.k = 1", "c.k = 2"),
    _behind("__repr__ and __hash__ are the same", "class C:\n    def __init__(self, k):\n        self.k = k\n    def __repr__(self):\n        return 'C'\n    def __hash__(self):\n        return 1\n    def __eq__(self, o):\n        return True\nc = C(1)", "c.k", "C(1)", "C(2)"),
    _behind("private name", "class C:\n    def __init__(self, k):\n        self.__k = k\n    def get(self):\n        return self.__k\nc = C(1)", "c.get()", "C(1)", "C(2)"),
    _behind("base class's __slots__", "class B:\n    __slots__ = ('k',)\nclass C(B):\n    __slots__ = ('j',)\nc = C()\nc.j = 0\nc.k = 1", "c.k", "c.k = 1", "c.k = 2"),
    _behind("iterator's position", "import itertools\ndef new():\n    it = iter([1, 2, 3])\n    next(it)\n    return it\nI = new()", "next(I)", "    next(it)\n", "    next(it)\n    next(it)\n"),
    _behind("content of a BytesIO", "import io\nB = io.BytesIO(b'one')", "B.getvalue()", "b'one'", "b'two'"),
    _behind("position of a StringIO", "import io\nB = io.StringIO('one')\nB.seek(0)", "B.read()", "seek(0)", "seek(1)"),
    _behind("ContextVar's value", "import contextvars\nV = contextvars.ContextVar('v', default=1)", "V.get()", "default=1", "default=2"),
    _behind("MappingProxyType", "import types\nM = types.MappingProxyType({'a': 1})", "M['a']", "'a': 1", "'a': 2"),
    _behind("ChainMap's order", "from collections import ChainMap\nM = ChainMap({'a': 1}, {'a': 2})", "M['a']", "{'a': 1}, {'a': 2}", "{'a': 2}, {'a': 1}"),
    _behind("weak reference's object", "import weakref\nclass C:\n    k = 0\nc = C()\nc.k = 1\nR = weakref.ref(c)", "R().k", "c.k = 1", "c.k = 2"),
    _behind("queue's content", "import queue\nQ = queue.SimpleQueue()\nQ.put(1)", "(Q.qsize(), Q.get_nowait())[1]", "put(1)", "put(2)"),
    _behind("list that holds itself", "L = [1]\nL.append(L)", "L[1][1][0]", "[1]", "[2]"),
    _behind("function's own attribute", "def f():\n    return f.k\nf.k = 1", "f()", "f.k = 1", "f.k = 2"),
    _behind("array's base, written through", "import numpy as np\nA = np.zeros(3)\nV = A[1:]\nA[2] = 1", "V.tolist()", "A[2] = 1", "A[2] = 2"),
    _behind("array.array's type", "import array\nA = array.array('i', [1])", "A.typecode", "'i'", "'h'"),
    _behind("memoryview's content", "B = bytearray(b'one')\nM = memoryview(B)", "M.tobytes()", "b'one'", "b'two'"),
)  # fmt: skip
