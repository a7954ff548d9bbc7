"""What a running task knows of its run, and may ask of it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import NoContextError, TaskDefinitionError
from graflow_nb.core.scope import running
from graflow_nb.core.task import Task

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from numpy.random import Generator

    from graflow_nb.core.run import TaskRecord


class TaskContext:
    """The context of one running task; `context` in a cell, or the first parameter of an injected function.

    Attributes
    ----------
    task_name : str
        The running task.
    next_tasks : list of Task
        What `next_task` was given so far.
    volatile : dict
        The names of what was used here that is another in each run: a result that may depend on it is not
        reused.
    used_seed : bool
        Whether it drew numbers made from the workflow's seed.
    is_stopped : bool
        Whether this task alone was cancelled.
    """

    __slots__ = (
        "_cancelled", "_records", "_rng", "_run_id", "_seed", "is_stopped", "next_tasks", "task_name", "used_seed",
        "volatile",
    )  # fmt: skip

    def __init__(
        self,
        task_name: str,
        run_id: str,
        cancelled: threading.Event,
        records: Mapping[str, TaskRecord] = MappingProxyType({}),
        seed: int | None = None,
    ) -> None:
        self.task_name = task_name
        self.next_tasks: list[Task] = []
        self.volatile: dict[str, None] = {}
        self._records = records
        self._run_id = run_id
        self._cancelled = cancelled
        self._seed = seed
        self._rng: Generator | None = None
        self.used_seed = False
        self.is_stopped = False

    @property
    def run_id(self) -> str:
        """Unique to this run."""
        self.volatile["run_id"] = None
        return self._run_id

    @property
    def session_id(self) -> str:
        """Graflow's name for `run_id`."""
        return self.run_id

    @property
    def cancelled(self) -> bool:
        """Whether the run, or this task, was cancelled; a long loop looks here and ends early."""
        return self.is_stopped or self._cancelled.is_set()

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

            if self._seed is None:
                self.volatile["rng (the workflow has no seed)"] = None
                self._rng = np.random.default_rng()
            else:
                self.used_seed = True
                words = [self._seed % 2**64, *self.task_name.encode()]
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
        record = self._records.get(self.task_name)
        if record is not None:
            known = None if fraction is None else min(max(float(fraction), 0.0), 1.0)
            record.progress = known, str(text)

    def runs_on(self, worker: str) -> None:
        """Say which worker the task runs on; whoever watches the run sees it."""
        record = self._records.get(self.task_name)
        if record is not None:
            record.worker = worker

    def is_beside(self, task: Task) -> bool:
        """Whether a task takes part in the same run as this one."""
        record = self._records.get(task.name)
        return record is not None and record.task is task

    def next_task(self, task: Task) -> None:
        """Let a new task run after this one, before those that are wired after this one.

        It belongs to this run only: the workflow's own graph does not change.

        Parameters
        ----------
        task : Task
            A task made here; with one parameter, it gets this task's result.

        Raises
        ------
        TaskDefinitionError
            If that is not a task.
        """
        if not isinstance(task, Task):
            raise TaskDefinitionError(
                f"task {self.task_name!r} called next_task() with {type(task).__name__!r}: it takes a task, "
                f'for example TaskWrapper("name", function)'
            )
        self.next_tasks.append(task)

    def __repr__(self) -> str:
        return f"<TaskContext of {self.task_name!r}>"


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
