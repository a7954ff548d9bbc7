"""What a code object says of itself: its digest, and the names it reads.

Code counts by its instructions and constants, not by its text: comments, formatting, docstrings, line
numbers and file names are no part of it.
"""

from __future__ import annotations

import dis
import re
from array import array
from bisect import bisect_left
from functools import lru_cache
from itertools import compress
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

import xxhash

from graflow_nb.incremental.code.decode import CONSTANTS, JUMPS, LOCALS, NAMES, SHIFTS, handlers, steps, variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def _codes(*names: str) -> frozenset[int]:
    return frozenset(dis.opmap[name] for name in names if name in dis.opmap)


_FLAGS = 0x3AF
"""Of co_flags: the kind of function and its star arguments; not what `__future__` or a docstring sets."""
_GLOBAL_READS = _codes("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
_FREE_READS = _codes("LOAD_CLASSDEREF", "LOAD_DEREF", "LOAD_FROM_DICT_OR_DEREF")
_FAST_READS = frozenset(op for op in LOCALS if dis.opname[op].startswith("LOAD_FAST"))
_ATTRIBUTES = _codes("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "STORE_ATTR", "DELETE_ATTR", "IMPORT_FROM")
_ATTRIBUTE_READS = _codes("LOAD_ATTR", "LOAD_METHOD")
_IMPORTS = _codes("IMPORT_NAME", "IMPORT_FROM")
_STORES = frozenset(op for op in LOCALS | NAMES if dis.opname[op] in {"STORE_FAST", "STORE_DEREF"})
_NAME_STORES = _codes("STORE_NAME", "STORE_GLOBAL")
_SMALL_INT = dis.opmap.get("LOAD_SMALL_INT")
_STORE_NAME = dis.opmap["STORE_NAME"]
_PUSH_NULL, _CALL = dis.opmap["PUSH_NULL"], dis.opmap["CALL"]
_CALLS = _codes("PRECALL", "CALL", "BINARY_SUBSCR") | (
    _codes("BINARY_OP") if "BINARY_SUBSCR" not in dis.opmap else frozenset()
)
_ABOUT_THE_TEXT = frozenset({"__doc__", "__module__", "__firstlineno__", "__static_attributes__"})
"""What the body of a class assigns by itself."""
_TEXT_READERS = frozenset({"eval", "query", "sql"})
"""Methods of pandas, polars, duckdb that read variables named in a text: ``df.query("age > @limit")``."""
_IMPORTERS = frozenset({"import_module", "__import__", "modules"})
"""What gives a module by a text: ``import_module("m")``, ``sys.modules["m"]``."""
_RUNNERS = frozenset({"eval", "exec"})
_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, type(Ellipsis)})
_WORD = re.compile(r"[^\W\d]\w*")


_IS_READ = bytes(op in CONSTANTS or op in NAMES for op in range(256))
_IS_JUMP = bytes(op in JUMPS for op in range(256))


class Import(NamedTuple):
    """A module that code imports itself.

    Attributes
    ----------
    name : str
    level : int
        How many packages up it is looked for; 0: everywhere.
    names : tuple of str
        What is imported from it.
    """

    name: str
    level: int = 0
    names: tuple[str, ...] = ()


class CodeInfo(NamedTuple):
    """What a code object says of itself.

    Attributes
    ----------
    digest : bytes
        Of its instructions and constants, and those of the code inside it.
    names : tuple of str
        The globals it reads.
    attributes : frozenset of str
        The names of attributes that it reads or writes.
    texts : tuple of str
        The texts in it.
    imports : tuple of Import
        The modules that it imports itself.
    passed_on : frozenset of str
        The names, attributes and imports that it does more with than read an attribute: what is read of
        them is not known.
    unknown : frozenset of str
        What it uses to read things that are not named in the code: ``eval`` of a text made at run time.
    reads_texts : bool
        Whether it uses something that reads variables named in texts.
    """

    digest: bytes
    names: tuple[str, ...]
    attributes: frozenset[str]
    texts: tuple[str, ...] = ()
    imports: tuple[Import, ...] = ()
    passed_on: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    reads_texts: bool = False


@lru_cache(maxsize=10_000)
def code_info(code: CodeType) -> CodeInfo:
    """Return what a code object reads, and its digest; equal code has equal info."""
    found = _Reader(code)
    if not found.inner:
        return found.info()
    return joined([found.info(), *map(code_info, found.inner)])._replace(digest=found.digest)


