"""What code reads of modules: of a library its version, of the user's own what the code names of it."""

from __future__ import annotations

import sys
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from graflow_nb.incremental.code import modules
from graflow_nb.incremental.code.bytecode import CodeInfo
from graflow_nb.incremental.code.libraries import is_library, version
from graflow_nb.incremental.code.parts import Part, value_part
from graflow_nb.incremental.code.patches import patched
from graflow_nb.incremental.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from graflow_nb.incremental.code.walk import Walk

NOTHING = CodeInfo(b"", (), frozenset())
"""Code that names nothing: what a module or registry is looked at with, that is passed on whole."""
_MACHINERY = frozenset({
    "__name__", "__doc__", "__package__", "__loader__", "__spec__", "__path__", "__file__", "__cached__",
    "__builtins__", "__warningregistry__", "__annotations__",
})  # fmt: skip
_WHOLE = frozenset({"__dict__"})
_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})


def imported_parts(walk: Walk, info: CodeInfo, namespace: Mapping[str, Any]) -> list[Part]:
    """Return the parts of the modules that code imports itself."""
    parts: list[Part] = []
    for imported in info.imports:
        full = modules.full_name(imported, namespace) or imported.name
        module = modules.load(full)
        is_whole = not info.passed_on.isdisjoint({imported.name, imported.name.rpartition(".")[2]})
        if is_library(full):
            parts += _library_parts(walk, full, module, info, is_whole) if module else [library_part(full)]
        elif module is None:
            parts.append(Part("module", full, b"absent", "not there"))
        else:
            for step in modules.steps(module, imported):
                parts += module_parts(walk, step.__name__, step, info, is_whole or "*" in imported.names)
    return parts


def library_part(library: str) -> Part:
    """Return the part of a library; the same whether or not it is loaded."""
    return _version_part(library, library, version(library))


@lru_cache(maxsize=1_000)
def _version_part(name: str, module: str, version: str) -> Part:
    return Part("module", name, fingerprint((module, version)), version)


def module_parts(walk: Walk, name: str, module: ModuleType, info: CodeInfo, is_whole: bool) -> Iterator[Part]:
    """Give a library by its version; of the user's own module what the code names of it, or all of it."""
    if is_library(module.__name__):
        yield from _library_parts(walk, name, module, info, is_whole)
        return
    walk.home(module.__name__)
    yield Part("module", name, fingerprint(module.__name__), module.__name__)
    is_whole = is_whole or not _WHOLE.isdisjoint(info.attributes)
    looked_for = is_whole or (info.attributes, info.attributes & info.passed_on)
    if walk.reference(module, "", key=(id(module), looked_for)):
        return
    walk.noted.recorder.is_quick &= not is_whole
    there = vars(module)
    attributes = [n for n in there if n not in _MACHINERY] if is_whole else info.attributes & there.keys()
    for attribute in info.attributes | {"__getattr__"}:
        walk.noted.recorder.read(module, attribute, there)
    for attribute in sorted({*attributes, *(there.keys() & {"__getattr__"})}):
        yield from _attribute_parts(walk, name, module, attribute, info, is_whole)


def _attribute_parts(
    walk: Walk, name: str, module: ModuleType, attribute: str, info: CodeInfo, is_whole: bool
) -> list[Part]:
    value = vars(module)[attribute]
    is_module = isinstance(value, ModuleType)  # of which every reader may name something else
    if not is_module and walk.reference(module, "", key=(id(module), attribute)):
        return []
    return walk.thing(f"{name}.{attribute}", value, info, is_whole or attribute in info.passed_on)


def _library_parts(
    walk: Walk, name: str, module: ModuleType, info: CodeInfo, is_passed_on: bool
) -> Iterator[Part]:
    root = module.__name__.partition(".")[0]
    walk.noted.libraries.add(root)
    whole = sys.modules.get(root)
    walk.noted.recorder.look(vars(whole if isinstance(whole, ModuleType) else module), ["__version__"])
    yield _version_part(name, module.__name__, version(root))
    if module is sys and (is_passed_on or "modules" in info.unknown):
        yield Part("global", name, None, "it reads modules that are not named in the code")
    if walk.reference(module, "", key=(id(module), info.attributes)):
        return
    there = vars(module)
    yield from patched_parts(walk, name, [there], info)
    for attribute in sorted(info.attributes & there.keys()):
        value = there[attribute]
        if type(value) in _PLAIN and not attribute.startswith("__"):  # it may have been set from outside
            yield value_part("global", f"{name}.{attribute}", value)
        elif isinstance(value, ModuleType) and value.__name__.startswith(module.__name__):
            yield from patched_parts(walk, f"{name}.{attribute}", [vars(value)], info)
        elif isinstance(value, type):
            yield from patched_parts(
                walk, f"{name}.{attribute}", [vars(base) for base in value.__mro__[:-1]], info
            )


def patched_parts(walk: Walk, name: str, owners: Iterable[Mapping[str, Any]], info: CodeInfo) -> list[Part]:
    """Return the parts of what is the user's own among the attributes of a library that code names."""
    owners = list(owners) if info.attributes else ()
    if not owners:
        return []
    for owner in owners:
        walk.noted.recorder.look(owner, info.attributes)
    found = patched(owners, info.attributes)
    return [part for a, thing in found for part in walk.thing(f"{name}.{a}", thing, NOTHING)]
