"""S10: a wait after a scope that failed."""
import asyncio

import trio

import s01
from oracle import outcome


async def on_asyncio():
    await s01.on_asyncio()
    return await outcome(asyncio.sleep(0))


async def on_trio():
    await s01.on_trio()
    return await outcome(trio.sleep(0))
