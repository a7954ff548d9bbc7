"""A call where it is made, away from its run: made of what came, what became of it as it travels, the talk home.

Nothing here knows how messages travel: that is what a `Transport` is for. Several calls may be made at once, on
threads; what a task prints, logs, displays and asks goes to the run of the call that it belongs to.
"""

from __future__ import annotations

import builtins
import gc
import io
import logging
import queue
import sys
import threading
import time
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from graflow_nb.backends import answers
from graflow_nb.backends.failures import failure_of
from graflow_nb.backends.mirror import hold_back, restore
from graflow_nb.backends.packing import is_sendable, pack, unpack, unsendable, unsent
from graflow_nb.backends.remote import RemoteSurroundings
from graflow_nb.core.call import Outcome
from graflow_nb.core.errors import NoContextError, UnsendableError, describe
from graflow_nb.core.job import Job, make

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graflow_nb.backends.failures import Failure
    from graflow_nb.backends.packing import Packed

ANSWER, REFUSAL = b"a", b"r"  # what comes from home
ASK, TELL, OUTCOME = b"q", b"t", b"o"  # what goes there
PARTS: Final = ("value", "variables", "commands", "prints", "kept", "started", "ended", "unsent")
"""What is sent of an outcome."""
_PACE = 0.1
"""Seconds between two messages of what a task shows and how far it is."""


class Transport(Protocol):
    """What brings messages home, and answers from there; both raise an `OSError` if nobody is there any more."""

    def send(self, kind: bytes, packed: Packed) -> None:
        """Send a message; any thread may."""

    def receive(self) -> tuple[bytes, Any, Sequence[Any]]:
        """Wait for the next answer: its kind, the pickle and its buffers; one thread at a time does."""


class HomeLink:
    """The process that has the run, as tasks here reach it; see `graflow_nb.backends.remote.Home`.

    Parameters
    ----------
    transport : Transport
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._asking = threading.Lock()
        self._lock = threading.RLock()
        self._told: list[Any] = []
        self._progress: tuple[float | None, str] | None = None
        self._is_pending = False
        self._is_open = False

    def open_call(self) -> None:
        """Let a call ask and tell."""
        self._is_open = True

    def close_call(self) -> None:
        """Send what is left of a call."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(ValueError, OSError):  # the task closed it
                stream.flush()
        with self._asking:
            self._is_open = False
        self.flush()

    def ask(self, question: str, *args: Any) -> Any:
        """Return the answer to a question; raises what it raised there."""
        with self._asking:
            if not self._is_open:
                raise NoContextError(
                    "the task that this thread belongs to is over: its run can be asked nothing more"
                )
            self.transport.send(ASK, pack((question, args)))
            kind, stream, buffers = self.transport.receive()
        answer = unpack(stream, buffers)
        if kind == REFUSAL:
            raise answer
        return answer

    def tell(self, do: Callable[..., Any], *args: Any) -> None:
        """Have something done there, soon and in order."""
        with self._lock:
            if not self._is_open:
                return
            last = self._told[-1] if self._told else None
            if do is answers.write and last is not None and last[0] is do and last[1][0] == args[0]:
                self._told[-1] = do, (args[0], last[1][1] + args[1])
            else:
                self._told.append((do, args))
            self._have_sent()

    def progress(self, fraction: float | None, text: str) -> None:
        """Say how far the task is."""
        with self._lock:
            self._progress = fraction, text
            self._have_sent()

    def flush(self) -> None:
        """Send what was told."""
        with self._lock:  # held while it is sent: order
            told, progress = self._told, self._progress
            self._told, self._progress = [], None
            self._is_pending = False
            if told or progress is not None:
                self.transport.send(TELL, pack((told, progress)))

    def _have_sent(self) -> None:
        if not self._is_pending:
            self._is_pending = True
            _postman.come_for(self)


class _Postman:
    """A thread that sends what was told, a moment after the first of it."""

    def __init__(self) -> None:
        self._due: queue.SimpleQueue[tuple[float, HomeLink]] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._is_there = False

    def come_for(self, home: HomeLink) -> None:
        if not self._is_there:
            with self._starting:
                if not self._is_there:
                    self._is_there = True
                    threading.Thread(target=self._go_round, name="graflow-postman", daemon=True).start()
        self._due.put((time.monotonic() + _PACE, home))

    def _go_round(self) -> None:
        while True:
            due, home = self._due.get()
            time.sleep(max(0.0, due - time.monotonic()))
            with suppress(OSError):
                home.flush()


_postman = _Postman()
_current: ContextVar[HomeLink | None] = ContextVar("graflow_nb home", default=None)
_only: HomeLink | None = None


