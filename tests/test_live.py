"""The live widgets of a notebook, without a browser: what they show, what their buttons do, when they close."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from ipywidgets.widgets.widget import _instances

from graflow_nb.notebook.extension import unload
from graflow_nb.views.live import STALE, statuses_data

PATIENCE = 20
VIEW = "application/vnd.jupyter.widget-view+json"
WORDS = [row["word"] for row in statuses_data()]
CELLS = (
    "%%task load\nprint('loading')\nrows = [1, 2, 3]",
    "%%task fit\nprint('fitting')\nmodel = sum(rows)",
    "%%task other\n1",
)
WAITING = """
%%task fit
from graflow_nb import context
context.progress(0.5, 'half')
print('fitting')
reached.set()
while not go_on.wait(0.01):
    pass
model = sum(rows)
"""


@pytest.fixture
def live(nb, monkeypatch):
    """A notebook before which a person sits."""
    monkeypatch.setenv("GRAFLOW_NB_WIDGET", "on")
    nb.shell.kernel = SimpleNamespace(comm_manager=object())
    return nb


@pytest.fixture
def flow(live):
    """The same with three tasks: load, fit after it, and another."""
    for number, cell in enumerate(CELLS):
        live(cell, cell=f"c{number}")
    return live


@pytest.fixture
def waiting(flow):
    """The same, but fit says when it is reached, and waits."""
    flow("import threading\nreached, go_on = threading.Event(), threading.Event()")
    flow(WAITING, cell="c1")
    yield flow
    flow.ns["go_on"].set()


def widgets(nb):
    return [widget for board, _ in nb.session.live._boards.values() for widget in board.widgets]


def show(nb, cell="show"):
    nb("%flow show", cell=cell)
    return widgets(nb)[-1]


def words(widget):
    names, states = [node["name"] for node in widget.graph["nodes"]], widget.states
    if len(names) != len(states):
        return {}  # the publishing thread is between the two
    return dict(zip(names, (WORDS[byte & 15] for byte in states), strict=True))


def stale(widget):
    return {n["name"] for n, byte in zip(widget.graph["nodes"], widget.states, strict=True) if byte & STALE}


def seen(widget, look):
    """Wait until a widget shows something."""
    changed = threading.Event()
    for owner in (widget, widget.outputs):
        owner.observe(lambda _: changed.set())
    while not look():
        assert changed.wait(PATIENCE), f"not seen: {words(widget)}"
        changed.clear()


def press(widget, do, **more):
    widget._handle_custom_msg({"do": do, **more}, [])


def index(widget, name):
    return [node["name"] for node in widget.graph["nodes"]].index(name)


def said(widget):
    """Collect what a widget tells the front end; the event is set with each message."""
    messages, came = [], threading.Event()
    widget.send = lambda content, buffers=None: (messages.append(content), came.set())
    return messages, came


def test_an_expression_shows_a_widget_and_beside_it_the_picture(flow):
    flow("load >> other")
    first, second = flow.displays
    assert VIEW in first["data"]
    assert first["data"]["text/plain"] == f"<FlowWidget {flow.flow.name!r}>"
    assert 'class="graflow-static"' in second["data"]["text/html"]
    assert second["transient"]["display_id"].startswith("graflow-")


def test_a_flow_and_a_run_show_themselves_alike(flow):
    for cell in ("%flow show", "from IPython.display import display\ndisplay(load >> fit)", "%flow run"):
        flow(cell, cell=cell)
        kinds = [VIEW in display["data"] for display in flow.displays]
        assert kinds[0]
        assert kinds.count(True) == 1
        assert "graflow-static" in flow.displays[-1]["data"]["text/html"]


def test_a_cell_has_one_widget_for_a_flow(flow):
    flow("%flow run\nload >> fit", cell="both")
    assert len(widgets(flow)) == 1


@pytest.mark.parametrize("setting", ["off", ""])
def test_where_no_person_sits_there_is_the_picture_alone(flow, monkeypatch, setting):
    monkeypatch.setenv("GRAFLOW_NB_WIDGET", setting)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    flow("load >> fit")
    assert not widgets(flow)
    assert not any(VIEW in display["data"] for display in flow.displays)


def test_the_front_end_that_names_its_cells_gets_a_widget(flow, monkeypatch):
    monkeypatch.delenv("GRAFLOW_NB_WIDGET")
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    flow("%flow show", cell="named")
    assert len(widgets(flow)) == 1


def test_two_views_are_in_step_and_a_late_one_shows_the_present(flow):
    early = show(flow, "early")
    assert set(words(early).values()) == {"not run"}
    flow("%flow run", cell="run")
    run = widgets(flow)[-1]
    late = show(flow, "late")
    expected = {"load": "succeeded", "fit": "succeeded", "other": "succeeded"}
    for widget in (early, run, late):
        seen(widget, lambda widget=widget: words(widget) == expected and not widget.run["active"])


def test_a_run_in_the_background_is_followed_with_progress_and_output(waiting):
    widget = show(waiting)
    press(widget, "run")
    assert waiting.ns["reached"].wait(PATIENCE)
    seen(widget, lambda: words(widget)["fit"] == "running")
    assert widget.run["active"]
    fit = index(widget, "fit")
    widget.selected = fit
    seen(widget, lambda: [o["text"] for o in widget.outputs.outputs] == ["fitting\n"])
    assert widget.progress == {str(fit): [0.5, "half"]}
    waiting.ns["go_on"].set()
    seen(widget, lambda: not widget.run["active"])
    assert words(widget)["fit"] == "succeeded"
    assert waiting("print(model)").strip() == "6"


def test_while_only_time_passes_nothing_is_sent(waiting, monkeypatch):
    monkeypatch.setattr("graflow_nb.notebook.board.TICK", 1e9)
    widget = show(waiting)
    waiting("%flow run --background")
    assert waiting.ns["reached"].wait(PATIENCE)
    seen(widget, lambda: words(widget).get("fit") == "running" and widget.progress)
    board = waiting.session.live.board(waiting.session.flow)
    board.publisher.close()
    board._publish()
    assert board._publish() == (False, True)
    waiting.ns["go_on"].set()
    board.run.wait(PATIENCE)
    assert board._publish() == (True, False)
    assert words(widget)["fit"] == "succeeded"


def test_the_pane_says_what_is_known(flow):
    flow("%flow run", cell="run")
    widget = widgets(flow)[-1]
    widget.selected = index(widget, "fit")
    seen(widget, lambda: widget.pane.get("index") == widget.selected)
    assert "sum" in widget.pane["code"]
    assert "rows of load" in widget.pane["data"]
    assert "[1, 2, 3]" in widget.pane["data"]
    assert [row["status"] for row in widget.pane["runs"]] == ["succeeded"]
    seen(widget, lambda: "there was no result of it yet" in widget.pane["why"])


@pytest.mark.parametrize("how", ["cell", "button"])
def test_what_failed_is_opened_where_the_run_was_started(flow, how):
    other = show(flow, "other")
    flow("%%task fit\nrows / 0", cell="c1")
    if how == "cell":
        flow.try_("%flow run", cell="run")
        widget = widgets(flow)[-1]
    else:
        widget = show(flow, "pressed")
        press(widget, "run")
    fit = index(widget, "fit")
    seen(widget, lambda: widget.selected == fit and widget.outputs.outputs != ())
    assert widget.outputs.outputs[-1]["ename"] == "TypeError"
    seen(other, lambda: not other.run["active"] and words(other)["fit"] == "failed")
    assert other.selected == -1
    widget.selected = -1
    flow("1")
    seen(widget, lambda: widget.pane != {})
    assert widget.selected == -1


def test_names_and_code_are_escaped(live):
    live("%%task bad\nx = '<img src=x onerror=alert(1)>'\nprint(x)")
    live("%flow run", cell="run")
    widget = widgets(live)[-1]
    widget.selected = 0
    seen(widget, lambda: widget.pane.get("index") == 0)
    assert "<img" not in "".join(widget.pane[part] for part in ("code", "why", "data"))


@pytest.mark.parametrize(
    ("do", "task", "ran"),
    [
        ("run", None, {"fit": 1, "load": 1, "other": 1}),
        ("run_to", "load", {"load": 1}),
        ("run_to", "fit", {"load": 1, "fit": 1}),
    ],
)
def test_buttons_run_what_is_out_of_date(flow, do, task, ran):
    widget = show(flow)
    press(widget, do, **({"node": index(widget, task)} if task else {}))
    seen(widget, lambda: widget.run["id"] and not widget.run["active"])
    assert {name for name, word in words(widget).items() if word == "succeeded"} == set(ran)


@pytest.mark.parametrize(
    ("do", "task", "ran"),
    [
        ("run", None, set()),
        ("force", None, {"load", "fit", "other"}),
        ("force", "load", {"load"}),
        ("run_from", "load", {"load", "fit"}),
        ("run_only", "fit", {"fit"}),
    ],
)
def test_buttons_run_again_what_they_say(flow, do, task, ran):
    flow("%flow run", cell="run")
    widget = widgets(flow)[-1]
    before = flow.last_run.id
    press(widget, do, **({"node": index(widget, task)} if task else {}))
    seen(widget, lambda: widget.run["id"] not in {"", before} and not widget.run["active"])
    flow.last_run.wait(PATIENCE)
    assert {n for n, s in flow.statuses.items() if s == "succeeded"} == ran


def test_only_this_is_refused_where_what_it_reads_is_out_of_date(flow):
    widget = show(flow)
    messages, _ = said(widget)
    press(widget, "run_only", node=index(widget, "fit"))
    assert messages == [{"said": "'fit' reads 'load', which is out of date: run to here instead", "kind": "error"}]


def test_cancel_stops_the_run_and_the_next_one_carries_on(waiting):
    widget = show(waiting)
    press(widget, "run")
    assert waiting.ns["reached"].wait(PATIENCE)
    press(widget, "cancel")
    seen(widget, lambda: widget.run["id"] and not widget.run["active"])
    assert words(widget) == {"load": "succeeded", "fit": "cancelled", "other": "succeeded"}


def test_cancelling_one_task_leaves_the_rest(waiting):
    waiting("%%task after\nmodel + 1")
    widget = show(waiting)
    press(widget, "run")
    assert waiting.ns["reached"].wait(PATIENCE)
    press(widget, "cancel_task", node=index(widget, "fit"))
    seen(widget, lambda: widget.run["id"] and not widget.run["active"])
    assert words(widget)["fit"] == "cancelled"
    assert words(widget)["after"] == "skipped"
    assert words(widget)["other"] == "succeeded"


def test_a_second_run_is_refused_while_one_goes_on(waiting):
    widget = show(waiting)
    messages, came = said(widget)
    press(widget, "run")
    assert waiting.ns["reached"].wait(PATIENCE)
    press(widget, "run")
    assert came.wait(PATIENCE)
    assert "a run of this flow is going on" in messages[0]["said"]
    waiting.ns["go_on"].set()


@pytest.mark.parametrize("message", [{"do": "explode"}, {}, None, {"do": "run_to", "node": 99}, {"do": "_start"}])
def test_what_is_not_understood_is_said(flow, message):
    widget = show(flow)
    messages, _ = said(widget)
    widget._handle_custom_msg(message, [])
    assert [m["kind"] for m in messages] == ["error"]


def test_the_cell_of_a_task_is_told(flow):
    widget = show(flow)
    messages, _ = said(widget)
    press(widget, "goto", node=index(widget, "fit"))
    assert messages == [{"goto": "c1"}]


def test_a_widget_that_cannot_be_shown_costs_nobody_the_picture(flow, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("no comms today")

    monkeypatch.setattr("graflow_nb.notebook.board.Board", fail)
    for cell in ("load >> fit", "%flow run"):
        flow(cell, cell=cell)
        assert any("data:image/svg+xml" in d["data"].get("text/html", "") for d in flow.displays)
        assert "graflow-static" not in str(flow.displays)
    assert "cannot be shown" in caplog.text
    assert "succeeded" in flow.displays[-1]["data"]["text/plain"]


def test_a_run_that_a_button_starts_reloads_edited_modules(flow):
    class AutoreloadMagics:
        def pre_run_cell(self, info):
            self.called_with = info

    magics = AutoreloadMagics()
    widget = show(flow)
    flow.shell.events.callbacks["pre_run_cell"].append(magics.pre_run_cell)
    press(widget, "run")
    seen(widget, lambda: widget.run["id"] and not widget.run["active"])
    flow.shell.events.callbacks["pre_run_cell"].remove(magics.pre_run_cell)
    assert magics.called_with is None


def test_the_timeline_comes_when_it_is_asked_for(flow):
    flow("%flow run", cell="run")
    widget = widgets(flow)[-1]
    assert widget.timeline == {}
    press(widget, "timeline")
    seen(widget, lambda: bool(widget.timeline))
    assert {row["index"] for row in widget.timeline["rows"]} == {0, 1, 2}


def test_accept_keeps_a_result_after_an_edit(flow):
    flow("%flow run", cell="run")
    widget = widgets(flow)[-1]
    flow("%%task other\nabs(1)", cell="c2")
    seen(widget, lambda: stale(widget) == {"other"})
    press(widget, "accept", node=index(widget, "other"))
    seen(widget, lambda: stale(widget) == set())
    assert "other" not in flow.run()


def test_an_edited_cell_marks_what_is_out_of_date(flow):
    flow("%flow run", cell="run")
    widget = widgets(flow)[-1]
    seen(widget, lambda: not stale(widget))
    flow("%%task load\nprint('loading')\nrows = [1, 2]", cell="c0")
    seen(widget, lambda: stale(widget) == {"load", "fit"})


def test_new_tasks_appear_and_the_selected_one_stays_selected(flow):
    widget = show(flow)
    widget.selected = index(widget, "other")
    seen(widget, lambda: widget.pane.get("index") == widget.selected)
    flow("%flow remove load")
    seen(widget, lambda: len(widget.graph["nodes"]) == 2)
    assert widget.graph["nodes"][widget.selected]["name"] == "other"


def test_the_other_direction_is_laid_out_when_it_is_asked_for(flow):
    widget = show(flow)
    widget.set_state({"direction": "TB"})
    seen(widget, lambda: widget.graph["direction"] == "TB")


class TestParameters:
    @pytest.fixture
    def with_param(self, live):
        live("%flow param rate 4")
        live("%%task twice\n2 * rate")
        live("%%task apart\n1")
        live("%flow run", cell="run")
        return live, widgets(live)[-1]

    def test_they_come_with_their_kinds(self, with_param):
        nb, widget = with_param
        nb.flow.param("share", 0.5, min=0, max=1, step=0.1)
        nb.flow.param("kind", "a", choices=["a", "b"])
        nb.flow.param("is_on", True)
        nb.flow.param("frame", {"not": "shown"})
        nb("1")
        seen(widget, lambda: len(widget.params) == 4)
        assert {p["name"]: p["kind"] for p in widget.params} == {
            "rate": "integer", "share": "number", "kind": "choice", "is_on": "flag",
        }  # fmt: skip
        share = widget.params[1]
        assert (share["min"], share["max"], share["step"], share["default"]) == (0, 1, 0.1, 0.5)

    def test_they_are_not_counted_as_tasks(self, with_param):
        nb, widget = with_param
        seen(widget, lambda: widget.run["line"].startswith("2 succeeded in"))
        assert (widget.run["total"], widget.run["done"]) == (2, 2)
        assert 'alt="2 tasks: 2 succeeded' in nb.displays[-1]["data"]["text/html"]

    def test_the_code_of_a_parameter_is_its_value(self, with_param):
        _, widget = with_param
        widget.selected = index(widget, "rate")
        seen(widget, lambda: widget.pane.get("index") == widget.selected)
        assert "given" not in widget.pane["code"]
        assert ">4<" in widget.pane["code"]

    def test_a_change_marks_what_reads_it_and_runs_nothing(self, with_param):
        nb, widget = with_param
        run = nb.last_run
        press(widget, "param", name="rate", value=7)
        seen(widget, lambda: stale(widget) == {"rate", "twice"})
        assert widget.params[0]["value"] == 7
        assert nb.last_run is run

    def test_with_auto_on_a_change_runs_just_that(self, with_param):
        nb, widget = with_param
        before = nb.last_run.id
        widget.auto = True
        press(widget, "param", name="rate", value=7)
        seen(widget, lambda: widget.run["id"] != before and not widget.run["active"])
        assert nb["twice"].result == 14
        assert words(widget) == {"rate": "succeeded", "twice": "succeeded", "apart": "cached"}

    def test_a_second_change_does_not_wait_for_what_the_first_one_started(self, with_param):
        nb, widget = with_param
        nb("import threading\nreached, go_on = threading.Event(), threading.Event()")
        nb("%%task slow\nwhile rate == 5 and not go_on.wait(0.01):\n    reached.set()\nrate", cell="slow")
        widget.auto = True
        press(widget, "param", name="rate", value=5)
        assert nb.ns["reached"].wait(PATIENCE)
        press(widget, "param", name="rate", value=6)
        seen(widget, lambda: nb.last_run is not None and nb.last_run.results.get("slow") == 6)
        assert nb["slow"].result == 6

    def test_a_value_of_another_kind_is_refused(self, with_param):
        nb, widget = with_param
        messages, _ = said(widget)
        press(widget, "param", name="rate", value="many")
        press(widget, "param", name="no such", value=1)
        assert [m["kind"] for m in messages] == ["error", "error"]
        assert nb.flow.params["rate"] == 4


def test_auto_runs_after_a_cell_what_it_made_out_of_date_and_a_failure_once(flow):
    widget = show(flow)
    flow("%flow auto on")
    seen(widget, lambda: widget.run["id"] and not widget.run["active"])
    assert widget.auto
    before = widget.run["id"]
    flow("%%task other\n1 / 0", cell="c2")
    seen(widget, lambda: widget.run["id"] != before and not widget.run["active"])
    failed = widget.run["id"]
    flow("x = 1")
    flow("x = 2")
    assert flow.session.run_of(flow.flow) is None
    assert flow.last_run.id == failed
    flow("%flow auto off")
    flow("%%task other\n3", cell="c2")
    assert flow.last_run.id == failed


@pytest.fixture
def runs(flow):
    """The runs that have ended, in a notebook with "auto" on; and how to wait for the next of them."""
    ended, came = [], threading.Event()
    show(flow)
    flow("%flow run")
    flow("%flow auto on")
    add = flow.session.history.add
    flow.session.history.add = lambda run: (add(run), ended.append(run), came.set())

    def next_():
        assert came.wait(PATIENCE)
        came.clear()
        ended[-1].wait(PATIENCE)

    ended_and_next = SimpleNamespace(ended=ended, next=next_)
    yield ended_and_next
    flow("%flow auto off")


@pytest.mark.parametrize(
    "source",
    ["%%task other\nimport time\nraise ValueError(time.time_ns())", "%%task other --cache off\n1"],
    ids=["fails with another message each time", "is never reused"],
)
def test_auto_comes_to_rest(flow, runs, source):
    flow(source, cell="c2")
    runs.next()
    for n in range(5):
        flow(f"x = {n}")
    assert flow.session.run_of(flow.flow) is None
    assert len(runs.ended) == 1


def test_auto_does_not_try_a_failure_again_that_came_while_a_cell_ran(flow, runs):
    flow("import threading\ngo_on = threading.Event()")
    flow.ns["next_"] = runs.next
    flow("%%task other\ngo_on.wait()\n1 / 0", cell="c2")
    flow("go_on.set()\nnext_()")
    flow("1")
    assert flow.session.run_of(flow.flow) is None
    assert len(runs.ended) == 1


def test_auto_runs_a_task_that_was_mended_though_it_never_had_a_result(flow, runs):
    flow("%%task added\n1 / 0", cell="c9")
    runs.next()
    flow("%%task added\n1 / 1", cell="c9")
    runs.next()
    assert flow["added"].result == 1.0


def test_auto_runs_a_task_that_failed_for_what_a_plain_cell_set_right(flow, runs):
    flow("divisor = 0")
    flow("%%task added\n1 / divisor", cell="c9")
    runs.next()
    flow("divisor = 2")
    runs.next()
    assert flow["added"].result == 0.5


def test_auto_runs_a_task_that_is_never_reused_when_it_is_edited(flow, runs):
    flow("%%task other --cache off\n1", cell="c2")
    runs.next()
    flow("%%task other --cache off\n2", cell="c2")
    runs.next()
    assert flow["other"].result == 2


def test_fifty_displays_leave_nothing_behind(flow):
    show(flow, "again")
    before = len(_instances)
    threads = set(threading.enumerate())
    for _ in range(50):
        flow("%flow run", cell="again")
    assert len(widgets(flow)) == 1
    assert len(_instances) == before
    flow("1", cell="again")
    assert not widgets(flow)
    assert not flow.session.live._boards
    assert len(_instances) < before
    for thread in set(threading.enumerate()) - threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_a_deleted_cell_takes_its_widget_with_it(flow):
    show(flow, "gone")
    flow("1", cell="next", deleted=("gone",))
    assert not widgets(flow)


def test_unloading_closes_all(flow):
    widget = show(flow)
    unload(flow.shell)
    assert widget.comm is None


def test_a_flow_shown_by_a_task_is_a_picture(live):
    live(
        "%%task shows\nfrom IPython.display import display\nfrom graflow_nb import workflow\ndisplay(workflow('in'))"
    )
    live("%flow run", cell="run")
    assert len(widgets(live)) == 1
    assert "text/html" in live["shows"].outputs[0]["data"]


def test_what_was_looked_at_before_a_run_began_does_not_bring_its_marks_back(flow, monkeypatch):
    flow("%flow run")
    show(flow)
    (board, _), *_ = flow.session.live._boards.values()
    flow("%%task load\nprint('loading')\nrows = [1, 2]", cell="c0")
    assert board.stale == {"load", "fit"}
    look = flow.flow.stale

    def look_slowly(plan):
        found = look(plan)
        flow.flow.run()  # on another thread
        return found

    monkeypatch.setattr(flow.flow, "stale", look_slowly)
    board.refresh()
    assert board.stale == frozenset()


FLOW = "with workflow('etl') as etl:\n    Task('first', lambda: {})\netl"


def test_a_widget_says_that_its_flow_was_made_anew(live):
    live("from graflow_nb import Task")
    live(FLOW.format(1), cell="shown")
    (widget,) = widgets(live)
    assert widget.run["notes"] == []
    live(FLOW.format(2).removesuffix("etl"), cell="made anew")
    seen(widget, lambda: any("made anew" in note for note in widget.run["notes"]))


def test_a_run_of_another_flow_leaves_a_widget_as_it_was(flow):
    widget = show(flow)
    flow("from graflow_nb import Task\nwith workflow('other') as second:\n    Task('load', lambda: 1)")
    flow("second.run()", cell="second")
    other = widgets(flow)[-1]
    seen(other, lambda: words(other) == {"load": "succeeded"})
    assert other.graph["flow"] == "other"
    flow("1")
    board, _ = flow.session.live._boards[flow.flow]
    board.close()  # what is to be published is out
    assert set(words(widget).values()) == {"not run"}
    assert widget.run["id"] == ""
    assert widget.run["notes"] == []
