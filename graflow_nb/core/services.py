"""What a workflow is handed from above: a backend, a cache, capture. The core has none of it itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from graflow_nb.core.arguments import Scope
    from graflow_nb.core.backend import Backend
    from graflow_nb.core.call import Around
    from graflow_nb.core.events import Listener
    from graflow_nb.core.known_backends import Make
    from graflow_nb.core.settings import Cache
    from graflow_nb.core.workflow import WorkflowContext


@dataclass
class Services:
    """What a workflow is handed from above; the core has none of it itself.

    Attributes
    ----------
    workers : callable
        Makes the backend of threads of a run, from the number of workers (None: its default).
    loop : callable
        Makes the backend for coroutine tasks, from a running event loop (None: one of its own).
    cache : Cache or None
    around : sequence of Around
        Stand round the calls of `run` (not of `execute`).
    listeners : list of callable
    scope : Scope or None
    picture : callable or None
        Shows a workflow in a form ("svg", "png", "plot", "mermaid", "dot", "text", "tree"), with its options.
    """

    workers: Make
    loop: Callable[[asyncio.AbstractEventLoop | None], Backend]
    cache: Cache | None = None
    around: Sequence[Around] = ()
    listeners: list[Listener] = field(default_factory=list)
    scope: Scope | None = None
    picture: Callable[..., Any] | None = None


Provide: TypeAlias = "Callable[[WorkflowContext], Services]"
"""Makes the services of a new workflow."""

_provide: Provide | None = None


def set_services(provide: Provide) -> Provide | None:
    """Say what new workflows are handed; return what was said before."""
    global _provide
    before, _provide = _provide, provide
    return before


def services_for(flow: WorkflowContext) -> Services:
    """Return what a new workflow is handed."""
    assert _provide is not None, "graflow_nb/__init__.py says what workflows are handed"
    return _provide(flow)
