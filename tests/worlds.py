"""Small notebooks that are edited at random, what running them from scratch gives, and what need not run again.

`Document` is what stands in the notebook, `expected` what it gives, worked out without the product: each task's
function is called once, in order, with copies of its own. `World` is a kernel in which the notebook is run
incrementally; `Ledger` knows, from what the document says and from nothing that the product says, which results
must still be there.
"""

from __future__ import annotations

import copy
import functools
import itertools
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import GeneratorType
from typing import Any, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from graflow_nb import Task, workflow
from graflow_nb.core.errors import LostError
from graflow_nb.core.events import TaskFinished

TIMES = int(os.environ.get("FUZZ", "1"))
"""How many times as many examples as in `make test`."""


def stateful(examples: int, *, steps: int = 12) -> settings:
    """Settings of a test that edits at random, by `make fuzz` differently each time; twelve tasks draw a lot."""
    return settings(
        max_examples=examples * TIMES,
        stateful_step_count=steps,
        deadline=None,
        derandomize=TIMES == 1,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )


SETUP = '''
import numpy as np
import pandas as pd

def text(x):
    """Say all that counts in a value."""
    if isinstance(x, (list, tuple)):
        return type(x).__name__ + "(" + ", ".join(map(text, x)) + ")"
    if isinstance(x, dict):
        return "{" + ", ".join(f"{text(k)}: {text(v)}" for k, v in x.items()) + "}"
    if isinstance(x, np.ndarray):
        return f"array({x.dtype}, {x.tolist()})"
    if isinstance(x, pd.DataFrame):
        return f"frame({x.to_dict('list')})"
    return repr(x)

def bucket(x):
    return len(text(x)) % 2

def spoil(x):
    """Change a value in place."""
    if isinstance(x, list):
        x.append("spoilt")
    elif isinstance(x, dict):
        x["spoilt"] = len(x)
    elif isinstance(x, np.ndarray):
        x[:1] += 99
    elif isinstance(x, pd.DataFrame):
        x.loc[0, "a"] = "spoilt"

def read(name):
    with open(f"{FOLDER}/{name}") as file:
        return file.read()
'''
_KNOWN: dict[str, Any] = {}
exec(SETUP, _KNOWN)
text = _KNOWN["text"]

NAMES = [f"t{number}" for number in range(12)]
GLOBALS, HELPERS, FILES, FLAGS = ("G0", "G1"), ("h0", "h1", "h2"), ("f0", "f1"), ("FAIL0", "FAIL1")
GLOBAL_VALUES = ("0", "1", "True", "2.0", "'1'", "[1]", "(1,)", "{'a': 1}", "np.arange(2)")
FILE_TEXTS = (None, "a", "b", "cc")
"""None: there is no such file."""
PARAMS = (1, 2, 1.0)
MAKES = ("list", "list", "dict", "array", "frame", "number", "input", "lines")
USES = ("hold", "text", "bucket")


@functools.lru_cache(maxsize=10_000)
def compiled(source: str) -> Any:
    return compile(source, "<cell>", "exec")


@dataclass(frozen=True)
class Code:
    """The code of a task, or of a helper.

    Attributes
    ----------
    terms : tuple of str
        What it puts together.
    comment : int
        Makes no difference.
    inputs : tuple of (str, str)
        Tasks, and how each is used.
    wired : bool
        Whether they come by an operator; else by their names.
    make : str
        The kind of result.
    mutates : bool
        Whether it changes its first input in place.
    flag : str
        It fails while this variable is true.
    error : str
        With this error.
    """

    terms: tuple[str, ...]
    comment: int = 0
    inputs: tuple[tuple[str, str], ...] = ()
    wired: bool = False
    make: str = "list"
    mutates: bool = False
    flag: str = ""
    error: str = "ValueError"


TASK_TERMS = st.sampled_from(["0", "1", "G0", "G1", "h0(1)", "h1(2)", "h2(3)", "read('f0')", "read('f1')", "p"])


