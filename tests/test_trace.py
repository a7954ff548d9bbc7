# ruff: noqa: ASYNC230, PTH100, PTH103, PTH105, PTH123, PTH207, PTH208, PTH211, SIM115
from __future__ import annotations

import asyncio
import contextlib
import glob
import os
import pathlib
import shutil
import sqlite3
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graflow_nb.core.scope import running
from graflow_nb.incremental.trace import seen
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


def kept(fn, **options):
    """The same, where nothing speaks against keeping the result."""
    observed = observe(fn, **options)
    assert observed.against == ()
    return observed.used


def holds(trace) -> bool:
    return not list(broken(trace))


def names(trace, kind):
    return {Path(used.name).name for used in trace if used.kind == kind}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in.txt").write_text("1")
    Path("other.txt").write_text("x")
    Path("data").mkdir()
    Path("data/a.csv").write_text("a\n1\n")
    Path("data/b.csv").write_text("a\n2\n")
    return tmp_path


READS = {
    "open": lambda p: open(p).close(),
    "open in binary": lambda p: open(p, "rb").close(),
    "open bytes": lambda p: open(os.fsencode(p)).close(),
    "absolute": lambda p: open(os.path.abspath(p)).close(),
    "from a subfolder": lambda p: open(f"data/../{p}").close(),
    "pathlib": lambda p: pathlib.Path(p).read_text(),
    "os.open": lambda p: os.close(os.open(p, os.O_RDONLY)),
    "numpy": lambda p: np.loadtxt(p),
    "memmap": lambda p: np.memmap(p, mode="r"),
    "pandas": lambda p: pd.read_csv(p, header=None),
    "copied": lambda p: shutil.copy(p, "copy.txt"),
    "thread": lambda p: run_in_thread(lambda: open(p).close()),
    "thread of a thread": lambda p: run_in_thread(lambda: run_in_thread(lambda: open(p).close())),
    "pool": lambda p: run_in_pool(lambda: open(p).close()),
    "asyncio": lambda p: asyncio.run(read_async(p)),
    "asyncio's pool": lambda p: asyncio.run(read_in_executor(p)),
}


def run_in_thread(fn):
    thread = threading.Thread(target=fn)
    thread.start()
    thread.join()


def run_in_pool(fn):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(fn).result()


async def read_async(path):
    async def read():
        open(path).close()

    await asyncio.gather(asyncio.create_task(read()))


async def read_in_executor(path):
    await asyncio.get_running_loop().run_in_executor(None, lambda: open(path).close())


@pytest.mark.parametrize("read", READS.values(), ids=READS)
class TestAFileThatIsRead:
    def test_counts(self, read):
        trace = kept(lambda: read("in.txt"))
        assert holds(trace)
        Path("in.txt").write_text("2")
        assert [(b.kind, Path(b.name).name) for b in broken(trace)] == [("file", "in.txt")]

    def test_counts_by_its_content(self, read):
        trace = kept(lambda: read("in.txt"))
        Path("in.txt").unlink()
        assert not holds(trace)
        Path("in.txt").write_text("1")
        os.utime("in.txt", (1, 1))
        Path("other.txt").write_text("y")
        assert holds(trace)


