"""What a worker on another machine takes over: what the user changed, and nothing that logs in."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

from graflow_nb.backends import at_first
from graflow_nb.backends.afar import current_afar, take_over_afar


def test_the_environment_that_was_changed_travels_and_no_other(monkeypatch):
    monkeypatch.setitem(at_first.ENVIRONMENT, "LOGIN_OF_TEST", "secret")
    monkeypatch.setenv("LOGIN_OF_TEST", "secret")
    monkeypatch.setitem(at_first.ENVIRONMENT, "GONE_OF_TEST", "1")
    monkeypatch.delenv("GONE_OF_TEST", raising=False)
    monkeypatch.setenv("NEW_OF_TEST", "new")
    found = current_afar()
    assert b"secret" not in found["environment"]
    monkeypatch.delenv("NEW_OF_TEST")
    monkeypatch.setenv("GONE_OF_TEST", "there")
    monkeypatch.setenv("LOGIN_OF_TEST", "the worker's own")
    take_over_afar({"environment": found["environment"]})
    assert os.environ["NEW_OF_TEST"] == "new"
    assert "GONE_OF_TEST" not in os.environ
    assert os.environ["LOGIN_OF_TEST"] == "the worker's own"


def test_what_a_kernel_sets_for_figures_travels(monkeypatch):
    monkeypatch.setitem(at_first.ENVIRONMENT, "MPLBACKEND", "of-the-kernel")
    monkeypatch.setenv("MPLBACKEND", "of-the-kernel")
    assert b"of-the-kernel" in current_afar()["environment"]


def test_what_logs_in_stays_even_if_it_was_set_since(monkeypatch):
    monkeypatch.setenv("GRAFLOW_NB_SECRET", "of the test")
    monkeypatch.setenv("GRAFLOW_NB_REDIS_URL", "redis://:password@host")
    packed = current_afar()["environment"]
    assert b"of the test" not in packed
    assert b"password" not in packed


def test_folders_that_are_not_there_are_left_out(monkeypatch, tmp_path):
    there, gone = tmp_path / "there", tmp_path / "gone"
    there.mkdir()
    gone.mkdir()
    monkeypatch.setattr(sys, "path", [str(there), str(gone), *sys.path])
    monkeypatch.chdir(gone)
    found = current_afar()
    monkeypatch.chdir(tmp_path)
    gone.rmdir()
    monkeypatch.setattr(sys, "path", ["/own", *sys.path[2:]])
    take_over_afar({name: found[name] for name in ("path", "folder")})
    assert sys.path[0] == str(there)
    assert str(gone) not in sys.path
    assert "/own" in sys.path
    assert Path.cwd() == tmp_path


def test_what_cannot_be_read_here_is_left_out():
    class Own(UserWarning):
        pass

    with warnings.catch_warnings():
        warnings.simplefilter("error", Own)
        found = current_afar()
    with warnings.catch_warnings():
        take_over_afar({"broken": b"not a pickle", "warnings": found["warnings"]})
        assert any(entry[0] == "error" and entry[2].__name__ == "Own" for entry in warnings.filters)
