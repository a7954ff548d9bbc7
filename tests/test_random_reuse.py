"""Random flows with channels, conditions, maps, iterations, policies and nested flows, under random edits.

An incremental run gives what running everything from scratch gives, and a second one runs nothing.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from textwrap import dedent, indent

import pytest
from again import channel_of, ran
from hypothesis import example, given, settings
from hypothesis import strategies as st

from graflow_nb import Failure, Task, context, workflow

CONSTANTS = ["c0", "c1", "c2"]
HELPERS = {"h0": ["x + 1", "x * 2", "x + c0", "x // 2"], "h1": ["h0(x) + 3", "x - c1", "x"]}
KINDS = [
    "plain", "plain", "write", "append", "read", "condition", "list", "map", "map", "filtered", "iterate", "next",
    "nested", "fails", "result", "back",
]  # fmt: skip

WRITING = {"write", "append", "iterate", "next"}


def num(value):
    """Return a number for whatever a task may have made."""
    if isinstance(value, Failure):
        return -7
    return sum(map(num, value)) if isinstance(value, list | tuple) else int(value or 0)


@st.composite
def flows(draw):
    """Return what a flow is made of: for each node its kind, what is before it, a constant and a helper."""
    nodes = []
    for i in range(draw(st.integers(2, 7), label="nodes")):
        befores = draw(st.lists(st.integers(0, i - 1), unique=True, min_size=1, max_size=2)) if i else []
        kind = draw(st.sampled_from(KINDS)) if i else "plain"
        nodes.append((kind, tuple(befores), draw(st.sampled_from(CONSTANTS)), draw(st.sampled_from([*HELPERS]))))
    if any(kind == "back" for kind, *_ in nodes):  # how often what is beside a loop writes is a matter of time
        nodes = [("plain" if kind in WRITING else kind, *more) for kind, *more in nodes]
        nodes = one_after_the_other(nodes)
    group = draw(st.lists(st.integers(0, len(nodes) - 1), unique=True, min_size=2, max_size=3))
    policy = draw(st.sampled_from([None, "best_effort", "strict"]))
    return nodes, tuple(group), policy


def one_after_the_other(nodes):
    """Return the nodes without those that jump back beside another that does: they count their rounds, too."""
    kept, before = [], []
    for i, (kind, befores, *more) in enumerate(nodes):
        before.append(set(befores).union(*(before[b] for b in befores)))
        jumping = {n for n, (other, *_) in enumerate(kept) if other == "back"}
        kept.append(("plain" if kind == "back" and not jumping <= before[i] else kind, befores, *more))
    return kept


EDITS = st.one_of(
    st.tuples(st.sampled_from(CONSTANTS), st.integers(0, 4)),
    st.sampled_from([(name, body) for name, bodies in HELPERS.items() for body in bodies]),
    st.just(("restart", 0)),
    st.tuples(st.just("channel"), st.integers(0, 2)),
)


class Code:
    """The module-level names of a flow: constants and helpers."""

    def __init__(self):
        self.space = {
            "num": num,
            "context": context,
            "Task": Task,
            "c0": 1,
            "c1": 2,
            "c2": 3,
            "__name__": "__main__",
        }
        for name, bodies in HELPERS.items():
            self.edit(name, bodies[0])

    def edit(self, name, what):
        if name in HELPERS:
            exec(f"def {name}(x): return {what}", self.space)
        else:
            self.space[name] = what

    def function(self, name, parameters, body):
        exec(f"def {name}({parameters}):\n{indent(dedent(body), '    ')}", self.space)
        return self.space.pop(name)


def build(code, drawn, cache):
    nodes, group, policy = drawn
    with workflow("random", cache=cache, channel={"base": 0}) as flow:
        tasks = [add(code, flow, i, *node) for i, node in enumerate(nodes)]
        for i, (_, befores, *_) in enumerate(nodes):
            for before in befores:
                _ = tasks[before] >> tasks[i]
        if policy is not None:
            first, *rest = (tasks[i] for i in group)
            together = first | rest[0]
            for more in rest[1:]:
                together |= more
            _ = together.with_policy(policy, name="g") >> Task("after", lambda g: num(g))
    return flow


def add(code, flow, i, kind, befores, constant, helper):  # noqa: C901 - a kind a line
    """Add a node; its parameters have defaults, so that it runs if any input is there."""
    name, ins = f"t{i}", [f"t{before}" for before in befores]
    parameters = ", ".join(f"{before}=None" for before in ins)
    value = f"{helper}({constant} + num([{', '.join(ins)}]))"

    def make(body, parameters=parameters, name=name, **options):
        return Task(name, code.function(name, parameters, body), **options)

    if kind == "write":
        return make(f"v = {value}\ncontext.get_channel().set('k{i % 3}', v)\nreturn v % 3")
    if kind == "append":
        return make(f"v = {value}\ncontext.get_channel().append('list{i}', v)\nreturn v % 2")
    if kind == "read":
        return make(
            f"return [{value}, context.get_channel().get('base', 9), context.get_channel().get('list1', [])]"
        )
    if kind == "condition":
        when = code.function("when", parameters, f"return ({value}) % 2 == 0")
        return make(f"return {value}", when=when)
    if kind == "list":
        return make(f"return list(range(({value}) % 4))")
    if kind in {"map", "filtered"}:
        when = {"when": code.function("when", "x", f"return x != {constant}")} if kind == "filtered" else {}
        template = make(f"return {helper}(x) + {constant}", "x", f"each{i}", **when)
        items = make(f"return [n % 5 for n in range(({value}) % 4)]", name=f"items{i}")
        for before in ins:
            _ = flow[before] >> items
        return template.map(items, name=name)
    if kind == "iterate":
        body = f"""
            n = num([{", ".join(ins)}]) % 3 if n is None else n
            context.get_channel().append('seen{i}', (n, {constant}))
            if n < 3:
                context.next_iteration(n + 1)
            return {helper}(n)
        """
        return make(body, ", ".join(["n=None", *filter(None, [parameters])]))
    if kind == "next":
        new = code.function(f"new{i}", "", f"return {helper}({constant})")
        code.space[f"new{i}"] = new
        return make(f"v = {value}\nif v % 2: context.next_task(Task('n{i}', new{i}))\nreturn v")
    if kind == "nested":
        with workflow(name) as inner:
            Task("a", code.function("a", "x", f"return {helper}(num(x) + {constant})"))
            Task("b", code.function("b", "a", "return a % 3"), when=code.function("when", "a", "return a % 2"))
            Task("c", code.function("c", "a, b=5", f"return [a, b, {constant}]"))
        return inner.as_task(name, x=flow[ins[0]])
    if kind == "fails":
        return make(f"v = {value}\nif v % 3 == 0: raise ValueError(v)\nreturn v")
    if kind == "result":
        return make(f"return [num(context.get_result('{ins[0]}', 4)), {constant}]")
    if kind == "back":
        body = f"""
            channel = context.get_channel()
            rounds = channel.get('rounds{i}', 0)
            channel.set('rounds{i}', rounds + 1)
            if rounds < {constant} % 3: context.next_task('{ins[0]}')
            return {value} + rounds
        """
        return make(body)
    return make(f"return {value}")


def plainly(value):
    if isinstance(value, Failure):
        return repr(value)
    return [plainly(one) for one in value] if isinstance(value, list) else value


def came(run):
    """Return all that came of a run, but not whether it was reused."""
    statuses = {n: "good" if s.is_success else str(s) for n, s in run.statuses.items()}
    return statuses, {n: plainly(v) for n, v in run.results.items()}, channel_of(run), sorted(run.parents)


# A jump back while a map with conditions goes on: what was skipped of it stays so.
BESIDE_A_LOOP = [
    ("plain", (), "c0", "h0"),
    ("back", (0,), "c0", "h0"),
    ("filtered", (0,), "c1", "h1"),
    ("plain", (0,), "c0", "h0"),
]


@example((BESIDE_A_LOOP, (0, 1), None), [("h0", "x * 2"), ("h0", "x + c0"), ("c0", 2)], "memory")
@given(drawn=flows(), edits=st.lists(EDITS, max_size=5), where=st.sampled_from(["memory", "memory", "disk"]))
@settings(max_examples=80, deadline=None)
def test_incremental_equals_from_scratch(drawn, edits, where):
    with ExitStack() as stack:
        cache = stack.enter_context(tempfile.TemporaryDirectory()) if where == "disk" else None
        code = Code()
        flow, channel = build(code, drawn, cache), {}
        for name, what in [("restart", 0), *edits]:
            if name == "channel":
                channel = {"base": what}
            elif name != "restart":
                code.edit(name, what)
            elif where == "disk":
                flow.services.cache.close()
                flow = build(code, drawn, cache)
            incremental = flow.run(channel=channel, workers=1)
            scratch = build(code, drawn, "off").run(channel=channel, workers=1)
            assert came(incremental) == came(scratch)
            if where == "memory":
                second = flow.run(channel=channel, workers=1)
                assert came(second) == came(scratch)
                failing = {name for name, status in second.statuses.items() if str(status) == "failed"}
                assert set(ran(second)) <= failing, [
                    (name, *map(str, second.records[name].reasons)) for name in ran(second)
                ]
                if not channel and not failing:
                    assert not flow.stale(flow.plan())
        if flow.services.cache is not None:
            flow.services.cache.close()


def test_the_comparison_is_not_vacuous():
    code = Code()
    drawn = ([("plain", (), "c0", "h0"), ("map", (0,), "c1", "h1")], (0, 1), "best_effort")
    flow = build(code, drawn, None)
    before = came(flow.run())
    code.edit("c1", 9)
    with pytest.raises(AssertionError):
        assert came(flow.run()) == before
