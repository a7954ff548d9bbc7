"""When what follows a group of tasks goes on, although some of its members failed."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

from graflow_nb.core.errors import TaskDefinitionError, describe, did_you_mean

Results: TypeAlias = Mapping[str, Any]
"""The members' results by their names, in order; a failed one's is a `Failure`."""

_SHOWN = 3  # failures that a message spells out


@dataclass(frozen=True)
class Failure:
    """Stands for the result of a group's member that failed. It is false, as nothing else need be.

    Attributes
    ----------
    task_name : str
    error : BaseException
        What the task raised, with its traceback.

    Examples
    --------
    >>> results = [4, Failure("fetch", ValueError("no rows"))]
    >>> results[1]
    <Failure of 'fetch': ValueError: no rows>
    >>> [result for result in results if not isinstance(result, Failure)]
    [4]
    """

    task_name: str
    error: BaseException

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<Failure of {self.task_name!r}: {describe(self.error)}>"


@runtime_checkable
class Policy(Protocol):
    """Decides for a group."""

    def check(self, members: Sequence[str]) -> None:
        """Raise `TaskDefinitionError` if it can never hold for these members."""

    def decide(self, results: Results) -> str:
        """Return why what follows must not run, or "" if it may."""

    def is_enough(self, results_so_far: Results) -> bool:
        """Whether the members that still run need not go on."""


def looks_at_values(policy: Policy) -> bool:
    """Whether a policy looks at results; if not, only failures need be among them."""
    return getattr(policy, "looks_at_values", True)


def stops_early(policy: Policy) -> bool:
    """Whether `is_enough` of a policy may ever be true."""
    return getattr(policy, "stops_early", True)


def tolerates(policy: Policy) -> bool:
    """Whether a policy may go on although a member failed."""
    return getattr(policy, "tolerates", True)


@dataclass(frozen=True)
class _Plain:
    """What most policies have in common."""

    looks_at_values: ClassVar[bool] = False
    stops_early: ClassVar[bool] = False
    tolerates: ClassVar[bool] = True

    def check(self, members: Sequence[str]) -> None:
        """Hold for any members."""

    def is_enough(self, results_so_far: Results) -> bool:  # noqa: ARG002 - the protocol's
        return False


@dataclass(frozen=True)
class Strict(_Plain):
    """Every member must succeed."""

    tolerates: ClassVar[bool] = False

    def decide(self, results: Results) -> str:
        failed = failures(results)
        return f"{told(failed)} (strict: every member must succeed)" if failed else ""

    def __repr__(self) -> str:
        return "strict"


@dataclass(frozen=True)
class BestEffort(_Plain):
    """Whatever becomes of the members, what follows runs."""

    def decide(self, results: Results) -> str:  # noqa: ARG002 - the protocol's
        return ""

    def __repr__(self) -> str:
        return "best_effort"


@dataclass(frozen=True)
class FirstSuccess(_Plain):
    """One member's success is enough; the others need not go on."""

    stops_early: ClassVar[bool] = True

    def decide(self, results: Results) -> str:
        failed = failures(results)
        if len(failed) < len(results):
            return ""
        return f"no member succeeded (first_success needs one): {told(failed) or 'none has a result'}"

    def is_enough(self, results_so_far: Results) -> bool:
        return len(failures(results_so_far)) < len(results_so_far)

    def __repr__(self) -> str:
        return "first_success"


@dataclass(frozen=True)
class AtLeast(_Plain):
    """So many members must succeed."""

    count: int

    def __post_init__(self) -> None:
        if not isinstance(self.count, int) or isinstance(self.count, bool) or self.count < 1:
            raise TaskDefinitionError(
                f"at_least() takes how many members must succeed, 1 or more, not {self.count!r}; "
                f"best_effort goes on even if none does"
            )

    def check(self, members: Sequence[str]) -> None:
        if self.count > len(members):
            raise TaskDefinitionError(
                f"{self} can never hold for a group of {len(members)} ({', '.join(members)}): "
                f"at_least({len(members)}) or less can"
            )

    def decide(self, results: Results) -> str:
        failed = failures(results)
        succeeded = len(results) - len(failed)
        if succeeded >= self.count:
            return ""
        return f"{succeeded} of {len(results)} members succeeded, {self} needs {self.count}: {told(failed)}"

    def __repr__(self) -> str:
        return f"at_least({self.count})"


