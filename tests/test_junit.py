"""A run as JUnit XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from graflow_nb.views.junit import to_junit


def task(name, status="succeeded", **more):
    plain = {"seconds": 1.5, "note": "", "error": None, "stdout": "", "stderr": ""}
    return {"name": name, "status": status, **plain, **more}


def suite(*tasks, failure=None):
    return ET.fromstring(to_junit({"tasks": tasks, "seconds": 2.0}, "nb", failure))[0]


def test_each_task_is_a_test():
    error = {"type": "ValueError", "message": "ValueError: \x1b[31mno\x00", "traceback": "\x1b[31mhere\x1b[0m"}
    found = suite(
        task("a", stdout="said"),
        task("b", "cached"),
        task("c", "failed", error=error),
        task("d", "skipped", seconds=None, note="task 'c' failed"),
    )
    counts = {name: found.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
    assert counts == {"tests": "4", "failures": "1", "errors": "0", "skipped": "1", "time": "2.000"}
    assert [case.get("time") for case in found] == ["1.500", "0.000", "1.500", "0.000"]
    assert found[0].find("system-out").text == "said"
    assert found[2].find("failure").attrib == {"type": "ValueError", "message": "ValueError: no"}
    assert found[2].find("failure").text == "here"
    assert found[3].find("skipped").get("message") == "task 'c' failed"


def test_a_cell_that_failed_is_an_error_if_no_task_is_to_blame():
    failure = {"where": "cell 2", "traceback": "KeyError: <x>"}
    found = suite(task("a"), failure=failure)
    assert (found.get("tests"), found.get("errors")) == ("2", "1")
    assert found[1].find("error").text == "KeyError: <x>"
    error = {"type": "E", "message": "m", "traceback": ""}
    assert suite(task("a", "failed", error=error), failure=failure).get("errors") == "0"


def test_without_a_run_there_is_a_suite_all_the_same():
    found = ET.fromstring(to_junit(None, "nb", {"where": "cell 1", "traceback": ""}))[0]
    assert (found.get("name"), found.get("tests"), found.get("errors")) == ("nb", "1", "1")


def test_a_failure_that_a_group_went_on_without_is_none():
    error = {"type": "ValueError", "message": "ValueError: no", "traceback": "here"}
    found = suite(task("a", "failed", error=error, tolerated=True, note="ValueError: no"))
    assert (found.get("failures"), found.get("skipped")) == ("0", "1")
    assert found[0].find("skipped").get("message") == "ValueError: no"
