"""Dask: what only it does. What it does as every backend does is in test_backends.py."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest
from clusters import processes

from graflow_nb import BackendError, UnknownBackendError, UnsendableError, WorkerLostError, context, task, workflow
from graflow_nb.backends import versions
from graflow_nb.backends.dask import cluster as clusters
from graflow_nb.core.away import Away
from graflow_nb.core.status import Status

np = pytest.importorskip("numpy")
distributed = pytest.importorskip("distributed")
ITEMS = 100_000


@pytest.fixture(scope="module")
def client(scheduler):
    with distributed.Client(scheduler, set_as_default=False) as there:
        yield there


def arrays(backend="dask", like=None, **settings):
    with workflow("w", backend=backend, **settings) as flow:

        @task
        def load():
            return np.arange(float(ITEMS))

        @task
        def twice(load):
            return load * 2

        @task
        def total(twice):
            return float(twice.sum())

    if like is not None:
        flow.services.cache = like.services.cache
    return flow


TOTAL = float(ITEMS * (ITEMS - 1))


class TestResults:
    def test_large_ones_stay_and_small_ones_come(self):
        run = arrays().run()
        made = {name: record.produced.unfetched(None) for name, record in run.records.items()}
        assert type(made["load"]) is type(made["twice"]) is Away
        assert made["total"] == TOTAL
        assert run.results["twice"][:3].tolist() == [0.0, 2.0, 4.0]

    def test_several_variables_of_a_cell(self, nb):
        nb.flow.backend = "dask"
        nb("import numpy as np")
        nb("%%task load\na = np.ones(50_000)\nb = np.ones(60_000)\nsmall = 3\nlen(a)")
        nb("%%task fit\nc = a + small\nc.sum()")
        nb("%%task both\n(a.sum(), b.sum())")
        nb("%flow run")
        assert nb["fit"].result == 200_000.0
        assert nb["both"].result == (50_000.0, 60_000.0)
        assert "c" not in nb.ns
        nb("total = c.sum() + b.sum()")
        assert nb.ns["total"] == 260_000.0

    def test_the_data_pane_shows_what_the_worker_said(self, nb):
        from graflow_nb.notebook.pane import data_html

        nb.flow.backend = "dask"
        nb("import numpy as np")
        nb("%%task load\nnp.ones((500, 100))")
        nb("%flow run")
        assert type(nb["load"].record.produced.at_hand[None]) is Away
        assert "500 by 100" in data_html(nb.flow.plan(), nb["load"])
        assert type(nb["load"].record.produced.at_hand[None]) is Away

    def test_made_here_and_read_there(self):
        flow = arrays("threads")
        flow.run()
        run = flow.run(backend="dask", force=["total"])
        assert run.results["total"] == TOTAL
        assert run.statuses["twice"] is Status.CACHED

    def test_made_there_and_read_here(self):
        flow = arrays()
        flow.run()
        run = flow.run(backend="threads", force=["total"])
        assert run.results["total"] == TOTAL
        assert run.statuses["twice"] is Status.CACHED

    def test_kept_on_disk(self, tmp_path):
        arrays(cache=tmp_path / "store").run()
        run = arrays("threads", cache=tmp_path / "store").run()
        assert set(run.statuses.values()) == {Status.CACHED}
        assert run.results["load"].shape == (ITEMS,)

    def test_one_that_was_changed_in_place(self):
        with workflow("w", backend="dask") as flow:

            @task
            def load():
                return np.zeros(ITEMS)

            @task
            def bad(load):
                load += 1

            @task
            def total(bad, load):
                return float(load.sum())

        run = flow.run()
        assert "'load' (of task 'load') was changed in place" in run.records["bad"].note
        assert run.results["total"] == 0.0
        assert run.results["load"].sum() == 0.0

    def test_a_large_one_that_cannot_be_sent(self):
        import threading

        with workflow("w", backend="dask") as flow:

            @task
            def load():
                return [threading.Lock() for _ in range(20_000)]

        error = flow.run().errors["load"]
        assert isinstance(error, UnsendableError)
        assert "lock" in str(error)

    def test_a_long_text_that_is_printed(self, capfd):
        with workflow("w", backend="dask") as flow:

            @task
            def talk():
                sys.stdout.write("x" * 300_000)
                return 1

        assert flow.execute() == 1
        assert capfd.readouterr().out.count("x") == 300_000

    def test_large_values_in_the_channel(self):
        with workflow("w", backend="dask") as flow:

            @task
            def write():
                context.channel.set("data", np.ones(50_000))

            @task
            def read(write):
                return float(context.channel.get("data").sum())

        assert flow.run().results["read"] == 50_000.0


PEAK = """
import re, sys
from pathlib import Path
def peak():
    return 1024 * int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
