"""Which backends there are: by name, by the scheme of a URL, or by the kind of an object such as a client."""

from __future__ import annotations

from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from graflow_nb.core.errors import UnknownBackendError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from graflow_nb.core.backend import Backend


THREADS: Final = "threads"
"""The backend of which nothing need be said."""


class QueueBackend(Enum):
    """Where the queue of a run is, in Graflow's words: in this process, or in a Redis.

    Examples
    --------
    >>> QueueBackend.REDIS.value  # the backend of that name
    'redis'
    """

    IN_MEMORY = THREADS
    REDIS = "redis"


Make: TypeAlias = "Callable[[int | None], Backend]"
"""Makes a backend for a run, from the number of workers (None: its default)."""


class _Known(NamedTuple):
    make: Callable[..., Backend]
    schemes: Collection[str]
    package: str | None

    def means(self, given: Any) -> bool:
        """Whether a URL or an object means this one."""
        if isinstance(given, str):
            return "://" in given and given.partition("://")[0].lower() in self.schemes
        return self.package is not None and self.package in {
            kind.__module__.partition(".")[0] for kind in type(given).__mro__
        }


_known: dict[str, _Known] = {}


def register_backend(
    name: str, make: Callable[..., Backend], *, schemes: Collection[str] = (), package: str | None = None
) -> None:
    """Let ``backend=name`` mean a backend of one's own; see `graflow_nb.core.backend.Backend`.

    Parameters
    ----------
    name : str
    make : callable
        Called once a run, if a task needs it, with the number of workers that the run was given, or None. It
        should be quick, and start nothing: a run may turn out to have nothing to do.
    schemes : collection of str
        A URL with one of these schemes means this backend too, such as ``backend="tcp://host:8786"``; `make` is
        then called with the number of workers and the URL.
    package : str, optional
        An object whose class comes from this package means this backend too; `make` is called with the number of
        workers and the object.
    """
    _known[name] = _Known(make, frozenset(schemes), package)


def backend_named(given: Any) -> Make:
    """Return what makes the backend of this name, or at this address, or with this client.

    Raises
    ------
    UnknownBackendError
        If there is none.
    """
    if isinstance(given, str) and given in _known:
        return _known[given].make
    for known in _known.values():
        if known.means(given):
            return partial(_made_at, known.make, given)
    if isinstance(given, str) and "://" in given:
        schemes = sorted(f"{scheme}://" for known in _known.values() for scheme in known.schemes)
        there = f"Addresses begin with {', '.join(schemes)}. " if schemes else ""
        raise UnknownBackendError(f"there is no backend at {shown(given)!r}. {there}register_backend() adds one")
    hint = did_you_mean(str(given), (THREADS, *_known))
    raise UnknownBackendError(f"there is no backend {given!r}. {hint} register_backend() adds one")


def backend_of(queue: QueueBackend | str | None) -> str | None:
    """Return the name of the backend that is meant in Graflow's words; None if nothing is said."""
    return None if queue is None else QueueBackend(queue).value


def is_address(given: Any) -> bool:
    """Whether something, which is not the name of a backend, means one."""
    return any(known.means(given) for known in _known.values())


def _made_at(make: Callable[..., Backend], where: Any, workers: int | None) -> Backend:
    return make(workers, where)


def shown(given: Any) -> str:
    """Return how a backend is named to people: what stands in a URL to log in is not theirs to see.

    Examples
    --------
    >>> shown("redis://me:secret@host:6379/0")
    'redis://***@host:6379/0'
    """
    if not isinstance(given, str):
        return f"{type(given).__module__.partition('.')[0]}.{type(given).__name__}"
    if "://" not in given:
        return given
    scheme, rest = given.split("://", 1)
    secret, at, place = rest.rpartition("@")
    return (
        f"{scheme}://{'***@' if secret or at else ''}{place.partition('?')[0]}"  # a password may stand after ? too
    )
