"""Changes of the user's own modules and of installed packages."""

from __future__ import annotations

from traps.trap import Trap, grouped, keep_time

ONE, TWO = "def f():\n    return 1\n", "def f():\n    return 2\n"


def _module(name: str, files: dict, edits: dict, cells: str, **others) -> Trap:
    return Trap(name=name, cells=cells, files=files, edits=edits, loaded=True, **others)


MODULES = grouped(
    "own modules, edited on disk",
    _module(
        "import m", {"m1.py": ONE}, {"m1.py": TWO}, "import m1\n# %%\n@task\ndef target():\n    return m1.f()"
    ),
    _module(
        "import m as n",
        {"m2.py": ONE},
        {"m2.py": TWO},
        "import m2 as n\n# %%\n@task\ndef target():\n    return n.f()",
    ),
    _module(
        "from m import f",
        {"m3.py": ONE},
        {"m3.py": TWO},
        "from m3 import f\n# %%\n@task\ndef target():\n    return f()",
    ),
    _module(
        "from m import *",
        {"m4.py": ONE},
        {"m4.py": TWO},
        "from m4 import *\n# %%\n@task\ndef target():\n    return f()",
    ),
    _module(
        "module's constant",
        {"m5.py": "K = 1\n"},
        {"m5.py": "K = 2\n"},
        "import m5\n# %%\n@task\ndef target():\n    return m5.K",
    ),
    _module(
        "constant that a module's function reads",
        {"m6.py": "K = 1\ndef f():\n    return K\n"},
        {"m6.py": "K = 2\ndef f():\n    return K\n"},
        "from m6 import f\n# %%\n@task\ndef target():\n    return f()",
    ),
    _module(
        "helper module of a module",
        {"m7.py": "import m7b\ndef f():\n    return m7b.f()\n", "m7b.py": ONE},
        {"m7b.py": TWO},
        "import m7\n# %%\n@task\ndef target():\n    return m7.f()",
    ),
    _module(
        "from . import, in a package",
        {"p1/__init__.py": "from . import sub\n", "p1/sub.py": ONE},
        {"p1/sub.py": TWO},
        "import p1\n# %%\n@task\ndef target():\n    return p1.sub.f()",
    ),
    _module(
        "from .sub import f, in a package",
        {"p2/__init__.py": "from .sub import f\n", "p2/sub.py": ONE},
        {"p2/sub.py": TWO},
        "import p2\n# %%\n@task\ndef target():\n    return p2.f()",
    ),
    _module(
        "import package.module",
        {"p3/__init__.py": "", "p3/sub.py": ONE},
        {"p3/sub.py": TWO},
        "import p3.sub\n# %%\n@task\ndef target():\n    return p3.sub.f()",
    ),
    _module(
        "namespace package",
        {"p4/sub.py": ONE},
        {"p4/sub.py": TWO},
        "from p4 import sub\n# %%\n@task\ndef target():\n    return sub.f()",
    ),
    _module(
        "imported in the task's function",
        {"m8.py": ONE},
        {"m8.py": TWO},
        "@task\ndef target():\n    import m8\n    return m8.f()",
    ),
    _module(
        "from-imported in the task's function",
        {"m9.py": ONE},
        {"m9.py": TWO},
        "@task\ndef target():\n    from m9 import f\n    return f()",
    ),
    _module(
        "imported in a helper",
        {"m10.py": ONE},
        {"m10.py": TWO},
        "def helper():\n    import m10\n    return m10.f()\n# %%\n@task\ndef target():\n    return helper()",
    ),
    _module(
        "importlib.import_module",
        {"m11.py": ONE},
        {"m11.py": TWO},
        "import importlib\n# %%\n@task\ndef target():\n    return importlib.import_module('m11').f()",
    ),
    _module(
        "class of a module",
        {"m12.py": "class C:\n    k = 1\n"},
        {"m12.py": "class C:\n    k = 2\n"},
        "from m12 import C\n# %%\n@task\ndef target():\n    return C().k",
    ),
    _module(
        "object made at import",
        {"m13.py": "TABLE = {'a': [1]}\n"},
        {"m13.py": "TABLE = {'a': [2]}\n"},
        "import m13\n# %%\n@task\ndef target():\n    return m13.TABLE['a']",
    ),
    _module(
        "module with a __getattr__",
        {"m14.py": "K = 1\ndef __getattr__(name):\n    return K\n"},
        {"m14.py": "K = 2\ndef __getattr__(name):\n    return K\n"},
        "import m14\n# %%\n@task\ndef target():\n    return m14.anything",
    ),
    _module(
        "attribute by getattr with a computed name",
        {"m15.py": "K = 1\n"},
        {"m15.py": "K = 2\n"},
        "import m15\n# %%\n@task\ndef target():\n    return getattr(m15, 'KL'[:1])",
    ),
    _module(
        "decorator of a module",
        {"m16.py": "def d(fn):\n    return lambda: fn() + 1\n"},
        {"m16.py": "def d(fn):\n    return lambda: fn() + 2\n"},
        "import m16\n# %%\n@task('target')\n@m16.d\ndef target():\n    return 0",
    ),
    _module(
        "same size and same time",
        {"m17.py": keep_time(ONE)},
        {"m17.py": keep_time(TWO)},
        "import m17\n# %%\n@task\ndef target():\n    return m17.f()",
    ),
    Trap(
        name="edited, run without a reload, restarted",
        files={"m22.py": ONE},
        then_files={"m22.py": TWO},
        cells="import m22\n# %%\n@task\ndef target():\n    return m22.f()",
        loaded=True,
    ),
    Trap(
        name="edited and another task run, restarted",
        files={"m23.py": ONE},
        then_files={"m23.py": TWO},
        then="@task\ndef more():\n    return m23.f()",
        cells="from m23 import f\nimport m23\n# %%\n@task\ndef target():\n    return f()",
        loaded=True,
    ),
    Trap(
        name="reloaded",
        files={"m18.py": ONE},
        edits={"m18.py": TWO},
        cells="import m18\n# %%\npass\n# %%\n@task\ndef target():\n    return m18.f()",
        edit=("pass", "import importlib\nimportlib.reload(m18)"),
    ),
    Trap(
        name="global of a module changed from outside",
        files={"m19.py": "K = 1\ndef f():\n    return K\n"},
        cells="import m19\n# %%\npass\n# %%\n@task\ndef target():\n    return m19.f()",
        edit=("pass", "m19.K = 2"),
    ),
    Trap(
        name="function of a module replaced from outside",
        files={"m20.py": ONE + "def g():\n    return f()\n"},
        cells="import m20\n# %%\npass\n# %%\n@task\ndef target():\n    return m20.g()",
        edit=("pass", "m20.f = lambda: 2"),
    ),
    Trap(
        name="another module of the same name first on the path",
        files={"m21.py": ONE},
        edits={"first/m21.py": TWO},
        cells="import sys\nimport m21\n# %%\n@task\ndef target():\n    return m21.f()",
        edit=("import sys\n", "import sys\nsys.path.insert(0, 'first')\n"),
        in_kernel=False,
    ),
)


