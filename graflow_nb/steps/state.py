"""The state of a workflow of steps: one mapping, from which each step gets a copy of its own."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Self

from graflow_nb.core.errors import did_you_mean

MISSING: Any = object()


class Variables(dict[str, Any]):
    """A dictionary that notes which of its keys were written, or deleted."""

    __slots__ = ("written",)

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        super().__init__(values or {})
        self.written: dict[str, None] = {}

    def __setitem__(self, key: str, value: Any) -> None:
        self.written[key] = None
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self.written[key] = None

    def update(self, *args: Any, **kwargs: Any) -> None:
        for key, value in dict(*args, **kwargs).items():
            self[key] = value

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]
        self.update(other)
        return self

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, default: Any = MISSING) -> Any:
        if key not in self and default is not MISSING:
            return default
        value = super().pop(key)
        self.written[key] = None
        return value

    def popitem(self) -> tuple[str, Any]:
        key, value = super().popitem()
        self.written[key] = None
        return key, value

    def clear(self) -> None:
        self.written.update(dict.fromkeys(self))
        super().clear()


class WorkflowContext(MutableMapping[str, Any]):
    """What a workflow of steps begins with, and what its conditions, functions and tools see of it.

    A mapping over its variables. What a step returns is there as ``step_<id>_result``; if that is a mapping, its
    items are variables too. Who runs a workflow keeps the context as it was: the result has one of its own.

    Parameters
    ----------
    workflow_id : str
    user_context : mapping, optional
        Whose workflow this is; steps can read it.
    variables : mapping of str, optional
        The state at first.
    metadata : mapping, optional
    initial_data : mapping of str, optional
        Another name for `variables`.

    Attributes
    ----------
    variables, data : dict
        The state.
    initial_data : dict
        The state as it was at first.

    Examples
    --------
    >>> state = WorkflowContext("order_1", variables={"total": 10})
    >>> state["total"], state.get("tier", "standard"), state.variables.get("total")
    (10, 'standard', 10)
    """

    def __init__(
        self,
        workflow_id: str = "",
        user_context: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        initial_data: Mapping[str, Any] | None = None,
    ) -> None:
        if variables is not None and initial_data is not None:
            raise TypeError("WorkflowContext: variables and initial_data are two names of one thing: give one")
        given = variables if variables is not None else initial_data
        for name, value in (("variables", given), ("user_context", user_context), ("metadata", metadata)):
            if value is not None and not isinstance(value, Mapping):
                raise TypeError(f"WorkflowContext: {name} is a mapping, not {value!r}")
        self.workflow_id = workflow_id
        self.user_context = dict(user_context or {})
        self.metadata = dict(metadata or {})
        self.variables = Variables(given)
        self.initial_data = dict(given or {})

    @classmethod
    def seen(cls, about: Mapping[str, Any], variables: Mapping[str, Any]) -> Self:
        """Return what a step sees, without copying more than it may change."""
        self = cls.__new__(cls)
        self.workflow_id = about["workflow_id"]
        self.user_context, self.metadata = dict(about["user_context"]), dict(about["metadata"])
        self.variables = Variables(variables)
        self.initial_data = about["initial_data"]
        return self

    @property
    def data(self) -> Variables:
        """The same as `variables`."""
        return self.variables

    def __getitem__(self, key: str) -> Any:
        try:
            return self.variables[key]
        except KeyError:
            hint = did_you_mean(str(key), self.variables)
            raise KeyError(f"the state has no {key!r}. {hint}") from None

    def __setitem__(self, key: str, value: Any) -> None:
        self.variables[key] = value

    def __delitem__(self, key: str) -> None:
        del self.variables[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.variables)

    def __len__(self) -> int:
        return len(self.variables)

    def __repr__(self) -> str:
        return f"WorkflowContext({self.workflow_id!r}, variables={dict(self.variables)!r})"

    def get_step_result(self, step_id: str, default: Any = None) -> Any:
        """Return what a step returned, or `default` if it did not run."""
        return self.variables.get(f"step_{step_id}_result", default)

    def branch(self) -> WorkflowContext:
        """Return a copy: what is written there is not seen here."""
        new = copy.copy(self)
        new.variables = Variables(self.variables)
        return new

    def absorb(self, values: Mapping[str, Any], written: Mapping[str, None]) -> None:
        """Write what was written in a branch that has ended."""
        for key in written:
            if key in values:
                self.variables[key] = values[key]
            else:
                self.variables.pop(key, None)


def as_context(given: Any, workflow_id: str) -> WorkflowContext:
    """Return a new context with what was given: a context, a mapping, or nothing; values are copied.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if given is None or (isinstance(given, Mapping) and not isinstance(given, WorkflowContext)):
        given = WorkflowContext(workflow_id, variables=given)
    if not isinstance(given, WorkflowContext):
        raise TypeError(f"a workflow begins with a WorkflowContext, or a dict of its variables, not {given!r}")
    values = {key: _copied(value) for key, value in given.variables.items()}
    return WorkflowContext(given.workflow_id or workflow_id, given.user_context, values, given.metadata)


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:  # a lock, a connection
        return value


def are_same(one: Any, other: Any) -> bool:
    """Whether two values are the same, as far as can be told."""
    if one is other:
        return True
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:
        return False
