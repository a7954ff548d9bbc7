"""What plain cells made from tasks' results: which names, from what, in which cells.

A plain cell is followed statement by statement. A name that a statement binds is made from everything the
statement reads; so is an object that it changes in place. What cannot be known from the source (a name set
by ``exec``) is seen by comparing the namespace before and after, and counts as made from all that the cell
reads.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from graflow_nb.core.arguments import Behind
from graflow_nb.notebook.origins import Made, unique
from graflow_nb.notebook.reading import Reader
from graflow_nb.notebook.watch import can_change, content

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from graflow_nb.core.graph import TaskGraph
    from graflow_nb.notebook.origins import Origin, Source
    from graflow_nb.notebook.statements import Change, Statement

_ABSENT: Any = object()
_SHELLS_OWN = re.compile(r"__\w+__$|_+(i*|i?\d+|dh|ih|oh|exit_code|sh)_*$|In$|Out$|exit$|quit$")
"""Names that the shell itself binds, in any cell."""
_SHARED = (type(None), bool, int, float, complex, str, bytes, tuple, frozenset)
"""Types of which Python may use one object again: that it stands there still says nothing."""
_OUTPUTS = re.compile(r"_\d+$")


class Cell:
    """A plain cell that runs.

    Parameters
    ----------
    number : int
    parts : callable
        Gives its statements; called when they are needed.
    """

    def __init__(self, number: int, parts: Callable[[], Sequence[Statement]]) -> None:
        self.number = number
        self._parts = parts
        self.done = 0
        self.is_followed = False
        self.sources: dict[str, Source] = {}
        self.held: dict[str, Any] | None = None  # what stood in the namespace; None: nothing of it matters
        self.identities: dict[str, int] = {}
        self.prints: dict[str, bytes | None] = {}
        self.settled: set[str] = set()  # bound so far
        self.shown: list[Origin] = []
        self.carried: dict[int, list[Origin]] = {}  # by statement: what it read before a run in the middle of it

    @property
    def statements(self) -> Sequence[Statement]:
        """What it does."""
        return self._parts()

    @property
    def functions(self) -> dict[str, frozenset[str]]:
        """What the functions that it defines read when they are called."""
        return {name: names for part in self.statements for name, names in part.functions.items()}


class Derived:
    """What plain cells made from results, in one notebook.

    Parameters
    ----------
    namespace : dict
        The notebook's.
    sources : callable
        Gives the variables of tasks that stand in the namespace.
    results : callable
        Gives the results that a value gives access to: a task, a run, a flow, or a container of them.
    is_any : callable
        Whether there is a result at all; as long as there is none, nothing is followed.

    Attributes
    ----------
    taken : set of str
        Names that plain cells assigned.
    """

    def __init__(
        self,
        namespace: dict[str, Any],
        sources: Callable[[], Mapping[str, Source]],
        results: Callable[[Any], Iterable[Source]],
        is_any: Callable[[], bool],
    ) -> None:
        self._namespace = namespace
        self._sources = sources
        self._reader = Reader(namespace, results)
        self._is_any = is_any
        self.taken: set[str] = set()
        self._made: dict[str, Made] = {}
        self._assigned: dict[str, int] = {}
        self._running: list[Cell] = []
        self._not_read: list[Cell] = []  # of before there was a result

    def __bool__(self) -> bool:
        return bool(self._made)

    def begin(self, number: int, source: str, transform: Callable[[str], str] = str) -> None:
        """Say that a cell starts."""
        if self._running:  # a cell that a cell runs is a piece of it
            number = self._running[-1].number
        cell = Cell(number, lambda: self._reader.parts(source, transform))
        self._running.append(cell)
        self._open(cell)

    def pause(self, line: int | None) -> None:
        """Say that a run starts in the middle of a cell, at a line: what was read so far was of before."""
        if not self._running:
            return
        cell = self._running[-1]
        if not cell.is_followed:
            self._assign_all(cell)
        parts = cell.statements
        upto = cell.done
        while upto < len(parts) and line is not None and parts[upto].last < line:
            upto += 1
        if cell.is_followed:
            self._apply(cell, upto, failed=False)
        cell.done = upto
        for index in range(upto, len(parts)):
            if cell.is_followed and parts[index].is_part and parts[index].first <= (line or parts[index].first):
                now = self._origins(parts[index], cell)
                cell.carried[index] = unique([*cell.carried.get(index, ()), *now])

    def resume(self) -> None:
        """Say that this run has ended, and what it made stands in the namespace."""
        if self._running:
            self._open(self._running[-1])

    def end(self, *, success: bool, started: bool = True) -> None:
        """Say that the cell has ended; without success any of its statements may not have run."""
        if not self._running:
            return
        cell = self._running.pop()
        if started and not cell.is_followed:
            self._not_read.append(cell)
        elif started:
            self._apply(cell, len(cell.statements), failed=not success)
            if success and cell.shown and f"_{cell.number}" in self._namespace:
                shown = f"_{cell.number}"
                self._bind(shown, [origin.then(shown, cell.number) for origin in cell.shown])

    def behind(self, names: Iterable[str], graph: TaskGraph) -> list[Behind]:
        """Return what stands under these names that was made from results of a graph's tasks."""
        found = []
        for name in names if self._made else ():
            made = self._made.get(name)
            if made is not None and made.identity == id(self._namespace.get(name, _ABSENT)):
                for origin in made.origins():
                    if origin.graph is graph:
                        where = self._where(name, origin)
                        found.append(Behind(name, origin.task, origin.variable, origin.seen, where))
        return found

    def names_of(self, value: Any) -> list[str]:
        """Return the names of what plain cells made under which an object stands."""
        return [name for name in self._made if self._namespace.get(name, _ABSENT) is value]

    def _where(self, name: str, origin: Origin) -> tuple[int, ...]:
        """Return the cells to run again: not those whose part of the way has been made anew."""
        return tuple(
            dict.fromkeys(
                number
                for link, number in origin.links
                if link == name or self._assigned.get(link, number) <= number
            )
        )

    # While a cell runs

    def _open(self, cell: Cell) -> None:
        """Look at the namespace before a cell, or the rest of one, runs."""
        if not (cell.is_followed or self._is_any()):
            return
        cell.is_followed, there = True, self._namespace
        for earlier in self._not_read:
            self._assign_all(earlier)
        self._not_read.clear()
        self._made = {n: m for n, m in self._made.items() if m.identity == id(there.get(n, _ABSENT))}
        cell.sources = dict(self._sources())
        cell.held, cell.prints, cell.settled = None, {}, set()
        watched: set[str] = set()
        certain: set[str] = set()
        is_concerned = False
        known = {*cell.sources, *self._made}
        for part in cell.statements[cell.done :]:
            inside = self._inside(part, cell)
            reads = part.reads | inside
            if part.reads_all or not reads.isdisjoint(known) or self._reader.results(part, reads):
                is_concerned = True
                known |= part.binds
                watched |= {c.name for c in self._reader.changes(part, inside) if not c.is_sure}
            certain |= part.deletes | part.surely
        binds = {name for part in cell.statements for name in part.binds}
        cell.identities = {name: id(there[name]) for name in binds if name in there}
        if is_concerned:
            cell.held = {name: value for name, value in there.copy().items() if name not in certain}
            to_watch = [n for n in watched if n in there and n not in cell.sources and can_change(there[n])]
            cell.prints = {name: content(there[name]) for name in to_watch}

    def _apply(self, cell: Cell, upto: int, *, failed: bool) -> None:
        """Take over what statements have done."""
        for index in range(cell.done, upto):
            part = cell.statements[index]
            inside = self._inside(part, cell)
            origins = unique([*self._origins(part, cell), *cell.carried.get(index, ())])
            for change in self._reader.changes(part, inside) if cell.held is not None or self._made else ():
                is_certain = not (failed or part.is_part)
                self._change(change, part, cell, cell.carried.get(index, ()), is_certain=is_certain)
            binds = part.binds | self._reader.assigned_inside(part, part.reads | inside)
            for name in binds:
                self._bind_in(name, part, origins, cell, is_certain=name in part.surely and not failed)
            for name in part.deletes:
                if name not in self._namespace:
                    self._made.pop(name, None)
                    self.taken.discard(name)
            cell.settled |= binds
            cell.shown = origins if part.shows else []
        if cell.held is not None:
            parts = cell.statements[cell.done : upto]
            if unseen := self._bind_unseen(cell, parts):
                self._bind_after(unseen, cell, parts)
        cell.done = upto
        self._settle()

    def _bind_after(self, unseen: set[str], cell: Cell, parts: Sequence[Statement]) -> None:
        """Take over that statements may have read names that were bound unseen before."""
        for part in parts:
            if not unseen.isdisjoint(part.reads | self._inside(part, cell)):
                for name in part.binds:
                    self._bind_in(name, part, self._origins(part, cell), cell, is_certain=False)

    def _assign_all(self, cell: Cell) -> None:
        """Note what a cell assigned that could read no result."""
        for part in cell.statements:
            self._assigned.update(dict.fromkeys(part.binds, cell.number))

    def _settle(self) -> None:
        """Note which objects stand under the names now."""
        for name, made in list(self._made.items()):
            if name in self._namespace:
                made.identity = id(self._namespace[name])
            else:
                del self._made[name]

    def _bind_in(self, name: str, part: Statement, origins: list[Origin], cell: Cell, *, is_certain: bool) -> None:
        """Take over that a statement bound a name, or may have."""
        if not is_certain and self._is_left(name, cell):
            return
        is_new = is_certain or self._is_rebound(name, cell)
        reads_itself = name in part.reads
        before = [] if is_new or name not in self._made else self._made[name].origins()
        if origins or before:
            began = self._assigned.get(name) if reads_itself else None
            self._bind(name, [*before, *(origin.then(name, cell.number, began) for origin in origins)])
        elif is_new:
            self._made.pop(name, None)
        if is_new:
            self.taken.add(name)
            cell.sources.pop(name, None)
            if not reads_itself:
                self._assigned[name] = cell.number

    def _bind(self, name: str, origins: Iterable[Origin]) -> None:
        self._made[name] = Made(id(self._namespace.get(name, _ABSENT)), {"": unique(origins)})

    def _is_rebound(self, name: str, cell: Cell) -> bool:
        """Whether another object stands there than before; one at the same address is taken for the same."""
        now = self._namespace.get(name, _ABSENT)
        if cell.held is not None and name in cell.held:
            return cell.held[name] is not now
        return cell.identities.get(name, id(_ABSENT)) != id(now)

    def _is_left(self, name: str, cell: Cell) -> bool:
        """Whether the object that stood there still does, and is none that Python uses again and again."""
        now = self._namespace.get(name, _ABSENT)
        return cell.held is not None and cell.held.get(name, _ABSENT) is now and not isinstance(now, _SHARED)

    def _bind_unseen(self, cell: Cell, parts: Sequence[Statement]) -> set[str]:
        """Take over names that a cell bound otherwise than by a statement of its own; return them."""
        unseen = self._unseen(cell, parts)
        found = [self._origins(p, cell, but=unseen - (p.reads - p.by_text)) for p in parts] if unseen else []
        origins = unique(origin for there in found for origin in there)
        for name in unseen:
            self._assigned[name] = cell.number
            if origins:
                self._bind(name, [origin.then(name, cell.number) for origin in origins])
            else:
                self._made.pop(name, None)
        return unseen

    def _unseen(self, cell: Cell, parts: Sequence[Statement]) -> set[str]:
        known = cell.settled.union(cell.identities, *(part.binds | part.deletes for part in cell.statements))
        known |= self._sources().keys()
        stars = [vars(sys.modules[m]) for part in parts for m in part.stars if m in sys.modules]
        held = cell.held or {}
        found = set()
        for name, value in self._namespace.copy().items():
            if name in known or held.get(name, _ABSENT) is value or _SHELLS_OWN.match(name):
                continue
            made = self._made.get(name)
            is_known = made is not None and made.identity == id(value)  # by a cell inside this one
            if not is_known and not any(names.get(name, _ABSENT) is value for names in stars):
                found.add(name)
        return found

    def _change(
        self, change: Change, part: Statement, cell: Cell, more: Iterable[Origin], *, is_certain: bool
    ) -> None:
        """Take over that a statement changed an object in place, if it did."""
        name = change.name
        value = self._namespace.get(name, _ABSENT)
        if value is _ABSENT or name in cell.sources or not can_change(value):
            return
        if not change.is_sure and self._is_as_before(name, value, cell):
            return
        place = change.place if is_certain else ""
        began = None if place else self._assigned.get(name)
        origins = [o.then(name, cell.number, began) for o in (*more, *self._origins(part, cell, but={name}))]
        if origins or (place and name in self._made):
            there = self._namespace.copy().items()
            for alias in [n for n, other in there if other is value and n not in cell.sources]:
                self._put(alias, id(value), place, origins)

    def _is_as_before(self, name: str, value: Any, cell: Cell) -> bool:
        """Whether an object that was there before the cell has the content that it had; not if nobody knows."""
        if name not in cell.prints or (name in cell.settled and not self._is_left(name, cell)):
            return False
        before = cell.prints[name]
        return before is not None and before == content(value)

    def _put(self, name: str, identity: int, place: str, origins: list[Origin]) -> None:
        made = self._made.setdefault(name, Made(identity, {}))
        made.places[place] = origins if place else unique([*made.places.get("", ()), *origins])
        if not made.origins():
            del self._made[name]

    # What a statement reads

    def _inside(self, part: Statement, cell: Cell) -> set[str]:
        return self._reader.inside(part, cell.functions, cell.sources)

    def _origins(self, part: Statement, cell: Cell, but: Collection[str] = ()) -> list[Origin]:
        """Return what a statement's doings are made from, as it stands now; some names are left out."""
        reads = part.reads | self._inside(part, cell)
        found = [source.origin() for source in self._reader.results(part, reads)]
        if part.reads_all:
            reads = reads.union(cell.sources, self._made)
        for name in reads.difference(but):
            found += self._origins_of(name, cell)
        return unique(found)

    def _origins_of(self, name: str, cell: Cell) -> list[Origin]:
        if name in self._made:
            return self._made[name].origins()
        if name in cell.sources:
            return [cell.sources[name].origin()]
        outputs = [made for n, made in self._made.items() if _OUTPUTS.match(n)] if name in _ANY_OUTPUT else []
        if name in _LAST_OUTPUTS:
            outputs = [made for made in outputs if made.identity == id(self._namespace.get(name, _ABSENT))]
        return [origin for made in outputs for origin in made.origins()]


_LAST_OUTPUTS = frozenset({"_", "__", "___"})
_ANY_OUTPUT = _LAST_OUTPUTS | {"Out", "_oh"}