class _Reader:
    """Reads a code object once, from its first instruction to its last."""

    def __init__(self, code: CodeType) -> None:
        self._code = code
        self._steps = steps(code)
        self._order: dict[str, int] = {}  # names, in the order of their first use
        self._attributes: set[str] = set()
        self._constants: dict[int, Any] = {}  # of each instruction that loads one
        self._names: dict[str, None] = {}
        self._imports: dict[Import, None] = {}
        self._bound: dict[str, str] = {}  # variables that hold what was imported: as what
        self._passed_on: set[str] = set()
        self._unknown: set[str] = set()
        self._evaluated: list[CodeInfo] = []
        self._left_out: set[int] = set()
        self._read()
        self.inner = [constant for constant in self._constants.values() if type(constant) is CodeType]
        self.digest = self._digest()

    def info(self) -> CodeInfo:
        """Return what was found, without what the code inside says."""
        texts = tuple(dict.fromkeys(_texts(self._constants.values())))
        reads_texts = not _TEXT_READERS.isdisjoint(self._order)
        if reads_texts:
            self._names.update(dict.fromkeys(words(texts, self._code.co_varnames)))
        passed_on = self._passed_on
        if self._bound:
            passed_on.update(kept for variable, kept in self._bound.items() if variable in passed_on)
        own = CodeInfo(
            self.digest, tuple(self._names), frozenset(self._attributes), texts, tuple(self._imports),
            frozenset(passed_on), frozenset(self._unknown), reads_texts,
        )  # fmt: skip
        return joined([own, *self._evaluated])._replace(digest=self.digest) if self._evaluated else own

    def _read(self) -> None:
        ops, args, _, _ = self._steps
        names, constants = self._code.co_names, self._code.co_consts
        for index in compress(range(len(ops)), ops.translate(_IS_READ)):
            op = ops[index]
            if op in CONSTANTS:
                self._constants[index] = constants[args[index]]
                args[index] = 0
            else:
                shift = SHIFTS.get(op, 0)
                name = names[args[index] >> shift]
                if op == _STORE_NAME and name in _ABOUT_THE_TEXT:
                    self._leave_out(index)
                    continue
                low = args[index] & ((1 << shift) - 1)
                args[index] = self._order.setdefault(name, len(self._order)) << shift | low
                self._name(index, op, name)
        self._variables()

    def _leave_out(self, index: int) -> None:
        """Leave out what the body of a class notes of its own text: the value and where it is stored."""
        self._left_out |= {index - 1, index}
        if self._constants.pop(index - 1, self) is self:
            self._names.pop("__name__", None)

    def _name(self, index: int, op: int, name: str) -> None:
        """Note what is done with a name."""
        if op in _GLOBAL_READS:
            self._names[name] = None
        elif op in _ATTRIBUTES:
            self._attributes.add(name)
        if op in _IMPORTS:
            self._import(index, name)
        elif (op in _GLOBAL_READS or op in _ATTRIBUTE_READS) and not self._is_attribute_read(index + 1):
            self._passed_on.add(name)
        if name in _IMPORTERS and op not in _IMPORTS:
            self._import_by_text(index, name)
        elif name in _RUNNERS and op in _GLOBAL_READS:
            self._evaluate(index, name)

    def _import(self, index: int, name: str) -> None:
        if dis.opname[self._steps.ops[index]] == "IMPORT_NAME":
            level, names = self._value(index - 2), self._value(index - 1)
            self._imports[Import(name, level, tuple(names or ()))] = None
            if not names:
                self._bind(index + 1, name)
        else:
            self._bind(index + 1, name)
            if name in _IMPORTERS:
                self._unknown.add(name)

    def _import_by_text(self, index: int, name: str) -> None:
        """Note a module that is given by a text, if the text stands in the code."""
        text, after = self._text_given(index)
        if text is None or text.startswith("."):
            self._unknown.add(name)
            return
        self._imports[Import(text)] = None
        if not self._is_attribute_read(after) and not self._bind(after, text):
            self._passed_on.add(text)

    def _evaluate(self, index: int, name: str) -> None:
        """Read a text that is run as code, if it stands in the code."""
        text, _ = self._text_given(index)
        try:
            self._evaluated.append(_info_of_text(text, name))
        except (SyntaxError, ValueError, AttributeError):
            self._unknown.add(name)

    def _text_given(self, index: int) -> tuple[str | None, int]:
        """Return the text that is all that something is called or subscripted with, and where that ends."""
        after = index + 1 + (self._op(index + 1) == _PUSH_NULL)
        text = self._value(after)
        end = after + 1
        while self._op(end) in _CALLS:
            end += 1
        called = end > after + 1 and (self._op(end - 1) != _CALL or self._steps.args[end - 1] == 1)
        return (text if isinstance(text, str) and called else None), end

    def _value(self, index: int) -> Any:
        """Return what an instruction loads, if that is a constant."""
        if index in self._constants:
            return self._constants[index]
        op = self._op(index)
        if op == _SMALL_INT:
            return self._steps.args[index]
        return self._code.co_consts[self._steps.args[index]] if op in CONSTANTS else None

    def _bind(self, index: int, kept: str) -> bool:
        """Note that a variable holds what was imported; what is done with it is done with the module."""
        op, code = self._op(index), self._code
        if op in _STORES:
            self._bound[variables(code)[self._steps.args[index]]] = kept
        elif op in _NAME_STORES:
            self._bound[code.co_names[self._steps.args[index]]] = kept
        return op in _STORES or op in _NAME_STORES

    def _variables(self) -> None:
        """Note what local and free variables are passed on; of local ones only those that hold a module."""
        if not self._bound and not self._code.co_freevars and not self._code.co_cellvars:
            return
        names = variables(self._code)
        shared = {*self._code.co_cellvars, *self._code.co_freevars}  # a "fast" read of one makes a closure of it
        for index, op in enumerate(self._steps.ops):
            if (op in _FREE_READS or op in _FAST_READS) and not self._is_attribute_read(index + 1):
                name = names[self._steps.args[index]]
                if op in _FREE_READS or (self._bound and name not in shared):
                    self._passed_on.add(name)

    def _is_attribute_read(self, index: int) -> bool:
        return self._op(index) in _ATTRIBUTE_READS

    def _op(self, index: int) -> int:
        return self._steps.ops[index] if index < len(self._steps.ops) else -1

    def _digest(self) -> bytes:
        code, (ops, args, units, _) = self._code, self._steps
        is_jump = ops.translate(_IS_JUMP)
        jumps = {i: self._steps.target(i) for i in compress(range(len(ops)), is_jump)} if 1 in is_jump else {}
        if self._left_out:
            kept = [index for index in range(len(ops)) if index not in self._left_out]
            ops, args, units = bytes(ops[i] for i in kept), [args[i] for i in kept], [units[i] for i in kept]
            jumps = {place: jumps[index] for place, index in enumerate(kept) if index in jumps}
        for index, unit in jumps.items():
            args[index] = bisect_left(units, unit)
        shape = (
            code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & _FLAGS,
            code.co_varnames, code.co_freevars, code.co_cellvars, list(self._order), len(ops),
            _handlers(code, units) if code.co_exceptiontable else (),
        )  # fmt: skip
        text = f"{shape}{_shown([*self._constants.values()])}"
        return xxhash.xxh3_128_digest(b"%b%b%b" % (ops, array("I", args).tobytes(), text.encode()))


