"""Loading into a shell and unloading from it: everything that is put somewhere is taken away again."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from IPython.core.completer import SimpleCompletion, context_matcher
from IPython.core.error import UsageError

from graflow_nb.core.compose import chain, parallel
from graflow_nb.core.decorators import task
from graflow_nb.core.errors import GraflowError
from graflow_nb.core.known_backends import QueueBackend
from graflow_nb.core.task import TaskWrapper
from graflow_nb.core.workflow import WorkflowContext, workflow
from graflow_nb.notebook import formats
from graflow_nb.notebook.arguments import completions
from graflow_nb.notebook.magics import FlowMagics
from graflow_nb.notebook.session import Session
from graflow_nb.notebook.traceback import user_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult, InteractiveShell

NAMES = {
    "task": task,
    "workflow": workflow,
    "chain": chain,
    "parallel": parallel,
    "TaskWrapper": TaskWrapper,
    "QueueBackend": QueueBackend,
    "WorkflowContext": WorkflowContext,
}
"""What a notebook has after loading, where the names are free."""

_HEADER = re.compile(r"#\|\s*task:[ \t]*(\S.*?)\s*$")
_HELP = re.compile(r"%%task\s.*(--help|-h)\s*$")
_ASKS_HELP = re.compile(r"%%task\s+(-h|--help)\s*$")
_OUR_LINE = re.compile(r"%(flow|graflow)\b")
_OURS = re.compile(r"\s*%%?(task|flow|graflow)\s")


def load(shell: InteractiveShell) -> None:
    """Load into a shell; a second time, do nothing."""
    if shell not in _LOADED:
        _LOADED[shell] = Extension(shell)


def session_of(shell: InteractiveShell) -> Session:
    """Return what a shell's notebook has; loads into it if need be."""
    load(shell)
    return _LOADED[shell].session


def is_loaded(shell: InteractiveShell) -> bool:
    """Whether a shell is loaded into."""
    return shell in _LOADED


def unload(shell: InteractiveShell) -> None:
    """Unload from a shell."""
    extension = _LOADED.pop(shell, None)
    if extension is not None:
        extension.undo()


def header_to_magic(lines: list[str]) -> list[str]:
    r"""Let a first line ``#| task: NAME`` mean ``%%task NAME``.

    Examples
    --------
    >>> header_to_magic(["#| task: load --run\n", "x = 1\n"])
    ['%%task load --run\n', 'x = 1\n']
    """
    if len(lines) == 1 and _HELP.match(lines[0]):
        return [*lines, "pass\n"]  # a cell magic without a body would not be called
    match = _HEADER.match(lines[0]) if lines else None
    if match:
        return [f"%%task {match[1]}\n", *lines[1:]]
    # The shell refuses a cell magic without a body before the magic can answer.
    return [*lines, "#\n"] if len(lines) == 1 and _ASKS_HELP.match(lines[0]) else lines


def is_ours_only(source: str) -> bool:
    r"""Whether a cell has nothing but magics of ours.

    >>> is_ours_only("%flow run\n# done"), is_ours_only("%%task a\nx = 1"), is_ours_only("%flow run\nx = 1")
    (True, True, False)
    """
    first = source.lstrip()
    if first.startswith("%%task ") or _HEADER.match(first.split("\n", 1)[0]):
        return True
    lines = [line.strip() for line in source.splitlines()]
    return all(not line or line.startswith("#") or _OUR_LINE.match(line) for line in lines)


def help_above_magic(lines: list[str]) -> list[str]:
    """Say what is wrong where a comment stands above ``%%task``: the shell's own words would mislead."""
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith("#")), "")
    if first.startswith("%%task") and not lines[0].startswith("%%task"):
        raise UsageError("%%task must stand in the first line of its cell: move what is above it below")
    return lines


help_above_magic.has_side_effects = True  # type: ignore[attr-defined] # IPython: not while a cell is being written


