"""Nodes that stand for several tasks: groups with a policy, and maps. They are not called themselves.

A composite runs when what it waits for is there; then its members run; when all of them have ended, its
policy says whether what comes after it may run.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from graflow_nb.core.arguments import Binding, Constant, Gathered, upstreams
from graflow_nb.core.condition import Condition
from graflow_nb.core.errors import NoResultError, TaskDefinitionError, did_you_mean
from graflow_nb.core.policy import as_policy
from graflow_nb.core.task import NOT_GIVEN, Task, parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_nb.core.arguments import Source
    from graflow_nb.core.call import Produced
    from graflow_nb.core.compose import ParallelGroup
    from graflow_nb.core.options import Options
    from graflow_nb.core.policy import Policy
    from graflow_nb.core.task import Parameter

_LONGEST_NAME = 40  # characters of the members' names that a group's own name shows


class Expansion(NamedTuple):
    """What a composite stands for in one run.

    Attributes
    ----------
    members : tuple of str
        Whose results it gathers, in order.
    born : mapping of str to (Task, Binding)
        The tasks that are made for it, if it did not have them before.
    parents : mapping of str to sequence of str
        What each of them waits for among them.
    conditions : mapping of str to Condition
        What decides whether they run.
    is_one : bool
        Its result is that of the last member, and not the list of all.
    """

    members: tuple[str, ...]
    born: Mapping[str, tuple[Task, Binding]] = MappingProxyType({})
    parents: Mapping[str, Sequence[str]] = MappingProxyType({})
    conditions: Mapping[str, Condition] = MappingProxyType({})
    is_one: bool = False


class Composite(Task):
    """A node that stands for several tasks.

    Attributes
    ----------
    policy : Policy
        Says whether what comes after it may run, if some of them failed.
    """

    __slots__ = ("_origin", "max_parallel", "policy", "prefix")

    is_composite = True

    policy: Policy
    max_parallel: int | None

    def __init__(self, name: str, fn: Callable[..., Any]) -> None:
        self._origin: Task | None = None
        self.prefix = ""
        super().__init__(name, fn)

    @property
    def origin(self) -> Task | None:
        return self._origin

    def renamed(self, name: str, path: Callable[[str], str]) -> Self:
        """Return the same under a name that it has in a run of an outer workflow; `path` gives those of others."""
        new = copy.copy(self)
        new.name, new.record = name, None
        new.prefix = path("")
        new._origin = self  # noqa: SLF001 - a copy of its own
        return new

    def expand(self, binding: Binding, made: Mapping[str, Produced]) -> Expansion:
        """Return what it stands for, when what it waits for is there.

        Raises
        ------
        TaskDefinitionError
            If it cannot be told.
        """
        raise NotImplementedError


class Group(Composite):
    """The node of a group with a policy; made by `ParallelGroup.with_policy`."""

    __slots__ = ("_guarded", "members")

    def __init__(self, group: ParallelGroup, policy: Policy, name: str) -> None:
        super().__init__(name, _nothing)
        self.policy = policy
        self.max_parallel = None
        self.members = tuple(task.name for task in group.leaves)
        self._guarded = tuple(task.name for task in group.tasks)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """None: it takes the members' results as they are."""
        return ()

    @property
    def guarded(self) -> Sequence[str]:
        return self._guarded

    def renamed(self, name: str, path: Callable[[str], str]) -> Self:
        new = super().renamed(name, path)
        new.members = tuple(map(path, self.members))
        new._guarded = tuple(map(path, self._guarded))  # noqa: SLF001 - a copy of its own
        return new

    def expand(self, binding: Binding, made: Mapping[str, Produced]) -> Expansion:  # noqa: ARG002 - as for all
        return Expansion(self.members)


