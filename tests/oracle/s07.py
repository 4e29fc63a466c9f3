"""S07: a task that is spawned cancelled."""
import asyncio

import trio

from oracle import FOREVER


async def on_asyncio():
    ran = []

    async def child():
        ran.append(True)
        await asyncio.sleep(FOREVER)

    task = asyncio.create_task(child())
    task.cancel()
    await asyncio.wait([task])
    return "runs" if ran else "never-runs"


async def on_trio():
    ran = []

    async def child():
        ran.append(True)
        await trio.sleep(FOREVER)

    async with trio.open_nursery() as nursery:
        nursery.cancel_scope.cancel()
        nursery.start_soon(child)
    return "runs" if ran else "never-runs"