@dataclass(frozen=True)
class Critical(_Plain):
    """The named members must succeed; the others may fail."""

    names: tuple[str, ...]

    def check(self, members: Sequence[str]) -> None:
        for name in self.names:
            if name not in members:
                hint = did_you_mean(name, members)
                raise TaskDefinitionError(f"{self}: the group has no member {name!r}. {hint}")

    def decide(self, results: Results) -> str:
        failed = failures({name: results[name] for name in results if name in self.names})
        return f"{told(failed)} ({self})" if failed else ""

    def __repr__(self) -> str:
        return f"critical({', '.join(map(repr, self.names))})"


@dataclass(frozen=True)
class Asked(_Plain):
    """A function of the list of results says whether to go on."""

    looks_at_values: ClassVar[bool] = True

    fn: Callable[[list[Any]], Any]

    def decide(self, results: Results) -> str:
        try:
            goes_on = bool(self.fn([*results.values()]))
        except Exception as error:
            return f"policy {self} raised {describe(error)}{_where(error)}"
        if goes_on:
            return ""
        failed = failures(results)
        return f"policy {self} said no{f': {told(failed)}' if failed else ''}"

    def __repr__(self) -> str:
        return getattr(self.fn, "__qualname__", None) or repr(self.fn)


strict = Strict()
best_effort = BestEffort()
first_success = FirstSuccess()
_BY_NAME: Mapping[str, Policy] = {"strict": strict, "best_effort": best_effort, "first_success": first_success}


def at_least(n: int) -> AtLeast:
    """Return the policy by which `n` members must succeed.

    Raises
    ------
    TaskDefinitionError
        If that is no number of members.

    Examples
    --------
    >>> policy = at_least(2)
    >>> policy.decide({"a": 1, "b": Failure("b", ValueError("no rows"))})
    "1 of 2 members succeeded, at_least(2) needs 2: task 'b' failed: ValueError: no rows"
    """
    return AtLeast(n)


def critical(*names: Any) -> Critical:
    """Return the policy by which these members, tasks or their names, must succeed.

    Raises
    ------
    TaskDefinitionError
        If none is named.
    """
    if not names:
        raise TaskDefinitionError('critical() needs the members that must succeed: critical("load", "clean")')
    return Critical(tuple(str(getattr(name, "name", name)) for name in names))


def as_policy(given: Any) -> Policy:
    """Return what was given as a policy: one itself, its name, or a function of the list of results.

    Raises
    ------
    TaskDefinitionError
        If it is none of these.
    """
    if isinstance(given, str):
        if given in _BY_NAME:
            return _BY_NAME[given]
        if given in {"at_least", "critical"}:
            raise TaskDefinitionError(f"policy {given!r} needs to be told more: {_CALLS[given]}")
        raise TaskDefinitionError(f"there is no policy {given!r}. {did_you_mean(given, [*_BY_NAME, *_CALLS])}")
    if given is at_least or given is critical:
        raise TaskDefinitionError(f"policy {given.__name__} needs to be told more: {_CALLS[given.__name__]}")
    if isinstance(given, Policy) and not isinstance(given, type):
        return given
    if inspect.iscoroutinefunction(given):
        raise TaskDefinitionError(
            f"policy {given.__qualname__} is asked without awaiting it: write it without async"
        )
    if callable(given) and not isinstance(given, type):
        return Asked(given)
    known = ", ".join([*_BY_NAME, *_CALLS.values()])
    raise TaskDefinitionError(f"a policy is {known}, or a function of the list of results, not {given!r}")


_CALLS = {"at_least": "at_least(2)", "critical": 'critical("load")'}


def failures(results: Results) -> list[Failure]:
    """Return the failures among results."""
    return [result for result in results.values() if isinstance(result, Failure)]


def told(failed: Sequence[Failure]) -> str:
    """Say which members failed, and the first of them why."""
    shown = [f"task {failure.task_name!r} failed: {describe(failure.error)}" for failure in failed[:_SHOWN]]
    more = [f"{len(failed) - _SHOWN} more failed"] if len(failed) > _SHOWN else []
    return "; ".join(shown + more)


def _where(error: BaseException) -> str:
    """Say where an error was raised, if that was in a function of the user's."""
    frames = traceback.extract_tb(error.__traceback__)[1:]  # without our own call
    return f" (line {frames[-1].lineno} in {frames[-1].name})" if frames else ""
