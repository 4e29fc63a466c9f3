"""S23: a cancel of what has ended."""
import asyncio

import trio

from oracle import pause


async def on_asyncio():
    async def task():
        return 42

    ended = asyncio.create_task(task())
    await pause(asyncio)
    ended.cancel()
    return "value" if await ended == 42 else "lost"


async def on_trio():
    results = []

    async def task(scope):
        with scope:
            results.append(42)

    scope = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(task, scope)
    scope.cancel()
    await trio.sleep(0)
    return "value" if results == [42] and not scope.cancelled_caught else "lost"
