"""What code reads in roundabout ways: descriptors, registries, patched libraries, texts, settings."""

from __future__ import annotations

import contextlib
import decimal
import json
import logging
import sys
import types

import numpy as np
import pandas as pd
import pytest
from reading import digests, is_same, parts, space

from graflow_nb import Task, context, workflow
from graflow_nb.incremental.code.reads import function_parts, function_reads, reads_of, value_reads

# Each case: a notebook, and an edit of it that must count.
MUST = {
    "a registered implementation": (
        "import functools\n@functools.singledispatch\ndef f(x): return 0\n@f.register\ndef _(x: int): return 1\ndef t(): return f(1)",
        "@f.register\ndef _(x: int): return 2",
    ),
    "an implementation more": (
        "import functools\n@functools.singledispatch\ndef f(x): return 0\ndef t(): return f(1)",
        "f.register(int, lambda x: 1)",
    ),
    "the fallback": (
        "import functools\ndef make(n):\n  @functools.singledispatch\n  def f(x): return n\n  return f\nf = make(1)\ndef t(): return f(1)",
        "f = make(2)",
    ),
    "a global of an implementation": (
        "import functools\nX = 1\n@functools.singledispatch\ndef f(x): return 0\n@f.register\ndef _(x: int): return X\ndef t(): return f(1)",
        "X = 2",
    ),
    "a method that dispatches": (
        "import functools\nclass A:\n  @functools.singledispatchmethod\n  def f(self, x): return 0\nA.f.register(int, lambda self, x: 1)\ndef t(): return A().f(1)",
        "A.__dict__['f'].register(int, lambda self, x: 2)",
    ),
    "a partial method": (
        "import functools\nX = 1\nclass A:\n  def m(self, k): return X\n  p = functools.partialmethod(m, 1)\ndef t(): return A().p()",
        "A.p = functools.partialmethod(A.m, 2)",
    ),
    "a setter": (
        "class A:\n  @property\n  def p(self): return 1\n  @p.setter\n  def p(self, v): self.v = v\ndef t(): A().p = 1",
        "A.p = A.p.setter(lambda self, v: None)",
    ),
    "a cached property": (
        "import functools\nclass A:\n  @functools.cached_property\n  def p(self): return 1\na = A()\ndef t(): return a.p",
        "class A:\n  @functools.cached_property\n  def p(self): return 2\na = A()",
    ),
    "a descriptor": (
        "class D:\n  def __get__(self, o, k=None): return 1\nclass A: d = D()\ndef t(): return A.d",
        "D.__get__ = lambda self, o, k=None: 2",
    ),
    "the state of a descriptor": (
        "class D:\n  def __init__(self, n): self.n = n\n  def __get__(self, o, k=None): return self.n\nclass A: d = D(1)\ndef t(): return A.d",
        "A.__dict__['d'].n = 2",
    ),
    "a metaclass": (
        "class M(type):\n  def __call__(cls): return 1\nclass A(metaclass=M): pass\ndef t(): return A()",
        "M.__call__ = lambda cls: 2",
    ),
    "what a base does to subclasses": (
        "class B:\n  def __init_subclass__(cls): cls.n = 1\nclass A(B): pass\ndef t(): return A.n", "A.n = 2",
    ),
    "subclasses": (
        "class B: pass\nclass A(B): n = 1\ndef t(): return [k.n for k in B.__subclasses__()]", "A.n = 2",
    ),
    "a subclass more": (
        "class B: pass\ndef t(): return B.__subclasses__()", "class C(B): pass",
    ),
    "what is registered with an abstract class": (
        "import abc\nclass B(abc.ABC): pass\ndef t(x): return isinstance(x, B)", "B.register(int)",
    ),
    "a member of an enum": (
        "import enum\nclass E(enum.Enum):\n  A = 1\n  def twice(self): return self.value * 2\ndef t(): return E.A.twice()",
        "E.twice = lambda self: self.value * 3",
    ),
    "a default factory": (
        "import dataclasses\nX = 1\ndef make(): return [X]\n@dataclasses.dataclass\nclass A: x: list = dataclasses.field(default_factory=make)\ndef t(): return A()",
        "X = 2",
    ),
    "a class's attribute": ("class A: n = 1\ndef t(): return A.n", "A.n = 2"),
    "a class's list": ("class A: n = [1]\ndef t(): return A.n", "A.n.append(2)"),
    "a method of an instance's class": (
        "class A:\n  def m(self): return 1\na = A()\ndef t(): return a.m()", "A.m = lambda self: 2",
    ),
    "an instance's state": ("class A: pass\na = A(); a.n = 1\ndef t(): return a.n", "a.n = 2"),
    "an instance's slots": ("class A: __slots__ = ('n',)\na = A(); a.n = 1\ndef t(): return a.n", "a.n = 2"),
    "a generic class": (
        "from typing import Generic, TypeVar\nT = TypeVar('T')\nclass A(Generic[T]):\n  def m(self): return 1\ndef t(): return A[int]().m()",
        "A.m = lambda self: 2",
    ),
    "a class inside a class": (
        "class A:\n  class B:\n    def m(self): return 1\ndef t(): return A.B().m()", "A.B.m = lambda self: 2",
    ),
    "a callable with state": (
        "class A:\n  def __call__(self): return self.n\na = A(); a.n = 1\ndef t(): return a()", "a.n = 2",
    ),
    "a closure over a closure": (
        "def make(n):\n  def inner():\n    return n\n  def outer():\n    return inner()\n  return outer\nf = make([1])\ndef t(): return f()",
        "f = make([2])",
    ),
    "a lambda in a dict": (
        "X = 1\nops = {'a': lambda v: v + X}\ndef t(): return ops['a'](1)", "X = 2",
    ),
    "a function as a default": (
        "X = 1\ndef h(): return X\ndef t(f=h): return f()", "X = 2",
    ),
    "a keyword-only default": ("def h(*, k=1): return k\ndef t(): return h()", "h.__kwdefaults__['k'] = 2"),
    "a default in place": ("def h(k=[1]): return k\ndef t(): return h()", "h.__defaults__[0].append(2)"),
    "a decorator with arguments": (
        "import functools\ndef times(n):\n  def d(f):\n    @functools.wraps(f)\n    def w(*a): return n * f(*a)\n    return w\n  return d\n@times(2)\ndef h(): return 1\ndef t(): return h()",
        "@times(3)\ndef h(): return 1",
    ),
    "a chain of wrappers": (
        "import functools\nX = 1\ndef d(f):\n  @functools.wraps(f)\n  def w(): return f()\n  return w\n@d\n@d\ndef h(): return X\ndef t(): return h()",
        "X = 2",
    ),
    "a coroutine's helper": ("X = 1\nasync def h(): return X\nasync def t(): return await h()", "X = 2"),
    "a generator's helper": ("X = 1\ndef h():\n  yield X\ndef t(): return [*h()]", "X = 2"),
    "a pattern": (
        "class P:\n  __match_args__ = ('x', 'y')\ndef t(v):\n  match v:\n    case P(a, b): return a", "P.__match_args__ = ('y', 'x')",
    ),
    "a constant in a pattern": (
        "class K: A = 1\ndef t(v):\n  match v:\n    case K.A: return 1", "K.A = 2",
    ),
    "a global that a helper assigns": (
        "X = 1\ndef h():\n  global X\n  X += 1\n  return X\ndef t(): return h()", "X = 5",
    ),
    "a query in a global": (
        "limit = 1\nQ = 'age > @limit'\ndef t(df): return df.query(Q)", "limit = 2",
    ),
    "a query in a dict": (
        "limit = 1\nQ = {'old': 'age > @limit'}\ndef t(df): return df.query(Q['old'])", "limit = 2",
    ),
    "a query in pieces": (
        "limit = 1\ndef t(df, col): return df.query(f'{col} > @limit')", "limit = 2",
    ),
    "a query passed to a helper": (
        "limit = 1\ndef h(df, q): return df.query(q)\ndef t(df): return h(df, 'age > @limit')", "limit = 2",
    ),
    "a query as a default": ("limit = 1\ndef t(df, q='age > @limit'): return df.query(q)", "limit = 2"),
    "a function in eval": ("def g(): return 1\ndef t(): return eval('g() + 1')", "def g(): return 2"),
    "a global in exec": ("K = 1\ndef t(): exec('print(K)')", "K = 2"),
    "a docstring that is read": ("def h(): 'a'\ndef t(): return h.__doc__", "def h(): 'b'"),
    "a class's docstring": ("class A: 'a'\ndef t(): return A.__doc__", "class A: 'b'"),
    "a docstring by inspect": ("import inspect\ndef h(): 'a'\ndef t(): return inspect.getdoc(h)", "def h(): 'b'"),
    "annotations that are read": ("def h(x: int): return x\ndef t(): return h.__annotations__", "def h(x: str): return x"),
    "a signature": ("import inspect\ndef h(x: int): return x\ndef t(): return inspect.signature(h)", "def h(x: str): return x"),
    "type hints": (
        "from typing import get_type_hints\nclass A: x: int\ndef t(): return get_type_hints(A)", "class A: x: str",
    ),
    "annotations of a typed dict": (
        "from typing import TypedDict\nclass A(TypedDict): x: int\ndef t(): return A", "class A(TypedDict): x: str",
    ),
    "annotations of a named tuple": (
        "from typing import NamedTuple\nclass A(NamedTuple): x: int\ndef t(): return A", "class A(NamedTuple): x: str",
    ),
    "source by a function": ("from inspect import getsource\ndef h(): 'a'\ndef t(): return getsource(h)", "def h(): 'b'"),
    "a docstring by getattr": ("def h(): 'a'\ndef t(): return getattr(h, '__doc__')", "def h(): 'b'"),
    "a builtin from elsewhere": ("import builtins\ndef t(x): return len(x)", "builtins.len = lambda x: 0"),
    "a method of a logger's own subclass": (
        "import logging\nclass L(logging.Logger):\n  def rate(self): return 1\nlog = L('own')\ndef t(): return log.rate()",
        "L.rate = lambda self: 2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MUST)
def test_it_counts(case, monkeypatch):
    monkeypatch.setattr("builtins.len", len)
    source, edit = MUST[case]
    namespace = space(source)
    before = parts(namespace)
    assert parts(namespace) == before, "nothing has changed yet"
    assert not [part for part in before if part.digest is None], "and it can be known"
    exec(edit, namespace)
    assert parts(namespace) != before


# Each case: a notebook, and something done to it that must not count.
MUST_NOT = {
    "calls of a dispatching function": (
        "import functools\n@functools.singledispatch\ndef f(x): return 0\n@f.register\ndef _(x: int): return 1\ndef t(): return f(1)",
        "f(1); f('a'); f(2.0)",
    ),
    "the order of implementations": (
        "import functools\n@functools.singledispatch\ndef f(x): return 0\nf.register(int, lambda x: 1)\nf.register(str, lambda x: 2)\ndef t(): return f(1)",
        "@functools.singledispatch\ndef f(x): return 0\nf.register(str, lambda x: 2)\nf.register(int, lambda x: 1)",
    ),
    "calls of a dispatching method": (
        "import functools\nclass A:\n  @functools.singledispatchmethod\n  def f(self, x): return 0\ndef t(): return A().f(1)",
        "A().f(1); A().f('a')",
    ),
    "calls of a cached function": (
        "import functools\n@functools.lru_cache\ndef f(x): return x\ndef t(): return f(1)", "f(1); f(2)",
    ),
    "a cached property that was read": (
        "import functools\nclass A:\n  @functools.cached_property\n  def p(self): return 1\na = A()\ndef t(): return a.p", "a.p",
    ),
    "the level of a logger": (
        "import logging\nlog = logging.getLogger('own')\ndef t(): log.info('x')", "log.setLevel(logging.DEBUG); log.isEnabledFor(1)",
    ),
    "a handler of a logger": (
        "import logging\nlog = logging.getLogger('own')\ndef t(): log.info('x')", "log.addHandler(logging.NullHandler())",
    ),
    "the level of the root logger": (
        "import logging\nlog = logging.getLogger()\ndef t(): log.info('x')", "log.info('x')",
    ),
    "an instance of an abstract class": (
        "import abc\nclass B(abc.ABC): pass\ndef t(x): return isinstance(x, B)", "isinstance(1, B); isinstance('a', B)",
    ),
    "subclasses nobody asks for": ("class B: pass\ndef t(): return B", "class C(B): pass"),
    "a docstring": ("class A:\n  'a'\ndef h(): 'a'\ndef t(): return h, A", "class A:\n  'b'\ndef h(): 'b'"),
    "annotations": ("def h(x: int): return x\ndef t(): return h", "def h(x: str): return x"),
    "annotations of a method": (
        "class A:\n  def m(self, x: int): return x\ndef t(): return A", "class A:\n  def m(self, x: str): return x",
    ),
    "annotations of locals": ("def t():\n  x: int = 1\n  return x", "def t():\n  x: str = 1\n  return x"),
    "a column called as a global is not": (
        "limit = 1\ndef t(df): return df.query('age > @limit')", "other = 2",
    ),
    "a text in code that runs no query": ("limit = 1\ndef t(df): return df['limit']", "limit = 2"),
    "a name in unrelated code": ("def t(): return 1", "def other(): return eval('x')"),
    "a lambda redefined as it was": ("f = lambda x: x\ndef t(): return f", "f = lambda x: x"),
    "the order of definitions": (
        "def g(): return 1\ndef h(): return 2\ndef t(): return g(), h()", "def h(): return 2\ndef g(): return 1",
    ),
    "instances made again": ("class A: pass\na = A()\ndef t(): return a", "class A: pass\na = A()"),
    "a bound method made again": ("class A:\n  def m(self): return 1\nf = A().m\ndef t(): return f", "f = A().m"),
    "calls with a decimal": (
        "from decimal import Decimal\ndef t(): return Decimal(1) / 3", "Decimal(1) / 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MUST_NOT)
def test_it_does_not_count(case):
    source, edit = MUST_NOT[case]
    namespace = space(source)
    before = parts(namespace)
    assert not [part for part in before if part.digest is None]
    exec(edit, namespace)
    assert parts(namespace) == before


# -- libraries that were patched


@contextlib.contextmanager
def patched(owner, name, value):
    before = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if before is None:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


PATCHES = {
    "a function of a module": (np, "mean", "import numpy as np\ndef t(x): return np.mean(x)"),
    "a function of a module inside": (np, "mean", "def t(x):\n  import numpy as np\n  return np.mean(x)"),
    "a function of a module's module": (np.linalg, "norm", "import numpy as np\ndef t(x): return np.linalg.norm(x)"),
    "of the standard library": (json, "dumps", "import json\ndef t(x): return json.dumps(x)"),
    "a method": (pd.DataFrame, "mean", "def t(df): return df.groupby('a').mean()"),
    "a new method": (pd.DataFrame, "own_mean", "def t(df): return df.own_mean()"),
    "a method of a series": (pd.Series, "own_mean", "def t(df): return df['a'].own_mean()"),
    "a method of a group": (type(pd.DataFrame({"a": []}).groupby("a")), "own_mean", "def t(df): return df.groupby('a').own_mean()"),
    "a class that is named": (json.JSONEncoder, "encode", "from json import JSONEncoder\ndef t(x): return JSONEncoder().encode(x)"),
    "a class that is named by its module": (json.JSONEncoder, "encode", "import json\ndef t(x): return json.JSONEncoder().encode(x)"),
    "an object's class": (json.JSONEncoder, "encode", "import json\ne = json.JSONEncoder()\ndef t(x): return e.encode(x)"),
    "a new function of a module": (np, "own_mean", "import numpy as np\ndef t(x): return np.own_mean(x)"),
}  # fmt: skip


@pytest.mark.parametrize("case", PATCHES)
def test_what_is_put_on_a_library_counts(case):
    owner, name, source = PATCHES[case]
    namespace = space(source)
    before = parts(namespace)
    one = space("X = 1\ndef own(*_): return X")
    with patched(owner, name, one["own"]):
        with_one = parts(namespace)
        assert with_one != before
        assert parts(namespace) == with_one
        one["X"] = 2
        assert parts(namespace) != with_one, "what it reads counts, too"
    assert parts(namespace) == before


@pytest.mark.parametrize("case", PATCHES)
def test_an_unrelated_patch_does_not_count(case):
    owner, _, source = PATCHES[case]
    namespace = space(source)
    before = parts(namespace)
    with patched(owner, "own_other", space("def own(*_): return 1")["own"]):
        assert parts(namespace) == before


def test_an_accessor_counts():
    namespace = space("def t(df): return df.own_stats.mean()")
    source = "class Stats:\n  def __init__(self, df): self.df = df\n  def mean(self): return {}"
    before = parts(namespace)
    pd.api.extensions.register_dataframe_accessor("own_stats")(space(source.format(1))["Stats"])
    try:
        first = parts(namespace)
        del pd.DataFrame.own_stats
        pd.api.extensions.register_dataframe_accessor("own_stats")(space(source.format(2))["Stats"])
        assert before != first != parts(namespace) != before
    finally:
        del pd.DataFrame.own_stats


def test_an_accessor_that_changes_in_place_counts():
    namespace = space("def t(df): return df.own_stats.mean()")
    stats = space("class Stats:\n  def __init__(self, df): pass\n  def mean(self): return 1")["Stats"]
    pd.api.extensions.register_dataframe_accessor("own_stats")(stats)
    try:
        before = parts(namespace)
        stats.mean = lambda self: 2
        assert parts(namespace) != before
    finally:
        del pd.DataFrame.own_stats


# -- odd things


class Odd:
    __slots__ = ("never",)

    def __getattr__(self, name):
        raise RuntimeError(name)


class OddPath:
    def __fspath__(self):
        raise RuntimeError


ODD = {
    "attributes on demand": Odd,
    "a path that is none": OddPath,
    "in a list": lambda: [Odd()],
    "a class": lambda: Odd,
    "a module of another kind": lambda: type("M", (types.ModuleType,), {})("own_odd"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_values_are_no_accident(case, monkeypatch):
    value = ODD[case]()
    monkeypatch.setitem(sys.modules, "own_odd", value)
    monkeypatch.setattr(np, "own_odd", value, raising=False)
    namespace = space(
        "def t():\n  import own_odd\n  return X, X.a, X.fget, own_odd.b, np.own_odd.c", X=value, np=np
    )
    found = function_reads(namespace["t"])
    assert len(found.parts) > 2
    assert found.paths == ()


# -- settings


def test_settings_that_change_values_count_where_the_library_is_named():
    use, other = "import numpy as np\ndef t(x): return np.sqrt(x)", "def t(x): return x"
    before = digests(use), digests(other)
    with np.errstate(invalid="raise"):
        assert digests(use) != before[0]
        assert digests(other) == before[1]
    assert digests(use) == before[0]
    with np.printoptions(precision=2):
        assert digests(use) == before[0]


def test_options_of_pandas():
    use = "import pandas as pd\ndef t(x): return pd.concat(x)"
    before = digests(use)
    with pd.option_context("display.max_rows", 7, "display.precision", 3):
        assert digests(use) == before
    with pd.option_context("compute.use_numexpr", not pd.get_option("compute.use_numexpr")):
        assert digests(use) != before


@pytest.mark.parametrize(
    "use",
    [
        "from decimal import Decimal\ndef t(): return Decimal(1) / 3",
        "import decimal\ndef t(): return decimal.Decimal(1) / 3",
    ],
)
def test_the_context_of_decimals(use):
    before = digests(use)
    with decimal.localcontext() as here:
        here.prec = 5
        assert digests(use) != before
    assert digests(use) == before


def test_a_setting_is_no_part_as_long_as_it_is_as_at_first():
    use = "def t():\n  import numpy as np\n  return np.sqrt(2)"
    assert [kind for kind, *_ in digests(use)] == ["code", "module"]


# -- tasks and contexts


@pytest.mark.parametrize("read", ["source.result", "source.outputs", "[source][0].result", "get(source)"])
def test_the_result_of_a_task_read_past_the_arguments_cannot_be_known(read):
    namespace = space(
        f"def get(task): return task.result\ndef t(): return {read}", source=Task("source", lambda: 1)
    )
    found = [part for part in parts(namespace) if part.digest is None]
    assert ["result of task 'source'" in part.shown for part in found] == [True]


def test_a_task_called_as_a_helper_can_be_known():
    namespace = space("def t(): return source()", source=Task("source", lambda: 1))
    assert all(part.digest for part in parts(namespace))


def test_a_future_s_result_is_no_task_s():
    assert all(part.digest for part in parts(space("def t(future): return future.result()")))


def test_the_running_context_is_no_riddle():
    assert all(part.digest for part in parts(space("def t(): return context.cancelled", context=context)))


def test_a_query_among_the_arguments_reads_variables():
    namespace = space("limit = 1\ndef t(df, q): return df.query(q)\ndef u(df, q): return df[q]")
    texts = ("age > @limit",)
    before = {name: function_reads(namespace[name], "", (), texts).parts for name in "tu"}
    namespace["limit"] = 2
    assert function_reads(namespace["t"], "", (), texts).parts != before["t"]
    assert function_reads(namespace["u"], "", (), texts).parts == before["u"]


def test_a_query_that_is_bound_reads_variables():
    namespace = space("limit = 1\ndef t(df, q): return len(df.query(q))")
    with workflow("f") as flow:
        Task("t", namespace["t"]).bind(df=pd.DataFrame({"age": [1, 2, 3]}), q="age > @limit", name="b")
    assert flow.run().results["b"] == 2
    namespace["limit"] = 2
    assert flow.run().results["b"] == 1
    assert str(flow.run().statuses["b"]) == "cached"


def test_the_annotations_of_what_a_library_wraps_count(monkeypatch):
    source = "def wrap(f):\n  def w(*a): return f(*a)\n  w.__wrapped__ = f\n  w.__annotations__ = f.__annotations__\n  return w"
    library = space(source, __name__="numpy.own_wraps")
    use = "@wrap\ndef h(x: {}): return x\ndef t(): return h(1)"
    assert is_same(use.format("int"), use.format("int"), wrap=library["wrap"])
    assert not is_same(use.format("int"), use.format("str"), wrap=library["wrap"])


def test_a_function_as_an_argument_brings_its_files_and_modules(project):
    project("own_helpers", "def f(): return open('a.csv')")
    found = reads_of(space("from own_helpers import f\nimport functools\nt = functools.partial(f)")["t"])
    assert (found.paths, found.modules) == (("a.csv",), ("own_helpers",))
    found = value_reads("argument", "f", [space("from own_helpers import f\ndef t(): return f()")["t"]])
    assert (found.paths, found.modules) == (("a.csv",), ("own_helpers",))
    assert [part.kind for part in found.parts] == ["argument"]


def test_a_logger_has_a_digest_and_its_name_counts():
    found = {name: digests("def t(): log.info('x')", log=logging.getLogger(name)) for name in ("own_a", "own_b")}
    assert found["own_a"] != found["own_b"]


def test_recursion_through_a_default_ends():
    namespace = space("def t(f=None): return f\nt.__defaults__ = (t,)")
    assert all(part.digest for part in parts(namespace))


@pytest.mark.parametrize(("length", "is_known"), [(100, True), (3_000, False)])
def test_deep_chains_of_helpers(length, is_known):
    source = "\n".join(f"def f{i}(): return f{i + 1}()" for i in range(length)) + f"\ndef f{length}(): return X"
    found = function_parts(space(f"X = 1\n{source}")["f0"])
    assert all(part.digest for part in found) is is_known
    assert (found[-1].name == "X") is is_known
