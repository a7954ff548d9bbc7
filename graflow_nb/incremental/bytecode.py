"""What a code object says of itself: its digest, and the names it reads.

Code counts by its instructions and constants, not by its text: comments, formatting, docstrings, line
numbers and file names are no part of it.
"""

from __future__ import annotations

import dis
import re
from bisect import bisect_left
from functools import lru_cache
from itertools import pairwise
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

import xxhash

from graflow_nb.incremental.files import paths_among
from graflow_nb.incremental.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

_HAS_DOCSTRING = 0x4000000  # of co_flags, from Python 3.13 on
_NAME_READS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS", "LOAD_CLASSDEREF"})
_VARIABLE_READS = _NAME_READS | {"LOAD_DEREF", "LOAD_FROM_DICT_OR_DEREF"}
_ATTRIBUTE_READS = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_FILLERS = frozenset({"NOP", "EXTENDED_ARG", "CACHE"})
_ABOUT_THE_TEXT = frozenset({"__doc__", "__firstlineno__", "__static_attributes__"})
"""What the body of a class assigns by itself."""
_JUMPS = frozenset({*dis.hasjrel, *dis.hasjabs})
_TEXT_READERS = frozenset({"eval", "query", "sql"})
"""Methods of pandas, polars, duckdb that read variables named in a text: ``df.query("age > @limit")``."""


class CodeInfo(NamedTuple):
    """What a code object says of itself.

    Attributes
    ----------
    digest : bytes
        Of its instructions and constants, and those of the code inside it.
    names : tuple of str
        The globals it reads.
    attributes : frozenset of str
        The names of attributes that it reads.
    paths : tuple of str
        Texts in it that could name a file.
    imports : tuple of str
        The modules that it imports itself.
    passed_on : frozenset of str
        The names it does more with than read an attribute: what is read of them is not known.
    """

    digest: bytes
    names: tuple[str, ...]
    attributes: frozenset[str]
    paths: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    passed_on: frozenset[str] = frozenset()


@lru_cache(maxsize=10_000)
def code_info(code: CodeType) -> CodeInfo:
    """Return what a code object reads, and its digest; equal code has equal info."""
    instructions = _instructions(code)
    constants = [code.co_consts[i.arg] for i in instructions if i.arg is not None and i.opcode in dis.hasconst]
    inner = joined([code_info(constant) for constant in constants if isinstance(constant, CodeType)])
    names, paths, imports = map(dict.fromkeys, (inner.names, inner.paths, inner.imports))
    passed_on = set(inner.passed_on)
    for instruction, following in pairwise(instructions):  # the last one returns: it reads nothing
        if instruction.opname in _NAME_READS:
            names[instruction.argval] = None
        elif instruction.opname == "IMPORT_NAME":
            imports[instruction.argval] = None
        if instruction.opname in _VARIABLE_READS and following.opname not in _ATTRIBUTE_READS:
            passed_on.add(instruction.argval)
    for constant in constants:
        paths.update(dict.fromkeys(paths_among(constant)))
    if not _TEXT_READERS.isdisjoint(code.co_names):
        names.update(dict.fromkeys(_words(constants, code.co_varnames)))
    attributes = inner.attributes.union(code.co_names)
    digest = _digest(code, instructions)
    return CodeInfo(digest, tuple(names), attributes, tuple(paths), tuple(imports), frozenset(passed_on))


def _instructions(code: CodeType) -> list[dis.Instruction]:
    """Return what a code object does, without what is there only because of how the text is laid out."""
    found = [i for i in dis.get_instructions(code) if i.opname not in _FILLERS]
    left_out = set()
    for before, store in pairwise(found):
        if store.opname == "STORE_NAME" and store.argval in _ABOUT_THE_TEXT:
            left_out |= {before.offset, store.offset}
    return [i for i in found if i.offset not in left_out] if left_out else found


def _digest(code: CodeType, instructions: list[dis.Instruction]) -> bytes:
    offsets = [instruction.offset for instruction in instructions]
    shape = (
        code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & ~_HAS_DOCSTRING,
        code.co_varnames, code.co_freevars, code.co_cellvars,
    )  # fmt: skip
    digest = xxhash.xxh3_128(repr(shape).encode())
    entries: Any = dis.Bytecode(code) if code.co_exceptiontable else None
    for entry in entries.exception_entries if entries else ():
        places = [bisect_left(offsets, offset) for offset in (entry.start, entry.end, entry.target)]
        digest.update(f"{places} {entry.depth} {entry.lasti};".encode())
    for instruction in instructions:
        digest.update(instruction.opname.encode())
        digest.update(_argument(code, instruction, offsets))
    return digest.digest()


def _argument(code: CodeType, instruction: dis.Instruction, offsets: list[int]) -> bytes:
    if instruction.opcode in dis.hasconst and instruction.arg is not None:
        value = code.co_consts[instruction.arg]  # not `argval`: dis does not know that of all instructions
        return code_info(value).digest if isinstance(value, CodeType) else fingerprint(value)
    if instruction.opcode in _JUMPS:
        return b"%d;" % bisect_left(offsets, instruction.argval)
    return f"{instruction.argrepr or instruction.arg};".encode()


def _words(constants: list[Any], local: Sequence[str]) -> list[str]:
    texts = [constant for constant in constants if isinstance(constant, str)]
    return [word for text in texts for word in re.findall(r"[^\W\d]\w*", text) if word not in local]


def joined(infos: Sequence[CodeInfo]) -> CodeInfo:
    """Return what several code objects say together."""
    return CodeInfo(
        b"".join(info.digest for info in infos),
        tuple(dict.fromkeys(name for info in infos for name in info.names)),
        frozenset().union(*(info.attributes for info in infos)),
        tuple(dict.fromkeys(path for info in infos for path in info.paths)),
        tuple(dict.fromkeys(name for info in infos for name in info.imports)),
        frozenset().union(*(info.passed_on for info in infos)),
    )
