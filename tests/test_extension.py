"""Loading and unloading: what was there before is there again, twice over."""

from __future__ import annotations

import builtins
import getpass
import logging
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.magic import Magics, line_magic, magics_class
from shells import Notebook, new_shell

from graflow_nb.core import scope, services
from graflow_nb.core.errors import GraflowError
from graflow_nb.notebook.extension import NAMES, header_to_magic, load, unload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    with new_shell() as shell:
        yield shell
        unload(shell)


@magics_class
class Foreign(Magics):
    """Another extension's ``%flow``."""

    @line_magic
    def flow(self, line: str) -> str:
        return f"foreign {line}"


def state(shell: InteractiveShell) -> dict[str, Any]:
    """Everything that loading, or a run, may touch."""
    import matplotlib._pylab_helpers as helpers

    return {
        "magics": {kind: dict(table) for kind, table in shell.magics_manager.magics.items()},
        "events": {name: list(hooks) for name, hooks in shell.events.callbacks.items()},
        "transformers": list(shell.input_transformers_cleanup),
        "matchers": list(shell.Completer.custom_matchers),
        "names": {name for name in shell.user_ns if not name.startswith("_")} - {"In", "Out"},
        "hidden names": {name for name in shell.user_ns_hidden if not name.startswith("_")},
        "formatters": dict(shell.display_formatter.mimebundle_formatter.type_printers),
        "publisher": {name for name in vars(shell.display_pub) if name in {"publish", "clear_output"}},
        "shell": {name for name in vars(shell) if name in {"_showtraceback", "run_cell"}},
        "streams": (sys.stdout, sys.stderr),
        "questions": (builtins.input, getpass.getpass),
        "threads": threading.Thread.start,
        "logging": logging.StreamHandler.emit,
        "figures": helpers.Gcf.figs,
        "finders": list(sys.meta_path),
        "signal": signal.getsignal(signal.SIGINT),
        "hooks": (sys.displayhook, sys.excepthook),
        "errors": "_render_traceback_" in vars(GraflowError),
        "services": services._provide,
        "fallback": scope._fallback,
    }


def test_loading_and_unloading_twice_restores_everything(shell: InteractiveShell):
    # Pyplot hooks itself into the shell: that is not ours to undo.
    Notebook(shell)("import matplotlib.pyplot as plt\nplt.figure()\nplt.close()\ndel plt")
    before = state(shell)
    for _ in range(2):
        load(shell)
        assert state(shell) != before
        nb = Notebook(shell)
        nb("%%task a\nimport matplotlib.pyplot as plt\nplt.figure()\nx = 1")
        nb("@task\ndef b(a): return a")
        nb("a >> b")
        nb("%flow run")
        nb("del a, b, x, plt")
        unload(shell)
        after = state(shell)
        for what, value in before.items():
            assert after[what] == value, what


def test_loading_twice_and_unloading_without_loading_do_nothing(shell: InteractiveShell):
    before = state(shell)
    unload(shell)
    load(shell)
    loaded = state(shell)
    load(shell)
    assert state(shell) == loaded
    unload(shell)
    unload(shell)
    assert state(shell) == before


def test_by_the_magics(shell: InteractiveShell):
    nb = Notebook(shell)
    nb("%load_ext graflow_nb")
    nb("%%task a\n1")
    nb("%flow run")
    nb("%reload_ext graflow_nb")
    assert len(nb.flow.graph) == 0
    nb("%unload_ext graflow_nb")
    assert "not found" in nb.refused("%flow run")
    assert "not found" in nb.refused("%%task a\n1")
    nb("%load_ext graflow_nb")
    nb("%%task a\n1")
    nb("%flow run")


def test_the_names_of_the_notebook(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]):
    shell.user_ns["task"] = "mine"
    load(shell)
    assert "left as they are: task" in capsys.readouterr().out
    assert shell.user_ns["task"] == "mine"
    assert NAMES.keys() - {"task"} <= shell.user_ns.keys()
    shell.user_ns["workflow"] = "changed since"
    unload(shell)
    assert shell.user_ns["task"] == "mine"
    assert shell.user_ns["workflow"] == "changed since"
    assert "chain" not in shell.user_ns


