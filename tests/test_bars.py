"""Progress bars that are widgets are the task's progress, as those that are text."""

from __future__ import annotations

import threading

import ipywidgets
import pytest
from tqdm.notebook import tqdm

from graflow_nb.notebook.bars import VIEW, follow_bar

PATIENCE = 20


def view_of(widget):
    return {VIEW: {"model_id": widget.model_id}}


@pytest.mark.parametrize("kind", [ipywidgets.FloatProgress, ipywidgets.IntProgress])
def test_a_bar_is_followed(kind):
    told = []
    bar = kind(min=0, max=4, description="epochs:")
    follow_bar(view_of(bar), lambda *it: told.append(it))
    bar.value = 1
    assert told == [(0, "epochs"), (0.25, "epochs")]


def test_a_bar_of_tqdm_is_followed_with_its_text():
    told = []
    with tqdm(total=10, desc="<b>epochs", mininterval=0) as bar:
        follow_bar(view_of(bar.container), lambda *it: told.append(it))
        bar.update(5)
    assert told[0] == (0, "<b>epochs")
    assert (0.5, "<b>epochs") in told


@pytest.mark.parametrize("data", [{"text/plain": "1"}, {VIEW: {"model_id": "gone"}}, {VIEW: {}}])
def test_what_is_no_bar_is_left_alone(data):
    follow_bar(data, pytest.fail)
    label = ipywidgets.HTML("50%")
    follow_bar(view_of(label), pytest.fail)


def test_a_task_has_the_progress_of_its_bar(nb):
    nb.ns["reached"], nb.ns["go_on"] = threading.Event(), threading.Event()
    nb("""%%task slow
from tqdm.notebook import tqdm
for n in tqdm(range(4), desc='epochs', mininterval=0):
    if n == 2:
        reached.set()
        go_on.wait()
""")
    run = nb.flow.run(background=True)
    assert nb.ns["reached"].wait(PATIENCE)
    assert run.records["slow"].progress == (0.5, "epochs")
    nb.ns["go_on"].set()
    run.wait(PATIENCE)
    assert VIEW in nb["slow"].outputs[0]["data"]
