"""S50: the first in the line for a permit is cancelled, and a permit comes."""
import asyncio

import trio

from oracle import outcome, pause


def verdict(said):
    return said.get(0, "waits") + "+" + (
        "next-served" if said.get(1) == "value" else "permit-lost")


async def on_asyncio():
    semaphore, said = asyncio.Semaphore(0), {}

    async def acquires(number):
        said[number] = await outcome(semaphore.acquire())

    tasks = [asyncio.create_task(acquires(number)) for number in range(2)]
    await pause(asyncio)
    tasks[0].cancel()
    semaphore.release()
    await pause(asyncio)
    tasks[1].cancel()
    return verdict(said)


async def on_trio():
    semaphore, said, scopes = trio.Semaphore(0), {}, {}

    async def acquires(number):
        with trio.CancelScope() as scopes[number]:
            said[number] = await outcome(semaphore.acquire())

    async with trio.open_nursery() as nursery:
        for number in range(2):
            nursery.start_soon(acquires, number)
            await pause(trio)
        scopes[0].cancel()
        semaphore.release()
        await pause(trio)
        nursery.cancel_scope.cancel()
    return verdict(said)
