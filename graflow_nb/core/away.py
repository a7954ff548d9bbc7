"""Values that stay where they were made, in another process or on another machine, until they are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from graflow_nb.core.errors import LostError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Holder(Protocol):
    """Has what one call made, where it was made; a backend's own.

    Attributes
    ----------
    why_lost : str
        Why the values can no longer be had; "" while they can.
    """

    why_lost: str

    def fetch(self, variable: str | None) -> Any:
        """Return a copy of a value; raises `LookupError`, saying why, if it can no longer be had."""

    def is_intact(self, variable: str | None, was: Any) -> bool:
        """Whether a value still has the fingerprint that it had, wherever there is a copy of it."""


class Away:
    """A value that is elsewhere; made by the backend whose call made it.

    Parameters
    ----------
    task : str
        Which task made it.
    variable : str or None
        Which variable of it this is; None: its result.
    holder : Holder
    size : int
        Bytes, roughly.
    shown : sequence of str
        What can be said of it in a few words: its type, its size, and a glimpse of it.
    """

    __slots__ = ("holder", "shown", "size", "task", "variable")

    def __init__(
        self, task: str, variable: str | None, holder: Holder, size: int = 0, shown: Sequence[str] = ()
    ) -> None:
        self.task = task
        self.variable = variable
        self.holder = holder
        self.size = size
        self.shown = shown

    @property
    def is_lost(self) -> bool:
        """Whether it is known that it can no longer be had."""
        return bool(self.holder.why_lost)

    def fetch(self) -> Any:
        """Return a copy of the value.

        Raises
        ------
        LostError
            If it can no longer be had.
        """
        if not self.holder.why_lost:
            try:
                return self.holder.fetch(self.variable)
            except LookupError as error:
                self.holder.why_lost = str(error.args[0] if error.args else error)
        raise self.lost()

    def lost(self) -> LostError:
        """Return the error for who needs it and cannot have it."""
        return LostError(self.task, self.holder.why_lost)

    def let_go(self, why: str) -> None:
        """Use it no more, nor what was made together with it."""
        self.holder.why_lost = why

    def is_intact(self, was: Any) -> bool:
        """Whether it still has the fingerprint that it had, wherever there is a copy of it."""
        return not self.is_lost and self.holder.is_intact(self.variable, was)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"the result of task {self.task!r} is elsewhere, and was not fetched")

    def __repr__(self) -> str:
        return f"<elsewhere: {', '.join(filter(None, self.shown[:2])) or 'a value'}>"


def fetched(value: Any) -> Any:
    """Return a value itself, if it is elsewhere; raises as `Away.fetch` does."""
    return value.fetch() if type(value) is Away else value


_describe: Callable[[Any], Sequence[str]] = lambda value: (type(value).__qualname__,)  # noqa: E731 - a default


def set_describe(describe: Callable[[Any], Sequence[str]]) -> None:
    """Say how a value is told in a few words, where it is."""
    global _describe  # noqa: PLW0603 - what is said from above
    _describe = describe


def described(value: Any) -> Sequence[str]:
    """Return a value in a few words; it never raises."""
    try:
        return tuple(_describe(value))
    except Exception:
        return (type(value).__qualname__,)
