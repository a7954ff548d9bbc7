"""Tools: functions, coroutines, and objects with ``execute(args, context)``; and how they are called."""

from __future__ import annotations

import inspect
from functools import lru_cache
from types import FunctionType
from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import did_you_mean
from graflow_nb.steps.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graflow_nb.steps.state import WorkflowContext


class Tool:
    """Something that steps and agents can call.

    Parameters
    ----------
    name : str
    description : str
        For agents.
    function : callable, optional
        What is called, with the arguments by name; a subclass has a method ``execute(args, context)`` instead.
    parameters : mapping, optional
        The JSON schema of the arguments, for agents; by default it is taken from the function.
    **extra
        Anything else that should be known of it.
    """

    def __init__(
        self,
        name: str,
        description: str = "",
        function: Callable[..., Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        **extra: Any,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f"a tool's name is a text that is not empty, not {name!r}")
        if function is None:
            function = next((extra.pop(alias) for alias in ("func", "fn") if alias in extra), None)
        if function is not None and not callable(function):
            raise TypeError(f"tool {name!r}: function is something to call, not {function!r}")
        self.name = name
        self.description = description
        self.function = function
        self.parameters = parameters
        self.extra = extra

    def __repr__(self) -> str:
        return f"Tool({self.name!r})"


def callable_of(tool: Any, path: str) -> tuple[Callable[..., Any], bool]:
    """Return what is called for a tool, and whether with ``(args, context)``.

    Raises
    ------
    StepError
        If there is nothing to call.
    """
    if isinstance(tool, Tool) and tool.function is not None:
        return tool.function, False
    execute = getattr(tool, "execute", None)
    if callable(execute) and not isinstance(tool, type):
        return execute, True
    if callable(tool) and not isinstance(tool, Tool):
        return tool, False
    cure = (
        f"Tool({tool.name!r}, function=…), or a subclass with execute(args, context)"
        if isinstance(tool, Tool)
        else ("a tool is a function, a coroutine function, or an object with execute(args, context)")
    )
    raise StepError(f"step {path!r}: {tool!r} has nothing to call: {cure}", path)


def is_coroutine(tool: Any) -> bool:
    """Whether calling a tool gives something to await."""
    function = tool.function if isinstance(tool, Tool) and tool.function is not None else tool
    if type(function) is FunctionType:
        return bool(function.__code__.co_flags & inspect.CO_COROUTINE)
    return any(
        inspect.iscoroutinefunction(one)
        for one in (function, getattr(function, "execute", None), getattr(function, "__call__", None))  # noqa: B004
    )


def invoke(
    tool: Any, args: Mapping[str, Any], state: WorkflowContext, before: Callable[[], Sequence[Any]], path: str
) -> Any:
    """Call a tool; what it returns may be to be awaited.

    Parameters
    ----------
    args : mapping of str
        What the step gives it; what else it needs is taken from the state.
    before : callable
        Returns the results of what is wired before the step: a single one fills the one parameter that is left.

    Raises
    ------
    StepError
        If the arguments do not match.
    """
    function, takes_context = callable_of(tool, path)
    if takes_context:
        return function(dict(args), state)
    return function(**_filled(function, dict(args), state, before, path))


def _filled(
    function: Callable[..., Any],
    args: dict[str, Any],
    state: WorkflowContext,
    before: Callable[[], Sequence[Any]],
    path: str,
) -> Mapping[str, Any]:
    parameters = _parameters(function)
    if parameters is None or not (parameters or args):
        return args
    named = [p.name for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD]
    if len(named) == len(parameters):
        for name in args:
            if name not in named:
                hint = did_you_mean(name, named) if named else "It has no parameters."
                raise StepError(f"step {path!r}: its tool has no parameter {name!r}. {hint}", path)
    left = [p for p in parameters if p.name not in args and p.kind in _BY_NAME]
    for parameter in left:
        if parameter.name in state.variables:
            args[parameter.name] = state.variables[parameter.name]
        elif parameter.name in {"state", "context"}:
            args[parameter.name] = state
    lacks = [p.name for p in left if p.name not in args and p.default is inspect.Parameter.empty]
    ahead = before() if lacks else ()
    if len(lacks) == len(ahead) == 1:
        args[lacks[0]] = ahead[0]
    elif lacks:
        raise StepError(
            f"step {path!r}: its tool needs {', '.join(map(repr, lacks))}, and neither its arguments nor the "
            f"state have it: give args={{…}} or .with_params_function(lambda state: {{…}}). "
            f"{did_you_mean(lacks[0], state.variables)}",
            path,
        )
    return args


_BY_NAME = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


def _parameters(function: Callable[..., Any]) -> Sequence[inspect.Parameter] | None:
    try:
        return _known_parameters(function)
    except TypeError:  # it has no hash
        return _looked_up(function)


def _looked_up(function: Callable[..., Any]) -> Sequence[inspect.Parameter] | None:
    try:
        return tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


_known_parameters = lru_cache(maxsize=1_000)(_looked_up)
