"""S08: a cancel from outside reaches a task that waits for the children of its scope."""
import asyncio

import trio

from oracle import outcome, pause
from s03 import Children


async def on_asyncio():
    children = Children()
    end = None

    async def closer():
        nonlocal end

        async def body():
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(children.wait(asyncio, asyncio.CancelledError))

        end = await outcome(body())

    task = asyncio.create_task(closer())
    await pause(asyncio)
    task.cancel()
    await asyncio.wait([task])
    return children.verdict(end)


async def on_trio():
    children = Children()
    end = None

    async def closer():
        nonlocal end

        async def body():
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(children.wait, trio, trio.Cancelled)

        end = await outcome(body())

    async with trio.open_nursery() as outside:
        outside.start_soon(closer)
        await pause(trio)
        outside.cancel_scope.cancel()
    return children.verdict(end)
