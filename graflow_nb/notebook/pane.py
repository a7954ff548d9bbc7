"""What the live widget says of the task that is selected: its code, why it runs, its data, its last runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_nb.core.arguments import Constant, Gathered, Upstream, upstreams
from graflow_nb.core.away import Away
from graflow_nb.core.param import Param
from graflow_nb.incremental.code.parts import short
from graflow_nb.notebook.answers import last_parts, now_parts, parts_html
from graflow_nb.views.code import code_html
from graflow_nb.views.outputs import bounded
from graflow_nb.views.preview import Preview, preview, values_html
from graflow_nb.views.snapshot import source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graflow_nb.core.call import Produced
    from graflow_nb.core.plan import Plan
    from graflow_nb.core.task import Task
    from graflow_nb.core.workflow import WorkflowContext

MOST_TEXT = 100_000
"""Characters of one text that the pane shows."""
_ON_DISK = Preview("not loaded", "", "kept on disk until something reads it")
_NOT_THERE = Preview("", "", "not there yet")


def why_html_of(flow: WorkflowContext, task: Task, *, is_idle: bool) -> str:
    """Say why a task would run now and why it last did; only the second while other code runs.

    What a task reads must not be looked at while it may be changed.
    """
    parts = now_parts(flow, task) if is_idle and task.name in flow.graph else []
    return parts_html([*parts, *last_parts(flow, task)])


def code_of(task: Task) -> str:
    """Return a task's code as HTML; of a parameter its value."""
    if isinstance(task, Param):
        return code_html(f"{task.name} = {short(task.value)}")
    return code_html(bounded(source_of(task), MOST_TEXT, ""))


def data_html(plan: Plan, task: Task) -> str:
    """Show a task's arguments, its result and its variables; what is on disk or elsewhere stays there."""
    rows = list(_arguments(plan, task.name))
    made = []
    if task.record is not None and task.record.produced is not None:
        produced = task.record.produced
        made += [(name or "result", "", _preview(produced, name)) for name in (None, *produced.variables)]
    return values_html("Takes", rows) + values_html("Made", made)


def _arguments(plan: Plan, name: str) -> Iterator[tuple[str, str, Preview]]:
    binding = plan.bindings.get(name)
    for parameter, source in binding.sources() if binding is not None else ():
        if isinstance(source, Constant):
            yield parameter, "default or fixed", preview(source.value)
        elif isinstance(source, Upstream):
            origin = source.task if source.variable is None else f"{source.variable} of {source.task}"
            yield parameter, origin, _made(plan, source)
        elif isinstance(source, Gathered):
            yield (
                parameter,
                ", ".join(up.task for up in upstreams(source)),
                Preview("list", f"{len(source.tasks)} items"),
            )


def _made(plan: Plan, source: Upstream) -> Preview:
    record = plan.tasks[source.task].record if source.task in plan.tasks else None
    if record is None or record.produced is None:
        return _NOT_THERE
    return _preview(record.produced, source.variable)


def _preview(produced: Produced, variable: str | None) -> Preview:
    """Describe a value; one that is elsewhere was described there."""
    if variable not in produced.at_hand:
        return _ON_DISK
    value = produced.at_hand[variable]
    return Preview(*value.shown) if type(value) is Away else preview(value)


def shown_outputs(outputs: Iterator[dict[str, Any]] | Any, name: str) -> tuple[dict[str, Any], ...]:
    """Return outputs for the front end: the same, with long texts cut."""
    hint = f"{name}.outputs has all of it"
    return tuple(
        {**output, "text": bounded(output["text"], MOST_TEXT, hint)}
        if output["output_type"] == "stream" and len(output["text"]) > MOST_TEXT
        else dict(output)
        for output in outputs
    )