if __name__ == "__main__":
    from graflow_nb import task, workflow
    with workflow("w", backend="dask") as flow:
        @task
        def load():
            import numpy as np
            return np.ones(25_000_000)
        @task
        def twice(load):
            return load * 2
        @task
        def total(twice):
            return twice.sum()
    with workflow("warm", backend="dask") as warm:
        @task
        def small():
            import numpy as np
            return np.ones(20_000)
    warm.run()
    before = peak()
    assert flow.run().results["total"] == 50_000_000
    print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the peak")
def test_large_data_do_not_pass_through_the_kernel(tmp_path):
    (tmp_path / "peak.py").write_text(PEAK)
    found = subprocess.run([sys.executable, str(tmp_path / "peak.py")], capture_output=True, text=True, check=True)
    assert int(found.stdout.split()[-1]) < 50 * 2**20  # of 200 MB


class TestClusters:
    def test_a_client_is_used_as_it_is(self, client):
        run = arrays(client).run()
        assert run.results["total"] == TOTAL
        clusters.close_all()
        assert client.status == "running"

    def test_it_is_kept_between_runs(self):
        flow = arrays()
        flow.run()
        first = clusters.cluster_at(None, None)
        flow.run(force=True)
        assert clusters.cluster_at(None, None) is first

    def test_results_of_one_that_was_closed_are_made_again(self):
        flow = arrays()
        flow.run()
        clusters.close_all()
        run = flow.run(force=["total"])
        assert run.results["total"] == TOTAL
        assert run.statuses["twice"] is Status.SUCCEEDED

    def test_the_link_to_its_dashboard_is_shown(self):
        clusters.close_all()
        run = arrays().run()
        assert any(re.search(r"http://127\.0\.0\.1:\d+/status", note) for note in run.notes)

    def test_resources_of_workers(self, scheduler):
        with workflow("w", backend=scheduler, resources={"CARD": 1, "other": 5}) as flow:

            @task(resources={"CARD": 1, "other": 2}, priority=3)
            def train():
                from distributed import get_worker

                key = get_worker().get_current_task()
                return dict(get_worker().state.tasks[key].resource_restrictions)

        assert flow.run().results["train"] == {"CARD": 1}

    def test_a_module_that_a_worker_lacks(self, monkeypatch):
        module = types.ModuleType("only_here")
        exec("def f(): return 1", module.__dict__)
        monkeypatch.setitem(sys.modules, "only_here", module)
        with workflow("w", backend="dask") as flow:

            @task
            def use(f=module.f):
                return f()

        error = flow.run().errors["use"]
        assert isinstance(error, UnsendableError)
        assert "'only_here' cannot be imported in Dask worker" in str(error)


class TestWrong:
    def test_no_scheduler(self, monkeypatch):
        monkeypatch.setattr(clusters, "_CONNECTING", 1.0)
        with pytest.raises(BackendError, match=r"no Dask scheduler at tcp://127.0.0.1:9.*dask scheduler"):
            arrays("tcp://127.0.0.1:9").run()

    def test_other_versions(self, scheduler, monkeypatch):
        monkeypatch.setattr(versions, "versions", lambda: {"Python": "3.1", "graflow-nb": "0.0.7"})
        clusters.close_all()
        with pytest.raises(
            BackendError, match=r"has other versions: Python is .* there and 3.1 here, graflow-nb is"
        ):
            arrays(scheduler).run()

    def test_other_versions_of_a_worker_that_came_later(self, monkeypatch):
        flow = arrays()
        flow.run()
        monkeypatch.setattr(versions, "versions", lambda: {"Python": "3.1", "graflow-nb": "0.0.7"})
        error = flow.run(force=True).errors["load"]
        assert isinstance(error, BackendError)
        assert "a Dask worker has other versions than the run: Python is 3.1 there" in str(error)

    def test_a_closed_client(self, scheduler):
        with distributed.Client(scheduler, set_as_default=False) as there:
            pass
        with pytest.raises(BackendError, match="client that was given is closed"):
            arrays(there).run()

    def test_workers_that_are_threads_of_this_process(self):
        with (
            distributed.LocalCluster(
                n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
            ) as own,
            distributed.Client(own, set_as_default=False) as there,
            pytest.raises(BackendError, match='use backend="threads"'),
        ):
            arrays(there).run()

    def test_what_is_not_installed(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "distributed", None)
        with pytest.raises(UnknownBackendError, match=r"pip install graflow-nb\[dask\]"):
            arrays().run()

    def test_a_scheduler_that_goes_away(self, tmp_path):
        with processes(tmp_path, workers=1) as there:
            with workflow("w", backend=there.address) as flow:

                @task
                def first():
                    return 1

                @task
                def second(first):
                    (tmp_path / "begun").touch()
                    import time

                    time.sleep(600)

            run = flow.run(background=True)
            while not (tmp_path / "begun").exists():
                pass
            there.scheduler.kill()
            run.wait(30)
        assert isinstance(run.errors["second"], BackendError)
        assert "is gone. What had finished is kept" in str(run.errors["second"])
        assert flow.run("first", backend="threads").statuses["first"] is Status.CACHED


