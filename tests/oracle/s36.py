"""S36: a sleep of a negative time, and whether any sleep is early."""
import asyncio
import time

import trio

from oracle import outcome

real_clock = True


async def scenario(library):
    negative = await outcome(library.sleep(-1))
    early = False
    for span in (0.000001, 0.0001, 0.001, 0.0021):
        start = time.monotonic()
        await library.sleep(span)
        early |= time.monotonic() - start < span
    return negative + "+" + ("early" if early else "never-early")


async def on_asyncio():
    return await scenario(asyncio)


async def on_trio():
    return await scenario(trio)
