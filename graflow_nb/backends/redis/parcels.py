"""Calls as they are put into the Redis: sealed, with what their worker takes over; what is too large, beside."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any, Final

from graflow_nb.backends.afar import Afar
from graflow_nb.backends.home import packed_job
from graflow_nb.backends.packing import pack
from graflow_nb.backends.redis.seal import JOB, MIRROR, Seal
from graflow_nb.backends.redis.shared import SharedFolder, too_large

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graflow_nb.backends.redis.out import Out
    from graflow_nb.incremental.store.signing import Signer

GOOD: Final = 24 * 3600
"""Seconds for which a job that was sent may be taken."""


class Parcels:
    """Makes the jobs of a run.

    Parameters
    ----------
    signer : Signer
    run : str
    shared : SharedFolder
    """

    def __init__(self, signer: Signer, run: str, shared: SharedFolder) -> None:
        self._signer, self._run, self._shared = signer, run, shared
        self._afar = Afar()
        self._mirror: tuple[Any, str] = (None, "")
        self._mirrors: set[str] = set()

    def were_sent(self, mirrors: Iterable[str]) -> None:
        """Note what need not be sent again."""
        self._mirrors.update(mirrors)

    def make(self, out: Out, mirrors: dict[str, bytes]) -> tuple[bytes, str]:
        """Return a job as it is sent, and the digest of what its worker takes over."""
        job = out.sent.job()
        packed = packed_job(job)
        digest = self._taken_over(out, mirrors)
        head = {"task": job.name, "mirror": digest, "until": time.time() + GOOD, "shared": self._shared.place}
        try:
            where, packed = self._shared.put(packed)
        except OSError as error:
            things = [("its argument", f"argument {place}", value) for place, value in enumerate(job.args, 1)]
            things += [("its argument", name, value) for name, value in job.kwargs.items()]
            raise too_large(job.name, packed.size, [*things, ("its code", job.name, job.fn)], error) from None
        return out.seal.close(JOB, 0, {**head, **where}, packed), digest

    def _taken_over(self, out: Out, mirrors: dict[str, bytes]) -> str:
        """Return the digest of what workers take over; that itself goes into `mirrors`, if it is new."""
        now = out.sent.inside(self._afar.current)
        if now is not self._mirror[0]:
            packed = pack(now)
            self._mirror = now, hashlib.blake2b(packed.stream, digest_size=16).hexdigest()
        digest = self._mirror[1]
        if digest not in self._mirrors and digest not in mirrors:
            mirrors[digest] = Seal(self._signer, self._run, digest).close(MIRROR, packed=pack(now))
        return digest