class Item(Task):
    """The call of a mapped task for one item; results are kept by what the item is, not by where it stands."""

    __slots__ = ("_stored_as", "prefix")

    _stored_as: str
    prefix: str

    @classmethod
    def of(cls, name: str, fn: Callable[..., Any], options: Options, stored_as: str, prefix: str) -> Item:
        """Make one."""
        self = cls.apart(name, fn, options)
        self.prefix = prefix
        self._stored_as = stored_as
        return self

    @property
    def stored_as(self) -> str:
        return self._stored_as


class Map(Composite):
    """A task for each item of a collection; made by `Task.map`.

    Attributes
    ----------
    over : tuple of str
        The parameters that get the items.
    """

    __slots__ = ("_each", "_when", "over")

    def __init__(
        self, template: Task, name: str, each: Mapping[str, Any], policy: Policy, max_parallel: int | None
    ) -> None:
        super().__init__(name, template.fn)
        self.policy = policy
        self.max_parallel = max_parallel
        self.over = tuple(each)
        self._made_of = template, each
        self.remake(template)

    def remake(self, template: Task) -> None:
        super().remake(template)
        bound = self.options.bound
        when = template.options.when
        asks_each = when is not None and any(p.name in self.over for p in parameters_of(when))
        self._when = when if asks_each else None
        own = None if asks_each else when
        self.options = replace(template.options, bound=bound, retry=None, timeout=None, when=own)
        self._each = replace(template.options, when=None)

    @property
    def stored_as(self) -> str:
        return f"{self._made_of[0].name}[]"

    def expand(self, binding: Binding, made: Mapping[str, Produced]) -> Expansion:
        sources = dict(binding.sources())
        columns = [self._items(name, sources[name], made) for name in self.over]
        if len({len(column) for column in columns}) > 1:
            lengths = ", ".join(f"{len(c)} {name}" for name, c in zip(self.over, columns, strict=True))
            raise TaskDefinitionError(f"{self.name!r} maps over collections of different lengths: {lengths}")
        born: dict[str, tuple[Task, Binding]] = {}
        conditions: dict[str, Condition] = {}
        places = [(i, name) for i, (name, _) in enumerate(binding.positional) if name in self.over]
        stored_as = self.stored_as
        for number, items in enumerate(zip(*columns, strict=True)):
            given = dict(zip(self.over, items, strict=True))
            name = f"{self.name}[{number}]"
            item = Item.of(name, self.fn, self._each, stored_as, self.prefix)
            born[name] = item, _with_items(binding, places, given)
            if self._when is not None:
                conditions[name] = self._condition(name, self._when, {**sources, **_constants(given)})
        self.policy.check([*born])
        return Expansion(tuple(born), born, conditions=conditions)

    def _condition(self, name: str, when: Callable[..., Any], known: Mapping[str, Source]) -> Condition:
        """Return what decides about an item: a function of some of the task's arguments."""
        positional: list[tuple[str, Source]] = []
        keyword: list[tuple[str, Source]] = []
        for parameter in parameters_of(when):
            if parameter.name not in known and parameter.is_required:
                raise TaskDefinitionError(
                    f"the condition of task {str(self.template)!r} (when) takes {parameter.name!r}: for an item "
                    f"of a map it takes what the task takes. {did_you_mean(parameter.name, known)}"
                )
            source = known.get(parameter.name, Constant(parameter.default))
            is_keyword = parameter.kind is inspect.Parameter.KEYWORD_ONLY
            (keyword if is_keyword else positional).append((parameter.name, source))
        return Condition(Task.apart(f"{name}?", when), Binding(tuple(positional), tuple(keyword)))

    def _items(self, name: str, source: Source, made: Mapping[str, Produced]) -> Sequence[Any]:
        if type(source) is Constant:
            items: Sequence[Any] = source.value  # read when it was written
            return items
        if type(source) is Gathered:
            return [made[task].value for task in source.tasks if task in made]
        ((task, variable),) = upstreams(source)
        return items_of(self.name, name, made[task].get(variable))


def _constants(given: Mapping[str, Any]) -> dict[str, Source]:
    return {name: Constant(value) for name, value in given.items()}


