from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb import Chain, ParallelGroup, Task, chain, parallel, task, workflow
from graflow_nb.core.errors import DuplicateTaskError, NoWorkflowError, TaskDefinitionError

# Each expression of the operator table of DESIGN.md, with the edges, roots and leaves it must have.
TABLE = [
    ("a >> b", "a>b", "a", "b"),
    ("b << a", "a>b", "a", "b"),
    ("a | b", "", "ab", "ab"),
    ("(a | b) >> c", "a>c b>c", "ab", "c"),
    ("a >> (b | c)", "a>b a>c", "a", "bc"),
    ("a >> (b | c) >> d", "a>b a>c b>d c>d", "a", "d"),
    ("(a >> b) | c", "a>b", "ac", "bc"),
    ("((a >> b) | c) >> d", "a>b b>d c>d", "ac", "d"),
    ("d << (b | c) << a", "b>d c>d a>b a>c", "a", "d"),
    ("a >> b >> c", "a>b b>c", "a", "c"),
    ("a >> (b >> c)", "a>b b>c", "a", "c"),
    ("c << b << a", "a>b b>c", "a", "c"),
    ("[a, b] >> c", "a>c b>c", "ab", "c"),
    ("c << [a, b]", "a>c b>c", "ab", "c"),
    ("a >> [b, c]", "a>b a>c", "a", "bc"),
    ("[b, c] << a", "a>b a>c", "a", "bc"),
    ("(a, b) >> c", "a>c b>c", "ab", "c"),
    ("[a, [b, c]] >> d", "a>d b>d c>d", "abc", "d"),
    ("[a >> b, c] >> d", "a>b b>d c>d", "ac", "d"),
    ("a | [b, c]", "", "abc", "abc"),
    ("[a, b] | c", "", "abc", "abc"),
    ("(a | b) | (c | d)", "", "abcd", "abcd"),
    ("a | b | a", "", "ab", "ab"),
    ("a >> b | c >> d", "a>b c>d", "ac", "bd"),
    ("a >> (b | c >> d) >> e", "a>b a>c c>d b>e d>e", "a", "e"),
    ("chain(a)", "", "a", "a"),
    ("chain(a, b, c)", "a>b b>c", "a", "c"),
    ("chain(a, [b, c], d)", "a>b a>c b>d c>d", "a", "d"),
    ("chain(a | b, c >> d, e)", "c>d a>c b>c d>e", "ab", "e"),
    ("parallel(a)", "", "a", "a"),
    ("parallel(a, b)", "", "ab", "ab"),
    ("parallel(a >> b, [c, d])", "a>b", "acd", "bcd"),
    ("parallel(chain(a, b), chain(c, d)) >> e", "a>b c>d b>e d>e", "ac", "e"),
]


def make(name: str) -> Task:
    return Task(name, lambda: name)


def names(tasks) -> str:
    return "".join(task.name for task in tasks)


def edges(text: str) -> set[tuple[str, str]]:
    return {tuple(edge.split(">")) for edge in text.split()}


@pytest.mark.parametrize(("expression", "expected", "roots", "leaves"), TABLE, ids=[row[0] for row in TABLE])
def test_the_operator_table(expression, expected, roots, leaves):
    with workflow("f") as flow:
        built = eval(expression, {name: make(name) for name in "abcde"} | {"chain": chain, "parallel": parallel})
    assert set(flow.graph.edges) == edges(expected)
    assert (names(built.roots), names(built.leaves)) == (roots, leaves)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("a >> (b | c) >> d", "a >> (b | c) >> d"),
        ("a >> b | c >> d", "(a >> b | c >> d)"),
        ("d << a", "a >> d"),
        ("parallel(a, [b, c])", "(a | b | c)"),
    ],
)
def test_an_expression_reads_as_it_is_written(expression, text):
    with workflow("f"):
        space = {name: make(name) for name in "abcd"} | {"chain": chain, "parallel": parallel}
        assert repr(eval(expression, space)) == text


def test_expressions_add_their_tasks_and_a_group_is_no_node():
    made = {name: make(name) for name in "abc"}
    with workflow("f") as flow:
        made["a"] | made["b"]
        assert list(flow.graph.nodes) == ["a", "b"]
        made["c"] >> made["a"]
    assert dict(flow.graph.nodes) == made


@pytest.mark.parametrize("other", [5, "b", None, print, {"b"}, [1], [[]], []])
@pytest.mark.parametrize("write", [lambda a, b: a >> b, lambda a, b: b << a, lambda a, b: a | b, chain, parallel])
def test_what_is_no_task_is_refused(write, other):
    with workflow("f") as flow:
        a = make("a")
        with pytest.raises(TaskDefinitionError):
            write(a, other)
    assert flow.graph.edges == []


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda a: a >> 5, [">>", "'int'", "(5)"]),
        (lambda a: a << "text", ["<<", "'str'", "'text'"]),
        (lambda a: a | print, ["|", "print", "@task"]),
        (lambda a: chain(a, 5), ["chain()", "'int'"]),
        (lambda a: parallel(5), ["parallel()", "'int'"]),
        (lambda a: [a, 7] >> a, [">>", "'int'", "(7)"]),
        (lambda a: chain(), ["chain()", "at least one"]),
        (lambda a: parallel(), ["at least one"]),
        (lambda a: a >> [], ["at least one"]),
    ],
)
def test_the_error_names_the_object_and_the_operator(write, words):
    with workflow("f"), pytest.raises(TaskDefinitionError) as caught:
        write(make("a"))
    assert not [word for word in words if word not in str(caught.value)]