def _installed(version: str, package: str, value: int) -> dict:
    return {
        f"site-packages/{package}/__init__.py": f"def f():\n    return {value}\n",
        f"site-packages/{package}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n",
        f"site-packages/{package}-{version}.dist-info/RECORD": f"{package}/__init__.py,,\n",
        f"site-packages/{package}-{version}.dist-info/top_level.txt": f"{package}\n",
    }


_LIBRARY = "import sys, os\nsys.path.insert(0, os.path.abspath('site-packages'))\n"
_GONE = {f"site-packages/tlib1-1.0.dist-info/{file}": None for file in ("METADATA", "RECORD", "top_level.txt")}

PACKAGES = grouped(
    "installed packages",
    Trap(
        name="version, as its metadata says",
        files=_installed("1.0", "tlib1", 1),
        edits={**_GONE, **_installed("2.0", "tlib1", 2)},
        cells=_LIBRARY + "import tlib1\n# %%\n@task\ndef target():\n    return tlib1.f()",
        in_kernel=False,
        meanwhile=lambda folder: (folder / "site-packages/tlib1-1.0.dist-info").rmdir(),
    ),
    Trap(
        name="version, as __version__ says",
        files={"site-packages/tlib2.py": "__version__ = '1'\ndef f():\n    return 1\n"},
        edits={"site-packages/tlib2.py": "__version__ = '2'\ndef f():\n    return 2\n"},
        cells=_LIBRARY + "from tlib2 import f\n# %%\n@task\ndef target():\n    return f()",
        in_kernel=False,
    ),
    Trap(
        name="installed package that is imported in the function",
        files={"site-packages/tlib3.py": "__version__ = '1'\ndef f():\n    return 1\n"},
        edits={"site-packages/tlib3.py": "__version__ = '2'\ndef f():\n    return 2\n"},
        cells=_LIBRARY + "# %%\n@task\ndef target():\n    import tlib3\n    return tlib3.f()",
        in_kernel=False,
    ),
    Trap(
        name="installed package that a helper's module uses",
        files={
            "site-packages/tlib4.py": "__version__ = '1'\ndef f():\n    return 1\n",
            "uses4.py": "import tlib4\ndef g():\n    return tlib4.f()\n",
        },
        edits={"site-packages/tlib4.py": "__version__ = '2'\ndef f():\n    return 2\n"},
        cells=_LIBRARY + "import uses4\n# %%\n@task\ndef target():\n    return uses4.g()",
        in_kernel=False,
    ),
    Trap(
        name="global of an installed package changed from outside",
        files={"site-packages/tlib5.py": "__version__ = '1'\nK = 1\n"},
        cells=_LIBRARY + "import tlib5\n# %%\npass\n# %%\n@task\ndef target():\n    return tlib5.K",
        edit=("pass", "tlib5.K = 2"),
    ),
)
