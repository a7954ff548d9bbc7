"""The manifest of a disk store: it saves time, and never changes what is found."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import entry, found, open_store

from graflow_nb.incremental.store.ahead import FEWEST
from graflow_nb.incremental.store.signing import SECRET

NAMES = [f"task {number}" for number in range(FEWEST + 6)]


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv(SECRET, "of the tests")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / ".graflow_nb"


@pytest.fixture
def filled(folder):
    """A folder with all entries and a manifest of them; nobody has it open."""
    store, said = open_store(folder)
    with store.in_use(NAMES):
        fill(store)
    store.close()
    assert manifests(folder) == 1
    assert said == []
    return folder


def fill(store, names=NAMES, of=1):
    for name in names:
        store.put(entry(name, of), {None: [name, of]})


def ask(folder, query, values=()):
    """Look at the index, or change it, behind the store's back."""
    (path,) = folder.glob("*/index.sqlite")
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute(query, values).fetchall()
        db.commit()
    return rows


def manifests(folder):
    return ask(folder, "SELECT count(*) FROM manifests")[0][0]


def number(folder):
    """Another one for each manifest that is written."""
    return ask(folder, "SELECT max(number) FROM manifests")[0][0]


def in_a_run(folder, names=NAMES, of=1):
    """The values of what a new kernel finds in a run, by name; and what was said."""
    store, said = open_store(folder)
    with store.in_use(names):
        there = {name: [store.values(each)[None] for each in found(store, name, of)] for name in names}
    store.close()
    return {name: values for name, values in there.items() if values}, said


def everything(names=NAMES, of=1):
    return {name: [[name, of]] for name in names}


def test_what_stands_in_it_is_found_without_reading_the_rows(filled):
    ask(filled, "UPDATE entries SET head = x'00', signature = x'00'")
    assert in_a_run(filled) == (everything(), [])


def test_entries_come_back_whole(filled):
    store, _ = open_store(filled)
    with store.in_use(NAMES):
        listed = [store.latest(name) for name in NAMES]
    assert listed == [store.latest(name) for name in NAMES]
    assert [(each.row.id, each.size) for each in listed] == [
        (each.row.id, each.size) for each in map(store.latest, NAMES)
    ]
    store.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE manifests SET data = substr(data, 1, 1000) || x'FF' || substr(data, 1002)",
        "UPDATE manifests SET data = substr(data, 1, 1000)",
        "UPDATE manifests SET data = NULL",
        "UPDATE manifests SET data = 'text'",
        "UPDATE manifests SET signature = x'00'",
        "UPDATE manifests SET signature = NULL",
        "UPDATE manifests SET first = x'00'",
        "DELETE FROM manifests",
        "DROP TABLE manifests",
    ],
)
def test_a_damaged_one_is_as_good_as_none(filled, damage):
    ask(filled, damage)
    assert in_a_run(filled) == (everything(), [])
    ask(filled, "UPDATE entries SET head = x'00'")
    assert in_a_run(filled) == (everything(), []), "a new one was written"


def test_one_whose_table_is_another(filled):
    ask(filled, "DROP TABLE manifests")
    ask(filled, "CREATE TABLE manifests (other TEXT)")
    there, said = in_a_run(filled)
    assert there in ({}, everything())
    assert len(said) == 1
    assert "damaged" in said[0]
    assert in_a_run(filled)[1] == []


def test_one_that_another_user_signed_is_not_opened(filled, tmp_path, monkeypatch):
    ((data,),) = ask(filled, "SELECT data FROM manifests")
    monkeypatch.setenv(SECRET, "of somebody else")
    other = tmp_path / "other"
    store, _ = open_store(other)
    with store.in_use(NAMES):
        fill(store, of=2)
    store.close()
    ((signature,),) = ask(other, "SELECT signature FROM manifests")
    ask(other, "UPDATE manifests SET data = ?", (data,))
    assert in_a_run(other, of=2)[0] == everything(of=2)
    ask(filled, "UPDATE manifests SET signature = ?", (signature,))
    monkeypatch.setenv(SECRET, "of the tests")
    assert in_a_run(filled)[0] == everything()


def test_a_row_without_signature_is_not_trusted(filled):
    ask(filled, "DELETE FROM manifests")
    ask(filled, "UPDATE entries SET signature = NULL WHERE name = ?", (NAMES[3],))
    there, said = in_a_run(filled)
    assert there == everything([name for name in NAMES if name != NAMES[3]])
    assert len(said) == 1


def test_rows_that_changed_places_are_not_taken_for_each_other(filled):
    here, there = (ask(filled, "SELECT id FROM entries WHERE name = ?", (name,))[0][0] for name in NAMES[3:5])
    ask(filled, "UPDATE entries SET name = ? WHERE id = ?", (NAMES[4], here))
    ask(filled, "UPDATE entries SET name = ? WHERE id = ?", (NAMES[3], there))
    found, said = in_a_run(filled)
    assert found == everything([*NAMES[:3], *NAMES[5:]])
    assert len(said) == 1


def test_one_of_other_tasks_that_begin_alike(filled):
    names = [NAMES[0], *(f"other {name}" for name in NAMES)]
    store, _ = open_store(filled)
    with store.in_use(names):
        fill(store, names[1:])
    store.close()
    assert in_a_run(filled, names) == (everything(names), [])
    assert in_a_run(filled) == (everything(), [])


