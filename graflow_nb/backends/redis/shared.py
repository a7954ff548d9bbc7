"""Values that are too large for a Redis: through a folder that all machines see."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from graflow_nb.backends.packing import Packed, is_sendable, pack
from graflow_nb.backends.redis.address import SHARED
from graflow_nb.backends.redis.seal import RefusedError
from graflow_nb.core.errors import UnsendableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LARGE: Final = 64 << 20
"""Bytes: what is larger does not go through the Redis, which holds it all in memory and takes 512 MB at most."""
NOTHING: Final = Packed(memoryview(b""))


class SharedFolder:
    """A run's part of the folder.

    Parameters
    ----------
    folder : str or None
    run : str
    """

    def __init__(self, folder: str | None, run: str) -> None:
        self._folder = None if folder is None else Path(folder) / f"graflow-nb-{run}"

    @property
    def place(self) -> str | None:
        """Where the folder is, for those who have no other name for it."""
        return None if self._folder is None else str(self._folder.parent)

    def put(self, packed: Packed) -> tuple[dict[str, Any], Packed]:
        """Write what is too large; return what says where it is, and what is left to be sent.

        Raises
        ------
        OSError
            If there is no folder, or it cannot be written to.
        """
        if packed.size <= LARGE:
            return {}, packed
        if self._folder is None:
            raise FileNotFoundError("no folder that all machines see is given")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._folder / secrets.token_hex(8)
        draft, digest = file.with_suffix(".draft"), hashlib.blake2b(digest_size=32)
        with draft.open("xb") as stream:
            for piece in (packed.stream, *packed.buffers):
                digest.update(piece)
                stream.write(piece)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
        lengths = [piece.nbytes for piece in (packed.stream, *packed.buffers)]
        return {"file": file.name, "digest": digest.hexdigest(), "lengths": lengths}, NOTHING

    def get(self, head: Mapping[str, Any]) -> Packed:
        """Return what was written.

        Raises
        ------
        RefusedError
            If the file is another one.
        OSError
            If it is not there.
        """
        if self._folder is None:
            raise FileNotFoundError(f"there is a large value in a folder that is not known here: set {SHARED}")
        data = memoryview(bytearray((self._folder / Path(head["file"]).name).read_bytes()))
        if hashlib.blake2b(data, digest_size=32).hexdigest() != head["digest"]:
            raise RefusedError(f"the file {head['file']} in the shared folder is not the one that was written")
        parts, start = [], 0
        for length in head["lengths"]:
            parts.append(data[start : start + length])
            start += length
        return Packed(parts[0], parts[1:])

    def remove(self) -> None:
        """Remove what the run has there."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def too_large(task: str, size: int, things: Sequence[tuple[str, str, Any]], error: OSError) -> UnsendableError:
    """Return the error that names what is too large.

    Parameters
    ----------
    task : str
    size : int
    things : sequence of (str, str, object)
        What is sent: what it is ("its argument"), its name, and itself.
    error : OSError
        Why no folder takes it.
    """
    sizes = [(pack(value).size, f"{what} ({name})") for what, name, value in things if is_sendable(value) is None]
    largest = max(sizes, default=(size, "what is sent"))[1]
    return UnsendableError(
        f"task {task!r}: {largest} is too large to go through Redis: {_megabytes(size)} of {_megabytes(LARGE)} at "
        f"most ({error.strerror or error}). Name a folder that all machines see, with the variable {SHARED} or as "
        f"redis://…?shared=/FOLDER, here and for the workers; or let the task read and write files itself"
    )


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MB"
