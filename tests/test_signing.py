"""The user's key, and what is signed with it."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stores import child

from graflow_nb.incremental.store.signing import SECRET, Signer, data_folder, user_signer

PIECES = st.lists(st.binary(max_size=8), max_size=4)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv(SECRET, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@given(PIECES, PIECES)
def test_a_signature_is_of_these_pieces_only(one, other):
    signer = Signer(b"secret")
    assert signer.holds(signer.sign(*one), *one)
    assert signer.holds(signer.sign(*one), *other) == (one == other)


@given(PIECES)
def test_another_key_signs_otherwise(pieces):
    assert not Signer(b"one").holds(Signer(b"other").sign(*pieces), *pieces)


@pytest.mark.parametrize("odd", [None, 1, "text", 1.5, [], b""], ids=repr)
def test_what_is_no_signature_does_not_hold(odd):
    signer = Signer(b"secret")
    assert not signer.holds(odd, b"data")
    assert not signer.holds(signer.sign(b"data"), odd)


def test_the_identity_is_that_of_the_key_and_does_not_tell_it():
    assert Signer(b"one").identity == Signer(b"one").identity != Signer(b"other").identity
    assert len(Signer(b"one").identity) == 16


def test_the_key_is_made_once_and_only_the_user_may_read_it(home):
    first, second = user_signer(), user_signer()
    assert first.identity == second.identity
    (file,) = data_folder().iterdir()
    assert len(file.read_bytes()) == 32
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(data_folder().stat().st_mode) == 0o700


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_a_key_that_others_could_read_is_closed_to_them(home):
    user_signer()
    (file,) = data_folder().iterdir()
    file.chmod(0o644)
    user_signer()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_environment_may_give_the_key(home, monkeypatch):
    monkeypatch.setenv(SECRET, "of the team")
    assert user_signer().identity == Signer(b"of the team").identity
    assert not data_folder().exists()


def test_a_damaged_key_is_named_with_the_cure(home):
    user_signer()
    (file,) = data_folder().iterdir()
    file.write_bytes(b"short")
    with pytest.raises(ValueError, match=r"signing\.key is damaged: delete that file") as raised:
        user_signer()
    assert "short" not in str(raised.value)


def test_a_home_that_cannot_be_written_to(home):
    (home / "data").write_text("a file")
    with pytest.raises(OSError, match="data"):
        user_signer()


def test_several_processes_that_begin_at_once_make_one_key(home):
    code = "import sys; from graflow_nb.incremental.store.signing import user_signer\nprint('here', flush=True); input(); print(user_signer().identity)"
    children = [child(code) for _ in range(4)]
    for process in children:
        assert process.stdout.readline() == "here\n"
    identities = {process.communicate("\n")[0].strip() for process in children}
    assert identities == {user_signer().identity}
    assert len(list(data_folder().iterdir())) == 1


@pytest.mark.parametrize(
    ("system", "end"),
    [
        ("linux", Path("data/graflow_nb")),
        ("win32", Path("data/graflow_nb")),
        ("darwin", Path("Library/Application Support/graflow_nb")),
    ],
)
def test_where_the_system_keeps_data(home, monkeypatch, system, end):
    monkeypatch.setattr(sys, "platform", system)
    assert data_folder() == home / end


def test_a_file_system_without_links(home, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    assert user_signer().identity == user_signer().identity
