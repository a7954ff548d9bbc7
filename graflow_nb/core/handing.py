"""Calls with their arguments: what tasks made before, handed on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.core.arguments import Constant, FromChannel, Gathered, Missing, Upstream
from graflow_nb.core.call import Call
from graflow_nb.core.context import TaskContext
from graflow_nb.core.errors import MissingArgumentError
from graflow_nb.core.state import RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_nb.core.arguments import Source
    from graflow_nb.core.away import Away
    from graflow_nb.core.call import Produced
    from graflow_nb.core.task import Task

    Takes = Callable[[Away], bool]


class Handing(RunState):
    """The part of `graflow_nb.core.runner.Runner` that puts calls together."""

    def _call(self, task: Task, takes: Takes | None) -> Call:
        """Return the call of a task; it is handed as they are those values that are elsewhere and are taken so."""
        binding = self._bindings[task.name]
        if isinstance(binding, Missing):  # only for a task that was born in the run
            raise MissingArgumentError(binding.message)
        context = TaskContext(task, self._around_it, self._cycles.get(task.name, 1) if self._cycles else 1)
        if task.name in self._untidy:
            context.volatile["channel in an attempt that failed"] = None
        made = self._made
        args = [
            made[source.task].get(source.variable)
            if type(source) is Upstream and takes is None
            else self._value(source, context, takes)
            for _, source in binding.positional
        ]
        kwargs = {name: self._value(source, context, takes) for name, source in binding.keyword}
        fn = task.fn
        if self._settings.scope is not None:
            free = {name: self._value(source, context, takes) for name, source in binding.free.items()}
            fn = self._settings.scope.enter(task, free)
        variables, key = self._variables.copy(), self._keys.get(task.name)
        if self._reuse is not None:
            self._reuse.hand_out(binding, key, self._made, takes)
        number = next(self._numbers)
        return Call(task, fn, args, kwargs, context, variables, self._around, binding, self._made, key, number)

    def _value(self, source: Source, context: TaskContext, takes: Takes | None) -> Any:
        if type(source) is Upstream:
            return handed(self._made[source.task], source.variable, takes)
        if type(source) is Constant:
            return source.value
        if type(source) is Gathered:
            return [handed(self._made[task], None, takes) for task in source.tasks]
        return context.get_channel().get(source.key) if type(source) is FromChannel else context


def handed(produced: Produced, variable: str | None, takes: Takes | None) -> Any:
    """Return a value as it is handed to a call; raises as `Produced.get` does."""
    away = produced.away(variable) if takes is not None else ()
    if away and takes is not None and all(takes(one) and not one.is_lost for one in away):
        return produced.unfetched(variable)
    return produced.get(variable)
