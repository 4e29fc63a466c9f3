"""S06: each child spawns two more, and one fails."""
import asyncio

import trio

from oracle import FOREVER, outcome

started = 0


async def grow(library, spawn):
    global started
    started += 1
    if started == 200:
        raise OSError
    await library.sleep(0)
    spawn()
    spawn()
    await library.sleep(FOREVER)


async def on_asyncio():
    global started
    started = 0

    async def body():
        async with asyncio.TaskGroup() as group:
            def spawn():
                group.create_task(grow(asyncio, spawn))
            spawn()

    return "ended+" + await outcome(body())


async def on_trio():
    global started
    started = 0

    async def body():
        async with trio.open_nursery() as nursery:
            def spawn():
                nursery.start_soon(grow, trio, spawn)
            spawn()

    return "ended+" + await outcome(body())
