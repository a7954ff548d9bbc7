"""What a worker process takes over from the one that sends it calls: what changes results and is not in them."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from graflow_nb.backends.numeric import MARKERS, libraries_of_this_process, set_threads
from graflow_nb.backends.packing import is_sendable
from graflow_nb.incremental.code.libraries import is_library
from graflow_nb.incremental.files import state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Aspect(NamedTuple):
    """Something that a worker takes over.

    Attributes
    ----------
    read : callable
        Returns it as it is here, as something that can be compared and sent.
    apply : callable
        Lets it be so there.
    """

    read: Callable[[], Any]
    apply: Callable[[Any], None]


def add_aspect(name: str, aspect: Aspect) -> None:
    """Let workers take something else over."""
    _SLOW[name] = aspect


def current(slow: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return everything as it is here; of what rarely changes, `slow` if it is given."""
    return {**current_quick(), **(current_slow() if slow is None else slow)}


def current_quick() -> dict[str, Any]:
    """Return what is quickly looked at as it is here: environment, path and folder."""
    return {name: aspect.read() for name, aspect in _QUICK.items()}


def restore_quick(before: Mapping[str, Any]) -> None:
    """Let it be as it was."""
    for name, value in before.items():
        aspect = _QUICK[name]
        if aspect.read() != value:
            aspect.apply(value)


def current_slow() -> dict[str, Any]:
    """Return what rarely changes as it is here: once a run will do."""
    return {name: aspect.read() for name, aspect in _SLOW.items()}


def take_over(changes: Mapping[str, tuple[Callable[[Any], None], Any]]) -> None:
    """Take over what changed."""
    for name, (apply, value) in changes.items():
        apply(value)
        if name in _QUICK:
            _taken[name] = value


def restore() -> None:
    """Undo what the call before has changed of what is quickly looked at: the next one must not see it."""
    restore_quick(_taken)


def changes(known: dict[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Callable[[Any], None], Any]]:
    """Return what has to be told to a worker that knows some things; it knows the others then."""
    found = {}
    for name, value in now.items():
        if name in known and known[name] is value:
            continue
        if name not in known or known[name] != value:
            found[name] = {**_QUICK, **_SLOW, **_SHARE}[name].apply, value
        known[name] = value
    return found


def _environment() -> dict[Any, Any]:
    raw: dict[Any, Any] = os.environ._data  # type: ignore[attr-defined]  # noqa: SLF001 - a fiftieth of the time
    return raw.copy()


def _set_environment(raw: dict[Any, Any]) -> None:
    plain = (os.fsdecode(name) for pair in raw.items() for name in pair)
    values = dict(zip(plain, plain, strict=False))
    for name in os.environ.keys() - values.keys():
        del os.environ[name]
    for name, value in values.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _set_path(path: list[str]) -> None:
    sys.path[:] = path


def _filters() -> list[Any]:
    return [one for one in warnings.filters if is_sendable(one) is None]


