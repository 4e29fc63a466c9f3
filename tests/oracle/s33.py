"""S33: a cancel from outside before the deadline."""
import asyncio

import trio

from oracle import FOREVER, outcome, pause


def verdict(said, expired):
    return said[0] + "+" + ("expired" if expired else "not-expired")


async def on_asyncio():
    said, limit = [], None

    async def task():
        nonlocal limit

        async def body():
            nonlocal limit
            async with asyncio.timeout(1000) as limit:
                await asyncio.sleep(FOREVER)

        said.append(await outcome(body()))

    running = asyncio.create_task(task())
    await pause(asyncio)
    running.cancel()
    await asyncio.wait([running])
    return verdict(said, limit.expired())


async def on_trio():
    said, limit = [], None

    async def task():
        nonlocal limit

        async def body():
            nonlocal limit
            with trio.fail_after(1000) as limit:
                await trio.sleep(FOREVER)

        said.append(await outcome(body()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(task)
        await pause(trio)
        nursery.cancel_scope.cancel()
    return verdict(said, limit.cancelled_caught)
