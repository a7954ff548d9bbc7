"""`%flow export`: the flow of a running notebook in other forms."""

from __future__ import annotations

import pytest

from graflow_nb import load_flow


@pytest.fixture
def ready(nb, tmp_path, monkeypatch):
    """A notebook in which cells were run, edited and run again."""
    monkeypatch.chdir(tmp_path)
    nb("K = 2\nunused = 3", cell="k")
    nb("%%task load\nraw = [1, 2]", cell="load")
    nb("%%task old\n1", cell="old")
    nb("%%task total\nsum(raw)", cell="total")
    nb("%%task total\nK * sum(raw)", cell="total")
    nb.refused("%%task wrong\nx = = 1")
    nb("%flow remove old")
    nb("%flow run")
    return nb


@pytest.mark.parametrize("name", ["out.py", "out.ipynb"])
def test_what_is_exported_gives_the_same_results(ready, tmp_path, name):
    assert f"wrote {name}" in ready(f"%flow export {name}")
    flow = load_flow(tmp_path / name)
    flow.run()
    assert flow.tasks == ["load", "total"]
    assert flow["total"].result == ready["total"].result == 6


@pytest.mark.parametrize(
    ("name", "start"), [("p.svg", b"<svg"), ("p.png", b"\x89PNG"), ("p.mmd", b"flowchart LR")]
)
def test_pictures(ready, tmp_path, name, start):
    ready(f"%flow export {name}")
    assert (tmp_path / name).read_bytes().startswith(start)


def test_a_file_is_overwritten_only_by_force(ready, tmp_path):
    (tmp_path / "p.mmd").write_text("mine")
    assert "--force overwrites it" in ready.refused("%flow export p.mmd")
    assert (tmp_path / "p.mmd").read_text() == "mine"
    ready("%flow export p.mmd --force")
    assert (tmp_path / "p.mmd").read_text().startswith("flowchart")


def test_an_ending_that_says_nothing_is_refused(ready):
    assert "cannot be written as 'flow.doc'" in ready.refused("%flow export flow.doc")


def test_a_deleted_cell_is_not_exported(ready, tmp_path):
    ready("1", cell="other", deleted=("total",))
    ready("%flow export out.py")
    assert "total" not in (tmp_path / "out.py").read_text()


def test_a_report_is_written_whole_or_not_at_all(ready, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("graflow_nb.notebook.document.write.Path.replace", full)
    assert "No space left on device" in ready.refused("%flow report r.html")
    assert list(tmp_path.iterdir()) == []