def _set_filters(filters: list[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001 - else what was cached would count


def _levels() -> dict[str, tuple[int, bool]]:
    loggers = [
        (name, one) for name, one in logging.root.manager.loggerDict.items() if isinstance(one, logging.Logger)
    ]
    levels = {name: (one.level, one.disabled) for name, one in loggers if one.level or one.disabled}
    return {"": (logging.root.level, logging.root.disabled), **levels}


def _set_levels(levels: dict[str, tuple[int, bool]]) -> None:
    for name, (level, disabled) in levels.items():
        logger = logging.getLogger(name or None)
        logger.setLevel(level)
        logger.disabled = disabled


def _numpy() -> Any:
    return _of("numpy", lambda np: (np.geterr(), np.get_printoptions()))


def _set_numpy(found: Any) -> None:
    if found is not None:
        import numpy as np

        errors, shown = found
        np.seterr(**errors)
        shown.pop("override_repr", None)
        np.set_printoptions(**shown)


def _pandas() -> Any:
    def read(pd: Any) -> dict[str, Any]:
        known = sys.modules["pandas._config.config"]._registered_options  # noqa: SLF001 - as in code.settings
        return {
            name: value
            for name, option in known.items()
            if not _is_same(value := pd.get_option(name), option.defval) and is_sendable(value) is None
        }

    return _of("pandas", read)


def _set_pandas(found: Any) -> None:
    if found is not None:
        import pandas as pd

        known: Any = sys.modules["pandas._config.config"]
        for name, option in known._registered_options.items():  # noqa: SLF001 - as above
            wanted = found.get(name, option.defval)
            if not _is_same(pd.get_option(name), wanted):
                pd.set_option(name, wanted)


def _is_same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and bool(one == other))


def _decimal() -> Any:
    return _of("decimal", lambda decimal: decimal.getcontext().copy().__reduce__()[1])


def _set_decimal(found: Any) -> None:
    if found is not None:
        import decimal

        decimal.setcontext(decimal.Context(*found))


def _matplotlib() -> Any:
    def read(matplotlib: Any) -> dict[str, Any]:
        at_first = matplotlib.rcParamsDefault
        return {
            name: value
            for name, value in dict.items(matplotlib.rcParams)
            if name != "backend" and value != dict.get(at_first, name) and is_sendable(value) is None
        }

    return _of("matplotlib", read)


def _set_matplotlib(found: Any) -> None:
    if found is not None:
        import matplotlib as mpl

        backend = dict.get(mpl.rcParams, "backend")
        with warnings.catch_warnings(action="ignore"):
            mpl.rcParams.update(mpl.rcParamsDefault)
            mpl.rcParams.update(found)
        dict.__setitem__(mpl.rcParams, "backend", backend)


def _of(module: str, read: Callable[[Any], Any]) -> Any:
    """Return what is read of a module; None if it is not loaded here, or cannot be read."""
    loaded = sys.modules.get(module)
    try:
        return None if loaded is None else read(loaded)
    except Exception:  # half loaded, or another version
        return None


def _torch() -> Any:
    return _of("torch", lambda torch: str(torch.get_default_dtype()).partition(".")[2])


def _set_torch(found: Any) -> None:
    if found is not None:
        import torch  # type: ignore[import-not-found,unused-ignore]

        torch.set_default_dtype(getattr(torch, found))


def _own_modules() -> dict[str, tuple[int, ...]]:
    """Return the state of the files of the user's own modules that are loaded."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name not in _libraries:
            file = getattr(module, "__file__", None)
            if not file or name == "__main__" or name.startswith("graflow_nb.") or is_library(name):
                _libraries.add(name)
            else:
                found[name] = state_of(file)
    return found


def own_modules() -> list[str]:
    """Return the names of the user's own modules that are loaded."""
    return [*_own_modules()]


_libraries: set[str] = set()
"""The names of modules that are none of the user's own."""


def _nothing(_: Any) -> None:
    """Do nothing: it is asked of the worker's parent only, `is_outgrown`."""


def is_outgrown(known: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a worker may have loaded modules whose files have changed since: it cannot load them again."""
    before = known.get("modules", {})
    if before is now["modules"]:
        return False
    return any(before[name] != state for name, state in now["modules"].items() if name in before)


def _hold_back(share: int) -> None:
    _share[0] = share


def hold_back() -> None:
    """Let numeric libraries use this process's share of the cores, if there are others than at the last time."""
    loaded = (_share[0], *(name for name in MARKERS if name in sys.modules))
    if list(loaded) != _held and len(loaded) > 1 and _share[0]:
        _held[:] = loaded
        for library in libraries_of_this_process():
            if library.get_num_threads() != _share[0]:
                set_threads(library, _share[0])


_taken: dict[str, Any] = {}
_share = [0]
_held: list[Any] = []
_QUICK: dict[str, Aspect] = {
    "environment": Aspect(_environment, _set_environment),
    "path": Aspect(lambda: [*sys.path], _set_path),
    "folder": Aspect(os.getcwd, os.chdir),
}
_SLOW: dict[str, Aspect] = {
    "warnings": Aspect(_filters, _set_filters),
    "logging": Aspect(_levels, _set_levels),
    "numpy": Aspect(_numpy, _set_numpy),
    "pandas": Aspect(_pandas, _set_pandas),
    "decimal": Aspect(_decimal, _set_decimal),
    "matplotlib": Aspect(_matplotlib, _set_matplotlib),
    "torch": Aspect(_torch, _set_torch),
    "modules": Aspect(_own_modules, _nothing),
}
_SHARE = {"share": Aspect(lambda: 0, _hold_back)}
