"""Each task's own stdout, stderr, rich displays and figures, from any thread.

A ContextVar holds the sink of the task that code belongs to. While a run goes on, stand-ins for
`sys.stdout`, `sys.stderr`, the shell's display publisher and pyplot's table of figures look at it, and
pass on whatever belongs to no task. Writes to the file descriptor itself (`os.system`) cannot be told apart.
"""

from __future__ import annotations

import builtins
import getpass
import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator, MutableMapping, ValuesView
from contextlib import suppress
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from graflow_nb.core.events import RunFinished, RunStarted
from graflow_nb.core.inherit import close_inheritance, open_inheritance
from graflow_nb.notebook.elsewhere import Elsewhere
from graflow_nb.notebook.figures import PYPLOT_TABLE as _PYPLOT_TABLE
from graflow_nb.notebook.figures import RENDERING as _RENDERING
from graflow_nb.notebook.figures import show_figures
from graflow_nb.notebook.sink import SINK, Sink
from graflow_nb.notebook.traceback import error_dict, error_output

if TYPE_CHECKING:
    from collections import OrderedDict
    from importlib.machinery import ModuleSpec

    from IPython.core.interactiveshell import InteractiveShell

    from graflow_nb.core.call import Call, Outcome
    from graflow_nb.core.events import Event
    from graflow_nb.core.task import Task


