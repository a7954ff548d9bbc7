"""Workflows of steps: tools, agents, branches and loops with one state, run by the one engine as tasks.

Examples
--------
>>> import asyncio
>>> from graflow_nb.steps import ToolStep, WorkflowBuilder
>>> workflow = WorkflowBuilder("double").add_step(ToolStep("twice", lambda number: 2 * number)).build()
>>> asyncio.run(workflow.execute({"number": 21})).steps[0].output
42
"""

from __future__ import annotations

from graflow_nb.steps.agent import Agent
from graflow_nb.steps.agent_step import AgentStep
from graflow_nb.steps.conditional import ConditionalStep
from graflow_nb.steps.engine import WorkflowEngine, execute_workflow_stream
from graflow_nb.steps.errors import StepError
from graflow_nb.steps.logger import WorkflowLogger
from graflow_nb.steps.loop import LoopStep
from graflow_nb.steps.parallel import ParallelStep
from graflow_nb.steps.registry import register_agent, register_tool
from graflow_nb.steps.results import StepResult, WorkflowResult
from graflow_nb.steps.state import WorkflowContext
from graflow_nb.steps.status import StepStatus, WorkflowStatus
from graflow_nb.steps.step import Step
from graflow_nb.steps.tool_step import ToolStep
from graflow_nb.steps.tools import Tool
from graflow_nb.steps.workflow import (
    Workflow,
    WorkflowBuilder,
    create_parallel_workflow,
    create_sequential_workflow,
    create_workflow,
)

__all__ = [
    "Agent",
    "AgentStep",
    "ConditionalStep",
    "LoopStep",
    "ParallelStep",
    "Step",
    "StepError",
    "StepResult",
    "StepStatus",
    "Tool",
    "ToolStep",
    "Workflow",
    "WorkflowBuilder",
    "WorkflowContext",
    "WorkflowEngine",
    "WorkflowLogger",
    "WorkflowResult",
    "WorkflowStatus",
    "create_parallel_workflow",
    "create_sequential_workflow",
    "create_workflow",
    "execute_workflow_stream",
    "register_agent",
    "register_tool",
]
