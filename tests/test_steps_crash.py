"""A process that dies in the middle of a workflow, and another one that carries on."""

from __future__ import annotations

import subprocess
import sys
import textwrap

SCRIPT = textwrap.dedent("""
    import asyncio, os, sys
    from graflow_nb.steps import LoopStep, ParallelStep, ToolStep, WorkflowEngine, create_workflow

    def mark(name):
        with open("marks", "a") as file:
            file.write(name + " ")

    def charge(total):
        mark("charge")
        return {"receipt": total * 2}

    def label(receipt):
        mark("label")
        return f"label {receipt}"

    def item(loop_index):
        mark(f"item{loop_index}")
        return loop_index

    def dies(receipt):
        mark("dies")
        if sys.argv[1] == "die":
            os._exit(9)
        return receipt

    workflow = create_workflow("order", steps=[
        ToolStep("charge", charge).idempotent(),
        ParallelStep("p", [ToolStep("label", label).idempotent()]),
        LoopStep("loop", ToolStep("item", item).idempotent(), max_iterations=2),
        ToolStep("dies", dies).idempotent(),
    ])
    engine = WorkflowEngine()
    result = asyncio.run(engine.execute_workflow(workflow, {"total": 5}, resume=sys.argv[1] == "resume"))
    print(result.status, result.context["step_dies_result"], result.context["step_label_result"])
""")


def test_another_process_carries_on(tmp_path):
    (tmp_path / "order.py").write_text(SCRIPT)

    def run(how):
        command = [sys.executable, "order.py", how]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        marks = (tmp_path / "marks").read_text().split()
        (tmp_path / "marks").write_text("")
        return done.returncode, done.stdout.strip(), marks

    everything = ["charge", "label", "item0", "item1", "dies"]
    assert run("die") == (9, "", everything)
    assert run("resume") == (0, "completed 10 label 10", ["dies"])
    assert run("resume") == (0, "completed 10 label 10", [])
    assert run("again") == (0, "completed 10 label 10", everything)
