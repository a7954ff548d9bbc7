"""What is seen of a call where it is made, which may be another process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.core.commands import COMMANDS
from graflow_nb.incremental.code.paths import paths_in
from graflow_nb.incremental.code.state import module_states
from graflow_nb.incremental.entry import Used
from graflow_nb.incremental.pending import Seen
from graflow_nb.incremental.prints import is_as_it_was, is_identity, print_of
from graflow_nb.incremental.trace.noted import noted
from graflow_nb.incremental.trace.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from graflow_nb.core.call import Call, Outcome


class Look:
    """Looks at one call; it travels with it.

    Parameters
    ----------
    held : sequence of (object, bytes)
        The results that the call is handed, with their fingerprints.
    literals, inputs, before
        As in `Recorder`.

    Attributes
    ----------
    modules : mapping of str to bytes
        What the modules that the task's code reads hold where it comes from, if the call is made elsewhere.
    far : sequence of int
        Which of the results are not there where the call comes from: nobody has looked for paths in them yet.
    """

    __slots__ = ("_before", "_held", "_inputs", "_literals", "_recorder", "far", "modules")

    def __init__(
        self,
        held: Sequence[tuple[Any, bytes]],
        literals: Sequence[Any],
        inputs: Sequence[str],
        before: Sequence[Used],
    ) -> None:
        self._held, self._literals, self._inputs, self._before = held, literals, inputs, before
        self._recorder: Recorder | None = None
        self.modules: Mapping[str, bytes] = {}
        self.far: Sequence[int] = ()

    def hold(self, more: Iterable[tuple[Any, bytes]]) -> None:
        """Look at other results too, which the call was handed while it was made."""
        self._held = [*self._held, *more]

    def before(self, call: Call) -> None:  # noqa: ARG002 - as in Around
        """Begin to look at what the call uses."""
        if self.far:
            paths = (path for place in self.far for path in paths_in(self._held[place][0]))
            self._literals = list(dict.fromkeys((*self._literals, *paths)))
        self._recorder = Recorder(literals=self._literals, inputs=self._inputs, before=self._before)
        self._recorder.begin()

    def after(self, call: Call, outcome: Outcome) -> None:
        """Hash what the call made, and look whether it left what it was handed as it was."""
        seen = outcome.kept = Seen()
        if self._recorder is not None:
            seen.observed = self._recorder.end()
            self._recorder = None
        held = self._held
        seen.changed = [place for place, (value, was) in enumerate(held) if not is_as_it_was(value, was)]
        if outcome.error is not None:
            return
        unchanged = self._unchanged(seen.changed)
        for name, value in ((None, outcome.value), *outcome.variables.items()):
            # What was handed in and is as it was has been hashed just now; it takes its room where it was made.
            known = unchanged.get(id(value)) if unchanged else None
            seen.prints[name], size = (known, 0) if known else print_of(value)
            seen.size += size
        outcome.prints = seen.prints
        seen.against = [*seen.observed.against, *self._other_modules()]
        if call.context.noted or call.context.volatile:
            for what in noted(call.context):
                (seen.noted if isinstance(what, Used) else seen.against).append(what)  # type: ignore[arg-type]
        if outcome.commands:
            seen.prints[COMMANDS] = print_of(outcome.commands)[0]

    def remote(self, call: Call) -> None:
        """Return nothing: it is there already."""

    def take(self, call: Call, outcome: Outcome) -> None:
        """Do nothing: it is there already."""

    def _other_modules(self) -> Iterator[str]:
        """Say which modules hold something else here than where the call comes from."""
        if self.modules:
            here = module_states(self.modules)
            for name, state in self.modules.items():
                if here.get(name, state) != state:  # one that is not loaded was not used
                    yield (
                        f"module {name!r} is not the same in its process: it was changed after it was loaded. "
                        f"Change the file, or pass what differs as an argument"
                    )

    def _unchanged(self, changed: Sequence[int]) -> dict[int, bytes]:
        """Return the fingerprints of inputs that are as they were, by identity; one without content has none."""
        if not self._held:
            return {}
        others = {id(self._held[place][0]) for place in changed}
        return {id(value): was for value, was in self._held if not (id(value) in others or is_identity(was))}
