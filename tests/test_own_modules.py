"""Modules of the user's own count by what is used of them as it was loaded; libraries by their version."""

from __future__ import annotations

import importlib
import os
import sys
import time
import types
from pathlib import Path

import pytest
from reading import digests, parts, space

from graflow_nb.incremental.code import modules
from graflow_nb.incremental.code.libraries import is_library
from graflow_nb.incremental.code.modules import outdated_modules
from graflow_nb.incremental.code.reads import function_reads

# -- modules


USES = {
    "import": "import own_helpers\ndef t(): return own_helpers.f()",
    "import as": "import own_helpers as h\ndef t(): return h.f()",
    "from import": "from own_helpers import f\ndef t(): return f()",
    "inside": "def t():\n  import own_helpers\n  return own_helpers.f()",
    "from inside": "def t():\n  from own_helpers import f\n  return f()",
    "through a helper": "import own_helpers\ndef h(): return own_helpers.f()\ndef t(): return own_helpers.other, h()",
    "getattr": "import own_helpers\ndef t(): return getattr(own_helpers, 'f')()",
    "passed on": "import own_helpers\ndef h(m): return m.f()\ndef t(): return h(own_helpers)",
    "a closure": "def make():\n  import own_helpers\n  return lambda: own_helpers.f()\nt = make()",
    "a global of the same name": "import own_helpers\nf = 1\ndef t(): return f + own_helpers.f()",
}


@pytest.mark.parametrize("use", USES)
def test_a_module_of_ones_own_counts_by_what_is_used_of_it(project, use):
    source = "RATE = 1\nother = 0\ndef f(): return RATE\ndef unused(): return {}\n"
    project("own_helpers", source.format(1))
    before = digests(USES[use])
    if use not in {"getattr", "passed on"}:
        project("own_helpers", source.format(2))
        assert digests(USES[use]) == before
    project("own_helpers", source.format(1).replace("RATE = 1", "RATE = 2"))
    assert digests(USES[use]) != before


@pytest.mark.parametrize("has_init", [True, False], ids=["package", "namespace package"])
@pytest.mark.parametrize(
    "use",
    [
        "import own_package.stats\ndef t(): return own_package.stats.f()",
        "from own_package import stats\ndef t(): return stats.f()",
        "from own_package.stats import f\ndef t(): return f()",
        "def t():\n  from own_package.stats import f\n  return f()",
        "def t():\n  from own_package import stats\n  return stats.f()",
    ],
)
def test_a_package_of_ones_own_counts_too(project, has_init, use):
    if has_init:
        project("own_package.__init__", "")
    project("own_package.stats", "def f(): return 1")
    before = digests(use)
    assert before == digests(use)
    project("own_package.stats", "def f(): return 2")
    assert digests(use) != before


def test_modules_that_import_each_other_end(project):
    project("own_one", "import sys\nX = 1")
    project("own_two", "import own_one\nY = 1")
    sys.modules["own_one"].own_two = sys.modules["own_two"]
    source = "import own_one\ndef t(): return own_one.own_two.own_one.own_two.Y"
    before = digests(source)
    sys.modules["own_two"].Y = 2
    assert digests(source) != before


def test_swapping_two_modules_counts(project):
    for name in ("own_one", "own_two"):
        project(name, "def f(): return 1")
    namespace = space("import own_one as a, own_two as b\ndef t(): return a.f(), b.f()")
    before = parts(namespace)
    namespace["a"], namespace["b"] = namespace["b"], namespace["a"]
    assert parts(namespace) != before


def test_a_module_made_by_hand_is_ones_own(monkeypatch):
    made = types.ModuleType("own_made")
    monkeypatch.setitem(sys.modules, "own_made", made)
    exec("def f(): return 1", made.__dict__)
    namespace = space("import own_made\ndef t(): return own_made.f()")
    before = parts(namespace)
    exec("def f(): return 2", made.__dict__)
    assert parts(namespace) != before


def test_a_library_counts_by_its_version(monkeypatch):
    import numpy as np

    namespace = space("import numpy as np\ndef t(x): return np.sin(x) + len(np.arange(3))")
    before = parts(namespace)
    (part,) = [part for part in before if part.name == "np"]
    assert (part.kind, part.shown) == ("module", np.__version__)
    monkeypatch.setattr(np, "__version__", "999")
    assert parts(namespace) != before


