"""The public surface: what is there, and that it is documented."""

from __future__ import annotations

import inspect
import types

import pytest

import graflow_nb
from graflow_nb.core import errors

PUBLIC = {name: getattr(graflow_nb, name) for name in graflow_nb.__all__}
DOCUMENTED = [name for name, thing in PUBLIC.items() if isinstance(thing, type | types.FunctionType)]


def own_members(kind: type) -> list[str]:
    return [
        name
        for name, value in vars(kind).items()
        if not name.startswith("_")
        and isinstance(value, property | types.FunctionType | classmethod | staticmethod)
    ]


def inherits_its_docstring(kind: type, name: str) -> bool:
    return any(getattr(vars(base).get(name), "__doc__", None) for base in kind.__mro__)


def test_all_is_sorted_and_without_doubles():
    assert sorted(set(graflow_nb.__all__)) == graflow_nb.__all__


def test_all_is_what_is_visible():
    visible = {
        name
        for name, value in vars(graflow_nb).items()
        if not name.startswith("_")
        and not isinstance(value, types.ModuleType)
        and name not in {"annotations", "Any", "TYPE_CHECKING"}
    }
    wiring = {
        "open_cache",
        "LoopBackend",
        "Services",
        "ThreadBackend",
        "default_services",
        "set_describe",
        "set_services",
    }
    assert visible - wiring == set(graflow_nb.__all__)


def test_star_import_brings_just_that():
    space = {}
    exec("from graflow_nb import *", space)
    assert space.keys() - {"__builtins__"} == set(graflow_nb.__all__)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_public_thing_has_a_docstring(name):
    assert inspect.getdoc(PUBLIC[name])


@pytest.mark.parametrize("name", [name for name in DOCUMENTED if isinstance(PUBLIC[name], type)])
def test_every_public_member_has_a_docstring(name):
    kind = PUBLIC[name]
    assert not [member for member in own_members(kind) if not inherits_its_docstring(kind, member)]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_public_function_is_typed(name):
    thing = PUBLIC[name]
    functions = [thing] if isinstance(thing, types.FunctionType) else []
    if isinstance(thing, type):
        functions = [
            f for n, f in vars(thing).items() if isinstance(f, types.FunctionType) and not n.startswith("_")
        ]
    for function in functions:
        signature = inspect.signature(function)
        untyped = [p for p in signature.parameters.values() if p.annotation is p.empty and p.name != "self"]
        assert not untyped, function
        assert signature.return_annotation is not signature.empty, function


def test_the_tree_of_errors_is_the_one_that_is_drawn():
    drawn, path = {}, []
    for line in errors.__doc__.split("::")[1].splitlines():
        name = line.lstrip(" │├└─").partition(" ")[0]
        if name.isidentifier():
            depth = (len(line) - len(line.lstrip(" │├└─"))) // 4 - 1
            path[depth:] = [name]
            drawn[name] = path[depth - 1] if depth else None
    kinds = {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and kind.__module__ == errors.__name__
    }
    assert drawn.keys() == kinds.keys()
    assert all(parent is None or kinds[parent] in kinds[name].__bases__ for name, parent in drawn.items())


@pytest.mark.parametrize("name", [name for name in graflow_nb.__all__ if name.endswith("Error")])
def test_every_error_is_a_graflow_error(name):
    assert issubclass(PUBLIC[name], graflow_nb.GraflowError)


def test_cancelling_is_not_caught_by_except_exception():
    assert not issubclass(graflow_nb.TaskCancelled, Exception)


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("graflow_nb.core.decorators", ["task"]),
        ("graflow_nb.core.workflow", ["workflow", "WorkflowContext"]),
        ("graflow_nb.core.task", ["Task", "TaskWrapper"]),
    ],
)
def test_the_documents_imports_work(module, names):
    space = {}
    exec(f"from {module} import {', '.join(names)}", space)
    assert [space[name] for name in names] == [PUBLIC[name] for name in names]
