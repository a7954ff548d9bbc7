from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graflow_nb import Task, chain, task, workflow
from graflow_nb.core.errors import CycleError, EmptyWorkflowError, GraflowError, MissingArgumentError
from graflow_nb.core.plan import Plan


def make(name: str, *parameters: str) -> Task:
    """Make a task that takes these parameters."""
    return Task(name, eval(f"lambda {', '.join(parameters)}: {name!r}"))


def flow_of(**tasks: str):
    with workflow("f") as flow:
        for name, parameters in tasks.items():
            make(name, *parameters.split())
    return flow


def test_a_plan_is_a_snapshot():
    flow = flow_of(a="", b="a")
    plan = flow.plan()
    flow.graph.remove("a")
    with flow:
        make("c")
    assert (list(plan.tasks), plan.edges) == (["a", "b"], [("a", "b")])


def test_edges_by_name_and_by_operator_are_told_apart():
    flow = flow_of(a="", b="a", c="b")
    with flow:
        flow["a"] >> flow["b"]
    plan = flow.plan()
    assert plan.edges == [("a", "b"), ("b", "c")]
    assert plan.inferred == {("b", "c")}


def test_a_name_that_two_parameters_could_use_is_one_edge():
    flow = flow_of(a="", b="a x=1")
    assert flow.plan().edges == [("a", "b")]


@pytest.mark.parametrize(
    ("tasks", "wire", "left_out"),
    [
        ({"a": "b", "b": ""}, "ab", ("b", "a")),
        ({"a": "c", "b": "", "c": ""}, "abc", ("c", "a")),
        ({"a": "b", "b": "a"}, "", ("a", "b")),
    ],
)
def test_a_name_that_would_close_a_cycle_is_left_out_and_told(tasks, wire, left_out):
    flow = flow_of(**tasks)
    with flow:
        if wire:
            chain(*[flow[name] for name in wire])
    plan = flow.plan()
    before, after = left_out
    assert left_out not in plan.edges
    (note,) = plan.notes
    assert f"{after!r} reads {before!r}" in note and "close a cycle" in note


def test_the_note_is_the_runs_too():
    flow = flow_of(a="", b="")
    with flow:
        late, reads = make("late"), Task("reads", lambda late: late)
        flow["a"] >> reads >> late
    assert "'reads' reads 'late'" in flow.run().notes[0]
    assert flow.run().results["reads"] == "a", "what is left is taken by position"


def test_a_cycle_of_names_does_not_stop_the_others():
    flow = flow_of(a="b", b="a", c="", d="c")
    assert flow.plan().edges == [("b", "a"), ("c", "d")]
    assert flow.run("d").ok


def test_what_came_back_into_a_cycle_is_refused_with_names_too():
    flow = flow_of(a="", b="", c="", d="a")
    with flow:
        chain(flow["a"], flow["b"], flow["c"])
        b = flow.graph.remove("b")
        flow["c"] >> flow["a"]
        flow.graph.add(b)
    with pytest.raises(CycleError, match="is a cycle"):
        flow.plan()


def test_unwired_tasks_are_listed_left_out_and_errors_only_as_targets():
    flow = flow_of(a="", lonely="nothing", b="a")
    assert flow.plan().unwired == ["lonely"]
    assert flow.run().results == {"a": "a", "b": "b"}
    with pytest.raises(MissingArgumentError, match="'lonely' needs an argument for 'nothing'"):
        flow.run("lonely")


def test_a_workflow_of_unwired_tasks_is_empty():
    with pytest.raises(EmptyWorkflowError, match="unwired: lonely"):
        flow_of(lonely="nothing").run()


@pytest.mark.parametrize("kind", ["before", "after"])
def test_a_wired_task_that_lacks_arguments_is_no_unwired_task(kind):
    flow = flow_of(a="", lonely="x y")
    with flow:
        flow["a"] >> flow["lonely"] if kind == "before" else flow["lonely"] >> flow["a"]
    assert flow.plan().unwired == []
    with pytest.raises(MissingArgumentError, match="'lonely'"):
        flow.run()


class TestTemplates:
    def flow(self):
        with workflow("f") as flow:
            make("clean")
            fit = make("fit", "clean", "alpha")
            fit.bind(alpha=1, name="one")
            fit.bind(alpha=2, name="two")
        return flow

    def test_a_template_does_not_run_by_itself(self):
        assert list(self.flow().run().results) == ["clean", "one", "two"]

    def test_even_if_all_its_arguments_are_there(self):
        with workflow("f") as flow:
            t = make("t", "x=1")
            t.bind(x=2, name="two")
        assert list(flow.run().results) == ["two"]

    def test_as_a_target_it_runs(self):
        with workflow("f") as flow:
            t = make("t", "x=1")
            t.bind(x=2, name="two")
        assert list(flow.run("t").results) == ["t"]
        with pytest.raises(MissingArgumentError, match="alpha"):
            self.flow().run("fit")

    @pytest.mark.parametrize("wire", [lambda t, a: t >> a, lambda t, a: a >> t])
    def test_wired_it_runs(self, wire):
        with workflow("f") as flow:
            a, t = make("a"), make("t", "x=1")
            t.bind(x=2, name="two")
            wire(t, a)
        assert set(flow.run().results) == {"a", "t", "two"}

    def test_read_by_another_it_runs(self):
        with workflow("f") as flow:
            t = make("t", "x=1")
            t.bind(x=2, name="two")
            make("reads", "t")
        assert set(flow.run().results) == {"t", "two", "reads"}


