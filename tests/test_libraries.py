"""What is a library, and its version."""

from __future__ import annotations

import functools
import json
import sys
import types

import pytest
from reading import space

from graflow_nb.incremental.code import libraries
from graflow_nb.incremental.code.libraries import is_own, qualified, version


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a package that is called otherwise than its distribution; return its folder."""
    folder = tmp_path / "site-packages"
    (folder / "own_installed").mkdir(parents=True)
    (folder / "own_installed" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(folder)
    yield folder
    sys.modules.pop("own_installed", None)
    libraries._installed_version.cache_clear()
    libraries.is_library.cache_clear()


@pytest.mark.parametrize("file", ["top_level.txt", "RECORD"])
def test_the_version_of_a_distribution_of_another_name(installed, file):
    other = installed / "a_first_one-9.0.dist-info"
    info = installed / "own_distribution-1.2.3.dist-info"
    for folder, package in ((other, "elsewhere"), (info, "own_installed")):
        folder.mkdir()
        (folder / file).write_text(package if file == "top_level.txt" else f"{package}/__init__.py,sha256=x,0\n")
    before = version("own_installed.sub")
    assert before == "1.2.3"
    import own_installed

    assert version("own_installed") == before, "the same when it is loaded"
    own_installed.__version__ = "1.2.3+local"
    assert version("own_installed") == before
    own_installed.__version__ = "2.0"
    assert version("own_installed") == "2.0", "what is loaded is older or newer than what is installed now"


def test_a_package_of_no_distribution_has_its_own_version(installed):
    assert version("own_installed") == sys.version.split()[0]


def test_the_standard_library_has_python_s_version():
    assert version("json.decoder") == version("sys") == sys.version.split()[0]


def test_what_a_library_makes_of_one_s_own_is_one_s_own(monkeypatch):
    module = types.ModuleType("own_made")
    monkeypatch.setitem(sys.modules, "own_made", module)
    exec(
        "import functools, contextlib\n@functools.singledispatch\ndef f(x): ...\n@contextlib.contextmanager\ndef g(): ...",
        module.__dict__,
    )
    assert is_own(module.f)
    assert is_own(module.g)
    assert is_own(functools.wraps(json.dumps)(lambda: 1))
    assert not is_own(json.dumps)
    assert not is_own(json.JSONEncoder)
    assert is_own(type("JSONEncoder", (), {"__module__": "json"}))


def test_names_of_one_s_own_have_no_module_and_others_a_version():
    namespace = space("class A: pass")
    assert qualified(namespace["A"]) == "A"
    assert qualified(json.JSONEncoder) == f"json.encoder.JSONEncoder@{sys.version.split()[0]}"
