"""Random workflows of steps give what a model of a few lines says they must."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from graflow_nb.steps import ConditionalStep, LoopStep, ParallelStep, ToolStep, create_workflow
from graflow_nb.steps.parallel import POLICIES

LEAF = st.fixed_dictionaries(
    {"kind": st.just("tool"), "what": st.sampled_from(["ok", "fail", "skip"]), "is_async": st.booleans()}
)


def trees(inner):
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.fixed_dictionaries({
            "kind": st.just("parallel"), "steps": several, "policy": st.sampled_from(POLICIES),
            "minimum": st.none() | st.integers(0, 1),
        }),
        st.fixed_dictionaries({"kind": st.just("if"), "is_true": st.booleans(), "yes": inner, "no": st.none() | inner}),
        st.fixed_dictionaries({"kind": st.just("loop"), "step": inner, "times": st.integers(1, 2)}),
    )  # fmt: skip


TREES = st.recursive(LEAF, trees, max_leaves=6)


class Failed(Exception):
    pass


def made(tree, name):
    """Return a tree as a step."""
    if tree["kind"] == "tool":
        return tool(tree, name)
    if tree["kind"] == "parallel":
        steps = [made(step, f"{name}{number}") for number, step in enumerate(tree["steps"])]
        step = ParallelStep(name, steps).with_failure_policy(tree["policy"])
        return step if tree["minimum"] is None else step.with_minimum_success_count(tree["minimum"])
    if tree["kind"] == "if":
        no = made(tree["no"], f"{name}n") if tree["no"] else None
        return ConditionalStep(name, lambda state: tree["is_true"], made(tree["yes"], f"{name}y"), no)
    return LoopStep(name, made(tree["step"], f"{name}l"), max_iterations=tree["times"])


def tool(tree, name):
    def plain():
        if tree["what"] == "fail":
            raise Failed(name)
        return {f"by_{name}": name}

    async def awaited():
        await asyncio.sleep(0)
        return plain()

    step = ToolStep(name, awaited if tree["is_async"] else plain)
    return step.add_condition(lambda state: False) if tree["what"] == "skip" else step


SKIPPED = object()


def expected(tree, name, state):
    """Return what a tree's step returns, and let it write to the state; raise if it fails."""
    if tree["kind"] == "tool":
        if tree["what"] == "fail":
            raise Failed(name)
        if tree["what"] == "skip":
            return SKIPPED
        output = {f"by_{name}": name}
        state.update(output)
    elif tree["kind"] == "parallel":
        output = all_expected(tree, name, state)
    elif tree["kind"] == "if":
        taken, suffix = (tree["yes"], "y") if tree["is_true"] else (tree["no"], "n")
        found = expected(taken, name + suffix, state) if taken else None
        output = None if found is SKIPPED else found
    else:
        found = [expected(tree["step"], f"{name}l", state) for _ in range(tree["times"])]
        output = [None if one is SKIPPED else one for one in found]
    state[f"step_{name}_result"] = output
    return output


def all_expected(tree, name, state):
    output, failed = {}, 0
    for number, step in enumerate(tree["steps"]):
        branch = {}
        try:
            found = expected(step, f"{name}{number}", branch)
        except Failed:
            failed += 1
            continue
        state.update(branch)
        if found is not SKIPPED:
            output[f"{name}{number}"] = found
    needed = tree["minimum"]
    if needed is None:
        needed = int(tree["policy"] == "continue_on_partial_failure" and failed > 0)
    if (failed and tree["policy"] in {"fail_on_any", "fail_fast"}) or len(output) < needed:
        raise Failed(name)
    return output


@settings(max_examples=150)
@given(st.lists(TREES, min_size=1, max_size=3))
def test_random_workflows(trees):
    flow = create_workflow("w", steps=[made(tree, f"s{number}") for number, tree in enumerate(trees)])
    result = asyncio.run(flow.execute())
    state, done = {}, 0
    try:
        for number, tree in enumerate(trees):
            before = dict(state)
            expected(tree, f"s{number}", state)
            done += 1
    except Failed:
        state = before
    assert result.success is (done == len(trees)), result.error
    assert result.steps_completed == done
    assert dict(result.context) == state
    assert not {"running", "pending"} & {str(step.status) for step in result.all_steps}
    assert result.success or result.error
