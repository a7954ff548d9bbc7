"""The instructions of a code object, decoded without `dis`'s descriptions: some 20 times as fast.

What is there only because of how the text is laid out is left out or taken apart: fillers, long arguments,
and instructions that do the work of two if both stand on one line.
"""

from __future__ import annotations

import dis
import sys
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType


class Steps(NamedTuple):
    """The instructions of a code object.

    Attributes
    ----------
    ops : bytes
    args : list of int
        One of each an instruction.
    units : list of int
        Where each stands, counted in pairs of bytes.
    raw : bytes
        The bytes they were read from.
    """

    ops: bytes
    args: list[int]
    units: list[int]
    raw: bytes

    def target(self, index: int) -> int:
        """Return the unit that a jump leads to; it counts from behind the jump and its caches."""
        op, arg, unit = self.ops[index], self.args[index], self.units[index] + 1
        while self.raw[2 * unit : 2 * unit + 1] == _CACHES:  # a jump may be the last instruction
            unit += 1
        return unit - arg if op in BACKWARD else unit + arg


def _codes(*names: str) -> frozenset[int]:
    """Return the codes of those instructions that this Python has."""
    return frozenset(dis.opmap[name] for name in names if name in dis.opmap)


CONSTANTS = frozenset(dis.hasconst)
JUMPS = frozenset({*dis.hasjrel, *dis.hasjabs})
BACKWARD = frozenset(op for op in JUMPS if "BACKWARD" in dis.opname[op])
LOCALS = frozenset({*dis.haslocal, *dis.hasfree})
NAMES = frozenset(dis.hasname)
SHIFTS = {
    **dict.fromkeys(_codes("LOAD_GLOBAL"), 1),
    **dict.fromkeys(_codes("LOAD_ATTR"), int(sys.version_info >= (3, 12))),
    **dict.fromkeys(_codes("LOAD_SUPER_ATTR"), 2),
}
"""How many low bits of the argument say something else than the name."""

_PLAIN, _FILLER, _LONG, _DOUBLE = range(4)
_DOUBLES = {
    dis.opmap[name]: (dis.opmap[first], dis.opmap[second])
    for name, first, second in (
        ("LOAD_FAST_LOAD_FAST", "LOAD_FAST", "LOAD_FAST"),
        ("LOAD_FAST_BORROW_LOAD_FAST_BORROW", "LOAD_FAST_BORROW", "LOAD_FAST_BORROW"),
        ("STORE_FAST_LOAD_FAST", "STORE_FAST", "LOAD_FAST"),
        ("STORE_FAST_STORE_FAST", "STORE_FAST", "STORE_FAST"),
    )
    if name in dis.opmap
}
_KINDS = bytearray(256)
for _op in _codes("CACHE", "NOP"):
    _KINDS[_op] = _FILLER
for _op in _codes("EXTENDED_ARG"):
    _KINDS[_op] = _LONG
for _op in _DOUBLES:
    _KINDS[_op] = _DOUBLE
_IS_PLAIN = bytes(kind == _PLAIN for kind in range(256))
_CACHES = bytes([dis.opmap.get("CACHE", 0)])


def steps(code: CodeType) -> Steps:
    """Return what a code object does."""
    raw = code.co_code
    here = raw[::2]
    kinds = here.translate(_KINDS)
    if _LONG in kinds or _DOUBLE in kinds:
        return _careful_steps(raw)
    keep = kinds.translate(_IS_PLAIN)
    return Steps(
        bytes(compress(here, keep)), list(compress(raw[1::2], keep)), list(compress(range(len(here)), keep)), raw
    )


def _careful_steps(raw: bytes) -> Steps:
    """Do the same where an argument has several bytes, or one instruction does the work of two."""
    ops: list[int] = []
    args: list[int] = []
    units: list[int] = []
    high = 0
    for unit, (op, arg) in enumerate(zip(raw[::2], raw[1::2], strict=True)):
        if kind := _KINDS[op]:
            if kind == _LONG:
                high = (high | arg) << 8
            elif kind == _DOUBLE:
                ops += _DOUBLES[op]
                args += (arg >> 4, arg & 15)
                units += (unit, unit)
            continue
        ops.append(op)
        args.append(arg | high)
        units.append(unit)
        high = 0
    return Steps(bytes(ops), args, units, raw)


def variables(code: CodeType) -> tuple[str, ...]:
    """Return the names of a code object's local variables, as instructions count them."""
    local = code.co_varnames
    return (*local, *[name for name in code.co_cellvars if name not in local], *code.co_freevars)


def handlers(code: CodeType) -> Iterator[tuple[int, int, int, int]]:
    """Give start, end and target unit of each stretch of code whose exceptions are handled, and how."""
    numbers = _numbers(code.co_exceptiontable)
    for start, length, handler, how in zip(numbers, numbers, numbers, numbers, strict=True):
        yield start, start + length, handler, how


def _numbers(table: bytes) -> Iterator[int]:
    """Give the numbers of an exception table: six bits a byte, the highest first."""
    value = 0
    for byte in table:
        value = value << 6 | byte & 63
        if not byte & 64:
            yield value
            value = 0
