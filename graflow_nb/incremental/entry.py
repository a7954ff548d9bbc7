"""One kept result of a task, and what its run was seen to use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graflow_nb.incremental.code.reads import Part


class Used(NamedTuple):
    """One thing that a run was seen to use.

    Attributes
    ----------
    kind : str
        "file", "folder", "output", "environment", "seed", …
    name : str
        The path, the variable, …
    digest : bytes
        Of its content; ``b"absent"`` if there was nothing.
    state : tuple of int
        Of a file when it was hashed: device, inode, size, times. While it stands, the content does.
    shown : str
        Its value in short.
    """

    kind: str
    name: str
    digest: bytes
    state: tuple[int, ...] = ()
    shown: str = ""


class Entry(NamedTuple):
    """One kept result of a task.

    Attributes
    ----------
    name : str
        The task's.
    key : bytes
        Digest of the parts: what was known before the run.
    parts : tuple of Part
    trace : tuple of Used
        What the run was seen to use: it has to be the same still.
    prints : dict of (str or None) to bytes
        The fingerprint of each variable, and of the value under None.
    outputs : sequence of dict
        nbformat outputs.
    seconds : float
        How long making it took.
    created : float
        When, as `time.time`.
    marks : tuple of str
        What is said of it each time it is reused: "it used the network: …".
    accepted : bool
        The user said that it holds after an edit.
    sources : mapping of str to str
        The source of the code among the parts, by their names.
    """

    name: str
    key: bytes
    parts: tuple[Part, ...]
    trace: tuple[Used, ...]
    prints: dict[str | None, bytes]
    outputs: Sequence[dict[str, Any]]
    seconds: float
    created: float
    marks: tuple[str, ...] = ()
    accepted: bool = False
    sources: Mapping[str, str] = {}
