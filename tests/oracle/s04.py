"""S04: after the scope is closed, no child or grandchild takes a step."""
import asyncio

import trio

from oracle import outcome, pause

steps = 0


async def on_asyncio():
    async def child(with_children):
        global steps
        async with asyncio.TaskGroup() as own:
            if with_children:
                own.create_task(child(False))
            while True:
                steps += 1
                await asyncio.sleep(0)

    async def body():
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(child(True))
            await pause(asyncio)
            raise OSError

    await outcome(body())
    return await verdict(asyncio)


async def on_trio():
    async def child(with_children):
        global steps
        async with trio.open_nursery() as own:
            if with_children:
                own.start_soon(child, False)
            while True:
                steps += 1
                await trio.sleep(0)

    async def body():
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(child, True)
            await pause(trio)
            raise OSError

    await outcome(body())
    return await verdict(trio)


async def verdict(library):
    at_close = steps
    await pause(library)
    return "still" if steps == at_close else "goes-on"
