"""``%%task`` and ``%flow``: arguments in, one call to a lower floor, something shown."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from IPython.core.display_trap import DisplayTrap
from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from graflow_nb.core.errors import GraflowError, did_you_mean
from graflow_nb.core.scope import running
from graflow_nb.notebook import answers, formats
from graflow_nb.notebook.arguments import HelpShown, flow_parsers, overview, task_parser, task_settings
from graflow_nb.notebook.capture import show_value
from graflow_nb.notebook.cells import check_name, compile_cell, function_of, imports_of
from graflow_nb.notebook.display import replay
from graflow_nb.notebook.errors import RunFailed, RunInterrupted, TaskSyntaxError
from graflow_nb.notebook.papers import Papers
from graflow_nb.notebook.traceback import own_traceback
from graflow_nb.notebook.upkeep import Upkeep, assignments

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from graflow_nb.notebook.session import Session


@magics_class
class FlowMagics(Upkeep, Papers, Magics):
    """The magics of one notebook.

    Parameters
    ----------
    shell : InteractiveShell
    session : Session
    previous : callable, optional
        The ``%flow`` that was there before: it gets the sub-commands that are not ours.
    """

    def __init__(
        self, shell: InteractiveShell, session: Session, previous: Callable[[str], Any] | None = None
    ) -> None:
        super().__init__(shell)
        self.shell: InteractiveShell = shell
        self._session = session
        self._previous = previous
        self._parsers = flow_parsers()

    @no_var_expand
    @cell_magic
    def task(self, line: str, cell: str) -> None:
        """Make this cell a task. %%task --help shows how."""
        self._guarded(self._task, line, cell)

    @no_var_expand
    @line_magic
    def flow(self, line: str) -> Any:
        """Run, draw and question the flow in use. %flow help lists what there is."""
        return self._flow(line)

    def _flow(self, line: str) -> Any:
        word, _, rest = line.strip().partition(" ")
        if word in {"", "help", "--help", "-h"}:
            print(overview())
            return None
        if word not in self._parsers:
            if self._previous is not None:
                return self._previous(line)
            raise UsageError(f"%flow has no sub-command {word!r}. {did_you_mean(word, self._parsers)}")
        return self._guarded(self._command, word, rest)

    @no_var_expand
    @line_magic
    def graflow(self, line: str) -> Any:
        """Do what %flow does, whoever else has a %flow."""
        return self._flow(line)

    def _guarded(self, do: Callable[..., Any], *args: Any) -> Any:
        """Show help that is asked for; let an error of ours be a line, not a traceback through our code."""
        if (inside := running.get()) is not None:
            raise UsageError(f"%%task and %flow are not for the inside of a running task ({inside.task_name!r})")
        try:
            return do(*args)
        except HelpShown as shown:
            print(shown)
        except SyntaxError as error:
            raise TaskSyntaxError(self.shell, error) from None
        except RunFailed:
            raise
        except GraflowError as error:
            raise UsageError(str(error)) from None
        return None

    def _task(self, line: str, cell: str) -> None:
        options = task_parser().read(line)
        settings = task_settings(options)
        raw = self._raw_cell(line, cell)
        fn: Callable[..., Any]
        if options.name is None:
            name, fn = function_of(self.shell, cell, raw)
            settings |= self._condition(name, options.when)
            task, said = self._session.define(name, fn, (), settings)
        else:
            check_name(options.name)
            fn = compile_cell(self.shell, options.name, cell, raw, show_value)
            settings |= self._condition(options.name, options.when)
            task, said = self._session.define(options.name, fn, fn.variables, settings)
            self._bind_imports(cell)
        if options.run:
            self._run(self._parsers["run"].read(task.name))
        else:
            formats.show_defined(self.shell, self._session.flow, task, said)

    def _condition(self, name: str, expression: str | None) -> dict[str, Any]:
        """Compile what ``--when`` says."""
        if expression is None:
            return {}
        return {"when": compile_cell(self.shell, f"{name}?", expression, expression, lambda _: None)}

    def _bind_imports(self, cell: str) -> None:
        """Bind what the cell imports in the notebook; if that fails, the task itself will say so."""
        with suppress(Exception):
            exec(imports_of(self.shell.transform_cell(cell)), self.shell.user_ns)  # noqa: S102

    def _raw_cell(self, line: str, cell: str) -> str:
        get_parent = getattr(self.shell, "get_parent", None)
        parent = (get_parent() if get_parent else None) or {}
        raw: str = parent.get("content", {}).get("code", "")
        return raw or f"%%task {line}\n{cell}"

    def _command(self, word: str, rest: str) -> Any:
        return getattr(self, f"_{word}")(self._parsers[word].read(rest))

    def _run(self, options: Namespace) -> None:
        flow = self._session.flow
        if not flow.graph.nodes and (others := [n for n, f in self._session.flows.items() if f.graph.nodes]):
            raise UsageError(
                f"the flow in use, {flow.name!r}, has no tasks yet. Others have: %flow use {others[-1]}"
            )
        if any(run.workflow is flow for run in self._session.going):
            raise UsageError("a run of this flow is going on in the background: wait for it, or %flow cancel")
        if options.keep_going and options.fail_fast:
            raise UsageError("%flow run: --keep-going and --fail-fast are opposites; give one of them")
        try:
            run = flow.run(
                *options.targets,
                from_=options.from_,
                force=options.force,
                set=assignments(options.set),
                workers=options.workers,
                fail_fast=options.fail_fast,
                background=options.background,
                backend=options.backend,
            )
        except KeyboardInterrupt:
            assert flow.last_run is not None
            raise RunInterrupted(flow.last_run) from None
        if not options.background and run.failures:
            raise RunFailed(run)

    def _show(self, options: Namespace) -> None:
        flow = self._session.flow
        if options.task is None:
            formats.show_flow(self.shell, self._session.live, flow)
            return
        task = flow[options.task]
        if task.outputs:
            replay(self.shell, task.name, task.outputs)
        else:
            print(f"{task.name} has no outputs")

    def _status(self, _: Namespace) -> None:
        answers.show_status(self.shell, self._session.flow)

    def _why(self, options: Namespace) -> None:
        answers.show_why(self.shell, self._session.flow, self._session.flow[options.task])

    def _check(self, _: Namespace) -> None:
        flow = self._session.flow
        print("\n".join(map(str, flow.check())) or f"nothing looks wrong in {flow.name!r}")

    def _debug(self, options: Namespace) -> None:
        task = self._session.flow[options.task]
        record = task.record
        if record is None or record.error is None:
            raise UsageError(f"%flow debug: task {task.name!r} did not fail in its last run")
        debugger = self.shell.InteractiveTB.debugger_cls()
        with DisplayTrap(hook=sys.__displayhook__):
            debugger.reset()
            debugger.interaction(None, own_traceback(record.error) or record.error.__traceback__)

    def _list(self, _: Namespace) -> None:
        for name, flow in self._session.flows.items():
            mark = "*" if flow is self._session.flow else " "
            last = f", last run: {flow.last_run.summary()}" if flow.last_run else ""
            print(f"{mark} {name}: {len(flow.graph)} tasks{last}")

    def _use(self, options: Namespace) -> None:
        formats.show_flow(self.shell, self._session.live, self._session.use(options.flow))

    def _remove(self, options: Namespace) -> None:
        for name in options.tasks:
            _ = self._session.flow[name]
        for name in options.tasks:
            self._session.remove(name)
        print(f"removed: {', '.join(options.tasks)}")

    def _reset(self, _: Namespace) -> None:
        count = len(self._session.flow.graph)
        self._session.reset()
        print(f"removed all {count} tasks of {self._session.flow.name!r}; run their cells to have them back")

    def _cancel(self, _: Namespace) -> None:
        going = self._session.going
        for run in going:
            run.cancel()
        print(f"cancelling {len(going)} run(s)" if going else "no run is going on in the background")
