"""A run as JUnit XML, as CI systems read it: a test for each task."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Mapping

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_RUN = frozenset({"skipped", "cancelled", "waiting", "ready"})


def to_junit(facts: Mapping[str, Any] | None, name: str, failure: Mapping[str, str] | None = None) -> str:
    """Write what became of a run.

    Parameters
    ----------
    facts : mapping, optional
        The run as plain data; None if there was none.
    name : str
        The notebook's.
    failure : mapping, optional
        The cell that failed (`where`, `traceback`); it counts only if no task is to blame.
    """
    tasks = facts["tasks"] if facts else []
    has_failed = any(map(_has_failed, tasks))
    suite = ET.Element("testsuite", name=name)
    for task in tasks:
        _add_task(suite, name, task)
    errors = 0
    if failure is not None and not has_failed:
        errors = 1
        case = ET.SubElement(suite, "testcase", classname=name, name=failure["where"], time="0")
        ET.SubElement(case, "error", message=failure["where"]).text = _text(failure["traceback"])
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(sum(map(_has_failed, tasks))))
    suite.set("errors", str(errors))
    suite.set("skipped", str(sum(map(_is_skipped, tasks))))
    suite.set("time", f"{facts['seconds'] or 0:.3f}" if facts else "0")
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _add_task(suite: ET.Element, name: str, task: Mapping[str, Any]) -> None:
    # what was reused took no time now; how long it once took is no news to a CI system
    seconds = 0.0 if task["status"] == "cached" else task["seconds"] or 0.0
    case = ET.SubElement(suite, "testcase", classname=name, name=_text(task["name"]), time=f"{seconds:.3f}")
    if _has_failed(task):
        error = task["error"]
        failure = ET.SubElement(case, "failure", type=error["type"], message=_text(error["message"]))
        failure.text = _text(error["traceback"])
    elif _is_skipped(task):
        ET.SubElement(case, "skipped", message=_text(task["note"] or task["status"]))
    for kind in ("stdout", "stderr"):
        if task[kind]:
            ET.SubElement(case, f"system-{kind[3:]}").text = _text(task[kind])


def _has_failed(task: Mapping[str, Any]) -> bool:
    """Whether a task failed, and no group went on without it."""
    return task["error"] is not None and not task.get("tolerated")


def _is_skipped(task: Mapping[str, Any]) -> bool:
    return task["status"] in _NOT_RUN or bool(task.get("tolerated"))


def _text(text: str) -> str:
    return _NOT_XML.sub("", _ANSI.sub("", text))
