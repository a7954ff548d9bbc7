"""Which names a cell's code reads from the world round it, and which it assigns: from its source alone."""

from __future__ import annotations

import ast
import re
import symtable
from typing import NamedTuple

_AT_NAME = re.compile(r"@([A-Za-z_]\w*)")


class CellNames(NamedTuple):
    """The names of a cell's code.

    Attributes
    ----------
    reads : frozenset of str
        Names that must come from outside, those read inside its functions included. ``@name`` in a text
        counts as well (pandas' `query` and `eval` read it).
    assigns : tuple of str
        Public names that assignments, functions and classes at its top level bind, in order, and those
        that its functions assign as ``global``. The targets of ``for``, ``with``, ``except`` and ``case``
        are its own affair.
    imports : tuple of str
        Names that imports at its top level bind.
    rebinds : tuple of str
        Names that it reads from outside before it assigns them.
    """

    reads: frozenset[str]
    assigns: tuple[str, ...]
    imports: tuple[str, ...]
    rebinds: tuple[str, ...]


class StatementNames(NamedTuple):
    """The names of one statement.

    Attributes
    ----------
    reads : frozenset of str
        Names it reads while it runs.
    inside : frozenset of str
        Names that functions in it read when they are called.
    binds : frozenset of str
        All names it binds, the targets of ``for`` and ``with`` and those of imports included.
    """

    reads: frozenset[str]
    inside: frozenset[str]
    binds: frozenset[str]


def statement_names(node: ast.stmt) -> StatementNames:
    r"""Analyse one statement of a cell.

    Examples
    --------
    >>> names = statement_names(ast.parse("for i in rows: total = total + i").body[0])
    >>> sorted(names.reads), sorted(names.binds)
    (['rows', 'total'], ['i', 'total'])
    >>> names = statement_names(ast.parse("def f(x=a): return x + b").body[0])
    >>> sorted(names.reads), sorted(names.inside), sorted(names.binds)
    (['a'], ['b'], ['f'])
    """
    order = _Order()
    order.visit(node)
    inside: set[str] = set()
    if any(isinstance(part, _FUNCTIONS) for part in ast.walk(node)):
        inside = _inside(symtable.symtable(ast.unparse(node), "<cell>", "exec"))[0]
    temporary = {n for n in order.bound if order.first[n] == "bound" and n not in order.assigned}
    reads = (order.read_names - temporary) | _named_in_texts(node)
    return StatementNames(frozenset(reads), frozenset(inside), frozenset((*order.bound, *order.imports)))


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def cell_names(source: str, filename: str = "<cell>") -> CellNames:
    r"""Analyse the source of a cell.

    Raises
    ------
    SyntaxError
        If it is no Python.

    Examples
    --------
    >>> names = cell_names("import math\nr = [x * scale for x in data]\n_tmp = 1\nmath.fsum(r)")
    >>> sorted(names.reads), names.assigns, names.imports
    (['data', 'scale'], ('r',), ('math',))
    >>> cell_names("x = x + 1").rebinds
    ('x',)
    """
    tree = ast.parse(source, filename)
    order = _Order()
    order.visit(tree)
    read, assigned = _inside(symtable.symtable(source, filename, "exec"))
    read |= assigned & _augmented(tree)  # which a symbol table does not count as read
    inner = read - order.bound.keys() - order.imports.keys()
    for name in sorted(assigned):
        order.assign(name)
    bound = {*order.bound, *order.imports}
    outside = {name for name, first in order.first.items() if first == "read"} | (inner & assigned)
    rebinds = tuple(name for name in order.bound if name in outside)
    assigns = tuple(name for name in order.assigned if not name.startswith("_"))
    reads = outside | inner | (_named_in_texts(tree) - bound)
    return CellNames(frozenset(reads), assigns, tuple(order.imports), rebinds)


class _Hidden(set[str]):
    """The names of a class body or a comprehension, which only code right in it sees."""

    def __init__(self, *, is_comprehension: bool = False) -> None:
        super().__init__()
        self.is_comprehension = is_comprehension