def rewrite_in_place(path, status):
    path.write_text("2")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace(path, status):
    Path("new.txt").write_text("2")
    os.utime("new.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace("new.txt", path)


@pytest.mark.parametrize("edit", [rewrite_in_place, replace])
@pytest.mark.parametrize("settled", [seen._SETTLED, -(10**18)], ids=["young", "trusted"])
def test_same_size_and_same_time_with_other_content_is_seen(monkeypatch, edit, settled):
    monkeypatch.setattr(seen, "_SETTLED", settled)
    path = Path("in.txt")
    os.utime(path, (1, 1))
    trace = kept(path.read_text)
    edit(path, path.stat())
    assert not holds(trace)


def test_a_file_that_has_settled_is_not_read_again(monkeypatch):
    monkeypatch.setattr(seen, "_SETTLED", -(10**18))
    trace = kept(Path("in.txt").read_text)
    monkeypatch.setattr(seen, "content_digest", lambda path: pytest.fail("it was hashed"))
    assert holds(trace)


def test_nothing_used_is_an_empty_trace():
    assert observe(lambda: sum(range(10))) == ((), (), ())


def test_what_others_read_does_not_count():
    pool = ThreadPoolExecutor(1)
    pool.submit(int).result()
    done = threading.Event()

    def other():
        open("other.txt").close()
        done.set()

    thread = threading.Thread(target=lambda: done.wait())
    thread.start()
    trace = kept(lambda: open("in.txt").close())
    copy_context().run(other)
    thread.join()
    open("other.txt").close()
    assert names(trace, "file") == {"in.txt"}


def test_what_a_task_hands_to_a_shared_pool_counts():
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        trace = kept(lambda: pool.submit(lambda: open("in.txt").close()).result())
    assert names(trace, "file") == {"in.txt"}


def test_two_tasks_at_once_are_told_apart():
    barrier = threading.Barrier(2)

    def task(path):
        barrier.wait(10)
        open(path).close()
        barrier.wait(10)

    with ThreadPoolExecutor(2) as pool:
        traces = list(pool.map(lambda p: kept(lambda: task(p)), ["in.txt", "other.txt"]))
    assert [names(trace, "file") for trace in traces] == [{"in.txt"}, {"other.txt"}]


def test_many_threads_of_one_task_record_at_once():
    paths = [Path(f"{i}.txt") for i in range(40)]
    for path in paths:
        path.write_text("x")

    def task():
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(Path.read_text, paths * 5))

    assert names(kept(task), "file") == {path.name for path in paths}


def test_a_thread_that_outlives_its_task_is_heard_no_longer():
    go, done = threading.Event(), threading.Event()

    def late():
        go.wait(10)
        open("other.txt").close()
        done.set()

    trace = kept(lambda: threading.Thread(target=late).start())
    go.set()
    assert done.wait(10)
    assert trace == ()


class TestAbsentFiles:
    def test_one_that_was_looked_for_counts_when_it_appears(self):
        def task():
            with contextlib.suppress(FileNotFoundError):
                open("nowhere/late.txt").close()

        trace = kept(task)
        assert holds(trace)
        Path("nowhere").mkdir()
        assert holds(trace)
        Path("nowhere/late.txt").write_text("1")
        assert not holds(trace)

    def test_a_folder_that_disappears_takes_its_files_with_it(self):
        trace = kept(Path("data/a.csv").read_text)
        Path("data").rename("elsewhere")
        assert not holds(trace)
        Path("elsewhere").rename("data")
        assert holds(trace)


class TestLinks:
    def test_the_file_behind_a_link_counts(self):
        Path("link").symlink_to("in.txt")
        trace = kept(Path("link").read_text)
        assert holds(trace)
        Path("in.txt").write_text("2")
        assert not holds(trace)

    def test_where_a_link_leads_counts(self):
        Path("link").symlink_to("in.txt")
        trace = kept(Path("link").read_text)
        Path("link").unlink()
        Path("link").symlink_to("other.txt")
        assert not holds(trace)

    def test_a_file_written_under_another_name_is_not_an_input(self):
        Path("link").symlink_to("data")

        def task():
            Path("data/new.txt").write_text("1")
            return Path("link/new.txt").read_text()

        trace = kept(task)
        Path("data/new.txt").write_text("2")
        assert holds(trace)

    def test_a_link_that_the_task_makes_leads_to_an_input(self):
        def task():
            with contextlib.suppress(FileExistsError):
                Path("link").symlink_to("in.txt")
            Path("link").read_text()

        for trace in (kept(task), kept(task)):
            Path("in.txt").write_text("1")
            assert holds(trace)
            Path("in.txt").write_text("2")
            assert not holds(trace)

    def test_a_file_read_under_another_name_counts_as_it_was(self):
        Path("link").symlink_to("in.txt")

        def task():
            Path("in.txt").read_text()
            Path("link").write_text("2")

        trace = kept(task)
        assert not holds(trace)


