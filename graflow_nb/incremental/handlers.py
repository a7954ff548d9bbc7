"""How functions, classes, modules and sets are fed to a hasher: by a walk through what they read."""

from __future__ import annotations

import logging
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from graflow_nb.incremental.code.libraries import is_library, is_own, qualified, version
from graflow_nb.incremental.code.walk import Walk, fork, is_walking, walk
from graflow_nb.incremental.fingerprint import Hasher, Opaque, fingerprint, register

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_nb.incremental.code.parts import Part


@register(FunctionType)
def _function(hasher: Hasher, fn: FunctionType) -> None:
    if not is_own(fn):
        hasher.text("function", qualified(fn))
        return
    _feed(hasher, lambda walking: walking.function(fn, "code", ""))


@register(type)
def _class(hasher: Hasher, kind: type) -> None:
    hasher.text("class", qualified(kind))
    if is_own(kind):
        _feed(hasher, lambda walking: walking.class_("", kind))


@register(ModuleType)
def _module_value(hasher: Hasher, module: ModuleType) -> None:
    if is_library(module.__name__):
        hasher.text("module", f"{module.__name__}@{version(module.__name__)}")
    else:
        _feed(hasher, lambda walking: walking.module(module.__name__, module))


@register(logging.Logger)
def _logger(hasher: Hasher, logger: logging.Logger) -> None:
    """Feed a logger: its level and handlers change what is said, not what is computed."""
    hasher.text("logger", logger.name)
    hasher.value(type(logger))


@register(set, frozenset)
def _set(hasher: Hasher, value: Any) -> None:
    hasher.tag(type(value).__name__, len(value))
    digests = []
    for item in value:
        with fork():  # else an item's digest would depend on which came before it
            digests.append(fingerprint(item))
    for digest in sorted(digests):
        hasher.bytes("item", digest)


def _feed(hasher: Hasher, parts: Callable[[Walk], list[Part]]) -> None:
    """Feed the parts of something; outside of a walk with what is known only at the end of one."""
    is_whole = not is_walking()
    with walk() as walking:
        found = parts(walking)
        all_parts = walking.reads(found).parts if is_whole else found
    for part in all_parts:
        if part.digest is None:
            raise Opaque(part.shown)
        hasher.text(part.kind, part.name)
        hasher.bytes("digest", part.digest)
