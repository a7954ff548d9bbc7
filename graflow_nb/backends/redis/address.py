"""Where a Redis is, and what goes wrong on the way to it; what logs in is never shown."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from graflow_nb.core.errors import BackendError, UnknownBackendError, describe
from graflow_nb.core.known_backends import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    Found = TypeVar("Found")

URL: Final = "GRAFLOW_NB_REDIS_URL"
"""The variable that holds the URL, when none is given."""
SHARED: Final = "GRAFLOW_NB_SHARED"
"""The variable that names a folder which all machines see, when the URL names none."""
SCHEMES: Final = ("redis", "rediss", "unix")
QUEUE: Final = "graflow"
_DEFAULT = "redis://localhost:6379/0"
_CONNECT = 5.0
"""Seconds to wait for a connection."""
PATIENCE: Final = 10.0
"""Seconds for which a Redis that went away may come back."""


class Address:
    """A Redis, and what of ours is in its URL: ``redis://:password@host:6379/0?queue=gpu&shared=/mnt/work``.

    Parameters
    ----------
    url : str, optional
        By default ``GRAFLOW_NB_REDIS_URL``, else a Redis on this machine.

    Attributes
    ----------
    queue : str
    shared : str or None

    Raises
    ------
    BackendError
        If that is no such URL.
    UnknownBackendError
        If redis, rq or cloudpickle is not installed.
    """

    def __init__(self, url: str | None = None) -> None:
        check_installed()
        given = url or os.environ.get(URL) or _DEFAULT
        try:
            parts = urlsplit(given)
            _ = parts.port
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in SCHEMES or (parts.scheme != "unix" and not parts.hostname):
            raise BackendError(
                f"{shown(given)!r} is not the URL of a Redis, as redis://:PASSWORD@HOST:6379/0 is (rediss: with "
                f"TLS; unix: a socket); what is special in a password is written as %40 for @"
            )
        options = dict(parse_qsl(parts.query))
        self.queue = options.pop("queue", QUEUE)
        self.shared = options.pop("shared", None) or os.environ.get(SHARED) or None
        options.pop("decode_responses", None)  # what goes through it is bytes
        self._url = given.partition("?")[0] + (f"?{urlencode(options)}" if options else "")
        passwords = [one for one in (parts.password, options.get("password")) if one]
        self._secrets = sorted({*passwords, *map(unquote, passwords)}, key=len, reverse=True)

    def __repr__(self) -> str:
        return shown(self._url)

    def connect(self, timeout: float = PATIENCE, tries: int = 0) -> redis.Redis:
        """Return a client, which connects when it is first used.

        Parameters
        ----------
        timeout : float
            Seconds that an answer may take.
        tries : int
            How often it tries again by itself.
        """
        from redis import Redis
        from redis.backoff import ExponentialBackoff
        from redis.retry import Retry

        more: dict[str, Any] = {} if self._url.startswith("unix:") else {"socket_keepalive": True}
        more |= _who_we_are()
        try:
            return Redis.from_url(  # type: ignore[no-any-return,unused-ignore]
                self._url,
                socket_connect_timeout=_CONNECT,
                socket_timeout=timeout,
                retry=Retry(ExponentialBackoff(cap=1.0, base=0.02), tries),
                **more,
            )
        except (ValueError, TypeError) as error:
            raise BackendError(f"{self!r} is not the URL of a Redis ({self.scrub(describe(error))})") from None

    def scrub(self, text: str) -> str:
        """Return a text without the password."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def trouble(self, error: BaseException) -> BackendError:
        """Return what to say of an error of Redis's."""
        from redis import exceptions

        said = self.scrub(describe(error))
        is_login = any(word in str(error) for word in ("NOAUTH", "WRONGPASS", "invalid password", "AUTH"))
        if isinstance(error, exceptions.AuthenticationError) or is_login:
            return BackendError(
                f"Redis at {self!r} does not let us in ({said}). Its password belongs into the URL, "
                f"redis://:PASSWORD@HOST:6379/0, which the variable {URL} may hold"
            )
        if isinstance(error, exceptions.NoPermissionError):
            return BackendError(f"Redis at {self!r} does not allow what is needed ({said}). Ask for another user")
        if isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError | OSError):
            return BackendError(
                f"no Redis answers at {self!r} ({said}). Start one (redis-server), or say where it is: "
                f'backend="redis://HOST:6379/0", or the variable {URL}'
            )
        return BackendError(f"Redis at {self!r} cannot do what is needed ({said})")


def steadily(do: Callable[[], Found], seconds: float = PATIENCE) -> Found:
    """Do something with Redis, again and again for some seconds if it does not answer; raises as it did last."""
    from redis import exceptions

    first, pause = None, 0.05
    while True:
        try:
            return do()
        except exceptions.AuthenticationError:
            raise
        except (exceptions.ConnectionError, exceptions.TimeoutError):
            now = time.monotonic()
            first = now if first is None else first
            if now - first >= seconds:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 1.0)


def check_installed() -> None:
    """Raise if what the backend needs is not there.

    Raises
    ------
    UnknownBackendError
    """
    try:
        import cloudpickle  # noqa: F401
        import redis  # noqa: F401
        import rq  # noqa: F401
    except ImportError as error:
        raise UnknownBackendError(
            f'backend="redis" needs {error.name}, which is not installed: pip install graflow-nb[redis]'
        ) from None


def _who_we_are() -> dict[str, Any]:
    """Return what a client says of itself: it would look for its own version anew with each connection."""
    try:
        from redis.driver_info import DriverInfo
    except ImportError:  # an older redis-py looks once
        return {}
    return {"driver_info": DriverInfo()}


def text(value: Any) -> str:
    """Return what Redis has as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