@st.composite
def task_code(draw, name: str) -> Code:
    """A task, mostly an ordinary one."""
    number = NAMES.index(name)
    before = st.sampled_from(NAMES[max(0, number - 4) : number]) if number else st.nothing()
    inputs = draw(st.lists(before, max_size=3 if number else 0, unique=True))
    rarely = st.integers(0, 7).map(lambda n: n == 7)
    return Code(
        tuple(draw(st.lists(TASK_TERMS, min_size=1, max_size=2))),
        0,
        tuple((one, draw(st.sampled_from(USES))) for one in inputs),
        draw(st.booleans()),
        draw(st.sampled_from(MAKES)),
        draw(rarely),
        draw(st.sampled_from(["", "", "", *FLAGS])),
        draw(st.sampled_from(["ValueError", "ValueError", "KeyboardInterrupt"])),
    )


@st.composite
def helper_code(draw, name: str) -> Code:
    others = [f"{other}(x)" for other in HELPERS if other < name]
    terms = st.sampled_from(["x", "1", "G0", "G1", "text(x)", "read('f1')", *others, *others])
    return Code(tuple(draw(st.lists(terms, min_size=1, max_size=2))))


@dataclass
class Document:
    """What stands in the notebook, and the files beside it."""

    folder: Path
    tasks: dict[str, Code] = field(default_factory=dict)
    helpers: dict[str, Code] = field(default_factory=lambda: dict.fromkeys(HELPERS, Code(("x",))))
    globals: dict[str, str] = field(
        default_factory=lambda: dict.fromkeys(GLOBALS, "0") | dict.fromkeys(FLAGS, "False")
    )
    files: dict[str, str | None] = field(default_factory=dict)
    param: Any = 1

    def order(self) -> list[str]:
        return [name for name in NAMES if name in self.tasks]

    def inputs(self, name: str) -> list[tuple[str, str]]:
        """The tasks that a task reads, and how; one that changes its input reads no other, which might share it."""
        code = self.tasks[name]
        inputs = [(one, use) for one, use in code.inputs if one in self.tasks]
        return inputs[:1] if code.mutates else inputs

    def readers(self, name: str) -> list[str]:
        return [other for other in self.order() if name in dict(self.inputs(other))]

    def make(self, name: str) -> str:
        """The kind of a task's result: an iterator has one reader at most, and is not handed on."""
        make = self.tasks[name].make
        if make == "lines" and len(self.readers(name)) > 1:
            return "list"
        if make == "input" and (not self.inputs(name) or self.make(self.inputs(name)[0][0]) == "lines"):
            return "list"
        return make

    def parameters(self, name: str) -> list[str]:
        """The names of a task's parameters, but for ``p``."""
        inputs = [one for one, _ in self.inputs(name)]
        return ["abc"[index] for index in range(len(inputs))] if self.tasks[name].wired else inputs

    def body(self, name: str) -> str:
        """A task's own source, less what makes no difference."""
        code, parameters, lines = self.tasks[name], self.parameters(name), []
        uses = [
            (one, how, self.make(before)) for one, (before, how) in zip(parameters, self.inputs(name), strict=True)
        ]
        with_param = [*parameters, "p"] if "p" in code.terms else parameters
        if code.flag:
            lines.append(f"if {code.flag}: raise {code.error}({name!r})")
        lines.append(f"out = [{', '.join(code.terms)}]")
        for one, how, kind in uses:
            is_held = how == "hold" and self.make(name) != "lines"  # nobody could look into an iterator
            shown = (
                f"list({one})" if kind == "lines" else one if is_held else f"{how.replace('hold', 'text')}({one})"
            )
            lines.append(f"out.append({shown})")
        if code.mutates and parameters:
            lines.append(f"spoil({parameters[0]})")
        lines.append(f"return {self._made(name, parameters)}")
        return f"def {name}({', '.join(with_param)}):\n    " + "\n    ".join(lines)

    def _made(self, name: str, parameters: list[str]) -> str:
        return {
            "list": "out",
            "dict": "{'k': out}",
            "array": "np.array([len(text(v)) for v in out])",
            "frame": "pd.DataFrame({'a': [text(v) for v in out]})",
            "number": "len(text(out)) % 3",
            "input": parameters[0] if parameters else "out",
            "lines": "(v for v in out)",
        }[self.make(name)]

    def cells(self) -> dict[str, str]:
        """The cells' sources; what does not change is not among them."""
        cells = {name: f"{name} = {value}" for name, value in self.globals.items()}
        for name, code in self.helpers.items():
            cells[name] = f"def {name}(x):  {'#' * code.comment}\n    return [{', '.join(code.terms)}]"
        for name in self.order():
            cells[name] = f"@task\n{self.body(name)}  {'#' * self.tasks[name].comment}"
        return cells

    def wires(self) -> list[tuple[list[str], str]]:
        """What operators wire."""
        wired = [name for name in self.order() if self.tasks[name].wired]
        return [([one for one, _ in self.inputs(name)], name) for name in wired if self.inputs(name)]

    def write(self, file: str, content: str | None) -> None:
        self.files[file] = content
        path = self.folder / file
        path.unlink(missing_ok=True) if content is None else path.write_text(content)

    def named(self, terms: tuple[str, ...]) -> set[tuple[str, str]]:
        """All that terms name, through helpers, each with its content."""
        found: set[tuple[str, str]] = set()
        for term in terms:
            name = term.partition("(")[0]
            if name in self.globals:
                found.add((name, text(eval(self.globals[name], {"np": _KNOWN["np"]}))))
            elif name in self.helpers:
                found |= {(name, repr(self.helpers[name].terms)), *self.named(self.helpers[name].terms)}
            elif name == "read":
                found.add((term, repr(self.files.get(term[6:8]))))
        return found

    def signature(self, name: str, made: dict[str, Made], param: Any) -> object:
        """All that a task's result depends on: its source, what that names, and what it is given."""
        code = self.tasks[name]
        flag = (code.flag,) if code.flag else ()
        given = tuple(made[one].text for one, _ in self.inputs(name))
        return (
            self.body(name),
            frozenset(self.named((*code.terms, *flag))),
            given,
            repr(param) if "p" in code.terms else "",
        )

    def uncertain(self) -> set[str]:
        """Iterators and their readers: when they run again is the kernel's affair."""
        lines = {name for name in self.tasks if self.make(name) == "lines"}
        return lines | {reader for name in lines for reader in self.readers(name)}

    def shares(self, name: str) -> set[str]:
        """The tasks whose results may share an object with this one's."""
        group, size = {name}, 0
        while size != len(group):
            size = len(group)
            for reader, before in (
                (r, b)
                for r in self.order()
                for b, how in self.inputs(r)
                if how == "hold" or self.make(r) == "input"
            ):
                if {reader, before} & group:
                    group |= {reader, before}
        return group

    def disturbed(self) -> set[str]:
        """Tasks that change an input, those that made it, and those that may have held it then."""
        mutators = [name for name in self.order() if self.tasks[name].mutates and self.inputs(name)]
        found = set(mutators)
        for name in mutators:
            group = self.shares(self.inputs(name)[0][0])
            found |= group | {reader for one in group for reader in self.readers(one)}
        return found

    def after(self, names: set[str]) -> set[str]:
        """These tasks and all that depend on them."""
        found = set(names)
        for name in self.order():
            if found & {one for one, _ in self.inputs(name)}:
                found.add(name)
        return found

    def needed(self, names: list[str]) -> set[str]:
        """These tasks and all that they depend on."""
        found = set(names)
        for name in reversed(self.order()):
            if name in found:
                found |= {one for one, _ in self.inputs(name)}
        return found