@pytest.mark.parametrize(
    "use",
    ["from numpy import sin\ndef t(x): return sin(x)", "from pandas import concat\ndef t(x): return concat(x)"],
)
def test_functions_of_libraries_count_by_version_and_are_not_walked(use):
    found = [part for part in parts(space(use)) if part.kind != "setting"]
    assert len(found) == 2
    assert all(part.digest for part in found)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("sys", True), ("os", True), ("_thread", True), ("json.decoder", True), ("numpy", True), ("pandas.core.frame", True),
        ("importlib._bootstrap", True), ("graflow_nb.core.task", True), ("xmlrpc.client", True),
        ("__main__", False), ("never_heard_of", False), ("test_reads", False), ("", False),
    ],
)  # fmt: skip
def test_what_is_a_library(module, expected):
    assert is_library(module) is expected


def test_a_module_that_only_the_task_imports_is_the_same_before_and_after(project, tmp_path):
    (tmp_path / "own_late.py").write_text("RATE = 1\ndef f(): return RATE")
    importlib.invalidate_caches()
    namespace = space("def t():\n  import own_late, xml.dom.pulldom\n  return own_late.f()")
    before = parts(namespace)
    assert {"own_late.f", "RATE"} <= {part.name for part in before}
    assert namespace["t"]() == 1
    assert parts(namespace) == before


@pytest.mark.parametrize("source", ["import own_missing", "from . import own_missing", "import own_broken"])
def test_a_module_that_cannot_be_imported_is_absent(project, tmp_path, source):
    (tmp_path / "own_broken.py").write_text("1 / 0")
    importlib.invalidate_caches()
    found = parts(space(f"def t():\n  {source}"))
    assert [(part.kind, part.digest) for part in found] == [("code", found[0].digest), ("module", b"absent")]


# -- ways to import


