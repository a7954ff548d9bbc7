"""Answers about a flow's tasks in a notebook: what is out of date, and why, as text and as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from graflow_nb.core.errors import describe
from graflow_nb.core.status import Status
from graflow_nb.views.page import FAINT, chip_html
from graflow_nb.views.table import table_html, table_text
from graflow_nb.views.text import Badge, badge, escaped, human_seconds
from graflow_nb.views.why import Line, roots, why_html, why_lines, why_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from graflow_nb.core.plan import Plan
    from graflow_nb.core.run import TaskRecord
    from graflow_nb.core.task import Task
    from graflow_nb.core.workflow import WorkflowContext
    from graflow_nb.views.table import Cell
    from graflow_nb.views.why import Reasons

_NOT_RUN = Badge("·", "not run yet", "#6b7280")
_STALE = Badge("↻", "out of date", "#b45309")
_CURRENT = Badge("✓", "up to date", "#15803d")
_ACCEPTED = Badge("✓", "accepted", "#0f766e")
_UNWIRED = Badge("·", "unwired", "#6b7280")
_CANNOT_RUN = Badge("✗", "cannot run", "#b91c1c")
_MOST_REASONS = 3
"""Reasons of a task that the list of all tasks has room for."""


def show_status(shell: InteractiveShell, flow: WorkflowContext) -> None:
    """List a flow's tasks: which are out of date, and what started that."""
    plan = flow.plan()
    stale = flow.stale(plan)
    rows: list[Sequence[Cell]] = []
    for name in plan.order(plan.tasks):
        record = plan.tasks[name].record
        took = human_seconds(record.seconds) if record and record.seconds is not None else ""
        last = badge(record.status if record else None)
        rows.append(
            (name, _state(flow, plan, stale, name), f"{last.symbol} {last.word}", took, _why(plan, stale, name))
        )
    title = f"{flow.name}: {len(stale)} of {len(plan.tasks)} out of date"
    show_table(shell, title, ("task", "state", "last run", "took", "why"), rows)


def overview(flow: WorkflowContext) -> str:
    """Return a flow's tasks as text: what state each is in, what it comes after, and why it is out of date."""
    plan = flow.plan()
    stale = flow.stale(plan)
    rows: list[Sequence[Cell]] = [
        (name, _state(flow, plan, stale, name), ", ".join(plan.parents[name]), _why(plan, stale, name))
        for name in plan.order(plan.tasks)
    ]
    head = f"{flow.name}: {len(stale)} of {len(plan.tasks)} tasks out of date"
    return f"{head}\n\n{table_text(('task', 'state', 'after', 'why'), rows)}"


def _state(flow: WorkflowContext, plan: Plan, stale: Reasons, name: str) -> Badge:
    if name in plan.missing:
        return _UNWIRED if name in plan.unwired else _CANNOT_RUN
    if any(reason.kind == "outdated" for reason in stale.get(name, ())):
        return _CANNOT_RUN
    if name in stale:
        return _STALE if plan.tasks[name].record else _NOT_RUN
    is_accepted = any(reason.kind == "accepted" for reason in flow.why(name))
    return _ACCEPTED if is_accepted else _CURRENT


def _why(plan: Plan, stale: Reasons, name: str) -> str:
    if name in plan.missing:
        return plan.missing[name].message
    found = roots(stale.get(name, ()), stale)
    more = [f"and {len(found) - _MOST_REASONS} more"] if len(found) > _MOST_REASONS else []
    return "; ".join([*found[:_MOST_REASONS], *more])


def show_why(shell: InteractiveShell, flow: WorkflowContext, task: Task) -> None:
    """Say why a task would run or be reused now, and why it did in its last run."""
    shown = [*now_parts(flow, task), *last_parts(flow, task)]
    text = [task.name]
    for when, look, about, lines in shown:
        text += [
            f"  {when}: {look.symbol} {look.word} {about}".rstrip(),
            why_text(line.deeper(2) for line in lines),
        ]
    html = f"<div><strong>{escaped(task.name)}</strong></div>{parts_html(shown)}"
    shell.display_pub.publish(
        {
            "text/plain": "\n".join(filter(None, text)),
            "text/html": f'<div style="margin:4px 0">{html}</div>',
        }
    )


class Part(NamedTuple):
    """What is said of a task now, or of its last run."""

    when: str
    look: Badge
    about: str
    lines: list[Line]


def now_parts(flow: WorkflowContext, task: Task) -> list[Part]:
    """Return why a task would run or be reused now."""
    plan = flow.plan()
    stale = flow.stale(plan)
    state = _state(flow, plan, stale, task.name)
    if task.name in plan.missing:
        return [Part("now", state, "", [Line(0, plan.missing[task.name].message)])]
    if task.name in stale:
        about = "" if state is _CANNOT_RUN else "it runs, because"
        return [Part("now", state, about, why_lines(stale[task.name], stale))]
    return [Part("now", state, "it is reused:", why_lines(flow.why(task.name), {}))]


def last_parts(flow: WorkflowContext, task: Task) -> list[Part]:
    """Return why a task ran or was reused in its last run; nothing if there was none."""
    record = task.record
    return [] if record is None else [Part("last run", badge(record.status), *_last_run(flow, record))]


def parts_html(parts: Iterable[Part]) -> str:
    """Return parts as HTML."""
    html = []
    for when, look, about, lines in parts:
        html.append(f'<div style="margin:6px 0 2px"><span style="{FAINT}">{when}</span> ')
        html.append(f"{chip_html(look, f'{look.symbol} {look.word}')} {escaped(about)}</div>")
        html.append(f'<div style="margin:0 0 6px 1.4em">{why_html(lines)}</div>')
    return "".join(html)


def _last_run(flow: WorkflowContext, record: TaskRecord) -> tuple[str, list[Line]]:
    """Return what is said of a task's last run; results that changed are followed to the tasks that ran."""
    ran = flow.last_run.records if flow.last_run is not None else {}
    before = {n: r.reasons for n, r in ran.items() if r.status is Status.SUCCEEDED and r is not record}
    if record not in ran.values():
        before = {}
    lines = [
        line._replace(text="there was no result of it yet")
        if line.text == "there is no result of it yet"
        else line
        for line in why_lines(record.reasons, before)
    ]
    about = describe(record.error) if record.error is not None else record.note
    is_new = about and not any(line.text.endswith(about) for line in lines)
    lines += [Line(0, about)] if is_new else []
    took = f"in {human_seconds(record.seconds)}" if record.seconds is not None else ""
    if record.status is Status.CACHED:
        return f"it was reused, which saved {human_seconds(record.seconds or 0)}:", lines
    return f"{took}, because".strip(", ") if record.reasons else took, lines


def show_table(shell: InteractiveShell, title: str, header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Show rows of short texts under a title; a last column without any is left out."""
    if rows and not any(row[-1] for row in rows):
        header, rows = header[:-1], [row[:-1] for row in rows]
    html = f"<div><strong>{escaped(title)}</strong></div>{table_html(header, rows)}"
    text = f"{title}\n{table_text(header, rows)}"
    shell.display_pub.publish({"text/plain": text, "text/html": f'<div style="margin:4px 0">{html}</div>'})
