"""What one call made and left on the cluster, as the kernel has it: a future, and what is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.backends.dask.letters import Wanted
from graflow_nb.backends.dask.making import is_intact_here, part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graflow_nb.backends.dask.cluster import Cluster

_GONE = frozenset({"cancelled", "error"})
"""Statuses of a future that has no result, and will have none."""


class Held:
    """Has what one call made; see `graflow_nb.core.away.Holder`.

    Parameters
    ----------
    cluster : Cluster
    future : distributed.Future
        Of a `Made`. While somebody has it, the cluster keeps the values.
    nonce : str
    prints : mapping
    number : int
        How many values there are.
    """

    def __init__(
        self, cluster: Cluster, future: Any, nonce: str, prints: Mapping[str | None, Any], number: int
    ) -> None:
        self.cluster = cluster
        self._future = future
        self._nonce = nonce
        self._prints = prints
        self._number = number
        self._parts: dict[str | None, Any] = {}
        self._why_lost = ""

    @property
    def why_lost(self) -> str:
        """Why the values can no longer be had; "" while they can."""
        if not self._why_lost and (self._future.status in _GONE or not self.cluster.is_running):
            self.why_lost = "the Dask cluster, or the worker, that had it is gone"
        return self._why_lost

    @why_lost.setter
    def why_lost(self, why: str) -> None:
        self._why_lost = why
        if why:
            self._parts.clear()

    def wanted(self, variable: str | None) -> Wanted:
        """Return what a call has to know of a value that it is handed."""
        return Wanted(variable, self._nonce, self._prints.get(variable))

    def future(self, variable: str | None) -> Any:
        """Return the future of a value by itself: what stands beside it need not travel with it."""
        if self._number == 1:
            return self._future
        found = self._parts.get(variable)
        if found is None:
            found = self._parts[variable] = self.cluster.client.submit(
                part, self._future, variable, pure=False, priority=1
            )
        return found

    def fetch(self, variable: str | None) -> Any:
        """Return a copy of a value; raises `LookupError`, saying why, if it can no longer be had."""
        try:
            made = self.cluster.gather(self.future(variable))
        except Exception as error:
            raise LookupError(f"Dask cannot give it out: {type(error).__name__}: {error}") from error
        if not made.is_still(self.wanted(variable)):
            raise LookupError("its worker was lost, and made again it came out otherwise")
        return made.values[variable]

    def is_intact(self, variable: str | None, was: Any) -> bool:
        """Whether a value is as it was made, wherever there is a copy of it."""
        keys = [self._future.key, *(there.key for there in self._parts.values())]
        try:
            return all(self.cluster.client.run(is_intact_here, keys, variable, was).values())
        except Exception:  # what cannot be asked is not relied on
            return False
