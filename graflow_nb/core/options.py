"""How a task is to be run: its options, checked when they are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import TaskDefinitionError, did_you_mean
from graflow_nb.core.known_backends import is_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graflow_nb.core.retry import RetryPolicy

MAX_CYCLES = 10
"""How many calls a task that asks for another iteration gets in one run."""


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
    backend : str, object or None
        Where its calls happen: ``"threads"``, ``"processes"``, …, an address or a client; None: where the run's
        do.
    retry : RetryPolicy or None
        How often it is tried again when it fails. Written as ``retries=3``, ``retry_delay=`` (seconds),
        ``backoff=`` (a factor), ``retry_on=`` (types of exceptions), or ``retry=RetryPolicy(…)``.
    timeout : float or None
        Seconds after which a call of it is broken off, with `TaskTimeout`. One that cannot be broken off (a long
        call in C) is given up: what it does later is done to nothing, and what it took is free for others.
        With `main_thread` it is noticed only, and the run waits for the call to end.
    resources : mapping of str to int
        What it takes while it runs, of what the workflow has: ``{"db": 1}``.
    priority : int
        Of two tasks that could start, the one of higher priority does.
    when : callable or None
        Decides whether it runs: a function of results, whose parameters are filled as a task's are. For a map
        one that takes what the items fill is asked for each of them, any other for the whole.
    max_cycles : int
        How many calls it gets in one run, the first and those of `TaskContext.next_iteration`.
    bound : mapping
        Arguments that are fixed, by parameter name; one that is a task stands for its result.
    """

    inject_context: bool = False
    cache: bool = True
    max_age: float | None = None
    version: Any = None
    ignore: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    keep: bool = True
    main_thread: bool = False
    backend: Any = None
    retry: RetryPolicy | None = None
    timeout: float | None = None
    resources: Mapping[str, int] = field(default_factory=dict)
    priority: int = 0
    when: Callable[..., Any] | None = None
    max_cycles: int = MAX_CYCLES
    bound: Mapping[str, Any] = field(default_factory=dict)


DEFAULTS = Options()
"""Those of a task of which nothing was said."""
_SHORT = ("retries", "retry_delay", "backoff", "retry_on")
_KNOWN = (*(option for option in Options.__slots__ if option != "bound"), *_SHORT)


def read_options(name: str, given: Mapping[str, Any]) -> Options:
    """Return a task's options as they were written.

    Raises
    ------
    TaskDefinitionError
        If one is unknown, or makes no sense; naming the task.
    """
    for option in given:
        if option not in _KNOWN:
            raise TaskDefinitionError(
                f"task {name!r} has an unknown option {option!r}. {did_you_mean(option, _KNOWN)}"
            )
    options = dict(given)
    if any(short in options for short in _SHORT):
        options["retry"] = _retry(name, options)
    elif options.get("retry") is not None:
        options["retry"] = _policy(name, options["retry"])
    for option, check in _CHECKS.items():
        if option in options:
            options[option] = check(name, option, options[option])
    if options.get("main_thread") and options.get("backend"):
        raise TaskDefinitionError(f"task {name!r} has both main_thread=True and backend=: say one of the two")
    return Options(**options)


def _retry(name: str, options: dict[str, Any]) -> RetryPolicy | None:
    from graflow_nb.core.retry import retry_policy

    if options.get("retry") is not None:
        raise TaskDefinitionError(f"task {name!r} has both retry= and {', '.join(_SHORT)}: say one of the two")
    return retry_policy(name, **{short: options.pop(short) for short in _SHORT if short in options})


def _policy(name: str, given: Any) -> RetryPolicy | None:
    from graflow_nb.core.retry import RetryPolicy, retry_policy

    if isinstance(given, RetryPolicy):
        return retry_policy(name, retries=given)
    raise TaskDefinitionError(
        f"task {name!r}: retry takes a RetryPolicy, not {given!r}. A number of times is retries={given!r}"
    )


def _texts(name: str, option: str, given: Any) -> tuple[str, ...]:
    several = (given,) if isinstance(given, str | PathLike) else given
    try:
        return tuple(fspath(one) for one in several)
    except TypeError:
        raise TaskDefinitionError(f"task {name!r}: {option} takes texts, not {given!r}") from None


def _seconds(name: str, option: str, given: Any) -> float | None:
    if given is None or (_is_number(given, int | float) and given >= 0 and (given or option != "timeout")):
        return given  # type: ignore[no-any-return]
    least = "more than 0" if option == "timeout" else "0 or more"
    raise TaskDefinitionError(f"task {name!r}: {option} is a number of seconds, {least}, not {given!r}")


def _backend(name: str, option: str, given: Any) -> Any:
    if given is None or (isinstance(given, str) and given) or is_address(given):
        return given
    raise TaskDefinitionError(
        f'task {name!r}: {option} is a backend: a name such as "processes", an address or a client, not {given!r}'
    )


def _callable(name: str, option: str, given: Any) -> Any:
    if given is None or callable(given):
        return given
    raise TaskDefinitionError(
        f"task {name!r}: {option} takes a function of results, such as lambda data: len(data) > 0, not {given!r}"
    )


def _whole(name: str, option: str, given: Any) -> int:
    if _is_number(given, int) and (given >= 1 or option == "priority"):
        return given  # type: ignore[no-any-return]
    least = "" if option == "priority" else ", 1 or more"
    raise TaskDefinitionError(f"task {name!r}: {option} is a whole number{least}, not {given!r}")


def _needed(name: str, option: str, given: Any) -> dict[str, int]:
    return read_amounts(f"task {name!r}: {option}", {given: 1} if isinstance(given, str) else given)


def read_amounts(what: str, given: Any) -> dict[str, int]:
    """Return how many of each resource; `what` begins the message if that makes no sense.

    Raises
    ------
    TaskDefinitionError
        If these are no whole numbers by name, each 1 or more.
    """
    try:
        amounts = dict(given)
    except (TypeError, ValueError):
        raise TaskDefinitionError(f'{what} is like {{"db": 1}}, not {given!r}') from None
    for resource, amount in amounts.items():
        if not isinstance(resource, str) or not _is_number(amount, int) or amount < 1:
            raise TaskDefinitionError(
                f"{what} are names with how many of each, 1 or more, not {resource!r}: {amount!r}"
            )
    return amounts


def _is_number(given: Any, kind: Any) -> bool:
    return isinstance(given, kind) and not isinstance(given, bool)


_CHECKS: Mapping[str, Callable[[str, str, Any], Any]] = {
    "ignore": _texts,
    "inputs": _texts,
    "max_age": _seconds,
    "timeout": _seconds,
    "backend": _backend,
    "when": _callable,
    "priority": _whole,
    "max_cycles": _whole,
    "resources": _needed,
}
