"""What a module of the user's own holds now, as a digest: another process may have it otherwise."""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import xxhash

from graflow_nb.incremental.code.bytecode import code_info
from graflow_nb.incremental.fingerprint import Opaque, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable


def module_states(names: Iterable[str]) -> dict[str, bytes]:
    """Return a digest of what each of some modules holds: code of functions and methods, values with content.

    Somebody may have changed it since the module was loaded, ``settings.rate = 2``, and then it is so in this
    process only. Of values, those of Python's own types count, with all that is in them.
    """
    return {name: _state(module) for name in names if (module := sys.modules.get(name)) is not None}


def _state(module: ModuleType) -> bytes:
    digest = xxhash.xxh3_128()
    for name, value in sorted(vars(module).items()):
        if not name.startswith("__"):
            digest.update(f"{name}\0".encode("utf-8", "surrogatepass"))
            digest.update(_content(module.__name__, value))
    return digest.digest()


def _content(module: str, value: Any) -> bytes:
    if isinstance(value, FunctionType):
        return code_info(value.__code__).digest
    if isinstance(value, type):
        methods = vars(value).values() if value.__module__ == module else ()
        return b"".join(code_info(one.__code__).digest for one in methods if isinstance(one, FunctionType))
    if type(value).__module__ != "builtins":  # of what libraries made much may differ that does not matter
        return b""
    try:
        return fingerprint(value)
    except Opaque:
        return b""
