"""Workers behind a Redis: what is forged is refused, who is lost is noticed, and what is wrong is said in time."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from redis_servers import SECRET, Workers, serving

from graflow_nb import (
    BackendError,
    QueueBackend,
    UnknownBackendError,
    UnsendableError,
    WorkerLostError,
    context,
    task,
    workflow,
)
from graflow_nb.core.status import Status
from graflow_nb.incremental.store.signing import Signer

pytestmark = pytest.mark.timeout(120)
WAIT = 60


def one_task(fn=lambda: 1, **options):
    """Return a flow of one task, "a"."""
    with workflow("w", backend="redis") as flow:
        task("a", **options)(fn) if options else task("a")(fn)
    return flow


def until(is_so, why="it did not happen"):
    end = time.monotonic() + WAIT
    while not is_so():
        assert time.monotonic() < end, why
        time.sleep(0.01)


@pytest.fixture
def client(redis_workers):
    return redis_workers[0].client


@pytest.fixture
def quick(monkeypatch):
    """Wait for the first worker for a moment only."""
    from graflow_nb.backends.redis import office

    monkeypatch.setattr(office, "_FIRST", 0.2)


class TestNames:
    def test_in_the_words_of_graflow(self, redis_workers):
        assert one_task(os.getpid).execute(queue_backend=QueueBackend.REDIS, max_steps=1000) != os.getpid()
        with workflow("w") as flow:
            task("a")(os.getpid)
        assert flow.execute(queue_backend=QueueBackend.IN_MEMORY) == os.getpid()
        assert flow.execute(queue_backend=QueueBackend.REDIS) != os.getpid()

    def test_a_url_of_a_run_a_flow_and_a_task(self, redis_workers, monkeypatch):
        url = redis_workers[0].url
        monkeypatch.delenv("GRAFLOW_NB_REDIS_URL")
        with workflow("w", backend=url) as flow:
            task("a")(os.getpid)
            task("b", backend="threads")(os.getpid)
        results = flow.run().results
        assert results["a"] != os.getpid() == results["b"]
        with workflow("w") as flow:
            task("a", backend=url)(os.getpid)
            task("b")(os.getpid)
        results = flow.run().results
        assert results["a"] != os.getpid() == results["b"]
        assert flow.run("b", backend=url, force=True).results["b"] != os.getpid()

    def test_a_queue_of_ones_own(self, redis_workers, tmp_path):
        server = redis_workers[0]
        workers = Workers(server.url, tmp_path, 1, options=["--queues", "gpu", "cpu"])
        try:
            until(lambda: "takes tasks from gpu, cpu" in workers.said())
            there = one_task(os.getppid).run(backend=f"{server.url}?queue=gpu").results["a"]
            assert there == workers.processes[0].pid
            assert workers.end() == [0]
        finally:
            workers.stop()


class TestWhatIsLeft:
    def test_nothing_when_a_run_is_over(self, redis_workers, client):
        with workflow("w", backend="redis") as flow:

            @task
            def a():
                return context.channel.get("x")

            @task
            def b(a):
                raise ValueError(a)

        before = {*client.keys("*")}
        flow.run()
        lasting = (b"rq:worker", b"graflow:worker", b"rq:clean", b"rq:queues", b"rq:group")
        until(lambda: not [key for key in {*client.keys("*")} - before if not key.startswith(lasting)])

    def test_no_secret_anywhere(self, tmp_path, monkeypatch, capfd):
        """A password is in no message, key, value, log, report or representation."""
        password = "pass-of-the-tests"
        with serving(tmp_path, 0, ["--requirepass", password]) as (server, _):
            monkeypatch.setenv("GRAFLOW_NB_SECRET", SECRET)
            url = f"unix://:{password}@{server.socket}"
            workers = Workers(url, tmp_path, 1)
            try:
                until(lambda: "takes tasks" in workers.said())
                with workflow("w", backend=url) as flow:

                    @task
                    def a():
                        return dict(os.environ).get("NOTHING")

                    @task
                    def b(a):
                        raise ValueError("b")

                run = flow.run()
                assert run.results["a"] is None
                said = [repr(run), str(run.errors), repr(flow), workers.said(), *capfd.readouterr()]
                with pytest.raises(BackendError, match=r"WRONGPASS|invalid") as wrong:
                    flow.run(backend=url.replace(password, "wrong-" + password), force=True)
                said.append(str(wrong.value) + repr(wrong.value.__cause__) + repr(wrong.value.__context__))
                assert password not in "".join(said)
            finally:
                workers.stop()


class TestBadInput:
    def test_no_redis(self, tmp_path):
        with pytest.raises(BackendError, match=r"no Redis answers at unix://.*none.sock .*redis-server"):
            one_task().run(backend=f"unix://{tmp_path}/none.sock")

    def test_no_redis_at_a_host_that_there_is_not(self):
        with pytest.raises(BackendError, match=r"no Redis answers at redis://nowhere\.invalid:1 "):
            one_task().run(backend="redis://nowhere.invalid:1")

    @pytest.mark.parametrize(
        "url", ["redis://", "redis://:pass#hidden@host:6379", "redis://me:pass/hidden@host", "redis://h:x"]
    )
    def test_a_url_that_is_none(self, url):
        with pytest.raises(BackendError, match="is not the URL of a Redis") as error:
            one_task().run(backend=url)
        assert "hidden" not in str(error.value)
        assert error.value.__cause__ is None

    def test_an_option_that_there_is_not(self, redis_workers):
        with pytest.raises(BackendError, match="bogus"):
            one_task().run(backend=redis_workers[0].url + "?bogus=1")

    def test_no_password(self, tmp_path):
        with (
            serving(tmp_path, 0, ["--requirepass", "of-the-tests"]) as (server, _),
            pytest.raises(BackendError, match=r"does not let us in .*GRAFLOW_NB_REDIS_URL"),
        ):
            one_task().run(backend=server.url)

    def test_no_worker(self, tmp_path, quick):
        with (
            serving(tmp_path, 0) as (server, _),
            pytest.raises(BackendError, match=r"no worker listens at .*graflow-nb worker --url"),
        ):
            one_task().run(backend=server.url)

    def test_no_worker_on_this_queue(self, redis_workers, quick):
        with pytest.raises(BackendError, match=r"queue 'gpu', and 2 on others.*--queues gpu"):
            one_task().run(backend=redis_workers[0].url + "?queue=gpu")

    def test_another_secret(self, redis_workers, monkeypatch, quick):
        monkeypatch.setenv("GRAFLOW_NB_SECRET", "another")
        with pytest.raises(BackendError, match=r"have another key than this process.*GRAFLOW_NB_SECRET"):
            one_task().run()

    def test_another_python_or_version(self, redis_workers, monkeypatch):
        from graflow_nb.backends import versions

        here = versions.versions()
        monkeypatch.setattr(versions, "versions", lambda: {**here, "Python": "3.99", "graflow-nb": "9"})
        with pytest.raises(BackendError, match=r"Python is .* there and 3\.99 here; graflow-nb is") as error:
            one_task().run()
        assert "worker" in str(error.value)

    def test_what_is_not_installed(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "rq", None)
        with pytest.raises(UnknownBackendError, match=r"needs rq.*pip install graflow-nb\[redis\]"):
            one_task().run()

    def test_a_module_that_the_worker_has_not(self, redis_workers, tmp_path, monkeypatch):
        folder = tmp_path / "own"
        folder.mkdir()
        (folder / "module_not_there.py").write_text("def f(): return 1\n")
        monkeypatch.syspath_prepend(folder)
        import module_not_there

        flow = one_task(module_not_there.f)
        (folder / "module_not_there.py").unlink()
        error = flow.run().errors["a"]
        assert isinstance(error, UnsendableError)
        assert "'module_not_there' cannot be imported in worker" in str(error)
        assert "installed package" in str(error)

    def test_what_is_too_large(self, redis_workers, monkeypatch):
        from graflow_nb.backends.redis import shared

        monkeypatch.setattr(shared, "LARGE", 1 << 20)
        with workflow("w") as flow:

            @task
            def make():
                return {"table": os.urandom(3 << 20)}

            @task(backend="redis")
            def use(make, small=1):
                return len(make["table"])

        error = flow.run().errors["use"]
        assert isinstance(error, UnsendableError)
        assert "its argument (argument 1) is too large to go through Redis: 3 MB of 1 MB" in str(error)
        assert "GRAFLOW_NB_SHARED" in str(error)

    def test_workers_less_than_one(self):
        with pytest.raises(ValueError, match="workers=0"):
            one_task().run(workers=0)


class TestLargeValues:
    def test_through_a_folder(self, redis_workers, tmp_path):
        folder = tmp_path / "shared"
        with workflow("w", backend=f"{redis_workers[0].url}?shared={folder}") as flow:

            @task
            def make():
                return os.urandom(70 << 20)

            @task
            def size(make):
                return len(make)

        run = flow.run()
        assert not run.errors
        assert run.results["size"] == 70 << 20 == len(run.results["make"])
        until(lambda: not [*folder.iterdir()], "what a run writes is removed at its end")

    def test_a_result_without_one(self, redis_workers):
        with workflow("w", backend="redis") as flow:

            @task
            def make():
                return os.urandom(70 << 20)

        error = flow.run().errors["make"]
        assert isinstance(error, UnsendableError)
        assert "its result (result) is too large to go through Redis: 70 MB of 64 MB" in str(error)


class TestSecurity:
    """Somebody who can write to the Redis, and has no key."""

    def test_a_job_that_names_another_function_is_refused(self, redis_workers, client, tmp_path):
        from rq import Queue
        from rq.serializers import JSONSerializer

        file = tmp_path / "written"
        one_task().run()  # the queue is there
        queue = Queue(_queue_of(client), connection=client, serializer=JSONSerializer)
        job = queue.enqueue("os.mkdir", str(file))
        until(lambda: f"refused job {job.id}" in redis_workers[1].said())
        until(lambda: job.get_status() == "failed")
        assert not file.exists()

    def test_callbacks_of_a_job_are_not_called(self, redis_workers, client):
        from rq import Callback, Queue
        from rq.serializers import JSONSerializer

        one_task().run()  # the queue is there
        queue = Queue(_queue_of(client), connection=client, serializer=JSONSerializer)
        job = queue.enqueue("os.getpid", on_failure=Callback("builtins.print"), result_ttl=60)
        until(lambda: f"refused job {job.id}" in redis_workers[1].said())
        until(lambda: job.get_status() == "failed")
        assert "<traceback object" not in redis_workers[1].said()  # which is among what a callback gets

    @pytest.mark.parametrize("how", ["key", "body", "run", "kind"])
    def test_a_forged_job_is_refused(self, redis_workers, client, tmp_path, how):
        file = tmp_path / "written"
        job = _put(client, file, how)
        until(lambda: f"refused job {job}" in redis_workers[1].said())
        assert (
            "its signature does not hold" in redis_workers[1].said().split(f"refused job {job}")[1].split("\n")[0]
        )
        assert not file.exists()

    def test_one_with_the_key_is_made(self, redis_workers, client, tmp_path):
        """So the others are refused for what is forged in them."""
        file = tmp_path / "written"
        _put(client, file, "nothing")
        until(file.exists)

    def test_a_job_whose_time_is_over(self, redis_workers, client, tmp_path):
        file = tmp_path / "written"
        job = _put(client, file, "nothing", until=time.time() - 1)
        until(lambda: f"refused job {job}: its time is over" in redis_workers[1].said())
        assert not file.exists()

    def test_a_replayed_job_is_refused(self, redis_workers, client, tmp_path):
        file = tmp_path / "written"
        kept = []
        job = _put(client, file, "nothing", keep=kept)
        until(file.exists)
        file.unlink()
        _enqueue(client, job, *kept)
        until(lambda: f"refused job {job}: it was taken before" in redis_workers[1].said())
        assert not file.exists()

    def test_a_job_of_a_run_that_is_over(self, redis_workers, client, tmp_path):
        file = tmp_path / "written"
        job = _put(client, file, "nothing", is_alive=False)
        until(lambda: f"refused job {job}: its run is over" in redis_workers[1].said())
        assert not file.exists()

    def test_forged_messages_to_a_run_are_left_alone(self, redis_workers, client, tmp_path, caplog):
        """Nothing is unpickled that somebody else wrote, and the run goes on."""
        import pickle

        from graflow_nb.backends.packing import Packed
        from graflow_nb.backends.redis.seal import Seal

        written, flag = tmp_path / "written", tmp_path / "flag"
        evil = Packed(memoryview(pickle.dumps(_Evil(str(written)))))

        def waits():
            while not flag.exists():
                time.sleep(0.01)
            return 1

        before = {*client.keys("graflow:*:claims")}
        run = one_task(waits).run(background=True)
        try:
            until(lambda: {*client.keys("graflow:*:claims")} - before)
            (claims,) = {*client.keys("graflow:*:claims")} - before
            home = claims.replace(b"claims", b"home")
            job = next(iter(client.hkeys(claims))).decode()
            name = claims.decode().split(":")[1]
            for signer in (Signer(b"another"), Signer(SECRET.encode())):
                place = (
                    (name, "another job") if signer.identity == Signer(SECRET.encode()).identity else (name, job)
                )
                for kind in (b"o", b"q", b"t"):
                    client.xadd(home, {"job": job, "message": Seal(signer, *place).close(kind, 2, {}, evil)})
            client.xadd(home, {"job": job, "message": b"nonsense"})
            until(lambda: client.xlen(home) == 0)  # all of it was read
        finally:
            flag.touch()
        run.wait()
        assert run.results["a"] == 1
        assert not written.exists()
        assert "was refused: its signature does not hold" in caplog.text

    def test_a_message_that_comes_twice_counts_once(self, redis_workers, client, tmp_path):
        flag, asked = tmp_path / "flag", tmp_path / "asked"

        def adds():
            context.channel.atomic_add("n", 1)
            asked.touch()
            while not flag.exists():
                time.sleep(0.01)
            return context.channel.get("n")

        seen, stop = [], threading.Event()

        def listen():
            last = {}
            while not stop.is_set():
                for home in client.keys("graflow:*:home"):
                    for identity, fields in client.xrange(home):
                        if identity not in last:
                            last[identity] = True
                            seen.append((home, fields))

        listener = threading.Thread(target=listen)
        listener.start()
        run = one_task(adds, cache=False).run(background=True)
        try:
            until(asked.exists)
            stop.set()
            listener.join()
            for home, fields in seen:
                client.xadd(home, fields)
        finally:
            stop.set()
            flag.touch()
        run.wait()
        assert run.results["a"] == 1

    def test_only_what_is_ours_is_pickled(self, redis_workers, client, tmp_path):
        """RQ's part of a job is plain JSON."""
        flag = tmp_path / "flag"

        def waits():
            while not flag.exists():
                time.sleep(0.01)

        run = one_task(waits).run(background=True)
        try:
            until(lambda: client.keys("graflow:*:claims"))
            data = [client.hget(key, "data") for key in client.keys("rq:job:*")]
        finally:
            flag.touch()
        run.wait()
        import zlib

        assert any(json.loads(zlib.decompress(one))[0] == _ENTRY for one in data if one)