class Capture:
    """Stands round each call, and gives its outcome what it printed and displayed.

    Parameters
    ----------
    shell : InteractiveShell

    Attributes
    ----------
    running : dict of Task to Sink
        Where the outputs of the tasks that run now are collected.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._routes = Routes(shell)
        self.running: dict[Task, Sink] = {}

    def __call__(self, event: Event) -> None:
        """Listen to runs: route outputs while one goes on."""
        if isinstance(event, RunStarted) and event.run.is_captured:
            self._routes.open()
        elif isinstance(event, RunFinished) and event.run.is_captured:
            self._routes.close()

    def refresh(self) -> None:
        """Stand in for the streams that a cell has: runs in the background go on while it is executed."""
        self._routes.refresh()

    def before(self, call: Call) -> None:
        """Give the call a sink of its own."""
        self.refresh()
        call.context.runs_on(threading.current_thread().name)
        self.running[call.task] = sink = Sink(call.task.name, call.context.progress)
        SINK.set(sink)

    def remote(self, call: Call) -> Elsewhere:
        """Give the call a sink here, and return what sends its output there."""
        self.before(call)
        return Elsewhere(call.task.name)

    def take(self, call: Call, outcome: Outcome) -> None:
        """Do as after a call that was made here: all that it showed has come."""
        self.after(call, outcome)

    def after(self, call: Call, outcome: Outcome) -> None:
        """Show the figures that were left open, add the error, and hand over the outputs."""
        sink = SINK.get()
        assert sink is not None
        self.running.pop(call.task, None)
        show_figures()
        if outcome.error is not None:
            sink.add(error_output(self._shell, outcome.error))
        outcome.outputs = sink.outputs()
        sink.close()
        SINK.set(None)


class Routes:
    """The stand-ins: put in place when the first run begins, taken away when the last one ends."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._users = 0
        self._lock = threading.Lock()
        self._restore: list[Callable[[], None]] = []
        self._raw: dict[int, tuple[str, Any]] = {}

    def open(self) -> None:
        """Put everything in place."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._replace_publisher()
                self._replace_showtraceback()
                self._replace_figures()
                open_inheritance()
                self._restore.append(close_inheritance)
                self._replace_emit()
        self.refresh()

    def close(self) -> None:
        """Take everything away, if no other run needs it."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                while self._restore:
                    self._restore.pop()()
                self._raw.clear()

    def refresh(self) -> None:
        """Stand in for whatever is there by now: ``%%capture``, and the kernel for each cell, replace it."""
        with self._lock:
            if not self._users:
                return
            for name in ("stdout", "stderr"):
                if type(getattr(sys, name)) is not _Stream:
                    self._replace_stream(name)
            for owner, name in ((builtins, "input"), (getpass, "getpass")):
                if not hasattr(getattr(owner, name), "is_graflows"):
                    self._replace_question(owner, name)

    def _replace_stream(self, name: str) -> None:
        raw = getattr(sys, name)
        stand_in = _Stream(raw, name)
        setattr(sys, name, stand_in)
        self._restore.append(lambda: setattr(sys, name, raw) if getattr(sys, name) is stand_in else None)
        self._raw[id(raw)] = name, raw
        self._replace_write(raw, name)

    def _replace_emit(self) -> None:
        """Catch what log handlers write that were made before, and so hold the stream itself.

        Catching its `write` is not enough: IPython puts that back at the end of each cell.
        """
        emit = logging.StreamHandler.emit

        def routed(handler: Any, record: logging.LogRecord) -> None:
            sink, stream = SINK.get(), self._raw.get(id(handler.stream))
            if sink is None or stream is None:
                emit(handler, record)
                return
            try:
                sink.write(stream[0], handler.format(record) + handler.terminator)
            except Exception:
                handler.handleError(record)

        setattr(logging.StreamHandler, "emit", routed)  # noqa: B010 - a type checker would forbid it otherwise
        self._restore.append(partial(_undo, logging.StreamHandler, "emit", routed, emit))

    def _replace_write(self, raw: Any, name: str) -> None:
        """Catch what is written by those who hold the stream itself."""
        write = raw.write

        def routed(text: str, *args: Any) -> Any:
            sink = SINK.get()
            return write(text, *args) if sink is None else sink.write(name, text)

        with suppress(AttributeError, TypeError):  # a stream of C's has no room for it
            raw.write = routed
            self._restore.append(partial(_undo, raw, "write", routed, write))

    def _replace_publisher(self) -> None:
        publisher: Any = self._shell.display_pub
        publish, clear_output = publisher.publish, publisher.clear_output

        def routed_publish(data: Any, metadata: Any = None, *args: Any, **options: Any) -> None:
            sink, update = SINK.get(), options.get("update", False)
            if sink is None or not sink.display(data, metadata, options.get("transient"), update=update):
                publish(data, metadata, *args, **options)

        def routed_clear(wait: bool = False) -> None:
            sink = SINK.get()
            if sink is None:
                clear_output(wait)
            else:
                sink.clear(wait=wait)

        for name, new, old in (
            ("publish", routed_publish, publish),
            ("clear_output", routed_clear, clear_output),
        ):
            setattr(publisher, name, new)
            self._restore.append(partial(_undo, publisher, name, new, old))

    def _replace_showtraceback(self) -> None:
        """Catch errors that the shell shows and does not raise: those in a value's repr, for one."""
        shell: Any = self._shell
        show = shell._showtraceback  # noqa: SLF001 - the shell has no other place for it

        def routed(kind: Any, error: Any, lines: list[str]) -> None:
            sink = SINK.get()
            if sink is None:
                show(kind, error, lines)
            else:
                sink.add(error_dict(error, lines))

        shell._showtraceback = routed  # noqa: SLF001
        self._restore.append(partial(_undo, shell, "_showtraceback", routed, show))

    def _replace_figures(self) -> None:
        """Replace pyplot's table now, or as soon as a task is the first to import pyplot."""
        helpers = sys.modules.get(_PYPLOT_TABLE)
        if helpers is not None:
            self._replace_table(helpers)
        else:
            watch = AfterImport(_PYPLOT_TABLE, self._replace_table)
            sys.meta_path.insert(0, watch)
            self._restore.append(watch.stop)

    def _replace_table(self, helpers: Any) -> None:
        shared = helpers.Gcf.figs
        figures = _Figures(shared)
        helpers.Gcf.figs = figures
        self._restore.append(partial(_undo, helpers.Gcf, "figs", figures, shared))

    def _replace_question(self, owner: Any, name: str) -> None:
        ask = getattr(owner, name)

        def routed(*args: Any, **options: Any) -> str:
            sink = SINK.get()
            if sink is None or threading.current_thread() is threading.main_thread():
                answer: str = ask(*args, **options)
                return answer
            raise RuntimeError(
                f"task {sink.name!r} asks for {name}(), and it runs beside others in the background. "
                f"Ask in a plain cell before the run, or give the task main_thread=True."
            )

        routed.is_graflows = True  # type: ignore[attr-defined]
        setattr(owner, name, routed)
        self._restore.append(partial(_undo, owner, name, routed, ask))


