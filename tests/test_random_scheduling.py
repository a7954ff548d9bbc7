"""Random graphs, with failures, retries, conditions, iterations, new tasks and policies: what may run, runs, once."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graflow_nb import Task, TaskError, at_least, context, critical, workflow

POLICIES = ("strict", "best_effort", "at_least", "critical")


@dataclass(frozen=True)
class Spec:
    """How a task behaves."""

    befores: tuple[int, ...]
    failing: int = 0
    retries: int = 0
    wanted: bool | None = None
    cycles: int = 1
    new: str = ""
    is_coroutine: bool = False
    mapped: int = -1


@st.composite
def specs(draw):
    count = draw(st.integers(1, 8), label="tasks")
    made = []
    for i in range(count):
        befores = draw(st.lists(st.integers(0, i - 1), unique=True, max_size=3)) if i else []
        kind = draw(st.sampled_from(["plain", "plain", "fails", "condition", "cycles", "new", "map"]))
        options = {"is_coroutine": draw(st.booleans())}
        if kind == "fails":
            options |= {"failing": draw(st.integers(1, 3)), "retries": draw(st.integers(0, 3))}
        elif kind == "condition":
            options["wanted"] = draw(st.booleans())
        elif kind == "cycles":
            options["cycles"] = draw(st.integers(2, 4))
        elif kind == "new":
            options["new"] = draw(st.sampled_from(["good", "bad"]))
        elif kind == "map":
            options["mapped"] = draw(st.integers(0, 3))
        made.append(Spec(tuple(befores), **options))
    groups = []
    free = [i for i, spec in enumerate(made) if spec.mapped < 0]
    while len(free) > 1 and draw(st.booleans(), label="another group"):
        members = draw(st.lists(st.sampled_from(free), unique=True, min_size=2, max_size=3))
        free = [i for i in free if i not in members]
        groups.append((tuple(members), draw(st.sampled_from(POLICIES))))
    return made, groups


class World:
    """A flow made of specs, and what is expected of it."""

    def __init__(self, made, groups):
        self.made, self.groups = made, groups
        self.log = []
        self._lock = threading.Lock()
        with workflow("random") as self.flow:
            self.tasks = [self.task(i, spec) for i, spec in enumerate(made)]
            for i, spec in enumerate(made):
                for before in spec.befores:
                    _ = self.tasks[before] >> self.tasks[i]
            for number, (members, policy) in enumerate(groups):
                first, *rest = (self.tasks[i] for i in members)
                group = first | rest[0]
                for more in rest[1:]:
                    group |= more
                known = {"at_least": at_least(1), "critical": critical(first)}.get(policy, policy)
                _ = group.with_policy(known, name=f"g{number}") >> Task(
                    f"after{number}", self.noting(f"after{number}")
                )

    def note(self, name, what):
        with self._lock:
            self.log.append((name, what))

    def noting(self, name, fn=lambda: None):
        def call():
            self.note(name, "start")
            try:
                fn()
            finally:
                self.note(name, "end")

        return call

    def task(self, i, spec):
        name = f"t{i}"
        calls = []

        def act():
            calls.append(1)
            if spec.new:
                new = self.noting(f"new{i}", (lambda: 1 / 0) if spec.new == "bad" else lambda: None)
                context.next_task(Task(f"new{i}", new))
            if context.cycle_count < spec.cycles:
                context.next_iteration()
            if spec.failing and (len(calls) - 1) % (spec.retries + 1) < spec.failing:
                raise ValueError(name)

        call = self.noting(name, act)
        if spec.mapped >= 0:
            template = Task(f"each{i}", lambda item: self.noting(f"{name}[{item}]")())
            return template.map(range(spec.mapped), name=name)

        async def acall():
            call()

        wanted = None if spec.wanted is None else lambda: spec.wanted
        return Task(
            name,
            acall if spec.is_coroutine else call,
            retries=spec.retries,
            retry_delay=0,
            when=wanted,
            max_cycles=9,
        )

    def expected(self):
        """Return the statuses, the numbers of calls, and the tasks whose failure a group goes on without."""
        status, calls = {}, {}
        for i, spec in enumerate(self.made):
            name, before = f"t{i}", [status[f"t{b}"] for b in spec.befores]
            blocked = [f"new{b}" for b in spec.befores if status.get(f"new{b}") == "failed"]
            if blocked or any(s in {"failed", "lost"} for s in before):
                status[name] = "lost"
            elif (before and all(s == "skipped" for s in before)) or spec.wanted is False:
                status[name] = "skipped"
            else:
                is_good = spec.failing <= spec.retries
                status[name] = "succeeded" if is_good else "failed"
                if spec.mapped < 0:
                    calls[name] = spec.cycles if not spec.failing else min(spec.failing, spec.retries) + 1
                else:
                    for item in range(spec.mapped):
                        status[f"{name}[{item}]"], calls[f"{name}[{item}]"] = "succeeded", 1
                if spec.new:
                    status[f"new{i}"] = "succeeded" if spec.new == "good" else "failed"
                    calls[f"new{i}"] = 1
        tolerated = set()
        for number, (members, policy) in enumerate(self.groups):
            states = {f"t{i}": status[f"t{i}"] for i in members}
            parts = {name: s for name, s in states.items() if s != "skipped"}
            good = [name for name, s in parts.items() if s == "succeeded"]
            goes_on = {
                "strict": len(good) == len(parts),
                "best_effort": True,
                "at_least": len(good) >= 1,
                "critical": parts.get(f"t{members[0]}", "succeeded") == "succeeded",
            }[policy]
            state = "skipped" if not parts else "succeeded" if goes_on else "failed"
            status[f"g{number}"] = state
            status[f"after{number}"] = {"failed": "lost"}.get(state, state)
            if state == "succeeded":
                calls[f"after{number}"] = 1
                tolerated |= set(parts)
        return {name: "skipped" if s == "lost" else s for name, s in status.items()}, calls, tolerated

    def check_order(self, run):
        first = {name: self.log.index((name, "start")) for name, what in self.log if what == "start"}
        last = {name: i for i, (name, what) in enumerate(self.log) if what == "end"}
        befores = run.parents

        def ended(name):
            """What a task waits for that was called; composites stand for what they wait for."""
            for before in befores[name]:
                if before in last:
                    yield before
                elif run.records[before].task.is_composite and run.records[before].status.is_success:
                    yield from ended(before)

        for name, start in first.items():
            assert all(last[before] < start for before in ended(name)), (name, self.log)

    def check_calls(self, calls, *, is_all):
        seen = {}
        for name, what in self.log:
            seen[name] = seen.get(name, 0) + (what == "start")
        assert not [name for name in seen if seen[name] > calls.get(name, 0)], (seen, calls)
        if is_all:
            assert seen == calls


@given(drawn=specs(), way=st.sampled_from(["run", "arun", "execute"]), workers=st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_what_may_run_runs_once_after_all_it_waits_for(drawn, way, workers):
    world = World(*drawn)
    statuses, calls, tolerated = world.expected()
    failed = {name for name, s in statuses.items() if s == "failed"} - tolerated
    if way == "execute":
        if failed:
            with pytest.raises(TaskError):
                world.flow.execute()
        else:
            world.flow.execute()
        run = world.flow.last_run
    elif way == "arun":
        run = asyncio.run(world.flow.arun(workers=workers))
    else:
        run = world.flow.run(workers=workers)
    is_all = way != "execute" or not failed
    seen = {name: str(status) for name, status in run.statuses.items()}
    assert all(status.is_final for status in run.statuses.values())
    world.check_calls(calls, is_all=is_all)
    world.check_order(run)
    if is_all:
        assert seen == statuses
        assert run.ok is (not failed)
    else:
        assert {name for name, s in seen.items() if s == "succeeded"} <= {
            name for name, s in statuses.items() if s == "succeeded"
        }
    assert not [name for name, _ in world.log if name not in run.records]