def encoded(document: Document) -> dict[str, Any]:
    """A document as JSON has it."""
    return {**asdict(document), "folder": str(document.folder)}


def decoded(data: dict[str, Any]) -> Document:
    """The document again."""
    document = Document(Path(data["folder"]), files=data["files"], globals=data["globals"], param=data["param"])
    for where in ("tasks", "helpers"):
        codes = {name: Code(**code) for name, code in data[where].items()}
        pairs = {
            name: replace(c, terms=tuple(c.terms), inputs=tuple(map(tuple, c.inputs))) for name, c in codes.items()
        }
        setattr(document, where, pairs)
    return document


class Made(NamedTuple):
    """What becomes of a task: its status, and its value or error as text."""

    status: str
    text: str


def outcome(value: Any) -> Made:
    return Made("ok", "lines" if isinstance(value, GeneratorType) else text(value))


def expected(document: Document, param: Any) -> dict[str, Made]:
    """Run everything from scratch, each task with copies of what it reads."""
    functions: dict[str, Any] = {}
    space = {"FOLDER": str(document.folder), "task": lambda fn: functions.setdefault(fn.__name__, fn)}
    for source in (SETUP, *document.cells().values()):
        exec(compiled(source), space)
    values: dict[str, Any] = {}
    made: dict[str, Made] = {}
    for name in document.order():
        inputs = [one for one, _ in document.inputs(name)]
        if any(one not in values for one in inputs):
            made[name] = Made("skipped", "")
            continue
        copies = [v if isinstance(v, GeneratorType) else copy.deepcopy(v) for v in map(values.get, inputs)]
        try:
            values[name] = functions[name](*copies, *([param] if "p" in document.tasks[name].terms else []))
        except BaseException as error:
            made[name] = Made("failed", type(error).__name__)
        else:
            made[name] = outcome(values[name])
    return made


