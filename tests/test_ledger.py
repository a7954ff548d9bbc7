"""What each cell wrote: re-running, renaming, editing and deleting cells leaves no ghost."""

from __future__ import annotations

import threading

import pytest
from shells import Notebook

from graflow_nb import TaskGraph
from graflow_nb.core.errors import CycleError, DuplicateTaskError
from graflow_nb.core.task import Task
from graflow_nb.notebook.ledger import Ledger


class Cells:
    """A graph and a ledger, without a shell."""

    def __init__(self) -> None:
        self.removed: list[str] = []
        self.ledger = Ledger(lambda _, task: self.removed.append(task.name))
        self.graph = TaskGraph()
        self.graph.journal = self.ledger

    def run(self, cell: str, text: str, *, fails: bool = False) -> None:
        """Run a cell: "a b" writes two tasks, "a>b" wires two that are there."""
        self.ledger.begin(cell)
        try:
            for word in text.split():
                before, _, after = word.partition(">")
                if after:
                    self.graph.wire([self.graph[before]], [self.graph[after]])
                else:
                    self.graph.add(Task(before, print))
        except (CycleError, DuplicateTaskError):
            fails = True
        self.ledger.end(success=not fails)

    @property
    def state(self) -> str:
        return " ".join([*self.graph.nodes, *(f"{before}>{after}" for before, after in self.graph.edges)])


@pytest.mark.parametrize(
    ("cells", "state"),
    [
        ([("1", "a b"), ("2", "a>b")], "a b a>b"),
        ([("1", "a b"), ("2", "a>b"), ("1", "a b")], "a b a>b"),
        ([("1", "a"), ("2", "b"), ("1", "a")], "a b"),
        ([("1", "a"), ("1", "b")], "b"),
        ([("1", "a b"), ("1", "b")], "b"),
        ([("1", "a b"), ("1", "")], ""),
        ([("1", "a b"), ("2", "a>b"), ("2", "")], "a b"),
        ([("1", "a b"), ("2", "a>b"), ("2", "b>a")], "a b b>a"),
        ([("1", "a b"), ("2", "a>b"), ("3", "a>b"), ("2", "")], "a b a>b"),
        ([("1", "a b"), ("2", "a>b"), ("3", "a>b"), ("2", ""), ("3", "")], "a b"),
        ([("1", "a b"), ("2", "a>b"), ("3", "b>a")], "a b a>b"),  # refused: the other cell still says so
        ([("1", "a b c"), ("2", "a>b b>c"), ("2", "c>a")], "a b c c>a"),
        ([("1", "a b c"), ("2", "a>b b>c"), ("2", "c>a a>b b>c")], "a b c c>a a>b"),  # refused at the third
        ([("1", "a b"), ("2", "a>b"), ("1", "b")], "b"),
        ([("1", "a b"), ("2", "a>b"), ("1", "b"), ("1", "a b")], "b a a>b"),
        ([("1", "a"), ("2", "a"), ("1", "")], "a"),
        ([("1", "a"), ("2", "a"), ("2", "")], ""),
        ([("1", "a b"), ("2", "a"), ("1", "b")], "a b"),
        ([("1", "a a")], "a"),  # refused: two of one name in one cell
    ],
)
def test_what_is_left(cells: list[tuple[str, str]], state: str):
    notebook = Cells()
    for cell, text in cells:
        notebook.run(cell, text)
    assert notebook.state == state


def test_a_cell_that_fails_keeps_what_it_wrote_before_beside_the_new():
    cells = Cells()
    cells.run("1", "a b a>b")
    cells.run("1", "c", fails=True)
    assert cells.state == "a b c a>b"
    cells.run("1", "c")
    assert cells.state == "c"
    assert cells.removed == ["a", "b"]


def test_a_cell_that_is_deleted_takes_its_own_away():
    cells = Cells()
    cells.run("1", "a b")
    cells.run("2", "a>b")
    cells.ledger.drop("2")
    assert cells.state == "a b"
    cells.ledger.drop("1")
    assert cells.state == ""
    cells.ledger.drop("never was")


