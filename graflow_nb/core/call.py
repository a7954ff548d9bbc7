"""One call of a task, what comes back from it, and who may stand round it."""

from __future__ import annotations

import threading
import time
from asyncio import CancelledError
from typing import TYPE_CHECKING, Any, Protocol

from graflow_nb.core.away import Away, fetched
from graflow_nb.core.commands import COMMANDS
from graflow_nb.core.errors import LostError, NoResultError, TaskCancelled
from graflow_nb.core.scope import opened, running
from graflow_nb.core.task import Defined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextvars import Context

    from graflow_nb.core.arguments import Binding
    from graflow_nb.core.commands import Command
    from graflow_nb.core.context import TaskContext
    from graflow_nb.core.task import Task

NOTHING: Mapping[Any, Any] = {}  # no proxy of one: it travels


class Produced:
    """What a task made: its result, and the variables it defines.

    Parameters
    ----------
    task_name : str
    values : mapping of (str or None) to object
        The variables by name, and the result under None; those that are at hand, and an `Away` for one that
        stayed where it was made.
    prints : mapping of (str or None) to object
        The fingerprint of each variable that there is, and of the result; the cache's own.
    load : callable, optional
        Fetches a value that is not at hand, by its name; only a reused result has it.
    unsent : mapping of str to str
        The variables that stayed in the process of the call, and why they could not be sent.
    """

    __slots__ = ("_away", "_load", "_values", "prints", "task_name", "unsent")

    def __init__(
        self,
        task_name: str,
        values: Mapping[str | None, Any],
        prints: Mapping[str | None, Any] = NOTHING,
        load: Callable[[str | None], Any] | None = None,
        unsent: Mapping[str, str] = NOTHING,
    ) -> None:
        self.task_name = task_name
        self.unsent = unsent
        self.prints = prints
        self._values = values
        self._load = load
        self._away: dict[str | None, Away] | None = None  # those of which there are copies at hand

    @property
    def at_hand(self) -> Mapping[str | None, Any]:
        """The values that need not be loaded: those that are at hand, and an `Away` for one that is elsewhere."""
        return self._values

    def has_at_hand(self, variable: str | None) -> bool:
        """Whether a value is here, and need not be fetched."""
        return variable in self._values and type(self._values[variable]) is not Away

    @property
    def is_reused(self) -> bool:
        """Whether an earlier run made it, or somebody spoiled it: a value may have to be fetched."""
        return self._load is not None

    @property
    def value(self) -> Any:
        """The result; raises as `get` does."""
        return self.get(None)

    @property
    def variables(self) -> list[str]:
        """The names of the variables that there are."""
        return [name for name in (self.prints or self._values) if name is not None and name != COMMANDS]

    @property
    def has_commands(self) -> bool:
        """Whether its task asked for something."""
        return COMMANDS in (self.prints or self._values)

    @property
    def commands(self) -> Sequence[Command]:
        """What its task asked of the run; raises `LostError` if that is no longer there."""
        return self.get(COMMANDS) if self.has_commands else ()

    def get(self, variable: str | None) -> Any:
        """Return a variable, or the result for None.

        Raises
        ------
        NoResultError
            If the task did not assign the variable.
        LostError
            If the value is no longer there.
        """
        if variable in self._values:
            value = self._values[variable]
            if type(value) is not Away:
                return value
        value = self._loaded(variable)
        return self._fetched(variable, value) if type(value) is Away else value

    def unfetched(self, variable: str | None) -> Any:
        """Return a variable as `get` does, but an `Away` for one that is elsewhere, fetched or not."""
        return self._away[variable] if self._away and variable in self._away else self._loaded(variable)

    def away(self, variable: str | None) -> Sequence[Away]:
        """Return what of a variable is elsewhere."""
        value = self.unfetched(variable)
        return (value,) if type(value) is Away else ()

    def _fetched(self, variable: str | None, away: Away) -> Any:
        try:
            value, kept = away.fetch(), {variable: away}
        except LostError:
            if self._load is None:
                raise
            value, kept = fetched(self._load(variable)), {}  # there may be another one on disk
        self._away = {**(self._away or {}), **kept}
        self._values = {**self._values, variable: value}
        return value

    def _loaded(self, variable: str | None) -> Any:
        if variable in self._values:
            return self._values[variable]
        if self._load is None or variable not in self.prints:
            raise self._none_of(variable)
        value = self._load(variable)
        self._values = {**self._values, variable: value}
        return value

    def print_of(self, variable: str | None) -> Any:
        """Return the fingerprint of a variable, or of the result for None; raises as `get` does."""
        try:
            return self.prints[variable]
        except KeyError:
            raise self._none_of(variable) from None

    def _none_of(self, variable: str | None) -> NoResultError:
        if variable is not None and variable in self.unsent:
            return NoResultError(f"task {self.task_name!r}: {self.unsent[variable]}")
        return NoResultError(f"task {self.task_name!r} did not assign {variable!r} in its last run")

    def spoil(self, load: Callable[[str | None], Any]) -> None:
        """Let go of the values, which somebody changed in place; `load` fetches them as they were made."""
        self._values, self._load, self._away = {}, load, None

    def drop_copies(self) -> bool:
        """Let go of copies of what is elsewhere; return whether there were any."""
        if not self._away:
            return False
        self._values, self._away = {**self._values, **self._away}, None
        return True


