"""Changes of the environment, and of what was kept."""

from __future__ import annotations

import shutil
from pathlib import Path

from traps.trap import Trap, grouped


def _environment(name: str, read: str, setup: str = "import os") -> Trap:
    variable = "TRAP_" + "".join(c for c in name.upper() if c.isalnum())
    cells = f"{setup}\n# %%\n@task\ndef target():\n    {read}".replace("NAME", repr(variable))
    return Trap(name=name, cells=cells, environ={variable: "one"}, environ_after={variable: "two"})


ENVIRONMENT = grouped(
    "the environment",
    _environment("os.environ[...]", "return os.environ[NAME]"),
    _environment("os.environ.get", "return os.environ.get(NAME)"),
    _environment("os.getenv", "return os.getenv(NAME)"),
    _environment("from os import environ", "return environ[NAME]", "from os import environ"),
    _environment("os.environb", "return os.environb[NAME.encode()]"),
    _environment("by a helper", "return helper()", "import os\ndef helper():\n    return os.environ[NAME]"),
    _environment("computed name", "return os.environ[''.join(list(NAME))]"),
    _environment("os.path.expandvars", "return os.path.expandvars('$' + NAME)"),
    _environment("all of it", "return dict(os.environ)[NAME]"),
    _environment("in", "return [k for k in os.environ if k == NAME and os.environ[k] == 'one']"),
    Trap(
        name="variable that was not set",
        cells="import os\n# %%\n@task\ndef target():\n    return os.environ.get('TRAP_UNSET', 'none')",
        environ_after={"TRAP_UNSET": "x"},
    ),
    Trap(
        name="set by a plain cell",
        cells="import os\nos.environ['TRAP_PLAIN'] = 'one'\n# %%\n@task\ndef target():\n    return os.environ['TRAP_PLAIN']",
        edit=("'one'", "'two'"),
    ),
)


def damage(folder: Path) -> None:
    """Change every byte in the middle of each file of the store."""
    for path in (folder / ".cache").rglob("*"):
        if path.is_file() and path.suffix not in {".db", ".sqlite"} and path.stat().st_size:
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 0xFF
            path.write_bytes(bytes(data))


def lose(folder: Path) -> None:
    """Take the store's values away, and leave its index."""
    for path in (folder / ".cache").rglob("*"):
        if path.is_file() and path.suffix not in {".db", ".sqlite"} and not path.name.startswith("."):
            path.unlink()


_KEPT = "@task\ndef data():\n    return list(range(1000))\n# %%\n@task\ndef target(data):\n    return sum(data)\n# %%\n@task\ndef end(target):\n    return target + 1"

STORE = grouped(
    "what was kept",
    Trap(name="damaged on disk", cells=_KEPT, meanwhile=damage, differs=False, in_kernel=False, is_general=False),
    Trap(
        name="damaged on disk, and read by a changed task",
        cells=_KEPT,
        edit=("sum(data)", "sum(data) + 1"),
        meanwhile=damage,
        in_kernel=False,
        is_general=False,
    ),
    Trap(
        name="values deleted, index kept",
        cells=_KEPT,
        meanwhile=lose,
        differs=False,
        in_kernel=False,
        is_general=False,
    ),
    Trap(
        name="all deleted",
        cells=_KEPT,
        meanwhile=lambda folder: shutil.rmtree(folder / ".cache", ignore_errors=True),
        differs=False,
        in_kernel=False,
        is_general=False,
    ),
    Trap(
        name="cache=False",
        cells="@task(cache=False)\ndef target():\n    return 1",
        differs=False,
        runs=True,
    ),
    Trap(
        name="a task that failed",
        files={"ready": "0"},
        edits={"ready": "1"},
        cells="@task\ndef target():\n    with open('ready') as f:\n        if f.read() == '0':\n            raise ValueError('not ready')\n    return 'done'",
    ),
    Trap(
        name="a task that failed, nothing changed",
        cells="@task\ndef target():\n    raise ValueError('never')",
        differs=False,
        runs=True,
    ),
)
