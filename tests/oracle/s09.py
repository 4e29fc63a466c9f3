"""S09: a child's failure beside a cancel from outside; and the wait after that."""
import asyncio

import trio

from oracle import FOREVER, outcome, pause


async def fails_when_cancelled(library, cancelled):
    try:
        await library.sleep(FOREVER)
    except cancelled:
        raise OSError


async def on_asyncio():
    said = []

    async def closer():
        async def body():
            async with asyncio.TaskGroup() as group:
                group.create_task(fails_when_cancelled(asyncio, asyncio.CancelledError))

        said.append(await outcome(body()))
        said.append(await outcome(asyncio.sleep(0)))

    task = asyncio.create_task(closer())
    await pause(asyncio)
    task.cancel()
    await asyncio.wait([task])
    return "+".join(said)


async def on_trio():
    said = []

    async def closer():
        async def body():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fails_when_cancelled, trio, trio.Cancelled)

        said.append(await outcome(body()))
        said.append(await outcome(trio.sleep(0)))

    async with trio.open_nursery() as outside:
        outside.start_soon(closer)
        await pause(trio)
        outside.cancel_scope.cancel()
    return "+".join(said)
