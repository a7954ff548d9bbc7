"""The laws of composition, on random expressions in every spelling there is."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graflow_nb import Task, chain, parallel, workflow
from graflow_nb.core.errors import CycleError
from graflow_nb.core.policy import best_effort

# An expression is a number (a task) or a tuple: an operator or a call, and what it is of.
INFIX = [">", "<", "|", "[>", ">[", "[<", "<[", "[|", "|["]  # "[": a list instead of an expression
CALLS = ["chain", "parallel", "policy"]


def _grown(inner):
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.sampled_from([">", "<", "|"]), inner, inner),
        st.tuples(st.sampled_from(["[>", "[<", "[|"]), several, inner),
        st.tuples(st.sampled_from([">[", "<[", "|["]), inner, several),
        st.tuples(st.sampled_from(CALLS), several),
    )


EXPRESSIONS = st.recursive(st.just(0), _grown, max_leaves=9)
PLAIN = st.recursive(st.integers(0, 4), lambda inner: st.tuples(st.sampled_from(">|"), inner, inner), max_leaves=5)


class World:
    """Tasks by number, made when they are first named; and the edges, roots and leaves by definition alone."""

    def __init__(self, log=None):
        self.count = 0
        self.tasks = {}
        self.log = [] if log is None else log

    def number(self, tree):
        """Return the expression with a number of its own for each task."""
        if isinstance(tree, int):
            self.count += 1
            return self.count
        if isinstance(tree, list):
            return [self.number(part) for part in tree]
        return (tree[0], *map(self.number, tree[1:]))

    def task(self, number):
        if number not in self.tasks:
            name = f"t{number}"
            self.tasks[number] = Task(name, lambda: self.log.append(name))
        return self.tasks[number]

    def build(self, tree):
        if isinstance(tree, int):
            return self.task(tree)
        if isinstance(tree, list):
            return [self.build(part) for part in tree]
        word, parts = tree[0], [self.build(part) for part in tree[1:]]
        if word == "policy":
            return parallel(*parts[0]).with_policy(best_effort)
        if word in {"chain", "parallel"}:
            return {"chain": chain, "parallel": parallel}[word](*parts[0])
        left, right = parts
        operator = word.strip("[")
        return left >> right if operator == ">" else left << right if operator == "<" else left | right


def meaning(tree):
    """Return roots, leaves and edges of an expression, by their definition; a policy's node is "n" and its members."""
    if isinstance(tree, int):
        return {f"t{tree}"}, {f"t{tree}"}, set()
    if isinstance(tree, list):
        return beside(map(meaning, tree))
    word, parts = tree[0], tree[1:]
    if word in {"chain", "parallel", "policy"}:
        inner = [*map(meaning, parts[0])]
        if word == "chain":
            return reduce(before, inner)
        roots, leaves, edges = beside(inner)
        if word == "parallel":
            return roots, leaves, edges
        node = ("node", *sorted(leaves, key=repr))
        return roots, {node}, edges | {(leaf, node) for leaf in leaves}
    left, right = map(meaning, parts)
    operator = word.strip("[")
    if operator == "|":
        return beside([left, right])
    return before(left, right) if operator == ">" else before(right, left)


def beside(inner):
    roots, leaves, edges = zip(*inner, strict=True)
    return set().union(*roots), set().union(*leaves), set().union(*edges)


def before(left, right):
    joined = {(leaf, root) for leaf in left[1] for root in right[0]}
    return left[0], right[1], left[2] | right[2] | joined


def drawn(tree, world=None):
    """Return roots, leaves and edges of an expression, as they are built."""
    world = world or World()
    with workflow("f") as flow:
        built = world.build(tree)
        built = parallel(*built) if isinstance(built, list) else built

    def named(name):
        members = flow.graph[name].members
        return ("node", *sorted((named(member) for member in members), key=repr)) if members else name

    return (
        {named(task.name) for task in built.roots},
        {named(task.name) for task in built.leaves},
        {(named(one), named(other)) for one, other in flow.graph.edges},
    )


def distinct(*trees):
    world = World()
    return [world.number(tree) for tree in trees]


@settings(max_examples=300)
@given(EXPRESSIONS)
def test_every_spelling_means_what_the_definition_says(tree):
    (tree,) = distinct(tree)
    assert drawn(tree) == meaning(tree)


@given(EXPRESSIONS, EXPRESSIONS, EXPRESSIONS, st.sampled_from("><|"))
def test_every_operator_is_associative(a, b, c, operator):
    a, b, c = distinct(a, b, c)
    assert drawn((operator, (operator, a, b), c)) == drawn((operator, a, (operator, b, c)))