HELPERS = "RATE = 1\ndef f(): return RATE\nunused = {}\n"
WAYS = {
    "relative": ("own_pkg.m", "def t():\n  from .u import f\n  return f()", "own_pkg"),
    "relative, up": ("own_pkg.sub.m", "def t():\n  from ..u import f\n  return f()", "own_pkg.sub"),
    "relative module": ("own_pkg.m", "def t():\n  from . import u\n  return u.f()", "own_pkg"),
    "as": (None, "def t():\n  import own_pkg.u as c\n  return c.f()", None),
    "dotted": (None, "def t():\n  import own_pkg.u\n  return own_pkg.u.f()", None),
    "import_module": (None, "import importlib\ndef t(): return importlib.import_module('own_pkg.u').f()", None),
    "import_module, kept": (None, "import importlib\ndef t():\n  m = importlib.import_module('own_pkg.u')\n  return m.f()", None),
    "import_module, getattr": (
        None, "import importlib\ndef t():\n  m = importlib.import_module('own_pkg.u')\n  return getattr(m, 'f')()", None,
    ),
    "__import__": (None, "def t(): return __import__('own_pkg.u').u.f()", None),
    "sys.modules": (None, "import sys\ndef t(): return sys.modules['own_pkg.u'].f()", None),
    "sys.modules, inside": (None, "def t():\n  import sys\n  return sys.modules['own_pkg.u'].f()", None),
    "exec": (None, "def t():\n  exec('from own_pkg.u import f; f()')", None),
    "getattr": (None, "def t():\n  import own_pkg.u as mm\n  return getattr(mm, 'f')()", None),
    "getattr of a part": (None, "import own_pkg.u\ndef t(): return getattr(own_pkg.u, 'f')()", None),
    "vars": (None, "import own_pkg.u\ndef t(): return vars(own_pkg.u)['f']()", None),
    "__dict__": (None, "import own_pkg.u\ndef t(): return own_pkg.u.__dict__['f']()", None),
    "in a list": (None, "import own_pkg.u\nL = [own_pkg.u]\ndef t(): return L[0].f()", None),
    "in a dict": (None, "import own_pkg.u\nL = {'u': own_pkg.u}\ndef t(): return L['u'].f()", None),
    "a default": (None, "import own_pkg.u\ndef t(m=own_pkg.u): return m.f()", None),
    "an alias": (None, "import own_pkg.u\ndef t():\n  m = own_pkg.u\n  return m.f()", None),
    "in an object": (None, "import own_pkg.u\nclass A: pass\na = A(); a.m = own_pkg.u\ndef t(): return a.m.f()", None),
    "in a class": (None, "import own_pkg.u\nclass A: m = own_pkg.u\ndef t(): return A.m.f()", None),
    "star": (None, "from own_pkg.u import *\ndef t(): return f()", None),
    "another helper of the same module": (
        None, "import own_pkg.u\ndef h(): return own_pkg.u.unused\ndef t(): return h(), own_pkg.u.f()", None,
    ),
    "passed to a helper": (None, "import own_pkg.u\ndef h(m): return m.f()\ndef t(): return h(own_pkg.u)", None),
    "passed by an alias": (
        None, "import own_pkg.u\ndef h(m): return m.f()\ndef t():\n  import own_pkg.u as it\n  return h(it)", None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WAYS)
def test_ways_to_reach_a_module_of_ones_own(project, case):
    _, source, package = WAYS[case]
    for name in ("own_pkg.__init__", "own_pkg.sub.__init__"):
        project(name, "")
    project("own_pkg.u", HELPERS)
    about = {"__package__": package, "__name__": f"{package}.m"} if package else {}
    before = digests(source, **about)
    assert None not in [digest for *_, digest in before]
    assert digests(source, **about) == before
    project("own_pkg.u", HELPERS.replace("RATE = 1", "RATE = 2"))
    assert digests(source, **about) != before


def test_a_module_read_by_one_helper_and_passed_on_by_another(project):
    project("own_pkg.__init__", "x = 0")
    project("own_pkg.u", "def f(): return 1\ndef g(): return 1")
    source = """
        import own_pkg.u
        def one(): return own_pkg.u.f(), own_pkg.x
        def use(m, x): return getattr(m, 'g')()
        def two(): return use(own_pkg.u, own_pkg.x.f)
        def t(): return one(), two()
    """
    before = digests(source)
    project("own_pkg.u", "def f(): return 1\ndef g(): return 2")
    assert digests(source) != before


def test_what_is_not_used_of_a_module_does_not_count(project):
    project("own_pkg.__init__", "")
    project("own_pkg.u", HELPERS)
    source = "def t():\n  from own_pkg import u\n  import own_pkg.u as v\n  return u.f() + v.RATE"
    before = digests(source)
    project("own_pkg.u", HELPERS.replace("{}", "[1]"))
    assert digests(source) == before


def test_a_global_that_another_module_rebinds(project):
    one = project("own_one", "X = 1\ndef f(): return X")
    two = project("own_two", "import own_one\ndef change(): own_one.X = 2")
    namespace = space("from own_one import f\ndef t(): return f()")
    before = parts(namespace)
    two.change()
    assert one.X == 2
    assert parts(namespace) != before


def test_attributes_made_on_demand(project):
    source = "def __getattr__(name): return {}"
    project("own_lazy", source.format(1))
    use = "import own_lazy\ndef t(): return own_lazy.anything"
    before = digests(use)
    project("own_lazy", source.format(1))
    assert digests(use) == before
    project("own_lazy", source.format(2))
    assert digests(use) != before


def test_a_module_that_comes_later(project):
    use = "def t():\n  try:\n    import own_new\n  except ImportError: return 0\n  return own_new.f()"
    before = digests(use)
    project("own_new", "def f(): return 1")
    assert digests(use) != before


def test_an_attribute_that_comes_later(project):
    project("own_helpers", "")
    use = "import own_helpers\ndef t(): return getattr(own_helpers, 'f', None), own_helpers.g"
    before = digests(use)
    project("own_helpers", "def g(): return 1")
    assert digests(use) != before


@pytest.mark.parametrize(
    "use",
    ["from own_helpers import f\ndef t(): return f()", "import own_helpers\ndef t(): return own_helpers.f()"],
)
def test_functions_patched_in_place_as_autoreload_does(project, use):
    project("own_helpers", "def f(): return 1")
    namespace = space(use)
    before = parts(namespace)
    new = space("def f(): return 2")["f"]
    sys.modules["own_helpers"].f.__code__ = new.__code__
    assert parts(namespace) != before


def test_equal_code_in_a_cell_and_in_a_module(project):
    helper = """
        import functools
        RATE = 2
        class Base:
            def rate(self): return RATE
        class Model(Base):
            'Not read.'
            limit = 3
            def get(self): return self.rate()
        def f(x, m=Model()): return m.get() * x
    """
    project("own_helpers", helper)
    use = "def t(): return f(1), Model"
    module = digests(f"from own_helpers import f, Model\n{use}")
    cell = [(part.kind, part.name, part.digest) for part in parts(space(use, **_cell(helper)))]
    assert cell == module


def _cell(source: str) -> dict:
    return space(source)


WRAPPED = {
    "singledispatch": "@functools.singledispatch\ndef f(x=0): return RATE",
    "an implementation": "@functools.singledispatch\ndef f(x=0): return 0\n@f.register\ndef _(x: int): return RATE",
    "lru_cache": "@functools.lru_cache\ndef f(): return RATE",
    "a context manager": "@contextlib.contextmanager\ndef f(): yield RATE",
    "a method": "class A:\n  @contextlib.contextmanager\n  def m(self): yield RATE\nf = A().m",
    "a partial": "def g(x): return x + RATE\nf = functools.partial(g, 1)",
    "vectorize": "import numpy\n@numpy.vectorize\ndef f(x): return RATE",
    "a wrapped function of a library": "import json\n@functools.wraps(json.dumps)\ndef f(): return RATE",
}


@pytest.mark.parametrize("case", WRAPPED)
def test_what_a_library_wraps_counts(project, case):
    source = f"import contextlib, functools\nRATE = 1\n{WRAPPED[case]}"
    project("own_helpers", source)
    for use in (
        "from own_helpers import f\ndef t(): return f",
        "import own_helpers\ndef t(): return own_helpers.f",
    ):
        project("own_helpers", source)
        before = digests(use)
        assert digests(use) == before
        assert None not in [digest for *_, digest in before]
        project("own_helpers", source.replace("RATE = 1", "RATE = 2"))
        assert digests(use) != before


# -- edited on disk


def outdated(namespace: dict) -> list[str]:
    return [name for name, _ in outdated_modules(function_reads(namespace["t"]).modules)]


@pytest.mark.parametrize(
    "use",
    ["import own_helpers\ndef t(): return own_helpers.f()", "from own_helpers import f\ndef t(): return f()"],
)
def test_the_loaded_code_counts_and_an_edited_file_is_told(project, use):
    source = "RATE = 1\ndef f(): return {}\nclass A: pass"
    project("own_helpers", source.format(1))
    namespace = space(use)
    before = parts(namespace)
    assert outdated(namespace) == []
    project("own_helpers", source.format(22), load=False)
    assert parts(namespace) == before
    assert outdated(namespace) == ["own_helpers"]
    importlib.reload(sys.modules["own_helpers"])
    namespace = space(use)
    assert outdated(namespace) == []
    assert parts(namespace) != before


def test_a_file_written_again_as_it_was_is_not_outdated(project, tmp_path):
    project("own_helpers", "def f(): return 1")
    namespace = space("import own_helpers\ndef t(): return own_helpers.f()")
    assert outdated(namespace) == []
    os.utime(tmp_path / "own_helpers.py", (1, 1))
    assert outdated(namespace) == []


@pytest.mark.parametrize("edit", ["def f(): return 2", "def f(: return 2", ""], ids=["code", "broken", "empty"])
def test_a_file_edited_before_it_was_first_looked_at(project, edit):
    project("own_helpers", "def f(): return 1")
    project("own_helpers", edit, load=False)
    assert outdated(space("from own_helpers import f\ndef t(): return f()")) == ["own_helpers"]


def test_a_constant_edited_before_it_was_first_looked_at(project, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    project("own_helpers", "RATE = 1")
    project("own_helpers", "RATE = 22", load=False)
    assert outdated(space("import own_helpers\ndef t(): return own_helpers.RATE")) == ["own_helpers"]


def test_a_module_through_helpers_classes_and_values_is_known(project):
    project("own_a", "def f(): return 1")
    project("own_b", "import own_a\ndef f(): return own_a.f()\nclass B:\n  def m(self): return 1")
    namespace = space("from own_b import f, B\nb = B()\ndef t(): return f(), [b]")
    assert set(function_reads(namespace["t"]).modules) == {"own_a", "own_b"}


def test_no_module_is_outdated_that_has_no_file():
    assert outdated_modules(["__main__", "json", "never_loaded", "sys"]) == []


def test_a_look_counts_for_the_calls_that_had_ended_by_then(project, monkeypatch):
    helpers = project("own_helpers", "def f(): return 1")
    modules.note(helpers)
    looked = []
    monkeypatch.setattr(modules, "_stat", lambda file, stat=modules._stat: looked.append(file) or stat(file))
    looks, before = modules.Looks(), time.perf_counter()
    assert looks.outdated(["own_helpers"], before) == looks.outdated(["own_helpers"], before) == []
    assert len(looked) == 1
    Path(helpers.__file__).write_text("def f(): return 2  # another size")
    for _ in range(2):
        assert looks.outdated(["own_helpers"], time.perf_counter()) == [("own_helpers", helpers.__file__)]
