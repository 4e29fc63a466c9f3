"""S29: a body that is late, and has not waited."""
import asyncio
import time

import trio

from oracle import outcome

real_clock = True


async def on_asyncio():
    async def body():
        async with asyncio.timeout(0.001):
            time.sleep(0.003)

    return await outcome(body())


async def on_trio():
    async def body():
        with trio.fail_after(0.001):
            time.sleep(0.003)

    return await outcome(body())
