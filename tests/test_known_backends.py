"""Backends by name, by address, and by a client."""

from __future__ import annotations

import asyncio

import pytest

from graflow_nb import TaskDefinitionError, UnknownBackendError, register_backend, task, workflow
from graflow_nb.core.known_backends import shown

MADE = []


class AtOnce:
    """Makes each call at once, and says where."""

    slots = 1

    def __init__(self, workers=None, where=None):
        MADE.append(where)

    def open(self, deliver):
        self._deliver = deliver

    def submit(self, call):
        self._deliver(call.run())

    def withdraw(self):
        return []

    def interrupt(self, call=None):
        pass

    def close(self):
        pass


class Client:
    """Stands for a library's client, by where it is defined."""


Client.__module__ = "remotelib.client"


@pytest.fixture(autouse=True)
def known():
    MADE.clear()
    register_backend("remote", AtOnce, schemes=("far", "fars"), package="remotelib")
    with workflow("w") as flow:

        @task
        def one():
            return 1

    return flow


@pytest.mark.parametrize("where", ["far://host:1", "FARS://host", Client()])
def test_an_address_or_a_client_means_a_backend(known, where):
    assert known.run(backend=where).results["one"] == 1
    assert [where] == MADE


def test_a_name_means_it_without_an_address(known):
    assert known.execute(backend="remote") == 1
    assert MADE == [None]


def test_a_task_and_a_flow_have_addresses_too():
    client = Client()
    with workflow("w", backend="far://flow") as flow:

        @task(backend=client)
        def one():
            return 1

        @task
        def two(one):
            return one + 1

    assert flow.run().results["two"] == 2
    assert ["far://flow", client] == MADE


def test_an_unknown_scheme_names_those_there_are(known):
    with pytest.raises(UnknownBackendError, match=r"no backend at 'near://host'.*far://, fars://"):
        known.run(backend="near://host")


def test_what_logs_in_is_not_shown(known):
    with pytest.raises(UnknownBackendError) as error:
        known.run(backend="near://me:secret@host/0")
    assert "secret" not in str(error.value)
    assert "***@host/0" in str(error.value)


def test_an_object_of_another_kind_is_refused(known):
    with pytest.raises(UnknownBackendError, match="no backend"):
        known.run(backend=object())
    with pytest.raises(TaskDefinitionError, match="a name such as"):
        task(backend=object())(lambda: 1)


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("threads", "threads"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://:pass@host:6379/0", "redis://***@host:6379/0"),
        ("redis://me:p@ss@host", "redis://***@host"),
        ("redis://me:pa/ss@host/1", "redis://***@host/1"),
        ("unix://me:secret@/run/redis.sock?db=1&password=other", "unix://***@/run/redis.sock"),
        ("tcp://[::1]:8786", "tcp://[::1]:8786"),
        (Client(), "remotelib.Client"),
    ],
)
def test_how_a_backend_is_named(given, seen):
    assert shown(given) == seen


class Closed(AtOnce):
    """Cannot be opened."""

    def open(self, deliver):
        raise UnknownBackendError("nobody is there")


@pytest.fixture
def closed(known):
    register_backend("closed", Closed)
    known.run()
    return known


@pytest.mark.parametrize("how", [{}, {"background": True}, {"force": True}])
def test_a_run_that_cannot_begin_leaves_everything_as_it_was(closed, how):
    before, heard = closed.last_run, []
    closed.services.listeners.append(heard.append)
    with pytest.raises(UnknownBackendError, match="nobody is there"):
        closed.run(backend="closed", **how)
    assert closed.last_run is before
    assert closed["one"].result == 1
    assert heard == []
    assert closed.run().statuses["one"].word == "cached"


def test_nor_does_one_that_is_awaited_or_executed(closed):
    before = closed.last_run
    with pytest.raises(UnknownBackendError, match="nobody is there"):
        asyncio.run(closed.arun(backend="closed"))
    with pytest.raises(UnknownBackendError, match="nobody is there"):
        closed.execute(backend="closed")
    assert closed.last_run is before
    assert closed["one"].result == 1
