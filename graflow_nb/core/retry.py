"""Whether a task that failed is tried again, and when."""

from __future__ import annotations

import math
import random as _random
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

from graflow_nb.core.errors import BackendError, TaskDefinitionError, describe

if TYPE_CHECKING:
    from collections.abc import Callable

RetryOn: TypeAlias = "tuple[type[BaseException], ...] | Callable[[BaseException], Any]"


@dataclass(frozen=True)
class RetryPolicy:
    """How often a task that fails is tried again, and how long to wait before that.

    Attributes
    ----------
    max_retries : int
        How often beside the first attempt.
    initial_interval : float
        Seconds before the first retry.
    backoff_factor : float
        How many times longer each wait is than the one before; 1: all are the same.
    max_interval : float
        Seconds that no wait exceeds.
    jitter : bool
        Wait a random time between 0 and that, so that many tasks which failed together do not all come back
        together ("full jitter": M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    retry_on : type, tuple of type, or callable
        Which errors are worth another try; a callable is asked with the error.

    Raises
    ------
    TaskDefinitionError
        If one of them cannot be.

    Examples
    --------
    >>> policy = RetryPolicy(max_retries=5, initial_interval=1, max_interval=10)
    >>> [policy.delay(attempt) for attempt in range(1, 6)]
    [1.0, 2.0, 4.0, 8.0, 10.0]
    """

    max_retries: int = 3
    initial_interval: float = 1.0
    backoff_factor: float = 2.0
    max_interval: float = 60.0
    jitter: bool = False
    retry_on: RetryOn = (Exception,)

    def __post_init__(self) -> None:
        for name in ("max_retries", "initial_interval", "backoff_factor", "max_interval", "jitter", "retry_on"):
            object.__setattr__(self, name, _checked(f"RetryPolicy: {name}", name, getattr(self, name)))

    def delay(self, attempt: int, random: Callable[[], float] = _random.random) -> float:
        """Return how many seconds to wait after an attempt that failed; the first is 1.

        Parameters
        ----------
        attempt : int
        random : callable
            Gives numbers from 0 up to 1, for `jitter`.
        """
        if attempt < 1:
            raise ValueError(f"attempts are counted from 1, not {attempt!r}")
        try:
            wait = self.initial_interval * self.backoff_factor ** (attempt - 1)
        except OverflowError:
            wait = math.inf if self.initial_interval else 0.0
        capped = float(min(wait, self.max_interval))
        return capped * random() if self.jitter else capped

    def retries_after(self, error: BaseException, attempt: int) -> bool:
        """Whether a task is tried again after an attempt (the first is 1) that raised this.

        Cancelling and interrupting are no failures, and a backend that is gone stays so for the run. If a callable
        `retry_on` itself raises, there is no other try, and the error gets a note of it.
        """
        if attempt > self.max_retries or not isinstance(error, Exception) or isinstance(error, BackendError):
            return False
        if isinstance(self.retry_on, tuple):
            return isinstance(error, self.retry_on)
        try:
            return bool(self.retry_on(error))
        except Exception as own:
            error.add_note(f"It was not tried again, for its `retry_on` raised {describe(own)}")
            return False


def retry_policy(
    task_name: str,
    *,
    retries: int | RetryPolicy | None = None,
    retry_delay: float | None = None,
    backoff: float | None = None,
    retry_on: Any = None,
) -> RetryPolicy | None:
    """Return what a task's short options mean; None if it is not tried again.

    Parameters
    ----------
    task_name : str
        For messages.
    retries : int or RetryPolicy, optional
    retry_delay : float, optional
        Seconds before the first retry.
    backoff : float, optional
        How many times longer each wait is than the one before.
    retry_on : type, tuple of type or callable, optional

    Raises
    ------
    TaskDefinitionError
        If one of them cannot be, or is given without `retries`.
    """
    given: dict[str, Any] = {"retry_delay": retry_delay, "backoff": backoff, "retry_on": retry_on}
    extra = [name for name, value in given.items() if value is not None]
    if isinstance(retries, RetryPolicy):
        if extra:
            raise TaskDefinitionError(
                f"task {task_name!r}: {extra[0]} and a RetryPolicy, which says that itself, were both given"
            )
        return retries if retries.max_retries else None
    if retries is None and extra:
        raise TaskDefinitionError(f"task {task_name!r}: {extra[0]} needs retries, as in retries=3")
    parts = {
        field: _checked(f"task {task_name!r}: {option}", field, value)
        for field, option, value in (
            ("max_retries", "retries", 0 if retries is None else retries),
            ("initial_interval", "retry_delay", retry_delay),
            ("backoff_factor", "backoff", backoff),
            ("retry_on", "retry_on", retry_on),
        )
        if value is not None
    }
    return RetryPolicy(**parts) if parts["max_retries"] else None


def _checked(what: str, field: str, value: Any) -> Any:
    """Return the value of a field in the form in which it is kept."""
    if field == "retry_on":
        return _errors(what, value)
    if field == "jitter":
        if isinstance(value, bool):
            return value
        raise TaskDefinitionError(f"{what} is True or False, not {value!r}")
    if field == "max_retries":
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        raise TaskDefinitionError(f"{what} is a number of times, 0 or more, not {value!r}")
    least, unit = (1, "a factor") if field == "backoff_factor" else (0, "a number of seconds")
    if not isinstance(value, Real) or isinstance(value, bool) or not float(value) >= least:
        raise TaskDefinitionError(f"{what} is {unit}, {least} or more, not {value!r}")
    if math.isinf(value) and field != "max_interval":
        raise TaskDefinitionError(f"{what} is {unit} that has an end, not {value!r}")
    return float(value)


def _errors(what: str, given: Any) -> RetryOn:
    """Return which errors are meant, as a tuple of types or a callable."""
    several: tuple[Any, ...] = tuple(given) if isinstance(given, tuple | list | set | frozenset) else (given,)
    if several and all(isinstance(one, type) and issubclass(one, BaseException) for one in several):
        return several
    if callable(given) and not isinstance(given, type):
        chosen: RetryOn = given
        return chosen
    raise TaskDefinitionError(
        f"{what} takes types of errors, as in (OSError, TimeoutError), or a function of the error, not {given!r}"
    )
