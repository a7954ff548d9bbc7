"""What a plain cell reads from outside, binds, and may change in place: from its source, and its document's."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from graflow_nb.notebook.document.methods import (
    is_pure_module,
    is_safe_method,
    is_setting,
    may_change_arguments,
    uses_dice,
)
from graflow_nb.notebook.names import cell_names
from graflow_nb.notebook.statements import statements

if TYPE_CHECKING:
    from collections.abc import Iterator

DICE = "random numbers"
"""Stands for the state of the global random generators, as if it were a variable."""
_QUIET = frozenset(vars(builtins)) - {"exec", "eval", "next", "setattr", "delattr", "input"} | {"display"}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Effects(NamedTuple):
    """What a cell does to names.

    Attributes
    ----------
    reads : frozenset of str
        What must come from outside; builtins are not among it.
    binds, surely : frozenset of str
        What it may bind, and what it binds whenever it runs.
    changes : frozenset of str
        Names from outside whose objects it may change in place.
    deletes : frozenset of str
    rebinds : frozenset of str
        What it reads from outside and binds.
    assigns : tuple of str
        The public names that it assigns, in order.
    """

    reads: frozenset[str]
    binds: frozenset[str]
    surely: frozenset[str]
    changes: frozenset[str]
    deletes: frozenset[str]
    rebinds: frozenset[str]
    assigns: tuple[str, ...]


@dataclass
class Known:
    """What is known of names from the cells of a document.

    Attributes
    ----------
    modules : dict of str to str
        What imports bind, with the module it is, or comes from.
    functions : dict of str to node
        Functions that cells define.
    methods : dict of str to bool
        Methods of classes that cells define: whether they may change their object.
    aliases : dict of str to str
        Names that stand for (a part of) another name's object.
    has_seed : bool
        Whether a global random generator is seeded.
    """

    modules: dict[str, str] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = field(default_factory=dict)
    methods: dict[str, bool] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    has_seed: bool = False

    def learn(self, python: str) -> None:
        """Take note of what a cell defines."""
        tree = ast.parse(python)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self.modules |= {a.asname or a.name.split(".")[0]: a.name for a in node.names}
            elif isinstance(node, ast.ImportFrom):
                self.modules |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
            elif isinstance(node, ast.Assign):
                self._alias(node)
            elif isinstance(node, ast.For | ast.AsyncFor):
                self._alias_items(node)
            elif isinstance(node, ast.ClassDef):
                for method in node.body:
                    if isinstance(method, _FUNCTIONS):
                        self.methods[method.name] = self.methods.get(method.name, False) or _changes_self(method)
        self.functions |= {node.name: node for node in tree.body if isinstance(node, _FUNCTIONS)}
        self.has_seed |= ".seed(" in python or "manual_seed(" in python

    def _alias(self, node: ast.Assign) -> None:
        source = node.value
        is_part = isinstance(source, ast.Name | ast.Attribute) or (
            isinstance(source, ast.Subscript) and isinstance(source.slice, ast.Constant | ast.Slice | ast.Name)
        )
        root = _root(source) if is_part else ""
        for target in node.targets:
            if isinstance(target, ast.Name) and root and root != target.id and root not in self.modules:
                self.aliases[target.id] = root

    def _alias_items(self, node: ast.For | ast.AsyncFor) -> None:
        """Let a loop's variables stand for parts of what the loop goes over."""
        over = node.iter
        if isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.args:
            over = over.args[0]  # enumerate(rows), say
        root = _root(over)
        for target in ast.walk(node.target):
            if isinstance(target, ast.Name) and root and root != target.id and root not in self.modules:
                self.aliases[target.id] = root

    def behind(self, name: str) -> set[str]:
        """Return a name, and those whose objects it may stand for."""
        found = set[str]()
        while name and name not in found:
            found.add(name)
            name = self.aliases.get(name, "")
        return found


def effects(python: str, known: Known) -> Effects:
    r"""Analyse a cell.

    Examples
    --------
    >>> known = Known()
    >>> known.learn("import numpy as np")
    >>> found = effects("y = np.log(x)\nrows.append(y)\nprint(x)", known)
    >>> sorted(found.reads), sorted(found.binds), sorted(found.changes)
    (['np', 'rows', 'x'], ['y'], ['rows'])
    """
    names = cell_names(python)
    parts = statements(python)
    binds = frozenset().union(*(part.binds for part in parts), names.assigns, names.imports)
    deletes = frozenset().union(*(part.deletes for part in parts))
    surely = frozenset().union(*(part.surely for part in parts))
    tree = ast.parse(python)
    changes = set[str]()
    fresh = set[str]()
    for node in tree.body:
        for name in changed_by(node, known):
            changes |= {there for there in known.behind(name) if there not in fresh}
        fresh |= _made_by(node)
    outside = {name for name in names.reads if not hasattr(builtins, name)} - {"display", "get_ipython"}
    if DICE in changes:
        outside.add(DICE)
    changes = {name for name in changes if name in outside | known.modules.keys() or name not in binds}
    return Effects(frozenset(outside), binds, surely, frozenset(changes), deletes, binds & outside, names.assigns)


