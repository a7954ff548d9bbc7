"""What a run used, as it is now: for a result that is accepted although something of it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graflow_nb.incremental.trace.environment import used_variable
from graflow_nb.incremental.trace.folders import files_digest, matches_digest, names_digest, tree_digest
from graflow_nb.incremental.trace.noted import NOTED, as_now
from graflow_nb.incremental.trace.seen import used_file
from graflow_nb.incremental.trace.status import existence_digest, status_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_nb.core.surroundings import Surroundings
    from graflow_nb.core.task import Task
    from graflow_nb.incremental.entry import Used

_WHOLE: dict[str, Callable[[str], Used]] = {"file": used_file, "environment": used_variable}
_DIGESTS: dict[str, Callable[[str], bytes | None]] = {
    "exists": existence_digest,
    "status": status_digest,
    "folder": names_digest,
    "files": files_digest,
    "tree": tree_digest,
    "glob": matches_digest,
}


def renewed(used: Used, task: Task, surroundings: Surroundings) -> Used:
    """Return something that a task used, as it is now."""
    if used.kind in NOTED:
        return as_now(used, task, surroundings)
    if whole := _WHOLE.get(used.kind):
        return whole(used.name)
    if digest := _DIGESTS.get(used.kind):
        return used._replace(digest=digest(used.name) or b"", state=())
    return used