WRITES = {
    "open": lambda p: Path(p).write_text("1"),
    "append": lambda p: open(p, "a").close(),
    "create": lambda p: open(p, "x").close(),
    "w+": lambda p: open(p, "w+").close(),
    "touch": lambda p: Path(p).touch(),
    "numpy": lambda p: np.savetxt(p, [1.0]),
    "pandas": lambda p: pd.DataFrame({"a": [1]}).to_csv(p),
    "sqlite": lambda p: write_table(p),
    "copy": lambda p: shutil.copyfile("other.txt", p),
    "replace": lambda p: (Path("tmp").write_text("1"), os.replace("tmp", p)),
    "rename": lambda p: (Path("tmp").write_text("1"), Path("tmp").rename(p)),
    "folder moved": lambda p: (Path("tmp").mkdir(), Path("tmp/f").write_text("1"), Path("tmp").rename(p)),
    "mkdir": lambda p: Path(p).mkdir(),
    "link": lambda p: os.link("other.txt", p),
    "symlink": lambda p: os.symlink("other.txt", p),
}


def write_table(path):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table if not exists t (x)")
        connection.execute("insert into t values (1)")


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_file_that_is_written_is_an_output(write, here):
    trace = kept(lambda: write("out"))
    assert "out" in names(trace, "output")
    assert "tmp" not in names(trace, "output")
    assert holds(trace)
    if Path("out").is_file():
        Path("out").write_text("anything else")
        assert holds(trace)
        Path("out").unlink()
    else:
        shutil.rmtree("out")
    assert not holds(trace)


def test_a_file_written_and_read_back_is_only_an_output():
    def task():
        Path("out").write_text("1")
        Path("out").read_text()

    trace = kept(task)
    assert (names(trace, "output"), names(trace, "file")) == ({"out"}, set())


