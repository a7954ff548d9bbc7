"""Results on disk: what is kept comes back, to this process and to others, and the limit holds."""

from __future__ import annotations

import os
import pickle
import re
import signal
import stat
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import child, entry, fork, found, key, open_store

from graflow_nb.incremental.store.payload import Payload
from graflow_nb.incremental.store.pickling import Lost
from graflow_nb.incremental.store.signing import SECRET

POSIX = pytest.mark.skipif(os.name != "posix", reason="of POSIX")
LARGE = 100_000  # bytes: has a file of its own


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv(SECRET, "of the tests")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / ".graflow_nb"


@pytest.fixture
def store(folder):
    opened, said = open_store(folder)
    yield opened
    opened.close()
    assert said == []


def value_files(folder):
    return sorted(folder.glob("*/values/*"))


def large(seed=0):
    return np.random.default_rng(seed).bytes(LARGE)


# What is kept


def test_an_entry_comes_back_as_it_was_and_in_a_new_store(folder, store):
    kept = entry(trace="a", marks=("it used the network",), accepted=True)
    assert store.put(kept, {None: 1, "rows": [1, 2]}) == ()
    for again in (store, open_store(folder)[0]):
        (back,) = found(again)
        assert back == kept
        assert type(back.parts[0]) is type(kept.parts[0])
        assert type(back.trace[0]) is type(kept.trace[0])
        assert again.values(back) == {None: 1, "rows": [1, 2]}
        again.close()


