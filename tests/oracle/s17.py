"""S17: a cancel reaches a task that waits in a shield; and the wait after that."""
import asyncio

import trio

from oracle import outcome, pause


def verdict(said):
    return ("works-inside" if said[0] == "value" else "cut-inside") + "+" + (
        "then-cancelled" if said[1] == "cancelled" else "value")


async def on_asyncio():
    said, event = [], asyncio.Event()

    async def shielded():
        said.append(await outcome(asyncio.shield(event.wait())))
        said.append(await outcome(asyncio.sleep(0)))

    task = asyncio.create_task(shielded())
    await pause(asyncio)
    task.cancel()
    await pause(asyncio)
    event.set()
    await asyncio.wait([task])
    return verdict(said)


async def on_trio():
    said, event = [], trio.Event()

    async def shielded():
        with trio.CancelScope(shield=True):
            said.append(await outcome(event.wait()))
        said.append(await outcome(trio.sleep(0)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(shielded)
        await pause(trio)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await pause(trio)
        event.set()
    return verdict(said)
