"""What a running task knows of its run, and may ask of it."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Any

from graflow_nb.core.commands import Again, Command, End, Next, Skip
from graflow_nb.core.compose import as_composable
from graflow_nb.core.errors import CycleLimitError, NoContextError, TaskDefinitionError
from graflow_nb.core.scope import running
from graflow_nb.core.surroundings import ABSENT, Surroundings
from graflow_nb.core.task import Task
from graflow_nb.core.task_channel import TaskChannel

if TYPE_CHECKING:
    from numpy.random import Generator

    from graflow_nb.core.arguments import Binding
    from graflow_nb.core.compose import Operand
    from graflow_nb.core.run import TaskRecord
    from graflow_nb.core.typed_channel import TypedChannel

_making = Lock()


class TaskContext:
    """The context of one running task; `context` in a cell, or the first parameter of an injected function.

    Parameters
    ----------
    task : Task
    surroundings : Surroundings
    cycle : int
        Which call of it this is in the run, from 1.

    Attributes
    ----------
    task_name : str
        The running task.
    commands : list of Command
        What it asked for so far.
    volatile : dict
        The names of what was used here that is another in each run: a result that may depend on it is not
        reused.
    noted : dict of (str, str) to object
        What was used here that can be looked at again, as `Surroundings.look` tells it: kind and name, with
        what was seen at first.
    is_stopped : bool
        Whether this task alone was cancelled.
    begun : float or None
        When the call was begun, `time.perf_counter`.
    """

    __slots__ = (
        "_channel", "_cycle", "_max_cycles", "_prefix", "_rng", "_surroundings", "begun", "commands", "is_stopped",
        "noted", "task_name", "volatile",
    )  # fmt: skip

    def __init__(self, task: Task, surroundings: Surroundings, cycle: int = 1) -> None:
        self.task_name = task.name
        self._cycle = cycle
        self.commands: list[Command] = []
        self.volatile: dict[str, None] = {}
        self.noted: dict[tuple[str, str], Any] = {}
        self.is_stopped = False
        self.begun: float | None = None
        self._max_cycles = task.options.max_cycles
        self._prefix = task.prefix
        self._surroundings = surroundings
        self._channel: TaskChannel | None = None
        self._rng: Generator | None = None
        if surroundings.rounds and (this := surroundings.rounds.get(task.name)) is not None:
            self.noted["round", task.name] = this

    @property
    def cycle_count(self) -> int:
        """Which call of this task this is in the run, from 1; `next_iteration` asks for the next."""
        self.noted["cycle", self.task_name] = self._cycle
        return self._cycle

    @property
    def cycle(self) -> int:
        """The same as `cycle_count`; not for tasks, which would be seen to use none of it."""
        return self._cycle

    @property
    def surroundings(self) -> Surroundings:
        """What the task shares with others of its run; not for tasks, which would be seen to use none of it."""
        return self._surroundings

    @property
    def run_id(self) -> str:
        """Unique to this run."""
        self.volatile["run_id"] = None
        return self._surroundings.run_id

    @property
    def session_id(self) -> str:
        """Graflow's name for `run_id`."""
        return self.run_id

    @property
    def elapsed_time(self) -> float:
        """Seconds since the run began."""
        self.volatile["elapsed_time"] = None
        return time.perf_counter() - self._surroundings.started

    @property
    def cancelled(self) -> bool:
        """Whether the run, or this task, was cancelled; a long loop looks here and ends early."""
        return self.is_stopped or self._surroundings.is_cancelled

    @property
    def rng(self) -> Generator:
        """Random numbers of this task's own: a `numpy.random.Generator`.

        Made from the workflow's seed and the task's name, so they are the same in each run, in any order and
        anywhere. Without a seed they differ each time, and the result is not reused.

        Examples
        --------
        >>> from graflow_nb import context, task, workflow
        >>> with workflow("example", seed=1) as flow:
        ...     @task
        ...     def draw():
        ...         return context.rng.random()
        >>> flow.execute() == flow.execute()
        True
        """
        if self._rng is None:
            import numpy as np

            seed = self._surroundings.seed
            if seed is None:
                self.volatile["rng (the workflow has no seed)"] = None
                self._rng = np.random.default_rng()
            else:
                self.noted["seed", self.task_name] = seed
                words = [seed % 2**64, *self.task_name.encode(), *([self._cycle] * (self.cycle_count > 1))]
                self._rng = np.random.default_rng(np.random.SeedSequence(words))
        return self._rng

    def progress(self, fraction: float | None, text: str = "") -> None:
        """Say how far the task is; whoever watches the run sees it.

        Parameters
        ----------
        fraction : float or None
            Between 0 and 1; None if that cannot be told.
        text : str
            A few words, such as ``"epoch 4"``.
        """
        known = None if fraction is None else min(max(float(fraction), 0.0), 1.0)
        self._surroundings.progress(self.task_name, known, str(text))

    @property
    def is_captured(self) -> bool:
        """Whether what it prints and displays is kept apart from what other tasks do."""
        return self._surroundings.is_captured

    def runs_on(self, worker: str) -> None:
        """Say which worker the task runs on; whoever watches the run sees it."""
        self._surroundings.runs_on(self.task_name, worker)

    def is_beside(self, task: Task) -> bool:
        """Whether a task takes part in the same run as this one."""
        return self._surroundings.has(task, self._prefix)

    def _named(self, name: str) -> str:
        """Return the name that a task has in this run; of two, that of this task's own workflow."""
        return self._surroundings.named(name, self._prefix)

    def get_channel(self) -> TaskChannel:
        """Return the run's channel: values that its tasks share, by key.

        What the task reads there counts as its input, and what it writes is written again when its result
        is reused.

        Examples
        --------
        >>> from graflow_nb import task, workflow
        >>> with workflow("example") as flow:
        ...     @task(inject_context=True)
        ...     def first(context):
        ...         context.get_channel().set("rows", 120)
        ...     @task(inject_context=True)
        ...     def second(context, first):
        ...         return context.get_channel().get("rows")
        >>> flow.run().results["second"]
        120
        """
        if self._channel is None:
            with _making:  # a task may start threads, and what any of them reads counts
                around = self._surroundings
                self._channel = self._channel or TaskChannel(around.channel, look=around.content_of)
        return self._channel

    @property
    def channel(self) -> TaskChannel:
        """The same as `get_channel()`."""
        return self.get_channel()

    def get_typed_channel(self, schema: type[Any]) -> TypedChannel:
        """Return the run's channel, checked: its keys and their types are those of a schema.

        Parameters
        ----------
        schema : type
            A TypedDict, a dataclass or a pydantic model.
        """
        from graflow_nb.core.typed_channel import TypedChannel

        return TypedChannel(self.get_channel(), schema)

    def get_result(self, task: str | Task, default: Any = None) -> Any:
        """Return what a task made in this run, or `default` if it has not made anything so far.

        Only the result of a task that comes before this one is sure to be there: better, take it as a parameter.
        """
        name = self._named(str(getattr(task, "name", task)))
        seen, value = self._surroundings.fetch(name)
        self.noted.setdefault(("result", name), seen)
        return default if value is ABSENT else value

    def set_local_data(self, key: str, value: Any) -> None:
        """Keep something for the next calls of this task in this run (`next_iteration`, or a retry)."""
        self.volatile["set_local_data"] = None
        self._surroundings.keep(self.task_name, key, value)

    def get_local_data(self, key: str, default: Any = None) -> Any:
        """Return what an earlier call of this task in this run has kept."""
        self.volatile["get_local_data"] = None
        return self._surroundings.kept(self.task_name, key, default)

    def next_task(self, task: Operand | str, *, goto: bool = False) -> None:
        """Let a task run after this one, in this run only: the workflow's own graph does not change.

        A new task runs before those that are wired after this one; with one parameter, it gets this task's
        result. One that takes part in the run already is jumped to: what is wired after this task is skipped, but
        for that task and what comes after it.

        Parameters
        ----------
        task : Task, chain or group, or str
            The name of a task stands for one that takes part in the run.
        goto : bool
            Jump to a new task too: what is wired after this one is skipped.

        Raises
        ------
        TaskDefinitionError
            If that is not a task, nor made of tasks.
        """
        if isinstance(task, Task) and self.is_beside(task):
            task = task.name
        if isinstance(task, str):
            self.commands.append(Next(self._named(task), is_jump=True))
            return
        try:
            tasks = as_composable(task, "next_task()")
        except TaskDefinitionError:
            raise TaskDefinitionError(
                f"task {self.task_name!r} called next_task() with {type(task).__name__!r}: it takes a task, "
                f'for example TaskWrapper("name", function), or a chain or group of tasks'
            ) from None
        self.commands.append(Next(tasks, goto))

    def can_iterate(self) -> bool:
        """Whether `next_iteration` may be called: there are calls left of the task's `max_cycles`."""
        self.noted["max_cycles", self.task_name] = self._max_cycles
        return self.cycle_count < self._max_cycles

    def next_iteration(self, data: Any = None) -> None:
        """Let this task run once more, before anything that is wired after it.

        What it asked for by `next_task` comes after the last call, and gets what that returned.

        Parameters
        ----------
        data : object
            Fills the first parameter that is not injected, if there is one.

        Raises
        ------
        CycleLimitError
            If the task has had all the calls that it gets: ``@task(max_cycles=…)``.
        """
        if not self.can_iterate():
            raise CycleLimitError(
                f"task {self.task_name!r} has been called {self._cycle} times in this run and asks "
                "for another iteration: end the loop (context.can_iterate() tells), or allow more: "
                "@task(max_cycles=…)"
            )
        self.commands = [command for command in self.commands if not isinstance(command, Again)]
        self.commands.append(Again(data))

    def skip(self, note: str = "") -> None:
        """Say that there was nothing to do: the task is shown as skipped, and what is wired after it runs."""
        self.commands.append(Skip(str(note)))

    async def ask(self, task: Task, binding: Binding, **options: Any) -> TaskRecord:
        """Let another task run, as a node of this run, and await its end; for tasks that are coroutines.

        Parameters
        ----------
        task : Task
            Made for it (`Task.apart`), with a name that is free in this run, or that of one asked for before.
        binding : Binding
            Its arguments.
        **options
            `after`, `skip` and `force`, as in `graflow_nb.core.asking.Ask`.

        Returns
        -------
        TaskRecord
            What became of it; what a failure means is for this task to say.
        """
        from graflow_nb.core.asking import ask

        return await ask(self._surroundings, self.task_name, task, binding, **options)

    def terminate_workflow(self, message: str = "") -> None:
        """End the run well: what runs now finishes, nothing new starts."""
        self.commands.append(End(str(message)))

    def cancel_workflow(self, message: str = "") -> None:
        """End the run as cancelled: `WorkflowContext.execute` raises `WorkflowCancelled` then."""
        self.commands.append(End(str(message), is_failure=True))

    def abandon(self) -> None:
        """Let the call go on in surroundings of its own: it took too long, or was cancelled, and does not end."""
        self._surroundings = Surroundings(seed=self._surroundings.seed)
        self._surroundings.cancelled.set()
        if self._channel is not None:
            self._channel.leave()

    def close(self) -> list[Command]:
        """Say that the call is over; return all that it asked for, what it wrote to the channel included."""
        channel = self._channel
        if channel is None:
            return self.commands
        channel.close()
        self.volatile |= channel.volatile
        for key, (kind, seen) in channel.reads.items():
            self.noted[_NOTED[kind], key] = ABSENT if kind == "absent" else seen
        return [*channel.writes, *self.commands]

    def __repr__(self) -> str:
        return f"<TaskContext of {self.task_name!r}>"


_NOTED = {
    "value": "channel",
    "absent": "channel",
    "exists": "channel key",
    "list": "channel list",
    "keys": "channel keys",
}


class _RunningContext:
    """Stands for the context of whichever task runs this code."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        here = running.get()
        if here is None:
            raise NoContextError(
                f"context.{name} is there only while a task runs; here no task is running. "
                f"In a thread of your own, take what you need from `context` before it starts."
            )
        return getattr(here, name)

    def __repr__(self) -> str:
        here = running.get()
        return repr(here) if here is not None else "<context: no task is running here>"


context: Any = _RunningContext()
"""The running task's `TaskContext`."""