@pytest.mark.parametrize(
    "task",
    [
        lambda: (Path("in.txt").read_text(), Path("in.txt").write_text("2")),
        lambda: open("in.txt", "r+").write("2"),
        lambda: open("in.txt", "a+").write("2"),
        lambda: (Path("in.txt").read_text(), open("in.txt", "a").write("2")),
        lambda: (Path("in.txt").read_text(), Path("other.txt").replace("in.txt")),
        lambda: (Path("in.txt").read_text(), Path("in.txt").unlink()),
        lambda: Path("in.txt").rename("moved.txt"),
    ],
    ids=["counter", "r+", "a+", "read and append", "read and replaced", "read and deleted", "renamed"],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_file_read_and_then_changed_counts_as_it_was_before(task):
    trace = kept(task)
    assert not holds(trace)
    Path("in.txt").write_text("1")
    assert [b for b in broken(trace) if b.kind == "file" and b.name.endswith("in.txt")] == []


def test_a_file_rewritten_as_it_was_holds():
    assert holds(kept(lambda: Path("in.txt").write_text(Path("in.txt").read_text())))


def test_a_file_added_to_is_an_output_only():
    def task():
        with open("in.txt", "a") as log:
            log.write("line\n")

    trace = kept(task)
    assert holds(trace)
    assert names(trace, "file") == set()


def test_a_file_added_to_and_then_read_cannot_be_told():
    def task():
        with open("in.txt", "a") as log:
            log.write("line\n")
        Path("in.txt").read_text()

    assert any("after adding" in reason for reason in observe(task).against)


def test_a_file_made_and_then_written_is_an_output_only():
    assert (
        names(kept(lambda: (Path("o").touch(), Path("o").write_text("1"), Path("o").read_text())), "file") == set()
    )


@pytest.mark.parametrize(
    "try_to",
    [lambda: os.mkdir("in.txt"), lambda: os.link("other.txt", "in.txt"), lambda: open("in.txt", "x").close()],  # noqa: PTH102
    ids=["mkdir", "link", "create"],
)
def test_a_file_that_stands_in_the_way_and_is_read_is_an_input(try_to):
    def task():
        with contextlib.suppress(FileExistsError):
            try_to()
        Path("in.txt").read_text()

    trace = kept(task)
    assert holds(trace)
    Path("in.txt").write_text("2")
    assert not holds(trace)


def test_a_file_that_cannot_be_written_and_is_read_is_an_input():
    def task():
        with contextlib.suppress(NotADirectoryError):
            os.open("in.txt", os.O_WRONLY | os.O_DIRECTORY | os.O_TRUNC)
        Path("in.txt").read_text()

    trace = kept(task)
    assert holds(trace)
    Path("in.txt").write_text("2")
    assert not holds(trace)


def test_what_is_written_natively_into_a_folder_of_ones_own_is_an_output():
    def task():
        Path("out").mkdir()
        by_somebody_else(lambda: Path("out/part").write_text("1"))
        Path("out/part").read_text()

    trace = kept(task)
    assert names(trace, "output") == {"out", "part"}
    assert names(trace, "file") == set()


def test_what_is_written_natively_into_a_temporary_folder_does_not_count():
    def task():
        with tempfile.TemporaryDirectory() as folder:
            by_somebody_else(lambda: Path(folder, "part").write_text("1"))
            Path(folder, "part").read_text()

    assert kept(task) == ()


EXISTENCE = {
    "Path.exists": lambda p: Path(p).exists(),
    "os.path.exists": lambda p: os.path.exists(p),  # noqa: PTH110
    "isfile": lambda p: os.path.isfile(p),  # noqa: PTH113
    "Path.is_dir": lambda p: Path(p).is_dir(),
    "glob": lambda p: glob.glob(p),
    "lexists": lambda p: os.path.lexists(p),
}


@pytest.mark.parametrize("ask", EXISTENCE.values(), ids=EXISTENCE)
class TestAskingWhetherAFileExists:
    def test_counts_if_it_appears(self, ask):
        trace = kept(lambda: ask("late"))
        assert holds(trace)
        Path("late").write_text("1")
        assert not holds(trace)

    def test_counts_if_it_goes(self, ask):
        trace = kept(lambda: ask("in.txt"))
        assert holds(trace)
        Path("in.txt").unlink()
        assert not holds(trace)

    def test_does_not_ask_what_is_in_it(self, ask):
        trace = kept(lambda: ask("in.txt"))
        Path("in.txt").write_text("2")
        assert holds(trace)

    def test_does_not_count_for_a_file_of_ones_own(self, ask):
        assert names(kept(lambda: (Path("out").write_text("1"), ask("out"))), "exists") == set()

    def test_counts_if_the_task_then_makes_it(self, ask):
        """Another run would find it: its result may be another."""
        assert not holds(kept(lambda: (ask("out"), Path("out").write_text("1"))))


@pytest.mark.parametrize(
    "make",
    [
        lambda: os.path.exists("out") or os.mkdir("out"),  # noqa: PTH102, PTH110
        lambda: os.makedirs("out/deep", exist_ok=True),
        lambda: Path("out/deep").mkdir(parents=True, exist_ok=True),
        lambda: shutil.copy("in.txt", "out"),
        lambda: pd.DataFrame().to_csv("out"),
    ],
    ids=["by hand", "makedirs", "mkdir", "copy", "pandas"],
)
def test_looking_before_one_writes_is_no_question(make):
    assert holds(kept(make))


STATUS = {
    "getsize": lambda: os.path.getsize("in.txt"),  # noqa: PTH202
    "getmtime": lambda: os.path.getmtime("in.txt"),  # noqa: PTH204
    "os.stat": lambda: os.stat("in.txt"),  # noqa: PTH116
    "os.lstat": lambda: os.lstat("in.txt"),
    "Path.stat": lambda: Path("in.txt").stat(),
}


@pytest.mark.parametrize("ask", STATUS.values(), ids=STATUS)
def test_size_and_time_count_if_they_are_asked_for(ask):
    trace = kept(ask)
    assert holds(trace)
    os.utime("in.txt", (1, 1))
    assert not holds(trace)


def test_the_questions_are_python_s_own_again_after_the_run(here):
    before = os.stat, os.lstat
    during = []
    kept(lambda: during.append((os.stat, os.lstat)))
    assert (os.stat, os.lstat) == before
    assert during != [before]
    assert all(now in sets for now, was in zip(during[0], before, strict=True) for sets in CAN if was in sets)


CAN = os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks


def test_making_folders_and_copying_asks_nothing_that_breaks_later():
    def task():
        os.makedirs("out/deep/down", exist_ok=True)
        shutil.copy2("in.txt", "out/deep/down")
        Path("out/deep/down/in.txt").resolve()
        shutil.copytree("data", "out/data")

    trace = kept(task)
    assert holds(trace)
    Path("out/more").write_text("1")
    assert holds(trace)


TEMPORARY = {
    "named": lambda: tempfile.NamedTemporaryFile().close(),
    "unnamed": lambda: tempfile.TemporaryFile().close(),
    "folder": lambda: fill(tempfile.TemporaryDirectory()),
    "by hand": lambda: (Path("tmp").write_text("1"), Path("tmp").read_text(), Path("tmp").unlink()),
    "moved away": lambda: (Path("tmp").write_text("1"), Path("tmp").rename("tmp2"), Path("tmp2").unlink()),
}


def fill(folder):
    with folder as name:
        Path(name, "sub").mkdir()
        Path(name, "sub", "x").write_text("1")
        Path(name, "sub", "x").read_text()
        os.listdir(name)


@pytest.mark.parametrize("task", TEMPORARY.values(), ids=TEMPORARY)
def test_temporary_files_do_not_count(task):
    assert [used for used in kept(task) if used.kind != "cwd"] == []


def test_a_file_that_the_task_deletes_must_stay_away():
    trace = kept(lambda: Path("in.txt").unlink())
    assert holds(trace)
    Path("in.txt").write_text("1")
    assert not holds(trace)


LISTINGS = {
    "os.listdir": lambda: os.listdir("data"),
    "os.scandir": lambda: list(os.scandir("data")),
    "glob": lambda: glob.glob("data/*.csv"),
    "iterdir": lambda: list(Path("data").iterdir()),
    "pathlib.glob": lambda: list(Path("data").glob("*.csv")),
    "os.walk": lambda: list(os.walk("data")),
    "rglob": lambda: list(Path("data").rglob("*.csv")),
    "by descriptor": lambda: list_by_descriptor("data"),
}


def list_by_descriptor(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.listdir(descriptor)
    os.close(descriptor)


@pytest.mark.parametrize("task", LISTINGS.values(), ids=LISTINGS)
@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda: Path("data/c.csv").write_text(""), False),
        (lambda: Path("data/a.csv").unlink(), False),
        (lambda: Path("data/a.csv").rename("data/d.csv"), False),
        (lambda: Path("data/a.csv").write_text("read natively"), False),
        (lambda: shutil.rmtree("data"), False),
        (lambda: Path("new.txt").write_text(""), True),
        (lambda: Path("in.txt").write_text("2"), True),
    ],
    ids=["added", "deleted", "renamed", "content", "folder deleted", "added elsewhere", "content elsewhere"],
)
def test_a_folder_that_is_listed_counts(task, edit, expected):
    trace = kept(task)
    assert holds(trace)
    edit()
    assert holds(trace) is expected


