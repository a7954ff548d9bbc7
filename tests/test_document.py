"""Notebooks and scripts as files: read, refused with a reason, written whole or not at all."""

from __future__ import annotations

import json

import pytest

from graflow_nb.notebook.document.convert import flow_cells, script_cells, to_notebook
from graflow_nb.notebook.document.script import to_script
from graflow_nb.notebook.document.source import DocumentError, RawCell, read_document
from graflow_nb.notebook.document.write import check_free, check_writable, write_whole


def sources(document):
    return [cell.source for cell in document.code]


def write(path, *cells):
    path.write_text(to_notebook(RawCell("code", cell) for cell in cells))
    return read_document(path)


def test_a_notebook_is_read_as_it_was_written(tmp_path):
    cells = [RawCell("markdown", "# One"), RawCell("code", "x = 1\ny = 'ä'", tags=("t",)), RawCell("code", "")]
    (tmp_path / "n.ipynb").write_text(to_notebook(cells), "utf-8")
    document = read_document(tmp_path / "n.ipynb")
    assert [(c.kind, c.source, c.number, c.tags) for c in document.cells] == [
        ("markdown", "# One", 0, ()),
        ("code", "x = 1\ny = 'ä'", 1, ("t",)),
        ("code", "", 2, ()),
    ]
    assert document.name == "n"


def test_a_notebook_of_format_3_is_read(tmp_path):
    cell = {"cell_type": "code", "input": ["x = 1\n", "y = 2"], "metadata": {}}
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps({"nbformat": 3, "worksheets": [{"cells": [cell]}]}))
    assert sources(read_document(path)) == ["x = 1\ny = 2"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("n.ipynb", b"{not json", "it is not JSON"),
        ("n.ipynb", b"[1, 2]", "JSON without an nbformat"),
        ("n.ipynb", b'{"nbformat": 9, "cells": []}', "of format 9; only 3 and 4 can be read"),
        ("n.ipynb", b'{"nbformat": 4, "cells": [{"no": 1}]}', "damaged notebook"),
        ("n.ipynb", b'{"nbformat": 4, "cells": 5}', "damaged notebook"),
        ("n.ipynb", b"\xff\xfe", "no text in UTF-8"),
        ("s.py", b"x = = 1", "no Python, at line 1"),
        ("t.txt", b"", "neither a notebook (.ipynb) nor a script (.py)"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DocumentError) as raised:
        read_document(tmp_path / name)
    assert message in str(raised.value)


def test_a_missing_file_is_named_with_the_nearest(tmp_path):
    (tmp_path / "prices.ipynb").touch()
    with pytest.raises(DocumentError, match=r"there is no file .*Did you mean 'prices.ipynb'\?"):
        read_document(tmp_path / "price.ipynb")


def test_a_script_with_markers_has_cells(tmp_path):
    path = tmp_path / "s.py"
    path.write_text(
        "import os\n\n# %% [markdown]\n# # Title\n# words\n\n# %%\n# %flow param n 2\n\n# %% fit\n#| task: a\nn\n"
    )
    document = read_document(path)
    assert [(c.kind, c.source) for c in document.cells] == [
        ("code", "import os"),
        ("markdown", "# Title\nwords"),
        ("code", "%flow param n 2"),
        ("code", "#| task: a\nn"),
    ]
    assert not document.is_script


SCRIPT = '''"""Prices."""

import math

from graflow_nb import Defined, task, workflow

K = 2
# how many
N = 3


def helper(x):
    """A text
of two lines."""
    return math.sqrt(x)


with workflow("prices", seed=1) as flow:
    flow.param("size", 4)

    # the first
    @task(defines=["raw"])
    def load(size):
        return Defined("""a
  b""", {"raw": size})

    @task
    def total(raw):
        return helper(raw) + K

    load >> total


if __name__ == "__main__":
    print(flow.run())
'''


def test_a_script_becomes_a_notebook_a_cell_for_each_thing(tmp_path):
    path = tmp_path / "prices.py"
    path.write_text(SCRIPT)
    cells = script_cells(read_document(path))
    assert [cell.source for cell in cells] == [
        "# Prices.",
        "%load_ext graflow_nb\n\nimport math\n\nfrom graflow_nb import Defined",
        "K = 2\n# how many\nN = 3",
        'def helper(x):\n    """A text\nof two lines."""\n    return math.sqrt(x)',
        "%flow seed 1",
        "%flow param size 4",
        '# the first\n@task(defines=["raw"])\ndef load(size):\n    return Defined("""a\n  b""", {"raw": size})',
        "@task\ndef total(raw):\n    return helper(raw) + K",
        "load >> total",
        "%flow run",
    ]


def test_there_and_back(nb, tmp_path):
    path = tmp_path / "prices.py"
    path.write_text(SCRIPT)
    for cell in script_cells(read_document(path)):
        if cell.kind == "code":
            nb(cell.source)
    assert nb["total"].result == 4.0
    assert nb["load"].result == "a\n  b"
    (tmp_path / "back.ipynb").write_text(to_notebook(script_cells(read_document(path))))
    assert "def total(raw):\n        return helper(raw) + K" in to_script(read_document(tmp_path / "back.ipynb"))


def test_a_workflow_that_others_name_stays_as_it_is(tmp_path):
    path = tmp_path / "s.py"
    path.write_text(
        "from graflow_nb import task, workflow\nwith workflow('s') as flow:\n    @task\n    def a(): return 1\n\n"
        "def main():\n    return flow.run()\n"
    )
    found = [cell.source for cell in script_cells(read_document(path))]
    assert found[2] == "with workflow('s') as flow:\n    @task\n    def a(): return 1"
    assert found[-1] == "flow.run()"


def test_a_script_without_a_flow_makes_no_notebook(tmp_path):
    (tmp_path / "s.py").write_text("x = 1\n")
    with pytest.raises(DocumentError, match="there is no flow in"):
        script_cells(read_document(tmp_path / "s.py"))


def test_a_notebook_can_be_reduced_to_its_flow(tmp_path):
    cells = (
        "%load_ext graflow_nb\nK = 1",
        "print('look')",
        "%%task a\nx = K",
        "%flow run",
        "y = x",
        "%%task b\ny",
    )
    document = write(tmp_path / "n.ipynb", *cells)
    assert [cell.source for cell in flow_cells(document)] == [
        "%load_ext graflow_nb",
        "K = 1",
        "%%task a\nx = K",
        "%%task b\ny",
        "%flow run",
        "y = x",
        "%flow run",
    ]


def test_a_file_is_written_whole_and_keeps_its_rights(tmp_path):
    path = tmp_path / "new" / "file.txt"
    write_whole(path, "one")
    path.chmod(0o600)
    write_whole(path, b"two")
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("graflow_nb.notebook.document.write.Path.replace", full)
    with pytest.raises(DocumentError, match="cannot be written: No space left on device"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_whether_a_file_can_be_written_is_tried_and_leaves_nothing(tmp_path):
    check_writable(tmp_path / "a" / "b" / "c.txt")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(DocumentError, match=r"exists\. --force overwrites it"):
        check_free(tmp_path / "file", force=False)
    with pytest.raises(DocumentError, match="cannot be written"):
        check_writable(tmp_path / "file" / "below.txt")
    with pytest.raises(DocumentError, match="is a folder"):
        check_writable(tmp_path)