def home() -> HomeLink | None:
    """Return the home of the call that runs here; None if none does."""
    return _current.get() or _only


def live_at(only: HomeLink) -> None:
    """Let all that happens in this process belong to calls of one home, one at a time."""
    global _only  # noqa: PLW0603 - one a process
    _only = only


def stand_in() -> None:
    """Let what tasks here print and log go home, and let nothing here wait for input."""
    builtins.input = _refuse
    sys.stdout, sys.stderr = Echo("stdout", sys.stdout), Echo("stderr", sys.stderr)
    logging.root.addHandler(Sender())


def make_for(link: HomeLink, stream: Any, buffers: Sequence[Any], place: str = "its process") -> Outcome:
    """Make the call that came for a home; never raises.

    Parameters
    ----------
    link : HomeLink
        The home of the call.
    stream, buffers
        What `graflow_nb.backends.home.packed_job` made of it.
    place : str
        Where this is, in words.
    """
    restore()
    _current.set(link)
    try:
        job = Job(*unpack(stream, buffers))
    except BaseException as error:
        lost = Outcome("")
        lost.error = unreadable(error, place)
        return lost
    hold_back()
    link.open_call()
    return make(job, RemoteSurroundings(job, link))  # type: ignore[arg-type]


def unreadable(error: BaseException, place: str) -> UnsendableError:
    """Return the error that says why a call that came cannot be read here."""
    if isinstance(error, ImportError) and error.name:
        why = f"{error.name!r} cannot be imported in {place} ({describe(error)})"
    else:
        why = f"what the task needs cannot be read in {place} ({describe(error)})"
    made = UnsendableError(
        f"{why}. A module that the task uses must be importable there: a file beside the notebook, or an "
        f"installed package"
    )
    made.__cause__ = error
    return made


def send_outcome(link: HomeLink, outcome: Outcome) -> None:
    """Send an outcome, without what cannot be sent of it, after what is left of its call."""
    link.close_call()
    link.transport.send(OUTCOME, packed_outcome(outcome))


def packed_outcome(outcome: Outcome) -> Packed:
    """Return an outcome as it travels, without what cannot be sent of it."""
    failure = None if outcome.error is None else failure_of(outcome.error)
    try:
        return pack((parts_of(outcome), failure))
    except Exception as error:
        outcome, failure = _reduced(outcome, failure, error)
        return pack((parts_of(outcome), failure))


def parts_of(outcome: Outcome) -> tuple[Any, ...]:
    """Return what is sent of an outcome: a plain tuple takes a fraction of the time."""
    return tuple(getattr(outcome, part) for part in PARTS)


def _reduced(outcome: Outcome, failure: Failure | None, error: Exception) -> tuple[Outcome, Failure | None]:
    """Return an outcome without the variables that cannot be sent; an error, if it is the result or a command."""
    here = {n: why for n, value in outcome.variables.items() if (why := is_sendable(value)) is not None}
    outcome.variables = {n: value for n, value in outcome.variables.items() if n not in here}
    outcome.unsent = {n: unsent(n, why) for n, why in here.items()}
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


def let_go(was_large: bool) -> None:
    """Let go of what a call held on to, when it was much: an error's traceback keeps its arguments in a cycle."""
    if was_large:
        gc.collect()


class Echo(io.TextIOBase):
    """A standard stream: what a task writes to it is written where its run is.

    Parameters
    ----------
    name : str
    own : file, optional
        Takes what is written to it when no task runs.
    """

    def __init__(self, name: str, own: Any = None) -> None:
        self.name = name
        self._own = own

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if (link := home()) is not None:
            if text:
                link.tell(answers.write, self.name, text)
        elif self._own is not None:
            self._own.write(text)
        return len(text)

    def flush(self) -> None:
        if self._own is not None and home() is None:
            self._own.flush()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1 if self.name == "stdout" else 2

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"


class Sender(logging.Handler):
    """Sends what a task logs to where its run is: the loggers there decide what becomes of it."""

    def emit(self, record: logging.LogRecord) -> None:
        if (link := home()) is None:
            return
        record.msg, record.args = record.getMessage(), None
        if record.exc_info:
            record.exc_text = record.exc_text or logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        if is_sendable(record) is not None:
            kept = {name: value for name, value in vars(record).items() if is_sendable(value) is None}
            record = logging.makeLogRecord(kept)
        link.tell(answers.log, record)


def _refuse(*_: Any) -> NoReturn:
    raise RuntimeError(
        "a task asks for input(), and it runs in another process. Ask in a plain cell before the run, or give the "
        "task main_thread=True."
    )
