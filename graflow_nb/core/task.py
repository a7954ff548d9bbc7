"""A task: a named callable with options, and what it needs to know of its own signature."""

from __future__ import annotations

import inspect
from dataclasses import replace
from functools import lru_cache
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from graflow_nb.core.compose import Composable
from graflow_nb.core.errors import NoResultError, NoWorkflowError, TaskDefinitionError, TaskError, did_you_mean
from graflow_nb.core.options import DEFAULTS, Options, read_options
from graflow_nb.core.scope import current_workflow, running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graflow_nb.core.arguments import Binding
    from graflow_nb.core.run import TaskRecord

NOT_GIVEN: Any = object()
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
        "__weakref__", "_flow", "_made_of", "_parameters", "defines", "fn", "is_template", "name", "options",
        "record",
    )  # fmt: skip

    _made_of: tuple[Task, Mapping[str, Any]]  # few have one
    is_composite = False
    """Whether it stands for several tasks, and is not called itself."""
    prefix = ""
    """What stands before the names of the tasks of its workflow, where that is nested in another one's run."""
    binds_itself = False
    """Whether it takes what is wired before it in a way of its own, and has no parameters."""
    members: tuple[str, ...] = ()
    """What it counts as for what comes after it: the members, of a group with a policy."""

    def __init__(self, name: str, fn: Callable[..., Any], *, defines: Sequence[str] = (), **options: Any) -> None:
        if not isinstance(name, str) or not name:
            raise TaskDefinitionError(f"a task's name is a text that is not empty, not {name!r}")
        if not callable(fn):
            raise TaskDefinitionError(f"task {name!r} needs something to call, not {type(fn).__name__!r}")
        self.name = name
        self.fn = fn
        self.defines = tuple(defines)
        self.options = read_options(name, options) if options else DEFAULTS
        self.is_template = False
        self.record: TaskRecord | None = None
        self._parameters: tuple[Parameter, ...] | None = None
        self._flow = flow = current_workflow()
        if flow is not None:
            flow.graph.add(self)

    @classmethod
    def apart(cls, name: str, fn: Callable[..., Any], options: Options = DEFAULTS) -> Self:
        """Make a task that belongs to no workflow, wherever that is: a run makes such for itself."""
        self = cls.__new__(cls)
        self.name, self.fn, self.options = name, fn, options
        self.defines = ()
        self.is_template = False
        self.record = self._parameters = self._flow = None
        return self

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
    def stored_as(self) -> str:
        """The name under which its results are kept."""
        return self.name

    @property
    def guarded(self) -> Sequence[str]:
        """The tasks of which it decides what their failure means, if it is the node of a group."""
        return ()

    @property
    def rescue(self) -> Task | None:
        """What is asked when it has failed for good; as `graflow_nb.core.rescuing` says."""
        return None

    def own_binding(self, befores: Sequence[Task]) -> Binding:
        """Return its arguments, if it `binds_itself`, of what is wired before it."""
        raise NotImplementedError

    @property
    def written(self) -> Callable[..., Any] | None:
        """The function whose code is shown as the task's."""
        return self.fn

    @property
    def origin(self) -> Task | None:
        """The task that this one stands for in a run."""
        return None

    @property
    def inner(self) -> object:
        """What it is made of beside its function and its options; another one if that has changed."""
        return None

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
            The arguments to fix, by parameter name; a task stands for its result.

        Raises
        ------
        TaskDefinitionError
            If there is no such parameter, or it already has a fixed value of another kind (the context).
        """
        self._check_bindable(values)
        new = Task(name or f"{self.name}[{_show(values)}]", self.fn, defines=self.defines)
        new.options = replace(self.options, bound={**self.options.bound, **values})
        new._parameters, new._made_of = self._parameters, (self, values)
        self.is_template = True
        return new

    @property
    def template(self) -> Task | None:
        """The task that it was made of, by `bind` or `map`."""
        return self._made_of[0] if hasattr(self, "_made_of") else None

    def remake(self, template: Task) -> None:
        """Be made of another task from now on, written in place of the one before."""
        self._made_of = template, (values := self._made_of[1])
        self.fn, self.defines, self._parameters = template.fn, template.defines, None
        self.options = replace(template.options, bound={**template.options.bound, **values})

    def map(
        self,
        items: Any = NOT_GIVEN,
        *,
        name: str | None = None,
        max_parallel: int | None = None,
        policy: Any = "strict",
        **each: Any,
    ) -> Task:
        """Make a task that calls this one for each of several items, side by side; its result is a list.

        Each item is a task of its own, born in the run and reused by itself. This task becomes a template, as
        with `bind`.

        Parameters
        ----------
        items : collection, or Task
            For the first parameter that is free; a task stands for the collection that is its result.
        name : str, optional
            The new task's name; by default ``NAME_map``.
        max_parallel : int, optional
            How many of them run at once.
        policy : str or Policy or callable
            What is to become of it if some fail: by default it fails too, when all have ended.
        **each : collection, or Task
            In place of `items`: for these parameters; of several collections the first go together, and so on.

        Raises
        ------
        TaskDefinitionError
            If there is no such parameter, or it is no collection.

        Examples
        --------
        >>> from graflow_nb import task, workflow
        >>> with workflow("example") as flow:
        ...     @task
        ...     def square(x): return x * x
        ...     squares = square.map([1, 2, 3], name="squares")
        ...     @task
        ...     def total(squares): return sum(squares)
        >>> flow.run().results["total"]
        14
        """
        from graflow_nb.core.composites import map_task

        return map_task(self, items, each, name=name, max_parallel=max_parallel, policy=policy)

    @property
    def bindable(self) -> list[str]:
        """The parameters that can be given a value by name; not the injected one, nor ``*args``."""
        parameters = self.parameters[self.options.inject_context :]
        return [p.name for p in parameters if p.kind is not inspect.Parameter.VAR_POSITIONAL]

    def _check_bindable(self, values: Mapping[str, Any]) -> None:
        free = self.bindable
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
            plain = _plain_parameters(code.co_varnames[:count], fn.__defaults__) if count else ()
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


def _plain_parameters(names: tuple[str, ...], defaults: tuple[Any, ...] | None) -> tuple[Parameter, ...]:
    """Do what `inspect.signature` does, fifteen times as fast, for functions without special parameters."""
    if not defaults:
        return _required(names)
    required = len(names) - len(defaults)
    rest = zip(names[required:], defaults, strict=True)
    return (*_required(names[:required]), *[Parameter(name, _PLAIN, default) for name, default in rest])


@lru_cache(maxsize=1_000)
def _required(names: tuple[str, ...]) -> tuple[Parameter, ...]:
    return tuple(Parameter(name, _PLAIN) for name in names)


def _show(values: Mapping[str, Any]) -> str:
    def short(value: Any) -> str:
        plain = isinstance(value, str | int | float | bool | None)
        text = repr(value) if plain else type(value).__name__
        return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"

    return ",".join(f"{name}={short(value)}" for name, value in values.items())


TaskWrapper = Task
"""Graflow's name for `Task`."""
