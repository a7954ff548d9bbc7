"""Where each argument of each task comes from, decided for the whole graph before anything runs.

The first rule that applies wins: injected, bound, the task (or variable) of the parameter's name, the
default, and for what is left the predecessors by position.
"""

from __future__ import annotations

import inspect
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from graflow_nb.core.bound import lost_argument
from graflow_nb.core.errors import did_you_mean
from graflow_nb.core.param import Param
from graflow_nb.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from graflow_nb.core.call import Produced
    from graflow_nb.core.graph import TaskGraph
    from graflow_nb.core.task import Parameter


class Injected(NamedTuple):
    """The running task's context."""


class Constant(NamedTuple):
    """A value known before the run."""

    value: Any


class Upstream(NamedTuple):
    """The result of a task, or one of the variables it defines."""

    task: str
    variable: str | None = None


class Gathered(NamedTuple):
    """The results of several tasks, as a list; `name` is that of the group that they are, if they are one."""

    tasks: tuple[str, ...]
    name: str = ""


class FromChannel(NamedTuple):
    """What the run's channel holds under a key when the task begins."""

    key: str


Source: TypeAlias = Injected | Constant | Upstream | Gathered | FromChannel


def upstreams(source: Source) -> Sequence[Upstream]:
    """Return what a source takes from other tasks."""
    if type(source) is Upstream:
        return (source,)
    return [Upstream(task) for task in source.tasks] if type(source) is Gathered else ()


class Behind(NamedTuple):
    """Something that a task reads and that is no task's: plain code made it from a result of a task.

    Attributes
    ----------
    name : str
        What the task reads.
    task : str
        Whose result it was made from.
    variable : str or None
        Which variable of that task; None: its value.
    seen : object
        The fingerprint that this had then.
    where : sequence of int
        The numbers of the cells that made it, the first of them first.
    """

    name: str
    task: str
    variable: str | None
    seen: Any
    where: Sequence[int]


class Binding(NamedTuple):
    """The sources of one task's arguments.

    Attributes
    ----------
    positional, keyword : sequence of (str, Source)
        For the call, with the parameters' names.
    free : mapping of str to Upstream
        What the code reads by name from other tasks, without a parameter.
    behind : sequence of Behind
        What it reads that was made from results of tasks by the way.
    """

    positional: Sequence[tuple[str, Source]] = ()
    keyword: Sequence[tuple[str, Source]] = ()
    free: Mapping[str, Upstream] = {}
    behind: Sequence[Behind] = ()

    def sources(self) -> Sequence[tuple[str, Source]]:
        """All sources, with the names they fill."""
        has_others = self.keyword or self.free
        return [*self.positional, *self.keyword, *self.free.items()] if has_others else self.positional


class Missing(NamedTuple):
    """Parameters of a task that nothing fills, and why."""

    parameters: tuple[str, ...]
    message: str
    is_broken: bool = False
    """Whether something filled them that has gone: the task is meant to run."""


_NOTHING: Mapping[str, Upstream] = MappingProxyType({})
Reads: TypeAlias = "tuple[Mapping[str, str], Collection[str]]"
"""The names that a task's code reads: those that may be tasks, with the tasks' names, and all others."""
READS_NOTHING: Reads = ({}, ())


class Scope(Protocol):
    """The code round the tasks: where names that are not parameters come from (a notebook)."""

    def reads(self, task: Task) -> Reads:
        """Return the names that its code reads."""

    def made_from(self, task: Task, reads: Reads, graph: TaskGraph) -> Sequence[Behind]:
        """Return what of it plain code made from results of this graph's tasks."""

    def check(self, task: Task, behind: Sequence[Behind], inputs: Mapping[str, Produced], *, accept: bool) -> None:
        """Raise `StaleInputError` if something was made from another result; not if that is accepted."""

    def enter(self, task: Task, values: Mapping[str, Any]) -> Callable[..., Any]:
        """Return the task's function with these names bound to these values."""


class Names:
    """Who is meant by a name: a task, or the task that defines a variable of it."""

    def __init__(self, graph: TaskGraph) -> None:
        self.tasks = graph.nodes
        self.variables = {name: task.name for task in self.tasks.values() for name in task.defines}
        self.known = {*self.tasks, *self.variables}  # the names that mean something
        self.has_groups = any([task.members for task in self.tasks.values()])  # noqa: C419 - faster
        self.results = {name: Upstream(name) for name in self.tasks}  # one object each, however many read it

    def find(self, name: str, reader: str) -> Upstream | None:
        """Return what `name` means to a task, or None if no other task stands for it."""
        if name in self.tasks:
            return self.results[name] if name != reader else None
        owner = self.variables.get(name)
        return Upstream(owner, name) if owner is not None and owner != reader else None

    def locate(self, behind: Behind) -> Behind | None:
        """Return `behind` with the task that makes its source now, or None if none does any more."""
        task = self.tasks.get(behind.task)
        if task is not None and (behind.variable is None or behind.variable in task.defines):
            return behind
        owner = self.variables.get(behind.variable) if behind.variable else None
        return behind._replace(task=owner) if owner is not None else None


