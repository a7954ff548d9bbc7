"""Whatever is edited in a notebook of task cells and plain cells: nothing outdated is ever used, nothing runs for nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from shells import new_notebook
from worlds import stateful

BASE = {"K": "K = 1", "h": "def h(x): return [x, K]"}
PLAIN = {"D0": ("s0", "s1", "s2"), "D1": ("s0", "s1", "s2", "s3", "s4")}
"""What plain cells make, from some of these."""
ORDER = ("s0", "s1", "s2", "D0", "s3", "s4", "D1", "s5")
TASKS = tuple(name for name in ORDER if name not in PLAIN)
BOUND = {name: f"v{name[1]}" for name in TASKS}


@dataclass(frozen=True)
class Cell:
    """A cell that makes a list.

    Attributes
    ----------
    reads : tuple of str
        Tasks whose results it reads, by the variables that they publish, and plain cells.
    by_name : bool
        Whether by the names of the tasks.
    terms : tuple of str
    comment : int
    spelling : str
        How a task is spelled.
    """

    reads: tuple[str, ...] = ()
    by_name: bool = False
    terms: tuple[str, ...] = ("0",)
    comment: int = 0
    spelling: str = "%%task"

    def expression(self, name: str) -> str:
        by_name = self.by_name and name in TASKS
        read = [one if by_name or one in PLAIN else BOUND[one] for one in self.reads]
        return f"[{', '.join([*self.terms, *(f'str({one})[:9]' for one in read)])}]"

    def source(self, name: str) -> str:
        comment = "  #" + "x" * self.comment
        if name in PLAIN:
            return f"{name} = {self.expression(name)}{comment}"
        first = f"%%task {name}" if self.spelling == "%%task" else f"#| task: {name}"
        return f"{first}\n{BOUND[name]} = {self.expression(name)}{comment}\n{BOUND[name]}"


@st.composite
def cell(draw, name: str) -> Cell:
    before = ORDER[: ORDER.index(name)]
    reads = PLAIN.get(name, before)
    terms = ["0", "1", "2"] if name in PLAIN else ["0", "1", "K", "h(1)"]
    return Cell(
        tuple(
            draw(st.lists(st.sampled_from(reads), min_size=name in PLAIN, max_size=2, unique=True))
            if reads
            else ()
        ),
        draw(st.booleans()),
        tuple(draw(st.lists(st.sampled_from(terms), min_size=1, max_size=2))),
        0,
        draw(st.sampled_from(["%%task", "#|"])),
    )


class Cells(RuleBasedStateMachine):
    """A notebook as a person works in it."""

    def __init__(self) -> None:
        super().__init__()
        self.context = new_notebook()
        self.nb = self.context.__enter__()
        self.base = dict(BASE)
        self.cells: dict[str, Cell] = {}
        self.made_from: dict[str, list[str]] = {}
        self.stored: set[object] = set()

    def teardown(self) -> None:
        self.context.__exit__(None, None, None)

    # -- cells

    @initialize(data=st.data())
    def write(self, data):
        for source in self.base.values():
            self.nb(source)
        for name in ORDER:
            self.put(name, data.draw(cell(name), label=name))
            if name in TASKS:
                self.nb.run()

    def put(self, name: str, new: Cell) -> None:
        self.cells[name] = new
        self.nb(new.source(name), cell=name)
        if name in PLAIN:
            self.made_from[name] = [repr(self.nb.ns[BOUND[one]]) for one in new.reads]

    @rule(data=st.data(), name=st.sampled_from(TASKS))
    def edit_task(self, data, name):
        self.put(name, data.draw(cell(name), label=name))

    @rule(data=st.data(), name=st.sampled_from(sorted(PLAIN)))
    @precondition(lambda self: self.is_whole())
    def edit_plain(self, data, name):
        self.put(name, data.draw(cell(name), label=name))

    @rule(name=st.sampled_from(ORDER))
    @precondition(lambda self: self.is_whole())
    def execute_again(self, name):
        self.put(name, self.cells[name])

    @rule(name=st.sampled_from(TASKS))
    def comment(self, name):
        self.put(name, replace(self.cells[name], comment=self.cells[name].comment + 1))

    @rule(value=st.sampled_from(["1", "2", "True", "[1]", "1.0"]))
    def edit_global(self, value):
        self.base["K"] = f"K = {value}"
        self.nb(self.base["K"])

    @rule(body=st.sampled_from(["[x, K]", "[x]", "[K]", "x"]))
    def edit_helper(self, body):
        self.base["h"] = f"def h(x): return {body}"
        self.nb(self.base["h"])

    def is_whole(self) -> bool:
        """Whether there is a result of every task: those of tasks that failed are withdrawn."""
        return all(name in self.nb.ns for name in BOUND.values())

    # -- runs

    def fresh(self) -> dict[str, str]:
        """What running everything from the top gives."""
        space: dict = {}
        for source in self.base.values():
            exec(source, space)
        for name in ORDER:
            value = eval(self.cells[name].expression(name), space)
            space |= {name: value, **({BOUND[name]: value} if name in BOUND else {})}
        return {name: repr(space[name]) for name in ORDER}

    def outdated(self, fresh: dict[str, str]) -> set[str]:
        """The tasks that read what a plain cell made from something else than there is now."""
        stale = {d for d in PLAIN if self.made_from[d] != [fresh[one] for one in self.cells[d].reads]}
        return {name for name in TASKS if stale & {*self.cells[name].reads}}

    def check_run(self, line: str = "") -> set[str]:
        self.nb.try_(f"%flow run {line}")
        fresh = self.fresh()
        blocked, unknown = set(), set()
        stale = self.outdated(fresh)
        for name in TASKS:
            reads = self.cells[name].reads
            made_by = {before for one in reads if one in PLAIN for before in self.cells[one].reads}
            status = self.nb.statuses.get(name)
            if (blocked | unknown) & ({*reads} | made_by):
                unknown.add(name)  # whether what it reads is outdated shows when that has run
                if blocked & {*reads}:
                    blocked.add(name)
                    assert status in {None, "skipped", "failed"}, (name, self.nb.statuses, self.nb.said)
                else:
                    assert status in {None, "skipped", "failed"} or self.result(name) == fresh[name]
            elif name in stale:
                blocked.add(name)
                assert status in {None, "failed"}, (name, self.nb.statuses, self.nb.said)
                if status == "failed":
                    assert type(self.nb.last_run.errors[name]).__name__ == "StaleInputError", self.nb.said
            elif status is not None:
                self.check(name, status, fresh)
        return blocked | unknown

    def result(self, name: str) -> str:
        return repr(self.nb.last_run.results[name])

    def check(self, name: str, status: str, fresh: dict[str, str]) -> None:
        """A task that reads nothing outdated."""
        assert status in {"succeeded", "cached"}, (name, self.nb.statuses, self.nb.said)
        assert self.result(name) == fresh[name], name
        assert repr(self.nb.ns[BOUND[name]]) == fresh[name], "published"
        code = self.cells[name]
        helper = self.base["h"] if "h(1)" in code.terms else ""
        value = self.base["K"] if "K" in code.terms or "K" in helper[6:] else ""
        signature = name, code.expression(name), helper, value, *(fresh[one] for one in code.reads)
        assert status == "cached" or signature not in self.stored, (
            name,
            [str(r) for r in self.nb.last_run.records[name].reasons],
        )
        self.stored.add(signature)

    @rule()
    def run(self):
        self.check_run()

    @rule(name=st.sampled_from(TASKS))
    def run_one(self, name):
        self.check_run(name)

    @rule()
    def run_until_all_is_current(self):
        """Execute the plain cells again, from the top, with a run after each: then nothing is outdated."""
        for name in ("", *PLAIN):
            if name and self.is_whole_for(name):
                self.put(name, self.cells[name])
            blocked = self.check_run()
        assert not blocked, (blocked, self.nb.said)

    def is_whole_for(self, name: str) -> bool:
        return all(BOUND[one] in self.nb.ns for one in self.cells[name].reads)

    @rule(name=st.sampled_from(TASKS))
    def change_in_place(self, name):
        """A plain cell that spoils a result: it is made again."""
        if BOUND[name] in self.nb.ns:
            self.nb(f"{BOUND[name]}.append('spoilt')")
            self.stored.clear()
            self.check_run()


TestCells = Cells.TestCase
TestCells.settings = stateful(150, steps=10)
