"""A channel whose keys and types are known: a wrong one is refused where it is written or read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.core.channel import check_key
from graflow_nb.core.errors import did_you_mean
from graflow_nb.core.hints import Mismatch, bare, fields_of, item_types, mismatch, shown

if TYPE_CHECKING:
    from graflow_nb.core.channel import ChannelLike
    from graflow_nb.core.locks import Hold


class TypedChannel:
    """A channel with the keys of a TypedDict, a dataclass or a pydantic model, and values of their types.

    A wrong key is a KeyError with the nearest name; a value of another type is a TypeError that says which type
    was expected, which was found, and where inside. What others wrote is checked when it is read.

    Parameters
    ----------
    channel : ChannelLike
        Where the values are.
    schema : type

    Raises
    ------
    TypeError
        If the schema is none of these.

    Examples
    --------
    >>> from typing import TypedDict
    >>> from graflow_nb.core.channel import Channel
    >>> class Training(TypedDict):
    ...     rate: float
    ...     losses: list[float]
    >>> channel = TypedChannel(Channel(), Training)
    >>> channel.append("losses", 0.9)
    >>> channel.set("losses", [0.9, None])
    Traceback (most recent call last):
    TypeError: channel key 'losses' of Training: losses[1]: expected float, found None
    """

    def __init__(self, channel: ChannelLike, schema: type) -> None:
        fields = fields_of(schema)
        if fields is None:
            raise TypeError(
                f"a typed channel takes a TypedDict, a dataclass or a pydantic model, "
                f"not {schema.__name__ if isinstance(schema, type) else repr(schema)}"
            )
        self._channel = channel
        self._name = schema.__name__
        self._types = fields

    def get(self, key: str, default: Any = None) -> Any:
        """Return what a key holds, or the default."""
        hint, absent = self._type(key), object()
        value = self._channel.get(key, absent)
        if value is absent:
            return default
        self._check(key, mismatch(value, hint))
        return value

    def set(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Let a key hold a value; see `Channel.set`."""
        self._check(key, mismatch(value, self._type(key)))
        self._channel.set(key, value, ttl=ttl)

    def append(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Put a value at the end of a key's list; see `Channel.append`."""
        self._check_item(key, value)
        self._channel.append(key, value, ttl=ttl)

    def prepend(self, key: str, value: Any, *, ttl: float | None = None) -> None:
        """Put a value at the beginning of a key's list; see `Channel.append`."""
        self._check_item(key, value)
        self._channel.prepend(key, value, ttl=ttl)

    def delete(self, key: str) -> bool:
        """Take a key away; return whether it was there."""
        self._type(key)
        return self._channel.delete(key)

    def exists(self, key: str) -> bool:
        """Whether a key holds something, be it None."""
        self._type(key)
        return self._channel.exists(key)

    def keys(self) -> list[str]:
        """Return those of its keys that hold something, in the order in which they were first set."""
        return [key for key in self._channel.keys() if key in self._types]  # noqa: SIM118 - no mapping

    def clear(self) -> None:
        """Take all of its keys away; others stay."""
        for key in self._types:
            self._channel.delete(key)

    def atomic_add(self, key: str, amount: Any = 1) -> Any:
        """Add to a key's number; see `Channel.atomic_add`."""
        self._check(key, mismatch(amount, self._type(key)))
        return self._channel.atomic_add(key, amount)

    def lock(self, key: str, timeout: float | None = None) -> Hold:
        """Return a lock by this name; see `Channel.lock`."""
        self._type(key)
        return self._channel.lock(key, timeout)

    def _type(self, key: str) -> Any:
        if check_key(key) in self._types:
            return self._types[key]
        raise KeyError(f"{self._name} has no key {key!r}. {did_you_mean(key, self._types)}")

    def _check(self, key: str, found: Mismatch | None) -> None:
        if found is not None:
            where = f"{key}{found.path}: " if found.path else ""
            raise TypeError(f"channel key {key!r} of {self._name}: {where}{found.text}")

    def _check_item(self, key: str, value: Any) -> None:
        hint = self._type(key)
        wanted = item_types(hint)
        if not wanted:
            raise TypeError(
                f"channel key {key!r} of {self._name} is no list but {shown(bare(hint))}: set it instead"
            )
        found = [mismatch(value, item) for item in wanted]
        if None not in found:
            assert found[0] is not None
            self._check(key, found[0].inside("[...]"))

    def __repr__(self) -> str:
        return f"<typed channel {self._name}: {', '.join(self._types)}>"
