"""A backend that leaves large results where they were made, and counts who fetches them; it needs no cluster."""

from __future__ import annotations

import copy
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from graflow_nb import register_backend
from graflow_nb.backends.home import HomeEnd, packed_job
from graflow_nb.backends.packing import beside
from graflow_nb.backends.there import HomeLink, make_for
from graflow_nb.backends.threads import ThreadBackend
from graflow_nb.core.away import Away, described
from graflow_nb.core.job import Sent
from graflow_nb.core.settings import Withdrawn
from graflow_nb.incremental.prints import is_as_it_was

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_nb.backends.packing import Packed
    from graflow_nb.core.call import Call, Outcome

LARGE = 10
"""Items: a longer list stays."""


class Safe:
    """What one call made, and left there."""

    def __init__(self, values: dict[str | None, Any], fetched: list[str]) -> None:
        self.values = values
        self.why_lost = ""
        self._fetched = fetched

    def fetch(self, variable: str | None) -> Any:
        if not self.values:
            raise LookupError("the vault burnt down")
        self._fetched.append(variable or "result")
        return copy.deepcopy(self.values[variable])

    def is_intact(self, variable: str | None, was: bytes) -> bool:
        return variable in self.values and is_as_it_was(self.values[variable], was)


class Vault:
    """Makes backends; what their calls make is kept here.

    Attributes
    ----------
    fetched : list of str
        Which values somebody fetched.
    handed : list of (str, int)
        How many of its own values each task was handed as they are.
    """

    def __init__(self) -> None:
        self.fetched: list[str] = []
        self.handed: list[tuple[str, int]] = []
        self.safes: list[Safe] = []
        self._lock = threading.Lock()

    def __call__(self, workers: int | None = None) -> VaultBackend:
        return VaultBackend(workers or 2, self)

    def burn(self) -> None:
        for safe in self.safes:
            safe.values.clear()

    def keep(self, outcome: Outcome) -> None:
        """Leave what is large of an outcome here."""
        made = {None: outcome.value, **outcome.variables}
        large = {name: value for name, value in made.items() if type(value) is list and len(value) > LARGE}
        safe = Safe(large, self.fetched)
        with self._lock:
            self.safes.append(safe)
        for name, value in large.items():
            made[name] = Away(outcome.name, name, safe, 8 * len(value), described(value))
        outcome.value = made.pop(None)
        outcome.variables = made


class VaultBackend(ThreadBackend):
    """Threads; what they are handed is pickled, as if they were far away."""

    def __init__(self, workers: int, vault: Vault) -> None:
        super().__init__(workers)
        self._vault = vault

    def takes(self, away: Away) -> bool:
        return away.holder in self._vault.safes

    def _made(self, call: Call, ident: int) -> Outcome:
        self._busy[ident] = call
        sent = Sent(call)
        try:
            outcome = self._make(sent, call)
        except BaseException as error:
            outcome = sent.failed(error)
        self._busy[ident] = None
        return outcome

    def _make(self, sent: Sent, call: Call) -> Outcome:
        handed: list[Away] = []

        def number(away: Away) -> int:
            handed.append(away)
            return len(handed) - 1

        packed = packed_job(sent.job(), number)
        self._vault.handed.append((call.task.name, len({id(away) for away in handed})))
        for away in handed:
            if away.variable not in away.holder.values:
                away.let_go("the vault burnt down")
                raise Withdrawn
        link = HomeLink(Wire(HomeEnd(sent)))
        with beside([away.holder.values[away.variable] for away in handed]):
            outcome = make_for(link, packed.stream, packed.buffers)
        link.close_call()
        outcome.name, outcome.number = call.task.name, call.number
        self._vault.keep(outcome)
        return sent.taken(outcome)


class Wire:
    """Between the two ends of a call, without any distance."""

    def __init__(self, end: HomeEnd) -> None:
        self._end = end
        self._answers: SimpleQueue[Any] = SimpleQueue()

    def send(self, kind: bytes, packed: Packed) -> None:
        self._end.take(kind, packed.stream, packed.buffers, lambda *answer: self._answers.put(answer))

    def receive(self) -> Any:
        kind, packed = self._answers.get()
        return kind, packed.stream, packed.buffers


def register() -> Vault:
    """Let ``backend="vault"`` mean a new vault; return it."""
    vault = Vault()
    make: Callable[[int | None], VaultBackend] = vault
    register_backend("vault", make)
    return vault
