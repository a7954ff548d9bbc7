"""A process that makes calls: it gets a job, makes it, sends what came of it, and waits for the next.

It ends when the process that started it does, or closes the connection.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from graflow_nb.backends.link import Link
from graflow_nb.backends.mirror import take_over
from graflow_nb.backends.packing import pack, unpack
from graflow_nb.backends.there import HomeLink, let_go, live_at, make_for, send_outcome, stand_in
from graflow_nb.core.inherit import open_inheritance

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

JOB, MIRROR = b"j", b"m"  # what a worker gets, beside answers
READY = b"y"  # what it sends first


def serve(connection: Connection, watched: Connection) -> None:
    """Make calls until nobody wants any; `watched` is open as long as the process that started this one lives."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # what is started in it ends with it, and Ctrl-C in a terminal is not meant for it
    signal.signal(signal.SIGINT, lambda *_: None)  # the process that has the run decides
    threading.Thread(target=_end_with, args=(watched,), daemon=True).start()
    open_inheritance()
    link = Link(connection)
    home = HomeLink(link)
    live_at(home)
    stand_in()
    link.send(READY, pack(os.getpid()))
    with suppress(EOFError, OSError):
        while True:
            _serve_next(link, home)
    end()


def end() -> NoReturn:
    """End this process and what was started in it, at once."""
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _serve_next(link: Link, home: HomeLink) -> None:
    kind, stream, buffers = link.receive()
    if kind == MIRROR:
        take_over(unpack(stream, buffers))
        return
    outcome = make_for(home, stream, buffers)
    was_large = bool(buffers)
    del stream, buffers
    send_outcome(home, outcome)
    del outcome
    let_go(was_large)


def _end_with(watched: Connection) -> None:
    with suppress(EOFError, OSError):
        watched.recv_bytes()
    end()