class AfterImport(MetaPathFinder):
    """Calls a function with a module right after its import, once.

    Parameters
    ----------
    name : str
        The module's.
    call : callable
    """

    def __init__(self, name: str, call: Callable[[Any], None]) -> None:
        self._name = name
        self._call = call

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        """Find the module as the others would, and note when it has been loaded."""
        if name != self._name:
            return None
        self.stop()
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            loader.exec_module = self._then(loader.exec_module)
        return spec

    def _then(self, load: Callable[[Any], None]) -> Callable[[Any], None]:
        def load_and_call(module: Any) -> None:
            load(module)
            self._call(module)

        return load_and_call

    def stop(self) -> None:
        """Watch no longer."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)


class _Stream(io.TextIOBase):
    """Stands for a standard stream: a task's text goes to its sink, the rest to the stream."""

    def __init__(self, raw: Any, name: str) -> None:
        self._raw = raw
        self._name = name

    def write(self, text: str) -> int:
        sink = SINK.get()
        if sink is not None:
            return sink.write(self._name, text)
        written: int = self._raw.write(text)
        return written

    def flush(self) -> None:
        if SINK.get() is None:
            self._raw.flush()

    def isatty(self) -> bool:
        return SINK.get() is None and bool(self._raw.isatty())

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        number: int = self._raw.fileno()
        return number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._raw, "encoding", None) or "utf-8"


class _Figures(MutableMapping[Any, Any]):
    """Stands for pyplot's table of figures: each task has one of its own."""

    def __init__(self, shared: OrderedDict[Any, Any]) -> None:
        self._shared = shared

    @property
    def _table(self) -> OrderedDict[Any, Any]:
        sink = SINK.get()
        return self._shared if sink is None else sink.figures

    def __getitem__(self, number: Any) -> Any:
        return self._table[number]

    def __setitem__(self, number: Any, manager: Any) -> None:
        self._table[number] = manager

    def __delitem__(self, number: Any) -> None:
        del self._table[number]

    def __iter__(self) -> Iterator[Any]:
        yield from self._table

    def __len__(self) -> int:
        return len(self._table)

    def __reversed__(self) -> Iterator[Any]:
        yield from reversed(self._table)

    def values(self) -> ValuesView[Any]:  # pyplot asks for the last of them
        return self._table.values()

    def move_to_end(self, number: Any, last: bool = True) -> None:
        self._table.move_to_end(number, last)


def show_value(value: Any) -> None:
    """Show the value of a cell's last expression in the running task's outputs; elsewhere, do nothing."""
    sink = SINK.get()
    if sink is None:
        return
    from IPython.core.interactiveshell import InteractiveShell

    formatter: Any = InteractiveShell.instance().display_formatter
    with _RENDERING:
        data, metadata = formatter.format(value)
    if data:
        sink.add({"output_type": "execute_result", "data": data, "metadata": metadata, "execution_count": None})


def _undo(owner: Any, name: str, new: Any, old: Any) -> None:
    """Put the old back, unless somebody else has put something there since."""
    if getattr(owner, name) is not new:
        return
    if getattr(old, "__func__", None) is getattr(type(owner), name, owner):
        delattr(owner, name)  # it was its class's
    else:
        setattr(owner, name, old)
