"""What the command line does without."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("nbclient")


def test_a_module_is_absent_only_meanwhile():
    from graflow_nb.notebook.light import absent

    assert "this" not in sys.modules
    with absent("this"), pytest.raises(ImportError):
        import this  # noqa: F401
    assert "this" not in sys.modules


def test_what_is_there_already_stays():
    from graflow_nb.notebook.light import absent

    with absent("json"):
        import json
    assert sys.modules["json"] is json


def test_the_command_line_builds_no_grammar():
    code = "import sys, graflow_nb.notebook.headless\nprint('rfc3987_syntax' in sys.modules, 'nbformat' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_a_notebook_is_checked_as_ever():
    import nbformat

    from graflow_nb.notebook.light import new_notebook

    nbformat.validate(new_notebook())
    with pytest.raises(nbformat.ValidationError):
        nbformat.validate(new_notebook(metadata=3))
