# ruff: noqa: PLW1510, PTH123
from __future__ import annotations

import contextlib
import gc
import http.server
import importlib
import linecache
import multiprocessing
import multiprocessing.pool
import os
import pkgutil
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
import urllib.request
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import pytest

from graflow_nb.core.inherit import close_inheritance, open_inheritance
from graflow_nb.core.scope import running
from graflow_nb.incremental.trace.audit import LISTENER
from graflow_nb.incremental.trace.recorder import Observed, Recorder, broken


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


def names(observed, kind):
    return {Path(used.name).name for used in observed.used if used.kind == kind}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    Path("in.txt").write_text("1")
    return tmp_path


def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


PROGRAMS = {
    "subprocess.run": lambda: subprocess.run(["true"], check=True),
    "a shell": lambda: subprocess.run("true", shell=True, check=True),
    "os.system": lambda: os.system("true"),
    "os.popen": lambda: os.popen("true").close(),
    "os.posix_spawn": lambda: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
    "os.fork": fork,
    "fork": lambda: join(multiprocessing.get_context("fork").Process(target=int)),
    "spawn": lambda: join(multiprocessing.get_context("spawn").Process(target=int)),
    "forkserver": lambda: join(multiprocessing.get_context("forkserver").Process(target=int)),
    "pool": lambda: ProcessPoolExecutor(1).submit(int).result(),
}


def join(process):
    process.start()
    process.join()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("start", PROGRAMS.values(), ids=PROGRAMS)
class TestOtherPrograms:
    def test_speak_against_keeping_the_result(self, start):
        assert "whose reads cannot be seen" in " ".join(observe(start).against)

    def test_may_run_where_inputs_are_declared(self, start):
        assert observe(start, inputs=["in.txt"]).against == ()


def test_a_program_is_named():
    assert "program 'true'" in observe(PROGRAMS["subprocess.run"]).against[0]


def test_asking_about_the_machine_is_no_program():
    assert observe(lambda: subprocess.run(["uname"], stdout=subprocess.DEVNULL)).against == ()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
class TestPoolsMadeBefore:
    def test_of_processes_speak_against_keeping_the_result(self):
        with ProcessPoolExecutor(1) as pool:
            pool.submit(int).result()
            assert "whose reads cannot be seen" in observe(lambda: pool.submit(int).result()).against[0]
            assert observe(lambda: pool.submit(int).result(), inputs=["in.txt"]).against == ()
            assert observe(int).against == ()

    def test_of_multiprocessing_speak_against_keeping_the_result(self):
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert "whose reads cannot be seen" in observe(lambda: pool.map(abs, [1])).against[0]

    def test_of_threads_do_not(self):
        with multiprocessing.pool.ThreadPool(1) as pool:
            assert observe(lambda: pool.map(abs, [1])).against == ()

    def test_a_pool_made_meanwhile_by_another_task(self):
        with contextlib.ExitStack() as stack:
            pool = stack.enter_context(ProcessPoolExecutor(1))
            assert observe(lambda: pool.submit(int).result()).against
            assert observe(lambda: pool.submit(int).result()).against

    def test_are_their_own_again_after_the_run(self):
        plain = ProcessPoolExecutor.submit, multiprocessing.pool.Pool._check_running
        observe(int)
        assert (ProcessPoolExecutor.submit, multiprocessing.pool.Pool._check_running) == plain


def test_joblib_s_processes_speak_against_keeping_the_result():
    joblib = pytest.importorskip("joblib")
    task = lambda: joblib.Parallel(2)(joblib.delayed(abs)(i) for i in range(2))
    try:
        assert observe(task).against
        assert observe(task).against
    finally:
        joblib.externals.loky.get_reusable_executor().shutdown(wait=True)


def test_a_child_that_was_forked_records_nothing_and_does_not_hang():
    held = threading.Event()

    def task():
        child = os.fork()
        if child == 0:
            open("in.txt").close()
            os._exit(0 if LISTENER.get() is None else 1)
        assert os.waitpid(child, 0)[1] == 0
        held.set()

    with contextlib.suppress(DeprecationWarning):
        assert names(observe(task), "file") == set()
    assert held.is_set()


class TestImporting:
    def test_a_module_is_no_file(self, here):
        Path("fresh_module.py").write_text("import fresh_helper\n")
        Path("fresh_helper.py").write_text("x = 1\n")
        importlib.invalidate_caches()
        assert observe(lambda: importlib.import_module("fresh_module")).used == ()

    def test_a_package_found_on_a_search_is_no_folder(self, here):
        assert observe(lambda: importlib.util.find_spec("there_is_none")).used == ()
        assert observe(lambda: list(pkgutil.iter_modules([str(here)]))).used == ()

    def test_data_that_a_module_reads_when_it_is_imported_counts(self):
        Path("reads_data.py").write_text("with open('in.txt') as file:\n    text = file.read()\n")
        importlib.invalidate_caches()
        assert names(observe(lambda: importlib.import_module("reads_data")), "file") == {"in.txt"}

    def test_data_of_ones_audited_package_counts(self):
        Path("audited_package").mkdir()
        Path("audited_package/__init__.py").touch()
        Path("audited_package/table.csv").write_text("1")
        importlib.invalidate_caches()
        importlib.import_module("audited_package")
        observed = observe(lambda: pkgutil.get_data("audited_package", "table.csv"))
        assert names(observed, "file") == {"table.csv"}

    def test_source_that_is_read_as_data_counts(self):
        Path("config.py").write_text("x = 1")
        assert names(observe(lambda: exec(Path("config.py").read_text(), {})), "file") == {"config.py"}