PLAIN = st.recursive(
    st.none() | st.integers() | st.text() | st.binary() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(max_examples=30)
@given(PLAIN)
def test_plain_values_come_back_equal(tmp_path_factory, value):
    store, said = open_store(tmp_path_factory.mktemp("store") / "s")
    store.put(entry(), {None: value})
    assert store.values(found(store)[0]) == {None: value}
    assert said == []
    store.close()


ARRAYS = {
    "empty": np.zeros(0),
    "scalar": np.array(3.5),
    "small": np.arange(10),
    "within the row": np.arange(2_000.0),
    "large": np.arange(50_000.0).reshape(100, 500),
    "by columns": np.asfortranarray(np.arange(50_000.0).reshape(100, 500)),
    "not contiguous": np.arange(100_000.0)[::2],
    "objects": np.array(["a", None, 1], dtype=object),
    "structured": np.zeros(5_000, dtype=[("a", "i4"), ("b", "f8")]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back_equal_and_can_be_written_to(store, name):
    array = ARRAYS[name]
    store.put(entry(), {None: array})
    back = store.values(found(store)[0])[None]
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)
    assert back.flags.writeable
    back[...] = 0
    assert np.array_equal(store.values(found(store)[0])[None], array), "what is kept is not what was handed out"


def test_a_read_only_array_stays_so(store):
    array = np.arange(50_000.0)
    array.flags.writeable = False
    store.put(entry(), {None: array})
    assert not store.values(found(store)[0])[None].flags.writeable


def test_a_table_comes_back(store):
    table = pd.DataFrame({"a": np.arange(20_000), "b": np.arange(20_000.0), "c": "text"})
    store.put(entry(), {"table": table})
    back = store.values(found(store)[0])["table"]
    pd.testing.assert_frame_equal(back, table)
    back.loc[0, "a"] = 7


@pytest.mark.parametrize("size", [10, LARGE], ids=["in the row", "in a file"])
def test_what_variables_share_they_share_again(store, size):
    shared = [bytearray(size)]
    store.put(entry(), {"model": {"of": shared}, "optimizer": shared, None: shared})
    back = store.values(found(store)[0])
    assert back["model"]["of"] is back["optimizer"] is back[None]


def test_nothing_to_keep_but_the_entry(store):
    store.put(entry(), {})
    assert store.values(found(store)[0]) == {}
    assert store.has_values(found(store)[0]) == frozenset()


def test_many_small_buffers_stay_within_the_pickle(store):
    arrays = [np.full(4, i) for i in range(3_000)]
    store.put(entry(), {None: arrays})
    (back,) = found(store)
    assert back.layout.buffers == ()
    assert all(map(np.array_equal, store.values(back)[None], arrays))


@pytest.mark.parametrize("size", [1_000, 3_000_000], ids=["in the row", "in a file"])
def test_bytes_of_every_kind(store, size):
    value = (bytes(size), bytearray(size), b"end")
    store.put(entry(), {None: value})
    assert store.values(found(store)[0])[None] == value


# What cannot be kept


def generator():
    yield 1


class Stubborn:
    def __init__(self, error):
        self.error = error

    def __reduce__(self):
        raise self.error


def nest(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


class Holder:
    def __init__(self):
        self.fine = 1
        self.stream = generator()


REFUSED = {
    "a generator": (generator(), "rows is of type generator"),
    "in a dict": ({"a": [1, generator()]}, r"rows\['a'\]\[1\] is of type generator"),
    "in an object": (Holder(), r"rows\.stream is of type generator"),
    "a lock": ([threading.Lock()], r"rows\[0\] is of type lock"),
    "a lambda": (lambda: 1, "rows is of type function"),
    "an error of its own": (Stubborn(ValueError("no")), r"rows is of type Stubborn.*ValueError: no"),
    "an error like that of a disk": (Stubborn(OSError("no")), r"rows is of type Stubborn.*OSError: no"),
    "a module": (sys, "rows is of type module"),
    "too deep": (nest(100_000), r"rows.*RecursionError"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("beside", [b"small", bytes(LARGE)], ids=["small", "large"])
def test_what_cannot_be_pickled_is_named_and_the_rest_is_kept(folder, store, case, beside):
    value, message = REFUSED[case]
    (why,) = store.put(entry(), {None: beside, "rows": value, "same": [beside]})
    assert re.search(message, why), why
    (back,) = found(store)
    values = store.values(back)
    assert values == {None: beside, "same": [beside]}
    assert values["same"][0] is values[None]
    assert store.has_values(back) == {None, "same"}
    assert not list(folder.glob("*/values/*.part"))


def test_nothing_can_be_pickled(store):
    whys = store.put(entry(), {None: generator(), "rows": generator()})
    assert [why.split(" is")[0] for why in whys] == ["the value", "rows"]
    assert store.values(found(store)[0]) == {}


def test_outputs_that_cannot_be_pickled(store):
    (why,) = store.put(entry(outputs=({"data": generator()},)), {None: 1})
    assert "generator" in why
    assert found(store) == []


# Which entries are found


def test_other_tasks_and_other_keys_are_not_found(store):
    store.put(entry("load", 1), {})
    assert found(store, "load", 2) == found(store, "clean", 1) == []
    assert store.latest("clean") is None


def test_several_traces_of_a_key_the_last_used_first(store):
    for trace in "abc":
        store.put(entry(trace=trace), {None: trace})
    assert [store.values(each)[None] for each in found(store)] == ["c", "b", "a"]
    store.touch([found(store)[2]])
    assert [store.values(each)[None] for each in found(store)] == ["a", "c", "b"]
    assert store.values(store.latest("load")) == {None: "a"}


@pytest.mark.parametrize("last", ["a", "b"])
def test_in_a_run_the_last_used_is_the_latest_though_one_was_read_ahead(store, last):
    store.put(entry("load", "a"), {})
    store.put(entry("load", "b"), {})
    with store.in_use(["load"]):
        (a,), (b,) = found(store, "load", "a"), found(store, "load", "b")
        each = {"a": a, "b": b}
        store.touch([each.pop(last)])
        store.touch(each.values())
        store.touch(found(store, "load", last))
        assert store.latest("load").key == key(last)
    assert store.latest("load").key == key(last)


def test_what_is_put_in_a_run_is_the_latest_though_another_was_read_ahead(store):
    store.put(entry("load", "a"), {})
    with store.in_use(["load", "clean"]):
        store.touch(found(store, "load", "a"))
        store.put(entry("load", "b"), {})
        store.put(entry("clean", "c"), {})
        assert store.latest("load").key == key("b")
        assert [store.latest("clean")] == found(store, "clean", "c")


def test_the_same_trace_replaces_and_its_file_goes(folder, store):
    store.put(entry(trace="a"), {None: large(1)})
    store.put(entry(trace="a"), {None: large(2)})
    (back,) = found(store)
    assert store.values(back)[None] == large(2)
    assert len(value_files(folder)) == 1


def test_an_entry_that_was_replaced_does_not_get_the_new_values(store):
    old = entry(created=1.0)
    store.put(old, {None: "old"})
    store.put(entry(created=2.0), {None: "new"})
    with pytest.raises(Lost, match="not in the store any more"):
        store.values(old)


def test_only_so_many_traces_of_a_key_are_kept(store):
    for number in range(20):
        store.put(entry(trace=str(number)), {None: number})
    assert [store.values(each)[None] for each in found(store)] == list(range(19, 3, -1))


def test_an_entry_of_the_users_is_as_good_as_one_that_was_found(store):
    mine = entry()
    store.put(mine, {None: 1})
    assert store.values(mine) == {None: 1}
    assert store.has_values(mine) == {None}
    store.discard(mine)
    assert found(store) == []


def test_a_changed_copy_of_an_entry(store):
    store.put(entry(), {None: 1})
    (back,) = found(store)
    changed = back._replace(key=key(2), accepted=True)
    with pytest.raises(Lost, match="not in the store"):
        store.values(changed)
    store.put(changed, store.values(back))
    (again,) = found(store, of=2)
    assert again == changed
    assert again.accepted
    assert store.values(again) == store.values(back) == {None: 1}


def test_an_entry_travels_to_other_processes(store):
    mine = entry(trace="a")
    store.put(mine, {None: 1})
    (back,) = found(store)
    travelled = pickle.loads(pickle.dumps(back))
    assert travelled == mine
    assert type(travelled) is type(mine)
    assert type(travelled.parts[0]) is type(mine.parts[0])
    assert store.values(travelled) == {None: 1}


def test_the_parts_are_like_a_tuple(store):
    mine = entry()
    store.put(mine, {})
    (back,), (again,) = found(store), found(store)
    assert (len(back.parts), back.parts[0], list(back.parts)) == (2, mine.parts[0], list(mine.parts))
    assert back.parts == again.parts == mine.parts
    assert back.parts != mine.parts[:1]
    assert hash(back.parts) == hash(mine.parts)
    assert repr(back.parts) == repr(mine.parts)


def test_a_name_that_is_no_proper_text(folder):
    store, _ = open_store(folder)
    assert list(store.find("\ud800", key(1))) == []
    store.put(entry("\ud800"), {None: 1})
    store.close()


# A run


def test_a_run_finds_what_it_finds_otherwise(store):
    store.put(entry("load", 1), {None: "old"})
    store.put(entry("load", 2, "a"), {None: "new"})
    store.put(entry("load", 2, "b"), {None: "newer"})
    store.put(entry("other"), {None: "other"})
    with store.in_use(["load", "absent"]):
        assert [store.values(each)[None] for each in found(store, "load", 2)] == ["newer", "new"]
        assert [store.values(each)[None] for each in found(store, "load", 1)] == ["old"]
        assert store.values(store.latest("load")) == {None: "newer"}
        assert store.values(found(store, "other")[0]) == {None: "other"}
        assert found(store, "absent") == []


def test_what_a_run_makes_or_drops_it_sees(store):
    store.put(entry("drop"), {})
    store.put(entry("forget"), {})
    with store.in_use(["load", "drop", "forget"]):
        store.put(entry("load"), {None: 1})
        assert store.values(found(store)[0]) == {None: 1}
        store.discard(found(store, "drop")[0])
        store.forget("forget")
        assert found(store, "drop") == found(store, "forget") == []


def test_runs_within_runs(store):
    with store.in_use(["load"]):
        with store.in_use(["load"]):
            pass
        store.put(entry(), {None: 1})
        assert store.values(found(store)[0]) == {None: 1}


# Letting go


def test_discard_forget_and_clear(folder, store):
    for name in ("a", "b", "c"):
        store.put(entry(name, 1), {None: large()})
        store.put(entry(name, 2), {None: large()})
    store.discard(found(store, "a", 1)[0])
    store.forget("b")
    assert store.info().tasks == {"a": 1, "c": 2}
    assert len(value_files(folder)) == 3
    store.clear()
    assert store.info().entries == 0
    assert store.info().bytes == 0
    assert value_files(folder) == []


def test_clearing_leaves_what_is_not_ours(folder, store):
    store.put(entry(), {None: large()})
    mine = next(folder.glob("*/values"))
    others = [folder / "notes.txt", mine / "notes.txt", mine / "x.value", folder.parent / "data.csv"]
    for path in others:
        path.write_text("mine")
    store.clear()
    store.gc()
    assert [path.read_text() for path in others] == ["mine"] * 4


def test_what_it_says_of_itself(folder, store):
    store.put(entry("a", 1), {None: large()})
    store.put(entry("b", 1), {None: 1})
    info = store.info()
    assert (info.folder, info.usable, info.entries, info.tasks) == (folder, True, 2, {"a": 1, "b": 1})
    assert LARGE < info.bytes < LARGE + 5_000
    assert info.limit == 10 * 2**30


@POSIX
def test_the_folder_is_the_users_own_and_says_what_it_is(folder, store):
    store.put(entry(), {None: large()})
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / ".gitignore").read_text() == "*\n"
    assert (folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")
    assert stat.S_IMODE(value_files(folder)[0].stat().st_mode) == 0o600


def test_git_sees_nothing_of_it(folder, store):
    store.put(entry(), {None: large()})
    subprocess.run(["git", "init", "-q", folder.parent], check=True)
    status = subprocess.run(
        ["git", "-C", folder.parent, "status", "--porcelain"], check=True, capture_output=True, text=True
    )
    assert status.stdout == ""


# The limit


def sized(folder, count):
    return open_store(folder, limit=count * LARGE + 40_000)


def test_the_least_recently_used_go_first(folder):
    store, said = sized(folder, 3)
    for name in "abc":
        store.put(entry(name), {None: large()})
    store.touch([found(store, "a")[0]])
    store.put(entry("d"), {None: large()})
    assert set(store.info().tasks) < {"a", "c", "d"} | {"b"}
    assert "b" not in store.info().tasks
    assert {"a", "d"} <= set(store.info().tasks)
    assert store.info().bytes <= store.limit
    assert len(value_files(folder)) == store.info().entries
    assert said == []
    store.close()


@pytest.mark.parametrize("runs", [1, 2, 50])
def test_what_a_run_used_goes_after_what_none_used(folder, runs):
    store, _ = sized(folder, 3)
    for name in "abc":
        store.put(entry(name), {None: large()})
    for _ in range(runs):
        with store.in_use(["a"]):
            assert found(store, "a")
    store.close()
    store, _ = sized(folder, 3)
    store.put(entry("d"), {None: large()})
    assert set(store.info().tasks) >= {"a", "d"}
    assert "b" not in store.info().tasks
    for name in "ef":
        store.put(entry(name), {None: large()})
    assert "a" not in store.info().tasks, "it was used before those were made"
    store.close()


def test_what_a_run_uses_stays_until_it_ends(folder):
    store, said = sized(folder, 3)
    for name in "abc":
        store.put(entry(name), {None: large()})
    with store.in_use(["a"]):
        assert found(store, "b")
        for name in "def":
            store.put(entry(name), {None: large()})
        assert set(store.info().tasks) == set("abdef"), "c was not used"
    assert store.info().bytes <= store.limit
    assert "f" in store.info().tasks
    assert said == []
    store.close()


USING = """
import sys; from pathlib import Path; from stores import open_store, found
store, _ = open_store(Path(sys.argv[1]))
with store.in_use(["a"]):
    print("in use", flush=True); input()
    print(len(store.values(found(store, "a")[0])[None]))
store.close()
"""


def test_what_a_run_of_another_process_uses_stays(folder):
    store, _ = sized(folder, 3)
    for name in "abc":
        store.put(entry(name), {None: large()})
    other = child(USING, folder)
    assert other.stdout.readline() == "in use\n"
    for name in "defgh":
        store.put(entry(name), {None: large()})
    assert {"a", "h"} <= set(store.info().tasks)
    assert not {"b", "c"} & set(store.info().tasks)
    assert other.communicate("\n")[0] == f"{LARGE}\n"
    for name in "ijk":
        store.put(entry(name), {None: large()})
    assert "a" not in store.info().tasks
    store.close()


def test_a_run_that_was_killed_protects_nothing(folder):
    store, _ = sized(folder, 3)
    store.put(entry("a"), {None: large()})
    other = child(USING, folder)
    assert other.stdout.readline() == "in use\n"
    other.kill()
    other.communicate()
    for name in "bcdef":
        store.put(entry(name), {None: large()})
    assert "a" not in store.info().tasks
    store.close()


def test_what_was_made_last_stays_if_it_fills_the_store(folder):
    store, said = open_store(folder, limit=LARGE + 5_000)
    for name in "ab":
        store.put(entry(name), {None: large()})
        assert set(store.info().tasks) == {name}
    assert said == []
    store.close()


def test_a_value_larger_than_the_store_is_refused(folder):
    store, said = open_store(folder, limit=LARGE)
    store.put(entry("small"), {None: 1})
    (why,) = store.put(entry("large"), {None: bytes(2 * LARGE)})
    assert "too large" in why
    (line,) = said
    assert "'large'" in line
    assert str(LARGE) in line
    assert set(store.info().tasks) == {"small"}
    assert value_files(folder) == []
    store.close()


# Memory


@pytest.mark.parametrize("writing", [True, False], ids=["writing", "reading"])
def test_an_array_is_not_copied_more_than_needed(store, writing):
    array = np.random.default_rng(0).random(2_000_000)
    if not writing:
        store.put(entry(), {None: array})
    tracemalloc.start()
    if writing:
        store.put(entry(), {None: array})
    else:
        store.values(found(store)[0])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < array.nbytes * (0.1 if writing else 1.1)


# Threads and processes


def test_threads_share_a_store(store):
    failed = []

    def work(number):
        try:
            with store.in_use([f"t{number}"]):
                for of in range(20):
                    store.put(entry(f"t{number}", of), {None: (number, of)})
                    assert store.values(found(store, f"t{number}", of)[0])[None] == (number, of)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert store.info().entries == 120


WRITING = """
import sys; from pathlib import Path; from stores import open_store, found, entry
print("here", flush=True); input()
store, said = open_store(Path(sys.argv[1]))
who = sys.argv[2]
for of in range(25):
    store.put(entry(who, of), {None: who.encode() * 20_000 if of % 5 == 0 else (who, of)})
    store.put(entry("shared"), {None: who})
    assert store.values(found(store, who, of)[0])
    try: store.values(found(store, "shared")[0])
    except IndexError: pass
print(said)
store.close()
"""


def test_processes_that_write_at_once(folder):
    children = [child(WRITING, folder, who) for who in "abc"]
    for process in children:
        assert process.stdout.readline() == "here\n"
    for process in children:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[0] for process in children] == ["[]\n"] * 3
    assert [process.returncode for process in children] == [0] * 3
    store, said = open_store(folder)
    assert store.info().tasks == {"a": 25, "b": 25, "c": 25, "shared": 1}
    assert store.values(found(store, "b", 3)[0]) == {None: ("b", 3)}
    assert store.values(found(store, "b", 5)[0]) == {None: b"b" * 20_000}
    assert store.gc() == 0
    assert said == []
    store.close()


@POSIX
def test_a_forked_child_has_a_connection_of_its_own(store):
    store.put(entry("parent"), {None: 1})
    process = fork()
    if process == 0:
        good = found(store, "parent") and store.put(entry("child"), {None: large()}) == ()
        os._exit(0 if good and found(store, "child") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert store.values(found(store, "child")[0]) == {None: large()}
    store.put(entry("after"), {})
    assert set(store.info().tasks) == {"parent", "child", "after"}


@POSIX
def test_a_fork_in_the_middle_of_writing(folder, monkeypatch):
    store, said = open_store(folder, timeout=0.01)
    publish = Payload.publish

    def fork_first(payload):
        monkeypatch.setattr(Payload, "publish", publish)
        process = fork()
        if process == 0:
            store.put(entry("child"), {None: 1})
            os._exit(0 if len(said) == 1 and "Another process" in said[0] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
        publish(payload)

    monkeypatch.setattr(Payload, "publish", fork_first)
    store.put(entry("parent"), {None: large()})
    assert set(store.info().tasks) == {"parent"}
    assert store.values(found(store, "parent")[0]) == {None: large()}
    assert said == []
    store.close()


KILLED = """
import os, signal, sys; from pathlib import Path; from stores import open_store, entry
from graflow_nb.incremental.store.payload import Payload
class Deadly:
    def __reduce__(self): os.kill(os.getpid(), signal.SIGKILL)
store, _ = open_store(Path(sys.argv[1]))
store.put(entry("before"), {None: bytes(100_000)})
publish = Payload.publish
def deadly(payload):
    publish(payload); os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "publishing": Payload.publish = deadly
store.put(entry("killed"), {None: [bytes(100_000), Deadly() if sys.argv[2] == "writing" else 1]})
"""


@POSIX
@pytest.mark.parametrize("moment", ["writing", "publishing"])
def test_after_a_kill_the_next_process_starts_clean(folder, moment):
    other = child(KILLED, folder, moment)
    other.communicate()
    assert other.returncode == -signal.SIGKILL
    assert len(value_files(folder)) == 2, "something was left"
    store, said = open_store(folder)
    assert found(store, "killed") == []
    assert store.values(found(store, "before")[0]) == {None: bytes(100_000)}
    store.gc()
    assert len(value_files(folder)) == 1
    assert said == []
    store.put(entry("killed"), {None: 1})
    assert found(store, "killed")
    store.close()


class Tidying:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        other, _ = open_store(self.folder)
        other.gc()
        other.close()
        return str, ()


@POSIX
def test_what_is_being_written_is_not_taken_for_a_leftover(folder, store):
    value = [large(), Tidying(folder)]
    assert store.put(entry(), {None: value}) == ()
    assert store.values(found(store)[0])[None] == [large(), ""]


# Small things


def test_a_closed_store_holds_nothing(folder):
    store, said = open_store(folder)
    store.put(entry(), {None: large()})
    (kept,) = found(store)
    store.close()
    store.close()
    assert found(store) == []
    assert store.latest("load") is None
    assert store.put(entry("b"), {None: 1}) == ()
    assert not store.info().usable
    assert store.gc() == 0
    with store.in_use(["load"]):
        store.touch([kept])
    assert said == []


def test_the_package_does_not_load_it_before_it_is_asked_for():
    code = "import sys, graflow_nb; print('sqlite3' in sys.modules)"
    assert child(code).communicate()[0] == "False\n"


def test_values_are_plain_pickle(store):
    store.put(entry(), {None: {"a": 1}})
    (back,) = found(store)
    assert pickle.loads(back.row.data) == {None: {"a": 1}}
