"""Parameters of a workflow: named inputs, drawn and depended on like tasks."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

from graflow_nb.core.errors import TaskDefinitionError
from graflow_nb.core.task import Task


def given(value: Any) -> Any:
    """Return a copy of what is given, if it can be copied: a task may change it, and the parameter stays."""
    try:
        return deepcopy(value)
    except Exception:
        return value


class Param(Task):
    """A named input of a workflow. Its result is its value; made by `WorkflowContext.param`.

    Parameters
    ----------
    name : str
    value : object
    """

    __slots__ = ()

    def __init__(self, name: str, value: Any) -> None:
        super().__init__(name, given)
        self.value = value

    @property
    def value(self) -> Any:
        """What it stands at; it can be assigned. A run may be given another value, for that run only."""
        return self.options.bound["value"]

    @value.setter
    def value(self, value: Any) -> None:
        if hasattr(type(value), "__next__"):
            raise TaskDefinitionError(
                f"parameter {self.name!r} cannot be a one-shot iterator ({type(value).__name__}): give it a list"
            )
        self.options = replace(self.options, bound={"value": value})
