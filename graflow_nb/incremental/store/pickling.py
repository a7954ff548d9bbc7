"""Values as bytes: pickled in one go, large buffers beside the pickle, so that an array is not copied.

Values of one entry that share references come back sharing.
"""

from __future__ import annotations

import inspect
import io
import pickle
import time
from collections.abc import Mapping
from functools import partial
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PROTOCOL = 5
_BESIDE = 4096
"""Bytes: smaller buffers stay within the pickle."""
_PATIENCE = 0.5
"""Seconds to look for the object that cannot be pickled, within a variable."""


class Lost(Exception):  # noqa: N818 - it is expected, and leads to a new run
    """Values that were kept cannot be had any more; the message says why."""


class Writable(Protocol):
    """What takes bytes."""

    def write(self, data: Any, /) -> int:
        """Take bytes; return how many."""


class Layout(NamedTuple):
    """Where things are in packed bytes: the pickle first, then each buffer.

    Attributes
    ----------
    names : tuple of (str or None)
        The variables.
    pickle : int
        Its length.
    buffers : tuple of int
        Their lengths.
    """

    names: tuple[str | None, ...] = ()
    pickle: int = 0
    buffers: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """The length of all."""
        return self.pickle + sum(self.buffers)


def pack(values: Mapping[str | None, Any], sink: Writable) -> Layout:
    """Write values to `sink`; raises whatever pickling them raises."""
    counted = _Counted(sink)
    beside: list[memoryview] = []

    def take(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes >= _BESIDE:
            beside.append(raw)
            return False
        return True

    pickle.Pickler(counted, _PROTOCOL, buffer_callback=take).dump(dict(values))
    length = counted.size
    for raw in beside:
        sink.write(raw)
    return Layout(tuple(values), length, tuple(raw.nbytes for raw in beside))


def unpack(stream: bytes | bytearray, buffers: Sequence[bytearray]) -> dict[str | None, Any]:
    """Return the values of a pickle and its buffers, which they go on using.

    Raises
    ------
    Lost
        If they cannot be made from it.
    """
    try:
        values: dict[str | None, Any] = pickle.loads(stream, buffers=buffers)  # noqa: S301 - signed, checked
    except Exception as error:
        raise Lost(_why_not(error)) from error
    return values


def split(data: bytes, layout: Layout) -> tuple[bytes, list[bytearray]]:
    """Return the pickle in packed bytes, and the buffers, which may be written to."""
    place = layout.pickle
    buffers = []
    for length in layout.buffers:
        buffers.append(bytearray(data[place : place + length]))
        place += length
    return data[: layout.pickle], buffers


def unpicklable(values: Mapping[str | None, Any]) -> dict[str | None, str]:
    """Return those of some variables that cannot be pickled, each with the reason."""
    found = {}
    for name, value in values.items():
        error = _refusal(value)
        if error is not None:
            path, refused = culprit(value, "the value" if name is None else name, _refusal)
            what = f"{path} is of type {type(refused).__qualname__}"
            found[name] = f"{what}, which cannot be pickled ({short_error(error)})"
    return found


def _why_not(error: Exception) -> str:
    if isinstance(error, AttributeError | ImportError):
        return f"a class or function in it is gone ({short_error(error)})"
    return f"it cannot be unpickled here ({short_error(error)})"


def short_error(error: BaseException) -> str:
    """Return an error as a line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def _refusal(value: Any) -> Exception | None:
    try:
        pickle.Pickler(_Nowhere(), _PROTOCOL, buffer_callback=lambda _: None).dump(value)
    except Exception as error:
        return error
    return None


def culprit(value: Any, path: str, refusal: Callable[[Any], Exception | None]) -> tuple[str, Any]:
    """Return the innermost object that cannot be pickled, as far as it is found soon, and the way to it.

    Parameters
    ----------
    value : object
        One that cannot.
    path : str
        What it is called.
    refusal : callable
        Says why a value cannot be pickled, or None.
    """
    end = time.monotonic() + _PATIENCE
    seen: set[int] = set()
    while id(value) not in seen:
        seen.add(id(value))
        for step, inner in _inside(value):
            if time.monotonic() > end:
                return path, value
            if id(inner) not in seen and refusal(inner) is not None:
                value, path = inner, path + step
                break
    return path, value


def _inside(value: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    if isinstance(value, FunctionType):
        return _inside_function(value)
    if "__reduce__" in vars(type(value)):  # it says itself what it consists of
        return _inside_reduced(value)
    if isinstance(value, partial):
        keywords = [(f" → {name}", inner) for name, inner in value.keywords.items()]
        return [(" → its function", value.func), *keywords]
    if isinstance(value, type | ModuleType):
        return found
    try:
        if isinstance(value, Mapping):
            found += [(f"[{key!r:.50}]", inner) for key, inner in value.items()]
        elif isinstance(value, list | tuple):
            found += [(f"[{index}]", inner) for index, inner in enumerate(value)]
        found += [(f".{name}", inner) for name, inner in vars(value).items()]
    except Exception:  # it has no attributes, or code of its own that fails: what is known will do
        return found
    return found


def _inside_reduced(value: Any) -> list[tuple[str, Any]]:
    try:
        parts = value.__reduce__()[1]
    except Exception:
        return []
    return [("", part) for one in parts for part in (one if isinstance(one, tuple) else (one,))]


def _inside_function(fn: FunctionType) -> list[tuple[str, Any]]:
    """Return what a function captured, its defaults and the globals that it names."""
    found = [(f" → {name}", inner) for name, inner in inspect.getclosurevars(fn).nonlocals.items()]
    found += [(f" → {name}", fn.__globals__[name]) for name in fn.__code__.co_names if name in fn.__globals__]
    return [*found, *((" → a default", inner) for inner in fn.__defaults__ or ())]


class _Counted:
    """Passes bytes on, and counts them."""

    __slots__ = ("_sink", "size")

    def __init__(self, sink: Writable) -> None:
        self._sink = sink
        self.size = 0

    def write(self, data: Any) -> int:
        length = len(data)
        self.size += length
        self._sink.write(data)
        return length


class _Nowhere(io.RawIOBase):
    """Lets go of what is written."""

    def write(self, data: Any) -> int:
        return len(data)