def test_of_a_folder_whose_files_are_opened_only_those_count():
    def task():
        for path in sorted(Path("data").iterdir()):
            if path.name == "a.csv":
                path.read_text()

    trace = kept(task)
    Path("data/b.csv").write_text("never read")
    assert holds(trace)
    Path("data/a.csv").write_text("read")
    assert not holds(trace)


def test_folders_count_as_far_down_as_they_were_walked():
    Path("data/sub").mkdir()
    walked, listed = kept(lambda: list(os.walk("data"))), kept(lambda: os.listdir("data"))
    Path("data/sub/new").write_text("")
    assert (holds(walked), holds(listed)) == (False, True)


def test_listing_a_folder_that_is_not_there_counts():
    def task():
        with contextlib.suppress(FileNotFoundError):
            os.listdir("later")

    trace = kept(task)
    assert holds(trace)
    Path("later").mkdir()
    assert not holds(trace)


def test_a_folder_of_ones_own_is_not_an_input():
    def task():
        Path("out").mkdir()
        Path("out/a").write_text("1")
        os.listdir("out")

    trace = kept(task)
    Path("out/b").write_text("1")
    assert holds(trace)


class TestChangedWhileItRan:
    @pytest.mark.parametrize(
        "edit", [lambda p: p.write_text("2"), lambda p: p.unlink()], ids=["changed", "deleted"]
    )
    def test_after_it_was_read(self, edit):
        def task():
            Path("in.txt").read_text()
            by_somebody_else(lambda: edit(Path("in.txt")))

        assert "in.txt' changed while it ran" in observe(task).against[0]

    def test_between_reading_and_writing(self):
        def task():
            Path("in.txt").read_text()
            by_somebody_else(lambda: Path("in.txt").write_text("2"))
            Path("in.txt").write_text("3")

        assert "in.txt' changed while it ran" in observe(task).against[0]

    def test_appeared_after_it_was_looked_for(self):
        def task():
            with contextlib.suppress(FileNotFoundError):
                open("late.txt").close()
            by_somebody_else(lambda: Path("late.txt").write_text("2"))

        assert "late.txt' changed while it ran" in observe(task).against[0]

    def test_touched_only(self):
        def task():
            Path("in.txt").read_text()
            by_somebody_else(lambda: os.utime("in.txt", (1, 1)))

        assert holds(kept(task))

    def test_before_it_was_read(self):
        def task():
            by_somebody_else(lambda: Path("in.txt").write_text("2"))
            Path("in.txt").read_text()

        assert holds(kept(task))


