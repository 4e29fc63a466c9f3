"""S43: who waits for several together is cancelled: asyncio.gather. (Trio: see S08.)"""
import asyncio

from oracle import outcome, pause
from s03 import Children


async def on_asyncio():
    children = Children()
    said = []

    async def gathers():
        three = [children.wait(asyncio, asyncio.CancelledError) for _ in range(3)]
        said.append(await outcome(asyncio.gather(*three)))

    task = asyncio.create_task(gathers())
    await pause(asyncio)
    task.cancel()
    await asyncio.wait([task])
    await pause(asyncio)
    return said[0] + "+" + ("children-cancelled" if children.cut == 3 else "children-left")