class World:
    """A kernel with a notebook: what was executed there, and its workflow."""

    def __init__(self, cache: Any, folder: Path) -> None:
        self.flow = workflow("f", cache=cache)
        self.tasks: dict[str, Task] = {}
        self.space = {"__name__": "__main__", "FOLDER": str(folder), "task": self._define}
        exec(compiled(SETUP), self.space)
        self.executed: dict[str, str] = {}
        self.latest: dict[str, object] = {}
        self.wires: list[tuple[list[str], str]] = []

    def _define(self, fn):
        self.tasks[fn.__name__] = Task(fn.__name__, fn)
        return self.tasks[fn.__name__]

    def execute(self, cell: str, source: str) -> None:
        exec(compiled(source), self.space)
        self.executed[cell] = source

    def catch_up(self, document: Document) -> None:
        """Execute the cells that were edited, and wire the tasks as the document says."""
        for cell, source in document.cells().items():
            if self.executed.get(cell) != source:
                self.execute(cell, source)
        for gone in [cell for cell in self.executed if cell in NAMES and cell not in document.tasks]:
            del self.executed[gone], self.tasks[gone]
        graph, wires = self.flow.graph, document.wires()
        for befores, after in self.wires:
            graph.unwire((after, tuple(befores)))
        for name, present in list(graph.nodes.items()):
            if name != "p" and self.tasks.get(name) is not present:
                graph.remove(name)
        self.flow.param("p", document.param)
        for name in document.order():
            graph.add(self.tasks[name])
        for befores, after in wires:
            graph.wire([self.tasks[before] for before in befores], [self.tasks[after]])
        self.wires = wires

    def close(self) -> None:
        if self.flow.services.cache is not None:
            self.flow.services.cache.close()

    def run(self, *targets: str, cancel_after: int | None = None, **options: Any) -> Any:
        """Run; cancel after so many tasks have ended."""
        listeners = self.flow.services.listeners
        ended = itertools.count(1)

        def listen(event) -> None:
            if isinstance(event, TaskFinished) and next(ended) == cancel_after:
                event.run.cancel()

        listeners.append(listen)
        try:
            self.flow.run(*targets, **options)
        except KeyboardInterrupt:
            assert cancel_after is not None
        finally:
            listeners.remove(listen)
        assert self.flow.last_run is not None
        return self.flow.last_run