def by_somebody_else(edit):
    """Do something as another process would: no event belongs to the task."""
    from graflow_nb.incremental.trace.audit import unheard

    with unheard():
        edit()


class TestLiterals:
    """Native readers and writers are not heard; what they are given stands in the code or the arguments."""

    @pytest.mark.parametrize("name", ["in.txt", Path("in.txt"), "./in.txt", "data/../in.txt"], ids=str)
    def test_a_file_that_exists_is_an_input(self, name):
        trace = kept(lambda: None, literals=[name])
        assert holds(trace)
        Path("in.txt").write_text("2")
        assert not holds(trace)

    def test_one_that_does_not_exist_must_stay_away(self):
        trace = kept(lambda: None, literals=["late.txt"])
        assert holds(trace)
        Path("late.txt").write_text("2")
        assert not holds(trace)

    @pytest.mark.parametrize("text", ["https://host/x.csv", "a\0b", "é" * 400, "x/" * 3000, ""])
    def test_a_text_that_names_no_file_does_no_harm(self, text):
        assert holds(kept(lambda: None, literals=[text]))

    @pytest.mark.parametrize("write", [Path.touch, lambda p: by_somebody_else(p.touch)], ids=["heard", "native"])
    def test_one_that_the_task_makes_is_an_output(self, write):
        trace = kept(lambda: write(Path("out.bin")), literals=["out.bin"])
        assert holds(trace)
        Path("out.bin").write_text("2")
        assert holds(trace)
        Path("out.bin").unlink()
        assert not holds(trace)

    def test_one_that_is_read_natively_and_changes_is_not_kept(self):
        observed = observe(lambda: by_somebody_else(lambda: Path("in.txt").write_text("2")), literals=["in.txt"])
        assert "in.txt' changed while it ran" in observed.against[0]

    def test_one_that_is_written_natively_again_is_an_output_again(self):
        def task():
            by_somebody_else(lambda: Path("out.bin").write_text("1"))

        first = kept(task, literals=["out.bin"])
        by_somebody_else(lambda: Path("out.bin").write_text("changed"))
        second = kept(task, literals=["out.bin"], before=first)
        assert names(second, "output") == {"out.bin"}
        assert names(second, "file") == set()

    def test_one_left_from_earlier_is_known_as_an_output_after_one_run(self):
        def task():
            by_somebody_else(lambda: Path("in.txt").write_text("written"))

        first = observe(task, literals=["in.txt"])
        assert first.against
        by_somebody_else(lambda: Path("in.txt").write_text("1"))
        assert names(kept(task, literals=["in.txt"], before=first.used), "output") == {"in.txt"}

    def test_of_a_folder_everything_below_counts(self):
        trace = kept(lambda: None, literals=["data"])
        assert holds(trace)
        Path("data/a.csv").write_text("other")
        assert not holds(trace)

    def test_of_a_folder_that_was_looked_into_what_was_seen_counts(self):
        trace = kept(lambda: open("data/a.csv").close(), literals=["data"])
        Path("data/b.csv").write_text("other")
        assert holds(trace)

    def test_a_folder_that_is_written_natively_is_an_output(self):
        trace = kept(lambda: by_somebody_else(lambda: Path("parts").mkdir()), literals=["parts"])
        assert names(trace, "output") == {"parts"}

    @pytest.mark.parametrize(
        ("edit", "expected"),
        [
            (lambda: Path("data/a.csv").write_text("2"), False),
            (lambda: Path("data/c.csv").write_text("2"), False),
            (lambda: Path("data/c.txt").write_text("2"), True),
        ],
        ids=["content", "new", "no match"],
    )
    def test_a_pattern_counts_with_what_matches(self, edit, expected):
        trace = kept(lambda: None, literals=["data/*.csv"])
        assert holds(trace)
        edit()
        assert holds(trace) is expected

    @pytest.mark.parametrize("text", [".*", "[a-z]+.*", "a?/b", "*.*"])
    def test_an_expression_is_no_pattern(self, text):
        trace = kept(lambda: None, literals=[text])
        Path("b.new").write_text("1")
        assert holds(trace)

    @pytest.mark.parametrize("name", [".", "..", "/", tempfile.gettempdir(), "~"])
    def test_a_folder_that_says_nothing_does_not_count(self, name):
        assert kept(lambda: None, literals=[name]) == ()

    def test_one_that_is_written_and_read_by_python_is_an_output(self):
        trace = kept(lambda: (Path("o").write_text("1"), Path("o").read_text()), literals=["o"])
        assert names(trace, "file") == set()