def _made_by(node: ast.stmt) -> set[str]:
    """Return the names that stand for new objects after a statement."""
    if not isinstance(node, ast.Assign | ast.AnnAssign):
        return set()
    if isinstance(node.value, ast.Name | ast.Attribute | ast.Subscript):
        return set()
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name) and _is_stored(n)}


def changed_by(node: ast.AST, known: Known, inside: frozenset[str] = frozenset()) -> Iterator[str]:
    """Give the names whose objects a statement may change in place."""
    for part in _now(node):
        if isinstance(part, ast.Attribute | ast.Subscript) and not isinstance(part.ctx, ast.Load):
            yield _root(part)
        elif isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
            yield part.target.id
        elif isinstance(part, ast.Call):
            yield from _changed_by_call(part, known, inside)
            if _throws_dice(part, known):
                yield DICE


def _now(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what a statement does when it runs: not what is in functions that it only defines."""
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _now(child)


def _changed_by_call(call: ast.Call, known: Known, inside: frozenset[str]) -> Iterator[str]:
    root, path = _root(call.func), _path(call.func)
    in_place = any(k.arg == "inplace" and getattr(k.value, "value", True) for k in call.keywords)
    yield from (_root(k.value) for k in call.keywords if k.arg == "out")
    if isinstance(call.func, ast.Name):
        if root in known.functions:
            yield from _changed_by_function(root, call, known, inside)
        elif root not in _QUIET and not is_pure_module(known.modules.get(root, ""), path):
            yield from _given(call)
    elif root in known.modules:
        if not is_pure_module(known.modules[root], path):
            yield from _given(call)
        if is_setting(known.modules[root], path):
            yield root
    elif root and (in_place or any(not _is_safe(method, known) for method in _called(call))):
        yield root
        if any(method not in known.methods and may_change_arguments(method) for method in _called(call)):
            yield from _given(call)


def _changed_by_function(name: str, call: ast.Call, known: Known, inside: frozenset[str]) -> Iterator[str]:
    """Give what a function of the document changes when it is called: its arguments, or globals."""
    if name in inside:
        return
    function = known.functions[name]
    every = function.args
    arguments = {
        a.arg for a in (*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg) if a
    }
    own = arguments | {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and _is_stored(n)}
    declared = {n for part in ast.walk(function) if isinstance(part, ast.Global) for n in part.names}
    changed = {n for part in function.body for n in changed_by(part, known, inside | {name})}
    if changed & arguments:
        yield from _given(call)
    yield from (changed - own) | declared


def _is_safe(method: str, known: Known) -> bool:
    if method in known.methods:
        return not known.methods[method]
    return is_safe_method(method)


def _changes_self(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    first = method.args.args[0].arg if method.args.args else ""
    for node in ast.walk(method):
        stored = isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load)
        if stored and _root(node) == first:
            return True
        if isinstance(node, ast.Call) and _root(node.func) == first and len(_path(node.func)) > 1:
            return True
    return False


def _throws_dice(call: ast.Call, known: Known) -> bool:
    """Whether a call draws from a global random generator, or may."""
    root = _root(call.func)
    module = known.modules.get(root, "")
    if uses_dice(module, _path(call.func)):
        return True
    has_state = any(keyword.arg in {"random_state", "seed", "rng"} for keyword in call.keywords)
    may = module.startswith("sklearn.") or (not module and _path(call.func)[-1:] in (["sample"], ["fit"]))
    return known.has_seed and may and not has_state


def _given(call: ast.Call) -> Iterator[str]:
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        if isinstance(argument, ast.Name | ast.Attribute | ast.Subscript | ast.Starred):
            yield _root(argument)


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _path(node: ast.AST) -> list[str]:
    """Return the attributes between a name and what is called of it, the nearest first."""
    path: list[str] = []
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Attribute):
            path.insert(0, node.attr)
        node = node.func if isinstance(node, ast.Call) else node.value
    return path


def _called(call: ast.AST) -> list[str]:
    """Return the methods that are called on the way from a name to a value."""
    called = []
    while isinstance(call, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            called.append(call.func.attr)
        call = call.func if isinstance(call, ast.Call) else call.value
    return called


def _is_stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)
