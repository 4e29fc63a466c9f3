"""S44: nothing is gathered, and one thing twice. (Trio gathers none.)"""
import asyncio

from oracle import outcome


async def on_asyncio():
    async def task():
        return 6

    none = await outcome(asyncio.gather())
    twice = asyncio.create_task(task())
    return none + "+" + await outcome(asyncio.gather(twice, twice))
