"""Every Python block of the two documents that describe Graflow, run with nothing changed but its imports.

The documents lie beside the repository, in ``../shared/seeds``. What a block takes for granted (`load_data`,
`Thread`, tasks such as `extract`) is supplied here; what it only defines is called here.
"""

from __future__ import annotations

import concurrent.futures
import os
import re
import textwrap
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from graflow_nb import QueueBackend, Task, TaskWrapper, WorkflowContext, task, workflow

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = Path(__file__).parent.parent.parent / "shared" / "seeds"
DOCUMENTS = ("000", "002")
WAIT = 10


class Space(dict):
    """What a block sees: the names of the documents, a log, and what else the case supplies."""

    def __init__(self) -> None:
        self.log: list = []
        self.lock = threading.Lock()
        super().__init__(
            __name__="__main__", task=task, workflow=workflow, TaskWrapper=TaskWrapper, Thread=threading.Thread,
            WorkflowContext=WorkflowContext, QueueBackend=QueueBackend, os=os, threading=threading,
        )  # fmt: skip

    def note(self, name: str, result: object = None) -> Callable:
        """Supply a function that notes its name and arguments when it is called."""

        def noted(*args):
            with self.lock:
                self.log.append((name, *args))
            return result

        self[name] = noted
        return noted

    def tasks(self, names: str) -> None:
        """Supply tasks that note their names."""
        for name in names.split():
            self[name] = Task(name, self.note(name, name))

    def ran(self) -> list[str]:
        return [name for name, *_ in self.log]

    def run_all(self, threads: list[threading.Thread]) -> None:
        for thread in threads:
            if thread.ident is None:
                thread.start()
        for thread in threads:
            thread.join(WAIT)


def no_check(space: Space, printed: str) -> None:
    """Nothing more to look at than that it runs."""


@dataclass
class Case:
    """A block, known by a line of it; what it assumes, and what must come of it."""

    line: str
    supply: Callable[[Space], object] = lambda space: None
    check: Callable[[Space, str], None] = no_check
    needs: str | None = None

    def __str__(self) -> str:
        return re.sub(r"\W+", " ", self.line).strip()


def simple_pipeline(space, printed):
    assert printed == "Step 1\nStep 2\n"


def parallel_processing(space, printed):
    assert sorted(printed.splitlines()[:2]) == ["Task A", "Task B"]
    assert printed.splitlines()[2:] == ["Combining results"]


def complex_dag(space, printed):
    assert printed == "Loading: ['data_a', 'data_b']\n"
    assert space["extract"].result == "data"
    assert set(space["ctx"].graph.edges) == {
        ("extract", "transform_a"), ("extract", "transform_b"), ("transform_a", "load"), ("transform_b", "load"),
    }  # fmt: skip


def etl(space, printed):
    assert space.ran() == ["extract", "transform", "load"]


def fan(space, printed):
    space["ctx"].execute()
    assert sorted(space.ran()) == sorted(space["ctx"].graph.nodes)
    assert len(space.ran()) == 8
    assert space.ran().index("fetch") < min(space.ran().index(f"process_{x}") for x in "abc")
    assert space.ran().index("aggregate") > max(space.ran().index(f"task{n}") for n in "123")


def stages(space, printed):
    space["ctx"].execute()
    order = [re.sub(r"_.*", "", name) for name in space.ran()]
    assert order == ["load"] * 3 + ["validate", "transform", "enrich"] + ["export"] * 3


def six_steps(space):
    space.tasks("start s1 s2 s3 s4 s5 s6")
    with workflow("long") as space["ctx"]:
        before = space["start"]
        for n in range(1, 7):
            before = before >> space[f"s{n}"]


def max_steps(space, printed):
    assert space.ran() == ["start", "s1", "s2", "s3", "s4"]
    assert str(space["ctx"].last_run.statuses["s6"]) == "waiting"


def factory(space, printed):
    expected = [f"Loading from {source}\nTransforming data\nSaving results\n" for source in ("database", "api")]
    assert printed == "".join(expected)
    assert list(space["pipeline1"].graph.nodes) == ["load", "transform", "save"]
    assert space["pipeline1"]["load"] is not space["pipeline2"]["load"]


def workers(space, printed):
    assert sorted(printed.splitlines()) == [f"Worker {n}: Processing" for n in range(5)]


def tenants(space):
    space.note("load_data", "data")
    space.note("process")


def all_tenants(space, printed):
    customers = ["cust_001", "cust_002", "cust_003"]
    assert sorted(space.log) == sorted((name, c) for c in customers for name in ("load_data", "process"))


def environments(space):
    for env in ("prod", "staging", "dev"):
        space.note(f"create_{env}_pipeline", f"the {env} pipeline")


def each_environment(space, printed):
    assert [space["prod_pipeline"], space["staging_pipeline"]] == ["the prod pipeline", "the staging pipeline"]
    assert space["create_pipeline"]("anything") == "the dev pipeline"


def run_threads(space, printed):
    space.run_all(space["threads"])
    assert all(thread.ident and not thread.is_alive() for thread in space["threads"])


def batches(space):
    space["data"] = list(range(250))
    space["partition_data"] = lambda data, batch_size: [
        data[start : start + batch_size] for start in range(0, len(data), batch_size)
    ]
    space.note("process")


def all_batches(space, printed):
    run_threads(space, printed)
    assert sorted(item for _, item in space.log) == list(range(250))


def both_workers(space, printed):
    """The good one was defined before the bad one of the same name, which needs a `value`."""
    space["worker"](1)
    assert space["shared_list"] == ["a value"]


