"""Changes of classes, and of functions and classes that are handed on as values."""

from __future__ import annotations

from traps.trap import Trap, grouped

CLASSES = grouped(
    "classes",
    Trap(
        name="method",
        cells="class C:\n    def get(self):\n        return 1\n# %%\n@task\ndef target():\n    return C().get()",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="class attribute",
        cells="class C:\n    k = 1\n# %%\n@task\ndef target():\n    return C.k",
        edit=("k = 1", "k = 2"),
    ),
    Trap(
        name="class attribute set from outside",
        cells="class C:\n    k = 1\n# %%\npass\n# %%\n@task\ndef target():\n    return C.k",
        edit=("pass", "C.k = 2"),
    ),
    Trap(
        name="method replaced from outside",
        cells="class C:\n    def get(self):\n        return 1\n# %%\npass\n# %%\n@task\ndef target():\n    return C().get()",
        edit=("pass", "C.get = lambda self: 2"),
    ),
    Trap(
        name="base class's method",
        cells="class B:\n    def get(self):\n        return 1\n# %%\nclass C(B):\n    pass\n# %%\n"
        "@task\ndef target():\n    return C().get()",
        edit=("return 1", "return 2"),
        re_execute=True,
    ),
    Trap(
        name="order of bases",
        cells="class A:\n    k = 1\nclass B:\n    k = 2\nclass C(A, B):\n    pass\n# %%\n@task\ndef target():\n    return C.k",
        edit=("C(A, B)", "C(B, A)"),
    ),
    Trap(
        name="property",
        cells="class C:\n    @property\n    def k(self):\n        return 1\n# %%\n@task\ndef target():\n    return C().k",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="cached_property",
        cells="import functools\nclass C:\n    @functools.cached_property\n    def k(self):\n        return 1\n# %%\n"
        "@task\ndef target():\n    return C().k",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="class method and static method",
        cells="class C:\n    @classmethod\n    def a(cls):\n        return cls.b()\n    @staticmethod\n    def b():\n        return 1\n"
        "# %%\n@task\ndef target():\n    return C.a()",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="dataclass's default",
        cells="from dataclasses import dataclass\n@dataclass\nclass C:\n    k: int = 1\n# %%\n@task\ndef target():\n    return C().k",
        edit=("= 1", "= 2"),
    ),
    Trap(
        name="dataclass's default factory",
        cells="from dataclasses import dataclass, field\n@dataclass\nclass C:\n    k: list = field(default_factory=lambda: [1])\n"
        "# %%\n@task\ndef target():\n    return C().k",
        edit=("[1]", "[2]"),
    ),
    Trap(
        name="enum's value",
        cells="import enum\nclass E(enum.Enum):\n    A = 1\n# %%\n@task\ndef target():\n    return E.A.value",
        edit=("A = 1", "A = 2"),
    ),
    Trap(
        name="__slots__ class's method",
        cells="class C:\n    __slots__ = ('k',)\n    def get(self):\n        return 1\n# %%\n@task\ndef target():\n    return C().get()",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="object with __slots__",
        cells="class C:\n    __slots__ = ('k',)\n    def __init__(self, k):\n        self.k = k\n# %%\nc = C(1)\n# %%\n"
        "@task\ndef target():\n    return c.k",
        edit=("C(1)", "C(2)"),
    ),
    Trap(
        name="named tuple's default",
        cells="from typing import NamedTuple\nclass C(NamedTuple):\n    k: int = 1\n# %%\n@task\ndef target():\n    return C().k",
        edit=("= 1", "= 2"),
    ),
    Trap(
        name="metaclass's method",
        cells="class M(type):\n    def get(cls):\n        return 1\nclass C(metaclass=M):\n    pass\n# %%\n"
        "@task\ndef target():\n    return C.get()",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="descriptor's class",
        cells="class D:\n    def __get__(self, obj, kind):\n        return 1\nclass C:\n    k = D()\n# %%\n"
        "@task\ndef target():\n    return C().k",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="class of an object that stands in a global",
        cells="class C:\n    def get(self):\n        return 1\nc = C()\n# %%\n@task\ndef target():\n    return c.get()",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="class defined again, an old object around",
        cells="class C:\n    def get(self):\n        return 1\n# %%\nc = C()\n# %%\n@task\ndef target():\n    return c.get()",
        edit=("return 1", "return 2"),
        loaded=True,
    ),
    Trap(
        name="class of what a task before gives",
        cells="class C:\n    def get(self):\n        return 1\n# %%\n@task\ndef data():\n    return C()\n# %%\n"
        "@task\ndef target(data):\n    return data.get()",
        edit=("return 1", "return 2"),
        in_kernel=True,
    ),
    Trap(
        name="__eq__ of a class",
        cells="class C:\n    def __eq__(self, other):\n        return True\n    __hash__ = object.__hash__\n# %%\n"
        "@task\ndef target():\n    return C() == C()",
        edit=("return True", "return False"),
    ),
    Trap(
        name="Protocol-like mixin",
        cells="class Mixin:\n    def name(self):\n        return self.k + 'x'\n# %%\nclass C(Mixin, dict):\n    k = 'a'\n# %%\n"
        "@task\ndef target():\n    return C().name()",
        edit=("'x'", "'y'"),
        re_execute=True,
    ),
)