def _with_items(binding: Binding, places: Sequence[tuple[int, str]], given: Mapping[str, Any]) -> Binding:
    positional = list(binding.positional)
    for place, name in places:
        positional[place] = (name, Constant(given[name]))
    keyword = binding.keyword
    if len(places) < len(given):
        keyword = tuple((name, Constant(given[name]) if name in given else old) for name, old in keyword)
    return Binding(tuple(positional), keyword, binding.free, binding.behind)


def group_task(group: ParallelGroup, policy: Any, name: str | None) -> Group:
    """Make the node of a group with a policy."""
    known = as_policy(policy)
    known.check([task.name for task in group.leaves])
    return Group(group, known, name or _named_after(group))


def _named_after(group: ParallelGroup) -> str:
    text = repr(group)
    return text if len(text) <= _LONGEST_NAME else f"({group.members[0]!r} | … {len(group.members)} in all)"


def map_task(
    template: Task, items: Any, each: Mapping[str, Any], *, name: str | None, max_parallel: int | None, policy: Any
) -> Map:
    """Make a map; as `Task.map`."""
    if max_parallel is not None and (type(max_parallel) is not int or max_parallel < 1):
        raise TaskDefinitionError(
            f"{template.name}.map: max_parallel is a whole number, 1 or more, not {max_parallel!r}"
        )
    over = _over(template, items, each)
    known = {parameter: _checked(template, parameter, given) for parameter, given in over.items()}
    new = Map(template, name or f"{template.name}_map", known, as_policy(policy), max_parallel)
    template.is_template = True
    return new


def _over(template: Task, items: Any, each: Mapping[str, Any]) -> Mapping[str, Any]:
    free = [name for name in template.bindable if name not in template.options.bound]
    is_given = items is not NOT_GIVEN
    if is_given == bool(each):
        raise TaskDefinitionError(
            f"{template.name}.map takes a collection, or one for each of some parameters: "
            f"{template.name}.map([1, 2]) or {template.name}.map({free[0] if free else 'x'}=[1, 2])"
        )
    if is_given:
        if not free:
            raise TaskDefinitionError(f"task {template.name!r} has no parameter that is free: nothing to map over")
        return {free[0]: items}
    for name in each:
        if name not in free:
            raise TaskDefinitionError(
                f"task {template.name!r} has no parameter {name!r} to map over. {did_you_mean(name, free)}"
            )
    return each


def _checked(template: Task, parameter: str, given: Any) -> Any:
    return given if isinstance(given, Task) else items_of(template.name, parameter, given)


def items_of(task: str, parameter: str, given: Any) -> Sequence[Any]:
    """Return what a map goes over, as a sequence that stays.

    Raises
    ------
    TaskDefinitionError
        If it is no collection, or has no order.
    """
    if isinstance(given, AbstractSet) and not hasattr(given, "__getitem__"):
        cure = "it has no order: sorted(…)"
    elif isinstance(given, str | bytes | Mapping) or hasattr(given, "iterrows"):
        cure = "say what of it: list(text), d.items(), df.to_dict('records')"
    elif isinstance(given, Iterable):
        return given if isinstance(given, tuple | range) else tuple(given)
    else:
        cure = "it takes a list, say"
    raise TaskDefinitionError(
        f"task {task!r} is to map over {parameter!r}, which is of type {type(given).__name__!r}: {cure}"
    )


def entries(name: str, tasks: Mapping[str, Task], parents: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the tasks that are jumped to if one is: those of a group that come first, or the task itself."""
    inside = tasks[name].guarded
    first = [n for n in inside if not tasks[n].members and not any(before in inside for before in parents[n])]
    return first or [name]


def unmade(name: str, status: object) -> NoResultError:
    """Return the error of a member that neither succeeded nor failed; the same whenever that happens."""
    return NoResultError(f"task {name!r} was {status}")


def _nothing() -> None:
    """Stand for the function of what is not called."""