def test_an_object_without_a_repr_is_refused_all_the_same():
    class Mute:
        def __repr__(self):
            raise ValueError

    with workflow("f"), pytest.raises(TaskDefinitionError, match="'Mute'"):
        make("a") >> Mute()


def test_wiring_needs_an_open_workflow_and_grouping_does_not():
    a, b = make("a"), make("b")
    assert names((a | b).tasks) == "ab"
    with pytest.raises(NoWorkflowError, match=r'a >> b .*with workflow\("name"\)'):
        a >> b


def test_a_workflow_can_be_opened_again():
    with workflow("f") as flow:
        a, b = make("a"), make("b")
    with flow:
        a >> b
    assert flow.graph.edges == [("a", "b")]


def test_the_innermost_workflow_is_written_to():
    with workflow("outer") as outer:
        with workflow("inner") as inner:
            make("a") >> make("b")
        make("c")
    assert (list(outer.graph.nodes), list(inner.graph.nodes)) == (["c"], ["a", "b"])


def test_an_expression_of_another_workflow_brings_all_its_tasks():
    with workflow("one"):
        bridge = make("a") >> make("b") >> make("c")
    with workflow("two") as two:
        bridge >> make("d")
    assert set(two.graph.nodes) == set("abcd")


def test_two_tasks_of_one_name_are_told_apart():
    with workflow("f"), pytest.raises(DuplicateTaskError, match="two tasks named 'a'"):
        Task("b", print) >> (SHARED | OTHER)


SHARED, OTHER = make("a"), make("a")


def test_inside_a_running_task_nothing_is_wired():
    with workflow("f") as flow:

        @task
        def outer():
            return repr(make("x") >> make("y"))

        assert flow.execute() == "x >> y"
    assert list(flow.graph.nodes) == ["outer"]


@pytest.mark.parametrize("write", [lambda tasks: chain(*tasks), lambda tasks: reduce(Chain, tasks)])
def test_long_chains_have_no_limit(write):
    with workflow("f"):
        tasks = [make(f"t{n}") for n in range(3_000)]
        built = write(tasks)
    assert (built.roots, built.leaves) == ((tasks[0],), (tasks[-1],))
    assert len(built.tasks) == 3_000
    assert repr(built).count(">>") == 2_999


# Random expressions, as nested tuples: a number is a task, ">" and "|" are operators.
EXPRESSIONS = st.recursive(
    st.integers(0, 7), lambda inner: st.tuples(st.sampled_from(">|"), inner, inner), max_leaves=8
)


def distinct(tree, count=None):
    """Return the tree with tasks numbered anew, so that none stands twice."""
    count = iter(range(100)) if count is None else count
    return (
        (tree[0], distinct(tree[1], count), distinct(tree[2], count)) if isinstance(tree, tuple) else next(count)
    )


def build(tree):
    if not isinstance(tree, tuple):
        return make(f"t{tree}")
    operator, left, right = tree[0], build(tree[1]), build(tree[2])
    return left >> right if operator == ">" else left | right


def ends(tree) -> tuple[set[str], set[str]]:
    """Return the roots and leaves by their definition, without our code."""
    if not isinstance(tree, tuple):
        return {f"t{tree}"}, {f"t{tree}"}
    left, right = ends(tree[1]), ends(tree[2])
    return (left[0], right[1]) if tree[0] == ">" else (left[0] | right[0], left[1] | right[1])


def written(tree) -> set[tuple[str, str]]:
    if not isinstance(tree, tuple):
        return set()
    joined = {(a, b) for a in ends(tree[1])[1] for b in ends(tree[2])[0]} if tree[0] == ">" else set()
    return written(tree[1]) | written(tree[2]) | joined


def drawn(tree):
    with workflow("f") as flow:
        built = build(tree)
    return (
        set(flow.graph.edges),
        {t.name for t in built.roots},
        {t.name for t in built.leaves},
        set(flow.graph.nodes),
    )


@given(EXPRESSIONS)
def test_roots_leaves_and_edges_are_what_the_definition_says(tree):
    tree = distinct(tree)
    edges, roots, leaves, _ = drawn(tree)
    assert (edges, (roots, leaves)) == (written(tree), ends(tree))


@given(EXPRESSIONS, EXPRESSIONS, EXPRESSIONS, st.sampled_from(">|"))
def test_both_operators_are_associative(a, b, c, operator):
    left = distinct((operator, (operator, a, b), c))
    right = distinct((operator, a, (operator, b, c)))
    assert drawn(left) == drawn(right)


@given(st.lists(EXPRESSIONS, min_size=1, max_size=4))
def test_chain_and_parallel_are_the_operators(trees):
    count = iter(range(100))
    trees = [distinct(tree, count) for tree in trees]
    for make_all, operator in ((chain, ">"), (parallel, "|")):
        with workflow("f") as flow:
            built = make_all(*map(build, trees))
        whole = reduce(lambda left, right: (operator, left, right), trees)
        assert (set(flow.graph.edges), {t.name for t in built.roots}) == (written(whole), ends(whole)[0])


@given(EXPRESSIONS)
def test_groups_in_groups_are_one_group(tree):
    with workflow("f"):
        built = build(distinct(tree))
    groups = [built] if isinstance(built, ParallelGroup) else []
    assert not [member for group in groups for member in group.members if isinstance(member, ParallelGroup)]
