"""The notebook round the tasks: names in their code that are no parameters.

A cell reads results and variables of other tasks by name; so does a helper function that it calls. While
a task runs, such names must be those results and not whatever stands in the notebook's namespace, which
is brought up to date only when the run ends. A function that reads one is therefore called with a
namespace in which they are bound; what cannot be (a class, a cached function) is refused when it is used.
"""

from __future__ import annotations

import copy
import functools
from types import CellType, FunctionType
from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import TaskDefinitionError
from graflow_nb.core.task import Task
from graflow_nb.incremental.code.bytecode import code_info
from graflow_nb.incremental.staleness import outdated, print_of, stale_input
from graflow_nb.notebook.cells import CellBody, GivenCell
from graflow_nb.notebook.helpers import contents, global_reads

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from graflow_nb.core.arguments import Behind, Reads
    from graflow_nb.core.call import Produced
    from graflow_nb.core.graph import TaskGraph
    from graflow_nb.notebook.derived import Derived


class NotebookScope:
    """Implements `graflow_nb.core.arguments.Scope` for one notebook's namespace.

    Parameters
    ----------
    namespace : dict
        The notebook's.
    derived : Derived
        What plain cells made of tasks' results.
    """

    def __init__(self, namespace: dict[str, Any], derived: Derived) -> None:
        self._namespace = namespace
        self._derived = derived
        self._accepted: dict[tuple[str, str, str, str | None, object], object] = {}

    def reads(self, task: Task) -> Reads:
        """Return the names that may be tasks (in a cell), and those that may be variables of tasks."""
        fn = task.fn
        if not isinstance(fn, CellBody):
            return {}, sorted(global_reads([fn], self._namespace))
        own = {task.name, *fn.variables}
        direct = sorted(fn.names.reads - own)
        helpers = self._helpers(direct).values()
        as_tasks = {name: getattr(self._task(name), "name", name) for name in direct}
        return as_tasks, [*direct, *sorted(global_reads(helpers, self._namespace) - own)]

    def made_from(self, task: Task, reads: Reads, graph: TaskGraph) -> Sequence[Behind]:
        """Return what of these names plain cells made from results of the graph's tasks.

        Where it was accepted for this task, it counts as made from the result that it was accepted with.
        """
        if not self._derived:
            return ()
        own = self._derived.names_of(task)  # defaults, what a decorator got, bound arguments
        found = self._derived.behind(dict.fromkeys((*reads[0], *reads[1], *own)), graph)
        accepted = self._accepted
        return [item._replace(seen=accepted.get(_key(task, item), item.seen)) for item in found]

    def check(self, task: Task, behind: Sequence[Behind], inputs: Mapping[str, Produced], *, accept: bool) -> None:
        """Raise if something was made from another result than the one of this run, unless that is accepted.

        Raises
        ------
        StaleInputError
        """
        stale = outdated(behind, inputs)
        if stale and not accept:
            raise stale_input(task.name, stale)
        for item in stale:
            if item.variable is None or item.variable in inputs[item.task].variables:
                self._accepted[_key(task, item)] = print_of(inputs[item.task], item.variable)

    def enter(self, task: Task, values: Mapping[str, Any]) -> Callable[..., Any]:
        """Return the task's function with these names bound to these values."""
        fn = task.fn
        if not isinstance(fn, CellBody):
            entered: Callable[..., Any] = World(self._namespace, values).with_it(task.name, fn) if values else fn
            return entered
        given = {name: value for name, value in values.items() if name in fn.names.reads}
        variables = {name: value for name, value in values.items() if self._task(name) is None}
        world = World(self._namespace, variables, {task.name, *fn.variables})
        for name, helper in self._helpers(fn.names.reads - given.keys()).items():
            if (rebound := world.with_it(name, helper)) is not helper:
                given[name] = rebound
        return GivenCell(fn, **given) if given else fn

    def _helpers(self, names: Iterable[str]) -> dict[str, Any]:
        """Return what stands under these names; a task does not: in a cell its name is its result."""
        there = self._namespace
        return {name: there[name] for name in names if name in there and self._task(name) is None}

    def _task(self, name: str) -> Task | None:
        value = self._namespace.get(name)
        return value if isinstance(value, Task) else None


