"""Anything as bytes for another process: functions and classes of a notebook by value, large buffers beside.

cloudpickle takes functions apart that no module has, which all of a notebook are. It is pickle otherwise, so
buffers of arrays (protocol 5) need not be copied into the bytes: they stand beside them, and are used where they
arrive.
"""

from __future__ import annotations

import io
import pickle
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.core.away import Away
from graflow_nb.core.errors import UnsendableError
from graflow_nb.core.task import Task
from graflow_nb.incremental.store.pickling import culprit, short_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from graflow_nb.core.options import Options

_PROTOCOL = 5
_BESIDE = 1 << 14
"""Bytes: smaller buffers stay within the pickle."""

_pickler: type[pickle.Pickler] | None = None


class Packed(NamedTuple):
    """Something as bytes.

    Attributes
    ----------
    stream : memoryview
        The pickle.
    buffers : sequence of memoryview
        What stands beside it.
    """

    stream: memoryview
    buffers: Sequence[memoryview] = ()

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.stream.nbytes + sum(buffer.nbytes for buffer in self.buffers)


def pack(value: Any, number: Callable[[Away], int] | None = None) -> Packed:
    """Return something as bytes; raises whatever pickling it raises.

    Parameters
    ----------
    value : object
    number : callable, optional
        Returns the place, among what the receiver has already, of a value that is elsewhere.
    """
    sink, beside = io.BytesIO(), []

    def take(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes >= _BESIDE:
            beside.append(raw)
            return False
        return True

    pickler: Any = _pickler_class()(sink, _PROTOCOL, buffer_callback=take)
    pickler.number = number
    pickler.dump(value)
    return Packed(sink.getbuffer(), beside)


def unpack(stream: bytes | memoryview, buffers: Sequence[Any] = ()) -> Any:
    """Return what was packed; it goes on using the buffers."""
    return pickle.loads(stream, buffers=buffers)  # noqa: S301 - from a process that we started, or verified before


@contextmanager
def beside(values: Sequence[Any]) -> Iterator[None]:
    """Let what is unpacked in this context have values that are here already, by their places."""
    token = _beside.set(values)
    try:
        yield
    finally:
        _beside.reset(token)


def _value_beside(place: int) -> Any:
    return _beside.get()[place]


_beside: ContextVar[Sequence[Any]] = ContextVar("graflow_nb beside", default=())


def is_sendable(value: Any) -> Exception | None:
    """Return None, or why a value cannot be packed."""
    pickler: Any = _pickler_class()(_Nowhere(), _PROTOCOL, buffer_callback=lambda _: None)
    pickler.number = _any_place
    try:
        pickler.dump(value)
    except Exception as error:
        return error
    return None


def unsendable(task: str, things: Sequence[tuple[str, str, Any]], error: Exception) -> UnsendableError:
    """Return the error that names the object which cannot be sent, and the way to it.

    Parameters
    ----------
    task : str
    things : sequence of (str, str, object)
        What is sent: what it is ("its argument"), its name, and itself.
    error : Exception
        What packing all of it raised.
    """
    for what, name, value in things:
        refusal = is_sendable(value)
        if refusal is not None:
            path, found = culprit(value, name, is_sendable)
            return UnsendableError(
                f"task {task!r}: {what} cannot be sent between processes: {path} is of type "
                f"{type(found).__qualname__}, which cannot be pickled ({short_error(refusal)}). Make it inside "
                f'the task, or run the task on backend="threads"'
            )
    return UnsendableError(f"task {task!r} cannot be sent between processes ({short_error(error)})")


def unsent(name: str, error: Exception) -> str:
    """Say that a variable of a task stayed in its process, and why."""
    return (
        f"its variable {name!r} cannot be sent back from its process ({short_error(error)}). Let the task keep it "
        f'to itself, as _{name}, or run it on backend="threads"'
    )


def _pickler_class() -> type[pickle.Pickler]:
    global _pickler  # noqa: PLW0603 - cloudpickle is imported when it is first needed
    if _pickler is None:
        import cloudpickle

        class Pickler(cloudpickle.Pickler):  # type: ignore[misc,name-defined,unused-ignore]
            """Knows what of ours belongs to this process."""

            number: Any = None

            def reducer_override(self, obj: Any) -> Any:
                if type(obj) is Away and self.number is not None:
                    return _value_beside, (self.number(obj),)
                if isinstance(obj, Task) and type(obj) is Task:
                    return _apart, (obj.name, obj.fn, obj.options, obj.defines)
                return super().reducer_override(obj)

        _pickler = Pickler
    return _pickler


def _apart(name: str, fn: Callable[..., Any], options: Options, defines: tuple[str, ...]) -> Task:
    """Make a task that belongs to no workflow: a flow with all that it knows would come along."""
    task = Task.apart(name, fn, options)
    task.defines = defines
    return task


def _any_place(_: Away) -> int:
    return 0


class _Nowhere(io.RawIOBase):
    """Lets go of what is written."""

    def write(self, data: Any) -> int:
        return len(data)
