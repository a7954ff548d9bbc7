"""A call that is made elsewhere, seen from its run: what is sent, the talk with it, and what comes back.

Nothing here knows how messages travel.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from graflow_nb.backends.answers import Answers
from graflow_nb.backends.failures import error_of
from graflow_nb.backends.packing import pack, unpack, unsendable
from graflow_nb.backends.there import ANSWER, ASK, PARTS, REFUSAL, TELL
from graflow_nb.core.call import Outcome
from graflow_nb.core.errors import UnsendableError, WorkerLostError, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graflow_nb.backends.packing import Packed
    from graflow_nb.core.away import Away
    from graflow_nb.core.job import Job, Sent

_log = logging.getLogger("graflow_nb")


class HomeEnd:
    """The run's end of the talk with one call that is made elsewhere.

    Parameters
    ----------
    sent : Sent
    is_far : bool
        Whether it may be on another machine, whose clock is another one.
    """

    def __init__(self, sent: Sent, *, is_far: bool = False) -> None:
        self._sent = sent
        self._is_far = is_far
        self._answers = Answers(sent.call)

    def take(
        self, kind: bytes, stream: Any, buffers: Sequence[Any], reply: Callable[[bytes, Packed], None]
    ) -> Outcome | None:
        """Answer what is asked, and do what is told; return the outcome, if that is what came.

        Parameters
        ----------
        kind, stream, buffers
            The message.
        reply : callable
            Sends an answer.
        """
        if kind == ASK:
            reply(*self._answer(stream, buffers))
            return None
        if kind == TELL:
            told, progress = unpack(stream, buffers)
            self._sent.inside(_do_all, told)
            if progress is not None:
                self._sent.call.context.progress(*progress)
            return None
        outcome = outcome_of(self._sent, stream, buffers)
        begun = self._sent.call.context.begun
        if self._is_far and begun is not None:
            outcome.started, outcome.ended = begun, begun + outcome.ended - outcome.started
        return self._sent.taken(outcome)

    def close(self) -> None:
        """Give back what the call still holds: whoever made it may be gone."""
        self._answers.close()

    def _answer(self, stream: Any, buffers: Sequence[Any]) -> tuple[bytes, Packed]:
        try:
            question, args = unpack(stream, buffers)
            return ANSWER, pack(self._sent.inside(self._answers, question, args))
        except Exception as error:
            try:
                return REFUSAL, pack(error)
            except Exception:
                return REFUSAL, pack(UnsendableError(describe(error)))


def packed_job(job: Job, number: Callable[[Away], int] | None = None) -> Packed:
    """Return a job as it travels; `number` as in `pack`.

    Raises
    ------
    UnsendableError
        Naming what of it cannot be sent.
    """
    try:
        return pack((*job,), number)  # a plain tuple takes half the time
    except Exception as error:
        arguments = [("its argument", f"argument {place}", value) for place, value in enumerate(job.args, 1)]
        named = [("its argument", name, value) for name, value in job.kwargs.items()]
        code = ("its code", getattr(job.fn, "__name__", job.name), job.fn)
        raise unsendable(job.name, [*arguments, *named, code], error) from error


def outcome_of(sent: Sent, stream: Any, buffers: Sequence[Any]) -> Outcome:
    """Return the outcome that came back.

    Raises
    ------
    UnsendableError
        If it cannot be read here.
    """
    call = sent.call
    try:
        parts, failure = unpack(stream, buffers)
    except Exception as error:
        raise UnsendableError(
            f"task {call.task.name!r}: what it made cannot be read here ({describe(error)})"
        ) from error
    found = Outcome(call.task.name, call.number)
    for name, part in zip(PARTS, parts, strict=True):
        setattr(found, name, part)
    if failure is not None:
        found.error = error_of(failure)
    return found


def lost(task: str, how: str) -> WorkerLostError:
    """Return the error of a call whose process ended before it."""
    return WorkerLostError(
        f"the process of task {task!r} ended before the task did ({how}). If nobody killed it, it crashed, or the "
        f"system was short of memory"
    )


def _do_all(told: Sequence[tuple[Callable[..., Any], Any]]) -> None:
    for do, args in told:
        try:
            do(*args)
        except Exception:  # such as a stream that was closed: the task must not fail for it
            _log.exception("what a task showed could not be shown")