class Outcome:
    """What came of a call: never raised, always returned.

    Attributes
    ----------
    name : str
    value : object
        What it returned.
    variables : mapping of str to object
        The variables it defined.
    error : BaseException or None
    outputs : sequence of dict
        What it printed and displayed, as nbformat outputs.
    commands : sequence of Command
        What it asked of its run.
    number : int
        That of the call.
    started, ended : float
        `time.perf_counter`, seconds.
    worker : str
    prints : mapping
        As in `Produced`.
    kept : object
        What the cache noted where the call was made; its own.
    unsent : mapping of str to str
        As in `Produced`.
    """

    __slots__ = (
        "commands", "ended", "error", "kept", "name", "number", "outputs", "prints", "started", "unsent", "value",
        "variables", "worker",
    )  # fmt: skip

    def __init__(self, name: str, number: int = 0) -> None:
        self.name = name
        self.value: Any = None
        self.variables: Mapping[str, Any] = {}
        self.error: BaseException | None = None
        self.outputs: Sequence[dict[str, Any]] = ()
        self.commands: Sequence[Command] = ()
        self.number = number
        self.prints: dict[str | None, Any] = {}
        self.kept: Any = None
        self.unsent: Mapping[str, str] = NOTHING
        self.worker = ""
        self.started = self.ended = time.perf_counter()

    def produced(self) -> Produced:
        """Return what the call made, without how."""
        values: dict[str | None, Any] = {None: self.value}
        values.update(self.variables)
        if self.commands:
            values[COMMANDS] = self.commands
        return Produced(self.name, values, self.prints, unsent=self.unsent)


class Around(Protocol):
    """Something that happens round every call, where the call happens: capture, fingerprints.

    Of a call that is made elsewhere, `remote` and `take` do here what has to be done here; what `remote` returns
    is sent with the call, and its `before` and `after` do the rest where the call is made.
    """

    def before(self, call: Call) -> None:
        """Prepare; what it raises is the call's error."""

    def after(self, call: Call, outcome: Outcome) -> None:
        """Look at the outcome, and add to it."""

    def remote(self, call: Call) -> Around | None:
        """Prepare, and return what has to stand round the call elsewhere; what it raises is the call's error."""

    def take(self, call: Call, outcome: Outcome) -> None:
        """Look at what came back, and add to it; of a call that was lost, an error is all there is."""


class Call:
    """A task's function with its arguments, ready to run anywhere.

    Parameters
    ----------
    task : Task
    fn : callable
    args, kwargs
        The arguments.
    context : TaskContext
    variables : contextvars.Context
        In which the call runs.
    around : sequence of Around
        The first is the outermost.
    binding, inputs
        Where the arguments came from, and what those tasks produced.
    key
        What the cache decided on; its own.
    number : int
        Which call of the run it is.
    """

    __slots__ = (
        "args", "around", "binding", "context", "fn", "inputs", "key", "kwargs", "number", "task", "variables",
    )  # fmt: skip

    def __init__(
        self,
        task: Task,
        fn: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        context: TaskContext,
        variables: Context,
        around: Sequence[Around] = (),
        binding: Binding | None = None,
        inputs: Mapping[str, Produced] | None = None,
        key: Any = None,
        number: int = 0,
    ) -> None:
        self.task = task
        self.number = number
        self.fn = fn
        self.args = args
        self.kwargs = kwargs
        self.context = context
        self.variables = variables
        self.around = around
        self.binding = binding
        self.inputs = inputs or {}
        self.key = key

    def run(self) -> Outcome:
        """Make the call here and now."""
        return self.variables.run(self._run)

    def _run(self) -> Outcome:
        outcome, entered = self._begin(), 0
        try:
            for around in self.around:
                around.before(self)
                entered += 1
            if self.context.is_stopped:
                raise TaskCancelled  # noqa: TRY301 - as if it had been struck in the call
            _take(outcome, self.fn(*self.args, **self.kwargs))
        except BaseException as error:
            outcome.error = error
        return self._end(outcome, entered)

    async def arun(self) -> Outcome:
        """Make the call of a coroutine function on the loop that awaits this, in `variables`."""
        outcome, entered = self._begin(), 0
        try:
            for around in self.around:
                around.before(self)
                entered += 1
            _take(outcome, await self.fn(*self.args, **self.kwargs))
        except CancelledError as error:
            outcome.error = TaskCancelled() if self.context.cancelled else error
        except BaseException as error:
            outcome.error = error
        return self._end(outcome, entered)

    def _begin(self) -> Outcome:
        running.set(self.context)
        opened.set(None)
        outcome = Outcome(self.task.name, self.number)
        self.context.begun = outcome.started
        return outcome

    def _end(self, outcome: Outcome, entered: int) -> Outcome:
        outcome.commands = self.context.close()
        for around in reversed(self.around[:entered]):
            try:
                around.after(self, outcome)
            except BaseException as error:
                outcome.error = outcome.error or error
        outcome.ended = time.perf_counter()  # figures are drawn when the call is over, and that is its time too
        outcome.worker = threading.current_thread().name
        return outcome


def _take(outcome: Outcome, value: Any) -> None:
    if type(value) is Defined:
        outcome.value, outcome.variables = value
    else:
        outcome.value = value
