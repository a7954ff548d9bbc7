"""The table of traps: a change never leads to a wrong reuse, and what changes nothing runs nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from traps import TRAPS
from traps.play import HAS_DISK, Outcome, in_kernel, verdict

TESTS = Path(__file__).parent
IDS = [f"{trap.group}: {trap.name}" for trap in TRAPS]
IN_KERNEL = [number for number, trap in enumerate(TRAPS) if trap.in_kernel]
IN_PROCESSES = [number for number, trap in enumerate(TRAPS) if trap.in_processes]


def names(number: int) -> str:
    return IDS[number]


def test_there_are_enough_of_them_and_each_has_a_name_of_its_own():
    assert len(set(IDS)) == len(TRAPS)
    assert sum(trap.must_run for trap in TRAPS) >= 60
    assert sum(not trap.must_run for trap in TRAPS) >= 25


@pytest.mark.parametrize("number", IN_KERNEL, ids=names)
def test_in_one_kernel(number, tmp_path):
    assert verdict(TRAPS[number], in_kernel(TRAPS[number], tmp_path)) == ""


@pytest.fixture(scope="module")
def processes(tmp_path_factory) -> dict[str, dict[str, Outcome]]:
    """What came of each trap in two processes, which share a store; all traps share the two processes."""
    folder = tmp_path_factory.mktemp("traps")
    first, second = (_process(phase, folder, seed) for phase, seed in (("before", "1"), ("after", "2")))
    return {
        number: {"before": Outcome(*first[number]), **{k: Outcome(*o) for k, o in rest.items()}}
        for number, rest in second.items()
    }


def _process(phase: str, folder: Path, hash_seed: str) -> dict:
    answer = folder / f"{phase}.json"
    environ = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    command = [sys.executable, "-m", "traps.play", phase, str(folder), str(answer)]
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(answer.read_text())


@pytest.mark.skipif(not HAS_DISK, reason="a workflow has no cache= yet")
@pytest.mark.parametrize("number", IN_PROCESSES, ids=names)
def test_in_two_processes(number, processes):
    assert verdict(TRAPS[number], processes[str(number)]) == ""
