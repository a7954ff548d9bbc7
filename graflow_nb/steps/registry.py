"""Tools and agents that are known by name."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

from graflow_nb.core.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

TOOLS: dict[str, Any] = {}
AGENTS: dict[str, Any] = {}
_changes = count()
_version = next(_changes)


def version() -> int:
    """Return a number that is another one when something else is known."""
    return _version


def register_tool(name: Any = None, tool: Any = None) -> Any:
    """Make a tool known under a name; a decorator, too.

    Parameters
    ----------
    name : str, or the tool
        By default what it is called.
    tool : callable, Tool, or object with ``execute(args, context)``

    Examples
    --------
    >>> @register_tool
    ... def greet(name): return f"hello {name}"
    >>> @register_tool("shout")
    ... def loud(text): return text.upper()
    """
    return _register(TOOLS, "register_tool", name, tool)


def register_agent(name: Any = None, agent: Any = None) -> Any:
    """Make an agent known under a name; a decorator, too, as `register_tool`."""
    return _register(AGENTS, "register_agent", name, agent)


def _register(known: dict[str, Any], by: str, name: Any, thing: Any) -> Any:
    if name is not None and not isinstance(name, str):
        name, thing = thing if isinstance(thing, str) else None, name
    if thing is None:
        if name is None:
            return lambda given: _register(known, by, None, given)
        return lambda given: _register(known, by, name, given)
    name = name or name_of(thing)
    if not name:
        raise TypeError(f"{by}: {thing!r} has no name of its own: {by}('name', …)")
    global _version  # noqa: PLW0603 - one registry a process
    known[name] = thing
    _version = next(_changes)
    return thing


def name_of(thing: Any) -> str:
    """Return what a tool or an agent is called; "" if it has no name."""
    name = getattr(thing, "name", None) or getattr(thing, "__name__", None)
    return name if isinstance(name, str) else ""


def as_mapping(given: Any, what: str) -> dict[str, Any]:
    """Return tools or agents by their names: of a mapping, or of a list of them.

    Raises
    ------
    TypeError
        If one has no name.
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(given)
    if not isinstance(given, Iterable):
        raise TypeError(f"{what}= takes a dict by names, or a list, not {given!r}")
    found = {}
    for thing in given:
        if not (name := name_of(thing)):
            raise TypeError(f"{what}= has {thing!r}, which has no name: give a dict by names")
        found[name] = thing
    return found


def find(kind: str, name: str, own: Mapping[str, Any], fits: Callable[[Any], bool]) -> Any:
    """Return a tool or an agent by its name; None if none is known.

    Looked for in what an engine was given, then what was registered, then the notebook.
    """
    known = TOOLS if kind == "tool" else AGENTS
    for names in (own, known):
        if name in names:
            return names[name]
    there = _notebook().get(name)
    return there if there is not None and fits(there) else None


def unknown(kind: str, name: str, own: Mapping[str, Any], path: str) -> str:
    """Say that there is no such tool or agent, and what to do."""
    known = {**(TOOLS if kind == "tool" else AGENTS), **own}
    hint = f" {did_you_mean(name, known)}" if known else ""
    return (
        f"step {path!r}: there is no {kind} {name!r}. Register it: register_{kind}({name!r}, …), "
        f"or give it to the engine: WorkflowEngine({kind}s={{{name!r}: …}}).{hint}"
    )


def _notebook() -> Mapping[str, Any]:
    """Return the notebook's names, if there is one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    names: Mapping[str, Any] = shell.user_ns if shell is not None else {}
    return names
