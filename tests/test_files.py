from __future__ import annotations

import os
import pickle
import time
from pathlib import Path

import pytest

from graflow_nb.incremental import files
from graflow_nb.incremental.files import ABSENT, File, content_digest, state_of
from graflow_nb.incremental.fingerprint import fingerprint

OLD = (1_000_000_000, 1_000_000_000)


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "data.csv"
    made.write_text("a,b\n1,2\n")
    return made


@pytest.fixture
def reads(monkeypatch):
    """Return the files that were read, as they are read."""
    read, found = files._content, []
    monkeypatch.setattr(files, "_content", lambda file: found.append(file.name) or read(file))
    return found


@pytest.fixture
def settled(monkeypatch):
    """Let the files that a test writes count as long written."""
    monkeypatch.setattr(files, "_SETTLED", -1)


def test_the_digest_is_that_of_the_content(path, tmp_path):
    before = content_digest(path)
    os.utime(path, OLD)
    assert content_digest(path) == before
    other = tmp_path / "other"
    other.write_bytes(path.read_bytes())
    assert content_digest(other) == content_digest(str(other)) == content_digest(os.fsencode(other)) == before
    path.write_text("a,b\n1,3\n")
    os.utime(path, OLD)
    assert content_digest(path) != before


@pytest.mark.usefixtures("settled")
def test_a_file_is_read_again_only_when_its_status_changed(path, reads):
    first = content_digest(path)
    assert content_digest(path) == first
    assert len(reads) == 1
    path.write_text("other")
    assert content_digest(path) != first
    assert len(reads) == 2


def test_a_file_that_was_just_written_is_read_again(path, reads):
    assert content_digest(path) == content_digest(path)
    assert len(reads) == 2


@pytest.mark.parametrize(("age", "seen"), [(0, True), (10**10, False)], ids=["young", "old"])
def test_a_change_that_leaves_size_and_times_is_seen_while_the_file_is_young(path, monkeypatch, age, seen):
    written = time.time_ns() - age
    monkeypatch.setattr(files, "_state", lambda _: (0, age, 8, written, written))
    before = content_digest(path)
    path.write_text("a,b\n1,9\n")
    assert (content_digest(path) != before) is seen


def test_a_file_of_more_than_one_piece(tmp_path):
    prints = set()
    for size in (0, 1, 1 << 20, (1 << 20) + 1, 3 << 20):
        path = tmp_path / str(size)
        path.write_bytes(b"\0" * size)
        prints.add(content_digest(path))
    assert len(prints) == 5


def test_a_file_that_keeps_changing_is_never_the_same(path, monkeypatch):
    read = files._content

    def changing(file):
        digest = read(file)
        with path.open("a") as other:
            other.write("more")
        return digest

    monkeypatch.setattr(files, "_content", changing)
    assert content_digest(path) != content_digest(path)


@pytest.mark.parametrize("name", ["missing", "data.csv/inside", "nul\0", "long" * 1000])
def test_what_is_not_there_is_absent(path, name):
    assert content_digest(path.parent / name) == ABSENT
    assert state_of(path.parent / name) == ()


def test_a_link_to_nothing_is_absent(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    assert content_digest(tmp_path / "link") == ABSENT


def test_a_pipe_never_has_the_same_content(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert content_digest(tmp_path / "pipe") != content_digest(tmp_path / "pipe")
    assert content_digest(os.devnull) == content_digest(os.devnull)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(path):
    before = content_digest(path)
    path.chmod(0)
    assert content_digest(path) == files.UNREADABLE != before


def test_the_state_changes_with_the_file(path):
    before = state_of(path)
    assert state_of(path) == before == state_of(str(path))
    path.write_text("other")
    assert state_of(path) != before


# -- folders


def tree(folder: Path) -> Path:
    (folder / "inner").mkdir(parents=True)
    (folder / "b").write_text("b")
    (folder / "a").write_text("a")
    (folder / "inner" / "c").write_text("c")
    return folder


CHANGES = {
    "content": lambda folder: (folder / "a").write_text("changed"),
    "content further down": lambda folder: (folder / "inner" / "c").write_text("changed"),
    "a new file": lambda folder: (folder / "new").write_text(""),
    "a new folder": lambda folder: (folder / "new").mkdir(),
    "a file gone": lambda folder: (folder / "a").unlink(),
    "a new name": lambda folder: (folder / "a").rename(folder / "z"),
    "two names exchanged": lambda folder: exchange(folder / "a", folder / "b"),
    "a file became a folder": lambda folder: ((folder / "a").unlink(), (folder / "a").mkdir()),
    "moved down": lambda folder: (folder / "a").rename(folder / "inner" / "a"),
}


def exchange(one: Path, other: Path) -> None:
    text = one.read_text()
    one.write_text(other.read_text())
    other.write_text(text)


@pytest.mark.parametrize("change", CHANGES)
def test_a_folder_counts_with_all_that_is_in_it(tmp_path, change):
    one, other = tree(tmp_path / "one"), tree(tmp_path / "other")
    before = content_digest(one)
    assert content_digest(other) == before
    CHANGES[change](other)
    assert content_digest(other) != before


def test_links_in_a_folder_are_followed_and_may_go_round(tmp_path):
    folder, outside = tree(tmp_path / "folder"), tree(tmp_path / "outside")
    (folder / "there").symlink_to(outside)
    (folder / "round").symlink_to(folder)
    before = content_digest(folder)
    assert content_digest(folder) == before
    (outside / "inner" / "c").write_text("changed")
    assert content_digest(folder) != before


# -- File


def test_a_file_as_a_value_has_the_content_of_the_file(path):
    value, absent = File(path), File(path.parent / "absent")
    before = fingerprint(value)
    os.utime(path, OLD)
    assert fingerprint(File(str(path))) == before
    assert fingerprint([value]) != fingerprint([absent]) != fingerprint([path])
    path.write_text("other")
    assert fingerprint(value) != before
    path.unlink()
    assert fingerprint(value) not in {before, fingerprint(absent)}
    assert fingerprint(value) == fingerprint(File(path))


def test_a_file_as_a_value_is_used_like_a_path(path):
    value = File(path)
    with open(value) as file:  # noqa: PTH123
        assert file.read() == value.path.read_text() == Path(value).read_text()
    assert (str(value), repr(value)) == (str(path), f"File({str(path)!r})")
    assert pickle.loads(pickle.dumps(value)) == value == File(str(path))
    assert len({value, File(path), File("other")}) == 2


def test_a_folder_as_a_value(tmp_path):
    value = File(tree(tmp_path / "folder"))
    before = fingerprint(value)
    (value.path / "inner" / "new").write_text("")
    assert fingerprint(value) != before
