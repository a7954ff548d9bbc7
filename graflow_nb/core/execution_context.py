"""What is left of a run: its results and its channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.core.surroundings import ABSENT

if TYPE_CHECKING:
    from graflow_nb.core.channel import Channel
    from graflow_nb.core.surroundings import Surroundings
    from graflow_nb.core.task import Task
    from graflow_nb.core.typed_channel import TypedChannel


class ExecutionContext:
    """What is left of a run: its results and its channel; returned by ``execute(return_context=True)``.

    Attributes
    ----------
    run_id, session_id : str
    elapsed_time : float
        Seconds.
    """

    def __init__(self, run_id: str, elapsed_time: float, surroundings: Surroundings) -> None:
        self.run_id = self.session_id = run_id
        self.elapsed_time = elapsed_time
        self._surroundings = surroundings

    def get_channel(self) -> Channel:
        """Return the run's channel."""
        return self._surroundings.channel

    @property
    def channel(self) -> Channel:
        """The same as `get_channel()`."""
        return self._surroundings.channel

    def get_typed_channel(self, schema: type[Any]) -> TypedChannel:
        """Return the run's channel, checked; as `TaskContext.get_typed_channel`."""
        from graflow_nb.core.typed_channel import TypedChannel

        return TypedChannel(self._surroundings.channel, schema)

    def get_result(self, task: str | Task, default: Any = None) -> Any:
        """Return what a task made, or `default` if it made nothing."""
        _, value = self._surroundings.fetch(str(getattr(task, "name", task)))
        return default if value is ABSENT else value

    def __repr__(self) -> str:
        return f"<ExecutionContext of run {self.run_id[:8]}>"
