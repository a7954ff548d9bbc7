"""One-shot iterators among what tasks make: several readers would each get some of the items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.core.arguments import Binding, Upstream, upstreams

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from graflow_nb.core.arguments import Missing
    from graflow_nb.core.call import Outcome


def torn(outcome: Outcome, bindings: Mapping[str, Binding | Missing], names: Container[str]) -> str:
    """Return what is wrong if several of the named tasks would take the items of one iterator."""
    for value in (outcome.value, *outcome.variables.values()):
        if hasattr(type(value), "__next__"):
            readers = [name for name in _readers(outcome, value, bindings) if name in names]
            if len(readers) > 1:
                return (
                    f"task {outcome.name!r} made a one-shot iterator ({type(value).__name__}), and "
                    f"{' and '.join(map(repr, readers))} read it: each item would go to one of them only. "
                    f"Return a list."
                )
    return ""


def _readers(outcome: Outcome, value: Any, bindings: Mapping[str, Binding | Missing]) -> list[str]:
    """Return the tasks that read an object that a call made, under whatever name."""
    made = ((None, outcome.value), *outcome.variables.items())
    wanted = {Upstream(outcome.name, variable) for variable, other in made if other is value}
    return [
        name
        for name, binding in bindings.items()
        if isinstance(binding, Binding)
        if any(not wanted.isdisjoint(upstreams(source)) for _, source in binding.sources())
    ]
