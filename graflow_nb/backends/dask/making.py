"""The worker's side: makes the call in a letter, tells home what came of it, and keeps what is large."""

from __future__ import annotations

import importlib
import itertools
import pickle
import queue
import sys
import threading
import time
import uuid
from contextlib import suppress
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Final

from graflow_nb.backends import versions
from graflow_nb.backends.afar import take_over_afar
from graflow_nb.backends.dask.letters import (
    BEGIN,
    LOST,
    SMALL,
    Left,
    Made,
    stand_apart,
)
from graflow_nb.backends.mirror import current_quick, restore_quick
from graflow_nb.backends.packing import beside, is_sendable, pack, unsendable
from graflow_nb.backends.there import OUTCOME, HomeLink, let_go, make_for, packed_outcome, stand_in
from graflow_nb.backends.threads import raise_in_thread
from graflow_nb.core.away import described
from graflow_nb.core.call import Outcome
from graflow_nb.core.errors import BackendError, TaskCancelled
from graflow_nb.core.inherit import open_inheritance
from graflow_nb.incremental.files import state_of
from graflow_nb.incremental.prints import is_as_it_was

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graflow_nb.backends.dask.letters import Bulk, Letter
    from graflow_nb.backends.packing import Packed

_TURN: Final = 1.0
"""Seconds after which who waits for an answer looks whether anybody is there still."""
_PARKED: Final = 600.0
"""Seconds for which a large message waits to be fetched."""


class Wire:
    """Brings messages home by the scheduler; answers come by `answer`. See `graflow_nb.backends.there.Transport`.

    Parameters
    ----------
    worker : distributed.Worker
    letter : Letter
    key : str
        The Dask task's.
    """

    def __init__(self, worker: Any, letter: Letter, key: str) -> None:
        self._worker = worker
        self._topic, self._call, self._key = letter.topic, letter.call, key
        self._attempt = f"{_here}{next(_attempts)}"  # Dask makes a call again whose worker it has lost
        self.answers: queue.SimpleQueue[tuple[bytes, Any, Sequence[Any]]] = queue.SimpleQueue()

    def send(self, kind: bytes, packed: Packed) -> None:
        """Send a message; a large one waits here, and is fetched."""
        parts = [bytes(packed.stream), *map(bytes, packed.buffers)]
        if packed.size > SMALL:
            ticket = uuid.uuid4().hex
            now = time.monotonic()
            for old in [name for name, (since, _) in list(_parked.items()) if now - since > _PARKED]:
                _parked.pop(old, None)
            _parked[ticket] = now, parts
            parts = [ticket.encode()]
            kind += b"+"
        message = (self._call, self._worker.address, self._attempt, kind, parts)
        Context().run(self._worker.log_event, self._topic, message)  # what Dask does for it the task does not

    @property
    def is_wanted(self) -> bool:
        """Whether anybody waits for the call still: not if the process that has its run is gone."""
        there = self._worker.state.tasks.get(self._key)
        return there is not None and there.state != "cancelled"

    def receive(self) -> tuple[bytes, Any, Sequence[Any]]:
        """Wait for an answer.

        Raises
        ------
        BrokenPipeError
            If nobody wants the call any more.
        """
        while True:
            with suppress(queue.Empty):
                return self.answers.get(timeout=_TURN)
            if not self.is_wanted:
                raise BrokenPipeError("the run of this task is gone")


