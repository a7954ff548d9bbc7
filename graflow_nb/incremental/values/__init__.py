"""How values are fed to a hasher, a module for each library; those of a library load with its first value."""

from __future__ import annotations

from functools import partial
from importlib import import_module

from graflow_nb.incremental.hasher import register_lazy
from graflow_nb.incremental.values import builtin, objects  # noqa: F401 - they register their handlers

_MODULES = {
    **dict.fromkeys(("datetime", "decimal", "fractions", "pathlib", "uuid", "zoneinfo"), "standard"),
    "numpy": "numpy",
    "pandas": "pandas",
    "polars": "polars",
    "pyarrow": "arrow",
    "pyarrow._dataset": "arrow_dataset",
    "scipy.sparse": "scipy",
    "sklearn.neighbors": "sklearn",
    "torch": "torch",
}

for _library, _module in _MODULES.items():
    register_lazy(_library, partial(import_module, f"{__name__}.{_module}"))
