from __future__ import annotations

import ast
import colorsys
import fnmatch
import heapq
import statistics
import sys
import types
import warnings
from pathlib import Path

import pytest
from reading import edited, is_same, parts, space

from graflow_nb import Task
from graflow_nb.incremental.code.bytecode import code_info
from graflow_nb.incremental.code.parts import short
from graflow_nb.incremental.code.reads import function_parts, function_reads

# -- the text of code does not count


SAME = {
    "a comment": ("def t(x):\n  return x", "def t(x):\n  # why\n  return x  # because"),
    "blank lines": ("def t(x):\n  return x", "\n\n\ndef t(x):\n\n\n  return x\n\n"),
    "a docstring": ("def t(x):\n  'old'\n  return x", "def t(x):\n  'new, and longer'\n  return x"),
    "a new docstring": ("def t(x):\n  return x", "def t(x):\n  'new'\n  return x"),
    "a docstring and None": ("def t(x):\n  return None", "def t(x):\n  'new'\n  return None"),
    "a docstring inside": (
        "def t():\n  def g():\n    return 1\n  return g",
        "def t():\n  def g():\n    'new'\n    return 1\n  return g",
    ),
    "a docstring of a class inside": (
        "def t():\n  class A:\n    x = 1\n  return A",
        "def t():\n\n  class A:\n    'new'\n    x = 1\n  return A",
    ),
    "a docstring of a helper": ("def h(): 'a'\ndef t(): return h()", "def h(): 'b'\ndef t(): return h()"),
    "quotes": ("def t(): return 'a'", 'def t(): return "a"'),
    "brackets": ("def t(a, b): return f(a, b)", "def t(a, b):\n  return (f(\n    a,\n    b,\n  ))"),
    "one line or two": ("def t(x):\n  if x: return 1\n  return 2", "def t(x):\n  if x:\n    return 1\n  return 2"),
    "pass": (
        "def t():\n  try: f()\n  except E: pass\n  finally: g()",
        "def t():\n  try:\n    f()\n  except E:\n    pass\n  finally:\n    g()",
    ),
    "match": (
        "def t(x):\n  match x:\n    case 1: return 2\n    case _: return 3",
        "def t(x):\n  match x:\n\n    case 1:\n      return 2\n    case _:\n      return 3",
    ),
    "a loop": (
        "def t(x):\n  for i in x: print(i); break\n  else: return 1",
        "def t(x):\n  for i in x:\n    print(i)\n    break\n  else:\n    return 1",
    ),
    "a text in pieces": ("def t(): return 'ab'", "def t():\n  return ('a'\n    'b')"),
    "a number in another form": ("def t(): return 1000", "def t(): return 1_000"),
    "annotations": ("def t(x): return x", "def t(x: int) -> int: return x"),
    "where a class stands": ("class A: pass\ndef t(): return A", "\n\n\nclass A:\n\n  pass\ndef t(): return A"),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_the_text_of_code_does_not_count(case):
    assert is_same(*SAME[case])


def test_the_name_of_the_file_does_not_count():
    made = []
    for file in ("<cell 1>", "/elsewhere/cell_2.py"):
        namespace = {"__name__": "__main__"}
        exec(compile("def t(x): return [x for _ in range(3)]", file, "exec"), namespace)
        made.append(parts(namespace))
    assert made[0] == made[1]


# -- what code does, counts


CHANGED = {
    "a constant": ("def t(): return 1", "def t(): return 2"),
    "the type of a constant": ("def t(): return 1", "def t(): return 1.0"),
    "true and one": ("def t(): return 1", "def t(): return True"),
    "the sign of zero": ("def t(): return 0.0", "def t(): return -0.0"),
    "constants in a tuple": ("def t(): return (1, 'a')", "def t(): return (1, 'b')"),
    "constants in a set": ("def t(x): return x in {1, 2}", "def t(x): return x in {1, 3}"),
    "a text that is no docstring": ("def t():\n  x = 'a'\n  return x", "def t():\n  x = 'b'\n  return x"),
    "a returned text": ("def t(): return 'a'", "def t(): return 'b'"),
    "an operator": ("def t(a, b): return a + b", "def t(a, b): return a - b"),
    "a comparison": ("def t(a, b): return a < b", "def t(a, b): return a <= b"),
    "the order of arguments": ("def t(a, b): return a - b", "def t(b, a): return a - b"),
    "an attribute": ("def t(a): return a.x", "def t(a): return a.y"),
    "a method": ("def t(a): return a.x()", "def t(a): return a.y()"),
    "a name": ("def t(): return len", "def t(): return sum"),
    "a keyword": ("def t(f): return f(a=1)", "def t(f): return f(b=1)"),
    "a jump": ("def t(a, b):\n  while a:\n    if b: break\n", "def t(a, b):\n  while a:\n    if b: continue\n"),
    "not": ("def t(a, b):\n  if a: return b", "def t(a, b):\n  if not a: return b"),
    "what is caught": (
        "def t(f):\n  try: f()\n  except KeyError: return 1",
        "def t(f):\n  try: f()\n  except ValueError: return 1",
    ),
    "how much is tried": (
        "def t(f):\n  try:\n    f()\n    f()\n  except KeyError: return 1",
        "def t(f):\n  f()\n  try:\n    f()\n  except KeyError: return 1",
    ),
    "an inner function": ("def t(): return lambda x: x + 1", "def t(): return lambda x: x + 2"),
    "a comprehension": ("def t(x): return [i for i in x if i]", "def t(x): return [i for i in x if not i]"),
    "a format": ("def t(x): return f'{x:.1f}'", "def t(x): return f'{x:.2f}'"),
    "a conversion": ("def t(x): return f'{x!r}'", "def t(x): return f'{x!s}'"),
    "a generator": ("def t(x): return [x]", "def t(x): yield x"),
    "a coroutine": ("def t(): return 1", "async def t(): return 1"),
    "star args": ("def t(x): return x", "def t(*x): return x"),
    "keyword-only": ("def t(x, y): return x", "def t(x, *, y): return x"),
    "a default": ("def t(x=1): return x", "def t(x=2): return x"),
    "a default of a keyword": ("def t(*, x=1): return x", "def t(*, x=2): return x"),
    "a default that is gone": ("def t(x=1): return x", "def t(x): return x"),
    "global": ("def t():\n  x = 1\n  return x", "def t():\n  global x\n  x = 1\n  return x"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGED)
def test_what_code_does_counts(case):
    assert not is_same(*CHANGED[case])


def mutate(node: ast.AST) -> bool:
    """Change one thing that code means; return whether there was one."""
    match node:
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant(value=value):
            node.value = f"{value}_x" if isinstance(value, str) else (value, "x")
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=name):
            setattr(node, "arg" if isinstance(node, ast.keyword) else node._fields[-2], f"{name}_x")
        case ast.BinOp():
            node.op = ast.MatMult()
        case ast.Compare():
            node.ops[0] = ast.Gt() if isinstance(node.ops[0], ast.Lt) else ast.Lt()
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case _:
            return False
    return True


def functions_of(module: types.ModuleType) -> list[ast.FunctionDef]:
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.decorator_list]
    return [function for function in functions if function.end_lineno - function.lineno < 20]


