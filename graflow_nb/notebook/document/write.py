"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from graflow_nb.notebook.document.source import DocumentError


def check_free(path: Path, *, force: bool) -> None:
    """Raise if a file may not be written there, before the work for it is done.

    Raises
    ------
    DocumentError
        If it exists and is not to be overwritten, or nothing can be written there.
    """
    if path.is_dir():
        raise DocumentError(f"{path} is a folder: give the name of a file in it")
    if _is_device(path):
        return
    if path.exists() and not force:
        raise DocumentError(f"{path} exists. --force overwrites it")
    _try(path)


def check_new(path: Path, old: Path, *, force: bool) -> None:
    """Raise as `check_free` does, and if a notebook is to be written over the one that it is made from.

    Raises
    ------
    DocumentError
    """
    if path.suffix != ".ipynb":
        raise DocumentError(f"{path} is to be a notebook: let its name end in .ipynb")
    if path.exists() and old.exists() and path.samefile(old):
        raise DocumentError(f"{path} is the old notebook, which stays as it is: give the new one another name")
    check_free(path, force=force)


def check_writable(path: Path) -> None:
    """Raise if a file cannot be written there, whether or not there is one.

    Raises
    ------
    DocumentError
    """
    check_free(path, force=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside its place, and put it there when it is complete.

    Raises
    ------
    DocumentError
        If it cannot be written; what was there is there still.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if _is_device(path):
            path.write_bytes(data)
        else:
            _replace(path, data)
    except OSError as error:
        raise _cannot(path, error) from None


def _replace(path: Path, data: bytes) -> None:
    file, name = _open(path)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
        Path(name).chmod(mode)
        Path(name).replace(path)
    finally:
        with suppress(OSError):
            Path(name).unlink()


def _is_device(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _try(path: Path) -> None:
    made = next((folder for folder in reversed(path.absolute().parents) if not folder.exists()), None)
    try:
        file, name = _open(path)
        os.close(file)
        Path(name).unlink()
    except OSError as error:
        raise _cannot(path, error) from None
    finally:
        if made is not None:  # the folders were for the trial only
            for folder in path.absolute().parents:
                with suppress(OSError):
                    folder.rmdir()
                if folder == made:
                    break


def _open(path: Path) -> tuple[int, str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")


def _cannot(path: Path, error: OSError) -> DocumentError:
    return DocumentError(f"{path} cannot be written: {error.strerror or error}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
