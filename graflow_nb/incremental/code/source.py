"""The source of functions as it was when they were loaded, for showing what changed."""

from __future__ import annotations

import inspect
import linecache
import textwrap
from collections.abc import Mapping
from types import CodeType, FunctionType, MappingProxyType, MethodType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from graflow_nb.incremental.code.modules import loaded_text
from graflow_nb.incremental.trace.secret import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator


class Sources(Mapping[str, str]):
    """The sources of code by name; found when they are asked for, and without secrets.

    Parameters
    ----------
    codes : mapping of str
        Code objects, or sources.
    """

    __slots__ = ("_codes",)

    def __init__(self, codes: Mapping[str, CodeType | str] = MappingProxyType({})) -> None:
        self._codes = codes

    def __getitem__(self, name: str) -> str:
        code = self._codes[name]
        return without_secrets(code if isinstance(code, str) else source_of(code))

    def __iter__(self) -> Iterator[str]:
        return iter(self._codes)

    def __len__(self) -> int:
        return len(self._codes)

    def __reduce__(self) -> tuple[type, tuple[dict[str, str]]]:
        return (Sources, (dict(self),))


_known: WeakKeyDictionary[CodeType, str] = WeakKeyDictionary()


def source_of(fn: Any) -> str:
    """Return the source of a function or code object as it was when it was loaded; "" if it is not known.

    What was found once is kept: a file that is edited later does not change it. Takes some 100 us the first
    time: not for what happens to every task.

    Examples
    --------
    >>> source_of(eval("lambda: 1"))
    ''
    """
    fn = fn.__func__ if isinstance(fn, MethodType) else fn
    code = fn if isinstance(fn, CodeType) else getattr(inspect.unwrap(fn), "__code__", None)
    if not isinstance(code, CodeType):
        return ""
    if code not in _known:
        module = fn.__globals__.get("__name__") if isinstance(fn, FunctionType) else None
        _known[code] = _source(code, module)
    return _known[code]


def _source(code: CodeType, module: object) -> str:
    text = loaded_text(module, code.co_filename) if isinstance(module, str) else ""
    lines = text.splitlines(keepends=True) or linecache.getlines(code.co_filename)
    start = code.co_firstlineno - 1
    if not 0 <= start < len(lines) or code.co_name == "<module>":
        return "".join(lines) if code.co_name == "<module>" else ""
    try:
        return textwrap.dedent("".join(inspect.getblock(lines[start:])))
    except (SyntaxError, IndentationError):
        return ""