def test_lines_of_a_traceback_are_no_file():
    Path("fails.py").write_text("def f():\n    raise ValueError\n")
    importlib.invalidate_caches()
    fails = importlib.import_module("fails")

    def task():
        try:
            fails.f()
        except ValueError:
            linecache.clearcache()
            traceback.format_exc()

    assert observe(task).used == ()


@pytest.mark.parametrize(
    "path",
    [
        os.__file__,
        pytest.__file__,
        "/proc/self/status",
        os.devnull,
        ".graflow_nb/index",
        "~/.ipython/x",
        "~/.jupyter/x",
    ],
)
def test_files_of_python_its_libraries_and_the_system_do_not_count(path):
    path = Path(path).expanduser()

    def task():
        with contextlib.suppress(FileNotFoundError):
            open(path).close()

    assert observe(task) == ((), (), ())


class _Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def port():
    with http.server.HTTPServer(("127.0.0.1", 0), _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


class TestTheWorldOutside:
    def test_a_request_is_marked_with_its_host(self, port):
        observed = observe(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/").close())
        assert f"the network: 127.0.0.1:{port}" in observed.marks
        assert observed.against == ()

    def test_a_login_is_not_shown(self):
        def task():
            with contextlib.suppress(OSError):
                urllib.request.urlopen("http://me:hunter2@127.0.0.1:1/")

        marks = observe(task).marks
        assert marks
        assert "hunter2" not in repr(marks)

    def test_a_connection_is_marked(self, port):
        assert observe(lambda: socket.create_connection(("127.0.0.1", port)).close()).marks == (
            "the network: 127.0.0.1",
        )

    def test_random_numbers_of_the_system_are_marked(self):
        assert observe(lambda: open("/dev/urandom", "rb").close()).marks == ("random numbers of the system",)

    def test_others_do_not_count(self):
        assert observe(lambda: [end.close() for end in socket.socketpair()]).marks == ()


class TestTheHookNeverHarms:
    def test_an_error_of_ours_is_a_reason_and_no_error(self, monkeypatch):
        monkeypatch.setitem(Recorder._HEARD, "open", lambda *_: 1 / 0)
        text = []
        observed = observe(lambda: text.append(Path("in.txt").read_text()))
        assert text == ["1"]
        assert observed.against == ("what it used could not be seen: ZeroDivisionError at open",)

    def test_the_users_error_is_the_users(self):
        with pytest.raises(FileNotFoundError):
            observe(lambda: open("absent").close())
        with pytest.raises(ValueError, match="null"):
            observe(lambda: open("a\0b").close())

    def test_after_an_error_nobody_listens(self):
        with contextlib.suppress(FileNotFoundError):
            observe(lambda: open("absent").close())
        assert LISTENER.get() is None
        assert "start" not in repr(threading.Thread.start.__module__)

    @pytest.mark.parametrize("depth", [10, 100])
    def test_reading_near_the_end_of_the_stack(self, depth):
        def deep(frames):
            if frames:
                return deep(frames - 1)
            return Path("in.txt").read_text()

        def task():
            limit = sys.getrecursionlimit()
            for frames in range(limit - depth - 60, limit):
                with contextlib.suppress(RecursionError):
                    deep(frames)

        observed = observe(task)
        assert observed.against or names(observed, "file") == {"in.txt"}

    def test_a_finalizer_that_reads_while_a_file_is_hashed(self):
        path = Path("in.txt").absolute()

        class Reads:
            def __del__(self):
                open(path).close()

        def task():
            cycle = Reads()
            cycle.itself = cycle
            del cycle
            gc.collect()

        assert observe(task).against == ()

    def test_a_listener_within_a_listener(self):
        inner = []

        def task():
            inner.append(observe(lambda: open("in.txt").close()))

        outer = observe(task)
        assert names(inner[0], "file") == {"in.txt"}
        assert outer.against == ()


class TestThreadsInherit:
    def test_only_while_somebody_needs_it(self):
        start, submit = threading.Thread.start, ThreadPoolExecutor.submit
        open_inheritance()
        open_inheritance()
        close_inheritance()
        assert threading.Thread.start is not start
        close_inheritance()
        assert (threading.Thread.start, ThreadPoolExecutor.submit) == (start, submit)

    def test_what_somebody_else_put_in_place_stays(self, monkeypatch):
        open_inheritance()
        other = lambda thread: None
        monkeypatch.setattr(threading.Thread, "start", other)
        close_inheritance()
        assert threading.Thread.start is other
        monkeypatch.undo()
        open_inheritance()
        close_inheritance()

    def test_outside_of_tasks_threads_are_as_ever(self):
        variable = running
        open_inheritance()
        try:
            found = []
            thread = threading.Thread(target=lambda: found.append(variable.get()))
            thread.start()
            thread.join()
            assert found == [None]
            assert "run" not in vars(thread)
        finally:
            close_inheritance()


def test_temporary_folders_of_the_system_are_looked_for_once():
    with contextlib.suppress(AttributeError):
        tempfile.tempdir = None
    assert {used.kind for used in observe(tempfile.gettempdir).used} == {"environment"}


def test_a_trace_can_be_looked_at_while_a_task_runs():
    trace = observe(lambda: open("in.txt").close()).used
    assert names(observe(lambda: list(broken(trace))), "file") == set()