def _handlers(code: CodeType, units: list[int]) -> list[tuple[int, int, int, int]]:
    found = (([bisect_left(units, unit) for unit in places], how) for *places, how in handlers(code))
    return [(start, end, to, how) for (start, end, to), how in found]


def _shown(constants: list[Any]) -> str:
    """Return a text that says what constants are, the same in any process."""
    if _PLAIN.issuperset(map(type, constants)):
        try:
            return repr(constants)
        except ValueError:  # Python refuses to write the largest numbers in decimals
            pass
    return f"each: {', '.join(map(_shown_one, constants))}"


def _shown_one(constant: Any) -> str:
    if isinstance(constant, CodeType):
        return f"code:{code_info(constant).digest.hex()}"
    if isinstance(constant, tuple):
        return f"({', '.join(map(_shown_one, constant))})"
    if isinstance(constant, frozenset):
        return f"{{{', '.join(sorted(map(_shown_one, constant)))}}}"
    return hex(constant) if type(constant) is int else repr(constant)


def _info_of_text(text: Any, name: str) -> CodeInfo:
    return code_info(compile(text.strip(), "", name, dont_inherit=True))


def _texts(constants: Iterable[Any]) -> Iterator[str]:
    for constant in constants:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple | frozenset):
            yield from _texts(constant if isinstance(constant, tuple) else sorted(constant, key=repr))


def words(texts: Iterable[str], local: Sequence[str] = ()) -> list[str]:
    """Return the words in texts that could be names of globals."""
    return [word for text in texts for word in _WORD.findall(text) if word not in local]


def joined(infos: Sequence[CodeInfo]) -> CodeInfo:
    """Return what several code objects say together."""
    return CodeInfo(
        b"".join(info.digest for info in infos),
        tuple(dict.fromkeys(name for info in infos for name in info.names)),
        frozenset().union(*(info.attributes for info in infos)),
        tuple(dict.fromkeys(text for info in infos for text in info.texts)),
        tuple(dict.fromkeys(found for info in infos for found in info.imports)),
        frozenset().union(*(info.passed_on for info in infos)),
        frozenset().union(*(info.unknown for info in infos)),
        any(info.reads_texts for info in infos),
    )