class TestDeclaredInputs:
    @pytest.mark.parametrize(
        ("declared", "edit"),
        [
            ("in.txt", lambda: Path("in.txt").write_text("2")),
            ("data", lambda: Path("data/a.csv").write_text("2")),
            ("data", lambda: Path("data/c.csv").write_text("2")),
            ("data/*.csv", lambda: Path("data/a.csv").write_text("2")),
            ("data/*.csv", lambda: Path("data/c.csv").write_text("2")),
            ("data/*.csv", lambda: Path("data/a.csv").unlink()),
            ("**/*.csv", lambda: (Path("data/sub").mkdir(), Path("data/sub/c.csv").write_text("2"))),
            ("late.txt", lambda: Path("late.txt").write_text("2")),
        ],
        ids=["file", "in folder", "new in folder", "match", "new match", "match deleted", "deep match", "absent"],
    )
    def test_they_count_though_nothing_was_seen(self, declared, edit):
        trace = kept(lambda: None, inputs=[declared])
        assert holds(trace)
        edit()
        assert not holds(trace)

    @pytest.mark.parametrize("declared", ["in.txt", "data/*.csv", "data"])
    def test_other_files_do_not(self, declared):
        trace = kept(lambda: None, inputs=[declared])
        Path("other.txt").write_text("2")
        assert holds(trace)

    @pytest.mark.parametrize("declared", ["data/a.csv", "data", "data/*.csv"])
    def test_one_that_changes_meanwhile_is_not_kept(self, declared):
        observed = observe(lambda: by_somebody_else(lambda: Path("data/a.csv").write_text("2")), inputs=[declared])
        assert "changed while it ran" in observed.against[0]


def test_a_database_that_is_read_counts_by_its_content():
    write_table("db")

    def read():
        with contextlib.closing(sqlite3.connect("db")) as connection:
            return connection.execute("select * from t").fetchall()

    trace = kept(read)
    assert holds(trace)
    assert names(trace, "output") == set()
    write_table("db")
    assert not holds(trace)


def test_a_database_that_is_counted_up_counts_as_it_was():
    write_table("db")
    assert not holds(kept(lambda: write_table("db")))


@pytest.mark.parametrize("name", [":memory:", "", "file:x?mode=memory"])
def test_a_database_in_memory_is_no_file(name):
    assert kept(lambda: sqlite3.connect(name, uri=name.startswith("file")).close()) == ()