def body_digest(function: ast.FunctionDef) -> bytes:
    with warnings.catch_warnings(action="ignore"):  # a changed constant may look like a slip
        module = compile(ast.Module([function], []), "x", "exec")
    return code_info(next(c for c in module.co_consts if isinstance(c, types.CodeType))).digest


@pytest.mark.parametrize("module", [heapq, fnmatch, colorsys, statistics], ids=lambda m: m.__name__)
def test_every_single_change_of_real_code_counts(module):
    unseen = []
    for original in functions_of(module):
        without = ast.parse(ast.unparse(original)).body[0]
        without.returns = None
        for inner in ast.walk(without):
            if isinstance(inner, ast.FunctionDef) and ast.get_docstring(inner):
                inner.body = inner.body[1:] or [ast.Pass()]
        digest, text = body_digest(without), ast.unparse(without)
        assert digest == body_digest(original), "neither docstring nor layout counts"
        for place, node in enumerate(ast.walk(ast.Module(without.body, []))):
            changed = ast.parse(text).body[0]  # quicker than a deep copy
            if mutate([*ast.walk(ast.Module(changed.body, []))][place]) and body_digest(changed) == digest:
                unseen.append(f"{original.name}: {ast.unparse(node)}")
    assert unseen == []


# -- what it reads


