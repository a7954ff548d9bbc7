# ruff: noqa: PLW1510
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from contextvars import copy_context
from os import environ

import pytest

from graflow_nb.core.scope import running
from graflow_nb.incremental.trace import secret
from graflow_nb.incremental.trace.recorder import Observed, Recorder, broken
from graflow_nb.incremental.trace.secret import digest_of, looks_secret, set_digest_key, shown


def observe(fn, **options) -> Observed:
    """Run a function as a task, and return what it was seen to use."""

    def call():
        running.set(object())
        recorder = Recorder(**options)
        recorder.begin()
        try:
            fn()
        finally:
            observed = recorder.end()
        return observed

    return copy_context().run(call)


def trace_of(fn):
    observed = observe(fn)
    assert observed.against == ()
    return observed.used


def names(trace):
    return [used.name for used in trace]


def holds(trace) -> bool:
    return not list(broken(trace))


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    monkeypatch.setenv("MODE", "fast")
    monkeypatch.setenv("OTHER", "1")
    monkeypatch.delenv("UNSET", raising=False)


def read_in_thread():
    thread = threading.Thread(target=lambda: os.environ["MODE"])
    thread.start()
    thread.join()


READS = {
    "[]": lambda: os.environ["MODE"],
    "get": lambda: os.environ.get("MODE"),
    "getenv": lambda: os.getenv("MODE"),
    "in": lambda: "MODE" in os.environ,
    "imported by name": lambda: environ["MODE"],
    "bytes": lambda: os.environb[b"MODE"],
    "expandvars": lambda: os.path.expandvars("$MODE"),
    "pop": lambda: os.environ.update(MODE=os.environ.pop("MODE")),
    "setdefault": lambda: os.environ.setdefault("MODE", "slow"),
    "thread": read_in_thread,
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("MODE", "slow", False),
        ("MODE", None, False),
        ("MODE", "fast", True),
        ("OTHER", "2", True),
        ("NEW", "", True),
    ],
)
def test_a_variable_that_is_read_counts_by_its_value(monkeypatch, read, name, value, expected):
    trace = trace_of(read)
    assert names(trace) == ["MODE"]
    assert holds(trace)
    monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    assert holds(trace) is expected


def test_one_that_is_not_set_counts_when_it_is(monkeypatch):
    trace = trace_of(lambda: os.environ.get("UNSET", "default"))
    assert holds(trace)
    monkeypatch.setenv("UNSET", "default")
    assert [(b.kind, b.name, b.old, b.new) for b in broken(trace)] == [
        ("environment", "UNSET", "not set", "'default'")
    ]


@pytest.mark.parametrize("fn", [lambda: None, lambda: len("x"), lambda: os.cpu_count()])
def test_what_reads_nothing_has_none(fn):
    assert trace_of(fn) == ()


@pytest.mark.parametrize(
    "walk",
    [
        lambda: dict(os.environ),
        lambda: {**os.environ},
        lambda: os.environ.copy(),
        lambda: [name for name in os.environ if name.startswith("MO")],
        lambda: sorted(os.environ.items()),
    ],
    ids=["dict", "**", "copy", "for", "items"],
)
def test_the_whole_environment_counts_if_the_task_walks_through_it(monkeypatch, walk):
    trace = trace_of(walk)
    assert names(trace) == ["*"]
    assert holds(trace)
    monkeypatch.setenv("JPY_PARENT_PID", "another")
    assert holds(trace)
    monkeypatch.setenv("OTHER", "2")
    assert not holds(trace)


def test_a_copy_made_by_python_itself_says_nothing():
    from multiprocessing import util

    del util
    used = observe(lambda: subprocess.run([sys.executable, "-c", ""], check=True), inputs=["x"]).used
    assert "*" not in names(used)


def test_where_a_program_is_searched_counts(monkeypatch):
    trace = trace_of(lambda: shutil.which("python-that-is-not-there"))
    assert "PATH" in names(trace)


