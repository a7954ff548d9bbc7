"""Each task's own output, with 8 tasks at once in a real kernel, and what is left of it afterwards: nothing."""

from __future__ import annotations

import base64
import re
import struct
from typing import TYPE_CHECKING

import pytest
from kernels import Kernel, new_kernel
from shells import Notebook, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_ONCE = 8
RUN = f"%flow run --workers {AT_ONCE}"
SETUP = f"""
import contextlib, gc, io, logging, os, sys, threading, time, warnings
from IPython.display import HTML, Markdown, clear_output, display, update_display
import matplotlib.pyplot as plt

logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(message)s")
log = logging.getLogger("notebook")
before = sys.stdout, sys.stderr
gate = threading.Barrier({AT_ONCE})

def meet():
    gate.wait(30)
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with new_kernel() as kernel:
        kernel(SETUP)
        yield kernel


@pytest.fixture
def flow(kernel: Kernel) -> Kernel:
    kernel.try_("%flow reset")
    kernel("gate = threading.Barrier(8)")
    return kernel


def tasks(kernel: Kernel, body: str, count: int = AT_ONCE) -> list[str]:
    """Make tasks with this body, in which N is a number of their own."""
    names = [f"t{number}" for number in range(count)]
    for number, name in enumerate(names):
        kernel(f"%%task {name}\n" + re.sub(r"\bN\b", str(number), body))
    return names


def streams(kernel: Kernel, task: str, name: str) -> str:
    return "".join(o["text"] for o in kernel.outputs_of(task) if o.get("name") == name)


def check_quiet(kernel: Kernel) -> None:
    """The cell that ran the flow shows the flow, and nothing of the tasks beside it."""
    assert [o["output_type"] for o in kernel.outputs] == ["display_data"], kernel.outputs
    assert kernel.value("(sys.stdout, sys.stderr) == before") is True


def test_prints_warnings_and_logs(flow: Kernel):
    names = tasks(
        flow,
        "meet()\nfor i in range(50):\n    print('out N', i)\n    print('err N', i, file=sys.stderr)\n"
        "meet()\nlog.info('logged N')\nwarnings.warn('warned N')\nsys.stdout.write('written N\\n')\nmeet()",
    )
    flow(RUN)
    check_quiet(flow)
    for number, name in enumerate(names):
        out, err = streams(flow, name, "stdout"), streams(flow, name, "stderr")
        assert out.splitlines() == [*(f"out {number} {i}" for i in range(50)), f"written {number}"]
        assert [line for line in err.splitlines() if line.startswith("err")] == [
            f"err {number} {i}" for i in range(50)
        ]
        assert f"INFO logged {number}\n" in err
        assert f"UserWarning: warned {number}" in err
        assert all(
            f"{word} {other}" not in err for word in ("logged", "warned") for other in range(8) if other != number
        )


def test_displays_updates_and_values(flow: Kernel):
    names = tasks(
        flow,
        "meet()\n_handle = display(HTML('<b>N</b>'), display_id=True)\nmeet()\n_handle.update(HTML('<i>N</i>'))\n"
        "display(Markdown('*N*'), N)\nmeet()\n[N, N]",
    )
    flow(RUN)
    check_quiet(flow)
    for number, name in enumerate(names):
        html, markdown, plain, value = flow.outputs_of(name)
        assert html["data"]["text/html"] == f"<i>{number}</i>"
        assert markdown["data"]["text/markdown"] == f"*{number}*"
        assert plain["data"] == {"text/plain": str(number)}
        assert value["output_type"] == "execute_result"
        assert value["data"]["text/plain"] == f"[{number}, {number}]"


def test_clear_output_and_progress(flow: Kernel):
    names = tasks(
        flow,
        "meet()\nprint('gone N')\nmeet()\nclear_output(wait=True)\nprint('kept N')\nmeet()\n"
        "for i in range(5):\n    print(f'\\r{i} of N', end='', file=sys.stderr, flush=True)\nmeet()",
    )
    flow(RUN)
    check_quiet(flow)
    for number, name in enumerate(names):
        assert streams(flow, name, "stdout") == f"kept {number}\n"
        assert streams(flow, name, "stderr") == f"4 of {number}"


def test_figures(flow: Kernel):
    body = (
        "meet()\nplt.figure(figsize=(1 + N, 1), dpi=50)\nmeet()\nplt.plot([0, N])\nmeet()\nplt.title('N')\n"
        "assert plt.get_fignums() == [1] and plt.gcf().axes[0].get_title() == 'N'\nmeet()\n"
    )
    names = tasks(flow, body + "plt.show()\nplt.figure(figsize=(2, 2)); plt.plot([1])\nmeet()")
    flow("%config InlineBackend.print_figure_kwargs = {'bbox_inches': None}")
    flow(RUN)
    check_quiet(flow)
    for number, name in enumerate(names):
        shown, left_open, *rest = flow.outputs_of(name)
        assert not rest
        assert size_of(shown["data"]["image/png"])[0] == pytest.approx((1 + number) * 50, abs=2)
        assert left_open["data"]["image/png"]
    assert flow.value("plt.get_fignums()") == []


def size_of(png: str) -> tuple[int, int]:
    return struct.unpack(">II", base64.b64decode(png)[16:24])


def test_a_figure_of_the_notebook_is_not_the_tasks(flow: Kernel):
    flow("%config InlineBackend.close_figures = False\nplt.figure(num=7); plt.plot([1]);")
    flow("%%task t\nassert plt.get_fignums() == []\nplt.plot([1, 2, 3]);")
    flow(RUN)
    assert [list(o["data"]) for o in flow.outputs_of("t")] == [["text/plain", "image/png"]]
    assert flow.value("plt.get_fignums()") == [7]
    flow("plt.close('all')\n%config InlineBackend.close_figures = True")


def test_tracebacks(flow: Kernel):
    names = tasks(flow, "meet()\ndef _f(x):\n    return x / 0\nmeet()\n_f(N)")
    said = flow.try_(RUN)
    assert flow.reply["status"] == "error"
    assert flow.reply["ename"] == "RunFailed"
    assert said.count("ZeroDivisionError: division by zero") >= AT_ONCE
    for number, name in enumerate(names):
        (error,) = flow.outputs_of(name)
        text = "\n".join(error["traceback"])
        assert error["ename"] == "ZeroDivisionError"
        assert f"_f({number})" in re.sub(r"\x1b\[[\d;]*m", "", text)


def test_threads_that_a_task_starts(flow: Kernel):
    names = tasks(
        flow,
        "meet()\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "_threads = [threading.Thread(target=print, args=('thread', i, 'of N')) for i in range(3)]\n"
        "[t.start() for t in _threads]; [t.join() for t in _threads]\n"
        "with ThreadPoolExecutor(2) as pool:\n    list(pool.map(lambda i: print('pool', i, 'of N'), range(3)))\n"
        "_timer = threading.Timer(0, print, ['timer of N']); _timer.start(); _timer.join()\nmeet()\nNone",
    )
    flow(RUN)
    check_quiet(flow)
    for number, name in enumerate(names):
        lines = sorted(streams(flow, name, "stdout").split("\n"))
        expected = [f"{word} {i} of {number}" for word in ("thread", "pool") for i in range(3)]
        assert sorted(line for line in lines if line) == sorted([*expected, f"timer of {number}"])


def test_commands_of_the_shell(flow: Kernel):
    names = tasks(flow, "meet()\n!echo from N\n_lines = !echo captured N\nprint(_lines)\nmeet()", 2)
    flow("gate = threading.Barrier(2)")
    flow(RUN)
    check_quiet(flow)
    for number, name in enumerate(names):
        assert f"from {number}" in streams(flow, name, "stdout")
        assert f"['captured {number}']" in streams(flow, name, "stdout")


def test_coroutines_at_once(flow: Kernel):
    names = tasks(
        flow,
        "import asyncio\nfor i in range(20):\n    print('N', i)\n    await asyncio.sleep(0)\nawait asyncio.to_thread(print, 'N end')",
    )
    flow(RUN)
    check_quiet(flow)
    for number, name in enumerate(names):
        assert streams(flow, name, "stdout") == "".join(f"{number} {i}\n" for i in range(20)) + f"{number} end\n"


def test_redirecting_inside_a_task(flow: Kernel):
    flow(
        "%%task t\nbuffer = io.StringIO()\nwith contextlib.redirect_stdout(buffer):\n    print('aside')\nprint('kept')\nbuffer.getvalue()"
    )
    flow(RUN)
    check_quiet(flow)
    assert flow.value("t.result") == "aside\n"
    assert streams(flow, "t", "stdout") == "kept\n"


def test_capture_round_the_run(flow: Kernel):
    tasks(flow, "print('out N')\nprint('err N', file=sys.stderr)\ndisplay(N)\nplt.plot([N]);")
    assert flow("%%capture got\n%flow run\nprint('of the cell')") == ""
    assert flow.value("got.stdout") == "of the cell\n"
    assert flow.value("got.stderr") == ""
    assert flow.value("{list(output.data)[0] for output in got.outputs}") == {"text/html"}
    assert streams(flow, "t3", "stdout") == "out 3\n"
    flow("%flow run")
    check_quiet(flow)


def test_what_the_cell_itself_prints_stays_with_the_cell(flow: Kernel):
    tasks(flow, "print('task N')")
    assert flow("print('above')\n%flow run\nprint('below')").replace("\n", " ").startswith("above")
    assert "task 0" not in flow.text
    assert "below" in flow.text


def test_ten_megabytes_are_kept_and_not_all_shown(flow: Kernel):
    flow("%%task t\nfor i in range(100_000):\n    print('x' * 99)")
    flow("%flow run")
    check_quiet(flow)
    assert sum(len(str(o)) for o in flow.outputs) < 1_000_000
    assert flow.value("sum(len(o['text']) for o in t.outputs)") == 10_000_000
    flow("%flow show t")
    assert "9.5 MB not shown" in flow.text
    assert flow("%flow\nt").count("\n") < 100


def test_objects_whose_repr_raises_or_is_missing(flow: Kernel):
    flow(
        "class Bad:\n    def __repr__(self): raise ValueError('no repr of mine')\n"
        "class Html(Bad):\n    def _repr_html_(self): raise KeyError('no html')\n"
        "class Nothing:\n    __repr__ = None"
    )
    for name, kind in (("bad", "Bad"), ("html", "Html"), ("nothing", "Nothing")):
        flow(f"%%task {name}\n{kind}()")
    flow("%%task after\ntype(bad).__name__, type(html).__name__, type(nothing).__name__")
    flow("%flow run")
    check_quiet(flow)
    assert flow.value("after.result") == ("Bad", "Html", "Nothing")
    assert [(o["output_type"], o.get("evalue")) for o in flow.outputs_of("bad")] == [("error", "no repr of mine")]
    for magic in ("", "status", "why bad", "show bad", "show nothing"):
        flow(f"%flow {magic}")
    flow("bad")
    flow("nothing")


def test_an_error_whose_message_raises(flow: Kernel):
    flow("class Bad(Exception):\n    def __str__(self): raise ValueError('no message of mine')")
    flow("%%task t\nraise Bad()")
    assert "Bad: (its message cannot be shown)" in flow.try_("%flow run")
    assert flow.reply["ename"] == "RunFailed"
    flow("%flow status")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("sys.exit()", "SystemExit"),
        ("sys.exit(3)", "SystemExit: 3"),
        ("exit()", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("raise StopIteration(3)", "StopIteration: 3"),
        ("import asyncio\nraise asyncio.CancelledError", "CancelledError"),
        ("input('name? ')", "task 't' asks for input()"),
        ("import getpass\ngetpass.getpass()", "asks for"),
    ],
)
def test_what_a_task_must_not_do_is_its_own_failure(flow: Kernel, body: str, said: str):
    flow(f"%%task t\nprint('before')\n{body}\nprint('behind')")
    flow("%%task other\n1")
    flow("%%task after\nt")
    shown = flow.try_("%flow run")
    assert flow.reply["status"] == "error"
    assert said in shown
    assert flow.value("other.result") == 1
    assert streams(flow, "t", "stdout") == "before\n"
    assert flow.value("[str(r.status) for r in (t.record, other.record, after.record)]") == [
        "failed",
        "succeeded",
        "skipped",
    ]


def test_after_a_run_everything_is_as_it_was(flow: Kernel):
    flow(
        "import builtins, getpass\nfrom matplotlib._pylab_helpers import Gcf\n"
        "def state():\n    shell = get_ipython()\n    return (sys.stdout, sys.stderr, builtins.input, getpass.getpass, logging.StreamHandler.emit, Gcf.figs, threading.Thread.start,\n"
        "            shell._showtraceback.__func__, shell.display_pub.publish.__func__, shell.display_pub.clear_output.__func__, list(sys.meta_path),\n"
        "            sys.displayhook, sys.excepthook)\nimport signal\nwas = state(), signal.getsignal(signal.SIGINT)"
    )
    tasks(flow, "print('N'); display('N'); plt.plot([N])")
    flow("%flow run")
    assert flow.value("(state(), signal.getsignal(signal.SIGINT)) == was") is True
    flow("%%task bad\n1 / 0")
    flow.try_("%flow run")
    assert flow.value("(state(), signal.getsignal(signal.SIGINT)) == was") is True


def test_a_log_handler_made_before_a_run_in_the_background(flow: Kernel):
    flow("started, go_on = threading.Event(), threading.Event()")
    flow("%%task t\nstarted.set()\nassert go_on.wait(60)\nlog.info('logged late')\nprint('printed late')")
    flow("%flow run --background\nassert started.wait(60)")
    flow("print('a cell in between')")
    flow("%%task u\nlog.info('logged in a task that starts later')")
    flow("from graflow_nb.notebook.extension import _LOADED\n(run,) = _LOADED[get_ipython()].session.going")
    assert flow("go_on.set()\n_ = run.wait(60)") == ""
    assert streams(flow, "t", "stdout") == "printed late\n"
    assert streams(flow, "t", "stderr") == "INFO logged late\n"


# Without a kernel: what the shell of a terminal gives.


def test_in_a_terminal_outputs_follow_under_the_tasks_name(nb: Notebook, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(nb.shell, "kernel")
    nb("%%task t\nprint('hello')\n[1]")
    said = nb("%flow run")
    assert "── t ─" in said
    assert "hello" in said
    assert [as_text(o) for o in nb["t"].outputs] == ["hello\n", "[1]"]


def test_a_display_of_a_plain_cell_can_be_updated_by_a_task(nb: Notebook):
    nb("from IPython.display import display\nhandle = display('begun', display_id='bar')")
    nb("%%task t\nhandle.update('finished')")
    nb("%flow run")
    updates = [d for d in nb.displays if d.get("transient", {}).get("display_id") == "bar"]
    assert [d["data"]["text/plain"] for d in updates] == ["'finished'"]
    assert nb["t"].outputs == []