# Each case: a notebook, an edit of it, and the names of the parts that have changed.
EDITS = {
    "a global": ("X = 1\ndef t(): return X", "X = 2", {"X"}),
    "the type of a global": ("X = 1\ndef t(): return X", "X = True", {"X"}),
    "a global that comes": ("def t(): return X", "X = 1", {"X"}),
    "a global that goes": ("X = 1\ndef t(): return X", "del X", {"X"}),
    "a global in place": ("X = [1]\ndef t(): return X", "X.append(2)", {"X"}),
    "an item of a global": ("X = {'a': [1]}\ndef t(): return X['a']", "X['a'].append(2)", {"X"}),
    "a global in an inner function": ("X = 1\ndef t(): return lambda: X", "X = 2", {"X"}),
    "a global in a comprehension": ("X = 1\ndef t(): return [X for _ in range(3)]", "X = 2", {"X"}),
    "a global in a class": ("X = 1\ndef t():\n  class A:\n    x = X\n  return A", "X = 2", {"X"}),
    "a builtin that is replaced": ("def t(x): return sum(x)", "def sum(x): return 0", {"sum"}),
    "a helper": ("def h(): return 1\ndef t(): return h()", "def h(): return 2", {"h"}),
    "a helper of a helper": (
        "def g(): return 1\ndef h(): return g()\ndef t(): return h()", "def g(): return 2", {"g"},
    ),
    "a global of a helper": ("X = 1\ndef h(): return X\ndef t(): return h()", "X = 2", {"X"}),
    "a default of a helper": ("def h(x=1): return x\ndef t(): return h()", "def h(x=2): return x", {"h"}),
    "a helper that becomes a value": ("def h(): return 1\ndef t(): return h", "h = 1", {"h"}),
    "a recursive helper": (
        "def h(n): return n and h(n - 1)\ndef t(): return h(3)", "def h(n): return n and h(n - 2)", {"h"},
    ),
    "mutual recursion": (
        "def e(n): return n and o(n - 1)\ndef o(n): return n and e(n - 1)\ndef t(): return e(3)",
        "def o(n): return n and e(n - 3)", {"o"},
    ),
    "an alias": (
        "def f(): return 1\ndef g(): return 2\nh = f\ndef t(): return f(), g(), h()", "h = g", {"h"},
    ),
    "two aliases swapped": (
        "def f(): return 1\ndef g(): return 2\na, b = f, g\ndef t(): return f(), g(), a(b())", "a, b = b, a",
        {"a", "b"},
    ),
    "an alias of a class": (
        "class A: x = 1\nclass B: x = 2\nK = A\ndef t(): return A, B, K", "K = B", {"K"},
    ),
    "functions in a list": (
        "F = lambda x: x\nG = lambda x: -x\nL = [F, G]\ndef t(): return F, G, L", "L.reverse()", {"L"},
    ),
    "a function in a dict": ("L = {'a': lambda: 1}\ndef t(): return L['a']()", "L['a'] = lambda: 2", {"L"}),
    "a global of a function in a list": ("X = 1\nL = [lambda: X]\ndef t(): return L[0]()", "X = 2", {"L"}),
    "an attribute of a function": ("def h(): return 1\nh.rate = 1\ndef t(): return h.rate", "h.rate = 2", {"h.rate"}),
    "its own attribute": ("def h(): return h.rate\nh.rate = 1\ndef t(): return h()", "h.rate = 2", {"h.rate"}),
    "a partial": (
        "import functools\ndef h(x): return x\np = functools.partial(h, 1)\ndef t(): return p()",
        "p = functools.partial(h, 2)", {"p"},
    ),
    "a cached helper": (
        "import functools\n@functools.lru_cache\ndef h(): return 1\ndef t(): return h()",
        "@functools.lru_cache\ndef h(): return 2", {"h"},
    ),
    "a global of a cached helper": (
        "import functools\nX = 1\n@functools.cache\ndef h(): return X\ndef t(): return h()", "X = 2", {"X"},
    ),
    "a decorated helper": (
        "import functools\ndef d(f):\n  @functools.wraps(f)\n  def w(): return f()\n  return w\n\n@d\ndef h(): return 1\ndef t(): return h()",
        "@d\ndef h(): return 2", {"h.f"},
    ),
    "a decorator": (
        "def d(f): return lambda: f()\n@d\ndef h(): return 1\ndef t(): return h()",
        "def d(f): return lambda: -f()\n@d\ndef h(): return 1", {"h"},
    ),
    "a bound method": (
        "class A:\n  def m(self): return self.x\na = A(); a.x = 1\nm = a.m\ndef t(): return m()", "a.x = 2", {"m"},
    ),
    "a task as a helper": (
        "def h(): return 1\nh = Task('h', h)\ndef t(): return h()", "h = Task('h', lambda: 2)", {"h"},
    ),
    "a regular expression": ("import re\nP = re.compile('a')\ndef t(): return P", "P = re.compile('b')", {"P"}),
    "a name in a query": ("L = 1\ndef t(df): return df.query('x > @L')", "L = 2", {"L"}),
    "a name in eval": ("L = 1\ndef t(pd): return pd.eval('L + 1')", "L = 2", {"L"}),
    "a table in sql": ("people = [1]\ndef t(db): return db.sql('select * from people')", "people = [2]", {"people"}),
}  # fmt: skip