def needs(task: Task, names: Names, reads: Reads, at: str = "") -> Mapping[str, Upstream]:
    """Return what a task takes from others by name: its required parameters and what its code reads.

    Parameters
    ----------
    at : str
        The task whose place in the graph counts, if that is another one.
    """
    at = at or task.name
    found: dict[str, Upstream] = {}
    for parameter in open_parameters(task):
        if parameter.name in names.known and parameter.is_required and (source := names.find(parameter.name, at)):
            found[parameter.name] = source
    for name, value in task.options.bound.items():
        if isinstance(value, Task) and value.name in names.tasks:
            found[name] = names.results[value.name]
    as_tasks, as_variables = reads
    for name in (*as_tasks, *as_variables):
        source = names.find(as_tasks.get(name, name), at)
        if source and (source.variable is not None or name in as_tasks):
            found.setdefault(name, source)
    return found or _NOTHING


def open_parameters(task: Task) -> Sequence[Parameter]:
    """Return the parameters that are neither injected nor bound."""
    options = task.options
    parameters = task.parameters[options.inject_context :]
    return [p for p in parameters if p.name not in options.bound] if options.bound else parameters


class Resolver:
    """Decides one task's binding.

    Parameters
    ----------
    names : Names
    joins, befores : mapping of str to sequence
        What operators wired before each task: of each operator, and all.
    is_ancestor : callable
        Whether one task comes before another, by operators or names.
    given : mapping of str
        Values for a parameter of the workflow, or of any task.
    channel : collection of str
        The keys that the channel has when a run begins.

    Attributes
    ----------
    by_ancestry : set of str
        The tasks for whose binding it mattered what comes before what in the whole graph.
    """

    def __init__(
        self,
        names: Names,
        joins: Mapping[str, Sequence[Sequence[str]]],
        befores: Mapping[str, Sequence[str]],
        is_ancestor: Callable[[str, str], bool],
        given: Mapping[str, Any] = MappingProxyType({}),
        channel: Collection[str] = (),
    ) -> None:
        self._names = names
        self._joins = joins
        self._befores = befores
        self._is_ancestor = is_ancestor
        self._given = given
        self._channel = channel
        self.by_ancestry: set[str] = set()

    def bind(self, task: Task, taken: Mapping[str, Upstream], at: str = "") -> Binding | Missing:
        """Return where a task's arguments come from; `taken` are the names it is known to depend on.

        Parameters
        ----------
        at : str
            The task whose place in the graph counts, if that is another one.
        """
        at = at or task.name
        options, parameters = task.options, task.parameters
        if options.bound and (lost := lost_argument(task, self._names.tasks)):
            return Missing((lost[0],), lost[1], is_broken=True)
        if not parameters:
            if not task.binds_itself:
                return Binding(free=taken)
            return task.own_binding([self._names.tasks[before] for before in self._befores[at]])
        is_plain = not (taken or self._given or self._channel or options.bound or options.inject_context)
        if is_plain and (positional := self._in_order(parameters, self._joins[at])):
            return Binding(positional, (), taken)
        sources: dict[str, Source] = {}
        left = []
        for index, parameter in enumerate(parameters):
            source = self._by_name(task, parameter, taken, at, is_first=index == 0)
            if source is None:
                left.append(parameter)
            else:
                sources[parameter.name] = source
        if left:
            by_position = self._by_position(task, left, sources, at)
            if isinstance(by_position, Missing):
                return by_position
            sources.update(by_position)
        return self._arrange(parameters, sources, taken)

    def _in_order(
        self, parameters: Sequence[Parameter], joins: Sequence[Sequence[str]]
    ) -> tuple[tuple[str, Upstream], ...]:
        """Return the sources if one operator wired a task for each parameter: all else takes twice as long."""
        if len(joins) != 1 or self._names.has_groups:
            return ()
        names: list[str] = []
        for name, kind, default in parameters:
            if kind is _PLAIN and default is _EMPTY:
                names.append(name)
            elif kind is _VAR_POSITIONAL:
                names += [f"*{name}"] * (len(joins[0]) - len(names))
            else:
                return ()
        if len(names) != len(joins[0]):
            return ()
        return tuple([(n, self._names.results[before]) for n, before in zip(names, joins[0], strict=True)])

    def _by_name(  # noqa: PLR0911 - a rule a line, the first that applies wins
        self, task: Task, parameter: Parameter, taken: Mapping[str, Upstream], at: str, *, is_first: bool
    ) -> Source | None:
        name, options = parameter.name, task.options
        if is_first and options.inject_context:
            return Injected()
        if name in options.bound:
            bound = options.bound[name]
            if isinstance(bound, Task):
                return self._names.results[bound.name]
            is_given = isinstance(task, Param) and task.name in self._given
            return Constant(self._given[task.name] if is_given else bound)
        if name in self._given and name not in self._names.tasks:
            return Constant(self._given[name])
        if name in taken:
            return taken[name]
        if parameter.default is not _EMPTY and (source := self._names.find(name, at)) is not None:
            self.by_ancestry.add(task.name)
            if self._is_ancestor(source.task, at):
                return source
        if name in self._channel:
            return FromChannel(name)
        return None if parameter.default is _EMPTY else Constant(parameter.default)

    def _by_position(
        self, task: Task, left: list[Parameter], sources: Mapping[str, Source], at: str
    ) -> dict[str, Source] | Missing:
        befores: Sequence[str] = self._befores[at]
        if sources:
            used = {source.task for source in sources.values() if isinstance(source, Upstream)}
            befores = [name for name in befores if name not in used]
        rest: dict[str, Source] = {}
        takes_rest = left[-1].kind is _VAR_POSITIONAL
        if len(befores) > 1 and not (takes_rest and len(left) == 1):
            befores = self._in_one_order(at, befores)
        befores = [member for before in befores for member in self._members(before)]
        if takes_rest:
            rest[left[-1].name] = Gathered(tuple(befores[len(left) - 1 :]))
            befores, left = befores[: len(left) - 1], left[:-1]
        if len(left) == len(befores):
            return {p.name: self._names.results[before] for p, before in zip(left, befores, strict=True)} | rest
        if len(left) == 1 and befores:
            return {left[0].name: Gathered(tuple(befores))} | rest
        return self._missing(task, left, at)

    def _members(self, before: str) -> Sequence[str]:
        """Return what a predecessor counts as: a group with a policy, as its members."""
        return self._names.tasks[before].members or (before,)

    def _in_one_order(self, name: str, befores: Sequence[str]) -> Sequence[str]:
        """Return predecessors in the order of the one operator that wired them all; none if several did."""
        joins = self._joins[name]
        if len(joins) == 1:
            return befores
        for join in joins:
            if set(befores) <= set(join):
                return [before for before in join if before in befores]
        return []

    def _arrange(
        self, parameters: Iterable[Parameter], sources: Mapping[str, Source], taken: Mapping[str, Upstream]
    ) -> Binding:
        positional: list[tuple[str, Source]] = []
        keyword: list[tuple[str, Source]] = []
        for name, kind, _ in parameters:
            source = sources[name]
            if kind is _KEYWORD_ONLY:
                keyword.append((name, source))
            elif kind is _VAR_POSITIONAL:
                tasks = source.tasks if isinstance(source, Gathered) else ()
                positional += [(f"*{name}", self._names.results[task]) for task in tasks]
            else:
                positional.append((name, source))
        free = {name: source for name, source in taken.items() if name not in sources} if taken else taken
        return Binding(tuple(positional), tuple(keyword), free)

    def _missing(self, task: Task, left: list[Parameter], at: str) -> Missing:
        names = tuple(p.name for p in left)
        before = self._befores[at]
        several = len(self._joins[at]) > 1
        upstream = f"Wired before it: {', '.join(before)}" if before else "Nothing is wired before it"
        if several:
            upstream += " (in several expressions, so they are taken by name only)"
        known = [name for name in (*self._names.tasks, *self._names.variables) if name != at]
        return Missing(
            names,
            f"task {task.name!r} needs {_listed(names)}. {upstream}. "
            f"Wire a task before it, name the parameter like a task, or give it a default. "
            f"{did_you_mean(names[0], known)}",
        )


_EMPTY = inspect.Parameter.empty
_PLAIN = inspect.Parameter.POSITIONAL_OR_KEYWORD
_KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY
_VAR_POSITIONAL = inspect.Parameter.VAR_POSITIONAL


def _listed(names: Sequence[str]) -> str:
    plural = "arguments" if len(names) > 1 else "an argument"
    return f"{plural} for {', '.join(map(repr, names))}"
