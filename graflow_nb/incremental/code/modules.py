"""Modules of the user's own: which ones code imports, and whether their files changed since they were loaded."""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER, find_spec, resolve_name
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import xxhash

from graflow_nb.incremental.code.bytecode import Import, code_info
from graflow_nb.incremental.code.libraries import is_library

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class _Loaded(NamedTuple):
    """What is known of a module as it was loaded."""

    spec: object  # each load has its own
    file: str
    stat: tuple[int, int]
    digest: bytes  # of its source; empty: it had changed before it was seen first
    text: str


_loaded: dict[str, _Loaded] = {}
_plain_stat = os.stat  # while tasks run, `os.stat` itself tells whoever listens


def full_name(imported: Import, namespace: Mapping[str, Any]) -> str | None:
    """Return the full name of a module that code with these globals imports; None if it has none."""
    if not imported.level:
        return imported.name
    name = namespace.get("__name__")
    package = namespace.get("__package__")
    if not isinstance(package, str) and isinstance(name, str):
        package = name if "__path__" in namespace else name.rpartition(".")[0]
    try:
        return resolve_name("." * imported.level + imported.name, package or "")
    except ImportError:
        return None


def load(name: str) -> ModuleType | None:
    """Return a module by its full name. One of the user's own is imported, as the task would import it.

    What will run is known only then; and a task that imports it itself would change what it reads.
    A library is not imported.
    """
    found = sys.modules.get(name)
    if found is None and not is_library(name) and _is_there(name):
        try:
            found = import_module(name)
        except Exception:  # the task will say so itself
            return None
    return found if isinstance(found, ModuleType) else None


def steps(module: ModuleType, imported: Import) -> list[ModuleType]:
    """Return the modules that are within reach after an import: of ``import a.b`` also `a`.

    What is imported from a package may be a module of it, which is loaded then.
    """
    name = module.__name__
    for inner in imported.names:
        if inner not in vars(module):
            load(f"{name}.{inner}")
    if imported.names:
        return [module]
    ends = [place for place, letter in enumerate(name) if letter == "."]
    above = [sys.modules.get(name[:end]) for end in ends]
    return [*filter(None, above), module]


def _is_there(name: str) -> bool:
    above = name.rpartition(".")[0]
    if above and load(above) is None:
        return False
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def note(module: ModuleType) -> None:
    """Remember how the file of one's own module looks, when the module is first met after a load."""
    known = _loaded.get(module.__name__)
    if known is None or known.spec is not _spec_of(module):
        _loaded.pop(module.__name__, None)
        if file := _file_of(module):
            _loaded[module.__name__] = _first_look(module, file)


def outdated_modules(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return name and file of those modules whose files changed since they were loaded.

    How a module's file looked when it was loaded is known from when it was first met after that. If that is
    later, its functions are compared with those in the file.
    """
    found = []
    for name in names:
        module = sys.modules.get(name)
        if module is None:
            continue
        known = _loaded.get(name)
        if known is not None and known.spec is _spec_of(module) and known.file == getattr(module, "__file__", ""):
            file: str | None = known.file
        elif file := _file_of(module):
            note(module)
        if file and _has_changed(name, file):
            found.append((name, file))
    return found


class Looks:
    """Looks at the files of modules after calls: one look counts for all calls that had ended by then."""

    def __init__(self) -> None:
        self._as_loaded: dict[str, float] = {}  # when each was looked at

    def outdated(self, names: Iterable[str], ended: float) -> list[tuple[str, str]]:
        """Return what `outdated_modules` does, for a call that ended at this time of `time.perf_counter`."""
        found = []
        for name in names:
            if self._as_loaded.get(name, 0.0) < ended:
                now = time.perf_counter()
                if changed := outdated_modules((name,)):
                    found += changed
                else:
                    self._as_loaded[name] = now
        return found


def loaded_text(name: str, file: str) -> str:
    """Return the source of one's own module as it was loaded from a file; "" if that is not known."""
    known = _loaded.get(name)
    return known.text if known and known.digest and _file_of(sys.modules[name]) == file else ""


def _has_changed(name: str, file: str) -> bool:
    known = _loaded[name]
    stat = _stat(file)
    if stat == known.stat:
        return not known.digest
    if stat and xxhash.xxh3_128_digest(_read(file)) == known.digest:
        _loaded[name] = known._replace(stat=stat)  # written again as it was
        return False
    return True


def _file_of(module: ModuleType) -> str | None:
    """Return the source file of a module, if it was loaded from one as usual."""
    file = getattr(module, "__file__", None)
    loader = getattr(_spec_of(module), "loader", None)
    is_usual = type(loader) is SourceFileLoader and isinstance(file, str)
    is_own = not is_library(module.__name__) and module.__name__ != "__main__"
    return file if is_usual and is_own else None


def _spec_of(module: object) -> object:
    return getattr(module, "__spec__", None)  # what is in `sys.modules` need not be a module


def _first_look(module: ModuleType, file: str) -> _Loaded:
    stat, source = _stat(file), _read(file)
    is_same = not _has_older_bytecode(module, stat) and _has_functions_of(module, file, source)
    digest = xxhash.xxh3_128_digest(source) if is_same else b""
    return _Loaded(_spec_of(module), file, stat, digest, source.decode(errors="replace"))


def _has_older_bytecode(module: ModuleType, stat: tuple[int, int]) -> bool:
    """Whether the file has changed since Python last compiled it, which it does on import."""
    cached = getattr(_spec_of(module), "cached", None)
    if not cached or sys.dont_write_bytecode or not os.access(os.path.dirname(cached), os.W_OK):  # noqa: PTH120
        return False
    head = _read(cached)[:16]
    if head[:4] != MAGIC_NUMBER or head[4:8] != b"\0\0\0\0":  # compiled by hash, not by time
        return False
    noted = int.from_bytes(head[8:12], "little"), int.from_bytes(head[12:16], "little")
    return noted != (stat[0] // 10**9 & 0xFFFFFFFF, stat[1] & 0xFFFFFFFF)


def _has_functions_of(module: ModuleType, file: str, source: bytes) -> bool:
    """Whether all functions of a module that come from its file are in that file now."""
    try:
        there = {code_info(code).digest for code in _codes(compile(source, file, "exec", dont_inherit=True))}
    except (SyntaxError, ValueError):
        return False
    loaded = [fn.__code__ for fn in _functions(vars(module)) if fn.__globals__ is vars(module)]
    return all(code_info(code).digest in there for code in loaded if code.co_filename == file)


def _functions(namespace: Mapping[str, Any]) -> Iterator[FunctionType]:
    for value in list(namespace.values()):
        if isinstance(value, FunctionType):
            yield value
        elif isinstance(value, type) and value.__module__ == namespace.get("__name__"):
            yield from (it for it in vars(value).values() if isinstance(it, FunctionType))


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _stat(file: str) -> tuple[int, int]:
    try:
        found = _plain_stat(file)
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError:
        return b""
