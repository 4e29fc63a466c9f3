"""S22: a sleeper is cancelled, and nothing else happens."""
import asyncio

import trio

from oracle import FOREVER, outcome, pause


async def on_asyncio():
    said = []

    async def sleeper():
        said.append(await outcome(asyncio.sleep(FOREVER)))

    task = asyncio.create_task(sleeper())
    await pause(asyncio)
    task.cancel()
    await asyncio.wait([task])
    return said[0]


async def on_trio():
    said = []

    async def sleeper():
        said.append(await outcome(trio.sleep(FOREVER)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sleeper)
        await pause(trio)
        nursery.cancel_scope.cancel()
    return said[0]
