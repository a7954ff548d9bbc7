"""Errors with their tracebacks as data, and back: one that was raised elsewhere shows the lines of its own code.

A pickled error has no traceback. It is sent beside it, as names of files and functions with line numbers; where it
arrives, a traceback is made of frames that have these names. The lines themselves are read there, from files or,
for cells, from what the shell knows of them.
"""

from __future__ import annotations

import pickle
from itertools import islice
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from graflow_nb.backends.packing import is_sendable, pack, unpack
from graflow_nb.core.errors import GraflowError, describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST = 20
"""How many errors that led to one another are sent."""


class RemoteError(GraflowError):
    """Stands for an error whose own class cannot be sent."""


class Line(NamedTuple):
    """One line of a traceback.

    Attributes
    ----------
    file, function, module : str
    start : int
        The first line of the function.
    span : tuple of int
        First and last line, first and last column; columns are -1 where they are not known.
    """

    file: str
    function: str
    module: str
    start: int
    span: tuple[int, int, int, int]


class Failure(NamedTuple):
    """An error as data.

    Attributes
    ----------
    error : bytes
        The error, pickled, without what led to it.
    lines : sequence of Line
    cause, context : Failure or None
    is_from : bool
        As `BaseException.__suppress_context__`.
    """

    error: bytes
    lines: Sequence[Line]
    cause: Failure | None
    context: Failure | None
    is_from: bool


def failure_of(error: BaseException, depth: int = 0) -> Failure:
    """Return an error as data."""
    cause, context = error.__cause__, error.__context__
    is_deep = depth > _MOST
    return Failure(
        _packed(error),
        [*_lines(error.__traceback__)],
        None if cause is None or is_deep else failure_of(cause, depth + 1),
        None if context is None or context is cause or is_deep else failure_of(context, depth + 1),
        error.__suppress_context__,
    )


def error_of(failure: Failure) -> BaseException:
    """Return the error that data stand for."""
    try:
        error: BaseException = unpack(failure.error)
    except Exception as reason:
        error = RemoteError(f"the error of a task cannot be read here ({describe(reason)})")
    error.__cause__ = None if failure.cause is None else error_of(failure.cause)
    error.__context__ = error.__cause__ if failure.context is None else error_of(failure.context)
    error.__suppress_context__ = failure.is_from
    return error.with_traceback(_traceback(failure.lines))


def remade(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """Make an error as it was, without running its class's own code: that may want other arguments."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def _packed(error: BaseException) -> bytes:
    kind = type(error)
    args, state = tuple(map(_sendable, error.args)), error.__dict__
    reduced: Any = error
    if kind.__reduce__ is BaseException.__reduce__:
        state = {name: value for name, value in state.items() if is_sendable(value) is None}
        reduced = _Remade(kind, args, state)
    try:
        packed = pack(reduced)
        unpack(packed.stream, packed.buffers)
        stream = pickle.dumps(reduced) if packed.buffers else bytes(packed.stream)
    except Exception:
        stream = bytes(pack(RemoteError(describe(error))).stream)
    return stream


class _Remade:
    """Pickles as the error it stands for."""

    def __init__(self, *parts: Any) -> None:
        self._parts = parts

    def __reduce__(self) -> Any:
        return remade, self._parts


def _sendable(value: Any) -> Any:
    return value if is_sendable(value) is None else repr(value)


def _lines(traceback: TracebackType | None) -> Iterator[Line]:
    while traceback is not None:
        code = traceback.tb_frame.f_code
        module = str(traceback.tb_frame.f_globals.get("__name__", ""))
        first, last, begin, end = next(islice(code.co_positions(), traceback.tb_lasti // 2, None))
        line = traceback.tb_lineno
        is_known = first == line and None not in {last, begin, end}
        span = (line, last, begin, end) if is_known else (line, line, -1, -1)
        yield Line(code.co_filename, code.co_name, module, code.co_firstlineno, span)  # type: ignore[arg-type]
        traceback = traceback.tb_next


def _traceback(lines: Sequence[Line]) -> TracebackType | None:
    made = None
    for line in reversed(lines):
        made = TracebackType(made, _frame(line), 0, line.span[0])
    return made


def _frame(line: Line) -> FrameType:
    """Return a frame that has the names of the one that raised; it is over, and knows no variables."""
    first, last, begin, end = line.span
    # The table of positions (PEP 626 and 657): one entry for eight units of code, in its long form.
    after = first - line.start
    span = (*_number(last - first), *_number(begin + 1), *_number(end + 1))
    entries = [
        bytes([0b1_1110_111, *_number(step), *span]) for step in (2 * after if after >= 0 else 1 - 2 * after, 0)
    ]
    code = _STUB.replace(
        co_filename=line.file,
        co_name=line.function,
        co_qualname=line.function,
        co_firstlineno=line.start,
        co_linetable=entries[0] + entries[1] * (len(_STUB.co_code) // 16),
    )
    try:
        exec(code, {"__name__": line.module, "__file__": line.file})  # noqa: S102 - our own line
    except ZeroDivisionError as error:
        traceback: Any = error.__traceback__
    return cast("FrameType", traceback.tb_next.tb_frame)


def _number(value: int) -> bytes:
    """Return a number as such a table has it: six bits a byte, the lowest first."""
    found = []
    while value > 63:  # noqa: PLR2004 - six bits
        found.append(64 | value & 63)
        value >>= 6
    return bytes([*found, value])


_STUB: CodeType = compile("0/0", "", "exec")
