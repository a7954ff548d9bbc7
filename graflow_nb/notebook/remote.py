"""What the command line asks of a notebook's kernel: a function for each question, the answers as plain data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython

from graflow_nb.core.errors import GraflowError, describe, did_you_mean
from graflow_nb.core.known_backends import THREADS, backend_named
from graflow_nb.core.param import Param
from graflow_nb.core.selection import needed_for
from graflow_nb.notebook.extension import session_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from graflow_nb.core.run import Run, TaskRecord
    from graflow_nb.core.workflow import WorkflowContext
    from graflow_nb.notebook.session import Session

ANSWER = "application/vnd.graflow-nb.answer+json"
"""The kind of display that carries an answer."""
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def answer(function: str, given: Mapping[str, Any]) -> None:
    """Show what a function of this module answers; `{"problem": …}` if it raises an error of ours."""
    shell: Any = get_ipython()
    try:
        found = _FUNCTIONS[function](session_of(shell), **given)
    except GraflowError as error:
        found = {"problem": str(error)}
    except OSError as error:
        found = {"problem": f"{error.filename or 'a file'}: {error.strerror}"}
    shell.display_pub.publish({ANSWER: {"answer": found}})


def _choose(session: Session, flow: str | None, cache: str | None) -> Any:
    """Make the flow that is meant the one in use."""
    there = {name: each for name, each in session.flows.items() if each.graph.nodes}
    if flow is not None:
        if flow not in there:
            raise GraflowError(f"there is no flow {flow!r}. {did_you_mean(flow, there)}")
        name = flow
    elif session.flow.name in there:
        name = session.flow.name
    elif len(there) == 1:
        name = next(iter(there))
    elif there:
        raise GraflowError(f"there are several flows, {', '.join(there)}: say which with --flow")
    else:
        raise GraflowError("its cells made no task")
    chosen = session.use(name)
    if cache is not None:
        session.keep_in(chosen, cache)
    return name


def _check(session: Session, targets: Sequence[str], values: Mapping[str, Any], backend: str | None) -> Any:
    """Raise if a run of these targets with these values of parameters could not begin there."""
    flow = session.flow
    if backend not in {None, THREADS}:
        backend_named(backend)
    for name, value in values.items():
        if isinstance(param := flow.graph.nodes.get(name), Param):
            param.span.check(name, value)
    needed_for(flow.plan(values), flow.name, [flow.named(target) for target in targets])
    return {}


def _known(session: Session, values: Sequence[str]) -> Any:
    """Return which of these parameters there are so far."""
    params = session.flow.params
    return [name for name in values if name in params]


def _stale(session: Session, targets: Sequence[str]) -> Any:
    """Return what would have to run for these targets."""
    flow = session.flow
    plan = flow.plan()
    stale = flow.stale(plan)
    return [name for name in (*targets, *plan.ancestors(targets)) if name in stale]


def _facts(session: Session) -> Any:
    """Return what became of the last run."""
    run = session.flow.last_run
    return None if run is None else facts_of(run)


def facts_of(run: Run) -> dict[str, Any]:
    """Return a run as plain data."""
    return {
        "flow": run.name,
        "ok": run.ok,
        "seconds": run.seconds,
        "started": run.started_at,
        "summary": run.summary(),
        "notes": list(run.notes),
        "tasks": [_task(run, name, record) for name, record in run.records.items()],
    }


def _task(run: Run, name: str, record: TaskRecord) -> dict[str, Any]:
    error = record.error
    outputs = list(record.outputs)
    errors = [output for output in outputs if output["output_type"] == "error"]
    return {
        "name": name,
        "status": record.status.word,
        "seconds": record.seconds,
        "started": record.started,
        "worker": record.worker,
        "note": record.note,
        "tolerated": name in run.tolerated and not record.status.is_success,
        "after": list(run.parents.get(name, ())),
        "error": None
        if error is None
        else {
            "type": type(error).__name__,
            "message": describe(error),
            "traceback": _ANSI.sub("", "\n".join(errors[-1]["traceback"])) if errors else "",
        },
        "stdout": "".join(o["text"] for o in outputs if o.get("name") == "stdout"),
        "stderr": "".join(o["text"] for o in outputs if o.get("name") == "stderr"),
    }


def _picture(session: Session, form: str, file: str) -> Any:
    """Write the flow in a form to a file."""
    from graflow_nb.notebook.document.write import write_whole

    write_whole(Path(file), getattr(session.flow, f"to_{form}")())
    return file


def _report(session: Session, file: str, title: str) -> Any:
    """Write the report of the last run; answer whether there was one."""
    from graflow_nb.notebook.document.write import write_whole
    from graflow_nb.notebook.reports import report_of

    run = session.flow.last_run or _newest(session)
    if run is None:
        return False
    write_whole(Path(file), report_of(run, title=title))
    return True


def _newest(session: Session) -> Run | None:
    runs = [flow.last_run for flow in session.flows.values() if flow.last_run is not None]
    return max(runs, key=lambda run: run.started_at, default=None)


def _overview(session: Session) -> Any:
    """Return the flow's tasks and their states, as text."""
    from graflow_nb.notebook.answers import overview

    return overview(session.flow)


def _describe(session: Session, task: str) -> Any:
    """Return a task's code, what it reads and defines."""
    from graflow_nb.views.snapshot import source_of

    flow: WorkflowContext = session.flow
    plan, name = flow.plan(), flow[task].name
    there = plan.tasks[name]
    return {
        "name": name,
        "source": source_of(there),
        "after": list(plan.parents[name]),
        "before": list(plan.children[name]),
        "defines": list(there.defines),
    }


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "check": _check,
    "choose": _choose,
    "describe": _describe,
    "facts": _facts,
    "known": _known,
    "overview": _overview,
    "picture": _picture,
    "report": _report,
    "stale": _stale,
}
