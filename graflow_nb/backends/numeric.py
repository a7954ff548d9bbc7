"""Numeric libraries bring threads of their own; several tasks at once share the cores between them.

Two tasks that each multiply matrices on all cores get in each other's way. So while `n` workers are busy, each
library may use ``cores // n`` threads; what it used before is put back when one or none is left.

This is done where calls are made, and not by a listener: only there is it known what really runs, and some
libraries (OpenMP, MKL) have a number for each thread. It costs a look into a dictionary a call; libraries are
only looked for while a second worker is busy, and again only when another of them was loaded.
"""

from __future__ import annotations

import logging
import os
import sys
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_log = logging.getLogger("graflow_nb")

MARKERS = (
    "numpy.linalg._umath_linalg",
    "scipy.linalg._fblas",
    "sklearn.utils._openmp_helpers",
    "torch._C",
    "xgboost.core",
    "lightgbm.basic",
    "faiss._swigfaiss",
    "numba.np.ufunc.omppool",
)
"""Modules that load such a library; once they are there, it is."""


class Library(Protocol):
    """A numeric library, as threadpoolctl controls it."""

    def get_num_threads(self) -> int:
        """Return how many threads it may use, in this process or on this thread."""

    def set_num_threads(self, num_threads: int) -> None:
        """Say how many threads it may use."""


def libraries_of_this_process() -> list[Library]:
    """Find the libraries that are loaded; this takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    found: list[Library] = ThreadpoolController().lib_controllers
    return found


def set_threads(library: Library, number: int) -> None:
    """Say how many threads a library may use, whoever said so before.

    threadpoolctl lets only one thread change OpenBLAS, the first that did, until it gives that up; but tasks come
    and go on several.
    """
    give_up: Callable[..., Any] = getattr(library, "clear_controlling_thread", _nothing)
    give_up(force=True)
    library.set_num_threads(number)
    give_up(force=True)


def _nothing(*, force: bool) -> None:
    """Stand for what this library, or this version of threadpoolctl, does not need."""


def is_shared(library: Library) -> bool:
    """Whether a library has one number for all threads: found by trying, for that depends on how it was built."""
    before = library.get_num_threads()
    if before == 1:
        return True  # it is never held back
    thread = Thread(target=set_threads, args=(library, before - 1))
    thread.start()
    thread.join()
    if library.get_num_threads() == before:
        return False
    set_threads(library, before)
    return True


def cores_of_this_process() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Held:
    """A library's number, in this process or on one worker's thread, while it is held back.

    Tasks may change it themselves for a while (``threadpool_limits``, as scikit-learn does inside), and then put
    back what they saw; several at once leave it too low for good. So nobody's lower number is raised while
    anything runs, and at the end it is what it was at the beginning.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._base = 0  # what it was before
        self._last: int | None = None  # what we set it to

    def note(self) -> None:
        self._base = self._library.get_num_threads()

    def hold(self, most: int) -> None:
        now = self._library.get_num_threads()
        self._base = max(self._base, now)
        wanted = min(self._base, most)
        if now > wanted or (now == self._last and now != wanted):
            set_threads(self._library, wanted)
            self._last = wanted

    def relax(self) -> None:
        if self._last is not None and self._library.get_num_threads() == self._last:
            set_threads(self._library, self._base)
        self._last = None

    def settle(self) -> None:
        if self._library.get_num_threads() < self._base:
            set_threads(self._library, self._base)
        self._last = None


class _Worker:
    """A worker that is busy, and the libraries that have a number on its thread."""

    __slots__ = ("driver", "held", "known", "level")

    def __init__(self, driver: int, known: Sequence[Library], level: int) -> None:
        self.driver = driver
        self.known = known
        self.level = level
        self.held: list[_Held] = []

    def look(self, libraries: Sequence[Library]) -> None:
        if self.known is not libraries or not self.held:
            self.settle()
            self.known, self.held = libraries, [_Held(library) for library in libraries]

    def settle(self) -> None:
        for library in self.held:
            library.settle()


