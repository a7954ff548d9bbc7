"""The parts that a task's key is made of, and how they are shown."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.incremental.code.paths import path_of
from graflow_nb.incremental.fingerprint import Opaque, fingerprint
from graflow_nb.incremental.trace.secret import is_secret, keyed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import CodeType


class Part(NamedTuple):
    """One thing that a task depends on.

    Attributes
    ----------
    kind : str
        "code", "function", "class", "global", "module", "setting", "argument", "input", …
    name : str
    digest : bytes or None
        None: its content cannot be known.
    shown : str
        Its value in short, or what kind of thing it is.
    """

    kind: str
    name: str
    digest: bytes | None
    shown: str = ""


class Reads:
    """What a callable is and reads.

    Attributes
    ----------
    parts : tuple of Part
    modules : tuple of str
        The user's own modules of which something is among the parts.
    codes : mapping of str
        The code that is among the parts, by the parts' names: functions' code objects, or a cell's source.
    """

    __slots__ = ("_encoded", "_texts", "codes", "modules", "parts")

    def __init__(
        self,
        parts: Iterable[Part],
        texts: Iterable[Any] = (),
        modules: Iterable[str] = (),
        codes: Mapping[str, CodeType | str] = MappingProxyType({}),
    ) -> None:
        self.parts = tuple(parts)
        self.modules = tuple(modules)
        self.codes = codes
        self._texts = tuple(texts)
        self._encoded: bytes | None = b""

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that it could name, in its code or what that reads; most need not exist."""
        if not self._texts:
            return ()
        return tuple(dict.fromkeys(path for text in self._texts if (path := path_of(text))))

    @property
    def encoded(self) -> bytes | None:
        """All parts as bytes, worked out once; None if something cannot be known."""
        if self._encoded == b"":
            self._encoded = encoded(self.parts)
        return self._encoded


def encoded(parts: Iterable[Part]) -> bytes | None:
    """Return parts as bytes, equal for equal ones only; None if the content of one cannot be known."""
    pieces: list[bytes] = []
    for kind, name, digest, _ in parts:
        if digest is None:
            return None
        pieces += (f"{kind}\0{name}\0{len(digest)}\0".encode("utf-8", "surrogatepass"), digest)
    return b"".join(pieces)


def value_part(kind: str, name: str, value: Any) -> Part:
    """Return a part for a value: its fingerprint, or None if its content cannot be known."""
    try:
        digest = fingerprint(value)
    except Opaque as opaque:
        return Part(kind, name, None, str(opaque))
    if is_secret(name, value if type(value) is str else ""):
        return Part(kind, name, keyed(digest), "(secret)")
    return Part(kind, name, digest, short(value))


def short(value: Any) -> str:
    """Return a plain value's repr, shortened; of anything else its type, without running its repr.

    Examples
    --------
    >>> short(0.5), short("a" * 100), short(object())
    ('0.5', "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…", 'object')
    """
    if type(value) is int and value.bit_length() > _MOST_BITS:
        return "int"
    if type(value) in _SHOWN:
        text = repr(value[:60] if isinstance(value, str | bytes) else value)
        return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return type(value).__qualname__


_LONGEST = 40
_MOST_BITS = 10_000  # Python refuses to write larger numbers in decimals
_SHOWN = frozenset({type(None), bool, int, float, str, bytes})
