"""Datasets of pyarrow: they stand for their files."""

from __future__ import annotations

from typing import Any

import pyarrow.dataset as ds
from pyarrow.fs import LocalFileSystem

from graflow_nb.incremental.files import File
from graflow_nb.incremental.hasher import Hasher, Opaque, opaque, register

register(ds.Dataset, ds.Scanner)(opaque)


@register(ds.FileSystemDataset)
def _dataset(hasher: Hasher, value: Any) -> None:
    if not isinstance(value.filesystem, LocalFileSystem):
        raise Opaque(value, "its files are elsewhere")
    hasher.text("arrow", "FileSystemDataset")
    hasher.text("partitions", str(value.partition_expression))
    hasher.values("read by", (value.format, value.schema))
    hasher.values("files", [File(path) for path in value.files])
