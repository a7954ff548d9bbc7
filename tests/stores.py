"""What the tests of the disk store share: entries, stores, and other processes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from graflow_nb.incremental.code.reads import Part
from graflow_nb.incremental.entry import Entry, Used
from graflow_nb.incremental.store.disk import DiskStore

ROOT = Path(__file__).parent.parent


def key(of: object) -> bytes:
    return hashlib.md5(repr(of).encode()).digest()


def entry(name: str = "load", of: object = 1, trace: str = "", **fields: Any) -> Entry:
    """An entry of a task; `of` makes the key, `trace` what the run used."""
    used = (Used("file", "data.csv", trace.encode(), (1, 2, 3), "3 kB"),) if trace else ()
    parts = (Part("code", name, key(of), "def load(): …"), Part("global", "limit", None, "an object"))
    prints = {None: key(name), "rows": b"rows"}
    outputs = ({"output_type": "stream", "name": "stdout", "text": "é\n"},)
    made = Entry(name, key(of), parts, used, prints, outputs, 0.25, time.time(), ("it used the network",))
    return made._replace(**fields)


def fork() -> int:
    with warnings.catch_warnings():  # other threads may be there, numpy's: the child does not meet them
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


class Lines(list[str]):
    """What a store said."""

    def __call__(self, line: str) -> None:
        self.append(line)


def open_store(folder: Path, **options: Any) -> tuple[DiskStore, Lines]:
    said = Lines()
    return DiskStore(folder, say=said, **options), said


def found(store: DiskStore, name: str = "load", of: object = 1) -> list[Entry]:
    return list(store.find(name, key(of)))


def child(code: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Start another process that can use this module; what it prints can be read."""
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, **options,
    )  # fmt: skip