class _Order(ast.NodeVisitor):
    """Walks a cell in the order in which it runs, and notes what first happens to each name."""

    def __init__(self) -> None:
        self.first: dict[str, str] = {}
        self.read_names: set[str] = set()
        self.bound: dict[str, None] = {}
        self.assigned: dict[str, None] = {}
        self.imports: dict[str, None] = {}
        self._hidden: list[_Hidden] = []

    def read(self, name: str) -> None:
        for depth, names in enumerate(reversed(self._hidden)):
            if name in names and (names.is_comprehension or depth == 0):  # else a class body: only it sees them
                return
        self.first.setdefault(name, "read")
        self.read_names.add(name)

    def bind(self, name: str) -> None:
        self.first.setdefault(name, "bound")
        self.bound[name] = None

    def assign(self, name: str) -> None:
        if self._hidden:  # inside a class body or a comprehension
            self._hidden[-1].add(name)
        else:
            self.bind(name)
            self.assigned[name] = None

    def bind_here(self, name: str | None) -> None:
        """Bind what is only the cell's own affair."""
        if name is not None:
            self.assign(name) if self._hidden else self.bind(name)

    def targets(self, *targets: ast.AST | None, temporary: bool = False) -> None:
        for target in targets:
            for node in ast.walk(target) if target else ():
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    self.bind_here(node.id) if temporary else self.assign(node.id)
                elif isinstance(node, ast.Name):
                    self.read(node.id)

    def visit_all(self, *nodes: ast.AST | None) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.assign(node.id)
        elif isinstance(node.ctx, ast.Del):
            self.assigned.pop(node.id, None)
        else:
            self.read(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        self.targets(*node.targets)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit_all(node.annotation, node.value)
        if node.value is not None:
            self.targets(node.target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        for name in ast.walk(node.target):
            if isinstance(name, ast.Name):
                self.read(name.id)
        self.visit(node.value)
        self.targets(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        comprehensions = []
        while self._hidden and self._hidden[-1].is_comprehension:  # it binds in the scope round them
            comprehensions.append(self._hidden.pop())
        self.targets(node.target)
        self._hidden += reversed(comprehensions)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self.targets(node.target, temporary=True)
        self.visit_all(*node.body, *node.orelse)

    visit_AsyncFor = visit_For

    def visit_withitem(self, node: ast.withitem) -> None:
        self.visit(node.context_expr)
        self.targets(node.optional_vars, temporary=True)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.visit_all(node.type)
        self.bind_here(node.name)
        self.visit_all(*node.body)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.visit_all(node.pattern)
        self.bind_here(node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self.bind_here(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.visit_all(*node.keys, *node.patterns)
        self.bind_here(node.rest)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            if self._hidden:
                self._hidden[-1].add(name)
            elif name != "*":
                self.first.setdefault(name, "bound")
                self.imports[name] = None

    visit_ImportFrom = visit_Import

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = node.args
        every = (*arguments.posonlyargs, *arguments.args, arguments.vararg, *arguments.kwonlyargs, arguments.kwarg)
        annotations = [argument.annotation for argument in every if argument is not None]
        self.visit_all(
            *node.decorator_list, *arguments.defaults, *arguments.kw_defaults, *annotations, node.returns
        )
        self.assign(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit_all(*node.args.defaults, *node.args.kw_defaults)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.visit_all(*node.decorator_list, *node.bases, *(k.value for k in node.keywords))
        self._hidden.append(_Hidden())
        self.visit_all(*node.body)
        self._hidden.pop()
        self.assign(node.name)

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        self.visit(node.generators[0].iter)  # which the scope round it sees
        self._hidden.append(_Hidden(is_comprehension=True))
        for number, generator in enumerate(node.generators):
            if number:
                self.visit(generator.iter)
            self.targets(generator.target)
            self.visit_all(*generator.ifs)
        self.visit_all(*((node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)))
        self._hidden.pop()

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _comprehension


def _inside(table: symtable.SymbolTable) -> tuple[set[str], set[str]]:
    """Return the globals that functions and classes inside a cell read, and those they assign."""
    read: set[str] = set()
    assigned: set[str] = set()
    for child in table.get_children():
        symbols = [symbol for symbol in child.get_symbols() if symbol.is_global()]
        read.update(symbol.get_name() for symbol in symbols if symbol.is_referenced())
        assigned.update(s.get_name() for s in symbols if s.is_declared_global() and s.is_assigned())
        deeper = _inside(child)
        read |= deeper[0]
        assigned |= deeper[1]
    return read, assigned


def _augmented(tree: ast.AST) -> set[str]:
    targets = (node.target for node in ast.walk(tree) if isinstance(node, ast.AugAssign))
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _named_in_texts(tree: ast.AST) -> set[str]:
    texts = (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return {name for text in texts if "@" in text for name in _AT_NAME.findall(text)}
