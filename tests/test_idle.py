"""What waits until no cell runs."""

from __future__ import annotations

import asyncio

from graflow_nb.notebook.idle import Idle


def test_without_a_loop_it_is_done_at_once():
    done = []
    Idle(lambda: done.append(1)).ask()
    assert done == [1]


def test_with_a_loop_it_is_done_later_and_once():
    done = []

    async def cells():
        over = asyncio.Event()
        idle = Idle(lambda: (done.append(1), over.set()))
        for _ in range(3):
            idle.ask()
            assert not done
        await over.wait()

    asyncio.run(cells())
    assert done == [1]


def test_a_cell_that_begins_puts_it_off():
    done = []

    async def cells():
        over = asyncio.Event()
        put_off = Idle(lambda: done.append("put off"))
        put_off.ask()
        put_off.cancel()
        Idle(over.set).ask()  # would come after it
        await over.wait()

    asyncio.run(cells())
    assert not done
