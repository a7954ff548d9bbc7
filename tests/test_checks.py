"""What looks wrong in a workflow: each thing said once, with its cure, and nothing else said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graflow_nb import Task, task, workflow
from graflow_nb.core.checks import Finding


def found(flow):
    return [(finding.kind, finding.tasks) for finding in flow.check()]


def said(flow):
    (finding,) = flow.check()
    assert finding.text == str(finding)
    return str(finding)


def test_a_flow_in_order_says_nothing():
    with workflow("f") as flow:

        @task
        def load(path):
            return path

        @task
        def clean(load, strict=True):
            return load

        @task
        def fit(data, rate=0.1):
            return data

        load >> clean >> fit
    flow.param("path", "x.csv")
    assert flow.check() == []


def test_an_empty_flow_says_nothing():
    assert workflow("f").check() == []


def test_tasks_that_are_all_for_themselves_say_nothing():
    with workflow("f") as flow:
        for name in "abc":
            Task(name, lambda: 1)
    assert flow.check() == []


class TestOrder:
    def test_a_name_of_a_task_that_runs_after(self):
        with workflow("f") as flow:

            @task
            def data(): ...

            @task
            def clean(report, data): ...

            @task
            def report(): ...

            data >> clean >> report
        assert found(flow)[0] == ("order", ("clean", "report"))
        assert str(flow.check()[0]) == (
            "task 'clean' takes 'report', but not from task 'report', which runs after it. "
            "Rename one of the two, or turn the operator round."
        )
        assert flow.check()[1].kind == "missing"

    def test_two_tasks_that_take_each_other_by_name(self):
        with workflow("f") as flow:

            @task
            def a(b): ...

            @task
            def b(a): ...

        assert ("order", ("b", "a")) in found(flow) or ("order", ("a", "b")) in found(flow)

    def test_a_variable_is_named_with_the_task_that_defines_it(self):
        with workflow("f") as flow:
            Task("a", lambda x: x) >> Task("b", lambda: 1, defines=["x"])
        assert "takes 'x', but not from task 'b' (where 'x' is defined), which runs after it" in str(
            flow.check()[0]
        )


class TestDefaults:
    def test_a_task_that_runs_after(self):
        with workflow("f") as flow:
            Task("a", lambda b=1: b) >> Task("b", lambda a: a)
        assert found(flow) == [("default", ("a", "b"))]
        assert said(flow) == (
            "task 'a' has a default for 'b' and takes that, not what task 'b' makes, which runs after it: "
            "rename one of the two if 'b' is something else."
        )

    def test_a_task_that_does_not_run_before(self):
        with workflow("f") as flow:
            Task("a", lambda: 1) >> Task("b", lambda a: a)
            Task("c", lambda b, d=1: b) << Task("e", lambda: 1)
            Task("d", lambda e: e)
        assert found(flow) == [("default", ("c", "d"))]
        assert said(flow).endswith("which does not run before it: d >> c makes it take the result.")

    def test_a_task_that_runs_before_is_taken(self):
        with workflow("f") as flow:
            Task("a", lambda: 1) >> Task("b", lambda a=5: a)
        assert flow.check() == []
        assert flow.run().results["b"] == 1


class TestHidden:
    def test_a_bound_value_hides_a_task(self):
        with workflow("f") as flow:
            Task("data", lambda: 1) >> Task("fit", lambda data, k=1: data)
            template = Task("draw", lambda data: data)
            template.bind(data=5, name="draw5")
            Task("x", lambda draw5: draw5)
        assert found(flow) == [("hidden", ("draw5", "data"))]
        assert said(flow).startswith(
            "task 'draw5' has 'data' bound to a value, so it does not take it from task 'data'."
        )

    def test_a_task_that_is_bound_is_taken(self):
        with workflow("f") as flow:
            data = Task("data", lambda: 1)
            Task("draw", lambda data: data).bind(data=data, name="drawn")
        assert flow.check() == []

    def test_a_map_takes_its_items(self):
        with workflow("f") as flow:
            data = Task("data", lambda: [1, 2])
            Task("draw", lambda data: data).map(data, name="drawn")
            Task("draw2", lambda data: data).map([3], name="drawn2")
            Task("both", lambda drawn, drawn2: drawn)
        assert flow.check() == []


class TestTasksOfOneFunction:
    def test_they_are_said_once(self):
        with workflow("f") as flow:
            Task("data", lambda: 1) >> Task("other", lambda data: data)
            template = Task("fit", lambda k, other=2: k)
            for k in range(5):
                template.bind(k=k, name=f"fit{k}") << flow["data"]
        assert found(flow) == [("default", ("fit0", "fit1", "fit2", "fit3", "fit4", "other"))]
        assert said(flow).startswith("task 'fit0' (and 4 more of its function) has a default for 'other'")

    def test_a_mere_template_says_nothing_itself(self):
        with workflow("f") as flow:
            data = Task("data", lambda: 1)
            template = Task("fit", lambda k, data=2: k)
            data >> template.bind(k=1, name="fit1")
        assert flow.check() == []


class TestParameters:
    def test_one_that_no_task_takes(self):
        with workflow("f") as flow:
            Task("fit", lambda rate: rate)
        flow.param("raet", 1)
        assert found(flow) == [("unused", ("raet",)), ("missing", ("fit",))]
        assert str(flow.check()[0]) == "no task takes parameter 'raet'. Did you mean 'rate'?"

    def test_one_without_a_name_near_it(self):
        with workflow("f") as flow:
            Task("fit", lambda: 1)
        flow.param("q", 1)
        assert said(flow) == "no task takes parameter 'q'. Name a task's parameter like it, or take it away."

    def test_one_before_which_a_default_goes(self):
        with workflow("f") as flow:
            Task("fit", lambda rate=0.1: rate)
        flow.param("rate", 0.5)
        assert found(flow) == [("unused", ("rate", "fit"))]
        assert said(flow).endswith("Task 'fit' has a default for it and takes that: leave the default out.")


class TestMissing:
    def test_what_nothing_fills(self):
        with workflow("f") as flow:
            Task("load", lambda: 1) >> Task("fit", lambda load, rate: rate)
        assert found(flow) == [("missing", ("fit",))]
        assert said(flow).startswith("task 'fit' needs an argument for 'rate'.")
        assert "left out" not in said(flow)

    def test_what_is_left_out_of_runs(self):
        with workflow("f") as flow:
            Task("load", lambda: 1) >> Task("fit", lambda load: load)
            Task("lost", lambda rate: rate)
        assert found(flow) == [("missing", ("lost",))]
        assert said(flow).endswith("It is left out of runs.")


class TestConditions:
    def test_one_that_asks_for_what_is_not_there(self):
        with workflow("f") as flow:
            Task("load", lambda: 1) >> Task("fit", lambda load: load, when=lambda laod, rate: laod > rate)
        assert found(flow) == [("condition", ("fit",))]
        assert said(flow).startswith("the condition of task 'fit' needs arguments for 'laod', 'rate'.")
        assert said(flow).endswith("Did you mean 'load'?")

    def test_one_that_asks_for_what_runs_after(self):
        with workflow("f") as flow:
            Task("load", lambda: 1, when=lambda fit: fit > 0) >> Task("fit", lambda load: load)
        assert ("condition", ("load",)) in found(flow)

    def test_one_that_can_be_asked_says_nothing(self):
        with workflow("f") as flow:
            Task("load", lambda: 1) >> Task("fit", lambda load: load, when=lambda load: load > 0)
        assert flow.check() == []


class TestAlone:
    def test_one(self):
        with workflow("f") as flow:
            Task("load", lambda: 1) >> Task("fit", lambda load: load)
            Task("odd", lambda: 1)
        assert found(flow) == [("alone", ("odd",))]
        assert said(flow) == (
            "task 'odd' uses no other task, and none uses it. Wire what belongs together with >>."
        )

    def test_several_are_said_at_once(self):
        with workflow("f") as flow:
            Task("load", lambda: 1) >> Task("fit", lambda load: load)
            Task("odd", lambda: 1)
            Task("even", lambda: 1)
        assert found(flow) == [("alone", ("odd", "even"))]
        assert said(flow).startswith("tasks 'odd', 'even' use no other task, and none uses them.")

    def test_members_of_a_group_are_not_alone(self):
        with workflow("f") as flow:
            members = Task("a", lambda: 1) | Task("b", lambda: 1)
            members.named("g").with_policy("best_effort") >> Task("c", lambda values: values)
        assert flow.check() == []


class TestTemplates:
    def test_one_from_which_nothing_is_made_here(self):
        template = Task("fit", lambda k: k)
        with workflow("other"):
            template.bind(k=1)
        with workflow("f") as flow:
            flow.graph.add(template)
            Task("x", lambda: 1)
        assert found(flow) == [("template", ("fit",))]
        assert said(flow).startswith("task 'fit' is a template, and no task made from it is in this workflow")

    @pytest.mark.parametrize("make", [lambda t: t.bind(k=1), lambda t: t.map([1, 2])])
    def test_one_from_which_something_is_made(self, make):
        with workflow("f") as flow:
            made = make(Task("fit", lambda k: k))
            made >> Task("x", lambda value: value)
        assert flow.check() == []


def test_a_finding_is_a_value():
    finding = Finding("alone", ("a",), "text")
    assert finding == Finding("alone", ("a",), "text")
    with pytest.raises(AttributeError):
        finding.kind = "other"


def test_checking_changes_nothing():
    with workflow("f") as flow:
        Task("load", lambda: 1) >> Task("fit", lambda load, rate: rate)
        Task("odd", lambda: 1)
    before = flow.graph.version, flow.graph.edges
    assert flow.check() == flow.check()
    assert (flow.graph.version, flow.graph.edges) == before


class TestInANotebook:
    def test_it_is_printed_once(self, nb):
        nb("%%task load\n1")
        nb("%%task fit\nload + 1")
        nb("%%task odd\n3")
        assert nb("%flow check").splitlines() == [
            "task 'odd' uses no other task, and none uses it. Wire what belongs together with >>."
        ]

    def test_nothing_is_said_too(self, nb):
        nb("%%task load\n1")
        nb("%%task fit\nload + 1")
        assert "nothing looks wrong" in nb("%flow check")

    def test_names_that_cells_read_count(self, nb):
        nb("%%task load\nrows = [1]")
        nb("%%task fit\nlen(rows)")
        nb("fit >> load")
        assert "task 'fit' takes 'rows', but not from task 'load' (where 'rows' is defined)" in nb("%flow check")


# Random flows: whatever they are like, what is said is true, and said once.
NAMES = [f"t{n}" for n in range(6)]


@given(
    st.lists(st.tuples(st.sets(st.sampled_from(NAMES), max_size=2), st.booleans()), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=5),
)
def test_each_thing_is_said_once_and_of_tasks_that_are_there(tasks, edges):
    with workflow("f") as flow:
        made = []
        for name, (parameters, has_default) in zip(NAMES, tasks, strict=False):
            default = "=None" if has_default else ""
            made.append(Task(name, eval(f"lambda {', '.join(p + default for p in sorted(parameters))}: 1")))
        for one, other in edges:
            if one < other < len(made):
                made[one] >> made[other]
    plan, findings = flow.plan(), flow.check()
    assert len({(f.kind, f.text) for f in findings}) == len(findings)
    assert {name for f in findings for name in f.tasks} <= set(plan.tasks)
    for finding in findings:
        reader, *others = finding.tasks
        if finding.kind == "order":
            assert others[0] in plan.descendants([reader])
        if finding.kind == "default":
            assert others[0] not in plan.ancestors([reader])
    assert {f.tasks[0] for f in findings if f.kind == "missing"} == set(plan.missing)