@pytest.mark.parametrize("case", EDITS)
def test_what_code_reads_counts(case):
    source, edit, changed = EDITS[case]
    namespace = space(source, Task=Task)
    before = parts(namespace)
    assert before == parts(namespace), "nothing has changed yet"
    exec(edit, namespace)
    after = parts(namespace)
    named = {part.name for part in [*before, *after] if part not in before or part not in after}
    assert changed <= named


UNREAD = {
    "a global it does not read": ("X = Y = 1\ndef t(): return X", "Y = 2"),
    "a helper it does not call": ("def h(): return 1\ndef t(): return 1", "def h(): return 2"),
    "a local of the same name": ("x = 1\ndef t():\n  x = 5\n  return x", "x = 2"),
    "a parameter of the same name": ("x = 1\ndef t(x): return x", "x = 2"),
    "an attribute of the same name": ("x = 1\ndef t(a): return a.x", "x = 2"),
    "an equal value": ("X = [1]\ndef t(): return X", "X = [1]"),
    "an equal helper": ("def h(): return 1\ndef t(): return h()", "def h():\n  return 1"),
    "an equal class": ("class A: x = 1\ndef t(): return A", "class A: x = 1"),
    "an equal lambda": ("L = [lambda: 1]\ndef t(): return L", "L = [lambda: 1]"),
    "an equal partial": (
        "from functools import partial\ndef h(x): return x\np = partial(h, 1)\ndef t(): return p", "p = partial(h, 1)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREAD)
def test_what_code_does_not_read_does_not_count(case):
    before, after = edited(*UNREAD[case])
    assert before == after


CLASSES = {
    "an attribute": ("x = 1", "x = 2"),
    "a new attribute": ("x = 1", "x = 1\n  y = 1"),
    "the order": ("x = 1\n  y = 2", "y = 2\n  x = 1"),
    "a method": ("def m(self): return 1", "def m(self): return 2"),
    "a default of a method": ("def m(self, x=1): return x", "def m(self, x=2): return x"),
    "a property": ("@property\n  def p(self): return 1", "@property\n  def p(self): return 2"),
    "a setter": (
        "@property\n  def p(self): return 1\n  @p.setter\n  def p(self, v): self.v = v",
        "@property\n  def p(self): return 1\n  @p.setter\n  def p(self, v): self.v = -v",
    ),
    "a static method": ("@staticmethod\n  def s(): return 1", "@staticmethod\n  def s(): return 2"),
    "a class method": ("@classmethod\n  def c(cls): return 1", "@classmethod\n  def c(cls): return 2"),
    "static or not": ("@staticmethod\n  def s(x): return x", "def s(x): return x"),
    "static or of the class": ("@staticmethod\n  def s(x): return x", "@classmethod\n  def s(x): return x"),
    "a cached property": (
        "@functools.cached_property\n  def p(self): return 1", "@functools.cached_property\n  def p(self): return 2",
    ),
    "a cached method": ("@functools.cache\n  def m(self): return 1", "@functools.cache\n  def m(self): return 2"),
    "a partial": ("f = functools.partial(pow, 2)", "f = functools.partial(pow, 3)"),
    "a partial method": ("f = functools.partialmethod(pow, 2)", "f = functools.partialmethod(pow, 3)"),
    "a lambda in a list": ("fs = [lambda: 1]", "fs = [lambda: 2]"),
    "a class inside": ("class B: x = 1", "class B: x = 2"),
    "annotations": ("x: int", "x: float"),
    "match arguments": ("__match_args__ = ('a', 'b')", "__match_args__ = ('b', 'a')"),
    "slots": ("__slots__ = ('a',)", "__slots__ = ('b',)"),
}  # fmt: skip


@pytest.mark.parametrize("case", CLASSES)
@pytest.mark.parametrize("use", ["A", "A()", "[A]", "a", "B()"], ids=lambda use: f"through {use}")
def test_a_class_counts_with_all_it_has(case, use):
    one, other = (
        f"import functools\nclass A:\n  {body}\nclass B(A): pass\na = A()\ndef t(): return {use}\n"
        for body in CLASSES[case]
    )
    assert is_same(one, one)
    assert not is_same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("class A(X): pass", "class A(Y): pass"),
        ("class A(X, Y): pass", "class A(Y, X): pass"),
        ("class A(metaclass=M): pass", "class A(metaclass=N): pass"),
        ("class A(E):\n  P = 1\n  Q = 2", "class A(E):\n  Q = 1\n  P = 2"),
        ("class A(E):\n  P = 1\n  Q = 2", "class A(E):\n  P = 1\n  Q = 1"),
        ("@dataclass\nclass A:\n  x: int\n  y: int", "@dataclass\nclass A:\n  y: int\n  x: int"),
        ("@dataclass\nclass A:\n  x: int = 1", "@dataclass\nclass A:\n  x: int = 2"),
        ("@dataclass\nclass A:\n  x: int", "@dataclass\nclass A:\n  x: str"),
        ("@dataclass\nclass A:\n  x: int = field(default=1)", "@dataclass\nclass A:\n  x: int = field(default=2)"),
        ("@dataclass\nclass A:\n  x: list = field(default_factory=list)",
         "@dataclass\nclass A:\n  x: list = field(default_factory=set)"),
        ("@dataclass\nclass A:\n  x: int = field(metadata={'a': 1})",
         "@dataclass\nclass A:\n  x: int = field(metadata={'a': 2})"),
        ("@dataclass\nclass A:\n  x: int", "@dataclass(frozen=True)\nclass A:\n  x: int"),
        ("@dataclass\nclass A:\n  x: int", "@dataclass(order=True)\nclass A:\n  x: int"),
        ("class A(NamedTuple):\n  x: int\n  y: int", "class A(NamedTuple):\n  y: int\n  x: int"),
    ],
)  # fmt: skip
def test_bases_metaclasses_enums_and_dataclasses_count(one, other):
    about = """
from dataclasses import dataclass, field
from enum import Enum as E
from typing import NamedTuple
class X: a = 1
class Y: a = 2
class M(type):
  def __call__(cls): return 1
class N(type):
  def __call__(cls): return 2
"""
    assert is_same(f"{about}\n{one}\ndef t(): return A", f"{about}\n\n{one}\ndef t(): return A")
    assert not is_same(f"{about}\n{one}\ndef t(): return A", f"{about}\n{other}\ndef t(): return A")


