"""The user's own key, and the signatures made with it.

Reading a pickled value runs code. So what is kept on disk is signed, and a cache that came from elsewhere
is never opened.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import os
import secrets
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "GRAFLOW_NB_SECRET"  # noqa: S105 - the name of the variable that may hold it
_LENGTH = 32
_FILE = "signing.key"


class Signer:
    """Signs bytes with a key, and checks such signatures.

    Parameters
    ----------
    secret : bytes
        The key. It is never shown.

    Attributes
    ----------
    identity : str
        Which key it is; says nothing about the key itself.
    """

    __slots__ = ("_keyed", "identity")

    def __init__(self, secret: bytes) -> None:
        key = hashlib.sha256(b"graflow_nb signature:" + secret).digest()
        self._keyed = hashlib.blake2b(key=key, digest_size=32)
        self.identity = self.sign(b"identity")[:8].hex()

    def sign(self, *pieces: bytes) -> bytes:
        """Return the signature of some bytes, of which the limits between the pieces count too."""
        keyed = self._keyed.copy()
        keyed.update(_lengths(len(pieces))(*map(len, pieces)) + b"".join(pieces))
        return keyed.digest()

    def holds(self, signature: Any, *pieces: Any) -> bool:
        """Say whether a signature is that of these pieces; never raises, whatever they are."""
        try:
            return hmac.compare_digest(self.sign(*pieces), signature)
        except TypeError:  # something else than bytes
            return False


@functools.cache
def _lengths(count: int) -> Callable[..., bytes]:
    """Return what packs so many lengths."""
    return struct.Struct(f"<{count}Q").pack


def user_signer() -> Signer:
    """Return the signer with the user's own key: from the environment, or a file that is made on first use.

    Raises
    ------
    OSError
        If the file can neither be read nor made.
    ValueError
        If there is no whole key in it.
    """
    if given := os.environ.get(SECRET):
        return Signer(given.encode("utf-8", "surrogateescape"))
    file = data_folder() / _FILE
    if not file.exists():
        _make(file)
    secret = file.read_bytes()
    if len(secret) != _LENGTH:
        raise ValueError(f"the key in {file} is damaged: delete that file, and a new one is made")
    if os.name == "posix" and file.stat().st_mode & 0o077:
        file.chmod(0o600)
    return Signer(secret)


def data_folder() -> Path:
    """Return where this system keeps a user's data of a program."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "graflow_nb"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "graflow_nb"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "graflow_nb"


def _make(file: Path) -> None:
    """Write a new key, whole; if another process is quicker, its key stands."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{_FILE}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(_LENGTH))
            stream.flush()
            os.fsync(stream.fileno())
        _name(draft, file)
    finally:
        draft.unlink(missing_ok=True)


def _name(draft: Path, file: Path) -> None:
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        draft.replace(file)