def test_the_folder_at_the_time_counts(here):
    def task():
        os.chdir("data")
        open("a.csv").close()
        os.chdir(here)

    trace = kept(task)
    assert holds(trace)
    Path("data/a.csv").write_text("2")
    assert not holds(trace)


@pytest.mark.parametrize(
    ("task", "options"),
    [
        (lambda: open("in.txt").close(), {}),
        (lambda: os.listdir(), {}),
        (lambda: Path("absent").exists(), {}),
        (lambda: os.path.abspath("x"), {}),
        (Path.cwd, {}),
        (lambda: os.chdir("data") or os.chdir(".."), {}),
        (lambda: None, {"literals": ["in.txt"]}),
    ],
    ids=["open", "list", "exists", "abspath", "cwd", "chdir", "literal"],
)
def test_the_current_folder_counts_where_paths_are_relative(task, options, here):
    trace = kept(task, **options)
    assert holds(trace)
    os.chdir("data")
    assert [b.kind for b in broken(trace)] == ["cwd"]
    os.chdir(here)


@pytest.mark.parametrize(
    ("task", "options"),
    [(lambda p: p.read_text(), {}), (lambda p: p.exists(), {}), (lambda p: None, {"literals": ["hello.", "a/b"]})],
    ids=["open", "exists", "texts"],
)
def test_and_nowhere_else(task, options, here):
    trace = kept(lambda: task(here / "in.txt"), **options)
    os.chdir("data")
    assert holds(trace)
    os.chdir(here)


def test_what_changed_is_said_in_words():
    trace = kept(Path("in.txt").read_text)
    Path("in.txt").unlink()
    (change,) = broken(trace)
    assert change.new == "absent"
    assert change.old.startswith("1 bytes, 20")


def append(path):
    with path.open("a") as file:
        file.write("+")


def update(path):
    with path.open("r+") as file:
        return file.read(), file.write("u")


def swap(path):
    path.with_suffix(".tmp").write_text("r")
    path.with_suffix(".tmp").replace(path)


def link(path):
    path.with_suffix(".link").symlink_to(path)
    path.with_suffix(".link").read_text()


STEPS = {
    "read": Path.read_text,
    "update": update,
    "exists": Path.exists,
    "size": lambda path: path.stat().st_size,
    "list": lambda path: sorted(os.listdir(path.parent)),
    "write": lambda path: path.write_text("w"),
    "append": append,
    "delete": Path.unlink,
    "replace": swap,
    "link": link,
}
QUESTIONS = ["read", "exists", "size", "list"]
ANSWERS = {*QUESTIONS, "update"}
NAMES = st.sampled_from("pq")


def perform(step, path):
    with contextlib.suppress(FileNotFoundError, FileExistsError):
        return STEPS[step](path)
    return None


@settings(max_examples=300, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from(sorted(STEPS)), NAMES), max_size=8),
    there=st.sets(NAMES),
    edits=st.dictionaries(NAMES, st.text("x", max_size=1), max_size=1),
)
def test_if_the_trace_holds_a_fresh_run_gives_the_same_answers(steps, there, edits):
    """The one rule: whatever a task does in whatever order, what is reused is what another run would give."""
    with tempfile.TemporaryDirectory() as folder:
        for name in there:
            Path(folder, name).write_text(f"first {name}")

        def run():
            return [(step, perform(step, Path(folder, name))) for step, name in steps]

        first = []
        observed = observe(lambda: first.extend(run()))
        for name, text in edits.items():
            Path(folder, name).write_text(text)
        if not observed.against and holds(observed.used):
            assert [answer for step, answer in first if step in ANSWERS] == [
                a for step, a in run() if step in ANSWERS
            ]


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(QUESTIONS), NAMES), max_size=8), there=st.sets(NAMES))
def test_a_run_that_changes_nothing_is_reused(steps, there):
    with tempfile.TemporaryDirectory() as folder:
        for name in there:
            Path(folder, name).write_text(f"first {name}")
        trace = kept(lambda: [perform(step, Path(folder, name)) for step, name in steps])
        assert holds(trace)