def test_order_is_by_dependency_and_else_by_definition():
    flow = flow_of(d="b c", c="a", b="a", a="", z="")
    plan = flow.plan()
    assert plan.order(plan.tasks) == ["a", "c", "b", "d", "z"]
    assert plan.order(["z", "d", "b", "a"]) == ["a", "b", "d", "z"]
    assert plan.order([]) == []


def test_ancestors_and_descendants():
    plan = flow_of(a="", b="a", c="b", x="").plan()
    assert plan.ancestors(["c"]) == {"a", "b"}
    assert plan.descendants(["a"]) == {"b", "c"}
    assert plan.ancestors(["c", "b"]) == {"a", "b"}
    assert plan.ancestors(["x"]) == plan.descendants(["x"]) == set()
    assert plan.children == {"a": ["b"], "b": ["c"], "c": [], "x": []}


def test_planning_does_not_change_the_graph():
    flow = flow_of(a="", b="a")
    before = (list(flow.graph.nodes), flow.graph.edges)
    flow.plan()
    flow.run()
    assert (list(flow.graph.nodes), flow.graph.edges) == before


def test_a_defaulted_parameter_makes_no_edge():
    with workflow("f") as flow:
        make("a")

        @task
        def reads(a=1):
            return a

    assert flow.plan().edges == []


# A workflow keeps its plan while nothing has changed, and what holds of it when something has.

NAMES = st.sampled_from("abcde")
PARAMETERS = st.lists(st.sampled_from(["a", "b", "x", "c=1", "y=2", "*rest"]), unique=True, max_size=3).map(
    lambda found: " ".join(sorted(found, key=lambda p: (p[0] == "*", "=" in p)))
)
EDITS = st.one_of(
    st.tuples(st.just("define"), NAMES, PARAMETERS),
    st.tuples(st.just("wire"), st.lists(NAMES, min_size=1, max_size=3, unique=True), NAMES),
    st.tuples(st.just("remove"), NAMES),
    st.tuples(st.just("unwire"), NAMES),
    st.tuples(st.just("come back"), NAMES),
    st.tuples(st.just("param"), st.sampled_from("ax"), st.sampled_from([1, True, 2])),
    st.tuples(st.just("options"), NAMES, st.sampled_from(["", "x", "a"])),
    st.tuples(st.just("variable"), NAMES, st.sampled_from("xy")),
)


def edit(flow, gone, what, name, *details):
    graph = flow.graph
    with flow:
        if what == "options":
            task = graph[name]
            task.options = replace(task.options, bound=dict.fromkeys(details[0], True))
        elif what == "wire":
            _ = [graph[before] for before in name] >> graph[details[0]]
        elif what == "unwire":
            graph.unwire((name, graph.joins(name)[-1]))
        elif what == "param":
            flow.param(name, details[0])
        elif what == "come back":
            graph.add(gone.pop(name))
        else:
            if name in graph:
                gone[name] = graph.remove(name)
            if what == "define":
                make(name, *details[0].split())
            elif what == "variable":
                Task(name, lambda: None, defines=[details[0]])


def told(plan):
    sources = {
        name: [[(n, type(s), s, type(getattr(s, "value", None))) for n, s in binding.sources()], *binding]
        for name, binding in plan.bindings.items()
    }
    return plan.tasks, plan.parents, plan.inferred, sources, plan.missing, plan.notes, plan.default_targets


@settings(max_examples=300)
@given(st.lists(PARAMETERS, min_size=5, max_size=5), st.lists(EDITS, min_size=1, max_size=15))
def test_what_is_taken_over_of_a_plan_is_what_a_new_one_has(first, edits):
    flow, gone = flow_of(**dict(zip("abcde", first, strict=True))), {}
    for each in edits:
        with suppress(GraflowError, LookupError):
            edit(flow, gone, *each)
        try:
            new = told(Plan(flow.graph))
        except CycleError:
            with pytest.raises(CycleError):
                flow.plan()
        else:
            assert told(flow.plan()) == new


def test_a_plan_is_kept_while_nothing_changes():
    flow = flow_of(a="", b="a")
    plan = flow.plan()
    assert flow.plan() is plan
    flow.run()
    assert flow.plan() is plan
    flow.graph.remove("a")
    with flow:
        a = make("a", "x=1")
    assert flow.plan().bindings["b"] is plan.bindings["b"]
    assert flow.plan().bindings["a"] is not plan.bindings["a"]
    with flow:
        _ = a >> flow["b"]
    assert flow.plan().inferred == set()


@pytest.mark.parametrize(
    "change",
    [
        lambda flow: flow.param("p", True),
        lambda flow: setattr(flow["p"], "value", True),
        lambda flow: flow["b"].options.bound.update(x=True),
        lambda flow: setattr(flow["b"], "options", replace(flow["b"].options, bound={"x": True})),
    ],
)
def test_a_value_that_is_bound_anew_makes_another_plan(change):
    with workflow("f") as flow:
        flow.param("p", 1)
        Task("b0", lambda x, p: (x, p)).bind(name="b", x=1)
    assert flow.run("b").results["b"] == (1, 1)
    change(flow)
    assert True in [type(value) is bool for value in flow.run("b").results["b"]]


def test_a_value_for_one_run_is_in_no_other_plan():
    with workflow("f") as flow:
        flow.param("p", 1)
        make("b", "p")
    plan = flow.plan()
    assert flow.run("b", set={"p": 2}).results["p"] == 2
    assert flow.plan() is plan
    assert flow.run("b").results["p"] == 1
