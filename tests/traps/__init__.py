"""A table of traps: ways to get a cached result wrong, and ways to run again for nothing."""

from __future__ import annotations

from traps import classes, code, files, flows, libraries, modules, notebook, same, surroundings, values
from traps.trap import Trap

TRAPS: list[Trap] = [
    *code.OWN,
    *code.HELPERS,
    *code.GLOBALS,
    *classes.CLASSES,
    *classes.HANDED_ON,
    *libraries.BEHIND,
    *libraries.HIDDEN,
    *modules.MODULES,
    *modules.PACKAGES,
    *files.FILES,
    *surroundings.ENVIRONMENT,
    *surroundings.STORE,
    *values.VALUES,
    *values.ARRAYS,
    *values.FRAMES,
    *values.SPARSE,
    *notebook.WIRING,
    *notebook.CELLS,
    *notebook.PLAIN,
    *notebook.MUTATION,
    *flows.CHANNELS,
    *flows.MAPS,
    *flows.CONDITIONS,
    *flows.DYNAMIC,
    *flows.GROUPS,
    *flows.SAME_FLOWS,
    *same.LOOKS,
    *same.PLAIN,
    *same.UNRELATED,
    *same.CONTENT,
    *same.SAME_FILES,
]


def numbered(text: str = "") -> list[tuple[int, Trap]]:
    """Return the traps that have a text in their group or name, each with its number."""
    return [(number, trap) for number, trap in enumerate(TRAPS) if text in f"{trap.group}: {trap.name}"]
