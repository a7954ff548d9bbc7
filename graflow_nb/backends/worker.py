"""A process that makes calls: it gets a job, makes it, sends what came of it, and waits for the next.

It ends when the process that started it does, or closes the connection.
"""

from __future__ import annotations

import builtins
import gc
import io
import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from graflow_nb.backends import answers
from graflow_nb.backends.failures import failure_of
from graflow_nb.backends.link import Link
from graflow_nb.backends.mirror import hold_back, restore, take_over
from graflow_nb.backends.packing import is_sendable, pack, unpack, unsendable
from graflow_nb.backends.remote import RemoteSurroundings
from graflow_nb.core.call import Outcome
from graflow_nb.core.errors import NoContextError, UnsendableError, describe
from graflow_nb.core.inherit import open_inheritance
from graflow_nb.core.job import Job, make

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

JOB, MIRROR, ANSWER, REFUSAL = b"j", b"m", b"a", b"r"  # what a worker gets
READY, ASK, TELL, OUTCOME = b"y", b"q", b"t", b"o"  # what it sends
PARTS = ("value", "variables", "commands", "prints", "kept", "started", "ended")
home: HomeLink | None = None
"""In a worker: the process that started it."""
_PACE = 0.1
"""Seconds between two messages of what a task shows and how far it is."""


def serve(connection: Connection, watched: Connection) -> None:
    """Make calls until nobody wants any; `watched` is open as long as the process that started this one lives."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # what is started in it ends with it, and Ctrl-C in a terminal is not meant for it
    signal.signal(signal.SIGINT, lambda *_: None)  # the process that has the run decides
    threading.Thread(target=_end_with, args=(watched,), daemon=True).start()
    builtins.input = _refuse
    open_inheritance()
    global home  # noqa: PLW0603 - one a process
    home = HomeLink(Link(connection))
    sys.stdout, sys.stderr = Echo(home, "stdout"), Echo(home, "stderr")
    logging.root.addHandler(Sender(home))
    home.link.send(READY, pack(os.getpid()))
    with suppress(EOFError, OSError):
        while True:
            _serve_next(home)
    end()


def end() -> NoReturn:
    """End this process and what was started in it, at once."""
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _serve_next(home: HomeLink) -> None:
    kind, stream, buffers = home.link.receive()
    if kind == MIRROR:
        take_over(unpack(stream, buffers))
        return
    outcome = _made(home, stream, buffers)
    was_large = bool(buffers)
    del stream, buffers
    _send(home, outcome)
    del outcome
    if was_large:
        gc.collect()  # an error's traceback, for one, keeps the arguments in a cycle


def _made(home: HomeLink, stream: memoryview, buffers: Any) -> Outcome:
    restore()
    try:
        job = Job(*unpack(stream, buffers))
    except BaseException as error:
        lost = Outcome("")
        lost.error = UnsendableError(
            f"what the task needs cannot be read in its process ({describe(error)}). A module that it uses must "
            f"be importable there: a file beside the notebook, or an installed package"
        )
        lost.error.__cause__ = error
        return lost
    hold_back()
    home.is_open = True
    return make(job, RemoteSurroundings(job, home))  # type: ignore[arg-type]


def _send(home: HomeLink, outcome: Outcome) -> None:
    """Send an outcome, without what cannot be sent of it."""
    home.close_call()
    failure = None if outcome.error is None else failure_of(outcome.error)
    try:
        packed = pack((parts_of(outcome), failure))
    except Exception as error:
        outcome, failure = _reduced(outcome, failure, error)
        packed = pack((parts_of(outcome), failure))
    home.link.send(OUTCOME, packed)


def _reduced(outcome: Outcome, failure: Any, error: Exception) -> Any:
    """Return an outcome without the variables that cannot be sent; an error, if it is the result or a command."""
    outcome.variables = {n: value for n, value in outcome.variables.items() if is_sendable(value) is None}
    bad = [(what, name, value) for what, name, value in (
        ("its result", "result", outcome.value),
        ("what it asks of its run", "commands", outcome.commands),
    ) if is_sendable(value) is not None]  # fmt: skip
    if bad and failure is None:
        failure = failure_of(unsendable(outcome.name, bad, error))
    if bad:
        outcome.value, outcome.commands = None, ()
    if is_sendable(outcome.kept) is not None:
        outcome.kept = None
    return outcome, failure


def parts_of(outcome: Outcome) -> tuple[Any, ...]:
    """Return what is sent of an outcome: a plain tuple takes a fraction of the time."""
    return tuple(getattr(outcome, part) for part in PARTS)


class HomeLink:
    """The process that has the run, as tasks here reach it; see `graflow_nb.backends.remote.Home`."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._asking = threading.Lock()
        self._lock = threading.RLock()
        self._told: list[Any] = []
        self._progress: tuple[float | None, str] | None = None
        self._pending = threading.Event()
        self.is_open = False
        threading.Thread(target=self._keep_sending, daemon=True).start()

    def ask(self, question: str, *args: Any) -> Any:
        """Return the answer to a question; raises what it raised there."""
        with self._asking:
            if not self.is_open:
                raise NoContextError(
                    "the task that this thread belongs to is over: its run can be asked nothing more"
                )
            self.link.send(ASK, pack((question, args)))
            kind, stream, buffers = self.link.receive()
        answer = unpack(stream, buffers)
        if kind == REFUSAL:
            raise answer
        return answer

    def tell(self, do: Callable[..., Any], *args: Any) -> None:
        """Have something done there, soon and in order."""
        with self._lock:
            if not self.is_open:
                return
            last = self._told[-1] if self._told else None
            if do is answers.write and last is not None and last[0] is do and last[1][0] == args[0]:
                self._told[-1] = do, (args[0], last[1][1] + args[1])
            else:
                self._told.append((do, args))
            self._pending.set()

    def progress(self, fraction: float | None, text: str) -> None:
        """Say how far the task is."""
        with self._lock:
            self._progress = fraction, text
            self._pending.set()

    def close_call(self) -> None:
        """Send what is left of a call."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        with self._asking:
            self.is_open = False
        self._flush()

    def _flush(self) -> None:
        with self._lock:  # held while it is sent: order
            told, progress = self._told, self._progress
            self._told, self._progress = [], None
            self._pending.clear()
            if told or progress is not None:
                self.link.send(TELL, pack((told, progress)))

    def _keep_sending(self) -> None:
        with suppress(OSError):
            while self._pending.wait():
                time.sleep(_PACE)
                self._flush()


class Echo(io.TextIOBase):
    """A standard stream: what is written to it is written where the run is."""

    def __init__(self, home: HomeLink, name: str) -> None:
        self._home = home
        self.name = name

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if text:
            self._home.tell(answers.write, self.name, text)
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1 if self.name == "stdout" else 2

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"


class Sender(logging.Handler):
    """Sends what is logged to where the run is: the loggers there decide what becomes of it."""

    def __init__(self, home: HomeLink) -> None:
        super().__init__()
        self._home = home

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args = record.getMessage(), None
        if record.exc_info:
            record.exc_text = record.exc_text or logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        if is_sendable(record) is not None:
            kept = {name: value for name, value in vars(record).items() if is_sendable(value) is None}
            record = logging.makeLogRecord(kept)
        self._home.tell(answers.log, record)


def _end_with(watched: Connection) -> None:
    with suppress(EOFError, OSError):
        watched.recv_bytes()
    end()


def _refuse(*_: Any) -> NoReturn:
    raise RuntimeError(
        "a task asks for input(), and it runs in another process. Ask in a plain cell before the run, or give the "
        "task main_thread=True."
    )
