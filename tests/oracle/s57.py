"""S57: an item is sent while somebody waits, and a third party looks for one."""
import asyncio

import trio

from oracle import pause


async def on_asyncio():
    queue, got = asyncio.Queue(1), []

    async def gets():
        got.append(await queue.get())

    task = asyncio.create_task(gets())
    await pause(asyncio)
    await queue.put(1)
    try:
        queue.get_nowait()
        said = "stolen"
    except asyncio.QueueEmpty:
        said = "owned"
    task.cancel()
    return said


async def on_trio():
    sender, receiver = trio.open_memory_channel(1)
    got = []

    async def gets():
        got.append(await receiver.receive())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(gets)
        await pause(trio)
        sender.send_nowait(1)
        try:
            receiver.receive_nowait()
            said = "stolen"
        except trio.WouldBlock:
            said = "owned"
        nursery.cancel_scope.cancel()
    return said
