"""S01: one child fails while its siblings wait."""
import asyncio

import trio

from oracle import FOREVER, outcome


async def on_asyncio():
    return await scenario(asyncio, asyncio.CancelledError, in_group)


async def on_trio():
    return await scenario(trio, trio.Cancelled, in_nursery)


async def in_group(children):
    async with asyncio.TaskGroup() as group:
        for child in children:
            group.create_task(child())


async def in_nursery(children):
    async with trio.open_nursery() as nursery:
        for child in children:
            nursery.start_soon(child)


async def scenario(library, cancelled, run):
    cut = 0

    async def waits():
        nonlocal cut
        try:
            await library.sleep(FOREVER)
        except cancelled:
            cut += 1
            raise

    async def fails():
        await library.sleep(0)
        raise OSError

    end = await outcome(run([waits, waits, waits, fails]))
    return ("siblings-cancelled" if cut == 3 else "siblings-left") + "+" + end
