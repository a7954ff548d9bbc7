"""A workflow, or a run of one, as the views show it."""

from __future__ import annotations

import functools

from graflow_nb import Status, workflow
from graflow_nb.core.task import Task
from graflow_nb.views.snapshot import flow_view, run_view, source_of


def fail():
    raise ValueError("no rows")


def make():
    with workflow("example") as flow:
        load = Task("load", lambda: [1])
        fit = Task("fit", lambda load: len(load))
        bad = Task("bad", fail)
        after = Task("after", lambda bad: bad)
        Task("unwired", lambda nothing_of_this_name: 1)
        _ = load >> fit
    return flow, load, fit, bad, after


def test_a_run():
    flow, *_ = make()
    view = run_view(flow.run())
    assert view.name == "example"
    assert view.seconds is not None
    assert [(node.name, node.status) for node in view.nodes] == [
        ("load", Status.SUCCEEDED),
        ("fit", Status.SUCCEEDED),
        ("bad", Status.FAILED),
        ("after", Status.SKIPPED),
    ]
    notes = {node.name: node.note for node in view.nodes}
    assert notes["bad"] == "ValueError: no rows"
    assert "bad" in notes["after"]
    assert {(edge.source, edge.target): edge.kind for edge in view.edges} == {
        ("load", "fit"): "plain",
        ("bad", "after"): "inferred",
    }
    assert all(node.seconds is not None for node in view.nodes if node.status is not Status.SKIPPED)


def test_a_workflow_before_and_after_a_run():
    flow, *_ = make()
    plan = flow.plan()
    view = flow_view("example", plan, flow.stale(plan))
    assert {node.name: node.note for node in view.nodes if node.note} == {"unwired": "unwired"}
    assert {node.status for node in view.nodes} == {None}
    flow.run()
    view = flow_view("example", flow.plan(), {"fit"})
    by_name = {node.name: node for node in view.nodes}
    assert by_name["fit"].note == "out of date"
    assert by_name["load"].note == ""
    assert by_name["bad"].note == "ValueError: no rows"
    assert by_name["unwired"].status is None
    assert len(view.edges) == len(set(view.edges)) == 2


def test_a_run_of_some_tasks_shows_only_those():
    flow, *_ = make()
    view = run_view(flow.run("load"))
    assert [node.name for node in view.nodes] == ["load"]
    assert view.edges == ()


def test_the_source_of_a_task():
    def plain():
        return "here"

    @functools.wraps(plain)
    def wrapper():
        return plain()

    class Cell:
        source = "as it was written"

        def __call__(self): ...

    assert 'return "here"' in source_of(Task("a", plain))
    assert 'return "here"' in source_of(Task("b", wrapper))
    assert source_of(Task("c", Cell())) == "as it was written"
    assert source_of(Task("d", print)) == ""
    assert source_of(Task("e", functools.partial(plain))) == ""