@given(st.lists(EXPRESSIONS, min_size=2, max_size=5), st.sampled_from("><|"), st.data())
def test_brackets_make_no_difference_however_many_there_are(trees, operator, data):
    trees = distinct(*trees)
    plain = reduce(lambda left, right: (operator, left, right), trees)
    while len(trees) > 1:
        n = data.draw(st.integers(0, len(trees) - 2))
        trees[n : n + 2] = [(operator, trees[n], trees[n + 1])]
    assert drawn(trees[0]) == drawn(plain)


@given(PLAIN, PLAIN, PLAIN, st.sampled_from(">|"))
def test_they_are_associative_with_tasks_that_stand_several_times(a, b, c, operator):
    """Both are the same then, or both are refused, for they close a cycle."""

    def outcome(tree):
        try:
            return drawn(tree)
        except CycleError:
            return "a cycle"

    assert outcome((operator, (operator, a, b), c)) == outcome((operator, a, (operator, b, c)))


@given(EXPRESSIONS, EXPRESSIONS)
def test_the_other_arrow_is_the_same_the_other_way_round(a, b):
    a, b = distinct(a, b)
    assert drawn((">", a, b)) == drawn(("<", b, a))


@given(EXPRESSIONS, EXPRESSIONS)
def test_side_by_side_has_no_order_and_no_number(a, b):
    a, b = distinct(a, b)
    assert drawn(("|", a, b)) == drawn(("|", b, a))


@given(PLAIN)
def test_beside_itself_it_is_itself(tree):
    (tree,) = distinct(tree)
    assert drawn(("|", tree, tree)) == drawn(tree)


@given(PLAIN, PLAIN, PLAIN)
def test_what_comes_before_several_comes_before_each(a, b, c):
    a, b, c = distinct(a, b, c)
    assert drawn((">", a, ("|", b, c))) == drawn(("|", (">", a, b), (">", a, c)))
    assert drawn((">", ("|", a, b), c)) == drawn(("|", (">", a, c), (">", b, c)))


@given(st.lists(EXPRESSIONS, min_size=1, max_size=4), EXPRESSIONS)
def test_a_list_is_a_group(several, tree):
    *several, tree = distinct(*several, tree)
    group = ("parallel", several)
    for operator in "><|":
        assert drawn((f"[{operator}", several, tree)) == drawn((operator, group, tree))
        assert drawn((f"{operator}[", tree, several)) == drawn((operator, tree, group))


@given(st.lists(EXPRESSIONS, min_size=1, max_size=4))
def test_the_calls_are_the_operators(trees):
    trees = distinct(*trees)
    for call, operator in (("chain", ">"), ("parallel", "|")):
        assert drawn((call, trees)) == drawn(reduce(lambda left, right, o=operator: (o, left, right), trees))


@given(EXPRESSIONS)
def test_roots_and_leaves_are_those_of_the_graph(tree):
    (tree,) = distinct(tree)
    roots, leaves, edges = drawn(tree)
    everything = roots | leaves | {end for edge in edges for end in edge}
    assert roots == everything - {after for _, after in edges}
    assert leaves == everything - {one for one, _ in edges}


@given(EXPRESSIONS)
def test_an_expression_reads_as_another_that_is_the_same(tree):
    (tree,) = distinct(tree)
    world = World()
    with workflow("f") as flow:
        built = world.build(tree)
    again = World()
    names = {f"t{number}": number for number in world.tasks}
    with workflow("g") as copy:
        made = {name: again.task(number) for name, number in names.items()}
        read = eval(repr(built), {**made, "best_effort": best_effort, "parallel": parallel})
    assert set(copy.graph.edges) == set(flow.graph.edges)
    assert [[t.name for t in e.roots] for e in (read, built)] == [[t.name for t in built.roots]] * 2


@settings(max_examples=40)
@given(EXPRESSIONS)
def test_a_run_obeys_every_edge(tree):
    (tree,) = distinct(tree)
    log = []
    world = World(log)
    with workflow("f") as flow:
        world.build(tree)
    flow.execute()
    assert sorted(log) == sorted(f"t{number}" for number in world.tasks)
    place = {name: n for n, name in enumerate(log)}
    assert not [(a, b) for a, b in flow.graph.edges if a in place and b in place and place[a] > place[b]]


@pytest.mark.parametrize("length", [2, 5, 500])
def test_a_long_chain_of_groups_has_the_edges_between_neighbours(length):
    with workflow("f") as flow:
        pairs = [Task(f"a{n}", lambda: 1) | Task(f"b{n}", lambda: 1) for n in range(length)]
        chain(*pairs)
    assert set(flow.graph.edges) == {
        (one.name, other.name) for left, right in pairwise(pairs) for one in left.tasks for other in right.tasks
    }