# Somebody writes meanwhile


def test_a_row_that_has_gone_is_not_found(filled):
    store, _ = open_store(filled)
    store.discard(found(store, NAMES[5])[0])
    store.close()
    assert in_a_run(filled)[0] == everything([name for name in NAMES if name != NAMES[5]])


def test_what_another_process_made_since_is_the_latest(filled):
    store, _ = open_store(filled)
    store.put(entry(NAMES[5], 2), {None: "newer"})
    store.put(entry(NAMES[6], 1), {None: "in its place"})
    store.close()
    store, _ = open_store(filled)
    with store.in_use(NAMES):
        assert store.values(store.latest(NAMES[5])) == {None: "newer"}
        assert [store.values(each)[None] for each in found(store, NAMES[5])] == [[NAMES[5], 1]]
        assert [store.values(each)[None] for each in found(store, NAMES[6])] == ["in its place"]
    store.close()


def test_what_goes_between_the_beginning_of_a_run_and_the_first_look(filled):
    ask(filled, "DELETE FROM manifests")
    here, _ = open_store(filled)
    there, _ = open_store(filled)
    with here.in_use(NAMES):
        there.put(entry(NAMES[5], 1), {None: "in its place"})
        there.discard(found(there, NAMES[6])[0])
        assert [here.values(each)[None] for each in found(here, NAMES[5])] == ["in its place"]
        assert found(here, NAMES[6]) == []
    here.close()
    there.close()


def looked_up(store):
    return [(store.latest(name), [found(store, name, of) for of in (1, 2, 3)]) for name in NAMES[:5]]


_DO = st.tuples(
    st.sampled_from(["put", "touch", "discard", "forget", "run", "restart"]),
    st.integers(0, 2),  # which store
    st.integers(0, 4),  # which task
    st.integers(1, 3),  # which key
)


@settings(max_examples=15, deadline=None)
@given(st.lists(_DO, max_size=25))
def test_a_run_finds_what_it_finds_otherwise(tmp_path_factory, doings):
    folder = tmp_path_factory.mktemp("random") / "store"
    stores = [open_store(folder)[0] for _ in range(3)]
    with stores[0].in_use(NAMES):
        fill(stores[0])
    for what, which, task, of in doings:
        store, name = stores[which], NAMES[task]
        if what == "put":
            store.put(entry(name, of), {None: of})
        elif what == "restart":
            store.close()
            stores[which] = open_store(folder)[0]
        elif what == "forget":
            store.forget(name)
        elif what == "run":
            expected = looked_up(store)
            with store.in_use(NAMES):
                assert looked_up(store) == expected
        elif there := found(store, name, of):
            store.touch(there[:1]) if what == "touch" else store.discard(there[0])
    for store in stores:
        store.close()


# When it is written, and when it goes


def test_few_tasks_have_none(folder):
    store, _ = open_store(folder)
    with store.in_use(NAMES[: FEWEST - 1]):
        fill(store, NAMES[: FEWEST - 1])
    store.close()
    assert manifests(folder) == 0


def test_it_is_written_again_when_many_entries_are_new(filled):
    before = number(filled)
    for of, names, is_new in ((2, NAMES[:3], False), (3, NAMES[:20], True), (4, (), False)):
        store, _ = open_store(filled)
        with store.in_use(NAMES):
            assert all(store.latest(name) for name in NAMES)
            fill(store, names, of)
        store.close()
        assert (number(filled) > before) == is_new
        before = number(filled)


def test_a_run_that_finds_all_in_memory_leaves_it(filled):
    before = number(filled)
    store, _ = open_store(filled)
    for _ in range(3):
        with store.in_use(NAMES):
            pass
    store.close()
    assert number(filled) == before


def test_large_entries_are_left_out_and_found(folder):
    store, _ = open_store(folder)
    with store.in_use(NAMES):
        for name in NAMES:
            store.put(entry(name), {None: [name, 1], "large": "x" * 5_000})
    store.close()
    before = number(folder)
    assert ask(folder, "SELECT length(data) FROM manifests")[0][0] < 20 * len(NAMES)
    assert in_a_run(folder) == (everything(), [])
    assert number(folder) == before, "it is known that they are left out"


def test_forgetting_a_task_leaves_no_copy(filled):
    store, _ = open_store(filled)
    store.forget(NAMES[0])
    store.close()
    assert manifests(filled) == 0


def test_clearing_leaves_no_copy(filled):
    store, _ = open_store(filled)
    store.clear()
    assert store.info().bytes == 0
    store.close()
    assert manifests(filled) == 0


def test_it_counts_for_the_limit_and_goes_first(filled):
    store, _ = open_store(filled)
    full = store.info().bytes
    store.close()
    store, _ = open_store(filled, limit=full - 1)
    store.gc()
    assert store.info().entries == len(NAMES)
    assert store.info().bytes < full
    store.close()
    assert manifests(filled) == 0
    assert in_a_run(filled) == (everything(), [])


def test_only_so_many_are_kept(folder):
    store, _ = open_store(folder)
    for number in range(20):
        names = [f"{number} {name}" for name in NAMES]
        with store.in_use(names):
            fill(store, names)
    store.close()
    assert manifests(folder) == 16
    assert in_a_run(folder, names) == (everything(names), [])
