"""How flows, tasks and answers about them look in a notebook: a picture or table, and the same as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from graflow_nb.core.compose import Chain, ParallelGroup, PolicyGroup
from graflow_nb.core.errors import GraflowError
from graflow_nb.core.run import Run
from graflow_nb.core.scope import current_workflow
from graflow_nb.core.task import Task
from graflow_nb.core.workflow import WorkflowContext
from graflow_nb.incremental.code.parts import short
from graflow_nb.notebook.cells import CellBody
from graflow_nb.notebook.display import image_of, show_widget
from graflow_nb.notebook.live import is_live
from graflow_nb.views.page import chip_html, flow_html, notes_html, static_html
from graflow_nb.views.snapshot import flow_view, run_view
from graflow_nb.views.text import badge, escaped, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from graflow_nb.core.call import Produced
    from graflow_nb.notebook.live import Live
    from graflow_nb.views.model import FlowView

    Bundle = dict[str, str]
    WithMetadata = tuple[Bundle, dict[str, Any]]

_FLOWS = (Chain, ParallelGroup, PolicyGroup, WorkflowContext)
_MOST_NAMED = 6


def register(shell: InteractiveShell, live: Live) -> Callable[[], None]:
    """Let the shell show our objects; return what undoes it."""
    display_formatter: Any = shell.display_formatter
    formatter = display_formatter.mimebundle_formatter
    itself = display_formatter.ipython_display_formatter
    shows = {
        Chain: _expression,
        ParallelGroup: _expression,
        PolicyGroup: _expression,
        WorkflowContext: _flow,
        Task: _task,
        Run: _run,
    }
    for kind, show in shows.items():
        formatter.for_type(kind, lambda value, include=None, exclude=None, show=show: show(value))  # noqa: ARG005

    def show_live(value: Any) -> None:
        flow = value if isinstance(value, WorkflowContext) else current_workflow()
        if flow is None or not is_live(shell):
            raise NotImplementedError  # the formatter then asks for a picture
        show_flow(shell, live, flow)

    for kind in _FLOWS:
        itself.for_type(kind, show_live)

    def undo() -> None:
        for kind in shows:
            formatter.pop(kind, None)
        for kind in _FLOWS:
            itself.pop(kind, None)

    return undo


def show_flow(shell: InteractiveShell, live: Live, flow: WorkflowContext) -> None:
    """Draw a flow as it stands, and keep the drawing alive where that can be done."""
    plan = flow.plan()
    stale = flow.stale(plan)
    display_id = f"graflow-{uuid4().hex}"
    is_new = show_widget(shell, live, flow, display_id, plan, stale) if is_live(shell) else None
    if is_new is False:  # the cell shows the flow already
        return
    has_widget = bool(is_new)
    bundle, metadata = _picture(flow_view(flow.name, plan, stale), plan.notes)
    if has_widget:
        bundle["text/html"] = static_html(bundle["text/html"])
    shell.display_pub.publish(bundle, metadata, transient={"display_id": display_id} if has_widget else None)


def show_defined(shell: InteractiveShell, flow: WorkflowContext, task: Task, said: Sequence[str]) -> None:
    """Say in a line what a cell defined, what it reads, and what is out of date now."""
    facts = []
    try:
        plan = flow.plan()
        reads = [n if n == s.task else f"{n} of {s.task}" for n, s in _upstream(plan, task.name)]
        facts += [f"reads {', '.join(dict.fromkeys(reads))}"] if reads else []
        facts += [f"defines {', '.join(task.defines)}"] if task.defines else []
        facts.append(stale_words(flow.stale(plan)))
        facts += plan.notes
        if task.name in plan.missing and plan.parents[task.name]:
            facts.append(f"nothing gives it {', '.join(plan.missing[task.name].parameters)} yet")
    except GraflowError as error:
        facts.append(str(error))
    lines = [f"task {task.name}: {' · '.join(facts)}", *said]
    html = notes_html(lines)
    shell.display_pub.publish({"text/plain": "\n".join(lines), "text/html": html})


def _expression(_: Any) -> WithMetadata | None:
    flow = current_workflow()
    return None if flow is None else _flow(flow)


def _flow(flow: WorkflowContext) -> WithMetadata:
    plan = flow.plan()
    return _picture(flow_view(flow.name, plan, flow.stale(plan)), plan.notes)


def _run(run: Run) -> Bundle | WithMetadata | None:
    """Show a run; one that showed itself already gives only a line."""
    return {"text/plain": repr(run)} if run.is_captured else _picture(run_view(run), run.notes)


def _task(task: Task) -> Bundle:
    record = task.record
    look = badge(record.status if record else None)
    made = _shown_result(record.produced) if record and record.produced else ""
    about = f"{look.word}" + (f", result: {made} (in {task.name}.result)" if made else "")
    kind = "cell" if isinstance(task.fn, CellBody) else "function"
    chip = chip_html(look, f"{look.symbol} {escaped(task.name)}")
    return {
        "text/plain": f"<task {task.name!r} ({kind}): {about}>",
        "text/html": f"<div>{chip} task ({kind}) · {escaped(about)}</div>",
    }


def _shown_result(produced: Produced) -> str:
    """Return a result in short, "" if it is None; one that is elsewhere is not fetched for it."""
    if away := produced.away(None):
        return repr(away[0])
    return short(produced.value) if produced.value is not None else ""


def _picture(view: FlowView, notes: Iterable[str]) -> WithMetadata:
    said = list(notes)
    bitmap, metadata = image_of(view)
    text = "\n".join([to_text(view), *said])
    return {"text/html": flow_html(view) + notes_html(said), **bitmap, "text/plain": text}, metadata


def _upstream(plan: Any, name: str) -> list[tuple[str, Any]]:
    binding = plan.bindings.get(name)
    return [(n, s) for n, s in (binding.sources() if binding else ()) if hasattr(s, "task")]


def stale_words(stale: Iterable[str]) -> str:
    """Say in a few words what is out of date."""
    names = list(stale)
    if not names:
        return "nothing is out of date"
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"out of date: {', '.join(names[:_MOST_NAMED])}{more}"
