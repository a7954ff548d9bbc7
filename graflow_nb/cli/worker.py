"""``graflow-nb worker``: a process, or several, that make calls for flows elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from graflow_nb.cli.codes import DONE, FAILED, INTERRUPTED

if TYPE_CHECKING:
    from argparse import Namespace

    from graflow_nb.backends.redis.address import Address

_PAUSE = 1.0
"""Seconds before a worker that crashed is replaced."""


def work(options: Namespace) -> int:
    """Work until somebody ends it, or nothing is left to do."""
    from graflow_nb.backends.redis.address import URL, Address

    address = Address(options.url)
    queues = options.queues or [address.queue]
    if options.workers > 1:
        env = {**os.environ, URL: options.url} if options.url else None  # nobody sees it among their arguments
        return _start_several(options, queues, env)
    return _work(address, queues, options)


def _work(address: Address, queues: list[str], options: Namespace) -> int:
    from redis.exceptions import RedisError

    from graflow_nb.backends.redis.worker import FlowWorker, load_first, say

    load_first(options.load)
    try:
        worker = FlowWorker(address, queues)
    except RedisError as error:
        raise address.trouble(error) from None
    try:
        say(f"{worker.post.place} takes tasks from {', '.join(queues)} at {address!r} (key {worker.key_shown})")
        worker.work(burst=options.burst, logging_level="WARNING")
    except RedisError as error:
        raise address.trouble(error) from None
    except KeyboardInterrupt:  # before RQ heeds it: there is no task yet
        worker.register_death()
    except SystemExit:  # RQ's way to end at once
        say("ended at once; what ran there is lost")
        return INTERRUPTED
    say("ended")
    return DONE


def _start_several(options: Namespace, queues: list[str], env: dict[str, str] | None) -> int:
    """Start several processes, and others for those that crash, until they are told to end."""
    command = [sys.executable, "-m", "graflow_nb.cli", "worker", "--queues", *queues]
    command += ["--burst"] if options.burst else []
    command += ["--load", *options.load] if options.load else []
    processes = [subprocess.Popen(command, env=env) for _ in range(options.workers)]  # noqa: S603 - ourselves
    is_over = False

    def end(*_: object) -> None:
        nonlocal is_over
        is_over = True
        for process in processes:
            with suppress(OSError):
                process.send_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    while any(process.poll() is None for process in processes):
        time.sleep(0.2)
        crashed = [process for process in processes if process.poll() is not None and process.returncode < 0]
        if crashed and not is_over:
            time.sleep(_PAUSE)
            for process in crashed:
                print("graflow-nb worker: one crashed; another one takes its place", file=sys.stderr, flush=True)
                processes.remove(process)
                processes.append(subprocess.Popen(command, env=env))  # noqa: S603 - ourselves
    return max((abs(process.returncode) for process in processes), default=DONE) and FAILED