def test_a_base_that_changes_counts():
    before, after = edited("class B:\n  x = 1\nclass A(B): pass\ndef t(): return A", "B.x = 2")
    assert before != after


def test_what_a_method_reads_counts():
    before, after = edited("X = 1\nclass A:\n  def m(self): return X\ndef t(): return A().m()", "X = 2")
    assert [part.name for part in after if part not in before] == ["X"]


@pytest.mark.parametrize("value", ["(x for x in ())", "[x for x in [iter, (x for x in ())]]", "open(__file__)"])
def test_an_opaque_global_has_no_digest(value):
    namespace = space(f"X = {value}\ndef t(): return X", __file__=__file__)
    (part,) = [part for part in parts(namespace) if part.name == "X"]
    assert part.digest is None
    assert part.shown in {"generator", "_io.TextIOWrapper"}
    getattr(namespace["X"], "close", lambda: None)()


@pytest.mark.parametrize(
    "call",
    [
        "eval(X)", "exec('a' + X)", "globals()['X']", "__import__(X)", "eval(f'{X}')", "eval('not a python')",
        "exec(compile(X, '', 'exec'))", "[*map(eval, X)]",
    ],
)  # fmt: skip
def test_what_reads_names_that_are_not_in_the_code_cannot_be_known(call):
    found = parts(space(f"X = 'os'\ndef t(): return {call}"))
    (name,) = [part.name for part in found if part.digest is None]
    assert name in call


