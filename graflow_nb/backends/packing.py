"""Anything as bytes for another process: functions and classes of a notebook by value, large buffers beside.

cloudpickle takes functions apart that no module has, which all of a notebook are. It is pickle otherwise, so
buffers of arrays (protocol 5) need not be copied into the bytes: they stand beside them, and are used where they
arrive.
"""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.core.errors import UnsendableError
from graflow_nb.core.task import Task
from graflow_nb.incremental.store.pickling import culprit, short_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


def pack(value: Any) -> Packed:
    """Return something as bytes; raises whatever pickling it raises."""
    sink, beside = io.BytesIO(), []

    def take(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes >= _BESIDE:
            beside.append(raw)
            return False
        return True

    _pickler_class()(sink, _PROTOCOL, buffer_callback=take).dump(value)
    return Packed(sink.getbuffer(), beside)


def unpack(stream: bytes | memoryview, buffers: Sequence[Any] = ()) -> Any:
    """Return what was packed; it goes on using the buffers."""
    return pickle.loads(stream, buffers=buffers)  # noqa: S301 - from a process that we started, or verified before


def is_sendable(value: Any) -> Exception | None:
    """Return None, or why a value cannot be packed."""
    try:
        _pickler_class()(_Nowhere(), _PROTOCOL, buffer_callback=lambda _: None).dump(value)
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

            def reducer_override(self, obj: Any) -> Any:
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


class _Nowhere(io.RawIOBase):
    """Lets go of what is written."""

    def write(self, data: Any) -> int:
        return len(data)
