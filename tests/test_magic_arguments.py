"""The magics' arguments: parsed, answered with a hint where they are wrong, and completed."""

from __future__ import annotations

import pytest
from IPython.core.error import UsageError

from graflow_nb.notebook.arguments import HelpShown, Parser, completions, flow_parsers, overview, task_parser

TASKS, FLOWS = ["load", "clean", "clean_more"], ["main", "other"]
COMMANDS = list(flow_parsers())


def parser_of(command: str) -> Parser:
    return task_parser() if command == "task" else flow_parsers()[command]


@pytest.mark.parametrize(
    ("command", "line", "expected"),
    [
        ("task", "load", {"name": "load", "run": False, "cache": "on", "main_thread": False}),
        ("task", "", {"name": None}),
        ("task", "load --run --cache off --main-thread", {"run": True, "cache": "off", "main_thread": True}),
        ("task", "--cache=off load", {"name": "load", "cache": "off"}),
        ("task", "load --inputs a.csv b --ignore x y", {"inputs": ["a.csv", "b"], "ignore": ["x", "y"]}),
        ("task", "load --max-age 60 --version 2", {"max_age": 60, "version": "2"}),
        ("run", "--set a=1 --set b=2", {"set": ["a=1", "b=2"], "targets": []}),
        ("seed", "7", {"seed": 7}),
        ("seed", "off", {"seed": "off"}),
        ("seed", "", {"seed": None}),
        ("run", "", {"targets": [], "from_": None, "force": False, "workers": None, "background": False}),
        ("run", "a b --from c --workers 3", {"targets": ["a", "b"], "from_": "c", "workers": 3}),
        ("run", "'a task' --fail-fast", {"targets": ["a task"], "fail_fast": True}),
        ("run", "--force a --background", {"targets": ["a"], "force": True, "background": True}),
        ("remove", "a b", {"tasks": ["a", "b"]}),
        ("show", "", {"task": None}),
        ("report", "'my report.html' --force", {"file": "my report.html", "force": True}),
        ("report", r"C:\\out.html", {"file": r"C:\out.html"}),
    ],
)
def test_what_is_read(command: str, line: str, expected: dict):
    assert expected.items() <= vars(parser_of(command).read(line)).items()


@pytest.mark.parametrize(
    ("command", "line", "said"),
    [
        ("task", "load --rnu", "%%task: unknown option --rnu. Did you mean '--run'?"),
        ("task", "load --xyz", "unknown option --xyz. There are:"),
        ("task", "load clean", "too much: clean"),
        ("task", "load --cache", "--cache"),
        ("task", "load --cache maybe", "invalid choice: 'maybe'"),
        ("task", "load 'open", "No closing quotation"),
        ("task", "load --ru", "Did you mean '--run'?"),
        ("seed", "many", "invalid seed (a whole number, or off) value: 'many'"),
        ("task", "load --max-age long", "--max-age"),
        ("run", "--workers", "--workers"),
        ("run", "--workers 0", "invalid number of workers (1 or more) value: '0'"),
        ("run", "--workers two", "invalid number of workers"),
        ("run", "--workers -1", "--workers"),
        ("run", "--backgroud", "Did you mean '--background'?"),
        ("run", "-f", "unknown option -f"),
        ("use", "", "FLOW"),
        ("use", "a b", "too much: b"),
        ("why", "", "TASK"),
        ("remove", "", "TASK"),
        ("list", "a", "too much: a"),
        ("report", "", "FILE"),
    ],
)
def test_what_is_wrong_is_answered_in_a_line(command: str, line: str, said: str):
    with pytest.raises(UsageError) as caught:
        parser_of(command).read(line)
    message = str(caught.value)
    assert said in message
    assert "\n" not in message
    assert message.startswith(parser_of(command).prog)


@pytest.mark.parametrize("command", ["task", *COMMANDS])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_each_has_help(command: str, flag: str):
    with pytest.raises(HelpShown) as caught:
        parser_of(command).read(f"{flag}")
    assert "usage: " in str(caught.value)
    for option in parser_of(command).options:
        assert option in str(caught.value)
    assert "%%%" not in str(caught.value)


def test_the_overview_names_all():
    for command in COMMANDS:
        assert f"%flow {command}" in overview()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("%flow ", COMMANDS),
        ("%flow r", ["run", "remove", "reset", "report"]),
        ("%flow se", ["seed"]),
        ("%flow seed o", ["off"]),
        ("%flow cache g", ["gc"]),
        ("%flow accept cl", ["clean", "clean_more"]),
        ("%graflow sta", ["status"]),
        (
            "%flow run ",
            [
                *TASKS,
                "--help",
                "--from",
                "--force",
                "--set",
                "--workers",
                "--keep-going",
                "--fail-fast",
                "--background",
                "--backend",
            ],
        ),
        ("%flow run cl", ["clean", "clean_more"]),
        ("%flow run load cl", ["clean", "clean_more"]),
        ("%flow run --f", ["--from", "--force", "--fail-fast"]),
        ("%flow run --from cl", ["clean", "clean_more"]),
        ("%flow why lo", ["load"]),
        ("%flow debug lo", ["load"]),
        ("%flow show lo", ["load"]),
        ("%flow remove load cl", ["clean", "clean_more"]),
        ("%flow use ", [*FLOWS, "--help"]),
        ("%flow use o", ["other"]),
        ("%flow report --", ["--help", "--force"]),
        ("%flow nonsense ", []),
        ("%flow list l", []),
        (
            "%%task load --",
            [
                *["--help", "--run", "--cache", "--max-age", "--version", "--inputs", "--ignore", "--main-thread"],
                *["--when", "--retries", "--retry-delay", "--backoff", "--timeout", "--resources", "--priority"],
                *["--max-cycles", "--backend"],
            ],
        ),
        ("%%task load --cache o", ["on", "off"]),
        ("%%task load --cache off --ru", ["--run"]),
        ("   %flow run lo", ["load"]),
    ],
)
def test_completions(line: str, found: list[str]):
    assert sorted(completions(line, TASKS, FLOWS)) == sorted(found)
