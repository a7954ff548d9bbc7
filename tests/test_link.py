"""Messages between two ends of a connection: small ones inline, large ones handed over."""

from __future__ import annotations

import threading
from multiprocessing.connection import Pipe
from pathlib import Path

import pytest

from graflow_nb.backends import link as links
from graflow_nb.backends.link import Link
from graflow_nb.backends.packing import pack, unpack

FDS = Path("/proc/self/fd")


@pytest.fixture
def ends():
    one, other = Pipe(duplex=True)
    here, there = Link(one), Link(other)
    yield here, there
    here.close()
    there.close()


def sent(ends, value):
    here, there = ends
    sender = threading.Thread(target=here.send, args=(b"x", pack(value)))
    sender.start()
    kind, stream, buffers = there.receive()
    sender.join()
    assert kind == b"x"
    return unpack(stream, buffers)


@pytest.mark.parametrize(
    "value",
    [None, {"a": [1, 2]}, b"x" * 10, b"x" * 1_000_000, bytearray(b"y" * 30_000), bytearray(b"y" * 3_000_000)],
)
def test_values_arrive(ends, value):
    assert sent(ends, value) == value


@pytest.mark.parametrize("size", [10, 3_000, 1_000_000])
def test_arrays_arrive_and_may_be_written_to(ends, size):
    np = pytest.importorskip("numpy")
    arrays = [np.arange(float(size)), np.ones((size, 2), dtype="int8"), np.zeros(0)]
    got = sent(ends, arrays)
    assert all((one == other).all() for one, other in zip(arrays, got, strict=True))
    got[0] += 1
    assert arrays[0][0] == 0


@pytest.mark.skipif(not FDS.exists(), reason="only Linux shows the open descriptors")
def test_large_ones_leave_no_descriptor_open(ends):
    before = len([*FDS.iterdir()])
    for _ in range(5):
        sent(ends, b"x" * 1_000_000)
    assert len([*FDS.iterdir()]) == before


def test_without_memory_to_hand_over(ends, monkeypatch):
    def refuse():
        raise OSError("no room")

    monkeypatch.setattr(links, "_nameless", refuse)
    np = pytest.importorskip("numpy")
    got = sent(ends, np.ones(100_000))
    got += 1
    assert got.sum() == 200_000


def test_where_nothing_can_be_handed_over(monkeypatch):
    monkeypatch.setattr(links, "_CAN_HAND_OVER", False)
    one, other = Pipe(duplex=True)
    here, there = Link(one), Link(other)
    assert sent((here, there), bytearray(b"y" * 3_000_000)) == bytearray(b"y" * 3_000_000)
    here.close()
    with pytest.raises((EOFError, OSError)):
        there.receive()
    there.close()