def test_a_task_is_broken_off_when_its_kernel_is_gone(scheduler, tmp_path):
    source = f"""
import os, pathlib, time
from graflow_nb import task, workflow
with workflow("w", backend={scheduler!r}) as flow:
    @task
    def slow():
        pathlib.Path({str(tmp_path / "begun")!r}).touch()
        try:
            while True:
                time.sleep(0.01)
        finally:
            pathlib.Path({str(tmp_path / "ended")!r}).touch()
flow.run(background=True)
while not os.path.exists({str(tmp_path / "begun")!r}):
    time.sleep(0.01)
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", source], check=False, timeout=60)
    while not (tmp_path / "ended").exists():
        pass


def on_worker(away):
    """Return the processes that have a value."""
    holder = away.holder
    has = holder.cluster.client.who_has([holder._future])
    addresses = [address for those in has.values() for address in those]
    return list(holder.cluster.client.run(os.getpid, workers=addresses).values())


class TestLostWorkers:
    def test_a_task_whose_worker_was_lost_is_made_again(self, tmp_path):
        killed = tmp_path / "killed"
        with workflow("w", backend="dask") as flow:

            @task
            def lost():
                if not killed.exists():
                    killed.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return 5

        assert flow.run().results["lost"] == 5

    def test_what_was_on_a_lost_worker_is_there_again(self):
        flow = arrays()
        run = flow.run()
        for pid in on_worker(run.records["twice"].produced.unfetched(None)):
            os.kill(pid, signal.SIGKILL)
        run = flow.run(force=["total"])
        assert run.results["total"] == TOTAL
        assert run.results["twice"].sum() == TOTAL

    def test_what_comes_out_otherwise_is_made_again_for_all(self):
        with workflow("w", backend="dask") as flow:

            @task
            def load():
                return np.frombuffer(os.urandom(8 * ITEMS), dtype=np.int64).copy()

            @task
            def one(load):
                return int(load.sum())

            @task
            def two(load):
                return int(load.sum())

        run = flow.run()
        for pid in on_worker(run.records["load"].produced.unfetched(None)):
            os.kill(pid, signal.SIGKILL)
        run = flow.run(force=["two"])
        assert run.results["one"] == run.results["two"] == int(run.results["load"].sum())

    def test_300_tasks_and_a_worker_that_is_killed(self, tmp_path):
        with workflow("w", backend="dask") as flow:

            @task
            def seed():
                return np.arange(20_000)

            @task
            def work(n, seed):
                if n == 40 and not (tmp_path / "killed").exists():
                    (tmp_path / "killed").touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                (tmp_path / f"{n}").touch()
                return int(seed[n])

            _ = work.map(range(300), name="all")

        run = flow.run()
        assert run.results["all"] == list(range(300))
        assert all((tmp_path / f"{n}").exists() for n in range(300))


def test_one_that_always_kills_its_worker():
    with (
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            dashboard_address=":0",
            scheduler_kwargs={"allowed_failures": 0},
        ) as own,
        distributed.Client(own, set_as_default=False) as there,
    ):
        with workflow("w", backend=there) as flow:

            @task
            def lost():
                os.kill(os.getpid(), signal.SIGKILL)

            @task
            def other():
                return 1

        run = flow.run("lost")
        assert isinstance(run.errors["lost"], WorkerLostError)
        assert "as often as the scheduler tries it" in str(run.errors["lost"])
        assert flow.run("other").results["other"] == 1