@pytest.mark.parametrize(
    "use",
    [
        "import importlib\ndef t(): return importlib.import_module(X)",
        "from importlib import import_module\ndef t(): return import_module(X)",
        "def t():\n  from importlib import import_module\n  return import_module(X)",
        "import importlib\ndef t(): return importlib.import_module('.m', X)",
        "import sys\ndef t(): return sys.modules[X]",
        "import sys\ndef t(): return sys.modules.get(X)",
        "def t():\n  import sys\n  return sys.modules[X]",
        "import sys\ndef t(): return getattr(sys, 'modules')[X]",
        "from sys import modules\ndef t(): return modules[X]",
        "from sys import modules as loaded\ndef t(): return loaded[X]",
    ],
)
def test_modules_that_are_not_named_in_the_code_cannot_be_known(use):
    assert None in {part.digest for part in parts(space(f"X = 'os'\n{use}"))}


@pytest.mark.parametrize("method", ["model.modules()", "model.eval()", "[m for m in model.modules()]"])
def test_methods_of_such_names_are_no_riddle(method):
    assert None not in {part.digest for part in parts(space(f"def t(model): return {method}"))}


def test_two_things_of_one_name_are_both_there():
    other = space("RATE = 1\ndef h(): return RATE")
    namespace = space("RATE = 5\ndef t(): return RATE + h()", h=other["h"])
    before = parts(namespace)
    other["RATE"] = 2
    assert before != parts(namespace)
    assert len([part for part in before if part.name == "RATE"]) == 2