class NumericThreads:
    """Holds numeric libraries back while several workers are busy.

    Parameters
    ----------
    cores : int, optional
        How many there are to share.
    find : callable
        Finds the libraries that are loaded.
    modules : mapping of str
        The modules that are loaded.
    """

    def __init__(
        self,
        cores: int | None = None,
        find: Callable[[], Iterable[Library]] = libraries_of_this_process,
        modules: Mapping[str, Any] = sys.modules,
    ) -> None:
        self._cores = cores
        self._find = find
        self._modules = modules
        self._lock = Lock()
        self._busy: dict[int, _Worker] = {}  # by thread
        self._level = 0  # for how many busy workers the numbers are
        self._is_holding = False
        self._size = 0
        self._loaded: tuple[str, ...] = ()
        self._shared: list[_Held] = []
        self._by_thread: list[Library] = []

    def begin(self) -> None:
        """Say that a run begins: what there is now is what there is to be at its end."""
        if not self._busy:
            self._try(self._note)

    def enter(self, worker: int, driver: int) -> None:
        """Say that a worker makes a call, on this thread; it may be busy already.

        Parameters
        ----------
        worker, driver : int
            The threads' idents. A worker that drives another run waits for that, and does not count.
        """
        one = self._busy.get(worker)
        is_told = one is not None and one.level == self._level and one.known is self._by_thread
        if one is None:
            one = self._busy[worker] = _Worker(driver, self._by_thread, self._level)
        if len(self._busy) == 1 and not one.held:
            return
        if is_told and len(self._modules) == self._size:
            return
        self._size = len(self._modules)
        if self._is_holding or any(name in self._modules for name in MARKERS):
            self._try(self._share, one)

    def leave(self, worker: int) -> None:
        """Say that a worker, on this thread, has nothing to do; saying it again changes nothing."""
        one = self._busy.pop(worker, None)
        if one is not None and (self._is_holding or one.held):
            self._try(self._give_back, one)

    def _try(self, step: Callable[..., None], *args: _Worker) -> None:
        """Take a step; what goes wrong in it must not cost the task its result."""
        try:
            with self._lock:
                step(*args)
        except Exception:
            _log.exception("the threads of numeric libraries could not be shared; they are left as they are")

    def _note(self) -> None:
        if "threadpoolctl" in self._modules:  # somebody may change numbers before a second worker is busy
            self._look()
        for library in self._shared:
            library.note()

    def _share(self, one: _Worker) -> None:
        self._look()
        self._follow()
        one.look(self._by_thread)
        one.level = self._level
        self._tell(one.held)

    def _give_back(self, one: _Worker) -> None:
        one.settle()
        self._follow()

    def _look(self) -> None:
        """Look for libraries, if another was loaded since."""
        loaded = tuple(name for name in MARKERS if name in self._modules)
        if loaded == self._loaded:
            return
        self._settle()
        self._loaded, self._level = loaded, 0  # first: what cannot be found is not looked for again and again
        self._shared, self._by_thread = [], []
        for library in self._find():
            if is_shared(library):
                self._shared.append(_Held(library))
            else:
                self._by_thread.append(library)

    def _follow(self) -> None:
        """Make the numbers those for the workers that are busy now; that may change meanwhile."""
        while (count := self._count()) != self._level:
            self._level = count
            self._is_holding |= count > 1
            if count:
                self._tell(self._shared)
            else:
                self._settle()

    def _tell(self, libraries: Iterable[_Held]) -> None:
        if self._cores is None:
            self._cores = cores_of_this_process()
        for library in libraries:
            if self._level > 1:
                library.hold(max(1, self._cores // self._level))
            else:
                library.relax()

    def _settle(self) -> None:
        for library in self._shared:
            library.settle()
        self._is_holding = False

    def _count(self) -> int:
        busy = self._busy.copy()
        drivers = {one.driver for one in busy.values()}
        return sum(worker not in drivers for worker in busy)


numeric_threads = NumericThreads()
"""That of this process: its runs share the cores."""