class _Begun:
    """A call that is being made here."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.ident: int | None = threading.get_ident()


_here = uuid.uuid4().hex  # a random number for each call takes longer than the rest of a short one
_attempts = itertools.count()
_begun: dict[str, _Begun] = {}
_withdrawn: dict[str, None] = {}  # calls that must not begin; the oldest first
_parked: dict[str, tuple[float, list[bytes]]] = {}
_striking = threading.Lock()
_preparing = threading.Lock()
_taken: list[Any] = [False, b""]  # whether this process was prepared, and the digest of what it took over last
_at_rest: dict[str, Any] = {}  # the environment, the folder and the path, as they are before each call
_loaded: dict[str, tuple[int, ...]] = {}  # the files of the user's own modules, as they were when first seen
_MOST_WITHDRAWN: Final = 10_000


def make_call(packed: bytes, bulk: Bulk | None, inputs: Sequence[Made]) -> Made | None:
    """Make the call in a letter, and send home what came of it; return what is too large for that."""
    letter: Letter = pickle.loads(packed)  # noqa: S301 - Dask itself runs whatever comes from a client
    return copy_context().run(_make_call, letter, bulk, inputs)  # the thread is the worker's, and others' next


def _make_call(letter: Letter, bulk: Bulk | None, inputs: Sequence[Made]) -> Made | None:
    from distributed import get_worker

    worker: Any = get_worker()
    wire = Wire(worker, letter, str(worker.get_current_task()))
    link, was_large, made, outcome = HomeLink(wire), bulk is not None or bool(inputs), None, None
    try:
        if not all(there.is_still(wanted) for wanted, there in zip(letter.wanted, inputs, strict=True)):
            lost = [n for n, w in enumerate(letter.wanted) if not inputs[n].is_still(w)]
            wire.send(LOST, pack(lost))
            return None
        outcome = _made(letter, bulk, inputs, link, worker)
        made = _left(outcome)
        link.close_call()
        packed = packed_outcome(outcome)
        if packed.size > SMALL and made is None and outcome.error is None:
            made = _left(outcome, at_least=0)
            packed = packed_outcome(outcome)
        wire.send(OUTCOME, packed)
    except OSError:  # nobody is there any more
        return None
    finally:
        del outcome
        let_go(was_large)
    return made


def _made(letter: Letter, bulk: Bulk | None, inputs: Sequence[Made], link: HomeLink, worker: Any) -> Outcome:
    begun = _Begun(link.transport)  # type: ignore[arg-type]
    outcome: Outcome | None = None
    try:
        with _striking:
            if letter.call in _withdrawn:
                return _cancelled()
            _begun[letter.call] = begun
        if letter.tells_begin:
            begun.wire.send(BEGIN, pack(None))
        _prepare(letter)
        stream, buffers = letter.packed
        writable = [_writable(buffer) for buffer in (bulk.buffers if bulk is not None else buffers)]
        values = [there.values[wanted.variable] for wanted, there in zip(letter.wanted, inputs, strict=True)]
        with beside(values):
            outcome = make_for(link, stream, writable, f"Dask worker {worker.name}")
        with _striking:
            begun.ident = None
        _note(letter.modules)
    except TaskCancelled:  # just before the call, or when it was over
        outcome = outcome or _cancelled()
    finally:
        with _striking:
            begun.ident = None
            _begun.pop(letter.call, None)
    return outcome


def _cancelled() -> Outcome:
    outcome = Outcome("")
    outcome.error = TaskCancelled()
    return outcome


def _writable(buffer: Any) -> Any:
    """Return a buffer that an array may be written to in."""
    return bytearray(buffer) if memoryview(buffer).readonly else buffer


def _prepare(letter: Letter) -> None:
    """Let this process be as the one that the call comes from."""
    with _preparing:
        if not _taken[0]:
            _taken[0] = True
            stand_apart(letter.group)
            open_inheritance()
            stand_in()
            threading.Thread(target=_keep_watch, name="graflow-watch", daemon=True).start()
        if letter.versions != versions.versions() and (found := versions.differences(letter.versions)):
            raise BackendError(
                f"a Dask worker has other versions than the run: {', '.join(found)}. What one writes the other "
                f"might not read: install the same in both places"
            )
        is_alone = len(_begun) == 1
        if is_alone and _at_rest:
            restore_quick(_at_rest)  # what the call before has changed, this one must not see
        digest, mirrored = letter.mirror
        if digest != _taken[1]:
            take_over_afar(mirrored)
            _taken[1] = digest
            _at_rest.clear()
        if not _at_rest:
            _at_rest.update(current_quick())
        _load_anew(letter.modules)


def _keep_watch() -> None:
    """Break off calls that nobody waits for any more."""
    while True:
        time.sleep(_TURN)
        for name, begun in list(_begun.items()):
            if not begun.wire.is_wanted:
                strike([name])


def _note(modules: Sequence[str]) -> None:
    """Take note of how the files are of the user's own modules that were loaded here."""
    for name in modules:
        if name not in _loaded and (file := getattr(sys.modules.get(name), "__file__", None)):
            _loaded[name] = state_of(file)


