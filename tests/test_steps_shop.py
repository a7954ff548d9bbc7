"""The e-commerce example in its named cases: as a plain script, in a notebook, and streamed."""

from __future__ import annotations

import asyncio
import textwrap

import pytest
from test_steps_seeds import block_with

from graflow_nb.steps import registry

FULFILLMENT = ("update_inventory", "create_shipping_label", "send_confirmation_email", "update_crm")
TOOLS = {
    "validate_order": {"order_valid": True},
    "check_inventory": {"inventory_available": True},
    "process_payment": {"payment_successful": True},
    **dict.fromkeys(FULFILLMENT, "ok"),
}
AGENTS = ("order_validation_agent", "inventory_agent", "fulfillment_agent")

RUN = """
async def run_it(order=None):
    flow = await create_order_processing_workflow()
    for step in flow.all_steps():
        if step.retry is not None:
            step.with_retry(step.retry.max_retries, delay=0)
    context = WorkflowContext(workflow_id="order_1", initial_data={
        "order_id": "ORD-1", "customer_id": "C-1", "customer_email": "c@example.com", "order_items": [],
        "order_total": 10, "payment_method": "card", "shipping_address": {},
    })
    if streamed:
        from graflow_nb.steps import execute_workflow_stream
        paths = [result.path async for result in execute_workflow_stream(flow, context)]
        assert len(set(paths)) == len(paths)
    else:
        await WorkflowEngine().execute_workflow(flow, context)
    return flow.last_result
"""


class Shop:
    """The example's tools and agents; what they were asked."""

    def __init__(self, **overrides):
        self.calls: list[str] = []
        for name, returns in {**TOOLS, **overrides}.items():
            registry.register_tool(name, self._tool(name, returns))
        for name in AGENTS:
            registry.register_agent(name, self._agent(name))

    def _tool(self, name, returns):
        def tool(**args):
            self.calls.append(name)
            if isinstance(returns, Exception):
                raise returns
            return returns

        return tool

    def _agent(self, name):
        def agent(message, state):
            self.calls.append(f"{name}: {message}")
            return f"{name} did"

        return agent


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setattr(registry, "TOOLS", {})
    monkeypatch.setattr(registry, "AGENTS", {})


@pytest.fixture(params=["script", "streamed", "notebook"])
def order(request):
    """Run the example as it is written, but for the engine's last lines."""
    source = block_with("async def create_order_processing_workflow():").partition("if __name__ ==")[0]

    def place():
        space = {"__name__": "shop", "streamed": request.param == "streamed"}
        if request.param != "notebook":
            exec(source + RUN, space)
            return asyncio.run(space["run_it"]())
        notebook = request.getfixturevalue("nb")
        notebook(f"streamed = False\n{textwrap.dedent(source)}{RUN}")
        notebook("shop_result = await run_it()")
        return notebook.shell.user_ns["shop_result"]

    return place


def test_the_happy_path(order):
    shop = Shop()
    result = order()
    assert result.status == "completed"
    assert (result.steps_completed, result.total_steps) == (5, 5)
    assert sorted(shop.calls[3:7]) == sorted(FULFILLMENT)
    assert shop.calls[-1] == "fulfillment_agent: Complete order fulfillment for order ORD-1"


def test_one_of_four_branches_may_fail(order):
    Shop(update_crm=ValueError("no such customer"))
    result = order()
    assert result.status == "completed"
    assert result.get_step_result("order_fulfillment").metadata["succeeded"] == 3
    (told,) = result.metadata["escalations"]
    assert told["step"] == "fulfillment_check/order_fulfillment/update_crm"


def test_two_of_four_may_not(order):
    shop = Shop(update_crm=ValueError("no such customer"), update_inventory=ValueError("locked"))
    result = order()
    assert result.status == "failed"
    assert "2 of 4 succeeded, 3 are needed" in result.error
    assert "'fulfillment_check/order_fulfillment/update_crm' failed: ValueError: no such customer" in result.error
    assert not any("fulfillment_agent" in call for call in shop.calls)


def test_an_invalid_order_is_for_the_agent(order):
    shop = Shop(validate_order={"order_valid": False})
    result = order()
    assert shop.calls[:3] == [
        "validate_order", "order_validation_agent: Handle invalid order", "inventory_agent: Handle out of stock items",
    ]  # fmt: skip
    assert result.status == "completed"
    assert result.get_step_result("inventory_check/check_inventory").status == "skipped"
    assert "process_payment" not in shop.calls


def test_a_network_error_is_tried_again_by_the_handler_then_fails(order):
    shop = Shop(process_payment=ConnectionError("Network is down"))
    result = order()
    assert shop.calls.count("process_payment") == 2 * (1 + 3)
    assert result.status == "failed"
    assert len(result.metadata["escalations"]) == 4
    assert result.error == "step 'payment_processing/process_payment' failed: ConnectionError: Network is down"
