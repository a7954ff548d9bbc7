"""Whatever is edited: a run gives what running everything from scratch gives, and runs nothing for nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from worlds import (
    FILE_TEXTS,
    FILES,
    FLAGS,
    GLOBAL_VALUES,
    GLOBALS,
    HELPERS,
    NAMES,
    PARAMS,
    Document,
    Ledger,
    World,
    encoded,
    expected,
    helper_code,
    stateful,
    task_code,
)

from graflow_nb import LostError
from graflow_nb.incremental.store.store import Store

HERE = Path(__file__).parent
SMALL = 4_000
"""Bytes that little room is."""


class Edits(RuleBasedStateMachine):
    """A notebook that is edited and run; what differs is where results are kept."""

    is_small = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.document = Document(self.folder)
        self.ledger = Ledger(self.document, is_small=self.is_small)
        self.worlds = [self.new_world()]
        self.world = self.worlds[0]

    def new_world(self) -> World:
        return World("memory", self.folder)

    def teardown(self) -> None:
        for world in self.worlds:
            world.close()
        shutil.rmtree(self.folder)

    # -- edits

    @initialize(data=st.data(), size=st.integers(1, len(NAMES)))
    def write(self, data, size):
        for file in FILES:
            self.document.write(file, "a")
        for name in NAMES[:size]:
            self.document.tasks[name] = data.draw(task_code(name), label=name)

    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def edit_task(self, data, name):
        self.document.tasks[name] = data.draw(task_code(name), label=name)

    @rule(data=st.data())
    @precondition(lambda self: self.document.tasks)
    def rewire(self, data):
        name = data.draw(st.sampled_from(self.document.order()), label="task")
        other = data.draw(task_code(name), label="wiring")
        self.document.tasks[name] = replace(self.document.tasks[name], inputs=other.inputs, wired=other.wired)

    @rule(data=st.data())
    @precondition(lambda self: len(self.document.tasks) > 1)
    def remove_task(self, data):
        del self.document.tasks[data.draw(st.sampled_from(self.document.order()), label="task")]

    @rule(data=st.data(), name=st.sampled_from(HELPERS))
    def edit_helper(self, data, name):
        self.document.helpers[name] = data.draw(helper_code(name), label=name)

    @rule(data=st.data())
    def comment(self, data):
        """An edit that makes no difference."""
        codes = data.draw(st.sampled_from([self.document.helpers, self.document.tasks]), label="where")
        for name in list(codes):
            codes[name] = replace(codes[name], comment=codes[name].comment + 1)

    @rule(name=st.sampled_from(GLOBALS), value=st.sampled_from(GLOBAL_VALUES))
    def edit_global(self, name, value):
        self.document.globals[name] = value

    @rule(name=st.sampled_from(FLAGS), value=st.booleans())
    def fail(self, name, value):
        self.document.globals[name] = str(value)

    @rule(name=st.sampled_from(GLOBALS))
    @precondition(lambda self: any(self.document.globals[name].startswith("[") for name in GLOBALS))
    def append_to_global(self, name):
        """A plain cell that changes a variable in place; nobody executes its old cell again."""
        value = self.document.globals[name]
        if value.startswith("["):
            self.world.catch_up(self.document)
            self.document.globals[name] = f"{value[:-1]}, 7]"
            self.world.execute(name, f"{name}.append(7)")
            self.world.executed[name] = self.document.cells()[name]

    @rule(name=st.sampled_from(FILES), content=st.sampled_from(FILE_TEXTS))
    def edit_file(self, name, content):
        self.document.write(name, content)

    @rule(value=st.sampled_from(PARAMS))
    def set_param(self, value):
        self.document.param = value

    @rule(data=st.data())
    @precondition(lambda self: self.document.tasks)
    def execute_again(self, data):
        """Execute a cell once more that was not edited."""
        self.world.catch_up(self.document)
        cell = data.draw(st.sampled_from(sorted(self.world.executed)), label="cell")
        self.world.execute(cell, self.world.executed[cell])

    @rule(name=st.sampled_from(NAMES))
    def spoil_result(self, name):
        """A plain cell that changes a result in place; which results there are is a matter of time after a race."""
        task = self.world.tasks.get(name)
        if task is not None and task.record is not None and task.record.produced is not None:
            with suppress(LostError):
                self.world.space["spoil"](task.result)
                self.ledger.let_go(self.document.tasks.keys(), self.world)

    # -- runs

    def check_run(self, targets=(), forced=frozenset(), param=None, **options):
        document, world = self.document, self.world
        param = document.param if param is None else param
        world.catch_up(document)
        made = expected(document, param)
        run = world.run(*targets, **options)
        assert set(run.records) - {"p"} == document.needed(list(targets) or document.order())
        is_cancelled = options.get("cancel_after") is not None
        try:
            self.ledger.check(world, run, made, param, set(forced), is_cancelled=is_cancelled)
        except AssertionError as error:
            error.add_note("\n".join(document.cells().values()))
            raise

    @rule(workers=st.sampled_from([1, 1, 4]))
    @precondition(lambda self: self.document.tasks)
    def run(self, workers):
        self.check_run(workers=workers)

    @rule(data=st.data())
    @precondition(lambda self: self.document.tasks)
    def run_targets(self, data):
        names = st.lists(st.sampled_from(self.document.order()), min_size=1, max_size=2, unique=True)
        self.check_run(data.draw(names, label="targets"))

    @rule(data=st.data())
    @precondition(lambda self: self.document.tasks)
    def run_by_force(self, data):
        forced = data.draw(st.sets(st.sampled_from(self.document.order()), max_size=2), label="forced")
        self.check_run(force=sorted(forced), forced=forced)

    @rule(value=st.sampled_from(PARAMS))
    @precondition(lambda self: self.document.tasks)
    def run_with_another_param(self, value):
        self.check_run(set={"p": value}, param=value)

    @rule(count=st.integers(1, 6), workers=st.sampled_from([1, 4]))
    @precondition(lambda self: self.document.tasks)
    def interrupt(self, count, workers):
        self.check_run(cancel_after=count, workers=workers)

    @rule()
    def restart(self):
        self.world.close()
        self.worlds.remove(self.world)
        self.ledger.stored.clear()
        self.world = self.new_world()
        self.worlds.append(self.world)


class SmallMemory(Edits):
    """As little as can be is kept beside the latest of each task."""

    is_small = True

    def new_world(self) -> World:
        world = World("memory", self.folder)
        world.flow.services.cache.store = Store(limit=0)
        return world


class Disk(Edits):
    """Results that outlive the kernel, and a second kernel beside it."""

    limit = 2**30

    def new_world(self) -> World:
        world = World(self.folder / "store", self.folder)
        world.flow.services.cache.store.disk.limit = self.limit
        return world

    @rule()
    def restart(self):
        self.world.close()
        self.worlds.remove(self.world)
        self.world = self.new_world()
        self.worlds.append(self.world)

    @rule()
    def second_kernel(self):
        """The other kernel takes over; the first stays as it is until it has its turn again."""
        if len(self.worlds) == 1:
            self.worlds.append(self.new_world())
        self.world = next(world for world in self.worlds if world is not self.world)


class SmallDisk(Disk):
    """Most of what is kept is evicted soon."""

    is_small = True
    limit = SMALL


class Process:
    """A process that answers with what becomes of notebooks, each in a fork of its own."""

    def __init__(self, seed: int) -> None:
        environment = {
            **os.environ,
            "PYTHONHASHSEED": str(seed),
            "PYTHONPATH": os.pathsep.join(map(str, (HERE.parent, HERE))),
        }
        command = [sys.executable, str(HERE / "evaluate.py")]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )

    def ask(self, document: Document, cache: Path | str) -> dict[str, list[str]]:
        request = {"document": encoded(document), "cache": str(cache), "workers": 1}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@pytest.fixture(scope="module")
def processes():
    pair = Process(1), Process(2)
    yield pair
    for process in pair:
        process.close()


class Fresh(Edits):
    """Each run is that of another process, with the results of those before it on disk."""

    processes: ClassVar[tuple[Process, ...]] = ()

    def check_run(self, targets=(), forced=frozenset(), param=None, **options):
        if targets or forced or param is not None or "cancel_after" in options:
            return
        document, ledger = self.document, self.ledger
        self.turn = not getattr(self, "turn", False)
        incremental = self.processes[self.turn].ask(document, self.folder / "store")
        scratch = self.processes[not self.turn].ask(document, "off")
        made = expected(document, document.param)
        disturbed = document.after(document.disturbed())
        for name in made.keys() - disturbed:
            assert incremental[name][1] == scratch[name][1] == made[name].text, (name, incremental, scratch, made)
            if made[name].status == "ok":
                signature = document.signature(name, made, document.param)
                if incremental[name][0] == "succeeded":
                    assert (name, signature) not in ledger.stored or name in document.uncertain(), (
                        name,
                        incremental,
                    )
                ledger.stored.add((name, signature))

    @rule()
    def restart(self):
        """Every run is one."""

    @rule()
    def spoil_result(self):
        """There is nobody who could."""


def test_fresh_processes(processes):
    Fresh.processes = processes
    run_state_machine_as_test(Fresh, settings=stateful(50, steps=8))


TestMemory = Edits.TestCase
TestMemory.settings = stateful(700)
TestSmallMemory = SmallMemory.TestCase
TestSmallMemory.settings = stateful(100)
TestDisk = Disk.TestCase
TestDisk.settings = stateful(150)
TestSmallDisk = SmallDisk.TestCase
TestSmallDisk.settings = stateful(50)
