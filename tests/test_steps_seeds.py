"""Every Python block of the document that describes steps, run with nothing changed but its imports.

The document lies beside the repository, in ``../shared/seeds``. What a block takes for granted (agents, tools,
`user_exists`) is supplied here.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from graflow_nb import steps
from graflow_nb.steps import registry

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = Path(__file__).parent.parent.parent / "shared" / "seeds"


class Space(dict):
    """What a block sees; and what was called, with which arguments."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        super().__init__(__name__="__main__")

    def tools(self, names: str, returns: Any = None) -> None:
        """Supply tools that note how they are called."""
        for name in names.split():
            self[name] = self.tool(name, returns)

    def tool(self, name: str, returns: Any = None) -> Callable[..., Any]:
        def called(**args: Any) -> Any:
            self.calls.append((name, args))
            if isinstance(returns, Exception):
                raise returns
            return returns

        called.__name__ = name
        return called

    def agents(self, names: str) -> None:
        """Supply agents that are functions."""
        for name in names.split():
            self[name] = self._agent(name)

    def _agent(self, name: str) -> Callable[..., Any]:
        def asked(message: str) -> str:
            self.calls.append((name, message))
            return f"{name} was asked"

        return asked

    def run(self, *given: steps.Step, context: Any = None, **engine: Any) -> steps.WorkflowResult:
        flow = steps.create_workflow("case", steps=given)
        return asyncio.run(steps.WorkflowEngine(**engine).execute_workflow(flow, context))


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Let each test register tools and agents of its own."""
    monkeypatch.setattr(registry, "TOOLS", {})
    monkeypatch.setattr(registry, "AGENTS", {})


def simple(space):
    space.agents("welcome_agent")
    space.tools("account_tool", {"account": 7})


def simple_ran(space, printed):
    workflow = space["workflow"]
    assert [step.step_id for step in workflow.steps] == ["welcome", "create_account"]
    result = asyncio.run(workflow.execute())
    assert result.success
    assert result.context["account"] == 7
    assert space.calls == [("welcome_agent", "Welcome new customer"), ("account_tool", {"type": "standard"})]


def onboarding(space):
    space.tools("send")
    space["workflow"] = steps.create_workflow("onboarding", steps=[steps.ToolStep("send", space["send"])])


def onboarding_ran(space, printed):
    result = space["result"]
    assert printed.splitlines()[0] == "Workflow Status: completed"
    assert printed.splitlines()[2:] == ["Steps Completed: 1", "Success Rate: 100.0%"]
    assert result.workflow_id == "onboarding_001"
    assert result.metadata["started_by"] == "system"


def billing_agent(space, printed):
    step = space["agent_step"]
    assert (step.timeout, step.retry.max_retries) == (60, 3)
    high = space.run(step, context={"priority": "high"}, model="test").steps[0]
    assert high.is_success and isinstance(high.output, str)
    low = space.run(step, context={"priority": "low"}, model="test").steps[0]
    assert low.status == "skipped"


def email_tool(space, printed):
    space["email_tool"].function = lambda **args: args
    output = space.run(space["tool_step"]).steps[0].output
    assert output["template"] == "welcome_email"


def payments(space):
    space.agents("high_value_agent")
    space.tools("auto_approve_tool")


def both_payments(space, printed):
    for amount, name in ((2_000, "high_value_agent"), (10, "auto_approve_tool")):
        space.calls.clear()
        assert space.run(space["conditional_step"], context={"payment_amount": amount}).success
        assert [call[0] for call in space.calls] == [name]


def setup(space):
    space.tools("database_tool email_tool", "done")
    space.agents("manager_agent")


def all_set_up(space, printed):
    result = space.run(space["parallel_step"])
    assert result.steps[0].output == {
        "create_record": "done", "send_email": "done", "assign_manager": "manager_agent was asked",
    }  # fmt: skip


def orders(space):
    space["processing_tool"] = lambda orders, loop_index: orders[loop_index] * 2


def all_orders(space, printed):
    step = space.run(space["loop_step"], context={"orders": [1, 2, 3]}).steps[0]
    assert step.output == [2, 4, 6]
    many = space.run(space["loop_step"], context={"orders": [*range(20)]}).steps[0]
    assert len(many.output) == 10
    assert "max_iterations" in many.metadata["stopped"]


def payment_errors(space):
    space["payment_tool"] = space.tool("payment_tool", ValueError("card refused"))
    space.agents("review_agent")


def payment_reviewed(space, printed):
    space["payment_step"].with_retry(3, delay=0)
    result = asyncio.run(space["workflow"].execute())
    assert result.success
    assert result.steps[0].output == "review_agent was asked"
    assert [name for name, _ in space.calls] == ["payment_tool"] * 4 + ["review_agent"]


def state(space):
    space["workflow"] = steps.create_workflow(
        "onboarding", steps=[steps.ToolStep("rank", lambda customer_tier: {"rank": customer_tier.upper()})]
    )


def final_state(space, printed):
    assert space["final_context"].variables["rank"] == "PREMIUM"
    assert space["final_context"]["step_rank_result"] == {"rank": "PREMIUM"}
    assert "rank" not in space["context"].variables
    assert printed.splitlines()[-1] == "Step results: [{'rank': 'PREMIUM'}]"


def streamed(space):
    space["context"] = {}
    fails = steps.ToolStep("bad", space.tool("bad", ValueError("no")))
    space["workflow"] = steps.create_workflow("s", steps=[steps.ToolStep("good", space.tool("good", 1)), fails])


def all_streamed(space, printed):
    lines = [line for line in printed.splitlines() if "time" not in line]
    assert lines == ["Step good: completed", "  Output: 1", "Step bad: failed", "  Error: ValueError: no"]


def idempotent(space):
    space["user_exists"] = lambda user_id: user_id == 1
    steps.register_tool("create_user_account", space.tool("create_user_account"))


def users_made(space, printed):
    context = {"user_id": 2, "email": "a@b"}
    assert space.run(space["idempotent_step"], context=context).success
    assert space.calls == [("create_user_account", {**context, "upsert": True})]
    space.calls.clear()
    assert space.run(space["safe_step"], context={"user_id": 1}).success
    assert not space.calls
    assert space.run(space["safe_step"], context={"user_id": 2}).success
    assert space.calls == [("create_user_account", {})]


def partial_failure(space, printed):
    for failing, is_success in ((["update_crm"], True), (["update_crm", "update_billing"], False)):
        tools = {
            name: space.tool(name, ValueError("down") if name in failing else "ok")
            for name in ("update_crm", "update_billing", "update_analytics")
        }
        space.calls.clear()
        for branch in space["robust_parallel"].branches:
            branch.with_retry(max_attempts=branch.retry.max_retries + 1, delay=0)
        result = space.run(space["robust_parallel"], tools=tools)
        assert result.success is is_success
        assert [name for name, _ in space.calls].count("update_crm") == 3


def timeouts(space, printed):
    assert [step.timeout for step in space["workflow"].steps] == [10, 300, 3600]


def logged(space):
    space["logger"] = logging.getLogger("test")


def logs(space, printed, caplog):
    space["workflow"].add_step(steps.ToolStep("one", lambda: 1))
    with caplog.at_level(logging.INFO, "test"):
        asyncio.run(space["workflow"].execute({"a": 1}))
    first, second = [record for record in caplog.records if record.name == "test"]
    assert (first.message, first.state_keys) == ("Starting step: one", ["a"])
    assert second.success is True


def shop(space):
    steps.register_tool("validate_order", space.tool("validate_order", {"order_valid": True}))
    steps.register_tool("check_inventory", space.tool("check_inventory", {"inventory_available": True}))
    steps.register_tool("process_payment", space.tool("process_payment", {"payment_successful": True}))
    for name in ("update_inventory", "create_shipping_label", "send_confirmation_email", "update_crm"):
        steps.register_tool(name, space.tool(name, "ok"))
    steps.register_agent(steps.Agent("fulfillment_agent", "You complete orders.", model="test"))


def shop_ran(space, printed):
    lines = printed.splitlines()
    assert lines[0].endswith("Starting order processing workflow...")
    assert lines[1].endswith("Workflow completed with status: completed")
    assert lines[3].endswith("Steps completed: 5/5")
    assert lines[4].endswith("Order ORD-12345 processed successfully!")


def no_check(space, printed):
    """Nothing more to look at than that it runs."""


@dataclass
class Case:
    """A block, known by a line of it; what it assumes, and what must come of it."""

    line: str
    supply: Callable[[Space], object] = lambda space: None
    check: Callable[..., None] = no_check

    def __str__(self) -> str:
        return self.line


CASES = [
    Case("# Create a simple workflow", simple, simple_ran),
    Case('workflow_id="onboarding_001",', onboarding, onboarding_ran),
    Case("def instructions(state):", check=billing_agent),
    Case("email_tool = Tool(", check=email_tool),
    Case("# Create conditional step", payments, both_payments),
    Case("# Create steps for parallel execution", setup, all_set_up),
    Case("# Create step to execute in loop", orders, all_orders),
    Case("def payment_error_handler(step_result, context):", payment_errors, payment_reviewed),
    Case("# Create context with initial state", state, final_state),
    Case("# Stream workflow execution", streamed, all_streamed),
    Case("# Good: Idempotent step", idempotent, users_made),
    Case("# Parallel step with failure handling", check=partial_failure),
    Case("# Different timeouts for different step types", check=timeouts),
    Case("class DetailedWorkflowLogger(WorkflowLogger):", logged, logs),
    Case("async def create_order_processing_workflow():", shop, shop_ran),
]
STYLE_B = """from graflow_nb.steps import ToolStep, ConditionalStep, ParallelStep, AgentStep, WorkflowBuilder
"""


def blocks() -> list[str]:
    """Return the document's Python blocks, with their imports turned to ours."""
    if not SEEDS.is_dir():
        pytest.skip(f"NOT TESTED: the document is not there ({SEEDS})")
    (path,) = SEEDS.glob("003_*.txt")
    found = re.findall(r"(?ms)^```python\n(.*?)^```", path.read_text("utf-8"))
    return [re.sub(r"(?m)^from jaf(\.core\.workflows)?\b", "from graflow_nb.steps", block) for block in found]


def block_with(line: str) -> str:
    (block,) = [block for block in blocks() if line in (text.strip() for text in block.splitlines())]
    return block


def run(source: str, space: Space) -> None:
    """Run a block; some of them await at the top level, as a notebook lets them."""
    code = compile(source, "<block>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    made = eval(code, space)
    if inspect.iscoroutine(made):
        asyncio.run(made)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_block_of_the_document(case, capsys, caplog):
    space = Space()
    exec(STYLE_B, space)  # the short blocks take for granted what those before them have imported
    case.supply(space)
    run(block_with(case.line), space)
    args = (caplog,) if "caplog" in inspect.signature(case.check).parameters else ()
    case.check(space, capsys.readouterr().out, *args)


def test_every_block_has_its_case():
    lines = [case.line for case in CASES]
    cases_of = [[line for line in lines if line in map(str.strip, block.splitlines())] for block in blocks()]
    assert [len(cases) for cases in cases_of] == [1] * 15