def _load_anew(modules: Sequence[str]) -> None:
    """Let go of the user's own modules whose files have changed since they were loaded here."""
    is_any = False
    for name in modules:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is None:
            continue
        state = state_of(file)
        if _loaded.setdefault(name, state) != state:
            is_any = True
    if is_any:
        for name in modules:  # those that import it have parts of it
            sys.modules.pop(name, None)
            _loaded.pop(name, None)
        importlib.invalidate_caches()


def _left(outcome: Outcome, at_least: int = SMALL) -> Made | None:
    """Take the large values out of an outcome, and return them."""
    if outcome.error is not None:
        return None
    values: dict[str | None, Any] = {None: outcome.value}
    values.update(outcome.variables)
    sizes = {name: _size(value, at_least) for name, value in values.items()}
    large = {name: value for name, value in values.items() if sizes[name] > SMALL and _may_stay(value)}
    if not large:
        return None
    nonce = uuid.uuid4().hex
    for name, value in list(large.items()):
        if (refusal := is_sendable(value)) is not None:
            if name is None:
                outcome.error = unsendable(outcome.name, [("its result", "result", value)], refusal)
                return None
            del large[name], values[name]
            continue
        values[name] = Left(nonce, sizes[name], described(value))
    outcome.value = values.pop(None)
    outcome.variables = {name: value for name, value in values.items() if name is not None}
    prints = {name: outcome.prints[name] for name in large if name in outcome.prints}
    return Made(nonce, prints, large, sum(sizes[name] for name in large)) if large else None


def _may_stay(value: Any) -> bool:
    """Whether a value may be kept here: of an iterator it must be known there that it is one."""
    return not hasattr(type(value), "__next__")


def _size(value: Any, at_least: int) -> int:
    """Return roughly how many bytes a value has; exactly as it travels, if `at_least` is 0."""
    from dask.sizeof import sizeof

    if not at_least:
        with suppress(Exception):
            return pack(value).size
    try:
        return int(sizeof(value))
    except Exception:
        return 0


def part(made: Made, variable: str | None) -> Made:
    """Return one of several values by itself; it is the same object."""
    from dask.sizeof import sizeof

    value = made.values[variable]
    prints = {variable: made.prints[variable]} if variable in made.prints else {}
    return Made(made.nonce, prints, {variable: value}, int(sizeof(value)))


# What home has done here, by `distributed.Client.run`: on the thread of the worker's event loop, so it is quick.


def answer(call: str, kind: bytes, parts: Sequence[bytes]) -> None:
    """Bring an answer to a call."""
    if (begun := _begun.get(call)) is not None:
        begun.wire.answers.put((kind, parts[0], [bytearray(buffer) for buffer in parts[1:]]))


def unpark(ticket: str) -> list[bytes]:
    """Give a large message out."""
    return _parked.pop(ticket, (0.0, []))[1]


def strike(calls: Sequence[str]) -> list[str]:
    """Break calls off; return those that had begun here."""
    struck = []
    with _striking:
        for call in calls:
            begun = _begun.get(call)
            if begun is None:
                _refuse(call)
                continue
            struck.append(call)
            if begun.ident is not None:
                raise_in_thread(begun.ident, TaskCancelled)
    return struck


def withdraw(calls: Sequence[str]) -> list[str]:
    """Let calls not begin any more; return those that have."""
    with _striking:
        for call in calls:
            if call not in _begun:
                _refuse(call)
        return [call for call in calls if call in _begun]


def _refuse(call: str) -> None:
    _withdrawn[call] = None
    while len(_withdrawn) > _MOST_WITHDRAWN:
        del _withdrawn[next(iter(_withdrawn))]


def is_intact_here(keys: Sequence[str], variable: str | None, was: Any, dask_worker: Any = None) -> bool:
    """Whether a value is as it was made, in each of the copies of it that this worker has."""
    there = [dask_worker.data.get(key) for key in keys]
    held = [made.values[variable] for made in there if isinstance(made, Made) and variable in made.values]
    return was is None or all(is_as_it_was(value, was) for value in held)