HANDED_ON = grouped(
    "functions and classes as values",
    Trap(
        name="function as a result",
        cells="@task\ndef data():\n    def f(x):\n        return x + 1\n    return f\n# %%\n@task\ndef target(data):\n    return data(1)",
        edit=("x + 1", "x - 1"),
    ),
    Trap(
        name="closure as a result",
        cells="def make(k):\n    return lambda: k\n# %%\n@task\ndef data():\n    return make(1)\n# %%\n@task\ndef target(data):\n    return data()",
        edit=("make(1)", "make(2)"),
    ),
    Trap(
        name="class as a result",
        cells="@task\ndef data():\n    class C:\n        k = 1\n    return C\n# %%\n@task\ndef target(data):\n    return data.k",
        edit=("k = 1", "k = 2"),
    ),
    Trap(
        name="function in a default",
        cells="def helper():\n    return 1\n# %%\n@task\ndef target(f=helper):\n    return f()",
        edit=("return 1", "return 2"),
        re_execute=True,
    ),
    Trap(
        name="class in a default",
        cells="class C:\n    k = 1\n# %%\n@task\ndef target(c=C):\n    return c.k",
        edit=("k = 1", "k = 2"),
        re_execute=True,
    ),
    Trap(
        name="helper of a function in a result",
        cells="def helper():\n    return 1\ndef f():\n    return helper()\n# %%\n@task\ndef data():\n    return f\n# %%\n"
        "@task\ndef target(data):\n    return data()",
        edit=("return 1", "return 2"),
    ),
    Trap(
        name="key function in a dict of a result",
        cells="@task\ndef data():\n    return {'key': lambda x: x}\n# %%\n@task\ndef target(data):\n    return sorted([2, 1], key=data['key'])",
        edit=("lambda x: x", "lambda x: -x"),
    ),
    Trap(
        name="numpy function chosen by a global",
        cells="import numpy as np\nAGG = np.mean\n# %%\n@task\ndef target():\n    return float(AGG([1, 2, 9]))",
        edit=("np.mean", "np.median"),
    ),
    Trap(
        name="method of a builtin chosen by a global",
        cells="F = str.upper\n# %%\n@task\ndef target():\n    return F('Ab')",
        edit=("str.upper", "str.lower"),
    ),
    Trap(
        name="operator.itemgetter",
        cells="import operator\nF = operator.itemgetter(0)\n# %%\n@task\ndef target():\n    return F([1, 2])",
        edit=("itemgetter(0)", "itemgetter(1)"),
    ),
    Trap(
        name="bound argument that is a function",
        cells="def helper():\n    return 1\n# %%\n@task\ndef base(f):\n    return f()\ntarget = base.bind(f=helper, name='target')",
        edit=("return 1", "return 2"),
        re_execute=True,
    ),
)
