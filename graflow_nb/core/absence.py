"""What a task is called with when some of its inputs were skipped."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from graflow_nb.core.arguments import Constant, Gathered, Upstream

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_nb.core.arguments import Binding, Source
    from graflow_nb.core.task import Task

_GONE: Any = object()


def adapted(
    task: Task, binding: Binding, is_gone: Callable[[str], bool], instead: str | None = None
) -> Binding | str:
    """Return a binding of what is there: a default for what is gone, and lists without it.

    Parameters
    ----------
    is_gone : callable
        Whether a task was skipped.
    instead : str, optional
        A task whose result takes the place of what is gone and has no default.

    Returns
    -------
    Binding or str
        The same binding, if all is there; a text if the task cannot be called: why.
    """
    defaults = {p.name: p.default for p in task.parameters}

    def there(name: str, source: Source) -> Any:
        if type(source) is Gathered:
            left = tuple(one for one in source.tasks if not is_gone(one))
            return source if left == source.tasks else source._replace(tasks=left)
        if type(source) is not Upstream or not is_gone(source.task):
            return source
        default = defaults.get(name, inspect.Parameter.empty)
        if default is not inspect.Parameter.empty:
            return Constant(default)
        return Upstream(instead) if instead is not None else _GONE

    positional = [(name, there(name, source)) for name, source in binding.positional]
    keyword = [(name, there(name, source)) for name, source in binding.keyword]
    free = [(name, there(name, source)) for name, source in binding.free.items()]
    for name, source in (*positional, *keyword, *free):
        if source is _GONE and not name.startswith("*"):
            return f"its input {name!r} was skipped"
    before = (*binding.positional, *binding.keyword, *binding.free.items())
    after = (*positional, *keyword, *free)
    if all(new is old for (_, new), (_, old) in zip(after, before, strict=True)):
        return binding
    left = tuple((name, source) for name, source in positional if source is not _GONE)
    return binding._replace(positional=left, keyword=tuple(keyword), free=dict(free))


def with_data(task: Task, binding: Binding, data: Any) -> Binding:
    """Return a binding whose first parameter that is not injected is filled with the data of an iteration."""
    parameters = task.parameters[int(task.options.inject_context) :]
    if not parameters:
        return binding
    name, kind, _ = parameters[0]
    if kind is inspect.Parameter.VAR_POSITIONAL:
        return binding._replace(positional=(*binding.positional, (f"*{name}", Constant(data))))
    given = [(known, Constant(data) if known == name else source) for known, source in binding.positional]
    keyword = [(known, Constant(data) if known == name else source) for known, source in binding.keyword]
    return binding._replace(positional=tuple(given), keyword=tuple(keyword))