_ENTRY = "graflow_nb.backends.redis.worker.make"


class _Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def _queue_of(client) -> str:
    """Return the name that the queue has in RQ."""
    (queue,) = [key for key in client.smembers("rq:queues") if key.startswith(b"rq:queue:graflow:")]
    return queue.decode().removeprefix("rq:queue:")


def _put(client, file: Path, forged: str, *, until=None, is_alive=True, keep=None) -> str:
    """Put a job into the queue that writes a file, as a run does, or forged in some way; return its id."""
    from graflow_nb.backends.afar import current_afar
    from graflow_nb.backends.home import packed_job
    from graflow_nb.backends.packing import pack
    from graflow_nb.backends.redis.seal import JOB, MIRROR, Seal
    from graflow_nb.core.job import Job

    one_task().run()  # the queue is there
    signer = Signer(SECRET.encode())
    run, job, mirror = os.urandom(8).hex(), os.urandom(8).hex(), "of-the-test"
    path = str(file)
    packed = packed_job(
        Job("a", 1, lambda: Path(path).touch(), (), {}, (), 1, 100, run, None, 0.0, None, False, None)
    )
    head = {"task": "a", "mirror": mirror, "until": until or time.time() + 60, "shared": None}
    seal = Seal(Signer(b"another") if forged == "key" else signer, "other" if forged == "run" else run, job)
    body = seal.close(b"m" if forged == "kind" else JOB, 0, head, packed)
    if forged == "body":
        body = body[:-1] + bytes([body[-1] ^ 1])
    if forged == "kind":  # rewritten by somebody without the key
        body = body[:32] + JOB + body[33:]
    mirrored = Seal(signer, run, mirror).close(MIRROR, packed=pack(current_afar()))
    if is_alive:
        client.set(f"graflow:{run}:alive", 1, ex=60)
    if keep is not None:
        keep += [run, mirror, body, mirrored]
    _enqueue(client, job, run, mirror, body, mirrored)
    return job