class TestSetByTheTask:
    def test_then_read_is_no_input(self):
        def task():
            os.environ["OWN"] = "1"
            return os.environ["OWN"]

        trace = trace_of(task)
        try:
            assert holds(trace)  # and it is still set
        finally:
            del os.environ["OWN"]

    def test_for_good_it_must_be_there(self, monkeypatch):
        """The tasks that come after read it."""
        trace = trace_of(lambda: os.environ.__setitem__("OTHER", "2"))
        assert holds(trace)
        monkeypatch.delenv("OTHER")
        assert not holds(trace)

    def test_and_put_back_it_does_not_count(self):
        def task():
            os.environ["OTHER"], before = "2", "1"
            os.environ["OTHER"] = before

        assert trace_of(task) == ()

    def test_after_it_was_read_counts_as_it_was(self):
        def task():
            os.environ["OTHER"] = str(int(os.environ["OTHER"]) + 1)

        assert not holds(trace_of(task))


class TestLibraries:
    def test_reading_while_they_are_imported_does_not_count(self, tmp_path, monkeypatch):
        package = tmp_path / "site-packages"
        package.mkdir()
        (package / "some_library.py").write_text("import os\nmode = os.environ.get('MODE')\n")
        monkeypatch.syspath_prepend(package)

        def task():
            import some_library

            return some_library.mode

        assert trace_of(task) == ()

    def test_reading_later_counts(self, tmp_path, monkeypatch):
        package = tmp_path / "site-packages"
        package.mkdir()
        (package / "reads_later.py").write_text("import os\ndef mode():\n    return os.environ.get('MODE')\n")
        monkeypatch.syspath_prepend(package)

        def task():
            import reads_later

            return reads_later.mode()

        assert names(trace_of(task)) == ["MODE"]

    def test_ones_own_module_counts(self, tmp_path, monkeypatch):
        (tmp_path / "own_settings.py").write_text("import os\nmode = os.environ.get('MODE')\n")
        monkeypatch.syspath_prepend(tmp_path)

        def task():
            import own_settings

            return own_settings.mode

        assert names(trace_of(task)) == ["MODE"]


class TestTheStandIn:
    def test_is_there_only_while_a_task_runs(self):
        seen = []
        before = type(os.environ)
        observe(lambda: seen.append(type(os.environ)))
        assert seen[0] is not before
        assert type(os.environ) is before
        assert seen[0].__name__ == before.__name__

    def test_the_object_stays_the_same(self):
        seen = []
        observe(lambda: seen.append(os.environ is environ))
        assert seen == [True]

    def test_it_sets_the_environment_of_the_process(self):
        def task():
            os.environ["MODE"] = "slow"
            assert subprocess.run(["printenv", "MODE"], capture_output=True, text=True).stdout == "slow\n"
            del os.environ["MODE"]
            assert subprocess.run(["printenv", "MODE"], capture_output=True, text=True).stdout == ""

        observe(task)

    def test_an_error_is_the_users(self):
        with pytest.raises(KeyError, match="UNSET"):
            observe(lambda: os.environ["UNSET"])
        with pytest.raises(TypeError):
            observe(lambda: os.environ[1])


class TestSecrets:
    @pytest.mark.parametrize(
        "name",
        ["API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "DB_PASSWORD", "PGPASSWORD", "my_credentials", "db_pass",
         "PassPhrase", "AUTH", "SESSION_ID", "SENTRY_DSN"],
    )  # fmt: skip
    def test_names_that_look_secret(self, name, monkeypatch):
        assert looks_secret(name)
        monkeypatch.setenv(name, "hunter2")
        trace = trace_of(lambda: os.environ[name])
        monkeypatch.setenv(name, "hunter3")
        changes = list(broken(trace))
        assert changes
        assert "hunter" not in f"{trace}{changes}"

    @pytest.mark.parametrize("name", ["MODE", "HOME", "PATH", "RATE", "OMP_NUM_THREADS", "LANG", "COMPASS"])
    def test_names_that_do_not(self, name):
        assert not looks_secret(name)

    def test_a_login_in_an_address_is_not_shown(self, monkeypatch):
        assert "hunter2" not in shown("DATABASE_URL", "postgres://me:hunter2@host/db")

    def test_a_long_value_is_shortened(self):
        assert len(shown("X", "a" * 1000)) < 70

    def test_digests_need_the_key(self, monkeypatch):
        monkeypatch.setattr(secret, "_key", b"mine")
        plain = digest_of("MODE", "fast")
        mine = digest_of("PASSWORD", "hunter2")
        set_digest_key(b"yours")
        assert digest_of("PASSWORD", "hunter2") != mine
        assert digest_of("MODE", "fast") == plain
        set_digest_key(b"mine")
        assert digest_of("PASSWORD", "hunter2") == mine