class Ledger:
    """Which results must still be there, and what a run has to look like.

    Parameters
    ----------
    document : Document
    is_small : bool
        Whether there is little room: then only the latest result of each task in a kernel must be there.
    """

    def __init__(self, document: Document, *, is_small: bool) -> None:
        self.document = document
        self.stored: set[tuple[str, object]] = set()
        self.is_small = is_small

    def must_hold(self, world: World, name: str, signature: object) -> bool:
        held = world.latest.get(name) == signature if self.is_small else (name, signature) in self.stored
        return held and name not in self.document.uncertain() | self.document.disturbed()

    def let_go(self, names: set[str], world: World) -> None:
        """Take note that results in memory were changed by somebody."""
        self.stored = {(name, signature) for name, signature in self.stored if name not in names}
        for name in names:
            world.latest.pop(name, None)

    def raced(self, run: Any, notes: dict[str, str]) -> set[str]:
        """Return the tasks of a run whose results a race may have spoiled, as the run says itself."""
        document = self.document
        named = {
            name for name in document.tasks for note in notes.values() if "race" in note and repr(name) in note
        }
        # Through an object in two results, two tasks at once changed what each was handed: the run says so itself.
        for note in run.notes:
            if "while they ran side by side" in note:
                named |= set(note.partition(":")[0].split(", ")) & document.tasks.keys()
        # What a task was handed may hold what another one changes, without being it: that is told of each alone.
        victims = {
            name
            for name, code in document.tasks.items()
            if "changed in place" in notes.get(name, "") and not code.mutates
        }
        return document.after(named | victims)

    def check(
        self, world: World, run: Any, made: dict[str, Made], param: Any, forced: set[str], *, is_cancelled: bool
    ) -> None:
        """Compare a run with what it must be, and take note of what it made."""
        document = self.document
        notes = {name: record.note for name, record in run.records.items()}
        raced = self.raced(run, notes)
        for name, record in run.records.items():
            if name == "p":
                assert is_cancelled or repr(run.results["p"]) == repr(param)
                continue
            status = str(record.status)
            if status == "cancelled":
                assert is_cancelled, told(run, name, made)
            elif name not in raced:
                assert status in WORDS[made[name].status], told(run, name, made)
                not_made_again = is_cancelled and name in document.disturbed()
                if not (
                    not_made_again
                    or document.make(name) == "lines"
                    or (self.is_small and status == "cached" and was_evicted(run, name))
                ):
                    assert seen(run, name, status) == made[name].text, told(run, name, made)
        for name, record in run.records.items():
            if name == "p" or not record.status.is_success:
                continue
            signature = document.signature(name, made, param)
            if str(record.status) == "succeeded" and name not in forced | raced:
                assert not self.must_hold(world, name, signature), "ran for nothing: " + told(run, name, made)
            if name not in raced | document.disturbed():
                self.stored.add((name, signature))
                world.latest[name] = signature
            else:
                world.latest.pop(name, None)  # what it made now may be kept in place of that


WORDS = {"ok": ("succeeded", "cached"), "failed": ("failed",), "skipped": ("skipped",)}


def seen(run: Any, name: str, status: str) -> str:
    """What became of a task in a run, as text."""
    if status == "failed":
        return type(run.errors[name]).__name__
    return outcome(run.results[name]).text if status != "skipped" else ""


def was_evicted(run: Any, name: str) -> bool:
    """Whether a reused result is no longer there when somebody asks for it after the run."""
    try:
        run.results[name]
    except LostError:
        return str(run.records[name].status) == "cached"
    return False


def told(run: Any, name: str, made: dict[str, Made]) -> str:
    """What there is to say of a task that is not as it must be."""
    record = run.records[name]
    lines = [f"{name}: expected {made[name]}, was {record.status}", *map(str, record.reasons)]
    if record.produced is not None:
        with suppress(LostError):
            lines.append(outcome(record.produced.value).text)
    if record.error is not None:
        lines.append(repr(record.error))
    lines += [f"{other}: {r.status} {r.note}" for other, r in run.records.items()]
    return "\n".join([*lines, *run.notes])
