"""The public surface of steps: what is there, and that it is documented and typed."""

from __future__ import annotations

import inspect
import types

import pytest
from test_public import inherits_its_docstring, own_members

from graflow_nb import steps, workflow
from graflow_nb.steps import ConditionalStep, ToolStep, create_workflow, register_tool, registry
from graflow_nb.views.snapshot import source_of

PUBLIC = {name: getattr(steps, name) for name in steps.__all__}
NAMES_OF_THE_DOCUMENT = [
    "Workflow",
    "WorkflowBuilder",
    "WorkflowEngine",
    "WorkflowContext",
    "WorkflowResult",
    "StepResult",
    "StepStatus",
    "WorkflowStatus",
    "WorkflowLogger",
    "AgentStep",
    "ToolStep",
    "ConditionalStep",
    "ParallelStep",
    "LoopStep",
    "execute_workflow_stream",
    "create_workflow",
    "create_sequential_workflow",
    "create_parallel_workflow",
    "Agent",
    "Tool",
    "register_tool",
    "register_agent",
]


def test_all_is_sorted_and_has_the_names_of_the_document():
    assert sorted(set(steps.__all__)) == steps.__all__
    assert set(NAMES_OF_THE_DOCUMENT) <= set(steps.__all__)


@pytest.mark.parametrize("name", steps.__all__)
def test_every_public_thing_and_member_has_a_docstring(name):
    thing = PUBLIC[name]
    assert inspect.getdoc(thing)
    if isinstance(thing, type):
        assert not [member for member in own_members(thing) if not inherits_its_docstring(thing, member)]


@pytest.mark.parametrize("name", steps.__all__)
def test_every_public_function_is_typed(name):
    thing = PUBLIC[name]
    functions = [thing] if isinstance(thing, types.FunctionType) else []
    if isinstance(thing, type):
        members = {n: f for n, f in vars(thing).items() if isinstance(f, types.FunctionType)}
        functions = [
            f for n, f in members.items() if not n.startswith("_") and f.__module__.startswith("graflow_nb")
        ]
    for function in functions:
        signature = inspect.signature(function)
        parameters = [p for p in signature.parameters.values() if p.name not in {"self", "cls"}]
        assert not [p for p in parameters if p.annotation is p.empty], function
        assert signature.return_annotation is not signature.empty, function


def test_a_tool_that_is_registered_after_a_run_is_found_by_the_next(monkeypatch):
    monkeypatch.setattr(registry, "TOOLS", {})
    with workflow("w") as flow:
        _ = ToolStep("one") >> ToolStep("two", lambda number: number + 1)
    assert "there is no tool 'one'" in str(flow.run().errors["one"])
    register_tool("one", lambda: 1)
    assert flow.run().results["two"] == 2


def test_a_tool_is_found_in_the_notebook(nb):
    nb("from graflow_nb.steps import ToolStep, create_workflow")
    nb("def greet(name): return f'hello {name}'")
    nb("result = await create_workflow('w', steps=[ToolStep('greet')]).execute({'name': 'Ada'})")
    assert nb.shell.user_ns["result"].steps[0].output == "hello Ada"


def test_a_step_that_is_only_written_is_no_task_of_the_notebook(nb):
    nb("from graflow_nb.steps import ParallelStep, ToolStep")
    nb("step = ParallelStep('p', [ToolStep('a', lambda: 1)])")
    nb("%%task first\n1")
    nb("first >> ToolStep('b', lambda n: n + 1)")
    nb("%flow run")
    assert list(nb.shell.user_ns["first"]._flow.graph.nodes) == ["first", "b"]


def test_the_flow_of_a_workflow_can_be_used_by_name(nb):
    nb("from graflow_nb.steps import ToolStep, create_workflow")
    nb("shop = create_workflow('shop', steps=[ToolStep('a', lambda x: print('in a') or x)]).flow({'x': 5})")
    nb("%flow use shop")
    nb("%flow run")
    (output,) = nb.shell.user_ns["shop"]["a"].outputs
    assert output["text"] == "in a\n"


def test_an_option_that_is_set_after_wiring_counts():
    with workflow("w") as flow:
        step = ToolStep("a", lambda: 1)
        _ = step >> ToolStep("b", lambda state: state.get("step_a_result", "nothing"))
    assert flow.run().results["b"] == 1
    step.add_condition(lambda state: False)
    assert flow.run().results["b"] == "nothing"


def decides(state):
    return True


def test_the_code_of_a_step_is_that_of_its_tool():
    choose = ConditionalStep("choose", decides, ToolStep("yes", lambda: 1))
    flow = create_workflow("w", steps=[ToolStep("tool", decides), choose, ToolStep("nobody knows")]).flow()
    sources = [source_of(flow[name]) for name in ("tool", "choose", "nobody knows")]
    assert sources == ["def decides(state):\n    return True\n"] * 2 + [""]
