"""S26: a task cancels itself."""
import asyncio

import trio

from oracle import FOREVER, outcome


async def on_asyncio():
    said = []

    async def task():
        asyncio.current_task().cancel()
        said.append("goes-on")
        said.append(await outcome(asyncio.sleep(FOREVER)))

    await asyncio.wait([asyncio.create_task(task())])
    return "+".join(said)


async def on_trio():
    said = []
    with trio.CancelScope() as scope:
        scope.cancel()
        said.append("goes-on")
        said.append(await outcome(trio.sleep(FOREVER)))
    return "+".join(said)
