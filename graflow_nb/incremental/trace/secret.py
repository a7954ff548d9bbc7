"""What looks secret, and digests that give nothing away."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from hashlib import blake2b

_WORDS = re.compile(
    r"key|token|passw|passphrase|pwd|secret|credential|auth|private|signature|cookie|session_?id|bearer|dsn|salt"
    r"|(^|_)(pat|pin|pass|jwt|cert)(_|$)|conn(ection)?_?str",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"://[^/\s@]+@")
_LONGEST = 60  # characters of a value

_key = os.urandom(32)


def set_digest_key(key: bytes) -> None:
    """Use a key of the user's own; until then digests of secrets hold in this process only.

    Parameters
    ----------
    key : bytes
        At most 64 of them count.
    """
    global _key  # noqa: PLW0603 - one user a process
    _key = key[:64]


@lru_cache(maxsize=10_000)
def looks_secret(name: str) -> bool:
    """Whether a variable of this name should never be shown.

    Examples
    --------
    >>> [name for name in ("API_KEY", "DB_PASSWORD", "RATE", "GH_PAT", "PATH") if looks_secret(name)]
    ['API_KEY', 'DB_PASSWORD', 'GH_PAT']
    """
    return _WORDS.search(name) is not None


def is_secret(name: str, value: str) -> bool:
    """Whether a variable of this name and value should never be shown: an address may hold a password."""
    return looks_secret(name) or _LOGIN.search(value) is not None


def digest_of(name: str, value: str) -> bytes:
    """Return a digest that says nothing about a secret value to those who do not have the key."""
    key = _key if is_secret(name, value) else b""
    return blake2b(value.encode(errors="surrogateescape"), digest_size=16, key=key).digest()


def keyed(digest: bytes) -> bytes:
    """Return what stands for the digest of a secret: nobody without the key can try values against it."""
    return blake2b(digest, digest_size=16, key=_key).digest()


def shown(name: str, value: str) -> str:
    """Return a value in short, or nothing of it if it may be secret."""
    if is_secret(name, value):
        return "(secret)"
    return repr(value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…")


@lru_cache(maxsize=1_000)
def without_secrets(source: str) -> str:
    """Return source code without the texts that it gives to names that look secret.

    Examples
    --------
    >>> without_secrets("api_key = 'abc'; rate = 'x'")
    "api_key = '(secret)'; rate = 'x'"
    """
    return _ASSIGNED.sub(lambda m: f"{m[1]}{m[2]}(secret){m[2]}" if looks_secret(m[1]) else m[0], source)


_ASSIGNED = re.compile(r"""(\w+['"]?\]?\s*[=:,]\s*[a-zA-Z]{0,2})(\"{3}|'{3}|"|')(?:\\.|(?!\2).)*\2""", re.DOTALL)
