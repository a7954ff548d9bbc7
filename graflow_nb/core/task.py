"""A task: a named callable with options, and what it needs to know of its own signature."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from functools import lru_cache
from os import PathLike, fspath
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.core.compose import Composable
from graflow_nb.core.errors import NoResultError, NoWorkflowError, TaskDefinitionError, TaskError, did_you_mean
from graflow_nb.core.scope import current_workflow, running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graflow_nb.core.run import TaskRecord

_LONGEST_VALUE = 24  # characters of a bound value that a task's name shows


class Parameter(NamedTuple):
    """A parameter of a task's function."""

    name: str
    kind: inspect._ParameterKind
    default: Any = inspect.Parameter.empty

    @property
    def is_required(self) -> bool:
        """Whether something must fill it."""
        return self.default is inspect.Parameter.empty and self.kind is not inspect.Parameter.VAR_POSITIONAL


class Defined(NamedTuple):
    """What a task returns that defines variables beside its value (a cell does)."""

    value: Any
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Options:
    """How a task is to be run.

    Attributes
    ----------
    inject_context : bool
        The first parameter is the running task's `TaskContext`.
    cache : bool
        False: its result is never reused.
    max_age : float or None
        Seconds after which its result is no longer reused (it depends on the time, or the network).
    version : object
        Part of what its result depends on: raise it to have the task run again.
    ignore : tuple of str
        Parameters that do not matter: another value of them is no reason to run again.
    inputs : tuple of str
        Files, folders and patterns (``"data/*.csv"``) that it reads in a way that cannot be seen.
    keep : bool
        False: its result is let go of when nothing in the run needs it any more; it is made again when
        something does.
    main_thread : bool
        It must run on the thread that runs the workflow (GUI toolkits, sqlite connections).
    bound : mapping
        Arguments that are fixed, by parameter name.
    """

    inject_context: bool = False
    cache: bool = True
    max_age: float | None = None
    version: Any = None
    ignore: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    keep: bool = True
    main_thread: bool = False
    bound: Mapping[str, Any] = field(default_factory=dict)


_DEFAULTS = Options()


class Task(Composable):
    """A named step of a workflow. Calling it just calls its function.

    Made where a workflow is open, it belongs to that workflow.

    Parameters
    ----------
    name : str
        Unique in a workflow.
    fn : callable
        A function or a coroutine function.
    defines : sequence of str
        Names of variables that other tasks may read beside its result.
    **options
        As in `Options`: `inject_context`, `cache`, `max_age`, `version`, `ignore`, `inputs`, …

    Raises
    ------
    TaskDefinitionError
        If the name is no text, `fn` cannot be called, or an option is unknown.

    Examples
    --------
    >>> double = Task("double", lambda x: 2 * x)
    >>> double(21)
    42
    """

    __slots__ = (
        "__weakref__", "_flow", "_parameters", "defines", "fn", "is_template", "name", "options", "record",
    )  # fmt: skip

    def __init__(self, name: str, fn: Callable[..., Any], *, defines: Sequence[str] = (), **options: Any) -> None:
        if not isinstance(name, str) or not name:
            raise TaskDefinitionError(f"a task's name is a text that is not empty, not {name!r}")
        if not callable(fn):
            raise TaskDefinitionError(f"task {name!r} needs something to call, not {type(fn).__name__!r}")
        self.name = name
        self.fn = fn
        self.defines = tuple(defines)
        self.options = _options(name, options) if options else _DEFAULTS
        self.is_template = False
        self.record: TaskRecord | None = None
        self._parameters: tuple[Parameter, ...] | None = None
        self._flow = flow = current_workflow()
        if flow is not None:
            flow.graph.add(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        value = self.fn(*args, **kwargs)
        return value.value if type(value) is Defined else value

    def __repr__(self) -> str:
        return self.name

    def __bool__(self) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"{self._is_no_result()}, so {self.name}.result.{name}", name=name, obj=self)

    def __getitem__(self, _: Any) -> Any:
        raise TypeError(self._is_no_result())

    def __len__(self) -> int:
        raise TypeError(self._is_no_result())

    def _is_no_result(self) -> str:
        return f"{self.name!r} is a task; its result is {self.name}.result"

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """The function, for `inspect` and help."""
        return self.fn

    @property
    def roots(self) -> tuple[Task, ...]:
        return (self,)

    leaves = roots
    tasks = roots

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The function's parameters."""
        if self._parameters is None:
            self._parameters = parameters_of(self.fn)
        return self._parameters

    @property
    def is_coroutine(self) -> bool:
        """Whether its function is a coroutine function."""
        if type(self.fn) is FunctionType:
            return bool(self.fn.__code__.co_flags & inspect.CO_COROUTINE)
        kind: Any = type(self.fn)
        return inspect.iscoroutinefunction(self.fn) or inspect.iscoroutinefunction(kind.__call__)

    @property
    def result(self) -> Any:
        """What it returned in the run that finished last.

        Raises
        ------
        NoResultError
            If it has not run, or was skipped or cancelled; or if a task of the same run asks.
        TaskError
            If it failed; the cause is what it raised.
        """
        here = running.get()
        if here is not None and here.is_beside(self):
            raise NoResultError(
                f"task {here.task_name!r} reads {self.name}.result while both take part in a run: that "
                f"would be the result of the run before. Take it as a parameter named {self.name!r}."
            )
        record = self.record
        if record is None:
            raise NoResultError(f"task {self.name!r} has no result: it has not run yet")
        if record.error is not None:
            raise TaskError(self.name, record.error)
        if record.produced is None:
            why = f" ({record.note})" if record.note else ""
            raise NoResultError(f"task {self.name!r} has no result: it was {record.status}{why}")
        return record.produced.value

    @property
    def outputs(self) -> Sequence[dict[str, Any]]:
        """What it printed and displayed in its last run, as nbformat outputs."""
        return self.record.outputs if self.record else ()

    def why(self) -> Sequence[Any]:
        """Return why it would run now, or why it need not; as `WorkflowContext.why`, of where it was made.

        Raises
        ------
        NoWorkflowError
            If it belongs to no workflow.
        """
        if self._flow is None:
            raise NoWorkflowError(f"task {self.name!r} belongs to no workflow: ask the workflow, flow.why(task)")
        return self._flow.why(self)

    def bind(self, *, name: str | None = None, **values: Any) -> Task:
        """Make a new task of the same function with some arguments fixed.

        The options are inherited, the edges are not. This task becomes a template: it runs itself only
        if it is wired, or named as a target.

        Parameters
        ----------
        name : str, optional
            The new task's name; by default made of the values: ``fit[alpha=0.1]``.
        **values
            The arguments to fix, by parameter name.

        Raises
        ------
        TaskDefinitionError
            If there is no such parameter, or it already has a fixed value of another kind (the context).
        """
        self._check_bindable(values)
        bound = {**self.options.bound, **values}
        new = Task(name or f"{self.name}[{_show(values)}]", self.fn, defines=self.defines)
        new.options = replace(self.options, bound=bound)
        new._parameters = self._parameters
        self.is_template = True
        return new

    def _check_bindable(self, values: Mapping[str, Any]) -> None:
        free = [p.name for p in self.parameters[self.options.inject_context :]]
        for name in values:
            if name not in free:
                raise TaskDefinitionError(
                    f"task {self.name!r} has no parameter {name!r} to bind. {did_you_mean(name, free)}"
                )