def _enqueue(client, job, run, mirror, body, mirrored) -> None:
    from rq import Queue
    from rq.serializers import JSONSerializer

    client.hset(f"graflow:{run}:bodies", job, body)
    client.hset(f"graflow:{run}:mirrors", mirror, mirrored)
    queue = Queue(_queue_of(client), connection=client, serializer=JSONSerializer)
    queue.enqueue(_ENTRY, run, mirror, job_id=job, result_ttl=0)


class TestLost:
    """Workers and servers that go away in the middle."""

    def test_a_worker_that_is_killed_with_its_machine(self, tmp_path, monkeypatch):
        """Nobody is left who could say so: there is no sign of life any more."""
        from graflow_nb.backends.redis import keeper

        monkeypatch.setattr(keeper, "SILENT", 3.0)
        monkeypatch.setenv("GRAFLOW_NB_SECRET", SECRET)
        with serving(tmp_path, 2) as (server, workers):
            pids = tmp_path / "pids"

            def stays():
                pids.write_text(f"{os.getppid()} {os.getpid()}")
                time.sleep(600)

            run = one_task(stays).run(background=True, backend=server.url)
            until(lambda: pids.exists() and " " in pids.read_text())
            worker, horse = map(int, pids.read_text().split())
            os.kill(worker, signal.SIGKILL)
            run.wait()
            assert isinstance(run.errors["a"], WorkerLostError)
            assert "no sign of life" in str(run.errors["a"])
            until(lambda: not Path(f"/proc/{horse}").exists() or "Z" in Path(f"/proc/{horse}/stat").read_text())
            assert workers.processes

    def test_the_redis_goes_away(self, tmp_path, monkeypatch):
        """What had finished is kept, and the next run carries on from there."""
        from graflow_nb.backends.redis import backend

        monkeypatch.setattr(backend, "PATIENCE", 1.0)
        monkeypatch.setenv("GRAFLOW_NB_SECRET", SECRET)
        flag, begun = tmp_path / "flag", tmp_path / "begun"
        with serving(tmp_path, 1) as (server, _), workflow("w", backend=server.url) as flow:

            @task
            def first():
                return os.urandom(4)

            @task(retries=3, retry_delay=0.0)
            def second(first):
                begun.touch()
                while not flag.exists():
                    time.sleep(0.01)
                return first

            run = flow.run(background=True)
            until(begun.exists)
            server.stop()
            run.wait()
            assert run.statuses["first"] is Status.SUCCEEDED
            assert isinstance(run.errors["second"], BackendError)
            assert "What had finished is kept" in str(run.errors["second"])
            assert run.records["second"].attempts == 1
            flag.touch()
            again = flow.run(backend="threads")
            assert again.statuses["first"] is Status.CACHED
            assert again.results["second"] == run.results["first"]

    def test_the_redis_is_away_for_a_moment(self, tmp_path, monkeypatch):
        """Connections that break are made anew; nothing is lost."""
        monkeypatch.setenv("GRAFLOW_NB_SECRET", SECRET)
        with serving(tmp_path, 2) as (server, _), workflow("w", backend=server.url) as flow:

            @task
            def add(i):
                for _ in range(30):
                    context.channel.atomic_add("n", 1)
                return i

            _ = add.map(range(6), name="adds")
            run = flow.run(background=True)
            while not run.is_finished and run.surroundings.channel.get("n", 0) < 120:
                server.client.client_kill_filter(_type="normal", skipme=True)
                time.sleep(0.2)
            run.wait()
            assert not run.errors
            assert run.results["adds"] == [*range(6)]
            assert run.surroundings.channel.get("n") == 180

    def test_the_redis_is_emptied(self, tmp_path, monkeypatch):
        monkeypatch.setenv("GRAFLOW_NB_SECRET", SECRET)
        begun = tmp_path / "begun"
        with serving(tmp_path, 1) as (server, _):

            def stays():
                begun.touch()
                time.sleep(600)

            run = one_task(stays).run(background=True, backend=server.url)
            until(begun.exists)
            server.client.flushall()
            run.wait()
            assert isinstance(run.errors["a"], BackendError)
            assert "knows nothing of this run any more" in str(run.errors["a"])

    def test_all_workers_go_away_while_tasks_wait(self, tmp_path, monkeypatch):
        from graflow_nb.backends.redis import keeper

        monkeypatch.setattr(keeper, "_NOBODY", 0.5)
        monkeypatch.setattr(keeper, "SILENT", 3.0)
        monkeypatch.setenv("GRAFLOW_NB_SECRET", SECRET)
        begun = tmp_path / "begun"
        with serving(tmp_path, 1) as (server, workers), workflow("w", backend=server.url) as flow:

            @task
            def stays():
                begun.touch()
                time.sleep(600)

            @task
            def waits():
                return 1

            run = flow.run("stays", "waits", background=True)
            until(begun.exists)
            workers.stop()
            run.wait()
            assert isinstance(run.errors["stays"], WorkerLostError)
            assert isinstance(run.errors["waits"], WorkerLostError)

    def test_a_worker_that_dies_between_the_queue_and_the_call(self, redis_workers, client, monkeypatch, tmp_path):
        """The job is in no queue and with nobody: it is lost, and no worker can take it any more."""
        from graflow_nb.backends.redis import keeper

        monkeypatch.setattr(keeper, "SILENT", 0.5)
        one_task().run()  # the queue is there
        flags = [tmp_path / f"flag {i}" for i in range(3)]
        go = tmp_path / "go"
        with workflow("w", backend="redis") as flow:

            @task
            def one(i):
                flags[i].touch()
                while not go.exists():
                    time.sleep(0.01)
                return i

            _ = one.map(range(3), name="all")
            run = flow.run(background=True, workers=3)
            queue = "rq:queue:" + _queue_of(client)
            until(lambda: sum(flag.exists() for flag in flags) == 2 and client.llen(queue) == 1)
            client.lpop(queue)
            until(lambda: run.errors)
            go.touch()
            run.wait()
        assert "took task" in str([*run.errors.values()])
        assert sum(flag.exists() for flag in flags) == 2


