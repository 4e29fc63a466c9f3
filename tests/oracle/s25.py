"""S25: the child of a cancelled waiter refuses to end."""
import asyncio

import trio

from oracle import pause


async def on_asyncio():
    returned, may_end = False, False

    async def refuses():
        while not may_end:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                pass

    async def waiter():
        nonlocal returned
        try:
            await asyncio.create_task(refuses())
        finally:
            returned = True

    task = asyncio.create_task(waiter())
    await pause(asyncio)
    task.cancel()
    await pause(asyncio)
    early = returned
    may_end = True
    await asyncio.wait([task])
    return "returns-early" if early else "waits"


async def on_trio():
    returned, may_end = False, False

    async def refuses():
        with trio.CancelScope(shield=True):
            while not may_end:
                await trio.sleep(0)

    async def waiter():
        nonlocal returned
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(refuses)
        finally:
            returned = True

    async with trio.open_nursery() as outside:
        outside.start_soon(waiter)
        await pause(trio)
        outside.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await pause(trio)
        early = returned
        may_end = True
    return "returns-early" if early else "waits"