def test_a_closure_is_read():
    source = "def make(x):\n  def t(): return x\n  return t\nt = make({})"
    assert is_same(source.format("[1]"), source.format("[1]"))
    assert not is_same(source.format("[1]"), source.format("[2]"))


def test_a_closure_that_is_not_filled_yet_is_no_error():
    source = (
        "def make():\n  def t(): return later\n  made = parts(t)\n  later = 1\n  return made, parts(t)\nm = make()"
    )
    before, after = space(source, parts=function_parts)["m"]
    assert before != after


def test_a_name_that_is_left_out_is_left_out():
    namespace = space("X = 1\ndef t(): return X")
    assert [part.name for part in function_parts(namespace["t"], "code", {"X"})] == ["code"]


# -- files


def paths(source: str, **names) -> tuple[str, ...]:
    return function_reads(space(source, **names)["t"]).paths


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def t(): return open('in.txt')", ["in.txt"]),
        ("P = 'data/a.csv'\ndef t(): return open(P)", ["data/a.csv"]),
        ("P = Path('data') / 'a'\ndef t(): return open(P)", ["data/a"]),
        ("P = {'a': ['x.csv']}\ndef t(): return P", ["x.csv"]),
        ("def t(path='a.csv', *, other='b.csv'): return path", ["a.csv", "b.csv"]),
        ("class C: path = 'a.csv'\ndef t(): return C.path", ["a.csv"]),
        ("class C: pass\nc = C(); c.path = 'a.csv'\ndef t(): return c", ["a.csv"]),
        ("import functools\np = functools.partial(open, 'a.csv')\ndef t(): return p()", ["a.csv"]),
        ("def h(): return 'a.csv'\ndef t(): return h()", ["a.csv"]),
        ("def make(p):\n  def t(): return p\n  return t\nt = make('a.csv')", ["a.csv"]),
        ("def t(): return ('a.csv', 'b.csv')", ["a.csv", "b.csv"]),
        ("def t(): return open('there'), 'not_there', 'two words'", ["there"]),
        ("def t(): return 'https://example.org/a.csv'", []),
        ("def t(): return 'a.csv', 'a.csv'", ["a.csv"]),
    ],
)
def test_paths_that_code_and_what_it_reads_could_name(tmp_path, monkeypatch, source, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").write_text("1")
    assert list(paths(source, Path=Path)) == expected


def test_a_file_is_no_part_of_the_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = space("PATH = 'data.csv'\ndef t(): return open(PATH)")
    before = parts(namespace)
    (tmp_path / "data.csv").write_text("1")
    assert parts(namespace) == before


# -- how it is shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"), (True, "True"), (0.5, "0.5"), ("a", "'a'"), (b"a", "b'a'"), ([1], "list"), (sys, "module"),
        ("x" * 200, "'" + "x" * 38 + "…"), (10**100, "1" + "0" * 38 + "…"), (is_same, "function"),
    ],
)  # fmt: skip
def test_values_are_shown_in_short(value, text):
    assert short(value) == text


def test_showing_a_value_runs_no_repr_and_bears_huge_numbers():
    class Loud(int):
        def __repr__(self):
            raise ValueError

    assert short(Loud(1)).endswith("Loud")
    assert short(10**5000) == "int"
    assert parts(space("X = 10**5000\ndef t(): return X"))[1].digest


def test_code_info_says_what_is_read():
    def t(a):
        import json.decoder

        return [helper(a.b, x) for x in json.decoder.c] or passed.d  # noqa: F821

    info = code_info(t.__code__)
    assert set(info.names) == {"helper", "passed"}
    assert {"b", "c", "d"} <= info.attributes
    assert [imported.name for imported in info.imports] == ["json.decoder"]
    assert "helper" in info.passed_on
    assert "passed" not in info.passed_on
