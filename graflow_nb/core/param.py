"""Parameters of a workflow: named inputs, drawn and depended on like tasks."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.core.errors import TaskDefinitionError, did_you_mean
from graflow_nb.core.task import Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def given(value: Any) -> Any:
    """Return a copy of what is given, if it can be copied: a task may change it, and the parameter stays."""
    try:
        return deepcopy(value)
    except Exception:
        return value


class Span(NamedTuple):
    """What values a parameter may have; how it is shown, and no part of what makes a result.

    Attributes
    ----------
    min, max, step : float or None
    choices : sequence or None
    """

    min: float | None = None
    max: float | None = None
    step: float | None = None
    choices: Sequence[Any] | None = None

    def check(self, name: str, value: Any) -> Any:
        """Return a value that is one of these.

        Raises
        ------
        TaskDefinitionError
            If it is not.
        """
        if self.choices is not None and value not in self.choices:
            listed = ", ".join(map(repr, self.choices))
            raise TaskDefinitionError(f"parameter {name!r} cannot be {value!r}: it is one of {listed}")
        is_number = isinstance(value, int | float)
        if is_number and self.min is not None and value < self.min:
            raise TaskDefinitionError(f"parameter {name!r} cannot be {value!r}: it is at least {self.min}")
        if is_number and self.max is not None and value > self.max:
            raise TaskDefinitionError(f"parameter {name!r} cannot be {value!r}: it is at most {self.max}")
        return value

    def checked(self, name: str, value: Any) -> Span:
        """Return itself, if the value is one of these; raises as `check` does."""
        self.check(name, value)
        return self


def span_of(name: str, parts: Mapping[str, Any]) -> Span:
    """Return a span made of its parts by name.

    Raises
    ------
    TaskDefinitionError
        If there is no such part.
    """
    for part in parts:
        if part not in Span._fields:
            hint = did_you_mean(part, Span._fields)
            raise TaskDefinitionError(f"parameter {name!r} has no option {part!r}. {hint}")
    choices = parts.get("choices")
    return Span(**{**parts, "choices": None if choices is None else tuple(choices)})


class Param(Task):
    """A named input of a workflow. Its result is its value; made by `WorkflowContext.param`.

    Parameters
    ----------
    name : str
    value : object
    span : Span
        What values it may have.

    Attributes
    ----------
    default : object
        What it stood at when it was made.
    """

    __slots__ = ("default", "span")

    def __init__(self, name: str, value: Any, span: Span = Span()) -> None:  # noqa: B008 - it is never changed
        super().__init__(name, given)
        self.span = span
        self.default = value
        self.value = value

    @property
    def kind(self) -> str:
        """How it is shown: "flag", "choice", "integer", "number", "text", or "other" for what has no control."""
        if self.span.choices is not None:
            return "choice"
        return _KINDS.get(type(self.value), "other")

    def read(self, value: Any) -> Any:
        """Return what a control sends as a value of this parameter's kind.

        Raises
        ------
        TaskDefinitionError
            If it is none.
        """
        kind = self.kind
        if kind == "other":
            raise TaskDefinitionError(
                f"parameter {self.name!r} is a {type(self.value).__name__}: give it a value in a cell"
            )
        if kind == "choice":
            same = [c for c in self.span.choices or () if c == value and type(c) is type(value)]
            return self.span.check(self.name, same[0] if same else value)
        try:
            value = type(self.value)(value)
        except (TypeError, ValueError) as error:
            raise TaskDefinitionError(f"parameter {self.name!r} cannot be {value!r}: {error}") from None
        return self.span.check(self.name, value)

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
        self.span.check(self.name, value)
        self.options = replace(self.options, bound={"value": value})


_KINDS: dict[type, str] = {bool: "flag", int: "integer", float: "number", str: "text"}