def _key(task: Task, item: Behind) -> tuple[str, str, str, str | None, object]:
    return task.name, item.name, item.task, item.variable, item.seen


class World:
    """The notebook's namespace as a running task's helpers see it.

    Parameters
    ----------
    namespace : dict
        The notebook's.
    values : mapping of str to object
        What some names stand for meanwhile.
    hidden : collection of str
        Names of which there is no value yet: what the task itself defines.
    """

    def __init__(self, namespace: dict[str, Any], values: Mapping[str, Any], hidden: Collection[str] = ()) -> None:
        self._namespace = namespace
        self._hidden = frozenset(hidden)
        self._concerned = values.keys() | self._hidden
        self._globals = {**namespace, **values}
        self._values = values
        self._new: dict[int, Any] = {}

    def with_it(self, name: str, value: Any) -> Any:
        """Return a value whose functions see this world; itself, if it reads nothing that is different here."""
        if id(value) in self._new:
            return self._new[id(value)]
        read = global_reads([value], self._namespace) & self._concerned
        if not read:
            return value
        if isinstance(value, FunctionType) and not self._reads_hidden(value):
            return self._function(value)
        if isinstance(value, functools.partial):
            arguments = [self.with_it(name, argument) for argument in value.args]
            keywords = {key: self.with_it(name, argument) for key, argument in value.keywords.items()}
            new: Any = functools.partial(self.with_it(name, value.func), *arguments, **keywords)
        elif isinstance(value, Task) and isinstance(value.fn, FunctionType):
            new = copy.copy(value)
            new.fn = self.with_it(name, value.fn)
        else:
            new = Refused(name, type(value).__name__, sorted(read))
        self._new[id(value)] = new
        return new

    def _reads_hidden(self, fn: FunctionType) -> bool:
        return fn.__globals__ is self._namespace and not self._hidden.isdisjoint(code_info(fn.__code__).names)

    def _function(self, fn: FunctionType) -> FunctionType:
        is_ours = fn.__globals__ is self._namespace
        inside = contents(fn)
        changes = [bool(global_reads([thing], self._namespace) & self._concerned) for thing in inside]
        cells = zip(fn.__closure__ or (), changes, strict=True)
        closure = tuple(CellType() if is_changed else cell for cell, is_changed in cells)
        new = FunctionType(
            fn.__code__, self._globals if is_ours else fn.__globals__, fn.__name__, fn.__defaults__, closure
        )
        new.__kwdefaults__ = fn.__kwdefaults__
        new.__qualname__ = fn.__qualname__
        self._new[id(fn)] = new  # before what it uses: that may be the function itself
        new.__dict__.update({key: self.with_it(key, thing) for key, thing in fn.__dict__.items()})
        for cell, thing, is_changed in zip(closure, inside, changes, strict=True):
            if is_changed:
                cell.cell_contents = self.with_it(fn.__name__, thing)
        if is_ours:
            for name in code_info(fn.__code__).names:
                if name in self._namespace and name not in self._values:
                    self._globals[name] = self.with_it(name, self._namespace[name])
        return new


class Refused:
    """Stands for a helper that reads a task's variable and cannot be given it; says so when it is used."""

    def __init__(self, name: str, kind: str, read: list[str]) -> None:
        self.__dict__["message"] = (
            f"{name!r} (a {kind}) reads {', '.join(map(repr, read))} from the notebook's namespace, and that is "
            f"a task's variable, which is put there only when the run ends. Pass it as an argument instead."
        )

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TaskDefinitionError(self.__dict__["message"])

    __call__ = __getattr__ = __getitem__ = __iter__ = __len__ = __bool__ = __contains__ = _refuse