def parameters_of(fn: Callable[..., Any]) -> tuple[Parameter, ...]:
    """Return a callable's parameters, without ``**kwargs``; () if they cannot be known.

    Examples
    --------
    >>> [p.name for p in parameters_of(lambda a, *, b=1: None)]
    ['a', 'b']
    """
    if type(fn) is FunctionType and "__wrapped__" not in fn.__dict__:
        code = fn.__code__
        flags, count = code.co_flags, code.co_argcount
        if not (code.co_kwonlyargcount or code.co_posonlyargcount or flags & inspect.CO_VARKEYWORDS):
            plain = _plain_parameters(code.co_varnames[:count], fn.__defaults__ or ()) if count else ()
            return (*plain, _rest(code.co_varnames[count])) if flags & inspect.CO_VARARGS else plain
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):
        return ()
    return tuple(
        Parameter(p.name, p.kind, p.default)
        for p in signature.parameters.values()
        if p.kind is not inspect.Parameter.VAR_KEYWORD
    )


_PLAIN = inspect.Parameter.POSITIONAL_OR_KEYWORD


@lru_cache(maxsize=1_000)
def _rest(name: str) -> Parameter:
    return Parameter(name, inspect.Parameter.VAR_POSITIONAL)


def _plain_parameters(names: tuple[str, ...], defaults: tuple[Any, ...]) -> tuple[Parameter, ...]:
    """Do what `inspect.signature` does, fifteen times as fast, for functions without special parameters."""
    required = len(names) - len(defaults)
    rest = zip(names[required:], defaults, strict=True)
    return (*_required(names[:required]), *[Parameter(name, _PLAIN, default) for name, default in rest])


@lru_cache(maxsize=1_000)
def _required(names: tuple[str, ...]) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, _PLAIN) for name in names)


def _options(name: str, options: Mapping[str, Any]) -> Options:
    known = [option for option in Options.__slots__ if option != "bound"]
    for option in options:
        if option not in known:
            raise TaskDefinitionError(
                f"task {name!r} has an unknown option {option!r}. {did_you_mean(option, known)}"
            )
    for option in ("ignore", "inputs"):
        if option in options:
            options = {**options, option: _texts(name, option, options[option])}
    if (age := options.get("max_age")) is not None and not (isinstance(age, int | float) and age >= 0):
        raise TaskDefinitionError(f"task {name!r}: max_age is a number of seconds, 0 or more, not {age!r}")
    return Options(**options)


def _texts(name: str, option: str, given: Any) -> tuple[str, ...]:
    several = (given,) if isinstance(given, str | PathLike) else given
    try:
        return tuple(fspath(one) for one in several)
    except TypeError:
        raise TaskDefinitionError(f"task {name!r}: {option} takes texts, not {given!r}") from None


def _show(values: Mapping[str, Any]) -> str:
    def short(value: Any) -> str:
        plain = isinstance(value, str | int | float | bool | None)
        text = repr(value) if plain else type(value).__name__
        return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"

    return ",".join(f"{name}={short(value)}" for name, value in values.items())


TaskWrapper = Task
"""Graflow's name for `Task`."""