def test_names_are_not_shown_as_the_users_own(shell: InteractiveShell):
    load(shell)
    assert "empty" in Notebook(shell)("%who")


def test_a_foreign_flow_gets_what_is_not_ours(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]):
    shell.register_magics(Foreign)
    foreign = shell.magics_manager.magics["line"]["flow"]
    load(shell)
    assert "%flow was there already" in capsys.readouterr().out
    nb = Notebook(shell)
    assert "foreign toggle_it --all" in nb("%flow toggle_it --all")
    nb("%%task a\n1")
    nb("%flow run")
    assert nb["a"].result == 1
    assert "foreign" not in nb("%flow status")
    assert "foreign" not in nb("%graflow list")
    unload(shell)
    assert shell.magics_manager.magics["line"]["flow"] == foreign
    assert "foreign run" in nb("%flow run")


@pytest.mark.parametrize(
    ("line", "found", "not_found"),
    [
        ("%flow ru", {"run"}, {"reset"}),
        ("%flow run cl", {"clean"}, {"load"}),
        ("%graflow why ", {"clean", "load"}, set()),
        ("%flow run --w", {"--workers"}, set()),
        ("%%task t --c", {"--cache"}, set()),
        ("%flow use n", {"notebook"}, set()),
        ("flow_like = loa", {"load"}, {"run"}),
        ("loa", {"load"}, {"run"}),
        ("print(loa", {"load"}, {"run"}),
        ("%tim", {"%time", "%timeit"}, set()),
    ],
)
def test_completion_in_the_shell(nb: Notebook, line: str, found: set[str], not_found: set[str]):
    nb("%%task load\n1")
    nb("%%task clean\nload")
    with provisionalcompleter():
        given = {completion.text for completion in nb.shell.Completer.completions(line, len(line))}
    assert found <= given
    assert not not_found & given
    if line.startswith("%flow "):
        assert given <= {"run"} | {"clean", "load", "notebook", "--workers", "--help"}


def test_completing_replaces_the_word_and_nothing_before_it(nb: Notebook):
    nb("%%task load\n1")
    line = "%flow run --from lo"
    with provisionalcompleter():
        (completion,) = nb.shell.Completer.completions(line, len(line))
    assert line[: completion.start] + completion.text + line[completion.end :] == "%flow run --from load"


def test_completion_in_a_line_below_others(nb: Notebook):
    nb("%%task load\n1")
    text = "x = 1\n%flow run lo"
    with provisionalcompleter():
        (completion,) = nb.shell.Completer.completions(text, len(text))
    assert text[: completion.start] + completion.text == "x = 1\n%flow run load"


@pytest.mark.parametrize(
    ("cell", "state"),
    [
        ("#| task: load\nx = (", "incomplete"),
        ("# a comment\n%%task load\nx = 1\n\n", "incomplete"),
        ("x = 1", "complete"),
        ("", "complete"),
        ("#", "complete"),
    ],
)
def test_a_terminal_can_ask_whether_a_cell_is_complete(nb: Notebook, cell: str, state: str):
    assert nb.shell.check_complete(cell)[0] in {state, "complete"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["#| task: load\n", "x = 1\n"], ["%%task load\n", "x = 1\n"]),
        (["#|task:load --run\n"], ["%%task load --run\n"]),
        (["#| task:\n"], ["#| task:\n"]),
        (["#| label: fig\n"], ["#| label: fig\n"]),
        (["x = 1\n", "#| task: load\n"], ["x = 1\n", "#| task: load\n"]),
        ([], []),
    ],
)
def test_the_header(lines: list[str], expected: list[str]):
    assert header_to_magic(lines) == expected


def test_our_errors_in_plain_cells_end_at_the_users_line(nb: Notebook):
    nb("@task\ndef a(): return 1\n@task\ndef b(): return 1")
    said = nb.refused("a >> b\nb >> a")
    assert "b >> a" in said
    assert "CycleError: a >> b >> a is a cycle" in said
    assert "graph.py" not in said
    assert "compose.py" not in said


def test_other_errors_in_plain_cells_are_shown_as_ever(nb: Notebook):
    said = nb.refused("def f(): return 1 / 0\nf()")
    assert "ZeroDivisionError" in said
    assert "f()" in said
