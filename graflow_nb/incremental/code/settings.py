"""Settings of libraries that change what is computed, without anything being passed.

Those that change only what is shown (``pd.options.display``, rcParams, print options, the level of a
logger) do not count, nor do warnings filters and the locale. Counted, where code names the library:

- numpy: what floating point errors do (`numpy.seterr`);
- pandas: the options under ``mode``, ``future`` and ``compute``;
- decimal: the context, without the flags that computing sets;
- torch: the default dtype.

The state of global random generators changes by being used: it belongs to a run, not to a key.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import xxhash

from graflow_nb.incremental.code.parts import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def setting_parts(libraries: Iterable[str]) -> list[Part]:
    """Return a part for the settings of each library that are not as they are at first."""
    found = [(library, _SETTINGS[library]()) for library in sorted(libraries) if _is_there(library)]
    return [
        Part("setting", library, xxhash.xxh3_128_digest(repr(now).encode()), repr(now))
        for library, now in found
        if now
    ]


def readers(libraries: Iterable[str]) -> list[Callable[[], Any]]:
    """Return what reads the settings of those libraries that have some."""
    return [_SETTINGS[library] for library in libraries if _is_there(library)]


def _is_there(library: str) -> bool:
    return library in _SETTINGS and library in sys.modules


def _numpy() -> Any:
    import numpy as np

    now = np.geterr()
    return None if now == _NUMPY else now


def _pandas() -> Any:
    import pandas as pd

    options: Any = vars(pd.options)["d"]  # reading one by one takes 20 times as long
    known: Any = sys.modules["pandas._config.config"]
    at_first = known._registered_options  # noqa: SLF001 - there is no other way to know what is the default
    return [
        (group, name, value)
        for group in ("mode", "future", "compute")
        for name, value in options.get(group, {}).items()
        if value != at_first[f"{group}.{name}"].defval
    ]


def _decimal() -> Any:
    import decimal

    now, at_first = _context(decimal.getcontext()), _context(decimal.DefaultContext)
    return None if now == at_first else now


def _context(context: Any) -> Any:
    traps = sorted(signal.__name__ for signal, is_on in context.traps.items() if is_on)
    return context.prec, context.rounding, context.Emin, context.Emax, context.capitals, context.clamp, traps


def _torch() -> Any:
    import torch  # type: ignore[import-not-found,unused-ignore]

    now = torch.get_default_dtype()
    return None if now == torch.float32 else now


_NUMPY = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_SETTINGS: dict[str, Callable[[], Any]] = {
    "numpy": _numpy, "pandas": _pandas, "decimal": _decimal, "_decimal": _decimal, "torch": _torch,
}  # fmt: skip
