"""S30: a deadline of now: does the body run at all?"""
import asyncio

import trio

from oracle import outcome


async def on_asyncio():
    ran = []

    async def body():
        async with asyncio.timeout(0):
            ran.append(True)
            await asyncio.sleep(0)

    end = await outcome(body())
    return ("runs" if ran else "never-runs") + "+" + end


async def on_trio():
    ran = []

    async def body():
        with trio.fail_after(0):
            ran.append(True)
            await trio.sleep(0)

    end = await outcome(body())
    return ("runs" if ran else "never-runs") + "+" + end