def test_a_call_that_a_worker_is_just_taking_is_not_lost():
    """It has waited for long, and stands in the queue no more: that is no sign of silence yet."""
    from graflow_nb.backends.redis.out import Out

    out = Out.__new__(Out)
    out.beat, out.beat_at = True, time.monotonic() - 100  # it stood in the queue at each look
    assert out.age(True) >= 100
    assert out.age(False) < 50
    assert out.age(False) < 50


def test_many_tasks_with_workers_killed_at_random(tmp_path, monkeypatch):
    """Every result is right, no task's effect is missing, and nothing hangs."""
    monkeypatch.setenv("GRAFLOW_NB_SECRET", SECRET)
    from graflow_nb.backends.redis import keeper

    monkeypatch.setattr(keeper, "SILENT", 4.0)
    chance, effects = random.Random(20), tmp_path / "effects"
    effects.mkdir()
    with serving(tmp_path, 3) as (server, workers), workflow("w", backend=server.url) as flow:

        @task(retries=20, retry_delay=0.0)
        def square(i):
            (effects / str(i)).touch()
            return i * i

        _ = square.map(range(300), name="squares")

        @task(retries=20, retry_delay=0.0)
        def total(squares):
            return sum(squares)

        run = flow.run(background=True)
        killed = 0
        while not run.is_finished:
            time.sleep(0.05)
            if killed < 8 and len([*effects.iterdir()]) >= 30 * (killed + 1):
                killed += 1
                victim = workers.processes.pop(chance.randrange(len(workers.processes)))
                victim.send_signal(signal.SIGKILL)
                victim.wait()
                workers.start()
        run.wait()
    assert not run.errors
    assert run.results["squares"] == [i * i for i in range(300)]
    assert run.results["total"] == sum(i * i for i in range(300))
    assert {int(file.name) for file in effects.iterdir()} == {*range(300)}
    assert killed == 8
