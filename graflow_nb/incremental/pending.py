"""A call of a task on its way: what is known before it is made, and what was noted while it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.incremental.trace.recorder import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graflow_nb.core.away import Away
    from graflow_nb.incremental.entry import Used
    from graflow_nb.incremental.key import Key
    from graflow_nb.incremental.look import Look


class Pending:
    """What was known of a task when it was decided that it has to run.

    Attributes
    ----------
    key, digest
        As in `graflow_nb.incremental.cache.Found`.
    trace : tuple of Used
        What its last run was seen to use.
    stored_as : str
        The name under which its result is kept.
    is_lasting : bool
        False: its values are let go of when the run ends.
    held : sequence of Held
        What the call was handed.
    look : Look or None
        Looks at the call, while it is made here.
    """

    __slots__ = ("digest", "held", "is_lasting", "key", "look", "stored_as", "trace")

    def __init__(
        self, key: Key, digest: bytes | None, trace: tuple[Used, ...], stored_as: str, *, is_lasting: bool = True
    ) -> None:
        self.stored_as = stored_as
        self.key = key
        self.digest = digest
        self.trace = trace
        self.is_lasting = is_lasting
        self.held: Sequence[Held] = ()
        self.look: Look | None = None


class Held(NamedTuple):
    """A result that a call was handed, and that could be changed or name a file.

    Attributes
    ----------
    argument : str
        The name under which the task has it.
    task : str
        The task that made it.
    value : object
    print : bytes
        Its fingerprint when it was made.
    holders : set of str
        The running tasks that were handed this very object.
    away : sequence of Away
        What of it is elsewhere, and handed on as it is.
    """

    argument: str
    task: str
    value: Any
    print: bytes
    holders: set[str]
    away: Sequence[Away] = ()


class Seen:
    """What was noted where a call was made.

    Attributes
    ----------
    prints : dict
        The fingerprints of what it made.
    size : int
        How many bytes were hashed for them.
    changed : list of int
        Which of its inputs are no longer as they were.
    against : list of str
        Why its result must not be reused.
    observed : Observed
    noted : list of Used
        What it used of the run.
    """

    __slots__ = ("against", "changed", "noted", "observed", "prints", "size")

    def __init__(self) -> None:
        self.prints: dict[str | None, bytes] = {}
        self.size = 0
        self.changed: list[int] = []
        self.against: list[str] = []
        self.observed = NOTHING
        self.noted: list[Used] = []
