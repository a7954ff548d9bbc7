"""``@task``: a function becomes a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from graflow_nb.core.errors import TaskDefinitionError
from graflow_nb.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable


@overload
def task(fn: Callable[..., Any], /) -> Task: ...
@overload
def task(name: str | None = None, /, **options: Any) -> Callable[[Callable[..., Any]], Task]: ...
def task(
    fn: Callable[..., Any] | str | None = None, /, **options: Any
) -> Task | Callable[[Callable[..., Any]], Task]:
    """Make a function a task, named as the function or as given.

    Parameters
    ----------
    fn : callable or str, optional
        The function (``@task`` bare), or the task's name (``@task("load")``).
    **options
        As in `Options`, for example ``inject_context=True``; `id` or `name` gives the name as well.

    Returns
    -------
    Task or decorator

    Raises
    ------
    TaskDefinitionError
        If what is decorated cannot be called, or an option is unknown.

    Examples
    --------
    >>> @task
    ... def double(x):
    ...     return 2 * x
    >>> double, double(4)
    (double, 8)
    >>> @task("triple", cache=False)
    ... def _(x):
    ...     return 3 * x
    >>> _.name
    'triple'
    """
    if isinstance(fn, str) or fn is None:
        name: str | None = fn or options.pop("name", None) or options.pop("id", None)
        return lambda function: _make(function, name, options)
    return _make(fn, None, options)


def _make(fn: Callable[..., Any], name: str | None, options: dict[str, Any]) -> Task:
    if isinstance(fn, Task):
        raise TaskDefinitionError(f"{fn.name!r} is a task already. For another one of it: {fn.name}.bind(name=…)")
    if not callable(fn):
        raise TaskDefinitionError(f"@task takes a function, not {type(fn).__name__!r}")
    own_name: str = getattr(fn, "__name__", type(fn).__name__)
    return Task(name or own_name, fn, **options)