class Extension:
    """What is loaded into one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._undo: list[Callable[[], None]] = []
        self.session = Session(shell)
        self._undo.append(self.session.close)
        self._undo.append(formats.register(shell, self.session.live))
        self._shorten_errors()
        self._add_magics()
        self._add_names()
        self._add_events()
        self._append(shell.input_transformers_cleanup, header_to_magic)
        self._append(shell.input_transformers_cleanup, help_above_magic)
        if shell.Completer is not None:
            self._append(shell.Completer.custom_matchers, self._complete)

    def undo(self) -> None:
        """Take everything away, last things first."""
        while self._undo:
            self._undo.pop()()

    def _add_magics(self) -> None:
        table = self._shell.magics_manager.magics
        before = {(kind, name): table[kind].get(name) for kind, name in _MAGICS}
        previous = before["line", "flow"]
        if previous is not None:
            print("%flow was there already: sub-commands that are not ours go to it. %graflow is always ours.")
        self._shell.register_magics(FlowMagics(self._shell, self.session, previous))

        def undo() -> None:
            for (kind, name), magic in before.items():
                if magic is None:
                    table[kind].pop(name, None)
                else:
                    table[kind][name] = magic

        self._undo.append(undo)

    def _add_names(self) -> None:
        namespace = self._shell.user_ns
        taken = [name for name, value in NAMES.items() if namespace.get(name, value) is not value]
        if taken:
            print(f"left as they are: {', '.join(taken)} (from graflow_nb import … has ours)")
        added = {name: value for name, value in NAMES.items() if name not in namespace}
        self._shell.push(added, interactive=False)
        self._undo.append(lambda: self._shell.drop_by_id(added))

    def _add_events(self) -> None:
        events = self._shell.events
        for name, hook in (("pre_run_cell", self._before_cell), ("post_run_cell", self._after_cell)):
            events.register(name, hook)
            self._undo.append(partial(events.unregister, name, hook))

    def _shorten_errors(self) -> None:
        """Let our errors in plain cells show the user's line, not ours: the message has all there is to say."""
        GraflowError._render_traceback_ = lambda error: user_lines(self._shell, error)  # type: ignore[attr-defined]

        def undo() -> None:
            if hasattr(GraflowError, "_render_traceback_"):  # another shell may have been first
                del GraflowError._render_traceback_

        self._undo.append(undo)

    def _append(self, hooks: list[Any], hook: Any) -> None:
        hooks.append(hook)
        self._undo.append(lambda: hooks.remove(hook))

    def _before_cell(self, info: ExecutionInfo) -> None:
        self.session.capture.refresh()
        for line in self.session.publish_pending():
            print(line)
        get_parent = getattr(self._shell, "get_parent", None)
        metadata = ((get_parent() if get_parent else None) or {}).get("metadata", {})
        for cell in metadata.get("deletedCells", ()):
            self.session.ledger.drop(cell)
            self.session.log.drop(cell)
            self.session.live.begin(cell)
        cell = info.cell_id or _stand_in(info.raw_cell or "")
        if self.session.ledger.cell is None:
            self.session.live.begin(cell)
        self.session.ledger.begin(cell)
        self.session.log.begin(cell, info.raw_cell or "")
        self.session.cells_run += not is_ours_only(info.raw_cell or "")
        history = self._shell.history_manager  # versions of the shell differ in when they count the cell
        number = len(history.input_hist_parsed) if history is not None else self._shell.execution_count
        source = self._as_python(info)
        for line in self.session.waiting.begin(source, self._shell.transform_cell):
            print(line)
        self.session.derived.begin(number, source, self._shell.transform_cell)

    def _after_cell(self, result: ExecutionResult) -> None:
        self.session.derived.end(success=bool(result.success), started=result.error_before_exec is None)
        self.session.ledger.end(success=bool(result.success))
        self.session.log.end(success=bool(result.success))
        self.session.waiting.end()
        if self.session.ledger.cell is None:
            self.session.live.cell_ended()

    def _as_python(self, info: ExecutionInfo) -> str:
        """Return a cell's source with its magics as calls."""
        source = getattr(info, "transformed_cell", None)  # older versions of the shell do not hand it over
        if source is None:
            with suppress(Exception):  # then the shell will say what is wrong
                source = self._shell.transform_cell(info.raw_cell or "")
        return source or ""

    @context_matcher()  # type: ignore[untyped-decorator]
    def _complete(self, context: Any) -> dict[str, Any]:
        line = context.line_with_cursor[: context.cursor_position]
        if not _OURS.match(line):
            names = [name for name in self.session.waiting if name.startswith(context.token)]
            return {"completions": [SimpleCompletion(text=name, type="instance") for name in names]}
        found = completions(line, self.session.flow.graph.nodes, self.session.flows)
        return {
            "completions": [SimpleCompletion(text=text, type="task") for text in found],
            "suppress": True,
            "matched_fragment": line.rsplit(" ", 1)[-1],
        }


_LOADED: WeakKeyDictionary[InteractiveShell, Extension] = WeakKeyDictionary()
_MAGICS = (("cell", "task"), ("line", "flow"), ("line", "graflow"))


def _stand_in(source: str) -> str:
    r"""Return what stands for a cell's id where a front end sends none: a task's name, or else the cell's source.

    >>> _stand_in("%%task fit --run\nx"), _stand_in("%%task\ndef fit(): ..."), _stand_in("a >> b")
    ('task fit', 'task fit', 'a >> b')
    """
    lines = header_to_magic(source.splitlines(keepends=True))
    magic, *words = lines[0].split() if lines and lines[0].strip() else [""]
    if magic == "%%task":
        functions = re.findall(r"^(?:async )?def (\w+)", source, re.MULTILINE)
        for name in (*(word for word in words[:1] if word[0] != "-"), *reversed(functions)):
            return f"task {name}"
    return source