def test_what_a_cell_in_a_cell_writes_is_the_outer_ones():
    cells = Cells()
    cells.ledger.begin("outer")
    cells.graph.add(Task("a", print))
    cells.run("inner", "b")
    cells.graph.add(Task("c", print))
    cells.ledger.end(success=True)
    assert cells.state == "a b c"
    cells.run("outer", "a")
    assert cells.state == "a"


def test_what_no_cell_wrote_stays():
    cells = Cells()
    cells.graph.add(Task("a", print))
    cells.run("1", "b")
    cells.run("1", "")
    assert cells.state == "a"


def test_what_is_settled_in_the_middle_of_a_cell_is_settled_once():
    cells = Cells()
    cells.run("1", "a b")
    cells.ledger.begin("1")
    cells.graph.add(Task("b", print))
    cells.ledger.settle()
    assert cells.state == "b"
    cells.graph.add(Task("c", print))
    cells.ledger.end(success=True)
    assert cells.state == "b c"
    assert cells.removed == ["a"]


def edges(nb: Notebook) -> set[tuple[str, str]]:
    return set(nb.flow.plan().edges)


def test_an_unchanged_cell_changes_nothing(nb: Notebook):
    cells = {
        "a": "%%task a\nx = 1\nx",
        "b": "%%task b\nx + a",
        "f": "@task\ndef f(b): return b",
        "e": "a >> f",
        "all": "@task\ndef g(): return 1\n@task\ndef h(g): return g\ng >> h",
    }
    for cell, source in cells.items():
        nb(source, cell=cell)
    nb.run()
    before = nb.said, list(nb.flow.graph.nodes), nb.flow.plan().edges
    for cell in ["all", "e", "a", "f", "b", "a"]:
        nb(cells[cell], cell=cell)
        assert nb["b"].result == 2
        assert nb.ns["x"] == 1
        assert nb("%flow status").count("up to date") == len(nb.flow.graph)
    assert nb.run() == []
    assert (list(nb.flow.graph.nodes), nb.flow.plan().edges) == before[1:]


def test_an_edited_cell_keeps_its_last_result_until_it_runs(nb: Notebook):
    nb("%%task a\nx = 1\nx", cell="a")
    nb.run()
    nb("%%task a\nx = 2\nx", cell="a")
    assert nb["a"].result == 1
    assert "out of date" in nb("%flow status")
    nb.run()
    assert nb["a"].result == 2


def test_a_renamed_task_leaves_no_ghost(nb: Notebook):
    nb("%%task a\nx = 1\nx", cell="c")
    nb("%%task r\nx + 1", cell="r")
    nb.run()
    nb("%%task b\nx = 1\nx", cell="c")
    assert list(nb.flow.graph.nodes) == ["r", "b"]
    assert "a" not in nb.ns
    assert edges(nb) == {("b", "r")}
    nb.run()
    assert nb["r"].result == 2
    assert nb.ns["x"] == 1


def test_a_task_may_take_the_name_of_its_variable(nb: Notebook):
    nb("%%task a\nx = 1", cell="c")
    nb.run()
    nb("%%task x\na = 1\na", cell="c")
    nb.run()
    assert (nb["x"].result, nb.ns["a"]) == (1, 1)


def test_a_renamed_function_leaves_no_ghost(nb: Notebook):
    nb("@task\ndef a(): return 1", cell="c")
    nb("@task('odd name')\ndef b(): return 1", cell="d")
    nb("@task\ndef b(): return 1", cell="c")
    nb("1", cell="d")
    assert list(nb.flow.graph.nodes) == ["b"]
    assert "a" not in nb.ns
    assert nb.ns["b"] is nb["b"]


def test_edges_are_those_of_the_last_run_of_each_cell(nb: Notebook):
    nb("%%task a\n1", cell="a")
    nb("%%task b\n2", cell="b")
    nb("%%task c\n3", cell="c")
    nb("a >> b >> c", cell="e")
    nb("a >> c", cell="e2")
    nb("c >> b", cell="e")
    assert edges(nb) == {("c", "b"), ("a", "c")}
    nb("b\n", cell="e")
    assert edges(nb) == {("a", "c")}
    assert "is a cycle" in nb.refused("c >> a", cell="e")
    assert edges(nb) == {("a", "c")}