def limited(space):
    def run_one(number):
        with workflow("same name") as ctx:
            Task("process", lambda: space.note("done")(number) or number)
            return ctx.execute("process")

    space["workflow_func"] = run_one
    space["ThreadPoolExecutor"] = concurrent.futures.ThreadPoolExecutor


def all_limited(space, printed):
    assert [future.result(WAIT) for future in space["futures"]] == list(range(100))


def both_factories(space, printed):
    ctx = space["create_pipeline"]("p", "database", "scale")
    assert list(ctx.graph.nodes) == ["load", "transform"]
    assert ctx.run().results == {"load": None, "transform": None}


def customers(space):
    space.note("get_active_customers", ["c1", "c2", "c3"])
    for name in ("fetch_data", "apply_transformations", "save_to_warehouse"):
        space.note(name)


def all_customers(space, printed):
    run_threads(space, printed)
    for customer in ("c1", "c2", "c3"):
        assert space.log.index(("fetch_data", customer)) < space.log.index(("save_to_warehouse", customer))
    assert space.ran().count("apply_transformations") == 3


def training(space):
    for name in ("load_training_data", "train", "evaluate_model"):
        space.note(name, f"result of {name}")


def all_models(space, printed):
    for config in space["models"]:
        space.log.clear()
        assert (
            space["create_model_training_workflow"](config["id"], config).execute() == "result of evaluate_model"
        )
        trained = ("train", config["algorithm"], config["epochs"])
        assert space.log == [("load_training_data", config["dataset"]), trained, ("evaluate_model",)]


def a_limit(space, printed):
    assert 1 <= space["max_concurrent"] <= 12


def router(space, printed):
    ctx = space["create_dynamic_pipeline"]("p")
    ctx.execute()
    assert space.ran() == ["process"]
    assert list(ctx.graph.nodes) == ["dynamic_router"]


def on_redis(space):
    def create_etl_pipeline(name):
        with workflow(name) as ctx:

            @task
            def load():
                return [1, 2, 3]

            @task
            def report(load):
                return sum(load), os.getpid()

        return ctx

    space["create_etl_pipeline"] = create_etl_pipeline


def ran_on_redis(space, printed):
    total, pid = space["pipeline"]["report"].result
    assert total == 6
    assert pid != os.getpid()


CASES = [
    Case('with workflow("pipeline") as ctx:', check=simple_pipeline),
    Case('with workflow("parallel") as ctx:', check=parallel_processing),
    Case('with workflow("dag") as ctx:', check=complex_dag),
    Case('with workflow("etl") as ctx:', lambda s: s.tasks("extract transform load"), etl),
    Case(
        'with workflow("fan") as ctx:',
        lambda s: s.tasks("fetch process_a process_b process_c task1 task2 task3 aggregate"),
        fan,
    ),
    Case(
        'with workflow("stages") as ctx:',
        lambda s: s.tasks("load_db load_api load_file validate transform enrich export_json export_csv export_db"),
        stages,
    ),
    Case('ctx.execute("start", max_steps=5)', six_steps, max_steps),
    Case('pipeline1 = create_pipeline("pipeline_1", source="database")', check=factory),
    Case("def worker_workflow(worker_id: int):", check=workers),
    Case("def process_customer_data(customer_id: str):", tenants, all_tenants),
    Case("def create_pipeline(env: str):", environments, each_environment),
    Case("def run_experiment(variant: str):", check=run_threads),
    Case("def process_batch(batch_id: int, items: list):", batches, all_batches),
    Case("shared_list = []", lambda s: s.update(value="a value"), both_workers),
    Case("with ThreadPoolExecutor(max_workers=max_workers) as executor:", limited, all_limited),
    Case("def create_load_tasks(ctx, source):", check=both_factories),
    Case("def create_customer_pipeline(customer_id: str):", customers, all_customers),
    Case("def create_model_training_workflow(model_id: str, config: dict):", training, all_models),
    Case("max_concurrent = min(len(items), os.cpu_count() * 2)", lambda s: s.update(items=[*range(12)]), a_limit),
    Case("def create_dynamic_pipeline(name: str):", lambda s: s.note("process"), router),
    Case("queue_backend=QueueBackend.REDIS,", on_redis, ran_on_redis, needs="redis_workers"),
]


def blocks() -> list[str]:
    """Return the Python blocks of the documents, with their imports turned to ours."""
    if not SEEDS.is_dir():
        pytest.skip(f"NOT TESTED: the documents are not there ({SEEDS})")
    texts = [path.read_text("utf-8") for name in DOCUMENTS for path in SEEDS.glob(f"{name}_*.txt")]
    assert len(texts) == len(DOCUMENTS)
    found = [b for text in texts for b in re.findall(r"(?ms)^ *```python\n(.*?)^ *```", text)]
    return [re.sub(r"(?m)^(from|import) graflow\b", r"\1 graflow_nb", textwrap.dedent(block)) for block in found]


def block_with(line: str) -> str:
    (block,) = [block for block in blocks() if line in (text.strip() for text in block.splitlines())]
    return block


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.filterwarnings("ignore:.*stopped after 5 steps")
def test_a_block_of_the_documents(case, capsys, request):
    if case.needs is not None:
        request.getfixturevalue(case.needs)
    space = Space()
    case.supply(space)
    exec(block_with(case.line), space)
    case.check(space, capsys.readouterr().out)


def test_every_block_has_its_case():
    lines = [case.line for case in CASES]
    cases_of = [[line for line in lines if line in map(str.strip, block.splitlines())] for block in blocks()]
    assert [len(cases) for cases in cases_of] == [1] * len(lines)


def test_max_steps_of_the_documents_says_that_it_stopped():
    space = Space()
    six_steps(space)
    with pytest.warns(UserWarning, match="stopped after 5 steps"):
        exec(block_with('ctx.execute("start", max_steps=5)'), space)