def test_a_cell_that_no_longer_makes_a_task_leaves_no_ghost(nb: Notebook):
    nb("%%task a\nx = 1", cell="c")
    nb.run()
    nb("x = 5", cell="c")
    assert len(nb.flow.graph) == 0
    assert "a" not in nb.ns
    assert nb.ns["x"] == 5


def test_deleted_cells_take_their_tasks_and_edges_away(nb: Notebook):
    nb("%%task a\nx = 1", cell="a")
    nb("%%task b\n2", cell="b")
    nb("a >> b", cell="e")
    nb.run()
    nb("1", deleted=("e",))
    assert edges(nb) == set()
    nb("1", deleted=("a", "unknown"))
    assert list(nb.flow.graph.nodes) == ["b"]
    assert not {"a", "x"} & nb.ns.keys()


def test_a_failing_cell_keeps_what_it_wrote_before(nb: Notebook):
    nb("@task\ndef a(): return 1\n@task\ndef b(a): return a", cell="c")
    nb.refused("@task\ndef a(): return 2\n1 / 0", cell="c")
    assert list(nb.flow.graph.nodes) == ["a", "b"]
    nb.run()
    assert nb["b"].result == 2
    nb.refused("%%task a\nx = (", cell="c")
    nb.refused("%%task --nonsense", cell="c")
    assert list(nb.flow.graph.nodes) == ["a", "b"]


def test_front_ends_without_cell_ids_know_task_cells_by_name(nb: Notebook):
    nb("%%task a\nx = 1")
    nb("%%task a\ny = 1")
    nb("#| task: a\nz = 1")
    assert nb["a"].defines == ("z",)
    nb("%%task b\n1")
    nb("a >> b")
    nb("a >> b")
    assert edges(nb) == {("a", "b")}


def test_one_name_in_two_cells_is_the_last_ones(nb: Notebook):
    nb("%%task a\n1", cell="1")
    nb("%%task a\n2", cell="2")
    nb("1", deleted=("1",))
    nb.run()
    assert nb["a"].result == 2


def test_with_a_workflow_again_makes_a_new_one_and_keeps_the_names(nb: Notebook):
    source = "with workflow('w') as flow:\n    @task\n    def a(): return {}\n    @task\n    def b(a): return a"
    nb(source.format(1), cell="w")
    nb("%flow use w")
    nb.run()
    assert nb["b"].result == 1
    nb(source.format(2), cell="w")
    assert nb.ns["a"] is nb.ns["flow"]["a"]
    assert nb.flow is nb.ns["flow"]
    nb.run()
    assert nb["b"].result == 2


def test_cells_in_a_cell_belong_to_it(nb: Notebook):
    inner = "get_ipython().run_cell('%%task inner\\n1', cell_id=None)\n"
    nb(f"{inner}\n@task\ndef outer(): return 1", cell="c")
    assert list(nb.flow.graph.nodes) == ["inner", "outer"]
    nb("@task\ndef outer(): return 1", cell="c")
    assert list(nb.flow.graph.nodes) == ["outer"]


def test_a_task_in_the_middle_of_a_cell_that_runs_the_flow(nb: Notebook):
    source = "@task\ndef a(): return 1\nget_ipython().run_line_magic('flow', 'run')\n@task\ndef b(): return 2"
    nb(source, cell="c")
    assert list(nb.flow.graph.nodes) == ["a", "b"]
    nb(source, cell="c")
    assert list(nb.flow.graph.nodes) == ["a", "b"]
    assert nb.run() == ["b"]


def test_another_thread_does_not_say_that_the_cell_has_written_all():
    graph, removed = TaskGraph(), []
    ledger = Ledger(lambda _, task: removed.append(task.name))
    graph.journal = ledger
    for _ in range(2):
        ledger.begin("cell")
        other = threading.Thread(target=ledger.settle)
        other.start()
        other.join()
        graph.add(Task("kept", lambda: 1))
        ledger.end(success=True)
    assert removed == []
    assert ledger.cell_of(graph, "kept") == "cell"
    assert ledger.cell_of(graph, "unknown") is None
